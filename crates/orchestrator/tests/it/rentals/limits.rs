//! A job from its order to its bill, and every limit on its way.

use orchestrator::ServiceError;
use protocol::{
    JobId, MicroUsd,
    agent::ArtifactKind,
    event::Event,
    job::Job,
    phase::{Outcome, Phase},
    problem::chain,
    spend::{BudgetScope, InstancePhase, ResumeJob, SetBudget, env},
};

use rental::MachineName;
use sim::rented::Start;

use super::office::{MINUTE, Office, USD};
use crate::fixture::{step, verdict};

on_every_provider! {
    a_job_on_a_rented_machine_costs_what_the_provider_bills,
    a_job_that_is_finished_early_ends_its_machine_and_settles,
    a_job_ends_itself_before_it_passes_its_limit,
    its_owner_is_warned_when_most_of_the_limit_is_spent,
    an_agent_that_obeys_nobody_is_ended_by_the_server,
    what_cannot_work_is_refused_before_anything_is_rented,
    a_month_that_is_used_up_lets_jobs_wait,
    a_project_that_is_used_up_is_named,
    many_jobs_never_reserve_more_than_there_is,
}

async fn a_job_on_a_rented_machine_costs_what_the_provider_bills(start: Start) {
    let office = Office::with_late_bills(start).await;
    let (job, agent, held) = office
        .running(office.request(20 * USD, &[office.gpus().usual]))
        .await;
    let machine = office.machine().await;
    assert_eq!(machine.phase, InstancePhase::Live);
    assert_eq!(machine.gpu, office.gpus().usual);
    let told = office.sim.environment(&machine.name).unwrap();
    assert_eq!(told["MORPHEUS_SERVER"], "https://morpheus.example");
    assert_eq!(told[env::PROVIDER], office.kind().name());
    assert_eq!(told[env::DEADLINE], machine.deadline_at.timestamp().to_string());
    let name: MachineName = machine.name.parse().unwrap();
    assert_eq!((name.attempt(), name.is_for(job.id)), (1, true));
    assert_eq!(name.deadline(), machine.deadline_at);

    office.minutes(10).await;
    let reply = agent.beat(&held, vec![step(1, 50)]).await.unwrap();
    let terms = reply.terms.unwrap();
    let left = (machine.deadline_at - office.sim.now()).num_seconds();
    assert!(
        (i64::from(terms.seconds_to_deadline) - left).abs() <= 1,
        "{terms:?}, {left} s"
    );
    assert_eq!((terms.stop_seconds, reply.lease_seconds), (300, 600));
    let running = office.job(job.id).await.spend;
    assert!(running.spent_micro_usd > MicroUsd::ZERO && running.reserved_micro_usd > MicroUsd::ZERO);
    assert!(running.spent_micro_usd >= office.sim.bill());
    assert!(
        office
            .bench
            .stream(job.id)
            .await
            .unwrap()
            .iter()
            .any(|event| matches!(event.event, Event::Spend { .. }))
    );

    let finish = agent.completed(&held, verdict(&[])).await.unwrap();
    office
        .bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await
        .unwrap();
    let job = settled(&office, job.id).await;
    assert_eq!(job.spend.rate_micro_usd, MicroUsd::ZERO);
    office.audit().await;
}

/// The work of a job is done: its machine is ended at once, and all that was not spent is free again.
async fn settled(office: &Office, id: JobId) -> Job {
    office.pass().await;
    assert_eq!(
        office.sim.living(),
        [""; 0],
        "it is ended as soon as its work is done"
    );
    office.settle().await;
    let (job, bill) = (office.job(id).await, office.sim.bill());
    assert_eq!(job.phase, Phase::Succeeded);
    assert_eq!(
        (job.spend.spent_micro_usd, job.spend.reserved_micro_usd),
        (bill, MicroUsd::ZERO)
    );
    job
}

async fn a_job_that_is_finished_early_ends_its_machine_and_settles(start: Start) {
    let office = Office::new(start).await;
    let mut request = office.request(50 * USD, &[office.gpus().usual]);
    request.parameters.n_steps = Some(900_000);
    let (job, agent, held) = office.running(request).await;
    office.minutes(5).await;
    let orchestrator = &office.bench.orchestrator;
    let told = orchestrator.finish_early(office.bench.owner(), job.id).await;
    assert!(told.unwrap().is_finishing);
    assert_eq!(
        agent.orders(&held).await.unwrap(),
        [protocol::agent::Directive::Finish]
    );
    let finish = agent.completed(&held, verdict(&[])).await.unwrap();
    orchestrator
        .finish(&agent.credential, held.id, finish)
        .await
        .unwrap();
    settled(&office, job.id).await;
    office.audit().await;
}

