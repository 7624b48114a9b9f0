//! An orchestrator over a store of its own, a provider in memory, and agents by hand. With
//! MORPHEUS_TEST_SERVICES set, the store is on PostgreSQL.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use orchestrator::{
    Base, Options, Orchestrator, ServiceResult,
    providers::{Provider, Purpose},
};
use protocol::{
    ArtifactId, AttemptId, DatasetId, JobId, OwnerId,
    agent::{
        AgentEvent, ArtifactKind, Assignment, BaseLocation, ClaimRequest, Directive, Finish, Heartbeat,
        HeartbeatReply, NewArtifact, Report, TrainResult, TrainWork, Work, WorkKind,
    },
    dataset::Split,
    event::{Event, JobEvent, StepMetrics},
    job::{BaseModel, CreateJob, Job},
    machine::{DeviceKind, LoraKind, Machine, Protocol},
    model::{REQUIRED_CHECKS, VALIDATION_CHECK, Verdict, VerdictCheck},
    phase::{Outcome, Phase},
    preset::{BaseClass, Family},
    recipe::Engine,
};
use sha2::{Digest as _, Sha256};
use sim::postgres::Database;
use store::{
    Store, datasets, events, jobs,
    tokens::{self, AgentCredential, Principal},
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::machines::Machines;

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Bench {
    pub(crate) orchestrator: Orchestrator,
    pub(crate) machines: Arc<Machines>,
    pub(crate) dataset: DatasetId,
    options: Options,
    folder: TempDir,
    /// In the first server's folder if it is none on PostgreSQL.
    database: Option<Arc<Database>>,
}

impl Bench {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        // As `make test` does it, a second time.
        let on_postgres = std::env::var_os("MORPHEUS_TEST_SERVICES").is_some();
        let database = on_postgres.then(Database::shared).transpose()?.map(Arc::new);
        let store = Store::builder(folder.path())
            .database(database.as_ref().map(|database| database.url()))
            .open()
            .await?;
        let machines = Arc::new(Machines::default());
        let base = Base {
            model: BaseModel {
                name: "tiny-xl".to_owned(),
                class: BaseClass::Tiny,
                family: Family::Tiny,
                family_reason: "it is as small as tiny-xl".to_owned(),
                native_resolution: 128,
                built_in: true,
                prediction: None,
                notes: Vec::new(),
            },
            location: BaseLocation::BuiltIn {
                name: "tiny-xl".to_owned(),
            },
        };
        let provider: Arc<dyn Provider> = machines.clone();
        let mut options = Options::new(vec![base], vec![provider]);
        options.tick = Duration::from_millis(20);
        options.worker_restart = Duration::from_millis(1);
        change(&mut options);
        let dataset = pictures(&store).await?;
        Ok(Self {
            orchestrator: Orchestrator::new(store, options.clone()),
            machines,
            dataset,
            options,
            folder,
            database,
        })
    }

    /// Another server on the same database, with machines of its own.
    pub(crate) async fn beside(&self) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let database = match &self.database {
            Some(database) => database.url(),
            None => format!("sqlite://{}", at("morpheus.db")),
        };
        let store = Store::builder(folder.path())
            .database(Some(database))
            .objects(Some(format!("file://{}", at("objects"))))
            .open()
            .await?;
        let machines = Arc::new(Machines::default());
        let provider: Arc<dyn Provider> = machines.clone();
        let options = Options {
            providers: vec![provider],
            ..self.options.clone()
        };
        Ok(Self {
            orchestrator: Orchestrator::new(store, options.clone()),
            machines,
            dataset: self.dataset,
            options,
            folder,
            database: self.database.clone(),
        })
    }

    pub(crate) fn store(&self) -> &Store {
        self.orchestrator.store()
    }

    pub(crate) fn owner(&self) -> OwnerId {
        self.store().default_owner()
    }

    pub(crate) fn on_postgres(&self) -> bool {
        self.database.is_some()
    }

    /// All rows of the database.
    pub(crate) async fn everything(&self) -> anyhow::Result<String> {
        let url = self.database.as_ref().map(|database| database.url());
        let mut export = Vec::new();
        let builder = Store::builder(self.folder.path()).database(url);
        builder.export_database(&mut export).await?;
        let export = String::from_utf8(export)?;
        // The first line says when it was written.
        Ok(export
            .split_once('\n')
            .map(|(_, rows)| rows.to_owned())
            .unwrap_or_default())
    }

    /// The server starts again; agents and database are as they were.
    pub(crate) fn restart(&mut self) {
        self.orchestrator = Orchestrator::new(self.store().clone(), self.options.clone());
    }

    /// The server starts again with other settings.
    pub(crate) fn restart_with(&mut self, change: impl FnOnce(&mut Options)) {
        change(&mut self.options);
        self.restart();
    }

    pub(crate) async fn pass(&self) -> anyhow::Result<()> {
        self.orchestrator.pass().await.map_err(|err| anyhow::anyhow!(err))
    }

    /// A pass that dies at the crash point that is set.
    pub(crate) async fn pass_until_crash(&self) -> anyhow::Result<()> {
        tokio::select! {
            done = self.pass() => anyhow::bail!("the pass came to its end: {done:?}"),
            () = self.machines.crashed() => Ok(()),
        }
    }

    /// Passes until the condition holds.
    pub(crate) async fn wait_passing_until(
        &self,
        condition: impl AsyncFn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            self.pass().await?;
            if condition().await? {
                return Ok(());
            }
            anyhow::ensure!(tokio::time::Instant::now() < deadline, "it does not happen");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn request(&self) -> CreateJob {
        let value = serde_json::json!({
            "dataset_id": self.dataset, "base_model": "tiny-xl", "name": "Zora", "trigger_word": "zora",
            "parameters": { "rank": 8, "n_steps": 100 },
        });
        serde_json::from_value(value).expect("a valid request")
    }

    pub(crate) async fn queue(&self) -> anyhow::Result<Job> {
        Ok(self.orchestrator.create_job(self.owner(), self.request()).await?)
    }

    pub(crate) async fn job(&self, id: JobId) -> anyhow::Result<Job> {
        Ok(jobs::get(self.store(), self.owner(), id).await?)
    }

    pub(crate) async fn phase(&self, id: JobId) -> anyhow::Result<Phase> {
        Ok(self.job(id).await?.phase)
    }

    /// The job's stream, with its numbers checked.
    pub(crate) async fn stream(&self, id: JobId) -> anyhow::Result<Vec<JobEvent>> {
        let stream = events::after(self.store(), id, 0, 100_000).await?;
        let seqs: Vec<i64> = stream.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=stream.len() as i64).collect::<Vec<_>>(), "gaps");
        assert_eq!(self.job(id).await?.last_seq, stream.len() as i64);
        Ok(stream)
    }

    pub(crate) async fn phases(&self, id: JobId) -> anyhow::Result<Vec<Phase>> {
        let stream = self.stream(id).await?;
        Ok(stream
            .into_iter()
            .filter_map(|event| match event.event {
                Event::PhaseChanged { phase, .. } => Some(phase),
                _ => None,
            })
            .collect())
    }

    /// The agent on the only machine that trains.
    pub(crate) async fn agent(&self) -> anyhow::Result<Agent> {
        let alive = self.machines.alive();
        let instance = alive.iter().find(|instance| instance.purpose == Purpose::Train);
        let instance = instance.ok_or_else(|| anyhow::anyhow!("no machine trains"))?;
        self.agent_of(instance.id).await
    }

    pub(crate) async fn agent_of(&self, id: Uuid) -> anyhow::Result<Agent> {
        let token = self.machines.token(id);
        match tokens::authenticate(self.store(), &token).await? {
            Some(Principal::Agent(credential)) => Ok(Agent {
                orchestrator: self.orchestrator.clone(),
                credential,
                instance: id,
            }),
            other => anyhow::bail!("an agent's token, not {other:?}"),
        }
    }

    /// From the queue to an agent that has claimed.
    pub(crate) async fn claimed(&self) -> anyhow::Result<(Job, Agent, Held)> {
        let job = self.queue().await?;
        self.pass().await?;
        let agent = self.agent().await?;
        let held = agent.claim_train().await?;
        Ok((job, agent, held))
    }
}

