//! Machines of the pool: which jobs they get, and what happens to those that they lose.

use std::time::Duration;

use protocol::{
    agent::{ArtifactKind, Assignment, ClaimRequest, Work, WorkKind},
    job::{CreateJob, MakeVersion},
    machine::{Machine, Protocol},
    phase::{Outcome, Phase},
    recipe::Engine,
    spend::{RentalWish, ResumeJob},
};
use store::tokens::{self, Principal};
use uuid::Uuid;

use crate::fixture::{Agent, Bench, Held, machine};

pub(crate) struct Member {
    pub(crate) agent: Agent,
    machine: Machine,
}

/// A machine that has called once.
pub(crate) async fn member(bench: &Bench, name: &str, labels: &[&str]) -> anyhow::Result<Member> {
    let tx = bench.store().begin().await?;
    let token = tokens::create_pool(&tx, bench.owner(), "workshop").await?;
    tx.commit().await?;
    let Some(Principal::Agent(credential)) = tokens::authenticate(bench.store(), &token.secret).await? else {
        anyhow::bail!("no agent");
    };
    let member = Member {
        agent: Agent {
            orchestrator: bench.orchestrator.clone(),
            credential,
            instance: Uuid::nil(),
        },
        machine: machine(name, labels),
    };
    assert!(member.claim().await?.is_none(), "there is no work yet");
    Ok(member)
}

impl Member {
    pub(crate) async fn claim(&self) -> anyhow::Result<Option<Assignment>> {
        let request = ClaimRequest {
            kinds: vec![WorkKind::Train],
            wait_seconds: 0,
            machine: Some(self.machine.clone()),
        };
        let reply = self
            .agent
            .orchestrator
            .claim(&self.agent.credential, request)
            .await?;
        assert!(reply.stay);
        Ok(reply.assignment)
    }
}

fn request(bench: &Bench, labels: &[&str]) -> CreateJob {
    CreateJob {
        provider: "agent".to_owned(),
        rental: RentalWish {
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            ..RentalWish::default()
        },
        ..bench.request()
    }
}

#[tokio::test]
async fn jobs_go_to_machines_that_fit_and_to_one_only() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let attic = member(&bench, "attic", &["quiet"]).await?;
    let cellar = member(&bench, "cellar", &["quiet", "large"]).await?;
    let make = |labels: &'static [&'static str]| {
        bench
            .orchestrator
            .create_job(bench.owner(), request(&bench, labels))
    };
    let large = make(&["large"]).await?;
    let any = make(&[]).await?;
    let works_on = |assignment: Option<Assignment>| match assignment.map(|assignment| assignment.work) {
        Some(Work::Train(work)) => Some(work.job_id),
        _ => None,
    };
    assert_eq!(
        works_on(attic.claim().await?),
        Some(any.id),
        "the older one does not fit"
    );
    assert_eq!(works_on(attic.claim().await?), None);
    assert_eq!(works_on(cellar.claim().await?), Some(large.id));
    assert_eq!(bench.phase(large.id).await?, Phase::Running);
    let infos = bench.orchestrator.provider_infos(bench.owner()).await?;
    let pool = infos.iter().find(|info| info.name == "agent").unwrap();
    let busy = |name: &str| {
        let member = pool
            .machines
            .iter()
            .find(|member| member.machine.name == name)
            .unwrap();
        (member.is_online, member.job_id)
    };
    assert_eq!(busy("attic"), (true, Some(any.id)));
    assert_eq!(busy("cellar"), (true, Some(large.id)));
    Ok(())
}

