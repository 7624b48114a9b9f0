//! Drawing sessions: as their owner asks for them, and how each ends.

use std::time::Duration;

use protocol::{
    AttemptId, DrawingSessionId, OwnerId,
    audit::AuditAction,
    drawing::{
        CreateDrawingSession, DrawingOffer, DrawingPhase, DrawingPrices, DrawingSession, PriceDrawingSession,
    },
    phase::{AttemptPhase, Outcome},
};
use store::{
    Read, StoreError, Tx,
    attempts::{self, Attempt, Subject},
    audit,
    drawing::{self, DrawingState, PhaseChange, Use},
    generations,
    spend::{self, Payer, Scopes},
};

use super::{
    AttemptEnd, end_job_attempt,
    pricing::{check_left, check_rental},
    reports,
};
use crate::{
    Orchestrator, ServiceError, ServiceResult,
    lifecycle::drawing::{Input, next},
    rentals::{Rental, estimate, time_left},
    time::time_delta,
    watches::Aspect,
};

/// The reason of a session that its owner ended.
const BY_ITS_OWNER: &str = "its owner ended it";
/// The reason of a session that nobody has used for as long as it waits.
pub(crate) const SILENCE: &str = "no picture was asked for or drawn in the time that it waits for one";

impl Orchestrator {
    /// What a machine for pictures would cost.
    pub async fn price_drawing_session(
        &self,
        owner: OwnerId,
        request: &PriceDrawingSession,
    ) -> ServiceResult<DrawingPrices> {
        check_rental(&request.rental)?;
        let rental = self.landlord(&request.provider)?;
        self.drawing_prices(owner, rental, request).await
    }

    /// Asks for a machine that draws pictures. It is ordered by the reconciler, under the limit.
    pub async fn create_drawing_session(
        &self,
        owner: OwnerId,
        request: CreateDrawingSession,
    ) -> ServiceResult<DrawingSession> {
        request.validate()?;
        check_rental(&request.rental)?;
        let rental = self.landlord(&request.provider)?;
        self.check_not_halted(rental).await?;
        let wanted = PriceDrawingSession {
            provider: request.provider.clone(),
            rental: request.rental.clone(),
        };
        let prices = self.drawing_prices(owner, rental, &wanted).await?;
        let Some(least) = prices.least_limit_micro_usd else {
            return Err(ServiceError::field(
                "rental",
                format!(
                    "no machine on offer fits: allow more GPUs with at least {} GB, places or prices",
                    estimate::DRAWING_MEMORY_GB
                ),
            ));
        };
        if request.limit_micro_usd < least {
            return Err(ServiceError::field(
                "limit_micro_usd",
                format!(
                    "must be at least {least}, the minimum for the cheapest machine that fits; {} is not enough",
                    request.limit_micro_usd
                ),
            ));
        }
        check_left(&prices.budgets, least)?;
        let tx = self.store.begin().await?;
        let id = drawing::create(&tx, owner, &request).await?;
        let detail = format!("{}, at most {}", request.provider, request.limit_micro_usd);
        audit::record(
            &tx,
            AuditAction::DrawingMade,
            &audit::named(request.name.trim(), id),
            &detail,
        )
        .await?;
        let session = drawing::get(&tx, owner, id).await?;
        let session = tx.commit_with(session).await?;
        tracing::info!(drawing_session.id = %id, limit = %request.limit_micro_usd, "drawing session asked for");
        Ok(session)
    }

    /// Ends a session; its machine is terminated. One that has ended stays as it is.
    pub async fn end_drawing_session(
        &self,
        owner: OwnerId,
        id: DrawingSessionId,
    ) -> ServiceResult<DrawingSession> {
        let tx = self.store.begin().await?;
        // An attempt is locked before what it is a try of.
        if let Some(attempt) = attempts::alive_of(&tx, Subject::Drawing(id)).await? {
            attempts::get(&tx, attempt.id).await?;
        }
        let session = drawing::get(&tx, owner, id).await?;
        if !session.phase.is_open() {
            return Ok(session);
        }
        match attempts::alive_of(&tx, Subject::Drawing(id)).await? {
            Some(attempt) => {
                let end = AttemptEnd::new(Outcome::Stopped, BY_ITS_OWNER.to_owned());
                end_drawing_attempt(&tx, &attempt, end).await?;
            }
            None => refuse_drawing(&tx, id, BY_ITS_OWNER).await?,
        }
        audit::record(
            &tx,
            AuditAction::DrawingEnded,
            &audit::named(&session.name, id),
            "",
        )
        .await?;
        tx.commit().await?;
        Ok(drawing::get(&self.store, owner, id).await?)
    }

