//! Each way in which the provider fails: nothing is lost, forgotten, or paid twice.

use protocol::{
    MicroUsd,
    agent::ArtifactKind,
    phase::{Outcome, Phase},
    spend::InstancePhase,
};
use sim::rented::{Death, Fault, Reads, Reply, Route, Start, What};

use super::{
    office::{Office, USD},
    table,
};
use crate::fixture::step;

on_every_provider! {
    an_order_that_was_carried_out_and_not_answered_is_found_by_its_name,
    an_order_that_was_lost_is_given_up_and_made_again_under_another_name,
    a_machine_that_shows_up_after_it_was_given_up_is_ended,
    where_nothing_is_free_the_next_one_is_asked_for,
    where_nothing_at_all_is_free_the_job_waits_as_long_as_it_takes,
    an_empty_account_halts_everything_until_somebody_has_looked,
    a_machine_that_is_dearer_than_offered_is_given_back_at_once,
    a_price_that_rises_never_leads_past_the_limit,
    a_machine_that_dies_is_followed_by_another_that_goes_on,
    an_end_that_is_confirmed_and_not_carried_out_is_ordered_again,
    a_machine_that_a_list_leaves_out_is_not_given_up,
    a_machine_whose_agent_never_calls_is_ended_in_time,
    an_agent_that_falls_silent_loses_its_machine,
    machines_of_others_are_shown_and_never_touched,
    a_machine_of_ours_that_the_database_does_not_know_is_ended,
    a_job_that_is_cancelled_before_its_agent_calls_gives_its_machine_back,
    too_many_requests_are_waited_out,
    a_machine_that_came_and_went_unseen_is_found_by_its_bill,
}

/// Runs a job to its end whatever happened before, and compares the books.
async fn ends_well(office: &Office, job: protocol::JobId) {
    for _ in 0..60 {
        if office.job(job).await.phase == Phase::Launching {
            break;
        }
        office.minutes(1).await;
    }
    office.minutes(2).await;
    let live = office.instances().await;
    let live = live
        .iter()
        .find(|machine| machine.phase == InstancePhase::Live)
        .expect("a machine");
    let agent = office.agent(&live.name).await;
    let held = agent.claim_train().await.unwrap();
    let finish = agent
        .completed(&held, crate::fixture::verdict(&[]))
        .await
        .unwrap();
    office
        .bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await
        .unwrap();
    office.minutes(40).await;
    office.settle().await;
    assert_eq!(office.job(job).await.phase, Phase::Succeeded);
    assert_eq!(office.spent().await, office.sim.bill());
    office.audit().await;
}

async fn an_order_that_was_carried_out_and_not_answered_is_found_by_its_name(start: Start) {
    for reply in [Reply::Status500, Reply::Hang, Reply::Reset] {
        let office = Office::new(start).await;
        office.sim.fault(Fault::once(What::CreateLost { reply }));
        office.sim.fault(Fault::always(What::Lag {
            reads: Reads::Both,
            seconds: 60,
        }));
        let job = office
            .submit(office.request(20 * USD, &[office.gpus().usual]))
            .await
            .unwrap();
        office.pass().await;
        assert_eq!(office.machine().await.phase, InstancePhase::Unknown);
        office.minutes(2).await;
        assert_eq!(office.machine().await.phase, InstancePhase::Live);
        assert_eq!(office.sim.living().len(), 1, "nothing was ordered twice");
        ends_well(&office, job.id).await;
        table::row(
        &office,
        "an order is carried out and answered with 500, never, or with a closed connection; lists lag by 60 s",
        "the machine is found by its name; nothing is ordered twice",
    )
    .await;
    }
}

async fn an_order_that_was_lost_is_given_up_and_made_again_under_another_name(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::once(What::Silence {
        route: Route::Create,
        reply: Reply::Reset,
    }));
    let job = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap();
    office.pass().await;
    let first = office.machine().await;
    assert_eq!(first.phase, InstancePhase::Unknown);
    office.minutes(6).await;
    let all = office.instances().await;
    let lost = all.iter().find(|machine| machine.name == first.name).unwrap();
    assert_eq!(lost.phase, InstancePhase::Abandoned);
    assert!(lost.reserved_micro_usd < first.reserved_micro_usd && lost.reserved_micro_usd > MicroUsd::ZERO);
    assert_eq!(office.sim.living().len(), 1);
    ends_well(&office, job.id).await;
    table::row(
        &office,
        "an order is lost",
        "given up after 5 minutes and made again under another name; a part of the money is kept until it is sure that nothing was charged",
    )
    .await;
}

