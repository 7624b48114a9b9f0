//! Each way in which a drawing session goes wrong: nothing is left running, forgotten, or paid twice.

use std::sync::atomic::Ordering;

use orchestrator::ServiceError;
use protocol::{MicroUsd, drawing::DrawingPhase, generation::GenerationPhase, spend::InstancePhase};
use sim::rented::{Death, Fault, Reads, Reply, Route, Start, What};

use super::{
    super::{
        office::{Crashing, MINUTE, Office, USD},
        table,
    },
    call,
};
use crate::disk::{GIB, disk};

on_every_provider! {
    a_lost_order_ends_the_session,
    an_unanswered_order_is_found,
    a_machine_that_shows_up_after_its_session_is_ended,
    a_session_that_finds_no_machine_says_why,
    a_session_whose_machine_may_not_be_ordered_ends_after_a_while,
    a_session_of_a_restored_backup_is_not_rented_for,
    a_machine_that_dies_ends_its_session,
    an_agent_that_falls_silent_ends_its_session,
    a_picture_that_nobody_gets_does_not_keep_a_session,
    silence_ends_a_session_while_the_provider_does_not_answer,
    a_price_that_rises_ends_a_session_earlier,
    a_server_that_dies_anywhere_leaves_nothing_running,
}

async fn a_lost_order_ends_the_session(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::once(What::Silence {
        route: Route::Create,
        reply: Reply::Reset,
    }));
    let id = office.asked_for(5 * USD).await;
    office.pass().await;
    assert_eq!(office.machine().await.phase, InstancePhase::Unknown);
    assert_eq!(office.session(id).await.phase, DrawingPhase::Starting);
    office.minutes(6).await;
    let session = office.session(id).await;
    assert_eq!(session.phase, DrawingPhase::Ended);
    assert!(session.reason.unwrap().contains("the order was not answered"));
    assert!(session.reserved_micro_usd > MicroUsd::ZERO, "until it is certain");
    assert_eq!(office.sim.living(), [""; 0], "no other one is ordered");
    office.closes(id).await;
    table::row(
        &office,
        "a drawing session: its order is lost",
        "the session ends after 5 minutes; a part of the money is kept until it is sure that nothing was charged",
    )
    .await;
}

async fn an_unanswered_order_is_found(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::once(What::CreateLost {
        reply: Reply::Status500,
    }));
    office.sim.fault(Fault::always(What::Lag {
        reads: Reads::Both,
        seconds: 60,
    }));
    let (id, _) = office.ready(office.drawing(5 * USD)).await;
    assert_eq!(office.sim.living().len(), 1, "nothing was ordered twice");
    office.end_session(id).await;
    office.sim.clear_faults();
    office.closes(id).await;
}

async fn a_machine_that_shows_up_after_its_session_is_ended(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::once(What::CreateLost {
        reply: Reply::Status500,
    }));
    let id = office.asked_for(5 * USD).await;
    office.pass().await;
    let hidden = What::Omit {
        reads: Reads::Both,
        seconds: 10 * 60,
    };
    let name = office.machine().await.name;
    office.sim.fault(Fault::always(hidden).named(&name));
    office.minutes(9).await;
    assert_eq!(office.session(id).await.phase, DrawingPhase::Ended);
    assert_eq!(office.sim.living().len(), 1, "nobody sees it");
    office.minutes(3).await;
    assert_eq!(office.sim.living(), [""; 0]);
    office.closes(id).await;
}

async fn a_session_that_finds_no_machine_says_why(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::always(What::NoCapacity { gpu: None }));
    let id = office.asked_for(5 * USD).await;
    office.pass().await;
    office.pass().await;
    let session = office.session(id).await;
    assert_eq!(session.phase, DrawingPhase::Ended);
    assert!(session.reason.unwrap().contains("no machine is free"));
    assert_eq!(office.sim.bill(), MicroUsd::ZERO);
    office.closes(id).await;
}

async fn a_session_whose_machine_may_not_be_ordered_ends_after_a_while(start: Start) {
    let office = Office::new(start).await;
    let id = office.asked_for(5 * USD).await;
    let asked = office.ask(id).await.unwrap();
    let (store, provider) = (office.bench.store(), office.kind().name());
    let halt = async |reason| store::settings::halt(store, provider, reason).await.unwrap();
    halt(Some("the key was revoked")).await;
    office.minutes(9).await;
    assert_eq!(office.session(id).await.phase, DrawingPhase::Ordered);
    office.minutes(2).await;
    let session = office.session(id).await;
    assert_eq!(session.phase, DrawingPhase::Ended);
    let reason = session.reason.unwrap();
    assert!(reason.contains("in 10 minutes"), "{reason}");
    assert!(reason.ends_with("the key was revoked"), "{reason}");
    assert_eq!(office.generation(asked.id).await.phase, GenerationPhase::Failed);
    halt(None).await;
    office.pass().await;
    assert_eq!(office.instances().await, []);
    table::row(
        &office,
        "a drawing session: its machine may not be ordered, since renting is paused",
        "the session ends after 10 minutes, and no machine is ordered later",
    )
    .await;
}

