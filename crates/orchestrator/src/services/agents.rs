//! Requests of agents: for work, and to renew their lease.

mod claim;
mod fit;
mod heartbeat;
mod pool;

use chrono::{DateTime, Utc};
use protocol::{
    AttemptId,
    phase::AttemptPhase,
    spend::{InstancePhase, RentalTerms},
};
use store::{
    Tx,
    attempts::{self, Attempt, Subject},
    drawing,
    spend::{self, Payer},
    tokens::AgentCredential,
};

use crate::{
    Orchestrator, ServiceError, ServiceResult,
    rentals::{self, Rental},
    time::time_delta,
};

/// The attempt, if the agent was started for it and it is not over.
pub(super) async fn own_attempt(tx: &Tx, agent: &AgentCredential, id: AttemptId) -> ServiceResult<Attempt> {
    let attempt = attempts::get(tx, id).await?;
    if !attempt.belongs_to(agent) {
        return Err(ServiceError::Forbidden);
    }
    if attempt.phase == AttemptPhase::Gone {
        return Err(ServiceError::LeaseLost);
    }
    Ok(attempt)
}

/// The attempt, if the agent also holds its newest fence.
pub(super) async fn held_attempt(
    tx: &Tx,
    agent: &AgentCredential,
    id: AttemptId,
    fence: i64,
) -> ServiceResult<Attempt> {
    let attempt = own_attempt(tx, agent, id).await?;
    if attempt.fence != fence {
        return Err(ServiceError::LeaseLost);
    }
    Ok(attempt)
}

/// A lease that is given or renewed now.
pub(super) struct Granted {
    pub(super) until: DateTime<Utc>,
    pub(super) seconds: u32,
    /// On rented machines.
    pub(super) terms: Option<RentalTerms>,
}

pub(crate) use claim::FETCH_TIME;
pub(crate) use pool::POOL;

impl Orchestrator {
    /// The lease of an attempt. On a rented machine it ends before the time reserved for stopping; a machine that is
    /// no longer needed gets none.
    pub(super) async fn grant(&self, tx: &Tx, attempt: &Attempt) -> ServiceResult<Granted> {
        let Some(rental) = self.rental(&attempt.provider) else {
            if attempt.provider == POOL && matches!(attempt.subject, Subject::Job(_)) {
                let lease = self.pool_lease();
                return Ok(Granted {
                    until: store::now() + time_delta(lease),
                    seconds: u32::try_from(lease.as_secs()).unwrap_or(u32::MAX),
                    terms: None,
                });
            }
            return Ok(Granted {
                until: self.lease_end(),
                seconds: self.lease_seconds(),
                terms: None,
            });
        };
        let terms = rental_terms(rental, tx, attempt).await?;
        let lease = u32::try_from(rental.times.lease.as_secs()).unwrap_or(u32::MAX);
        let seconds = lease.min(terms.seconds_to_deadline.saturating_sub(terms.stop_seconds));
        let real = std::time::Duration::from_secs(seconds.into()) / rental.time_scale.max(1);
        Ok(Granted {
            until: store::now() + time_delta(real),
            seconds,
            terms: Some(terms),
        })
    }
}

async fn rental_terms(rental: &Rental, tx: &Tx, attempt: &Attempt) -> ServiceResult<RentalTerms> {
    let machines = match attempt.subject {
        // It is drawn on the machine of its session.
        Subject::Generation(id) => match drawing::of_generation(tx, id).await? {
            Some(session) => spend::of_payer(tx, Payer::Drawing(session)).await?,
            None => Vec::new(),
        },
        Subject::Job(_) | Subject::Edit(_) | Subject::Drawing(_) => spend::of_attempt(tx, attempt.id).await?,
    };
    let machine = machines.last().ok_or(ServiceError::LeaseLost)?;
    match machine.phase {
        // An agent may call before the order of its machine was answered.
        InstancePhase::Intent | InstancePhase::Unknown | InstancePhase::Live => {
            Ok(rentals::terms(&rental.times, machine, rental.clock.now()))
        }
        InstancePhase::Ending | InstancePhase::Abandoned | InstancePhase::Gone => {
            Err(ServiceError::LeaseLost)
        }
    }
}
