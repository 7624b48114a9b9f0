//! Rows and their rules.

use chrono::TimeDelta;
use protocol::{
    DatasetId, OwnerId,
    agent::{ArtifactKind, NewArtifact},
    dataset::{GroupChange, Split, UpdateItem},
    drawing::CreateDrawingSession,
    model::Stage,
    parameters::{Parameters, Value},
    phase::Phase,
};
use sea_orm::ConnectionTrait as _;
use store::{
    Store, StoreError, artifacts,
    attempts::{self, Claimant, NewAttempt, Subject},
    datasets::{self, AddedItem, NewItem},
    drawing, generations,
    jobs::{self, PhaseChange, Requested},
    models::{self, NewVersion},
    tokens::{self, AgentWork, NewToken, Principal},
};

use crate::fixture::{TestStore, generation, judgement, manifest, metadata, open_sqlite, verdict};

fn picture(seed: u8, caption: &str) -> NewItem {
    NewItem {
        file_name: format!("{seed}.png"),
        caption: caption.to_owned(),
        split: Split::Train,
        showing: protocol::dataset::Showing::default(),
        width: 128,
        height: 96,
        size_bytes: 1234,
        sha256: hex::encode([seed; 32]),
        notes: vec!["rotated as its EXIF tag says".to_owned()],
    }
}

pub(crate) async fn keeps_datasets(test: TestStore) -> anyhow::Result<()> {
    let (id, owner) = (test.dataset().await?, test.owner());
    let tx = test.store.begin().await?;
    let AddedItem::Added(item) = datasets::add_item(&tx, owner, id, picture(1, "zora")).await? else {
        anyhow::bail!("the first picture is no duplicate");
    };
    let again = datasets::add_item(&tx, owner, id, picture(1, "other words")).await?;
    assert_eq!(again, AddedItem::Duplicate(item.clone()));
    datasets::add_item(&tx, owner, id, picture(2, "")).await?;
    tx.commit().await?;

    let dataset = datasets::get(&test.store, owner, id).await?;
    assert_eq!((dataset.n_items, dataset.n_captioned), (2, 1));
    assert_eq!(dataset.preview_urls.len(), 2);
    assert_eq!(item.size_bytes, 1234);
    assert!(item.url.starts_with("/blob/sha256/01/0101"), "{}", item.url);

    let tx = test.store.begin().await?;
    let change = UpdateItem {
        split: Some(Split::HeldOut),
        ..UpdateItem::default()
    };
    let changed = datasets::update_item(&tx, owner, id, item.id, change).await?;
    assert_eq!(
        (changed.caption.as_str(), changed.split),
        ("zora", Split::HeldOut)
    );
    let change = UpdateItem {
        group: Some(" outfit ".to_owned()),
        regularization: Some(true),
        ..UpdateItem::default()
    };
    let changed = datasets::update_item(&tx, owner, id, item.id, change).await?;
    assert_eq!(
        (changed.group.as_str(), changed.repeats, changed.regularization),
        ("outfit", 1, true)
    );
    let change = |group: &str| GroupChange {
        group: group.to_owned(),
        repeats: Some(12),
        regularization: None,
    };
    assert_eq!(
        datasets::update_group(&tx, owner, id, &change("outfit")).await?,
        1
    );
    let missing = datasets::update_group(&tx, owner, id, &change("hat")).await;
    assert!(
        matches!(missing, Err(StoreError::NotFound { what: "group", .. })),
        "{missing:?}"
    );
    let repeats: Vec<_> = datasets::items(&tx, owner, id)
        .await?
        .iter()
        .map(|item| item.repeats)
        .collect();
    assert_eq!(repeats, [12, 1]);
    datasets::rename(&tx, owner, id, "zora 2").await?;
    tx.commit().await?;
    assert_eq!(datasets::items(&test.store, owner, id).await?.len(), 2);
    assert_eq!(
        datasets::list(&test.store, owner, None, 10).await?[0].name,
        "zora 2"
    );
    assert!(datasets::list(&test.store, owner, Some(id), 10).await?.is_empty());

    // Somebody else sees nothing.
    let stranger = OwnerId::new();
    let hidden = datasets::get(&test.store, stranger, id).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");

    let tx = test.store.begin().await?;
    datasets::delete_item(&tx, owner, id, item.id).await?;
    let twice = datasets::delete_item(&tx, owner, id, item.id).await;
    assert!(matches!(twice, Err(StoreError::NotFound { .. })), "{twice:?}");
    datasets::delete(&tx, owner, id).await?;
    tx.commit().await?;
    let gone = datasets::items(&test.store, owner, id).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    Ok(())
}

