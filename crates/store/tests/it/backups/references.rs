//! Every kind of reference to an object is known wherever it matters: to a backup, to `objects verify`, and to what
//! says what hangs on a lost object.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    agent::{ArtifactKind, NewArtifact},
    base::BaseFacts,
    preset::BaseClass,
};
use store::{
    BlobKey, Store, artifacts,
    bases::{self, File, Learned, Located, NewBase, Said},
    datasets, dependents,
    jobs::{self, NewJob},
    references,
    tokens::NewToken,
};

use super::{Place, add_picture, back_up};
use crate::fixture::{manifest, open_attempt, open_sqlite, recipe};

/// What a column that looks like a reference to an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// It refers to objects, this one among others.
    Refers(u8),
    /// It does not, or no more than another one.
    No(&'static str),
}

use Column::{No, Refers};

/// Whoever adds a column that refers to objects adds it to `dependents::all_keys`, `dependents::of` and
/// `backup::needs`, and then here and in [`fill`].
const COLUMNS: [(&str, Column); 18] = [
    ("api_tokens.token_hash", No("of a secret")),
    ("artifacts.blob_key", No("the same as its hash")),
    ("artifacts.file_name", No("a name")),
    ("artifacts.sha256", Refers(3)),
    ("attempts.token_hash", No("of a secret")),
    ("base_models.files", Refers(4)),
    ("budgets.key", No("a name")),
    ("caption_endpoints.key", No("a secret")),
    ("caption_proposals.file_name", No("a name")),
    ("damaged_objects.sha256", No("a mark, which keeps nothing")),
    ("dataset_items.file_name", No("a name")),
    ("dataset_items.sha256", Refers(1)),
    ("dataset_versions.manifest", Refers(2)),
    ("dataset_versions.manifest_sha256", No("of the list itself")),
    ("idempotency_keys.body_sha256", No("of a request")),
    ("idempotency_keys.key", No("a client's")),
    ("model_versions.file_name", No("a name")),
    ("model_versions.sha256", Refers(5)),
];

/// What a base model that was made here refers to by the same column, without a copy.
const MADE: u8 = 6;

fn looks_like_a_reference(column: &str) -> bool {
    [
        "sha256", "hash", "blob", "_key", "file", "manifest", "digest", "object", "picture",
    ]
    .iter()
    .any(|word| column.contains(word))
        || column == "key"
}

fn hash(seed: u8) -> String {
    hex::encode([seed; 32])
}

fn key(seed: u8) -> BlobKey {
    BlobKey::from_sha256(&hash(seed)).unwrap()
}

