//! From a drawing session that was asked for to its machine, and from the end of the machine to that of the session.
//!
//! A session has one attempt, and somebody waits for it: where a job would go back to the queue, the session ends and says
//! why.

use std::time::Duration;

use protocol::{
    DrawingSessionId, MicroUsd,
    drawing::DrawingPhase,
    phase::{AttemptPhase, Outcome},
    problem::chain,
    spend::{Budget, InstancePhase},
};
use rental::Offer;
use store::{
    attempts::{self, Attempt, Claimant, NewAttempt, Subject},
    drawing::{self, DrawingState},
    spend::{self, Payer},
    tokens::NewToken,
};

use super::{
    intent::{Committed, Intent},
    launch::{MOST_ORDERS, Ordered, no_offer},
};
use crate::{
    Orchestrator,
    reconcile::ReconcileError,
    rentals::{Rental, estimate},
    services::{AttemptEnd, close_drawing, end_rented_attempt, launch_drawing, refuse_drawing, what_for},
    time::time_delta,
    watches::Aspect,
};

/// The longest time that a machine is reserved for, however large the limit is.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// A session whose machine is not ordered after this ends: nobody waits in front of the page any more.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

impl Orchestrator {
    /// Whether a session waits for the next pass.
    pub(super) async fn drawings_have_business(&self, rental: &Rental) -> Result<bool, ReconcileError> {
        let open = drawing::open(&self.store, rental.name()).await?;
        let waits =
            |session: &DrawingState| matches!(session.phase, DrawingPhase::Ordered | DrawingPhase::Ending);
        Ok(open.iter().any(waits))
    }

