//! From a queued job to a rented machine: attempt and reservation are committed, then the machine is ordered.

use std::{collections::BTreeMap, time::Duration};

use protocol::{
    JobId,
    notice::NoticeKind,
    phase::{AttemptPhase, Outcome, Phase},
    problem::chain,
    spend::{Budget, BudgetScope, InstancePhase, RentalWish, Spread, env},
};
use rental::{NextStep, Offer, Order};
use store::{
    StoreError,
    attempts::{self, Attempt, Claimant, NewAttempt, Subject},
    jobs::{self, JobState, PhaseChange},
    outbox, queue, settings,
    spend::{self, Change, Instance, Payer},
    tokens::NewToken,
};

use super::{
    Adopted, TOO_DEAR,
    intent::{Committed, Intent},
};
use crate::{
    Orchestrator,
    lifecycle::{Input, next},
    reconcile::ReconcileError,
    rentals::{Rental, estimate},
    services::{AttemptEnd, apply, end_rented_attempt, what_for},
    time::time_delta,
};

/// Maximum number of orders for a job in one pass, after which it waits a while, and for a drawing session.
pub(super) const MOST_ORDERS: usize = 12;
/// A job that found no machine, or no money, waits this long before it is looked at again.
const PAUSE: Duration = Duration::from_secs(60);
/// Factor by which forecasts are raised to set a deadline.
const ROOM_PERCENT: u32 = 130;

/// The result of an order.
pub(super) enum Ordered {
    /// There is a machine, or there may be one.
    Yes,
    /// The next offer, for this reason.
    Next(String),
    /// Nothing more in this pass; the job waits.
    Wait(Duration, String),
    /// The job cannot be launched as it is.
    Fail(String),
    /// No job is launched any more.
    Halt(String),
}

impl Orchestrator {
    /// Orders machines for queued jobs, as many as may live at the same time.
    pub(super) async fn fill_rental(&self, rental: &Rental) -> Result<(), ReconcileError> {
        let mut seen = Vec::new();
        loop {
            if self.obstacle(rental).await?.is_some() {
                return Ok(());
            }
            // Somebody waits in front of the page for it.
            if self.launch_next_drawing(rental).await? {
                continue;
            }
            let Some(id) = queue::next_job(&self.store, rental.name(), &seen, store::now()).await? else {
                return Ok(());
            };
            // Each once in a pass, whatever comes of it.
            seen.push(id);
            let job = jobs::state(&self.store, id).await?;
            self.launch_rented(rental, &job).await?;
        }
    }

    /// Why no machine is ordered now, for a person.
    pub(super) async fn obstacle(&self, rental: &Rental) -> Result<Option<String>, ReconcileError> {
        // What they bring may have to be kept here.
        if self.disk.is_short() {
            return Ok(Some("the server's disk is nearly full".to_owned()));
        }
        if let Some(reason) = settings::halted(&self.store, rental.name()).await? {
            let provider = rental.name();
            return Ok(Some(format!(
                "renting at `{provider}` is paused until it is resumed: {reason}"
            )));
        }
        let alive = spend::alive(&self.store, rental.name()).await?;
        // Machines that were not found take no other machine's place.
        let n_alive = alive
            .iter()
            .filter(|instance| instance.phase != InstancePhase::Abandoned)
            .count();
        let is_full = n_alive >= self.max_rented(rental);
        Ok(is_full.then(|| "as many machines as may be rented at a time are in use".to_owned()))
    }

    pub(crate) fn max_rented(&self, rental: &Rental) -> usize {
        let limit = self.options.max_running.get(rental.name());
        limit.copied().unwrap_or_else(|| rental.landlord.capacity())
    }

