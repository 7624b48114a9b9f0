//! What was deleted, on both databases.

use chrono::TimeDelta;
use protocol::{
    ArtifactId, JobId, ModelVersionId, OwnerId,
    agent::{ArtifactKind, NewArtifact},
    generation::LoraWeight,
    library::{Labeled, UpdateLabel},
    model::Stage,
    trash::TrashKind,
};
use store::{
    StoreError, artifacts, generations, jobs, labels,
    models::{self, NewVersion},
    references, trash,
};
use uuid::Uuid;

use crate::{
    fixture::{TestStore, generation, metadata, verdict},
    populate::populate,
};

/// A job with a file that became a version.
async fn trained(test: &TestStore, seed: u8) -> anyhow::Result<(JobId, ModelVersionId, artifacts::Artifact)> {
    let (store, owner, dataset) = (&test.store, test.owner(), test.dataset().await?);
    let job = test.job(dataset).await?;
    let (attempt, _) = test.attempt(job, 1).await?;
    let tx = store.begin().await?;
    let new = NewArtifact {
        fence: 0,
        kind: ArtifactKind::Lora { step: 100 },
        file_name: "zora.safetensors".to_owned(),
        size_bytes: 5,
        sha256: hex::encode([seed; 32]),
    };
    let file = artifacts::announce(&tx, owner, &attempt, &new).await?;
    artifacts::mark_stored(&tx, file.id).await?;
    let new = NewVersion {
        job: &jobs::state(&tx, job).await?,
        file: &file,
        n_steps: 100,
        verdict: &verdict(true),
        metadata: &metadata(),
        before: None,
        after: None,
        judgement: None,
    };
    let version = models::create_version(&tx, new).await?;
    tx.commit().await?;
    Ok((job, version, file))
}

async fn hide(test: &TestStore, kind: TrashKind, id: Uuid) -> anyhow::Result<()> {
    let tx = test.store.begin().await?;
    trash::hide(&tx, test.owner(), kind, id).await?;
    tx.commit().await?;
    Ok(())
}

async fn restore(test: &TestStore, kind: TrashKind, id: Uuid) -> anyhow::Result<()> {
    let tx = test.store.begin().await?;
    trash::restore(&tx, test.owner(), kind, id).await?;
    tx.commit().await?;
    Ok(())
}

/// Purges everything that was deleted by now; returns how many.
async fn purge(test: &TestStore) -> anyhow::Result<usize> {
    let before = store::now() + TimeDelta::seconds(1);
    let mut n_purged = 0;
    for (kind, id) in trash::due(&test.store, before).await? {
        let tx = test.store.begin().await?;
        n_purged += usize::from(trash::purge(&tx, kind, id, before).await?);
        tx.commit().await?;
    }
    Ok(n_purged)
}