async fn a_session_of_a_restored_backup_is_not_rented_for(start: Start) {
    let office = Office::new(start).await;
    let id = office.asked_for(5 * USD).await;
    assert_eq!(
        office.bench.orchestrator.end_restored_attempts().await.unwrap(),
        0
    );
    let session = office.session(id).await;
    assert_eq!(session.phase, DrawingPhase::Ended);
    assert!(session.reason.unwrap().contains("restored from a backup"));
    office.pass().await;
    assert_eq!(office.instances().await, []);
}

async fn a_machine_that_dies_ends_its_session(start: Start) {
    for how in [Death::Vanishes, Death::Error, Death::Exited] {
        let office = Office::new(start).await;
        office.sim.fault(Fault::once(What::Dies { after_s: 300, how }));
        let (id, agent) = office.ready(office.drawing(5 * USD)).await;
        let asked = office.ask(id).await.unwrap();
        call(&agent).await.unwrap();
        office.minutes(20).await;
        assert_eq!(
            office.generation(asked.id).await.phase,
            GenerationPhase::Failed,
            "{how:?}"
        );
        office.closes(id).await;
        assert_eq!(office.instances().await.len(), 1, "no other one is ordered");
    }
}

async fn an_agent_that_falls_silent_ends_its_session(start: Start) {
    let office = Office::new(start).await;
    let mut request = office.drawing(5 * USD);
    request.idle_minutes = 240;
    let (id, _) = office.ready(request).await;
    office.minutes(18).await;
    assert_eq!(office.sim.living(), [""; 0]);
    let session = office.closes(id).await;
    assert!(session.reason.unwrap().contains("no heartbeat"));
}

/// While the server's disk is short, it hands no pictures out.
async fn a_picture_that_nobody_gets_does_not_keep_a_session(start: Start) {
    let (disk, free) = disk();
    let office = Office::with_options(start, |options| options.disk = disk).await;
    let (id, agent) = office.ready(office.drawing(5 * USD)).await;
    let asked = office.ask(id).await.unwrap();
    free.store(GIB, Ordering::Relaxed);
    for _ in 0..8 {
        office.minutes(1).await;
        assert!(call(&agent).await.unwrap().assignment.is_none());
    }
    assert_eq!(office.session(id).await.phase, DrawingPhase::Ready);
    office.minutes(4).await;
    assert_eq!(office.sim.living(), [""; 0]);
    let failed = office.generation(asked.id).await;
    assert_eq!(failed.phase, GenerationPhase::Failed);
    let session = office.closes(id).await;
    assert!(
        session
            .reason
            .unwrap()
            .contains("no picture was asked for or drawn")
    );
}

/// Nothing is looked at meanwhile, as with a key that was revoked: the agent's own calls end it.
async fn silence_ends_a_session_while_the_provider_does_not_answer(start: Start) {
    let office = Office::new(start).await;
    let (id, agent) = office.ready(office.drawing(5 * USD)).await;
    for _ in 0..8 {
        office.sim.step(MINUTE);
        call(&agent).await.unwrap();
    }
    office.sim.step(3 * MINUTE);
    let lost = call(&agent).await.unwrap_err();
    assert!(matches!(lost, ServiceError::LeaseLost), "{lost:?}");
    assert_eq!(office.session(id).await.phase, DrawingPhase::Ending);
    let session = office.closes(id).await;
    assert!(session.reason.unwrap().contains("no picture was asked for"));
}

async fn a_price_that_rises_ends_a_session_earlier(start: Start) {
    let office = Office::new(start).await;
    office.sim.fault(Fault::once(What::PriceChange {
        after_s: 600,
        percent: 400,
    }));
    let mut request = office.drawing(2 * USD);
    request.idle_minutes = 240;
    let (id, agent) = office.ready(request).await;
    for _ in 0..400 {
        office.minutes(1).await;
        if call(&agent).await.is_err() {
            break;
        }
    }
    assert_eq!(office.sim.living(), [""; 0]);
    office.closes(id).await;
}

/// Between the intent and the settlement, wherever the server calls the provider.
async fn a_server_that_dies_anywhere_leaves_nothing_running(start: Start) {
    for crash in Crashing::ALL {
        let mut office = Office::crashing(start).await;
        let id = office.asked_for(5 * USD).await;
        office.restart(Some(crash));
        let mut n_crashes = 0;
        for n in 0..40 {
            if n == 16 {
                office.end_session(id).await;
            }
            if !office.pass_or_crash().await {
                n_crashes += 1;
                office.restart(None);
            }
            office.sim.step(MINUTE / 2);
        }
        assert_eq!(n_crashes, 1, "{crash:?}");
        assert_eq!(office.sim.living(), [""; 0], "{crash:?}");
        office.closes(id).await;
        assert_eq!(office.instances().await.len(), 1, "{crash:?}");
    }
}