async fn pictures(store: &Store) -> anyhow::Result<DatasetId> {
    let tx = store.begin().await?;
    let owner = store.default_owner();
    let dataset = datasets::create(&tx, owner, "zora").await?;
    for n in 1..=3_u8 {
        let item = datasets::NewItem {
            file_name: format!("{n}.png"),
            caption: format!("standing, {n}"),
            split: Split::Train,
            showing: protocol::dataset::Showing::default(),
            width: 128,
            height: 128,
            size_bytes: 100,
            sha256: hex::encode([n; 32]),
            notes: Vec::new(),
        };
        datasets::add_item(&tx, owner, dataset.id, item).await?;
    }
    tx.commit().await?;
    Ok(dataset.id)
}

/// An agent by hand.
pub(crate) struct Agent {
    pub(crate) orchestrator: Orchestrator,
    pub(crate) credential: AgentCredential,
    pub(crate) instance: Uuid,
}

/// A training that an agent holds.
pub(crate) struct Held {
    pub(crate) id: AttemptId,
    pub(crate) fence: i64,
    pub(crate) work: TrainWork,
}

/// A machine of this version, without a GPU.
pub(crate) fn machine(name: &str, labels: &[&str]) -> Machine {
    Machine {
        name: name.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        gpu: None,
        memory_gb: None,
        engines: vec![Engine::Native],
        devices: vec![DeviceKind::Cpu],
        lora_kinds: vec![LoraKind::Lora],
        has_diffusers: None,
        protocol: Protocol::CURRENT,
    }
}