async fn a_machine_that_shows_up_after_it_was_given_up_is_ended(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::once(What::CreateLost {
        reply: Reply::Status500,
    }));
    let job = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap();
    office.pass().await;
    let first = office.machine().await.name;
    // Longer than anybody looks for it.
    let hidden = What::Omit {
        reads: Reads::Both,
        seconds: 10 * 60,
    };
    office.sim.fault(Fault::always(hidden).named(&first));
    office.minutes(9).await;
    assert_eq!(office.sim.living().len(), 2, "the job did not wait for it");
    office.minutes(3).await;
    assert!(
        !office.sim.living().contains(&first),
        "{:?}",
        office.instances().await
    );
    ends_well(&office, job.id).await;
    table::row(
        &office,
        "a machine shows up after it was given up",
        "ended, and paid for",
    )
    .await;
}

async fn where_nothing_is_free_the_next_one_is_asked_for(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::always(What::NoCapacity {
        gpu: Some(office.gpus().usual.to_owned()),
    }));
    let wanted = [office.gpus().usual, office.gpus().cheapest];
    let job = office.submit(office.request(20 * USD, &wanted)).await.unwrap();
    office.pass().await;
    assert_eq!(office.machine().await.gpu, office.gpus().cheapest);
    office.minutes(1).await;
    ends_well(&office, job.id).await;
    table::row(
        &office,
        "no machine of the wanted type is free",
        "the next type is asked for",
    )
    .await;
}

async fn where_nothing_at_all_is_free_the_job_waits_as_long_as_it_takes(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::always(What::NoCapacity { gpu: None }));
    let job = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap();
    office.pass().await;
    let waits = office.job(job.id).await;
    assert_eq!(waits.phase, Phase::Queued);
    assert!(waits.reason.unwrap().contains("no machine is free"));
    assert_eq!(waits.spend.reserved_micro_usd, MicroUsd::ZERO);
    assert_eq!(office.sim.bill(), MicroUsd::ZERO);
    table::row(
        &office,
        "no machine is free at all",
        "the job waits; nothing is set aside, nothing is held against it",
    )
    .await;
}

async fn an_empty_account_halts_everything_until_somebody_has_looked(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::once(What::Answer {
        route: Route::Create,
        status: 402,
        retry_after_s: None,
    }));
    let job = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap();
    office.pass().await;
    let provider = office.provider().await;
    assert!(
        provider.halted.as_ref().unwrap().contains("too little money"),
        "{provider:?}"
    );
    let refused = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("is paused until it is resumed"),
        "{refused}"
    );
    office
        .bench
        .orchestrator
        .unhalt(office.kind().name())
        .await
        .unwrap();
    assert_eq!(office.job(job.id).await.phase, Phase::Queued);
    assert_eq!(office.job(job.id).await.spend.reserved_micro_usd, MicroUsd::ZERO);
    table::row(
        &office,
        "the account is empty (402)",
        "nothing is ordered any more until somebody has looked",
    )
    .await;
}

async fn a_machine_that_is_dearer_than_offered_is_given_back_at_once(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::once(What::Price { percent: 200 }));
    let job = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap();
    office.pass().await;
    let all = office.instances().await;
    assert!(
        all.iter().any(|machine| machine.phase == InstancePhase::Ending),
        "{all:?}"
    );
    ends_well(&office, job.id).await;
    table::row(
        &office,
        "a machine costs twice what it was offered for",
        "given back at once; the next offer is asked for",
    )
    .await;
}

async fn a_price_that_rises_never_leads_past_the_limit(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::once(What::PriceChange {
        after_s: 600,
        percent: 400,
    }));
    let limit = 2 * USD;
    let mut request = office.request(limit, &[office.gpus().usual]);
    request.parameters.n_steps = Some(900_000);
    let (_, agent, held) = office.running(request).await;
    for _ in 0..200 {
        office.minutes(1).await;
        // It never stops by itself.
        if agent.beat(&held, vec![step(1, 1)]).await.is_err() {
            break;
        }
    }
    assert_eq!(office.sim.living(), [""; 0]);
    office.settle().await;
    assert!(office.sim.bill() <= MicroUsd(limit), "{}", office.sim.bill());
    assert_eq!(office.spent().await, office.sim.bill());
    table::row(
        &office,
        "the price rises fourfold while it runs, and its agent never stops",
        "more is set aside if the budgets allow it, else it goes earlier; the limit holds",
    )
    .await;
}