pub(crate) async fn freezes_equal_pictures_once(test: TestStore) -> anyhow::Result<()> {
    let dataset = test.dataset().await?;
    let tx = test.store.begin().await?;
    let first = datasets::freeze(&tx, dataset, manifest(1)).await?;
    let same = datasets::freeze(&tx, dataset, manifest(1)).await?;
    let other = datasets::freeze(&tx, dataset, manifest(2)).await?;
    tx.commit().await?;
    assert_eq!(first, same);
    assert_ne!(first.id, other.id);
    assert_eq!(datasets::manifest(&test.store, other.id).await?, other);
    Ok(())
}

/// What acceptance test 5 asks for, as far as jobs go.
pub(crate) async fn keeps_the_recipe_in_columns(test: TestStore) -> anyhow::Result<()> {
    let job = test.job(test.dataset().await?).await?;
    let (id_text, time_text, json_text) = match test.database {
        None => (
            "lower(hex(id))",
            "(created_at LIKE '20__-%+00:00') || ''",
            "json_extract(recipe, '$.parameters.rank') || ''",
        ),
        Some(_) => (
            "replace(id::text, '-', '')",
            "CASE WHEN abs(extract(epoch FROM now() - created_at)) < 600 THEN '1' ELSE '0' END",
            "recipe #>> '{parameters,rank}'",
        ),
    };
    let rows = test
        .sql(&format!(
            "SELECT {id_text}, name, base_model, rank || '', trim(alpha || '', '.0'), learning_rate || '', \
             n_steps || '', phase, provider, {time_text}, {json_text} FROM training_jobs",
        ))
        .await?;
    let id = job.to_string().replace('-', "");
    let expected = [
        &id, "Zora", "tiny-xl", "8", "8", "0.001", "100", "queued", "local", "1", "8",
    ];
    assert_eq!(rows, [expected]);

    // Every hyperparameter is a column, and says what the recipe says.
    let recipe = jobs::get(&test.store, test.owner(), job).await?.recipe;
    let names: Vec<&str> = Parameters::ALL.iter().map(|definition| definition.name).collect();
    let texts: Vec<String> = names.iter().map(|name| format!("{name} || ''")).collect();
    let rows = test
        .sql(&format!("SELECT {} FROM training_jobs", texts.join(", ")))
        .await?;
    for ((definition, value), column) in recipe.parameters().values().zip(&rows[0]) {
        let name = definition.name;
        match value {
            Value::Number(value) => assert_eq!(column.parse::<f64>()?, value, "{name}"),
            Value::Text(value) => assert_eq!(column, value, "{name}"),
            // SQLite has no truth values of their own.
            Value::Switch(value) => {
                let texts = [value.to_string(), u8::from(value).to_string()];
                assert!(texts.contains(column), "{name}: {column}");
            }
            value => assert_eq!(*column, value.to_string(), "{name}"),
        }
    }
    // Nobody can make them differ.
    let refused = test.execute("UPDATE training_jobs SET rank = 4").await;
    assert!(refused.is_err(), "{refused:?}");
    Ok(())
}