/// One reference of each kind, and of what is only announced, or copied elsewhere, others that count for nothing.
async fn fill(store: &Store) -> anyhow::Result<()> {
    let tx = store.begin().await?;
    let owner = store.default_owner();
    let dataset = datasets::create(&tx, owner, "zora").await?.id;
    let version = datasets::freeze(&tx, dataset, manifest(2)).await?;
    let job = NewJob {
        owner,
        dataset_id: dataset,
        dataset_version_id: version.id,
        recipe: recipe()?,
        provider: "local".to_owned(),
        priority: 0,
        project: None,
        note: None,
        rental: None,
        limit: None,
    };
    let job = jobs::insert(&tx, job).await?;
    let attempt = open_attempt(&tx, job, 1, &NewToken::random()).await?;
    for (seed, is_stored) in [(3, true), (13, false)] {
        let new = NewArtifact {
            fence: 0,
            kind: ArtifactKind::Checkpoint { step: 10 },
            file_name: "zora.safetensors".to_owned(),
            size_bytes: 5,
            sha256: hash(seed),
        };
        let file = artifacts::announce(&tx, owner, &attempt, &new).await?;
        if is_stored {
            artifacts::mark_stored(&tx, file.id).await?;
        }
    }
    for (seed, is_copied, is_object) in [(4, true, false), (MADE, false, true), (14, false, false)] {
        let name = format!("sdxl-{seed}");
        let new = NewBase {
            name: name.clone(),
            source: "hf:a/b".parse()?,
            said: Said::default(),
            from_settings: false,
            looked: None,
            files: Vec::new(),
        };
        assert!(bases::insert(&tx, new).await?);
        let base = bases::get(&tx, &name).await?;
        let files = [File {
            path: "unet.safetensors".to_owned(),
            url: None,
            size_bytes: 5,
            sha256: Some(hash(seed)),
            is_vae: false,
            is_object,
        }];
        let learned = Learned {
            facts: BaseFacts {
                class: BaseClass::Sdxl,
                native_resolution: 1024,
                prediction: None,
                said_by: None,
                title: None,
                notes: Vec::new(),
            },
            located: Located::default(),
            files: &files,
        };
        bases::learn(&tx, &base, learned).await?;
        if is_copied {
            bases::ask_for_copy(&tx, base.id).await?;
            bases::copied(&tx, base.id, None).await?;
        }
    }
    tx.commit().await?;
    crate::imports::import(store, 5).await?;
    // The first is the only object that is there: a backup names the others as lost.
    let added = add_picture(store, dataset, "1.png", b"a picture").await?;
    let renamed = format!(
        "UPDATE dataset_items SET sha256 = '{}' WHERE sha256 = '{}'",
        hash(1),
        added.sha256()
    );
    let database = open_sqlite(store.data_dir()).await?;
    sea_orm::ConnectionTrait::execute_unprepared(&database, &renamed).await?;
    Ok(())
}

#[tokio::test]
async fn every_kind_of_reference_is_backed_up_verified_and_explained() -> anyhow::Result<()> {
    let place = Place::embedded()?;
    let store = place.builder().open().await?;

    let database = open_sqlite(place.data()).await?;
    let columns = "SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
                   WHERE m.type = 'table' AND m.name <> 'seaql_migrations' ORDER BY 1";
    let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, columns);
    let rows = sea_orm::ConnectionTrait::query_all_raw(&database, statement).await?;
    let mut found = BTreeSet::new();
    for row in rows {
        let column: String = row.try_get_by_index(0)?;
        // Those of settings are our own words.
        let name = column.split_once('.').map_or("", |(_, name)| name);
        if looks_like_a_reference(name) && column != "settings.key" {
            found.insert(column);
        }
    }
    let known: BTreeMap<&str, Column> = COLUMNS.into();
    assert_eq!(
        found.iter().map(String::as_str).collect::<Vec<_>>(),
        known.keys().copied().collect::<Vec<_>>(),
        "a column that may refer to an object is new, or gone"
    );

    fill(&store).await?;
    let expected: BTreeSet<BlobKey> = known
        .values()
        .filter_map(|column| match column {
            Refers(seed) => Some(key(*seed)),
            No(_) => None,
        })
        .chain([key(MADE)])
        .collect();
    assert_eq!(dependents::all_keys(&store).await?, expected);
    let candidates: Vec<BlobKey> = expected.iter().cloned().chain([key(14)]).collect();
    let referred = references::referred(&store, &candidates, &BTreeSet::new()).await?;
    assert!(
        referred.contains(&key(4)) && referred.contains(&key(MADE)),
        "the collector deletes what a base model is made of"
    );
    assert!(!referred.contains(&key(14)));
    let explained = dependents::of(&store, &expected).await?;
    assert_eq!(explained.into_keys().collect::<BTreeSet<_>>(), expected);
    let shelf = tempfile::tempdir()?;
    let made = back_up(&place, &shelf.path().join("all.tar")).await?;
    let backed_up: BTreeSet<BlobKey> = made.lost.into_iter().map(|lost| lost.key).collect();
    assert_eq!(backed_up, expected, "none of them is there to be copied");
    assert_eq!(made.n_objects, 0);
    Ok(())
}
