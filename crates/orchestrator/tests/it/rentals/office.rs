//! An orchestrator that rents from the simulated provider, agents by hand, and the books to compare.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use orchestrator::{
    Options, ServiceResult,
    rentals::{Elapsed, RentalOptions},
};
use protocol::{
    JobId, MicroUsd,
    job::{CreateJob, Job},
    phase::Phase,
    recipe::Engine,
    spend::{InstancePhase, LedgerAccount, ProviderInfo, RentalWish, RentedInstance},
};
use rental::{
    Account, Bill, CallError, CreateError, Examination, ExamineError, Kind, Landlord, Machine, Machines,
    Offer, Order, TerminateAck,
};
use sim::rented::{Beginning, Gpus, Simulated, Start};
use store::{
    spend::Payer,
    tokens::{self, Principal},
};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::fixture::{Agent, Bench};

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const USD: i64 = 1_000_000;

pub(super) struct Office {
    pub(super) bench: Bench,
    pub(super) sim: Arc<dyn Simulated>,
    /// The account, without the server.
    pub(super) account: Arc<dyn Landlord>,
    crash: Arc<Crash>,
}

/// Where the server dies: the call never returns, and the pass is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crashing {
    BeforeList,
    BeforeOrder,
    AfterOrder,
    BeforeGet,
    BeforeTerminate,
    AfterTerminate,
}

impl Crashing {
    pub(super) const ALL: [Self; 6] = [
        Self::BeforeList,
        Self::BeforeOrder,
        Self::AfterOrder,
        Self::BeforeGet,
        Self::BeforeTerminate,
        Self::AfterTerminate,
    ];
}

#[derive(Debug, Default)]
struct Crash {
    at: Mutex<Option<Crashing>>,
    crashed: Notify,
}

