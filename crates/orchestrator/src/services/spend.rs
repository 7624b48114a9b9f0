//! Showing and limiting costs and machines, for their owner.

use protocol::{
    DrawingSessionId, JobId, MicroUsd, OwnerId,
    audit::AuditAction,
    job::Job,
    phase::Phase,
    spend::{Budget, BudgetScope, LedgerEntry, ProviderInfo, SetBudget, Spend},
};
use store::{
    audit, jobs, settings,
    spend::{self, Payer},
};

use super::POOL;
use crate::{Orchestrator, ServiceError, ServiceResult};

/// Machines in an overview.
const N_INSTANCES: u64 = 100;
/// Entries of the ledger in an answer.
const N_ENTRIES: u64 = 1000;

impl Orchestrator {
    /// Budgets and machines at a glance.
    pub async fn spend(&self, owner: OwnerId) -> ServiceResult<Spend> {
        use protocol::spend::InstancePhase::Gone;
        let instances = spend::overview(&self.store, owner, N_INSTANCES).await?;
        let living = instances
            .iter()
            .filter(|instance| instance.phase != Gone && instance.handle.is_some());
        Ok(Spend {
            rate_micro_usd: living.map(|instance| instance.rate_micro_usd).sum(),
            month: self.budget_month(),
            budgets: spend::budgets(&self.store, owner).await?,
            instances,
        })
    }

    /// The month that pays for what is ordered now.
    fn budget_month(&self) -> String {
        let rental = self.rentals.first();
        spend::month_of(rental.map_or_else(store::now, |rental| rental.clock.now()))
    }

    /// The ledger, the newest entries first.
    pub async fn ledger(
        &self,
        owner: OwnerId,
        job: Option<JobId>,
        drawing: Option<DrawingSessionId>,
    ) -> ServiceResult<Vec<LedgerEntry>> {
        let payer = match (job, drawing) {
            (None, None) => None,
            (Some(id), None) => Some(Payer::Job(id)),
            (None, Some(id)) => Some(Payer::Drawing(id)),
            (Some(_), Some(_)) => {
                return Err(ServiceError::field(
                    "drawing_session",
                    "must be omitted when `job` is given",
                ));
            }
        };
        Ok(spend::entries(&self.store, owner, payer, N_ENTRIES).await?)
    }

    /// Sets the limit of a project, of the user, or of this month and those after it.
    pub async fn set_budget(&self, owner: OwnerId, request: SetBudget) -> ServiceResult<Budget> {
        check_limit(request.limit_micro_usd)?;
        let key = match (request.scope, request.key.as_deref().map(str::trim)) {
            (BudgetScope::Job, _) => {
                return Err(ServiceError::field(
                    "scope",
                    "set the limit of a job with PUT /api/v1/jobs/{id}/limit",
                ));
            }
            (BudgetScope::Drawing, _) => {
                return Err(ServiceError::field(
                    "scope",
                    "the limit of a drawing session is set when it is started",
                ));
            }
            (BudgetScope::Project, Some(name)) if (1..=80).contains(&name.chars().count()) => name.to_owned(),
            (BudgetScope::Project, _) => {
                return Err(ServiceError::field(
                    "key",
                    "must be the project's name, 1 to 80 characters",
                ));
            }
            (BudgetScope::User, None) => String::new(),
            (BudgetScope::Month, None) => self.budget_month(),
            (BudgetScope::User | BudgetScope::Month, Some(_)) => {
                return Err(ServiceError::field("key", "must be omitted for this scope"));
            }
        };
        let tx = self.store.begin().await?;
        let budget = spend::set_limit(&tx, owner, request.scope, &key, request.limit_micro_usd).await?;
        let limit = request
            .limit_micro_usd
            .map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
        let scope = match request.scope {
            BudgetScope::Job | BudgetScope::Drawing | BudgetScope::Project => format!("project {key}"),
            BudgetScope::User => "everything".to_owned(),
            BudgetScope::Month => format!("months from {key}"),
        };
        audit::record(&tx, AuditAction::BudgetSet, &scope, &limit).await?;
        tx.commit().await?;
        Ok(budget)
    }

