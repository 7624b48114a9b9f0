//! The pool: machines where somebody runs `morpheus agent`, and the jobs that fit them.

use std::collections::{HashMap, hash_map::Entry};

use protocol::{
    JobId, OwnerId, TokenId,
    agent::Assignment,
    machine::Machine,
    phase::Phase,
    recipe::Recipe,
    spend::{PoolMember, RentalWish},
};
use store::{
    StoreError, Tx,
    attempts::{self, Claimant, NewAttempt, Subject},
    datasets,
    jobs::{self, JobState, PhaseChange},
    pool, queue,
    tokens::{self, AgentCredential},
};

use super::{
    super::{
        BaseDemand, JobPlan,
        pricing::{Order, check_labels},
    },
    fit::{cannot_finish_early, ignores, may_ignore, out_of_step, unfit},
};
use crate::{
    Orchestrator, ServiceError, ServiceResult,
    lifecycle::{Input, next},
    time::time_delta,
};

/// The name that jobs choose the pool by.
pub(crate) const POOL: &str = "agent";

/// Claims are held for up to a minute; a machine that has not called for this many leases is away.
const LEASES_AWAY: u32 = 6;
const MOST_NAME: usize = 80;
/// Beginning of the reason of a job that no machine of the pool can take.
const NOBODY: &str = "no machine of the pool can train this";

/// What is recorded about the machine of an attempt.
#[derive(serde::Serialize, serde::Deserialize)]
struct OnMachine {
    pool_machine: uuid::Uuid,
    name: String,
}

impl Orchestrator {
    /// The first queued job that fits the machine.
    pub(super) async fn claim_of_pool(
        &self,
        agent: &AgentCredential,
        owner: OwnerId,
        token: TokenId,
        machine: &Machine,
    ) -> ServiceResult<Option<Assignment>> {
        check_machine(machine)?;
        let tx = self.store.begin().await?;
        check_token(&tx, token).await?;
        let seen = pool::note(&tx, owner, token, machine).await?;
        tokens::touch(&tx, token).await?;
        tx.commit().await?;
        if self.disk.is_short() {
            return Ok(None);
        }
        let mut others: Vec<JobId> = Vec::new();
        while let Some(id) = queue::next_job(&self.store, POOL, &others, store::now()).await? {
            let job = jobs::state(&self.store, id).await?;
            others.push(id);
            if job.owner != owner {
                continue;
            }
            let base = self.base_demand(&self.store, job.recipe.base_model()).await?;
            let wish = job.rental.clone().unwrap_or_default();
            if unfit(machine, &job.recipe, base, &wish).is_some() {
                continue;
            }
            if cannot_finish_early(Some(machine), job.wants_finish).is_some() {
                continue;
            }
            if may_ignore(Some(machine)) {
                let manifest = datasets::manifest(&self.store, job.dataset_version_id).await?;
                if ignores(Some(machine), &manifest).is_some() {
                    continue;
                }
            }
            let on = OnMachine {
                pool_machine: seen,
                name: machine.name.clone(),
            };
            if let Some(assignment) = self.take((agent, token), &job, &on).await? {
                return Ok(Some(assignment));
            }
        }
        Ok(None)
    }

    /// One transaction: the job leaves the queue, and its attempt belongs to the machine. `None` if another machine
    /// was faster.
    async fn take(
        &self,
        (agent, token): (&AgentCredential, TokenId),
        job: &JobState,
        on: &OnMachine,
    ) -> ServiceResult<Option<Assignment>> {
        let tx = self.store.begin().await?;
        check_token(&tx, token).await?;
        let launching = next(Phase::Queued, Input::Launch).expect("a queued job can be launched");
        match jobs::change_phase(&tx, job.id, PhaseChange::new(Phase::Queued, launching)).await {
            Ok(()) => {}
            Err(StoreError::Stale { .. }) => return Ok(None),
            Err(err) => return Err(err.into()),
        }
        let new = NewAttempt {
            subject: Subject::Job(job.id),
            n: jobs::state(&tx, job.id).await?.n_attempts + 1,
            provider: POOL,
            claimant: Claimant::Worker(agent),
            start_step: job.checkpoint_step.unwrap_or(0),
        };
        let attempt = attempts::open(&tx, new).await?;
        let row = serde_json::to_value(on).expect("a machine is plain data");
        attempts::launched(&tx, &attempt, row).await?;
        tracing::info!(job.id = %job.id, attempt.id = %attempt.id, machine = on.name, "taken by a machine of the pool");
        self.hand_out(tx, agent, attempt.id).await
    }