/// A column that a hyperparameter lacks comes when the database is opened, and holds the default for older recipes.
pub(crate) async fn adds_columns_of_new_hyperparameters(test: TestStore) -> anyhow::Result<()> {
    test.job(test.dataset().await?).await?;
    test.execute("ALTER TABLE training_jobs DROP COLUMN noise_offset")
        .await?;
    let without = match &test.database {
        None => "UPDATE training_jobs SET recipe = json_remove(recipe, '$.parameters.noise_offset')",
        Some(_) => "UPDATE training_jobs SET recipe = recipe #- '{parameters,noise_offset}'",
    };
    test.execute(without).await?;
    test.builder().open().await?;
    let rows = test.sql("SELECT noise_offset || '' FROM training_jobs").await?;
    assert_eq!(rows[0][0].parse::<f64>()?, 0.0);
    Ok(())
}

pub(crate) async fn refuses_what_breaks_a_rule(test: TestStore) -> anyhow::Result<()> {
    let id = test.job(test.dataset().await?).await?;
    let tx = test.store.begin().await?;
    let wrong = PhaseChange::new(Phase::Running, Phase::Finalizing);
    let stale = jobs::change_phase(&tx, id, wrong).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
    drop(tx);
    let tx = test.store.begin().await?;
    let orphan = datasets::freeze(&tx, DatasetId::new(), manifest(3)).await;
    assert!(matches!(orphan, Err(StoreError::Database { .. })), "{orphan:?}");
    drop(tx);
    let tx = test.store.begin().await?;
    jobs::request(&tx, id, Some(Requested::Stop)).await?;
    jobs::change_phase(
        &tx,
        id,
        PhaseChange::new(Phase::Queued, Phase::Stopped).because("asked"),
    )
    .await?;
    tx.commit().await?;
    let job = jobs::get(&test.store, test.owner(), id).await?;
    assert_eq!(
        (job.phase, job.reason.as_deref()),
        (Phase::Stopped, Some("asked"))
    );
    assert!(job.ended_at.is_some());
    assert_eq!(
        jobs::state(&test.store, id).await?.requested,
        None,
        "a wish ends with the job"
    );
    assert!(jobs::open(&test.store).await?.is_empty());
    Ok(())
}

pub(crate) async fn tokens_speak_for_their_owner(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    assert!(!tokens::any_user(store).await?);
    let tx = store.begin().await?;
    let user = tokens::create_user(&tx, owner, "demo", None).await?;
    let past = store::now() - TimeDelta::seconds(1);
    let expired = tokens::create_user(&tx, owner, "old", Some(past)).await?;
    let worker = tokens::create_worker(&tx, owner, "worker", store::now() + TimeDelta::days(1)).await?;
    tx.commit().await?;
    assert!(tokens::any_user(store).await?);

    let who = tokens::authenticate(store, &user.secret).await?;
    assert!(
        matches!(&who, Some(Principal::User { owner: found, .. }) if *found == owner),
        "{who:?}"
    );
    assert_eq!(tokens::authenticate(store, &expired.secret).await?, None);
    assert_eq!(tokens::authenticate(store, "morpheus_guess").await?, None);
    let who = tokens::authenticate(store, &worker).await?;
    assert!(
        matches!(&who, Some(Principal::Agent(agent)) if agent.work == AgentWork::Generations),
        "{who:?}"
    );

    let job = test.job(test.dataset().await?).await?;
    let (attempt, token) = test.attempt(job, 1).await?;
    let Some(Principal::Agent(agent)) = tokens::authenticate(store, &token.secret).await? else {
        anyhow::bail!("an attempt's token is an agent's");
    };
    assert_eq!(agent.work, AgentWork::Attempt(attempt.id));
    assert!(attempt.belongs_to(&agent));

    // A picture that was handed to a session's agent has its token, and an older id if its server's clock was behind.
    let request = serde_json::json!({"name": "Covers", "provider": "somebody", "limit_micro_usd": 1});
    let request: CreateDrawingSession = serde_json::from_value(request)?;
    let token = NewToken::random();
    let tx = store.begin().await?;
    let picture = generations::create(&tx, owner, &generation()).await?;
    let session = drawing::create(&tx, owner, &request).await?;
    let open = async |subject| {
        let new = NewAttempt {
            subject,
            n: 1,
            provider: "somebody",
            claimant: Claimant::Own(&token),
            start_step: 0,
        };
        attempts::open(&tx, new).await
    };
    let drawn = open(Subject::Generation(picture)).await?;
    let own = open(Subject::Drawing(session)).await?;
    tx.commit().await?;
    assert!(drawn.id < own.id);
    let who = tokens::authenticate(store, &token.secret).await?;
    assert!(
        matches!(&who, Some(Principal::Agent(agent)) if agent.work == AgentWork::Attempt(own.id)),
        "{who:?}"
    );

    let tx = store.begin().await?;
    tokens::touch(&tx, user.token.id).await?;
    tx.commit().await?;
    let listed = tokens::list(store, owner).await?;
    // One that has expired is shown with its end.
    assert_eq!(
        listed.iter().map(|token| token.id).collect::<Vec<_>>(),
        [expired.token.id, user.token.id]
    );
    assert!(listed[0].expires_at.is_some_and(|end| end < store::now()));
    assert!(listed[1].last_used_at.is_some());
    let tx = store.begin().await?;
    tokens::revoke(&tx, owner, user.token.id).await?;
    tx.commit().await?;
    assert_eq!(tokens::authenticate(store, &user.secret).await?, None);
    // No secret lies in the database.
    let secret = user.secret.as_str();
    let n_found = match &test.database {
        None => {
            let kept = std::fs::read(test.folder.path().join("morpheus.db-wal"))?;
            let is_secret = |bytes: &&[u8]| *bytes == secret.as_bytes();
            kept.windows(secret.len()).filter(is_secret).count()
        }
        Some(database) => database
            .sql("SELECT t::text FROM api_tokens t UNION ALL SELECT a::text FROM attempts a")?
            .matches(secret)
            .count(),
    };
    assert_eq!(n_found, 0);
    Ok(())
}