async fn a_machine_that_dies_is_followed_by_another_that_goes_on(start: Start) {
    for how in [Death::Vanishes, Death::Error, Death::Exited] {
        let office = Office::new(start).await;
        office.sim.fault(Fault::once(What::Dies { after_s: 600, how }));
        let (job, agent, held) = office
            .running(office.request(20 * USD, &[office.gpus().usual]))
            .await;
        agent
            .bring(&held, ArtifactKind::Checkpoint { step: 40 }, b"checkpoint")
            .await
            .unwrap();
        office.minutes(20).await;
        let job = office.job(job.id).await;
        assert_eq!(
            (job.phase, job.n_attempts, job.checkpoint_step),
            (Phase::Launching, 2, Some(40)),
            "{how:?}"
        );
        ends_well(&office, job.id).await;
        table::row(
            &office,
            "a machine vanishes, fails, or stops",
            "another one goes on from the newest checkpoint",
        )
        .await;
    }
}

async fn an_end_that_is_confirmed_and_not_carried_out_is_ordered_again(start: Start) {
    let office = Office::new(start).await;
    office
        .sim
        .fault(Fault::always(What::DeleteIgnored { seconds: Some(180) }));
    office.sim.fault(
        Fault::always(What::Answer {
            route: Route::Delete,
            status: 500,
            retry_after_s: None,
        })
        .percent(50),
    );
    let (job, agent, held) = office
        .running(office.request(20 * USD, &[office.gpus().usual]))
        .await;
    agent.finish(&held, Outcome::Failed).await.unwrap();
    office.minutes(1).await;
    assert_eq!(office.machine().await.phase, InstancePhase::Ending);
    assert!(
        office.job(job.id).await.spend.reserved_micro_usd > MicroUsd::ZERO,
        "nothing is free before it is gone"
    );
    office.minutes(8).await;
    office.sim.clear_faults();
    office.settle().await;
    assert_eq!(office.spent().await, office.sim.bill());
    table::row(
        &office,
        "an end is confirmed and not carried out for 3 minutes; half of the orders to end are answered with 500",
        "ordered again until it is gone; its money is not free before",
    )
    .await;
}

async fn a_machine_that_a_list_leaves_out_is_not_given_up(start: Start) {
    let office = Office::new(start).await;
    let (job, agent, held) = office
        .running(office.request(20 * USD, &[office.gpus().usual]))
        .await;
    office.sim.fault(Fault::always(What::Omit {
        reads: Reads::List,
        seconds: 600,
    }));
    office.minutes(9).await;
    agent.beat(&held, Vec::new()).await.unwrap();
    assert_eq!(office.job(job.id).await.phase, Phase::Running);
    // And one that comes back after it was given up is ended, and paid for.
    let name = office.machine().await.name;
    let hidden = What::Omit {
        reads: Reads::Both,
        seconds: 600,
    };
    office.sim.fault(Fault::always(hidden).named(&name));
    office.minutes(15).await;
    assert!(
        !office.sim.living().contains(&name),
        "{:?}",
        office.instances().await
    );
    ends_well(&office, job.id).await;
    table::row(
        &office,
        "a list leaves a machine out for 10 minutes; then nothing shows it for 10 more",
        "its own page decides at first; then it is given up, and ended and paid for when it is back",
    )
    .await;
}

async fn a_machine_whose_agent_never_calls_is_ended_in_time(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::once(What::StuckProvisioning));
    let job = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap();
    office.pass().await;
    let stuck = office.machine().await.name;
    office.minutes(20).await;
    assert!(office.sim.living().contains(&stuck));
    office.minutes(3).await;
    assert!(!office.sim.living().contains(&stuck));
    ends_well(&office, job.id).await;
    table::row(
        &office,
        "a machine never gets past provisioning",
        "ended after 21 minutes",
    )
    .await;
}

async fn an_agent_that_falls_silent_loses_its_machine(start: Start) {
    let office = Office::new(start).await;
    let (job, _agent, _held) = office
        .running(office.request(20 * USD, &[office.gpus().usual]))
        .await;
    let machine = office.machine().await.name;
    office.minutes(14).await;
    assert!(
        office.sim.living().contains(&machine),
        "its lease and its time to stop are respected"
    );
    office.minutes(3).await;
    assert!(!office.sim.living().contains(&machine));
    ends_well(&office, job.id).await;
    table::row(
        &office,
        "an agent falls silent",
        "its machine is ended after its lease and its time to stop; another one goes on",
    )
    .await;
}