    /// An owner's sessions, the newest first: at most `limit` that are older than `after`.
    pub async fn drawing_sessions(
        &self,
        owner: OwnerId,
        after: Option<DrawingSessionId>,
        limit: u64,
    ) -> ServiceResult<Vec<DrawingSession>> {
        let mut sessions = drawing::list(&self.store, owner, after, limit).await?;
        for session in &mut sessions {
            self.tell_time_left(session).await?;
        }
        Ok(sessions)
    }

    /// One session.
    pub async fn drawing_session(
        &self,
        owner: OwnerId,
        id: DrawingSessionId,
    ) -> ServiceResult<DrawingSession> {
        let mut session = drawing::get(&self.store, owner, id).await?;
        self.tell_time_left(&mut session).await?;
        Ok(session)
    }

    /// As the reconciler measures it.
    async fn tell_time_left(&self, session: &mut DrawingSession) -> ServiceResult<()> {
        let Some(rental) = self.rental(&session.provider) else {
            return Ok(());
        };
        if session.phase != DrawingPhase::Ready {
            return Ok(());
        }
        let machines = spend::of_payer(&self.store, Payer::Drawing(session.id)).await?;
        let Some(machine) = machines.last() else {
            return Ok(());
        };
        let left = time_left(&rental.times, machine, rental.clock.now()) - time_delta(rental.times.stop);
        let seconds = |seconds: u64| u32::try_from(seconds).unwrap_or(u32::MAX);
        session.seconds_to_limit = Some(seconds(left.to_std().unwrap_or_default().as_secs()));
        let used = drawing::newest_use(&self.store, session.id).await?;
        if used.n_running == 0 {
            let silent_for = silent_for(rental, machine.attempt, used);
            let left = longest_silence(session.idle_minutes).saturating_sub(silent_for);
            session.seconds_to_silence = Some(seconds(left.as_secs()));
        }
        Ok(())
    }

    fn landlord(&self, provider: &str) -> ServiceResult<&Rental> {
        self.rental(provider).ok_or_else(|| {
            let known: Vec<&str> = self.rentals.iter().map(Rental::name).collect();
            let hint = if known.is_empty() {
                "no provider of rented machines is set up on this server".to_owned()
            } else {
                format!("must be one that rents machines out: {}", known.join(", "))
            };
            ServiceError::field("provider", hint)
        })
    }

    async fn drawing_prices(
        &self,
        owner: OwnerId,
        rental: &Rental,
        request: &PriceDrawingSession,
    ) -> ServiceResult<DrawingPrices> {
        let mut offers = Vec::new();
        for offer in self.kinds(rental, &request.rental).await? {
            if offer.memory_gb < estimate::DRAWING_MEMORY_GB {
                continue;
            }
            offers.push(DrawingOffer {
                least_limit_micro_usd: rental.times.least(offer.rate_cap),
                gpu: offer.gpu,
                gpu_name: offer.gpu_name,
                n_gpus: offer.n_gpus,
                memory_gb: offer.memory_gb,
                cloud: offer.cloud,
                is_in_stock: offer.is_in_stock,
                rate_micro_usd: offer.rate,
            });
        }
        let scopes = Scopes {
            owner,
            project: None,
            month: spend::month_of(rental.clock.now()),
        };
        Ok(DrawingPrices {
            least_limit_micro_usd: offers.iter().map(|offer| offer.least_limit_micro_usd).min(),
            offers,
            budgets: spend::budgets_for(&self.store, &scopes).await?,
        })
    }
}

/// Moves a session by an input; nothing happens for one that cannot come in its phase.
async fn apply(tx: &Tx, state: &DrawingState, input: Input, reason: Option<String>) -> ServiceResult<()> {
    let Some(to) = next(state.phase, input) else {
        return Ok(());
    };
    if to == state.phase {
        return Ok(());
    }
    let change = PhaseChange {
        from: state.phase,
        to,
        reason,
    };
    drawing::change_phase(tx, state.id, change).await?;
    tracing::info!(drawing_session.id = %state.id, phase = to.as_str(), "drawing session");
    Ok(())
}

/// The intent to order its machine is committed in this transaction; false if somebody else has moved the session.
pub(crate) async fn launch_drawing(tx: &Tx, state: &DrawingState) -> ServiceResult<bool> {
    if state.phase != DrawingPhase::Ordered {
        return Ok(false);
    }
    match apply(tx, state, Input::Launch, None).await {
        Ok(()) => Ok(true),
        // Somebody else has moved it.
        Err(ServiceError::Conflict(_)) => Ok(false),
        Err(err) => Err(err),
    }
}

/// Its agent has called.
pub(super) async fn claimed_drawing(tx: &Tx, id: DrawingSessionId) -> ServiceResult<()> {
    let state = drawing::state(tx, id).await?;
    apply(tx, &state, Input::Claimed, None).await
}