pub(crate) async fn a_judgement_is_kept_with_the_checkpoint_that_is_stored(
    test: TestStore,
) -> anyhow::Result<()> {
    let (store, owner, dataset) = (&test.store, test.owner(), test.dataset().await?);
    let job = test.job(dataset).await?;
    let (attempt, _) = test.attempt(job, 1).await?;
    let tx = store.begin().await?;
    let announced = |n: u8| NewArtifact {
        fence: 0,
        kind: ArtifactKind::Checkpoint { step: 100 },
        file_name: "Zora.safetensors".to_owned(),
        size_bytes: 5,
        sha256: hex::encode([n; 32]),
    };
    let stored = artifacts::announce(&tx, owner, &attempt, &announced(1)).await?;
    assert!(!artifacts::judge_checkpoint(&tx, job, 100, &judgement()).await?);
    artifacts::mark_stored(&tx, stored.id).await?;
    // Its bytes may never come.
    let newer = artifacts::announce(&tx, owner, &attempt, &announced(2)).await?;
    assert!(artifacts::judge_checkpoint(&tx, job, 100, &judgement()).await?);
    tx.commit().await?;
    let stored = artifacts::find(store, stored.id).await?;
    assert_eq!(stored.judgement, Some(judgement()));
    assert_eq!(artifacts::find(store, newer.id).await?.judgement, None);
    Ok(())
}

