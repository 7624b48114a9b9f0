//! Drawing sessions: a rented machine that draws pictures for as long as somebody asks it for some.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    DrawingSessionId, MicroUsd,
    problem::{FieldError, InvalidFields},
    spend::{Budget, CloudTier, RentalWish},
};

/// Minutes without a picture after which a session may end.
pub const IDLE_MINUTES: RangeInclusive<u32> = 1..=240;
/// The usual number of them.
pub const USUAL_IDLE_MINUTES: u32 = 10;

fn usual_idle_minutes() -> u32 {
    USUAL_IDLE_MINUTES
}

/// Phase of a drawing session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DrawingPhase {
    /// Waiting for its machine to be ordered.
    Ordered,
    /// Its machine is being ordered, or starts.
    Starting,
    /// Its machine draws what it is asked for.
    Ready,
    /// It is over; that its machine is terminated is not confirmed yet.
    Ending,
    /// It is over, and no machine of it is known to run.
    Ended,
}

impl DrawingPhase {
    /// Every phase, in the order of a session's life.
    pub const ALL: [Self; 5] = [
        Self::Ordered,
        Self::Starting,
        Self::Ready,
        Self::Ending,
        Self::Ended,
    ];

    /// Whether it takes pictures to draw.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Ordered | Self::Starting | Self::Ready)
    }

    /// The word that the API, the database and the pages use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }
}

/// Rents a machine for pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDrawingSession {
    /// What it is called where its cost is shown.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// Who rents the machine out.
    pub provider: String,
    /// Total cost limit, in micro-dollars. The machine is terminated before its cost exceeds it.
    #[schema(value_type = i64, minimum = 1)]
    pub limit_micro_usd: MicroUsd,
    /// The session ends after this many minutes without a picture.
    #[serde(default = "usual_idle_minutes")]
    #[schema(minimum = 1, maximum = 240, default = 10)]
    pub idle_minutes: u32,
    /// Requirements for the machine.
    #[serde(default)]
    pub rental: RentalWish,
}

impl CreateDrawingSession {
    /// Checks its own fields; all errors come at once.
    pub fn validate(&self) -> Result<(), InvalidFields> {
        let mut errors = Vec::new();
        let name = self.name.trim();
        if !(1..=80).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            errors.push(FieldError::new(
                "name",
                "must have 1 to 80 characters on one line",
            ));
        }
        if self.limit_micro_usd <= MicroUsd::ZERO {
            errors.push(FieldError::new("limit_micro_usd", "must be more than 0"));
        }
        if !IDLE_MINUTES.contains(&self.idle_minutes) {
            errors.push(FieldError::new(
                "idle_minutes",
                format!(
                    "must be from {} to {}, not {}",
                    IDLE_MINUTES.start(),
                    IDLE_MINUTES.end(),
                    self.idle_minutes
                ),
            ));
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(InvalidFields(errors))
        }
    }
}

/// Asks what a machine for pictures would cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceDrawingSession {
    /// Who would rent the machine out.
    pub provider: String,
    /// Requirements for the machine.
    #[serde(default)]
    pub rental: RentalWish,
}

/// A kind of machine for pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DrawingOffer {
    /// Id of the GPU type.
    pub gpu: String,
    /// Display name.
    pub gpu_name: String,
    /// Number of GPUs in the machine.
    pub n_gpus: u32,
    /// Memory of each GPU, in GB.
    pub memory_gb: u32,
    /// Tier.
    pub cloud: CloudTier,
    /// Whether the provider reports it as available.
    pub is_in_stock: bool,
    /// Price per hour, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
    /// The smallest limit with which it could be rented, in micro-dollars.
    pub least_limit_micro_usd: MicroUsd,
}

/// What a drawing session would cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DrawingPrices {
    /// Every kind of machine that may be asked for, those that are asked for first at the front.
    pub offers: Vec<DrawingOffer>,
    /// The smallest limit with which it could start, in micro-dollars; absent if no machine fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_limit_micro_usd: Option<MicroUsd>,
    /// Budgets that it keeps to besides its own limit.
    pub budgets: Vec<Budget>,
}

/// A drawing session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DrawingSession {
    /// Its id.
    pub id: DrawingSessionId,
    /// What it is called.
    pub name: String,
    /// Who rents its machine out.
    pub provider: String,
    /// Its phase.
    pub phase: DrawingPhase,
    /// Why it is ending or has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Id of the GPU type of its machine, once one is ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// Total cost limit, in micro-dollars.
    pub limit_micro_usd: MicroUsd,
    /// Cost so far, in micro-dollars; an upper bound until the provider has billed it.
    pub spent_micro_usd: MicroUsd,
    /// Reserved for the worst case of its machine, in micro-dollars.
    pub reserved_micro_usd: MicroUsd,
    /// Cost per hour of its machine, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
    /// It ends after this many minutes without a picture.
    pub idle_minutes: u32,
    /// Pictures that wait for it or are being drawn.
    pub n_open: u32,
    /// When the newest picture was asked for or ended, or the machine became ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<DateTime<Utc>>,
    /// When its machine must be terminated, once one is ordered, by the provider's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<DateTime<Utc>>,
    /// Seconds until its limit or its longest time ends it, while its machine is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_to_limit: Option<u32>,
    /// Seconds until it ends without another picture, while its machine is ready and draws none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_to_silence: Option<u32>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its machine became ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_field_by_field() {
        let request = serde_json::json!({"name": " ", "provider": "somebody", "limit_micro_usd": 0, "idle_minutes": 241});
        let request: CreateDrawingSession = serde_json::from_value(request).unwrap();
        let InvalidFields(errors) = request.validate().unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "limit_micro_usd", "idle_minutes"]);
    }

    #[test]
    fn ten_minutes_are_usual() {
        let request = serde_json::json!({"name": "Covers", "provider": "somebody", "limit_micro_usd": 1});
        let request: CreateDrawingSession = serde_json::from_value(request).unwrap();
        assert_eq!(request.idle_minutes, 10);
        request.validate().unwrap();
    }
}