#[tokio::test]
async fn what_no_machine_could_train_is_refused() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let refused = async |request: CreateJob| {
        let outcome = bench.orchestrator.create_job(bench.owner(), request).await;
        outcome.map_or_else(
            |err| protocol::problem::chain(&err),
            |job| format!("{:?}", job.phase),
        )
    };
    let answer = refused(request(&bench, &[])).await;
    assert!(answer.contains("the pool has no machine yet"), "{answer}");
    member(&bench, "attic", &["quiet"]).await?;
    let answer = refused(request(&bench, &["large"])).await;
    assert!(answer.contains("`attic` is not labeled large"), "{answer}");
    let answer = refused(request(&bench, &["a label with spaces"])).await;
    assert!(answer.contains("labels"), "{answer}");
    let kohya = CreateJob {
        engine: Engine::Kohya,
        ..request(&bench, &[])
    };
    let answer = refused(kohya).await;
    assert!(answer.contains("`attic` has no sd-scripts"), "{answer}");
    let local = CreateJob {
        engine: Engine::Kohya,
        ..bench.request()
    };
    let answer = refused(local).await;
    assert!(answer.contains("MORPHEUS_KOHYA_DIR"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_job_of_a_machine_that_falls_silent_goes_to_another() -> anyhow::Result<()> {
    let bench = Bench::with(|options| options.lease = Duration::from_millis(20)).await?;
    let attic = member(&bench, "attic", &[]).await?;
    let cellar = member(&bench, "cellar", &[]).await?;
    let job = bench
        .orchestrator
        .create_job(bench.owner(), request(&bench, &[]))
        .await?;
    let held = Held::of(attic.claim().await?.unwrap());
    bench
        .wait_passing_until(async || Ok(bench.phase(job.id).await? == Phase::Queued))
        .await?;
    let taken = Held::of(cellar.claim().await?.unwrap());
    assert_ne!(taken.id, held.id);
    // The first one is back, and hears that it has lost its work.
    assert!(attic.agent.beat(&held, Vec::new()).await.is_err());
    cellar.agent.finish(&taken, Outcome::Failed).await?;
    bench.pass().await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Failed);
    Ok(())
}

#[tokio::test]
async fn machines_stay_when_a_job_has_nothing_to_finish_with() -> anyhow::Result<()> {
    let bench = Bench::with(|options| options.lease = Duration::from_millis(20)).await?;
    let attic = member(&bench, "attic", &[]).await?;
    let cellar = member(&bench, "cellar", &[]).await?;
    let make = || bench.orchestrator.create_job(bench.owner(), request(&bench, &[]));
    let lost = make().await?;
    assert!(attic.claim().await?.is_some());
    // Its machine falls silent before the first checkpoint.
    bench.orchestrator.finish_early(bench.owner(), lost.id).await?;
    bench
        .wait_passing_until(async || Ok(bench.phase(lost.id).await? == Phase::Queued))
        .await?;
    let next = make().await?;
    let taken = Held::of(cellar.claim().await?.expect("the second job"));
    assert_eq!(taken.work.job_id, next.id);
    assert!(attic.claim().await?.is_none(), "both stay");
    let failed = bench.job(lost.id).await?;
    assert_eq!((failed.phase, failed.n_attempts), (Phase::Failed, 2));
    Ok(())
}

#[tokio::test]
async fn a_version_is_for_no_machine_that_would_train_on() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut attic = member(&bench, "attic", &[]).await?;
    let (job, agent, held) = bench.claimed().await?;
    agent
        .bring(&held, ArtifactKind::Checkpoint { step: 50 }, b"state")
        .await?;
    agent.finish(&held, Outcome::Failed).await?;
    let make = || {
        let request = MakeVersion {
            step: 50,
            provider: Some("agent".to_owned()),
            limit_micro_usd: None,
        };
        bench.orchestrator.make_version(bench.owner(), job.id, request)
    };
    let made = make().await?;
    attic.machine.protocol.version = Protocol::FINISHES_EARLY - 1;
    assert!(attic.claim().await?.is_none());
    bench.pass().await?;
    let why = "`attic` runs a version of morpheus that cannot end a training before its last step";
    let reason = bench.job(made.id).await?.reason.unwrap_or_default();
    assert!(reason.contains(why), "{reason}");
    let refused = make().await.expect_err("nobody could take it").to_string();
    assert!(refused.contains(why), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_stopped_job_goes_on_at_another_provider() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let attic = member(&bench, "attic", &["quiet"]).await?;
    let (job, agent, held) = bench.claimed().await?;
    agent
        .bring(&held, ArtifactKind::Checkpoint { step: 50 }, b"state")
        .await?;
    bench.orchestrator.stop_job(bench.owner(), job.id).await?;
    agent.finish(&held, Outcome::Stopped).await?;
    bench.pass().await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Stopped);
    let resume = async |provider: &str, label: &str| {
        let request = ResumeJob {
            provider: Some(provider.to_owned()),
            rental: Some(request(&bench, &[label]).rental),
            ..ResumeJob::default()
        };
        bench
            .orchestrator
            .resume_job(bench.owner(), job.id, request)
            .await
    };
    for (provider, label) in [("nobody", "quiet"), ("agent", "large")] {
        assert!(resume(provider, label).await.is_err());
        assert_eq!(bench.phase(job.id).await?, Phase::Stopped);
    }
    assert_eq!(resume("agent", "quiet").await?.provider, "agent");
    let taken = Held::of(attic.claim().await?.expect("the job"));
    assert!(taken.work.resume_from.is_some());
    assert_eq!(bench.job(job.id).await?.n_attempts, 2);
    Ok(())
}

