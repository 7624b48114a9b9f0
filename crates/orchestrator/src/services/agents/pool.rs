//! The pool: machines where somebody runs `morpheus agent`, and the jobs that fit them.

use protocol::{
    JobId, OwnerId, TokenId,
    agent::{Assignment, Machine},
    job::CreateJob,
    phase::Phase,
    preset::BaseClass,
    recipe::{self, Recipe},
    spend::{PoolMember, RentalWish},
};
use store::{
    StoreError, Tx,
    attempts::{self, Claimant, NewAttempt, Subject},
    jobs::{self, JobState, PhaseChange},
    pool, queue,
    tokens::{self, AgentCredential},
};

use super::super::{JobPlan, check_labels};
use crate::{
    Orchestrator, ServiceError, ServiceResult,
    lifecycle::{Input, next},
    orchestrator::time_delta,
    rentals::estimate,
};

/// The name that jobs choose the pool by.
pub(crate) const POOL: &str = "agent";

/// Claims are held for up to a minute; a machine that has not called for this many leases is away.
const LEASES_AWAY: u32 = 6;
const MOST_NAME: usize = 80;

/// What the pool writes down of an attempt's machine.
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
            let class = self.class(&job.recipe).await?;
            let wish = job.rental.clone().unwrap_or_default();
            if unfit(machine, &job.recipe, class, &wish).is_some() {
                continue;
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

    /// One transaction: the job leaves the queue, and its attempt belongs to the machine. `None` when another one was
    /// quicker.
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
                    is_online: has_lease || now - seen.at < away,
                    machine: seen.machine,
                    seen_at: if has_lease { now } else { seen.at },
                    job_id: work.map(|(_, job, _)| *job),
                }
            })
            .collect())
    }

    /// Refuses a job that no machine of the pool could train.
    pub(crate) async fn check_pool(
        &self,
        owner: OwnerId,
        request: &CreateJob,
        plan: &JobPlan,
    ) -> ServiceResult<()> {
        if request.provider != POOL {
            return Ok(());
        }
        let members = self.pool_members(owner).await?;
        if members.is_empty() {
            return Err(ServiceError::field(
                "provider",
                "the pool has no machine yet: make a token for machines in the settings, and run `morpheus agent \
                 --server … --token …` on one",
            ));
        }
        let mut reasons = Vec::new();
        for member in members {
            match unfit(&member.machine, &plan.recipe, plan.class, &request.rental) {
                None => return Ok(()),
                Some(reason) => reasons.push(format!("`{}` {reason}", member.machine.name)),
            }
        }
        Err(ServiceError::field(
            "provider",
            format!("no machine of the pool can train this: {}", reasons.join("; ")),
        ))
    }

    /// Machines of the pool are far away, and their agents go on when a server restarts.
    pub(crate) fn pool_lease(&self) -> std::time::Duration {
        self.options.lease * LEASES_AWAY
    }
}

/// Why a machine cannot train this; it goes behind the machine's name.
fn unfit(machine: &Machine, recipe: &Recipe, class: BaseClass, wish: &RentalWish) -> Option<String> {
    if !machine.engines.contains(&recipe.engine) {
        return Some(match recipe.engine {
            recipe::Engine::Kohya => {
                "has no sd-scripts (--kohya-dir and --kohya-python of `morpheus agent`)".to_owned()
            }
            recipe::Engine::Native => "does not have the native engine".to_owned(),
        });
    }
    let missing: Vec<&str> = wish
        .labels
        .iter()
        .filter(|label| !machine.labels.contains(label))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        return Some(format!("is not labeled {}", missing.join(", ")));
    }
    let needed = estimate::memory_gb(recipe, class);
    match machine.memory_gb {
        _ if class == BaseClass::Tiny => None,
        Some(memory_gb) if memory_gb < needed => Some(format!(
            "has {memory_gb} GB of GPU memory, and this training needs about {needed}"
        )),
        None if recipe.engine == recipe::Engine::Kohya => Some("has no GPU".to_owned()),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use protocol::{
        agent::Machine,
        preset::{BaseClass, Preset},
        recipe::{Engine, ParameterOverrides, Recipe, RecipeRequest},
        spend::RentalWish,
    };

    use super::unfit;

    #[test]
    fn what_does_not_fit_is_named() {
        let request = RecipeRequest {
            engine: Engine::Native,
            base_model: "sdxl".to_owned(),
            name: "zora".to_owned(),
            trigger_word: None,
            preset: Preset::default(),
            overrides: ParameterOverrides::default(),
            sample_prompts: Vec::new(),
        };
        let mut recipe = Recipe::resolve(request, BaseClass::Sdxl).unwrap();
        let mut machine = Machine {
            name: "attic".to_owned(),
            labels: vec!["quiet".to_owned()],
            gpu: None,
            memory_gb: None,
            engines: vec![Engine::Native],
        };
        let mut wish = RentalWish::default();
        let why = |machine: &Machine, recipe: &Recipe, wish: &RentalWish| {
            unfit(machine, recipe, BaseClass::Sdxl, wish).unwrap_or_default()
        };
        assert_eq!(why(&machine, &recipe, &wish), "");
        wish.labels = vec!["quiet".to_owned(), "large".to_owned()];
        assert_eq!(why(&machine, &recipe, &wish), "is not labeled large");
        wish.labels.pop();
        recipe.engine = Engine::Kohya;
        assert!(why(&machine, &recipe, &wish).contains("sd-scripts"));
        machine.engines.push(Engine::Kohya);
        assert_eq!(why(&machine, &recipe, &wish), "has no GPU");
        machine.memory_gb = Some(8);
        assert!(why(&machine, &recipe, &wish).starts_with("has 8 GB"));
        machine.memory_gb = Some(24);
        assert_eq!(why(&machine, &recipe, &wish), "");
    }
}
