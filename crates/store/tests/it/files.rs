//! Files of jobs: every kind is kept, and evidence goes with what was judged.

use std::{collections::BTreeSet, iter::successors};

use protocol::{
    JobId,
    agent::{ArtifactKind, NewArtifact},
};
use store::{
    BlobKey, Tx,
    artifacts::{self, Artifact},
    attempts::Attempt,
    jobs,
    models::{self, NewVersion},
    references,
};

use crate::fixture::{TestStore, judgement, metadata, verdict};

/// The kind after another one.
fn next(kind: &ArtifactKind) -> Option<ArtifactKind> {
    Some(match kind {
        ArtifactKind::Sample { .. } => ArtifactKind::Checkpoint { step: 20 },
        ArtifactKind::Checkpoint { .. } => ArtifactKind::Lora { step: 40 },
        ArtifactKind::Lora { .. } => ArtifactKind::PictureBefore,
        ArtifactKind::PictureBefore => ArtifactKind::PictureAfter,
        ArtifactKind::PictureAfter => ArtifactKind::Picture,
        ArtifactKind::Picture => ArtifactKind::Edited,
        ArtifactKind::Edited => evidence(40, "plain-7"),
        ArtifactKind::Evidence { .. } => return None,
    })
}

fn sample(prompt_index: u32) -> ArtifactKind {
    ArtifactKind::Sample {
        step: 0,
        prompt_index,
        prompt: "zora".to_owned(),
        seed: 7,
    }
}

fn evidence(step: u32, name: &str) -> ArtifactKind {
    let name = name.to_owned();
    ArtifactKind::Evidence { step, name }
}

async fn announce(
    tx: &Tx,
    test: &TestStore,
    attempt: &Attempt,
    kind: ArtifactKind,
    seed: u8,
) -> anyhow::Result<Artifact> {
    let new = NewArtifact {
        fence: 0,
        kind,
        file_name: format!("{seed}.bin"),
        size_bytes: 5,
        sha256: hex::encode([seed; 32]),
    };
    Ok(artifacts::announce(tx, test.owner(), attempt, &new).await?)
}

async fn keep(
    tx: &Tx,
    test: &TestStore,
    attempt: &Attempt,
    kind: ArtifactKind,
    seed: u8,
) -> anyhow::Result<Artifact> {
    let file = announce(tx, test, attempt, kind, seed).await?;
    artifacts::mark_stored(tx, file.id).await?;
    Ok(file)
}

pub(crate) async fn of_every_kind_are_kept(test: TestStore) -> anyhow::Result<()> {
    let job = test.job(test.dataset().await?).await?;
    let (attempt, _) = test.attempt(job, 1).await?;
    let kinds: Vec<ArtifactKind> = successors(Some(sample(0)), next).collect();
    let tx = test.store.begin().await?;
    for (seed, kind) in (1..).zip(&kinds) {
        keep(&tx, &test, &attempt, kind.clone(), seed).await?;
    }
    tx.commit().await?;
    let kept = artifacts::of_job(&test.store, test.owner(), job).await?;
    let kept: Vec<ArtifactKind> = kept.into_iter().map(|file| file.kind).collect();
    assert_eq!(kept, kinds);
    Ok(())
}

pub(crate) async fn tell_which_first_samples_there_are(test: TestStore) -> anyhow::Result<()> {
    let job = test.job(test.dataset().await?).await?;
    let (attempt, _) = test.attempt(job, 1).await?;
    let tx = test.store.begin().await?;
    keep(&tx, &test, &attempt, sample(2), 1).await?;
    announce(&tx, &test, &attempt, sample(1), 2).await?;
    tx.commit().await?;
    let drawn = artifacts::start_samples(&test.store, job).await?;
    assert_eq!(drawn, BTreeSet::from([2]), "one did not arrive");
    Ok(())
}

pub(crate) async fn show_what_versions_were_found_to_be(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let job: JobId = test.job(test.dataset().await?).await?;
    let (attempt, _) = test.attempt(job, 1).await?;
    let tx = store.begin().await?;
    let of_checkpoint = keep(&tx, &test, &attempt, evidence(20, "plain-7"), 1).await?;
    keep(&tx, &test, &attempt, evidence(40, "plain-7"), 2).await?;
    let newest = keep(&tx, &test, &attempt, evidence(40, "plain-7"), 3).await?;
    let on_its_way = announce(&tx, &test, &attempt, evidence(40, "base-7"), 4).await?;
    let file = keep(&tx, &test, &attempt, ArtifactKind::Lora { step: 40 }, 5).await?;
    let judged = judgement();
    let new = NewVersion {
        job: &jobs::state(&tx, job).await?,
        file: &file,
        n_steps: 40,
        verdict: &verdict(true),
        metadata: &metadata(),
        before: None,
        after: None,
        judgement: Some(&judged),
    };
    let version = models::create_version(&tx, new).await?;
    tx.commit().await?;

    let found = models::version(store, owner, version).await?;
    assert_eq!(found.evidence.len(), 1);
    assert!(
        found.evidence[0].url.contains(&newest.sha256[2..]),
        "{:?}",
        found.evidence
    );
    let model = models::get(store, owner, found.model_id).await?;
    assert_eq!(model.versions[0].evidence.len(), 1);
    let listed = models::list(store, owner, None, 10).await?;
    assert!(listed[0].versions[0].evidence.is_empty(), "lists do without");
    assert_eq!(listed[0].versions[0].judgement, Some(judged.clone()));

    let stored = artifacts::evidence(store, &BTreeSet::from([(job, 20)])).await?;
    let url = |key: &BlobKey| key.sha256();
    let of_step = |step| stored.of_judgement((job, step), &judged, url);
    assert_eq!(of_step(20)[0].url, of_checkpoint.sha256);
    assert!(of_step(40).is_empty(), "nobody asked for it");

    let ids = [of_checkpoint.id, newest.id, on_its_way.id];
    for file in references::files_again(store, &ids).await? {
        assert_eq!(file.is_used, file.id == newest.id, "{file:?}");
    }
    Ok(())
}