    /// Asks for one machine after the other until there is one. The job leaves the queue, or is put off.
    async fn launch_rented(&self, rental: &Rental, job: &JobState) -> Result<(), ReconcileError> {
        let wish = job.rental.clone().unwrap_or_default();
        let class = self.class(&job.recipe).await?;
        let memory_gb = estimate::memory_gb(&job.recipe, class);
        let offers = match rental.landlord.offers(&wish, memory_gb).await {
            Ok(offers) => offers,
            Err(err) => {
                let reason = format!("{} could not say what it offers: {}", rental.title(), chain(&err));
                return self.put_off(job.id, &reason, PAUSE).await;
            }
        };
        if offers.is_empty() {
            let reason = no_offer(&wish, memory_gb);
            return self.put_off(job.id, &reason, PAUSE).await;
        }
        let times = self.step_times(job.owner, &job.recipe).await?;
        let mut attempt: Option<Attempt> = None;
        let mut short: Option<Budget> = None;
        let mut refusals: Vec<String> = Vec::new();
        for offer in offers.iter().take(MOST_ORDERS) {
            let step = times.on(&offer.gpu);
            let step = step.unwrap_or_else(|| estimate::step_seconds(&offer.gpu, &job.recipe, class));
            let run = wanted_run(job, step);
            let committed = self
                .commit_intent(rental, job.id, attempt.as_ref(), offer, run)
                .await?;
            let (instance, intent, token) = match committed {
                Committed::Yes(instance, intent, token) => (instance, intent, token),
                Committed::Short(budget) => {
                    short = Some(budget);
                    continue;
                }
                // Another server has it, or its owner has asked for something else.
                Committed::Overtaken => return Ok(()),
            };
            attempt = Some(*intent);
            match self.order(rental, &instance, offer, token).await? {
                Ordered::Yes => return Ok(()),
                Ordered::Next(reason) => refusals.push(format!("{}: {reason}", offer.gpu_name)),
                Ordered::Wait(pause, reason) => return self.withdraw(attempt, pause, reason).await,
                Ordered::Fail(reason) => return self.fail(attempt, reason).await,
                Ordered::Halt(reason) => {
                    self.halt(rental, &reason).await?;
                    return self.withdraw(attempt, PAUSE, reason).await;
                }
            }
        }
        match (attempt, short) {
            (attempt @ Some(_), _) => {
                let reason = format!("no machine is free ({}); trying again", refusals.join("; "));
                self.withdraw(attempt, PAUSE, reason).await
            }
            (None, Some(budget)) => self.out_of_money(rental, job, &offers, &budget).await,
            (None, None) => Ok(()),
        }
    }

    /// One transaction: the job leaves the queue, its attempt is opened, the worst case is set aside, and the machine
    /// has a row with its name.
    async fn commit_intent(
        &self,
        rental: &Rental,
        job: JobId,
        attempt: Option<&Attempt>,
        offer: &Offer,
        run: Duration,
    ) -> Result<Committed, ReconcileError> {
        let token = NewToken::random();
        let tx = self.store.begin().await?;
        if let Some(attempt) = attempt {
            // Locked before its job; ended meanwhile by its owner's wish.
            if attempts::get(&tx, attempt.id).await?.phase == AttemptPhase::Gone {
                return Ok(Committed::Overtaken);
            }
        }
        let state = jobs::state(&tx, job).await?;
        let expected = if attempt.is_some() {
            Phase::Launching
        } else {
            Phase::Queued
        };
        if state.phase != expected {
            return Ok(match attempt {
                // Stopped or cancelled while it was looking for a machine: the attempt is withdrawn.
                Some(attempt) => {
                    let end = AttemptEnd::new(Outcome::Cancelled, None);
                    end_rented_attempt(self, &tx, attempt, end).await?;
                    tx.commit().await?;
                    Committed::Overtaken
                }
                None => Committed::Overtaken,
            });
        }
        let intent = Intent {
            rental,
            offer,
            payer: Payer::Job(job),
            owner: state.owner,
            project: state.project.clone(),
            now: rental.clock.now(),
        };
        let plan = match intent.plan(&tx, run).await? {
            Ok(plan) => plan,
            Err(obstacle) => return Ok(obstacle),
        };
        let attempt = match attempt {
            Some(attempt) => {
                attempts::replace_token(&tx, attempt, &token).await?;
                attempts::get(&tx, attempt.id).await?
            }
            None => {
                let launching = next(Phase::Queued, Input::Launch).expect("a queued job can be launched");
                match jobs::change_phase(&tx, job, PhaseChange::new(Phase::Queued, launching)).await {
                    Ok(()) => {}
                    Err(StoreError::Stale { .. }) => return Ok(Committed::Overtaken),
                    Err(err) => return Err(err.into()),
                }
                let new = NewAttempt {
                    subject: Subject::Job(job),
                    n: state.n_attempts + 1,
                    provider: rental.name(),
                    claimant: Claimant::Own(&token),
                    start_step: state.checkpoint_step.unwrap_or(0),
                };
                attempts::open(&tx, new).await?
            }
        };
        intent
            .commit(tx, plan, attempt, token, self.store.deployment())
            .await
    }