    /// The machines of the pool, for a person.
    pub(crate) async fn pool_members(&self, owner: OwnerId) -> ServiceResult<Vec<PoolMember>> {
        let mut working = Vec::new();
        for attempt in attempts::alive(&self.store).await? {
            if let (Subject::Job(job), Some(row)) = (attempt.subject, attempt.instance)
                && attempt.provider == POOL
                && let Ok(on) = serde_json::from_value::<OnMachine>(row)
            {
                working.push((on.pool_machine, job, attempt.lease_until));
            }
        }
        let now = store::now();
        let away = time_delta(self.pool_lease());
        let seen = pool::machines(&self.store, owner).await?;
        Ok(seen
            .into_iter()
            .map(|seen| {
                let work = working.iter().find(|(id, ..)| *id == seen.id);
                let has_lease = work.is_some_and(|(.., until)| until.is_some_and(|until| until >= now));
                PoolMember {
                    problem: out_of_step(Some(&seen.machine)),
                    is_online: has_lease || now - seen.at < away,
                    machine: seen.machine,
                    seen_at: if has_lease { now } else { seen.at },
                    job_id: work.map(|(_, job, _)| *job),
                }
            })
            .collect())
    }

    /// Refuses a job that no machine of the pool could train, or end early if it `finishes`.
    pub(in crate::services) async fn check_pool(
        &self,
        owner: OwnerId,
        order: &Order<'_>,
        plan: &JobPlan,
        finishes: bool,
    ) -> ServiceResult<()> {
        if order.provider != POOL {
            return Ok(());
        }
        let members = self.pool_members(owner).await?;
        if members.is_empty() {
            return Err(ServiceError::field(
                "provider",
                "the pool has no machine yet: create a token for machines in the settings, and run `morpheus agent \
                 --server … --token …` on one",
            ));
        }
        let base = BaseDemand {
            class: plan.class,
            is_spoken_of: plan.is_base_spoken_of,
        };
        match nobody_fits(&members, &plan.recipe, base, order.rental, finishes) {
            None => Ok(()),
            Some(reason) => Err(ServiceError::field("provider", reason)),
        }
    }

    /// Tells the queued jobs of the pool which machine lacks what, when none can take them.
    pub(crate) async fn tell_jobs_of_the_pool(&self) -> ServiceResult<()> {
        let mut members: HashMap<OwnerId, Vec<PoolMember>> = HashMap::new();
        for job in jobs::open(&self.store).await? {
            if job.phase != Phase::Queued || job.provider != POOL {
                continue;
            }
            let members = match members.entry(job.owner) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.pool_members(job.owner).await?),
            };
            let base = self.base_demand(&self.store, job.recipe.base_model()).await?;
            let wish = job.rental.clone().unwrap_or_default();
            let reason = nobody_fits(members, &job.recipe, base, &wish, job.wants_finish);
            let is_told = job.reason.as_deref().is_some_and(|told| told.starts_with(NOBODY));
            if reason != job.reason && (reason.is_some() || is_told) {
                let tx = self.store.begin().await?;
                jobs::explain(&tx, job.id, reason.as_deref()).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// Machines of the pool are far away, and their agents go on when a server restarts.
    pub(crate) fn pool_lease(&self) -> std::time::Duration {
        self.options.lease * LEASES_AWAY
    }
}

/// Why no machine of the pool can train this, and end early if it `finishes`: each machine with what it lacks. `None` if
/// one can.
fn nobody_fits(
    members: &[PoolMember],
    recipe: &Recipe,
    base: BaseDemand,
    wish: &RentalWish,
    finishes: bool,
) -> Option<String> {
    let mut reasons = Vec::with_capacity(members.len());
    for PoolMember { machine, .. } in members {
        let lack =
            unfit(machine, recipe, base, wish).or_else(|| cannot_finish_early(Some(machine), finishes))?;
        reasons.push(format!("`{}` {lack}", machine.name));
    }
    if reasons.is_empty() {
        reasons.push("there is none".to_owned());
    }
    Some(format!("{NOBODY}: {}", reasons.join("; ")))
}

fn check_machine(machine: &Machine) -> ServiceResult<()> {
    if !(1..=MOST_NAME).contains(&machine.name.trim().chars().count()) {
        return Err(ServiceError::field(
            "machine.name",
            format!("must have from 1 to {MOST_NAME} characters"),
        ));
    }
    check_labels("machine.labels", &machine.labels)
}

/// Claims are held for up to a minute; the token may be deleted meanwhile.
async fn check_token(tx: &Tx, token: TokenId) -> ServiceResult<()> {
    if tokens::is_valid(tx, token).await? {
        Ok(())
    } else {
        Err(ServiceError::TokenEnded)
    }
}
