//! Rented machines whose files are kept on the server's own disk, while that is short.

use std::sync::atomic::Ordering;

use protocol::{
    agent::{ArtifactKind, Directive},
    phase::{Outcome, Phase},
};

use sim::rented::Start;

use super::office::{Office, USD};
use crate::disk::{GIB, checkpoint_of, disk, wanted};

on_every_provider! {
    a_rented_job_pauses_and_no_machine_is_ordered_until_there_is_room,
}

async fn a_rented_job_pauses_and_no_machine_is_ordered_until_there_is_room(start: Start) {
    let mut office = Office::new(start).await;
    let (disk, free) = disk();
    office.bench.restart_with(|options| options.disk = disk);
    let (job, agent, held) = office
        .running(office.request(20 * USD, &[office.gpus().usual]))
        .await;
    agent
        .bring(&held, ArtifactKind::Checkpoint { step: 10 }, b"first")
        .await
        .unwrap();
    checkpoint_of(&office.bench, &held, 4 * GIB).await.unwrap();
    office.pass().await;
    assert_eq!(wanted(&office.bench), 6 * GIB, "the other copy is on the machine");

    free.store(5 * GIB, Ordering::Relaxed);
    office.pass().await;
    assert_eq!(agent.orders(&held).await.unwrap(), [Directive::Stop]);
    agent.finish(&held, Outcome::Stopped).await.unwrap();
    office.pass().await;
    assert_eq!(
        office.sim.living(),
        Vec::<String>::new(),
        "it costs nothing while it waits"
    );
    assert_eq!(office.job(job.id).await.phase, Phase::Queued);
    for _ in 0..3 {
        office.minutes(1).await;
        assert_eq!(office.sim.living(), Vec::<String>::new());
    }
    let reason = office.job(job.id).await.reason.unwrap_or_default();
    assert!(reason.starts_with("paused with a checkpoint"), "{reason}");

    free.store(50 * GIB, Ordering::Relaxed);
    office.pass().await;
    office.pass().await;
    assert_eq!(office.sim.living().len(), 1, "another machine");
    office.minutes(1).await;
    let agent = office.agent(&office.machine().await.name).await;
    let held = agent.claim_train().await.unwrap();
    assert!(held.work.resume_from.is_some());
    agent.finish(&held, Outcome::Failed).await.unwrap();
    office.settle().await;
    office.audit().await;
}