    /// Orders the machine, once, and records the result.
    pub(super) async fn order(
        &self,
        rental: &Rental,
        instance: &Instance,
        offer: &Offer,
        token: String,
    ) -> Result<Ordered, ReconcileError> {
        let mut env = agent_env(rental, instance, token);
        env.extend(self.mailbox_env(rental, instance));
        let order = Order {
            name: &instance.name,
            offer,
            env,
        };
        let err = match rental.landlord.order(&order).await {
            Ok(machine) => {
                crate::failpoint::reached("machine ordered");
                let adopted = self.adopt(rental, instance, &machine).await?;
                crate::failpoint::reached("machine adopted");
                return Ok(match adopted {
                    Adopted::TooDear => Ordered::Next(TOO_DEAR.to_owned()),
                    Adopted::Wanted | Adopted::Unwanted => Ordered::Yes,
                });
            }
            Err(err) => err,
        };
        let reason = chain(&err);
        tracing::warn!(payer = ?instance.payer, name = instance.name, error = reason, "no machine");
        let step = err.next_step();
        let now = rental.clock.now();
        let tx = self.store.begin().await?;
        let to = match step {
            NextStep::Resolve => InstancePhase::Unknown,
            _ => InstancePhase::Gone,
        };
        if to == InstancePhase::Gone {
            spend::release(&tx, instance, protocol::MicroUsd::ZERO, now).await?;
        }
        let change = Change {
            to,
            reason: Some(reason.clone()),
            at: now,
        };
        spend::change(&tx, instance, change).await?;
        tx.commit().await?;
        crate::failpoint::reached("refusal noted");
        Ok(match step {
            NextStep::Resolve => Ordered::Yes,
            NextStep::NextCandidate => Ordered::Next(reason),
            NextStep::Wait(pause) => Ordered::Wait(pause, reason),
            NextStep::Fail => Ordered::Fail(reason),
            NextStep::StopAccount => Ordered::Halt(reason),
        })
    }

    /// Attempts without a machine to wait for: the server that was ordering the next one has crashed.
    pub(super) async fn withdraw_orphans(&self, rental: &Rental) -> Result<(), ReconcileError> {
        for attempt in self.attempts_of(rental.name()).await? {
            let machines = spend::of_attempt(&self.store, attempt.id).await?;
            let is_waiting = machines
                .iter()
                .any(|machine| machine.phase != InstancePhase::Gone);
            let newest = machines.last().map(|machine| machine.ordered_at);
            // Another server may be between two orders right now.
            let is_old =
                newest.is_none_or(|at| rental.clock.now() - at >= time_delta(rental.times.unresolved));
            if !is_waiting && (self.is_ours(&attempt) || is_old) {
                let reason = "the server ended while it was looking for a machine";
                self.withdraw(Some(attempt), Duration::ZERO, reason.to_owned())
                    .await?;
            }
        }
        Ok(())
    }