pub(crate) async fn versions_follow_jobs(test: TestStore) -> anyhow::Result<()> {
    let (store, owner, dataset) = (&test.store, test.owner(), test.dataset().await?);
    let mut versions = Vec::new();
    for n in 1..=2 {
        let job = test.job(dataset).await?;
        let (attempt, _) = test.attempt(job, 1).await?;
        let tx = store.begin().await?;
        let announced = NewArtifact {
            fence: 0,
            kind: ArtifactKind::Lora { step: 100 },
            file_name: "Zora.safetensors".to_owned(),
            size_bytes: 5,
            sha256: hex::encode([n; 32]),
        };
        let file = artifacts::announce(&tx, owner, &attempt, &announced).await?;
        let same = artifacts::announce(&tx, owner, &attempt, &announced).await?;
        assert_eq!(file, same);
        assert!(artifacts::mark_stored(&tx, file.id).await?);
        assert!(!artifacts::mark_stored(&tx, file.id).await?, "news only once");
        let job = jobs::state(&tx, job).await?;
        let new = NewVersion {
            job: &job,
            file: &file,
            n_steps: 100,
            verdict: &verdict(n == 1),
            metadata: &metadata(),
            before: None,
            after: None,
            judgement: None,
        };
        versions.push(models::create_version(&tx, new).await?);
        tx.commit().await?;
        let job = jobs::get(store, owner, job.id).await?;
        assert_eq!(job.model_version_id, versions.last().copied());
    }
    let all = models::list(store, owner, None, 10).await?;
    assert_eq!(all.len(), 1, "both have one name");
    let numbers: Vec<u32> = all[0].versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, [2, 1]);

    let tx = store.begin().await?;
    models::set_stage(&tx, owner, versions[0], Stage::Approved).await?;
    tx.commit().await?;
    // The database itself refuses to approve what did not pass.
    let tx = store.begin().await?;
    let refused = models::set_stage(&tx, owner, versions[1], Stage::Approved).await;
    assert!(matches!(refused, Err(StoreError::Database { .. })), "{refused:?}");
    drop(tx);
    let tx = store.begin().await?;
    models::set_stage(&tx, owner, versions[1], Stage::Retired).await?;
    tx.commit().await?;
    assert_eq!(
        models::version(store, owner, versions[0]).await?.stage,
        Stage::Approved
    );
    let rows = test
        .sql(
            "SELECT v.version || '', v.rank || '', v.stage, \
             CASE WHEN v.artifact_url = j.artifact_url THEN '1' ELSE '0' END, v.artifact_url \
             FROM model_versions v JOIN training_jobs j ON j.id = v.job_id ORDER BY v.version",
        )
        .await?;
    assert_eq!(rows[0][..4], ["1", "8", "approved", "1"]);
    let url = &rows[0][4];
    assert!(
        url.starts_with("file:///") && url.contains("/sha256/01/"),
        "{url}"
    );
    Ok(())
}

#[tokio::test]
async fn opens_again_with_everything() -> anyhow::Result<()> {
    let test = TestStore::sqlite().await?;
    let job = test.job(test.dataset().await?).await?;
    let (owner, deployment) = (test.owner(), test.store.deployment());
    let url = test.store.objects().get_url(
        &store::BlobKey::from_sha256(&hex::encode([1; 32]))?,
        &store::objects::UrlOptions::picture(),
    );
    let TestStore { store, folder, .. } = test;
    drop(store);
    let store = Store::open(folder.path()).await?;
    assert_eq!((store.default_owner(), store.deployment()), (owner, deployment));
    assert_eq!(jobs::get(&store, owner, job).await?.phase, Phase::Queued);
    let again = store.objects().get_url(
        &store::BlobKey::from_sha256(&hex::encode([1; 32]))?,
        &store::objects::UrlOptions::picture(),
    );
    assert_eq!(url, again, "addresses stay valid");
    store.ping().await?;
    Ok(())
}

#[tokio::test]
async fn refuses_a_newer_schema() -> anyhow::Result<()> {
    let TestStore { store, folder, .. } = TestStore::sqlite().await?;
    drop(store);
    let connection = open_sqlite(folder.path()).await?;
    connection
        .execute_unprepared("INSERT INTO seaql_migrations VALUES ('m9999_future', 0)")
        .await?;
    drop(connection);
    let refused = Store::open(folder.path()).await.err().map(|err| err.to_string());
    let refused = refused.unwrap_or_default();
    assert!(
        refused.contains("m9999_future") && refused.contains("use the newer Morpheus"),
        "{refused}"
    );
    Ok(())
}

#[tokio::test]
async fn names_what_it_supports() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let builder = Store::builder(folder.path()).objects(Some("gs://bucket".to_owned()));
    let refused = builder.open().await.err().map(|err| err.to_string());
    assert_eq!(
        refused.as_deref(),
        Some("objects: `gs://bucket` is not supported; use file://PATH or s3://BUCKET/PREFIX")
    );
    Ok(())
}