impl Held {
    /// The training of an assignment.
    pub(crate) fn of(assignment: Assignment) -> Self {
        match assignment.work {
            Work::Train(work) => Self {
                id: assignment.attempt_id,
                fence: assignment.fence,
                work: *work,
            },
            Work::Generate(_) | Work::Edit(_) => panic!("no training: {assignment:?}"),
        }
    }
}

impl Agent {
    pub(crate) async fn claim(&self, kind: WorkKind) -> ServiceResult<Option<Assignment>> {
        let request = ClaimRequest {
            kinds: vec![kind],
            wait_seconds: 0,
            machine: Some(machine("here", &[])),
        };
        Ok(self
            .orchestrator
            .claim(&self.credential, request)
            .await?
            .assignment)
    }

    pub(crate) async fn claim_train(&self) -> anyhow::Result<Held> {
        match self.claim(WorkKind::Train).await? {
            Some(assignment) if matches!(assignment.work, Work::Train(_)) => Ok(Held::of(assignment)),
            other => anyhow::bail!("no training: {other:?}"),
        }
    }

    pub(crate) async fn beat(&self, held: &Held, events: Vec<AgentEvent>) -> ServiceResult<HeartbeatReply> {
        let heartbeat = Heartbeat {
            fence: held.fence,
            events,
        };
        self.orchestrator
            .heartbeat(&self.credential, held.id, heartbeat)
            .await
    }

    pub(crate) async fn orders(&self, held: &Held) -> anyhow::Result<Vec<Directive>> {
        Ok(self.beat(held, Vec::new()).await?.directives)
    }

    /// Announces, uploads and completes.
    pub(crate) async fn bring(
        &self,
        held: &Held,
        kind: ArtifactKind,
        bytes: &'static [u8],
    ) -> anyhow::Result<ArtifactId> {
        let ticket = self
            .orchestrator
            .announce_artifact(&self.credential, held.id, announced(held.fence, kind, bytes))
            .await?;
        if ticket.upload_url.is_some() {
            let objects = self.orchestrator.store().objects();
            objects.put(Bytes::from_static(bytes)).await?;
        }
        let (id, agent) = (ticket.artifact_id, &self.credential);
        self.orchestrator.complete_artifact(agent, held.id, id).await?;
        Ok(id)
    }