#[tokio::test]
async fn a_job_says_which_machine_lacks_what_while_it_waits() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut attic = member(&bench, "attic", &[]).await?;
    let mut cellar = member(&bench, "cellar", &[]).await?;
    let job = bench
        .orchestrator
        .create_job(bench.owner(), request(&bench, &[]))
        .await?;
    assert_eq!(bench.job(job.id).await?.reason, None);
    // As an agent claims that does not know of versions, and one of a version to come.
    let old = serde_json::from_str::<ClaimRequest>(OLD_CLAIM)?.machine;
    attic.machine = Machine {
        name: "attic".to_owned(),
        ..old.expect("a machine")
    };
    cellar.machine.protocol = Protocol {
        version: 9,
        oldest: 8,
    };
    assert!(attic.claim().await?.is_none());
    assert!(cellar.claim().await?.is_none());
    bench.pass().await?;
    let waiting = bench.job(job.id).await?;
    let reason = waiting.reason.unwrap_or_default();
    assert!(
        reason.contains("`attic` runs a version of morpheus that is too old (it speaks version 1"),
        "{reason}"
    );
    assert!(
        reason.contains("`cellar` runs a version of morpheus that is too new (it needs at least version 8"),
        "{reason}"
    );
    bench.pass().await?;
    let again = bench.job(job.id).await?;
    assert_eq!(again.last_seq, waiting.last_seq, "it is said once");
    let members = bench.orchestrator.provider_infos(bench.owner()).await?;
    let pool = members.iter().find(|info| info.name == "agent").unwrap();
    assert!(pool.machines.iter().all(|member| member.problem.is_some()));
    // Nothing is made that no machine could take.
    let refused = bench
        .orchestrator
        .create_job(bench.owner(), request(&bench, &[]))
        .await;
    assert!(refused.is_err_and(|err| err.to_string().contains("too old")));
    // Somebody updates one of them.
    attic.machine = machine("attic", &[]);
    attic.machine.engines = vec![Engine::Kohya];
    assert!(attic.claim().await?.is_none());
    bench.pass().await?;
    let reason = bench.job(job.id).await?.reason.unwrap_or_default();
    assert!(
        reason.contains("`attic` does not have the native engine"),
        "{reason}"
    );
    attic.machine.engines.push(Engine::Native);
    let taken = attic.claim().await?;
    assert!(taken.is_some());
    assert_eq!(bench.job(job.id).await?.reason, None);
    Ok(())
}

#[tokio::test]
async fn a_reason_goes_when_a_machine_fits_again() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut attic = member(&bench, "attic", &[]).await?;
    let first = bench
        .orchestrator
        .create_job(bench.owner(), request(&bench, &[]))
        .await?;
    let second = bench
        .orchestrator
        .create_job(bench.owner(), request(&bench, &[]))
        .await?;
    attic.machine.protocol = Protocol::UNSAID;
    assert!(attic.claim().await?.is_none());
    bench.pass().await?;
    for job in [first.id, second.id] {
        assert!(bench.job(job).await?.reason.is_some());
    }
    attic.machine.protocol = Protocol::CURRENT;
    assert!(attic.claim().await?.is_some());
    bench.pass().await?;
    assert_eq!(bench.job(second.id).await?.reason, None, "it waits for its turn");
    Ok(())
}

/// As it was recorded before messages carried a version.
const OLD_CLAIM: &str = include_str!("../../../protocol/src/agent/recorded/version_1/claim.json");

#[tokio::test]
async fn an_attempt_fails_at_once_when_its_machine_cannot_do_it() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let job = bench.queue().await?;
    bench.pass().await?;
    let agent = bench.agent().await?;
    let old: ClaimRequest = serde_json::from_str(OLD_CLAIM)?;
    let refused = bench.orchestrator.claim(&agent.credential, old).await;
    assert!(refused.is_err_and(|err| err.to_string().contains("too old")));
    let job = bench.job(job.id).await?;
    assert_eq!(
        (job.phase, job.n_attempts),
        (Phase::Failed, 1),
        "it is not tried again"
    );
    let reason = job.reason.unwrap_or_default();
    assert!(
        reason.contains("runs a version of morpheus that is too old (it speaks version 1"),
        "{reason}"
    );
    Ok(())
}