async fn machines_of_others_are_shown_and_never_touched(start: Start) {
    let office = Office::new(start).await;
    office.rent("my-notebook").await;
    office.minutes(60).await;
    assert_eq!(office.sim.living(), ["my-notebook"]);
    let provider = office.provider().await;
    assert_eq!(provider.n_foreign, 1);
    assert!(provider.foreign_rate_micro_usd > MicroUsd::ZERO);
    table::row(
        &office,
        "the account has machines of others",
        "shown, never touched",
    )
    .await;
}

async fn a_machine_of_ours_that_the_database_does_not_know_is_ended(start: Start) {
    use rental::MachineName;
    let office = Office::new(start).await;
    let deadline = office.sim.now() + chrono::TimeDelta::hours(2);
    let name = MachineName::new(
        office.kind().names(),
        office.bench.store().deployment(),
        protocol::JobId::new(),
        1,
        deadline,
    );
    office.rent(&name.to_string()).await;
    office.minutes(5).await;
    assert_eq!(office.sim.living().len(), 1, "its row may be on its way");
    office.minutes(7).await;
    assert_eq!(office.sim.living(), [""; 0]);
    table::row(
        &office,
        "a machine with our mark that no row knows: the database is an older copy",
        "ended when it is 10 minutes old; without a row it is in no ledger",
    )
    .await;
}

async fn a_job_that_is_cancelled_before_its_agent_calls_gives_its_machine_back(start: Start) {
    let office = Office::new(start).await;
    let job = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap();
    office.pass().await;
    office.sim.step(std::time::Duration::from_secs(10));
    office
        .bench
        .orchestrator
        .cancel_job(office.bench.owner(), job.id)
        .await
        .unwrap();
    office.pass().await;
    assert_eq!(office.job(job.id).await.phase, Phase::Cancelled);
    assert_eq!(office.sim.living(), [""; 0]);
    office.settle().await;
    assert_eq!(office.spent().await, office.sim.bill());
    assert!(
        office.sim.bill() > MicroUsd::ZERO,
        "it was charged from its order on"
    );
    table::row(
        &office,
        "a job is cancelled before its agent has called",
        "the machine is ended at once, and paid for",
    )
    .await;
}

async fn too_many_requests_are_waited_out(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::once(What::Answer {
        route: Route::Create,
        status: 429,
        retry_after_s: Some(1),
    }));
    let job = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap();
    office.pass().await;
    assert_eq!(office.job(job.id).await.phase, Phase::Queued);
    assert_eq!(office.job(job.id).await.spend.reserved_micro_usd, MicroUsd::ZERO);
    table::row(&office, "429 with `Retry-After`", "waited out").await;
}

/// Nobody has learned its id: bills are all that tells of it.
async fn a_machine_that_came_and_went_unseen_is_found_by_its_bill(start: Start) {
    let office = Office::new(start).await;
    let notebook = office.rent("my-notebook").await;
    office.pass().await;
    office
        .sim
        .fault(Fault::once(What::CreateLost { reply: Reply::Reset }));
    let job = office
        .submit(office.request(20 * USD, &[office.gpus().usual]))
        .await
        .unwrap();
    office.pass().await;
    let lost = office.machine().await.name;
    // The server is away meanwhile; the agent reaches nobody, and ends its machine.
    office.sim.step(12 * super::office::MINUTE);
    office.end(&lost).await;
    office
        .bench
        .orchestrator
        .cancel_job(office.bench.owner(), job.id)
        .await
        .unwrap();
    office.minutes(5).await;
    assert!(office.job(job.id).await.spend.reserved_micro_usd > MicroUsd::ZERO);
    office.minutes(170).await;
    let all = office.instances().await;
    let seen = all.iter().find(|machine| machine.name == lost).unwrap();
    let handle = seen.handle.as_ref().expect("its bill has told");
    assert_ne!(*handle, notebook);
    assert_eq!(office.sim.living(), ["my-notebook"]);
    office.account.terminate(&notebook).await.unwrap();
    office.settle().await;
    assert_eq!(office.spent().await, office.sim.machine_bill(handle).unwrap());
    assert!(office.spent().await > MicroUsd::ZERO);
    office.audit().await;
    table::row(
        &office,
        "a machine whose order was not answered ends before any list has it",
        "found by its bill, by elimination: one that began after the order, is nobody else's, and is not too large",
    )
    .await;
}