    pub(crate) async fn finish(&self, held: &Held, outcome: Outcome) -> ServiceResult<()> {
        let finish = Finish {
            fence: held.fence,
            outcome,
            detail: Some("as it was".to_owned()),
            result: None,
            picture: None,
            edited: None,
            disk_fault: false,
        };
        self.orchestrator.finish(&self.credential, held.id, finish).await
    }

    /// Ends an attempt as an agent does whose disk takes no writes.
    pub(crate) async fn out_of_room(&self, held: &Held) -> ServiceResult<()> {
        let finish = Finish {
            fence: held.fence,
            outcome: Outcome::Lost,
            detail: Some("failed to write `checkpoint`: No space left on device".to_owned()),
            result: None,
            picture: None,
            edited: None,
            disk_fault: true,
        };
        self.orchestrator.finish(&self.credential, held.id, finish).await
    }

    pub(crate) async fn completed(&self, held: &Held, verdict: Verdict) -> anyhow::Result<Finish> {
        self.completed_after(held, verdict, 100).await
    }

    pub(crate) async fn completed_after(
        &self,
        held: &Held,
        verdict: Verdict,
        n_steps: u32,
    ) -> anyhow::Result<Finish> {
        let kind = ArtifactKind::Lora { step: n_steps };
        let artifact_id = self.bring(held, kind, lora()).await?;
        let before = self
            .bring(held, ArtifactKind::PictureBefore, picture("before"))
            .await?;
        let after = self
            .bring(held, ArtifactKind::PictureAfter, picture("after"))
            .await?;
        Ok(Finish {
            fence: held.fence,
            outcome: Outcome::Completed,
            detail: None,
            result: Some(TrainResult {
                artifact_id,
                n_steps,
                verdict,
                metadata: BTreeMap::from([("ss_network_dim".to_owned(), "8".to_owned())]),
                before: Some(before),
                after: Some(after),
                judgement: None,
            }),
            picture: None,
            edited: None,
            disk_fault: false,
        })
    }
}

pub(crate) fn announced(fence: i64, kind: ArtifactKind, bytes: &[u8]) -> NewArtifact {
    NewArtifact {
        fence,
        kind,
        file_name: "Zora.safetensors".to_owned(),
        size_bytes: bytes.len() as u64,
        sha256: hex::encode(Sha256::digest(bytes)),
    }
}

/// The LoRA that agents here train.
pub(crate) fn lora() -> &'static [u8] {
    static LORA: LazyLock<Vec<u8>> = LazyLock::new(|| sim::files::lora(8, ""));
    &LORA
}

/// A picture that no other text makes.
pub(crate) fn picture(salt: &str) -> &'static [u8] {
    sim::files::png(salt).leak()
}

pub(crate) fn verdict(failed: &[&str]) -> Verdict {
    let checks = REQUIRED_CHECKS.iter().chain([&VALIDATION_CHECK]);
    Verdict {
        passed: failed.is_empty(),
        checks: checks
            .map(|name| VerdictCheck {
                name: (*name).to_owned(),
                passed: !failed.contains(name),
                detail: "as measured".to_owned(),
            })
            .collect(),
        validation: None,
        picture_change: Some(3.0),
        module_norms: Vec::new(),
    }
}

pub(crate) fn step(n: u64, step: u32) -> AgentEvent {
    AgentEvent {
        n,
        at: store::now(),
        report: Report::Step(StepMetrics {
            step,
            n_steps: 100,
            epoch: 1,
            n_epochs: 10,
            loss: 1.0 / f64::from(step),
            average_loss: 0.5,
            learning_rate: 1e-4,
            gradient_norm: 0.5,
            step_ms: 20.0,
            eta_seconds: 1.0,
        }),
    }
}

pub(crate) fn report(n: u64, report: Report) -> AgentEvent {
    AgentEvent {
        n,
        at: store::now(),
        report,
    }
}
