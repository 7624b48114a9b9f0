//! What was deleted and can still be brought back.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    limits::{MAX_CLEAN_UP_DAYS, MAX_DRAFTS_KEPT, MAX_TRASH_ITEMS},
    problem::{FieldError, InvalidFields},
};

/// What can be deleted and brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrashKind {
    /// A model, with all of its versions.
    Model,
    /// One version of a model.
    ModelVersion,
    /// A generation: a picture of the playground.
    Generation,
    /// A job that has ended.
    Job,
}

impl TrashKind {
    /// For a person.
    pub const fn as_text(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Model => "model",
            Self::ModelVersion => "model version",
            Self::Generation => "generation",
        }
    }
}

/// One thing to delete or to bring back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrashItem {
    /// What it is.
    pub kind: TrashKind,
    /// Id of the job, model, model version or generation.
    pub id: Uuid,
}

/// Things to delete or to bring back: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrashItems {
    /// Which ones.
    #[schema(max_items = 1000)]
    pub items: Vec<TrashItem>,
}

impl TrashItems {
    /// Each of them once, versions before the jobs that trained them; or that they are too many.
    pub fn checked(self) -> Result<Vec<TrashItem>, InvalidFields> {
        let mut items = self.items;
        if items.len() > MAX_TRASH_ITEMS {
            let problem = format!("must be at most {MAX_TRASH_ITEMS}, not {}", items.len());
            return Err(InvalidFields(vec![FieldError::new("items", problem)]));
        }
        items.sort_unstable();
        items.dedup();
        Ok(items)
    }
}

/// Something in the trash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trashed {
    /// What it is.
    pub kind: TrashKind,
    /// Id of the job, model, model version or generation.
    pub id: Uuid,
    /// Its name; of a generation, its prompt.
    pub name: String,
    /// When it was deleted.
    pub deleted_at: DateTime<Utc>,
    /// Until when it can be brought back.
    pub restorable_until: DateTime<Utc>,
}

/// Rules by which to clean up. Each stands on its own, and one that is left out deletes nothing. Never deleted is what is
/// in use or has a star, an approved version, and the version that a model is used by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CleanUp {
    /// Newest drafts of each model that are kept; older drafts go.
    #[schema(minimum = 1, maximum = 1000)]
    pub drafts_kept: Option<u32>,
    /// Drafts older than this, in days, go.
    #[schema(minimum = 1, maximum = 3650)]
    pub drafts_days: Option<u32>,
    /// Pictures of the playground older than this, in days, go.
    #[schema(minimum = 1, maximum = 3650)]
    pub pictures_days: Option<u32>,
    /// Jobs without a model version that ended longer ago than this, in days, go.
    #[schema(minimum = 1, maximum = 3650)]
    pub jobs_days: Option<u32>,
}

impl CleanUp {
    /// The same rules; or what is wrong with them.
    pub fn checked(self) -> Result<Self, InvalidFields> {
        let errors: Vec<FieldError> = [
            ("drafts_kept", self.drafts_kept, MAX_DRAFTS_KEPT),
            ("drafts_days", self.drafts_days, MAX_CLEAN_UP_DAYS),
            ("pictures_days", self.pictures_days, MAX_CLEAN_UP_DAYS),
            ("jobs_days", self.jobs_days, MAX_CLEAN_UP_DAYS),
        ]
        .into_iter()
        .filter(|(_, value, most)| value.is_some_and(|value| !(1..=*most).contains(&value)))
        .map(|(field, _, most)| FieldError::new(field, format!("must be from 1 to {most}")))
        .collect();
        if errors.is_empty() {
            Ok(self)
        } else {
            Err(InvalidFields(errors))
        }
    }
}

/// Something that a clean-up deletes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CleanedUp {
    /// What it is.
    pub kind: TrashKind,
    /// Its id.
    pub id: Uuid,
    /// Its name; of a generation, its prompt.
    pub name: String,
    /// Size of its files. What others share of them stays.
    pub size_bytes: u64,
}

/// What a clean-up deletes, or has deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CleanUpResult {
    /// At most 1000 things; versions first, then pictures, then jobs.
    pub items: Vec<CleanedUp>,
    /// Size of all their files.
    pub total_bytes: u64,
    /// There is more: clean up again.
    pub has_more: bool,
}