impl Crash {
    async fn maybe(&self, here: Crashing) {
        let crashes = self.at.lock().unwrap().take_if(|at| *at == here).is_some();
        if crashes {
            self.crashed.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// The provider, for a server that may die.
#[derive(Debug)]
struct Frail {
    landlord: Arc<dyn Landlord>,
    crash: Arc<Crash>,
}

#[async_trait]
impl Account for Frail {
    fn kind(&self) -> &'static dyn Kind {
        self.landlord.kind()
    }

    async fn list(&self) -> Result<Machines, CallError> {
        self.crash.maybe(Crashing::BeforeList).await;
        self.landlord.list().await
    }

    async fn get(&self, id: &str) -> Result<Option<Machine>, CallError> {
        self.crash.maybe(Crashing::BeforeGet).await;
        self.landlord.get(id).await
    }

    async fn terminate(&self, id: &str) -> Result<TerminateAck, CallError> {
        self.crash.maybe(Crashing::BeforeTerminate).await;
        let outcome = self.landlord.terminate(id).await;
        self.crash.maybe(Crashing::AfterTerminate).await;
        outcome
    }
}

#[async_trait]
impl Landlord for Frail {
    fn is_real(&self) -> bool {
        self.landlord.is_real()
    }

    fn capacity(&self) -> usize {
        self.landlord.capacity()
    }

    fn engines(&self) -> &[Engine] {
        self.landlord.engines()
    }

    fn agent_env(&self) -> BTreeMap<String, String> {
        self.landlord.agent_env()
    }

    async fn offers(&self, wish: &RentalWish, memory_gb: u32) -> Result<Vec<Offer>, CallError> {
        self.landlord.offers(wish, memory_gb).await
    }

    async fn order(&self, order: &Order<'_>) -> Result<Machine, CreateError> {
        self.crash.maybe(Crashing::BeforeOrder).await;
        let outcome = self.landlord.order(order).await;
        self.crash.maybe(Crashing::AfterOrder).await;
        outcome
    }

    async fn bills(&self, since: DateTime<Utc>, only: Option<&str>) -> Result<Vec<Bill>, CallError> {
        self.landlord.bills(since, only).await
    }

    async fn examine(
        &self,
        time_scale: u32,
        interrupt: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Result<Vec<Examination>, ExamineError> {
        self.landlord.examine(time_scale, interrupt).await
    }
}

impl Office {
    pub(super) async fn new(start: Start) -> Self {
        Self::with_options(start, |_| {}).await
    }

    /// A server with other options.
    pub(super) async fn with_options(start: Start, change: impl FnOnce(&mut Options)) -> Self {
        Self::with(start, Beginning::default(), change).await
    }

    /// Bills that come late, as they do.
    pub(super) async fn with_late_bills(start: Start) -> Self {
        let beginning = Beginning {
            billing_delay_s: 3600,
            ..Beginning::default()
        };
        Self::with(start, beginning, |_| {}).await
    }

    async fn with(start: Start, beginning: Beginning, change: impl FnOnce(&mut Options)) -> Self {
        let sim = start(beginning).await;
        let start = sim.now();
        let seen = Arc::clone(&sim);
        let elapsed = Elapsed::new(move || (seen.now() - start).to_std().unwrap_or_default());
        let account = sim.landlord();
        let crash = Arc::new(Crash::default());
        let rental = RentalOptions {
            elapsed: Some(elapsed),
            ..RentalOptions::new(
                Arc::new(Frail {
                    landlord: Arc::clone(&account),
                    crash: Arc::clone(&crash),
                }),
                "https://morpheus.example",
            )
        };
        let bench = Bench::with(|options| {
            options.rentals = vec![rental];
            change(options);
        })
        .await
        .unwrap();
        Self {
            bench,
            sim,
            account,
            crash,
        }
    }

    /// An account that is never empty, for a server that dies.
    pub(super) async fn crashing(start: Start) -> Self {
        let beginning = Beginning {
            credit: MicroUsd(100_000 * USD),
            ..Beginning::default()
        };
        Self::with(start, beginning, |_| {}).await
    }

    /// The provider.
    pub(super) fn kind(&self) -> &'static dyn Kind {
        self.account.kind()
    }

    pub(super) fn gpus(&self) -> Gpus {
        self.sim.gpus()
    }

    /// The server starts again, and will die there.
    pub(super) fn restart(&mut self, crash: Option<Crashing>) {
        *self.crash.at.lock().unwrap() = crash;
        self.bench.restart();
    }

    /// A pass; false when the server has died in it.
    pub(super) async fn pass_or_crash(&self) -> bool {
        tokio::select! {
            // What the provider refuses is tried again in the next pass.
            _ = self.bench.pass() => true,
            () = self.crash.crashed.notified() => false,
        }
    }

    /// A machine ends itself, in the first way that is accepted; it tries again at the next look.
    pub(super) async fn end(&self, name: &str) {
        let Some(environment) = self.sim.environment(name) else {
            return;
        };
        let own = self
            .kind()
            .own_end(&|variable: &str| environment.get(variable).cloned());
        for way in own.ways() {
            if own.try_to_end(way, &mut None).await.is_ok() {
                return;
            }
        }
    }

    /// Somebody orders a machine with the same account; its id.
    pub(super) async fn rent(&self, name: &str) -> String {
        let offers = self.account.offers(&RentalWish::default(), 0).await.unwrap();
        let order = Order {
            name,
            offer: &offers[0],
            env: BTreeMap::new(),
        };
        self.account.order(&order).await.unwrap().id
    }

    /// What the server shows of the provider.
    pub(super) async fn provider(&self) -> ProviderInfo {
        let orchestrator = &self.bench.orchestrator;
        let infos = orchestrator.provider_infos(self.bench.owner()).await.unwrap();
        let found = infos.into_iter().find(|info| info.name == self.kind().name());
        found.unwrap()
    }

    pub(super) fn request(&self, limit: i64, gpus: &[&str]) -> CreateJob {
        CreateJob {
            provider: self.kind().name().to_owned(),
            limit_micro_usd: Some(MicroUsd(limit)),
            rental: RentalWish {
                gpus: gpus.iter().map(|gpu| (*gpu).to_owned()).collect(),
                ..RentalWish::default()
            },
            ..self.bench.request()
        }
    }

    /// Asks for the estimate, as a user does, and starts what it says.
    pub(super) async fn submit(&self, mut request: CreateJob) -> ServiceResult<Job> {
        let (owner, orchestrator) = (self.bench.owner(), &self.bench.orchestrator);
        request.estimate_hash = Some(orchestrator.estimate_job(owner, &request).await?.hash);
        orchestrator.create_job(owner, request).await
    }

    pub(super) async fn pass(&self) {
        self.bench.pass().await.unwrap();
    }

    /// Lets time pass, with a look every half minute.
    pub(super) async fn minutes(&self, n: u32) {
        for _ in 0..2 * n {
            self.sim.step(Duration::from_secs(30));
            self.pass().await;
        }
    }

    pub(super) async fn job(&self, id: JobId) -> Job {
        self.bench.job(id).await.unwrap()
    }

    pub(super) async fn instances(&self) -> Vec<RentedInstance> {
        let spend = self.bench.orchestrator.spend(self.bench.owner()).await.unwrap();
        spend.instances
    }

    /// The only machine that is not gone.
    pub(super) async fn machine(&self) -> RentedInstance {
        let mut alive = self.instances().await;
        alive.retain(|machine| machine.phase != InstancePhase::Gone);
        assert_eq!(alive.len(), 1, "{alive:?}");
        alive.remove(0)
    }

    /// The agent on the machine of this name.
    pub(super) async fn agent(&self, name: &str) -> Agent {
        self.agent_if_known(name).await.expect("an agent's token")
    }

    /// `None` when its token is worth nothing any more.
    pub(super) async fn agent_if_known(&self, name: &str) -> Option<Agent> {
        let env = self.sim.environment(name).unwrap();
        match tokens::authenticate(self.bench.store(), &env["MORPHEUS_TOKEN"])
            .await
            .unwrap()
        {
            Some(Principal::Agent(credential)) => Some(Agent {
                orchestrator: self.bench.orchestrator.clone(),
                credential,
                instance: Uuid::nil(),
            }),
            _ => None,
        }
    }

    /// A job on a machine whose agent has claimed it.
    pub(super) async fn running(&self, request: CreateJob) -> (Job, Agent, crate::fixture::Held) {
        let job = self.submit(request).await.unwrap();
        self.pass().await;
        self.minutes(1).await;
        let agent = self.agent(&self.machine().await.name).await;
        let held = agent.claim_train().await.unwrap();
        assert_eq!(self.job(job.id).await.phase, Phase::Running);
        (job, agent, held)
    }

    /// Every machine is confirmed gone, and every bill is final.
    pub(super) async fn settle(&self) {
        // Long enough also for a machine that was never charged, which has no record.
        for minutes in [130, 130, 49 * 60, 130] {
            self.minutes(2).await;
            self.sim.step(minutes * MINUTE);
            self.pass().await;
        }
        for machine in self.instances().await {
            assert_eq!(machine.phase, InstancePhase::Gone, "{machine:?}");
            assert!(machine.billed_micro_usd.is_some(), "{machine:?}");
        }
        assert_eq!(self.sim.living(), [""; 0]);
    }

    /// The sums are those of the ledger, in every scope.
    pub(super) async fn audit(&self) {
        let orchestrator = &self.bench.orchestrator;
        let owner = self.bench.owner();
        let store = self.bench.store();
        let entries = async |job| store::spend::entries(store, owner, job, 1_000_000).await.unwrap();
        let all = entries(None).await;
        let sum = |entries: &[protocol::spend::LedgerEntry], account| {
            let mut sum = 0;
            for entry in entries {
                let amount = entry.amount_micro_usd.0;
                sum += if entry.to == account { amount } else { 0 };
                sum -= if entry.from == account { amount } else { 0 };
            }
            MicroUsd(sum)
        };
        for budget in orchestrator.spend(owner).await.unwrap().budgets {
            if budget.scope == protocol::spend::BudgetScope::User {
                assert_eq!(budget.spent_micro_usd, sum(&all, LedgerAccount::Spent));
                assert_eq!(budget.reserved_micro_usd, sum(&all, LedgerAccount::Reserved));
            }
        }
        let jobs = store::jobs::list(self.bench.store(), owner, None, 1000)
            .await
            .unwrap();
        for job in jobs {
            let own = entries(Some(Payer::Job(job.id))).await;
            assert_eq!(job.spend.spent_micro_usd, sum(&own, LedgerAccount::Spent));
            assert_eq!(job.spend.reserved_micro_usd, sum(&own, LedgerAccount::Reserved));
        }
        let sessions = store::drawing::list(self.bench.store(), owner, None, 1000)
            .await
            .unwrap();
        for session in sessions {
            let own = entries(Some(Payer::Drawing(session.id))).await;
            assert_eq!(session.spent_micro_usd, sum(&own, LedgerAccount::Spent));
            assert_eq!(session.reserved_micro_usd, sum(&own, LedgerAccount::Reserved));
        }
    }

    /// The whole of what was spent, by the ledger.
    pub(super) async fn spent(&self) -> MicroUsd {
        let spend = self.bench.orchestrator.spend(self.bench.owner()).await.unwrap();
        let user = spend
            .budgets
            .iter()
            .find(|budget| budget.scope == protocol::spend::BudgetScope::User);
        user.map_or(MicroUsd::ZERO, |budget| budget.spent_micro_usd)
    }
}