async fn a_job_ends_itself_before_it_passes_its_limit(start: Start) {
    let office = Office::new(start).await;
    let mut request = office.request(50 * USD, &[office.gpus().largest]);
    request.rental.n_gpus = 8;
    request.parameters.n_steps = Some(900_000);
    let (job, agent, held) = office.running(request).await;
    loop {
        office.minutes(1).await;
        let reply = agent.beat(&held, Vec::new()).await.unwrap();
        let terms = reply.terms.unwrap();
        // What the agent's dead-man switch does.
        if terms.seconds_to_deadline <= terms.stop_seconds {
            break;
        }
    }
    agent
        .bring(&held, ArtifactKind::Checkpoint { step: 60 }, b"checkpoint")
        .await
        .unwrap();
    agent.finish(&held, Outcome::Lost).await.unwrap();
    office.minutes(3).await;
    let stopped = office.job(job.id).await;
    assert_eq!(stopped.phase, Phase::Stopped, "{:?}", stopped.reason);
    let reason = stopped.reason.unwrap();
    assert!(reason.contains("limit of $50.00 is reached"), "{reason}");
    assert_eq!(stopped.checkpoint_step, Some(60));
    office.settle().await;
    let bill = office.sim.bill();
    assert!(bill <= MicroUsd(50 * USD) && bill > MicroUsd(35 * USD), "{bill}");
    assert_eq!(office.job(job.id).await.spend.spent_micro_usd, bill);

    // With more money it goes on from there.
    let orchestrator = &office.bench.orchestrator;
    let refused = orchestrator
        .resume_job(office.bench.owner(), job.id, with_limit(bill))
        .await;
    assert!(chain(&refused.unwrap_err()).contains("must be more than"));
    orchestrator
        .resume_job(office.bench.owner(), job.id, with_limit(MicroUsd(100 * USD)))
        .await
        .unwrap();
    office.pass().await;
    office.minutes(1).await;
    let agent = office.agent(&office.machine().await.name).await;
    assert!(agent.claim_train().await.unwrap().work.resume_from.is_some());
    office.audit().await;
}

async fn its_owner_is_warned_when_most_of_the_limit_is_spent(start: Start) {
    let office = Office::new(start).await;
    let mut request = office.request(2 * USD, &[office.gpus().usual]);
    request.parameters.n_steps = Some(900_000);
    let (job, agent, held) = office.running(request).await;
    let warned = async || {
        let stream = office.bench.stream(job.id).await.unwrap();
        let warnings = stream
            .iter()
            .filter(|event| matches!(event.event, Event::Log { .. }));
        warnings.count()
    };
    loop {
        office.minutes(5).await;
        let reply = agent.beat(&held, Vec::new()).await.unwrap();
        let spent = office.job(job.id).await.spend.spent_micro_usd;
        let is_most = spent >= MicroUsd(2 * USD * 8 / 10);
        assert_eq!(warned().await, usize::from(is_most), "{spent}");
        if is_most {
            assert_eq!(reply.directives, [protocol::agent::Directive::Checkpoint]);
            break;
        }
        assert_eq!(reply.directives, []);
    }
    office.minutes(2).await;
    assert_eq!(warned().await, 1, "once is enough");
}

async fn an_agent_that_obeys_nobody_is_ended_by_the_server(start: Start) {
    let office = Office::new(start).await;
    let mut request = office.request(50 * USD, &[office.gpus().largest]);
    request.rental.n_gpus = 8;
    request.parameters.n_steps = Some(900_000);
    let (job, agent, held) = office.running(request).await;
    let deadline = office.machine().await.deadline_at;
    while office.sim.now() < deadline {
        office.minutes(1).await;
        // It renews its lease, and goes on for ever.
        let _ = agent.beat(&held, Vec::new()).await;
    }
    office.minutes(1).await;
    assert_eq!(office.sim.living(), [""; 0]);
    let lost = agent.beat(&held, Vec::new()).await.unwrap_err();
    assert!(matches!(lost, ServiceError::LeaseLost), "{lost:?}");
    office.settle().await;
    assert!(office.sim.bill() <= MicroUsd(50 * USD));
    assert_eq!(office.job(job.id).await.spend.spent_micro_usd, office.sim.bill());
}