    /// Sets the total cost limit of a job. Its current machine keeps the reservation that it was ordered with; the
    /// next one is reserved under the new limit.
    pub async fn set_job_limit(&self, owner: OwnerId, id: JobId, limit: MicroUsd) -> ServiceResult<Job> {
        check_limit(Some(limit))?;
        let tx = self.store.begin().await?;
        let job = jobs::get(&tx, owner, id).await?;
        if matches!(job.phase, Phase::Succeeded | Phase::Cancelled) {
            return Err(ServiceError::Conflict(format!(
                "a job that is {} has no further costs",
                job.phase.as_str()
            )));
        }
        let used = job.spend.spent_micro_usd + job.spend.reserved_micro_usd;
        if limit < used {
            return Err(ServiceError::field(
                "limit_micro_usd",
                format!("must be at least {used}, which is already spent or reserved for a machine"),
            ));
        }
        jobs::set_limit(&tx, id, limit).await?;
        let subject = audit::named(job.recipe.name(), id);
        audit::record(&tx, AuditAction::JobLimitSet, &subject, &limit.to_string()).await?;
        tx.commit().await?;
        Ok(jobs::get(&self.store, owner, id).await?)
    }

    /// The providers and their state.
    pub async fn provider_infos(&self, owner: OwnerId) -> ServiceResult<Vec<ProviderInfo>> {
        let mut infos: Vec<ProviderInfo> = self
            .options
            .providers
            .iter()
            .map(|provider| ProviderInfo {
                name: provider.name().to_owned(),
                title: None,
                is_rented: false,
                max_running: u32::try_from(self.max_running(provider.as_ref())).unwrap_or(u32::MAX),
                seen_at: None,
                halted: None,
                n_foreign: 0,
                foreign_rate_micro_usd: MicroUsd::ZERO,
                machines: Vec::new(),
            })
            .collect();
        let machines = self.pool_members(owner).await?;
        infos.push(ProviderInfo {
            name: POOL.to_owned(),
            title: None,
            is_rented: false,
            max_running: u32::try_from(machines.len()).unwrap_or(u32::MAX),
            seen_at: machines.first().map(|machine| machine.seen_at),
            halted: None,
            n_foreign: 0,
            foreign_rate_micro_usd: MicroUsd::ZERO,
            machines,
        });
        for rental in self.rentals.iter() {
            let halted = settings::halted(&self.store, rental.name()).await?;
            let health = rental
                .health
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .clone();
            infos.push(ProviderInfo {
                name: rental.name().to_owned(),
                title: Some(rental.title().to_owned()),
                is_rented: true,
                max_running: u32::try_from(self.max_rented(rental)).unwrap_or(u32::MAX),
                seen_at: health.seen_at,
                halted,
                n_foreign: health.n_foreign,
                foreign_rate_micro_usd: health.foreign_rate,
                machines: Vec::new(),
            });
        }
        Ok(infos)
    }

    /// Ends a halt after a person has checked the account: machines are ordered again.
    pub async fn unhalt(&self, provider: &str) -> ServiceResult<()> {
        if self.rental(provider).is_none() {
            return Err(ServiceError::NotFound {
                what: "provider that rents machines out",
                id: provider.to_owned(),
            });
        }
        Ok(settings::halt(&self.store, provider, None).await?)
    }
}

/// What a budget is for, in a sentence.
pub(crate) fn what_for(budget: &Budget) -> String {
    match budget.scope {
        BudgetScope::Job => "this job".to_owned(),
        BudgetScope::Drawing => "this drawing session".to_owned(),
        BudgetScope::Project => format!("the project `{}`", budget.key),
        BudgetScope::User => "the user".to_owned(),
        BudgetScope::Month => format!("the month {}", budget.key),
    }
}

pub(super) fn check_limit(limit: Option<MicroUsd>) -> ServiceResult<()> {
    match limit {
        Some(limit) if limit <= MicroUsd::ZERO => {
            Err(ServiceError::field("limit_micro_usd", "must be more than 0"))
        }
        _ => Ok(()),
    }
}