pub(crate) async fn hides_and_brings_back(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let (job, version, _) = trained(&test, 1).await?;
    let model = models::version(store, owner, version).await?.model_id;
    let users = trash::users_of_job(store, job.0).await?;
    assert!(users[0].contains(&version.to_string()), "{users:?}");

    // The model goes with its last version, and the job shows no result.
    hide(&test, TrashKind::ModelVersion, version.0).await?;
    assert_eq!(models::list(store, owner, None, 10).await?, []);
    assert_eq!(models::names(store, owner).await?, []);
    assert_eq!(jobs::get(store, owner, job).await?.model_version_id, None);
    assert_eq!(trash::users_of_job(store, job.0).await?, Vec::<String>::new());
    hide(&test, TrashKind::Job, job.0).await?;
    let hidden = jobs::get(store, owner, job).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    assert_eq!(jobs::list(store, owner, None, 10).await?, []);
    assert_eq!(jobs::tally(store, owner).await?, []);
    assert_eq!(jobs::newest_events(store, owner).await?, []);
    jobs::state(store, job).await?;
    let kinds = async || -> anyhow::Result<Vec<TrashKind>> {
        let listed = trash::list(store, owner).await?;
        Ok(listed.into_iter().map(|trashed| trashed.kind).collect())
    };
    assert_eq!(kinds().await?, [TrashKind::Job, TrashKind::Model]);
    assert_eq!(trash::list(store, OwnerId::new()).await?, []);

    // A version comes back with its model and its job.
    restore(&test, TrashKind::ModelVersion, version.0).await?;
    assert_eq!(models::get(store, owner, model).await?.versions[0].id, version);
    assert_eq!(
        jobs::get(store, owner, job).await?.model_version_id,
        Some(version)
    );
    assert_eq!(kinds().await?, []);

    // A model comes back with the versions that went with it.
    hide(&test, TrashKind::Model, model.0).await?;
    let hidden = models::version(store, owner, version).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    assert!(models::is_in_trash(store, owner, "Zora").await?);
    restore(&test, TrashKind::Model, model.0).await?;
    assert_eq!(models::get(store, owner, model).await?.versions[0].id, version);

    let tx = store.begin().await?;
    let refused = trash::find(&tx, OwnerId::new(), TrashKind::Model, model.0).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");

    // Whichever comes first of approving and deleting, a version is not both.
    trash::hide(&tx, owner, TrashKind::ModelVersion, version.0).await?;
    let refused = models::set_stage(&tx, owner, version, Stage::Approved).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    trash::restore(&tx, owner, TrashKind::ModelVersion, version.0).await?;
    models::set_stage(&tx, owner, version, Stage::Approved).await?;
    for (kind, id) in [(TrashKind::ModelVersion, version.0), (TrashKind::Model, model.0)] {
        let refused = trash::hide(&tx, owner, kind, id).await;
        assert!(matches!(refused, Err(StoreError::Stale { .. })), "{refused:?}");
    }
    Ok(())
}

pub(crate) async fn is_not_purged_while_it_is_needed(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let (job, version, cover) = trained(&test, 1).await?;
    let (_, kept, _) = trained(&test, 2).await?;
    let model = models::version(store, owner, kept).await?.model_id;
    let choose_cover = async |cover: Option<ArtifactId>| -> anyhow::Result<()> {
        let tx = store.begin().await?;
        models::choose(&tx, owner, model, None, cover).await?;
        tx.commit().await?;
        Ok(())
    };
    choose_cover(Some(cover.id)).await?;
    let mut drawn = generation();
    drawn.loras = vec![LoraWeight {
        model_version_id: version,
        weight: 1.0,
        partial: false,
    }];
    let tx = store.begin().await?;
    let picture = generations::create(&tx, owner, &drawn).await?;
    tx.commit().await?;
    hide(&test, TrashKind::ModelVersion, version.0).await?;
    hide(&test, TrashKind::Job, job.0).await?;
    assert_eq!(purge(&test).await?, 0, "the picture is drawn with the version");
    let tx = store.begin().await?;
    generations::abandon(&tx, picture, "enough").await?;
    tx.commit().await?;
    assert_eq!(
        purge(&test).await?,
        1,
        "the version, but not the job with the cover"
    );
    assert_eq!(references::files_again(store, &[cover.id]).await?.len(), 1);
    choose_cover(None).await?;
    assert_eq!(purge(&test).await?, 1);
    assert_eq!(references::files_again(store, &[cover.id]).await?, []);
    models::version(store, owner, kept).await?;
    Ok(())
}