/// Ends a session that has no attempt: no machine can be ordered for it, or its owner does not want one any more.
pub(crate) async fn refuse_drawing(tx: &Tx, id: DrawingSessionId, reason: &str) -> ServiceResult<()> {
    let state = drawing::state(tx, id).await?;
    if state.phase != DrawingPhase::Ordered {
        // Another server has a machine for it, or it is over.
        return Ok(());
    }
    apply(tx, &state, Input::Refused, Some(reason.to_owned())).await?;
    fail_pictures(tx, id, reason).await
}

/// No machine of a session is known to run any more.
pub(crate) async fn close_drawing(tx: &Tx, id: DrawingSessionId) -> ServiceResult<()> {
    let state = drawing::state(tx, id).await?;
    apply(tx, &state, Input::MachineGone, None).await
}

/// Ends the attempt of a session, and with it the session and its pictures that are not drawn yet.
pub(crate) async fn end_drawing_attempt(tx: &Tx, attempt: &Attempt, end: AttemptEnd) -> ServiceResult<()> {
    let Subject::Drawing(id) = attempt.subject else {
        return Err(ServiceError::Conflict(
            "this attempt does not belong to a drawing session".to_owned(),
        ));
    };
    let reason = reports::reason(end.detail.clone());
    let state = drawing::state(tx, id).await?;
    for drawn in attempts::alive_of_agent(tx, attempt).await? {
        if matches!(drawn.subject, Subject::Generation(_)) {
            attempts::end(tx, &drawn, Outcome::Lost, Some(reason.clone())).await?;
        }
    }
    if attempt.phase != AttemptPhase::Gone {
        attempts::end(tx, attempt, end.outcome, end.detail).await?;
    }
    apply(tx, &state, Input::AttemptEnded, Some(reason.clone())).await?;
    fail_pictures(tx, id, &reason).await
}

/// Ends the attempt that a rented machine was ordered for.
pub(crate) async fn end_rented_attempt(
    orchestrator: &Orchestrator,
    tx: &Tx,
    attempt: &Attempt,
    end: AttemptEnd,
) -> ServiceResult<()> {
    match attempt.subject {
        Subject::Drawing(_) => end_drawing_attempt(tx, attempt, end).await,
        Subject::Job(_) | Subject::Generation(_) | Subject::Edit(_) => {
            end_job_attempt(orchestrator, tx, attempt, end).await.map(drop)
        }
    }
}

async fn fail_pictures(tx: &Tx, id: DrawingSessionId, reason: &str) -> ServiceResult<()> {
    for generation in generations::open_of(tx, id).await? {
        let error = format!("the drawing session has ended: {reason}");
        generations::abandon(tx, generation.id, &error).await?;
    }
    Ok(())
}

/// How long a session has not been used, at the provider's pace; `attempt` is its own.
pub(crate) fn silent_for(rental: &Rental, attempt: AttemptId, used: Use) -> Duration {
    // Changes whenever a picture is asked for, handed out, given back, or ended.
    let mark = (i64::from(used.n_open) + i64::from(used.n_running), used.at);
    let at = rental.clock.instant();
    rental.watches.unchanged_at(at, attempt.0, Aspect::Use, mark)
}

/// Whether a session ends because it was not used for this long. A picture that is being drawn is a use. One that waits is
/// not: while the server's disk is nearly full, no picture is handed out, however long that takes.
pub(crate) fn is_silent(state: &DrawingState, used: Use, silent_for: Duration) -> bool {
    let is_unused = used.n_running == 0 && silent_for >= longest_silence(state.idle_minutes);
    state.phase == DrawingPhase::Ready && is_unused
}

fn longest_silence(idle_minutes: u32) -> Duration {
    Duration::from_secs(60 * u64::from(idle_minutes))
}

/// Refuses a picture for a session that cannot draw it. In a transaction, the session stays as it is until that ends.
pub(super) async fn check_session(
    db: &impl Read,
    owner: OwnerId,
    id: DrawingSessionId,
) -> ServiceResult<DrawingState> {
    const FIELD: &str = "drawing_session_id";
    let refused = |message: String| Err(ServiceError::field(FIELD, message));
    let state = match drawing::state(db, id).await {
        Ok(state) if state.owner == owner => state,
        Ok(_) | Err(StoreError::NotFound { .. }) => {
            return refused("is not one of your drawing sessions".to_owned());
        }
        Err(err) => return Err(err.into()),
    };
    if !state.phase.is_open() {
        return refused(format!(
            "`{}` is over: choose another, or rent a machine",
            state.name
        ));
    }
    Ok(state)
}

#[cfg(test)]
mod tests;