    /// There is no machine: the job goes back to the queue, and the attempt does not count against it.
    async fn withdraw(
        &self,
        attempt: Option<Attempt>,
        pause: Duration,
        reason: String,
    ) -> Result<(), ReconcileError> {
        let Some(attempt) = attempt else { return Ok(()) };
        let tx = self.store.begin().await?;
        let attempt = attempts::get(&tx, attempt.id).await?;
        if attempt.phase != AttemptPhase::Gone {
            let end = AttemptEnd::again(Outcome::NeverStarted, reason, pause);
            end_rented_attempt(self, &tx, &attempt, end).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn fail(&self, attempt: Option<Attempt>, reason: String) -> Result<(), ReconcileError> {
        let Some(attempt) = attempt else { return Ok(()) };
        let tx = self.store.begin().await?;
        let attempt = attempts::get(&tx, attempt.id).await?;
        if attempt.phase != AttemptPhase::Gone {
            end_rented_attempt(self, &tx, &attempt, AttemptEnd::new(Outcome::Failed, reason)).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn put_off(&self, job: JobId, reason: &str, pause: Duration) -> Result<(), ReconcileError> {
        let tx = self.store.begin().await?;
        jobs::put_off(&tx, job, reason, store::now() + time_delta(pause)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// If its own limit is used up, the job ends; for the other budgets it waits until there is money again.
    async fn out_of_money(
        &self,
        rental: &Rental,
        job: &JobState,
        offers: &[Offer],
        budget: &Budget,
    ) -> Result<(), ReconcileError> {
        let least = offers
            .iter()
            .map(|offer| rental.times.least(offer.rate_cap))
            .min();
        let least = least.unwrap_or_default();
        let limit = budget.limit_micro_usd.unwrap_or_default();
        let left = budget.left().unwrap_or_default().max(protocol::MicroUsd::ZERO);
        if budget.scope != BudgetScope::Job {
            let reason = format!(
                "waits for money: {left} of the {limit} of {} is free, and a machine needs {least} to start with",
                what_for(budget)
            );
            let tx = self.store.begin().await?;
            jobs::put_off(&tx, job.id, &reason, store::now() + time_delta(PAUSE)).await?;
            outbox::tell_of_queued_job(&tx, job.id, NoticeKind::JobWaitsForMoney).await?;
            tx.commit().await?;
            return Ok(());
        }
        if budget.reserved_micro_usd > protocol::MicroUsd::ZERO {
            let reason = format!(
                "waits until {} is free again that is set aside for a machine whose end is not confirmed",
                budget.reserved_micro_usd
            );
            return self.put_off(job.id, &reason, Duration::ZERO).await;
        }
        let tx = self.store.begin().await?;
        let state = jobs::state(&tx, job.id).await?;
        let spent = budget.spent_micro_usd;
        let reason = format!(
            "its limit of {limit} is reached: {spent} is spent, and another machine needs {least} to start with. Resume it \
             with a limit of at least {}",
            spent + least
        );
        apply(&tx, &state, Input::OutOfMoney, Some(reason)).await?;
        outbox::tell_of_job(&tx, job.id, NoticeKind::JobLimitReached).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Starts a halt: nothing is ordered any more until a person has checked the account.
    pub(super) async fn halt(&self, rental: &Rental, reason: &str) -> Result<(), ReconcileError> {
        tracing::error!(
            provider = rental.name(),
            reason,
            "no machines are ordered any more"
        );
        settings::halt(&self.store, rental.name(), Some(reason)).await?;
        Ok(())
    }
}

/// How long the work that is left will take, with room.
fn wanted_run(job: &JobState, step: Spread<f64>) -> Duration {
    let n_steps = job.recipe.parameters().n_steps;
    let n_left = match (job.wants_finish, job.checkpoint_step) {
        (true, Some(_)) => 0,
        (_, done) => n_steps.saturating_sub(done.unwrap_or(0)),
    };
    let seconds = estimate::job_seconds(step, n_left).high;
    let run = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4);
    // Beyond a year it is money that decides.
    let run = run.min(Duration::from_secs(365 * 24 * 3600));
    run * ROOM_PERCENT / 100
}

pub(super) fn no_offer(wish: &RentalWish, memory_gb: u32) -> String {
    let gpus = if wish.gpus.is_empty() {
        "any GPU".to_owned()
    } else {
        wish.gpus.join(", ")
    };
    format!(
        "no machine on offer fits: {gpus}, at least {memory_gb} GB each, within the wanted price and places"
    )
}

/// The environment of the agent on the machine; everybody who may list machines can read it.
fn agent_env(rental: &Rental, instance: &Instance, token: String) -> BTreeMap<String, String> {
    let times = &rental.times;
    let mut told = rental.landlord.agent_env();
    let mut tell = |name: &str, value: String| told.insert(name.to_owned(), value);
    tell("MORPHEUS_SERVER", rental.server_url.clone());
    tell("MORPHEUS_TOKEN", token);
    if let Payer::Drawing(_) = instance.payer {
        tell(env::GENERATE, true.to_string());
    }
    // The server's own agents get it as well.
    if let Ok(share) = std::env::var(env::JUDGE_SHARE) {
        tell(env::JUDGE_SHARE, share);
    }
    tell(env::DEADLINE, instance.deadline_at.timestamp().to_string());
    tell(env::BOOT_GRACE, times.boot_grace.as_secs().to_string());
    tell(env::STOP, times.stop.as_secs().to_string());
    tell(env::RATE, instance.rate_cap.0.to_string());
    let kept = crate::rentals::cost(instance.rate_cap, time_delta(times.kill));
    tell(env::BUDGET, (instance.reserved - kept).0.to_string());
    if rental.time_scale != 1 {
        tell(env::TIME_SCALE, rental.time_scale.to_string());
    }
    told
}