    /// Orders a machine for the session that has waited for longest; false when none waits.
    pub(super) async fn launch_next_drawing(&self, rental: &Rental) -> Result<bool, ReconcileError> {
        let open = drawing::open(&self.store, rental.name()).await?;
        let next = open
            .into_iter()
            .find(|session| session.phase == DrawingPhase::Ordered);
        match next {
            Some(session) => self.launch_drawing_session(rental, &session).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Asks for one machine after the other until there is one, or the session ends.
    async fn launch_drawing_session(
        &self,
        rental: &Rental,
        session: &DrawingState,
    ) -> Result<(), ReconcileError> {
        let memory_gb = estimate::DRAWING_MEMORY_GB;
        let offers = match rental.landlord.offers(&session.rental, memory_gb).await {
            Ok(offers) => offers,
            Err(err) => {
                let reason = format!("{} could not say what it offers: {}", rental.title(), chain(&err));
                return self.refuse_session(session.id, &reason).await;
            }
        };
        if offers.is_empty() {
            let reason = no_offer(&session.rental, memory_gb);
            return self.refuse_session(session.id, &reason).await;
        }
        let mut attempt: Option<Attempt> = None;
        let mut short: Option<(Budget, MicroUsd)> = None;
        let mut refusals: Vec<String> = Vec::new();
        for offer in offers.iter().take(MOST_ORDERS) {
            let committed = self
                .commit_drawing(rental, session.id, attempt.as_ref(), offer)
                .await?;
            let (instance, intent, token) = match committed {
                Committed::Yes(instance, intent, token) => (instance, intent, token),
                Committed::Short(budget) => {
                    short = Some((budget, rental.times.least(offer.rate_cap)));
                    continue;
                }
                // Another server has it, or its owner has ended it.
                Committed::Overtaken => return Ok(()),
            };
            attempt = Some(*intent);
            match self.order(rental, &instance, offer, token).await? {
                Ordered::Yes => return Ok(()),
                Ordered::Next(reason) => refusals.push(format!("{}: {reason}", offer.gpu_name)),
                Ordered::Wait(_, reason) | Ordered::Fail(reason) => {
                    return self.give_session_up(attempt, reason).await;
                }
                Ordered::Halt(reason) => {
                    self.halt(rental, &reason).await?;
                    return self.give_session_up(attempt, reason).await;
                }
            }
        }
        match (attempt, short) {
            (attempt @ Some(_), _) => {
                let reason = format!("no machine is free ({})", refusals.join("; "));
                self.give_session_up(attempt, reason).await
            }
            (None, Some((budget, least))) => {
                let limit = budget.limit_micro_usd.unwrap_or_default();
                let left = budget.left().unwrap_or_default().max(MicroUsd::ZERO);
                let reason = format!(
                    "{left} of the {limit} of {} is free, and a machine needs {least} to start with",
                    what_for(&budget)
                );
                self.refuse_session(session.id, &reason).await
            }
            (None, None) => Ok(()),
        }
    }

    /// One transaction: the session is starting, its attempt is opened, the worst case is set aside, and the machine has
    /// a row with its name.
    async fn commit_drawing(
        &self,
        rental: &Rental,
        id: DrawingSessionId,
        attempt: Option<&Attempt>,
        offer: &Offer,
    ) -> Result<Committed, ReconcileError> {
        let token = NewToken::random();
        let tx = self.store.begin().await?;
        if let Some(attempt) = attempt
            && attempts::get(&tx, attempt.id).await?.phase == AttemptPhase::Gone
        {
            return Ok(Committed::Overtaken);
        }
        let state = drawing::state(&tx, id).await?;
        let expected = match attempt {
            Some(_) => DrawingPhase::Starting,
            None => DrawingPhase::Ordered,
        };
        if state.phase != expected {
            return Ok(Committed::Overtaken);
        }
        let intent = Intent {
            rental,
            offer,
            payer: Payer::Drawing(id),
            owner: state.owner,
            project: None,
            now: rental.clock.now(),
        };
        let plan = match intent.plan(&tx, LONGEST).await? {
            Ok(plan) => plan,
            Err(obstacle) => return Ok(obstacle),
        };
        let attempt = match attempt {
            Some(attempt) => {
                attempts::replace_token(&tx, attempt, &token).await?;
                attempts::get(&tx, attempt.id).await?
            }
            None => {
                if !launch_drawing(&tx, &state).await? {
                    return Ok(Committed::Overtaken);
                }
                let new = NewAttempt {
                    subject: Subject::Drawing(id),
                    n: 1,
                    provider: rental.name(),
                    claimant: Claimant::Own(&token),
                    start_step: 0,
                };
                attempts::open(&tx, new).await?
            }
        };
        intent
            .commit(tx, plan, attempt, token, self.store.deployment())
            .await
    }

    /// Ends sessions whose machine could not be ordered for so long that nobody waits for it any more.
    pub(super) async fn refuse_late_drawings(&self, rental: &Rental) -> Result<(), ReconcileError> {
        for session in drawing::open(&self.store, rental.name()).await? {
            if session.phase != DrawingPhase::Ordered || waited(rental, &session) < LONGEST_WAIT {
                continue;
            }
            let mut reason = format!(
                "no machine was ordered for it in {} minutes",
                LONGEST_WAIT.as_secs() / 60
            );
            if let Some(obstacle) = self.obstacle(rental).await? {
                reason = format!("{reason}: {obstacle}");
            }
            self.refuse_session(session.id, &reason).await?;
        }
        Ok(())
    }

    /// Ends sessions whose machine is gone, and those whose machine was being ordered by a server that has crashed.
    pub(super) async fn close_drawings(&self, rental: &Rental) -> Result<(), ReconcileError> {
        for session in drawing::open(&self.store, rental.name()).await? {
            let machines = spend::of_payer(&self.store, Payer::Drawing(session.id)).await?;
            // One that was not found is ended if it appears, and keeps part of its money until then.
            let is_over =
                |phase: InstancePhase| matches!(phase, InstancePhase::Gone | InstancePhase::Abandoned);
            if machines.iter().any(|machine| !is_over(machine.phase)) {
                continue;
            }
            let attempt = attempts::alive_of(&self.store, Subject::Drawing(session.id)).await?;
            match attempt {
                None if session.phase == DrawingPhase::Ending => {
                    let tx = self.store.begin().await?;
                    close_drawing(&tx, session.id).await?;
                    tx.commit().await?;
                }
                None => {}
                Some(attempt) => {
                    // Another server may be between two orders right now.
                    let newest = machines.last().map(|machine| machine.ordered_at);
                    let is_old = newest
                        .is_none_or(|at| rental.clock.now() - at >= time_delta(rental.times.unresolved));
                    if self.is_ours(&attempt) || is_old {
                        let reason = "the server ended while it was looking for a machine";
                        self.give_session_up(Some(attempt), reason.to_owned()).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// There is no machine, and there was no attempt to get one.
    async fn refuse_session(&self, id: DrawingSessionId, reason: &str) -> Result<(), ReconcileError> {
        let tx = self.store.begin().await?;
        refuse_drawing(&tx, id, reason).await?;
        tx.commit().await?;
        tracing::warn!(drawing_session.id = %id, reason, "no machine for pictures");
        Ok(())
    }

    /// There is no machine: the session ends with its attempt.
    async fn give_session_up(&self, attempt: Option<Attempt>, reason: String) -> Result<(), ReconcileError> {
        let Some(attempt) = attempt else { return Ok(()) };
        let tx = self.store.begin().await?;
        let attempt = attempts::get(&tx, attempt.id).await?;
        if attempt.phase != AttemptPhase::Gone {
            let end = AttemptEnd::new(Outcome::NeverStarted, reason);
            end_rented_attempt(self, &tx, &attempt, end).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// How long a session has waited for its machine: as this server has seen it or, since that may have been down, as is
/// written.
fn waited(rental: &Rental, session: &DrawingState) -> Duration {
    let (at, mark) = (rental.clock.instant(), (0, Some(session.asked_at)));
    let seen = rental.watches.unchanged_at(at, session.id.0, Aspect::Asked, mark);
    let written = (store::now() - session.asked_at).to_std().unwrap_or_default();
    seen.max(written)
}