pub(crate) async fn is_purged_with_its_files(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let (job, version, file) = trained(&test, 1).await?;
    let star = UpdateLabel {
        starred: Some(true),
        ..UpdateLabel::default()
    };
    let tx = store.begin().await?;
    let picture = generations::create(&tx, owner, &generation()).await?;
    labels::update(&tx, owner, Labeled::Generation, picture.0, &star).await?;
    labels::update(&tx, owner, Labeled::Job, job.0, &star).await?;
    tx.commit().await?;
    assert_eq!(purge(&test).await?, 0, "nothing was deleted");

    hide(&test, TrashKind::Generation, picture.0).await?;
    hide(&test, TrashKind::ModelVersion, version.0).await?;
    hide(&test, TrashKind::Job, job.0).await?;
    assert_eq!(
        trash::due(store, store::now() - TimeDelta::days(1)).await?,
        [],
        "not yet"
    );
    restore(&test, TrashKind::Generation, picture.0).await?;
    assert_eq!(purge(&test).await?, 3, "a version, its model and its job");
    let gone = jobs::state(store, job).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    assert_eq!(references::files_again(store, &[file.id]).await?, []);
    for rows in [
        "name FROM model_versions",
        "name FROM models",
        "kind FROM job_events",
        "phase FROM attempts",
    ] {
        let found = test.sql(&format!("SELECT {rows}")).await?;
        assert_eq!(found, Vec::<Vec<String>>::new(), "{rows}");
    }
    generations::get(store, owner, picture).await?;
    assert_eq!(labels::starred(store, owner).await?.len(), 1);
    hide(&test, TrashKind::Generation, picture.0).await?;
    assert_eq!(purge(&test).await?, 1);
    assert_eq!(labels::starred(store, owner).await?.len(), 0);
    assert_eq!(purge(&test).await?, 0);
    Ok(())
}

pub(crate) async fn is_purged_but_for_money(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    populate(store, owner, 7).await?;
    let money = async || -> anyhow::Result<Vec<Vec<String>>> {
        let machines = test
            .sql("SELECT name FROM rented_instances ORDER BY name")
            .await?;
        let entries = test.sql("SELECT kind FROM ledger_entries ORDER BY kind").await?;
        Ok([machines, entries].concat())
    };
    let before = money().await?;
    assert!(before.len() >= 2, "{before:?}");
    let job = jobs::list(store, owner, None, 10).await?.remove(0);
    let model = models::list(store, owner, None, 10).await?.remove(0);
    hide(&test, TrashKind::Model, model.id.0).await?;
    hide(&test, TrashKind::Job, job.id.0).await?;
    assert_eq!(
        purge(&test).await?,
        4,
        "with the generation that was deleted already"
    );
    assert_eq!(money().await?, before);
    assert_eq!(
        test.sql("SELECT kind FROM job_events").await?,
        Vec::<Vec<String>>::new()
    );
    jobs::state(store, job.id).await?;
    let hidden = jobs::get(store, owner, job.id).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    assert_eq!(purge(&test).await?, 0, "the rest stays");
    Ok(())
}

pub(crate) async fn lists_what_rules_may_name(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let (with_version, version, _) = trained(&test, 1).await?;
    let dataset = test.dataset().await?;
    let without = test.job(dataset).await?;
    let tx = store.begin().await?;
    let picture = generations::create(&tx, owner, &generation()).await?;
    tx.commit().await?;
    let soon = store::now() + TimeDelta::days(1);
    assert_eq!(trash::pictures(store, owner, soon).await?, [], "it has not ended");
    assert_eq!(trash::jobs_without_version(store, owner, soon).await?, []);

    let tx = store.begin().await?;
    generations::abandon(&tx, picture, "enough").await?;
    tx.commit().await?;
    for job in [with_version, without] {
        let end = format!(
            "UPDATE training_jobs SET phase = 'failed', ended_at = created_at WHERE id = {}",
            match test.is_postgres() {
                true => format!("'{job}'"),
                false => format!("X'{}'", job.0.simple()),
            }
        );
        test.execute(&end).await?;
    }
    let pictures = trash::pictures(store, owner, soon).await?;
    assert_eq!((pictures.len(), pictures[0].id), (1, picture.0));
    let jobs = trash::jobs_without_version(store, owner, soon).await?;
    assert_eq!((jobs.len(), jobs[0].id), (1, without.0));
    // One whose version was deleted has none.
    hide(&test, TrashKind::ModelVersion, version.0).await?;
    let jobs = trash::jobs_without_version(store, owner, soon).await?;
    let sizes: Vec<u64> = jobs.iter().map(|job| job.size_bytes).collect();
    assert_eq!(sizes, [5, 0], "the oldest first, with their files");
    assert_eq!(trash::covers(store, owner).await?.len(), 0);
    Ok(())
}
