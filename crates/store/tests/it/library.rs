//! Stars, tags and notes, and what owners choose of their models, on both databases.

use protocol::{
    OwnerId,
    agent::{ArtifactKind, NewArtifact},
    library::{HowToUse, Labeled, UpdateLabel},
    model::Stage,
};
use store::{
    StoreError, artifacts, generations, jobs, labels,
    models::{self, NewVersion},
    references,
};
use uuid::Uuid;

use crate::fixture::{TestStore, generation, metadata, verdict};

pub(crate) async fn label_what_is_there(test: TestStore) -> anyhow::Result<()> {
    let (store, owner, dataset) = (&test.store, test.owner(), test.dataset().await?);
    let job = test.job(dataset).await?;
    let tx = store.begin().await?;
    let picture = generations::create(&tx, owner, &generation()).await?;
    let star = UpdateLabel {
        starred: Some(true),
        note: Some("the cover".to_owned()),
        ..UpdateLabel::default()
    };
    let first = labels::update(&tx, owner, Labeled::Generation, picture.0, &star).await?;
    assert!(first.starred && first.tags.is_empty() && first.note == "the cover");
    let tags = UpdateLabel {
        tags: Some(vec!["ink".to_owned(), "city".to_owned()]),
        ..UpdateLabel::default()
    };
    let second = labels::update(&tx, owner, Labeled::Generation, picture.0, &tags).await?;
    assert_eq!((second.id, second.starred), (first.id, true), "the rest stays");
    assert_eq!(second.tags, ["ink", "city"]);
    // The note of a job is in the job.
    let label = labels::update(&tx, owner, Labeled::Job, job.0, &star).await?;
    assert_eq!((label.starred, label.note.as_str()), (true, ""));
    tx.commit().await?;
    assert_eq!(
        jobs::get(store, owner, job).await?.note.as_deref(),
        Some("the cover")
    );

    let all = labels::list(store, owner, Labeled::Generation, None, 10).await?;
    assert_eq!(all.len(), 1, "those of jobs are others");
    assert_eq!(all[0].subject_id, picture.0);
    let none = labels::list(store, owner, Labeled::Generation, Some(first.id), 10).await?;
    assert_eq!(none, []);

    // Nobody labels what is not theirs, or is of another kind.
    let tx = store.begin().await?;
    for (who, kind, id) in [
        (OwnerId::new(), Labeled::Job, job.0),
        (owner, Labeled::Model, job.0),
        (owner, Labeled::Generation, Uuid::now_v7()),
    ] {
        let refused = labels::update(&tx, who, kind, id, &star).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    Ok(())
}

pub(crate) async fn models_show_what_their_owner_chose(test: TestStore) -> anyhow::Result<()> {
    let (store, owner, dataset) = (&test.store, test.owner(), test.dataset().await?);
    let mut versions = Vec::new();
    let mut samples = Vec::new();
    for n in 1..=2_u8 {
        let job = test.job(dataset).await?;
        let (attempt, _) = test.attempt(job, 1).await?;
        let tx = store.begin().await?;
        let announce = async |kind: ArtifactKind, seed: u8| -> anyhow::Result<artifacts::Artifact> {
            let new = NewArtifact {
                fence: 0,
                kind,
                file_name: format!("{seed}.bin"),
                size_bytes: 5,
                sha256: hex::encode([seed; 32]),
            };
            let file = artifacts::announce(&tx, owner, &attempt, &new).await?;
            artifacts::mark_stored(&tx, file.id).await?;
            Ok(file)
        };
        for step in [40, 20] {
            let kind = ArtifactKind::Sample {
                step,
                prompt_index: 0,
                prompt: "zora".to_owned(),
                seed: 7,
            };
            samples.push(announce(kind, 10 * n + u8::try_from(step / 20)?).await?);
        }
        let file = announce(ArtifactKind::Lora { step: 100 }, n).await?;
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
        versions.push(models::create_version(&tx, new).await?);
        tx.commit().await?;
    }
    let shown = async || -> anyhow::Result<_> { Ok(models::list(store, owner, None, 10).await?.remove(0)) };
    let has = |url: &Option<String>, seed: u8| {
        // The first byte is a folder.
        let hash = hex::encode([seed; 31]);
        url.as_ref().is_some_and(|url| url.contains(&hash))
    };
    let model = shown().await?;
    assert_eq!(
        (model.current_version_id, model.is_pinned),
        (Some(versions[1]), false)
    );
    assert!(
        has(&model.cover_url, 22),
        "the newest sample: {:?}",
        model.cover_url
    );

    let tx = store.begin().await?;
    models::set_stage(&tx, owner, versions[0], Stage::Approved).await?;
    tx.commit().await?;
    assert_eq!(
        shown().await?.current_version_id,
        Some(versions[0]),
        "the approved one"
    );

    let tx = store.begin().await?;
    assert!(models::is_picture(&tx, owner, samples[3].id).await?);
    assert!(!models::is_picture(&tx, OwnerId::new(), samples[3].id).await?);
    models::choose(&tx, owner, model.id, Some(versions[1]), Some(samples[3].id)).await?;
    tx.commit().await?;
    let model = shown().await?;
    assert_eq!(
        (model.current_version_id, model.is_pinned),
        (Some(versions[1]), true)
    );
    assert!(
        has(&model.cover_url, 21),
        "the chosen sample: {:?}",
        model.cover_url
    );
    let cover = models::cover(store, owner, versions[0]).await?;
    assert_eq!(cover.map(|key| key.sha256()), Some(hex::encode([21; 32])));
    let files = references::files_again(store, &[samples[2].id, samples[3].id]).await?;
    let used: Vec<bool> = files.iter().map(|file| file.is_used).collect();
    assert!(
        used.contains(&true) && used.contains(&false),
        "a cover is kept: {used:?}"
    );

    let tx = store.begin().await?;
    models::rename(&tx, owner, model.id, "Zora the second").await?;
    let usage = HowToUse {
        weight: Some(0.8),
        ..HowToUse::default()
    };
    models::set_usage(&tx, owner, versions[1], &usage).await?;
    tx.commit().await?;
    let version = models::version(store, owner, versions[1]).await?;
    assert_eq!(
        (version.name.as_str(), version.usage),
        ("Zora the second", Some(usage))
    );
    let tx = store.begin().await?;
    models::set_usage(&tx, owner, versions[1], &HowToUse::default()).await?;
    tx.commit().await?;
    assert_eq!(models::version(store, owner, versions[1]).await?.usage, None);
    Ok(())
}