async fn what_cannot_work_is_refused_before_anything_is_rented(start: Start) {
    let office = Office::new(start).await;
    let refused = async |change: fn(&mut protocol::job::CreateJob)| {
        let mut request = office.request(20 * USD, &[]);
        change(&mut request);
        chain(&office.submit(request).await.unwrap_err())
    };
    for limit in [0, -1] {
        let request = office.request(limit, &[]);
        let err = chain(&office.submit(request).await.unwrap_err());
        assert!(
            err.contains("limit_micro_usd") && err.contains("more than 0"),
            "{err}"
        );
    }
    let err = refused(|request| request.limit_micro_usd = Some(MicroUsd(1000))).await;
    assert!(err.contains("must be at least $0."), "{err}");
    let err = refused(|request| request.limit_micro_usd = None).await;
    assert!(err.contains("limit_micro_usd: required"), "{err}");
    let err = refused(|request| request.rental.gpus = vec!["NVIDIA Nothing".to_owned()]).await;
    assert!(err.contains("none of NVIDIA Nothing is available"), "{err}");
    let err = refused(|request| request.rental.n_gpus = 9).await;
    assert!(err.contains("rental.n_gpus: must be from 1 to 8"), "{err}");
    let err = refused(|request| request.rental.max_rate_micro_usd = Some(MicroUsd(1))).await;
    assert!(err.contains("no machine is available"), "{err}");

    // Without the estimate that the user saw, or with another one.
    let (owner, orchestrator) = (office.bench.owner(), &office.bench.orchestrator);
    let request = office.request(20 * USD, &[]);
    let err = chain(&orchestrator.create_job(owner, request.clone()).await.unwrap_err());
    assert!(err.contains("estimate_hash"), "{err}");
    let stale = protocol::job::CreateJob {
        estimate_hash: Some("0".repeat(64)),
        ..request
    };
    let err = chain(&orchestrator.create_job(owner, stale).await.unwrap_err());
    assert!(err.contains("changed since the estimate"), "{err}");
    assert_eq!(office.instances().await, []);
}

async fn a_month_that_is_used_up_lets_jobs_wait(start: Start) {
    let office = Office::new(start).await;
    let (owner, orchestrator) = (office.bench.owner(), &office.bench.orchestrator);
    let set = |scope, limit: Option<i64>| SetBudget {
        scope,
        key: None,
        limit_micro_usd: limit.map(MicroUsd),
    };
    let first = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap();
    office.pass().await;
    let reserved = office.job(first.id).await.spend.reserved_micro_usd;
    assert!(reserved > MicroUsd::ZERO);
    let second = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap();
    orchestrator
        .set_budget(owner, set(BudgetScope::Month, Some(reserved.0)))
        .await
        .unwrap();
    office.pass().await;
    let waits = office.job(second.id).await;
    assert_eq!(waits.phase, Phase::Queued);
    let reason = waits.reason.unwrap();
    assert!(
        reason.contains("waits for money") && reason.contains("month"),
        "{reason}"
    );
    assert_eq!(office.sim.living().len(), 1);
    // Nothing more can be submitted, either.
    let err = chain(
        &office
            .submit(office.request(20 * USD, &[office.gpus().usual]))
            .await
            .unwrap_err(),
    );
    assert!(err.contains("the budget of the month 20"), "{err}");
    let err = orchestrator
        .set_budget(owner, set(BudgetScope::Month, Some(0)))
        .await
        .unwrap_err();
    assert!(matches!(err, ServiceError::Invalid(_)), "{err}");
    orchestrator
        .set_budget(owner, set(BudgetScope::Month, None))
        .await
        .unwrap();
    office.audit().await;
}

async fn a_project_that_is_used_up_is_named(start: Start) {
    let office = Office::new(start).await;
    let budget = SetBudget {
        scope: BudgetScope::Project,
        key: Some("Book One".to_owned()),
        limit_micro_usd: Some(MicroUsd(10_000)),
    };
    let (owner, orchestrator) = (office.bench.owner(), &office.bench.orchestrator);
    orchestrator.set_budget(owner, budget).await.unwrap();
    let mut request = office.request(20 * USD, &[office.gpus().usual]);
    request.project = Some("Book One".to_owned());
    let err = chain(&office.submit(request).await.unwrap_err());
    assert!(
        err.contains("the budget of the project `Book One` has $0.01 left"),
        "{err}"
    );
}

async fn many_jobs_never_reserve_more_than_there_is(start: Start) {
    let office = Office::new(start).await;
    let (owner, orchestrator) = (office.bench.owner(), &office.bench.orchestrator);
    for _ in 0..12 {
        let mut request = office.request(20 * USD, &[office.gpus().usual]);
        request.project = Some("book one".to_owned());
        office.submit(request).await.unwrap();
    }
    let limit = MicroUsd(2 * USD);
    let budget = SetBudget {
        scope: BudgetScope::Project,
        key: Some("book one".to_owned()),
        limit_micro_usd: Some(limit),
    };
    orchestrator.set_budget(owner, budget).await.unwrap();
    office.pass().await;
    let n_first = office.sim.living().len();
    assert!((1..=4).contains(&n_first), "{n_first}");
    for _ in 0..40 {
        office.sim.step(3 * MINUTE);
        office.pass().await;
        let budgets = orchestrator.spend(owner).await.unwrap().budgets;
        let project = budgets
            .iter()
            .find(|budget| budget.scope == BudgetScope::Project)
            .unwrap();
        assert!(
            project.spent_micro_usd + project.reserved_micro_usd <= limit,
            "{project:?}"
        );
        assert!(office.sim.bill() <= limit);
    }
    office.audit().await;
}

fn with_limit(limit: MicroUsd) -> ResumeJob {
    ResumeJob {
        limit_micro_usd: Some(limit),
        ..ResumeJob::default()
    }
}
