//! Backups: everything comes back elsewhere, later ones hold only what is new, and what is lost is named.

mod damage;
mod leftovers;
mod older;
mod references;
mod taking_over;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use protocol::{DatasetId, dataset::Split};
use sea_orm::ConnectionTrait as _;
use sim::{
    postgres::Database,
    s3::{Options as Lax, Server},
};
use store::{
    BlobKey, Store, StoreBuilder,
    backup::{Backup, BackupError, Fault, Made, Options, Progress},
    datasets::{self, NewItem},
};
use tempfile::TempDir;

use crate::{
    blobs::settings,
    fixture::open_sqlite,
    maintenance::{Cell, exported, rows},
    populate::populate_with,
};

/// A place for an installation, empty at first.
pub(crate) struct Place {
    folder: TempDir,
    database: Option<Database>,
    bucket: Option<(Server, String)>,
}

impl Place {
    /// SQLite and local files.
    pub(crate) fn embedded() -> anyhow::Result<Self> {
        Ok(Self {
            folder: tempfile::tempdir()?,
            database: None,
            bucket: None,
        })
    }

    /// PostgreSQL and a bucket.
    pub(crate) async fn services() -> anyhow::Result<Self> {
        let server = Server::start(Lax::supabase()).await?;
        let bucket = server.bucket().await?;
        Ok(Self {
            folder: tempfile::tempdir()?,
            database: Some(Database::shared()?),
            bucket: Some((server, format!("s3://{bucket}/studio"))),
        })
    }

    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn builder(&self) -> StoreBuilder {
        let builder = Store::builder(self.data()).database(self.database.as_ref().map(Database::url));
        match &self.bucket {
            None => builder,
            Some((server, url)) => builder.objects(Some(url.clone())).s3(settings(server)),
        }
    }

    /// The file of an object.
    pub(crate) fn object(&self, key: &BlobKey) -> std::path::PathBuf {
        match &self.bucket {
            None => self.data().join("objects").join(key.as_str()),
            Some((server, url)) => server.folder(&url["s3://".len()..]).join(key.as_str()),
        }
    }
}

pub(crate) fn quiet(_: Progress) {}

pub(crate) async fn back_up(place: &Place, to: &Path) -> Result<Made, BackupError> {
    place.builder().back_up(to, &Options::default(), &mut quiet).await
}

/// Adds a picture with these bytes, as an upload does.
pub(crate) async fn add_picture(
    store: &Store,
    dataset: DatasetId,
    name: &str,
    bytes: &[u8],
) -> anyhow::Result<BlobKey> {
    let blob = store.objects().put(Bytes::copy_from_slice(bytes)).await?;
    let tx = store.begin().await?;
    let new = NewItem {
        file_name: name.to_owned(),
        caption: format!("zora, as {name}"),
        split: Split::Train,
        showing: protocol::dataset::Showing::default(),
        width: 8,
        height: 8,
        size_bytes: blob.size_bytes,
        sha256: blob.sha256,
        notes: Vec::new(),
    };
    datasets::add_item(&tx, store.default_owner(), dataset, new).await?;
    tx.commit().await?;
    Ok(blob.key)
}

/// An installation with a dataset of three pictures, and nothing else.
pub(crate) async fn small(place: &Place) -> anyhow::Result<(DatasetId, Vec<BlobKey>)> {
    let store = place.builder().open().await?;
    let tx = store.begin().await?;
    let dataset = datasets::create(&tx, store.default_owner(), "zora").await?.id;
    tx.commit().await?;
    let mut keys = Vec::new();
    for n in 0..3_u8 {
        let bytes = vec![n; 1000 + usize::from(n)];
        keys.push(add_picture(&store, dataset, &format!("{n}.png"), &bytes).await?);
    }
    Ok((dataset, keys))
}

type Rows = Vec<(String, BTreeMap<String, Cell>)>;

/// All rows, without what says where objects are, and which of them are lost.
async fn rows_of(place: &Place) -> anyhow::Result<Rows> {
    let mut rows = rows(&exported(&place.builder()).await?)?;
    // Nor what a restoration leaves in the settings.
    let of_restoration = ["restored", "objects_mark", "objects_claimed"].map(|key| format!("\"{key}\""));
    rows.retain(|(table, row)| {
        let is_left = matches!(row.get("key"), Some(Cell::Text(key)) if of_restoration.contains(key));
        table != "damaged_objects" && !(table == "settings" && is_left)
    });
    for (_, row) in &mut rows {
        for column in ["url", "artifact_url"] {
            row.remove(column);
        }
    }
    Ok(rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_with_services_and_without() -> anyhow::Result<()> {
    let first = Place::embedded()?;
    let store = first.builder().open().await?;
    // More than one part of a multipart upload, and of a read.
    let large: Vec<u8> = (0..6_000_000_u32).map(|n| (n >> 3) as u8).collect();
    let blob = store.objects().put(Bytes::from(large.clone())).await?;
    populate_with(&store, store.default_owner(), 7, &blob.sha256).await?;
    let (deployment, owner) = (store.deployment(), store.default_owner());
    drop(store);
    let before = rows_of(&first).await?;

    let shelf = tempfile::tempdir()?;
    let file = shelf.path().join("studio.tar");
    let made = back_up(&first, &file).await?;
    assert_eq!((made.n_objects, made.n_copied), (1, 1));
    assert!(made.lost.is_empty() && made.earlier.is_empty(), "{made:?}");
    // The moment is gone: nothing but the file is left.
    drop(first);

    let second = Place::services().await?;
    let restored = second
        .builder()
        .restore(&Backup::open(&file, None)?, &mut quiet)
        .await?;
    assert_eq!((restored.deployment, restored.n_objects), (deployment, 1));
    assert_eq!(restored.machines, ["mph-7"], "a machine that cost money is named");
    assert!(
        rows_of(&second).await? == before,
        "PostgreSQL has other rows than SQLite had"
    );
    let store = second.builder().open().await?;
    assert_eq!((store.deployment(), store.default_owner()), (deployment, owner));
    assert!(store.objects().get(&blob.key).await? == large);
    drop(store);
    let database = second.database.as_ref().expect("it is on PostgreSQL");
    let (_, bucket) = second.bucket.as_ref().expect("it has a bucket");
    let url = format!("{bucket}/{}", blob.key);
    for column in [
        "url FROM artifacts",
        "artifact_url FROM model_versions",
        "artifact_url FROM training_jobs",
    ] {
        assert_eq!(database.sql(&format!("SELECT DISTINCT {column}"))?.trim(), url);
    }

    // And back, by a folder.
    let folder = shelf.path().join("studio");
    let made = back_up(&second, &folder).await?;
    assert_eq!(made.n_objects, 1);
    let third = Place::embedded()?;
    third
        .builder()
        .restore(&Backup::open(&folder, None)?, &mut quiet)
        .await?;
    assert!(
        rows_of(&third).await? == before,
        "SQLite has other rows than before"
    );
    assert!(std::fs::read(third.object(&blob.key))? == large);
    Ok(())
}

#[tokio::test]
async fn a_folder_takes_only_what_is_new() -> anyhow::Result<()> {
    let place = Place::embedded()?;
    let (dataset, _) = small(&place).await?;
    let shelf = tempfile::tempdir()?;
    let folder = shelf.path().join("studio");
    let first = back_up(&place, &folder).await?;
    assert_eq!((first.n_objects, first.n_copied), (3, 3));
    let store = place.builder().open().await?;
    add_picture(&store, dataset, "new.png", b"new").await?;
    let second = back_up(&place, &folder).await?;
    assert_eq!(
        (second.n_objects, second.n_copied, second.copied_bytes),
        (4, 1, 3)
    );
    assert_ne!(first.snapshot, second.snapshot);

    // Each of them is complete.
    for (made, n_items) in [(&first, 3), (&second, 4)] {
        let there = Place::embedded()?;
        let backup = Backup::open(&folder, made.snapshot.as_deref())?;
        there.builder().restore(&backup, &mut quiet).await?;
        let store = there.builder().open().await?;
        let items = datasets::items(&store, store.default_owner(), dataset).await?;
        assert_eq!(items.len(), n_items);
    }
    let newest = Backup::open(&folder, None)?;
    assert_eq!(newest.manifest.id, second.id);

    // Two at once would trip over each other.
    let lock = std::fs::File::open(folder.join("backup.lock"))?;
    lock.lock()?;
    let refused = back_up(&place, &folder).await.unwrap_err();
    assert!(matches!(refused, BackupError::InUse { .. }), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_file_can_leave_out_what_an_earlier_one_holds() -> anyhow::Result<()> {
    let place = Place::embedded()?;
    let (dataset, _) = small(&place).await?;
    let shelf = tempfile::tempdir()?;
    let path = |name: &str| shelf.path().join(name);
    back_up(&place, &path("monday.tar")).await?;
    let store = place.builder().open().await?;
    let since = async |name: &str, earlier: &str| {
        add_picture(&store, dataset, name, name.as_bytes()).await?;
        let since = Some(path(earlier));
        let made = place
            .builder()
            .back_up(&path(name), &Options { since }, &mut quiet)
            .await?;
        anyhow::Ok(made)
    };
    let tuesday = since("tuesday.tar", "monday.tar").await?;
    assert_eq!((tuesday.n_objects, tuesday.n_copied), (4, 1));
    let wednesday = since("wednesday.tar", "tuesday.tar").await?;
    assert_eq!((wednesday.n_objects, wednesday.n_copied), (5, 1));
    let needs: Vec<_> = wednesday
        .earlier
        .iter()
        .map(|earlier| (earlier.name.as_str(), earlier.n_objects))
        .collect();
    assert_eq!(
        needs,
        [("tuesday.tar", 1), ("monday.tar", 3)],
        "it says what it needs"
    );

    let there = Place::embedded()?;
    let alone = Backup::open(&path("wednesday.tar"), None)?;
    let refused = there.builder().restore(&alone, &mut quiet).await.unwrap_err();
    assert!(matches!(refused, BackupError::NeedsEarlier { .. }), "{refused}");
    let without_monday = alone.with_earlier(Backup::open(&path("tuesday.tar"), None)?);
    let refused = there
        .builder()
        .restore(&without_monday, &mut quiet)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("3 objects") && refused.to_string().contains("`monday.tar`"),
        "{refused}"
    );
    assert_eq!(std::fs::read_dir(there.data())?.count(), 0, "nothing was written");
    let all = without_monday.with_earlier(Backup::open(&path("monday.tar"), None)?);
    there.builder().restore(&all, &mut quiet).await?;
    let restored = there.builder().open().await?;
    assert_eq!(
        datasets::items(&restored, restored.default_owner(), dataset)
            .await?
            .len(),
        5
    );

    let since = Options {
        since: Some(path("monday.tar")),
    };
    let into_folder = place.builder().back_up(&path("folder"), &since, &mut quiet).await;
    assert!(into_folder.unwrap_err().to_string().contains("omit --since"));
    Ok(())
}

#[tokio::test]
async fn lost_objects_are_named_and_the_rest_is_kept() -> anyhow::Result<()> {
    let place = Place::embedded()?;
    let (dataset, keys) = small(&place).await?;
    let shelf = tempfile::tempdir()?;
    let folder = shelf.path().join("folder");
    back_up(&place, &folder).await?;
    std::fs::remove_file(place.object(&keys[0]))?;
    std::fs::write(place.object(&keys[1]), b"other bytes")?;

    let file = shelf.path().join("studio.tar");
    let made = back_up(&place, &file).await?;
    assert_eq!(made.n_objects, 1);
    let mut lost: Vec<_> = made
        .lost
        .iter()
        .map(|lost| (lost.fault, lost.used_by.clone()))
        .collect();
    lost.sort_by_key(|(_, used_by)| used_by.clone());
    let picture = |n: u8| vec![format!("picture `{n}.png` of dataset {dataset}")];
    assert_eq!(lost, [(Fault::Missing, picture(0)), (Fault::Damaged, picture(1))]);

    let there = Place::embedded()?;
    let restored = there
        .builder()
        .restore(&Backup::open(&file, None)?, &mut quiet)
        .await?;
    assert_eq!((restored.n_objects, restored.lost), (1, made.lost));
    let marks = store::damage::all(&there.builder().open().await?).await?;
    let marked: Vec<&BlobKey> = marks.keys().collect();
    let mut expected = vec![&keys[0], &keys[1]];
    expected.sort();
    assert_eq!(
        marked, expected,
        "both are marked, and heal by being uploaded again"
    );
    assert!(there.object(&keys[2]).exists() && !there.object(&keys[0]).exists());

    // A folder that has them from before loses nothing.
    let again = back_up(&place, &folder).await?;
    assert!(again.lost.is_empty() && again.n_copied == 0, "{again:?}");
    Ok(())
}

/// Rows and objects that come while the backup is made are in it together or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_busy_installation_is_of_one_moment() -> anyhow::Result<()> {
    for on_services in [false, true] {
        let place = if on_services {
            Place::services().await?
        } else {
            Place::embedded()?
        };
        let (dataset, _) = small(&place).await?;
        let store = place.builder().open().await?;
        let busy = Arc::new(AtomicBool::new(true));
        let writing = tokio::spawn({
            let (store, busy) = (store.clone(), busy.clone());
            async move {
                let mut n = 0;
                while busy.load(Ordering::SeqCst) {
                    add_picture(
                        &store,
                        dataset,
                        &format!("busy-{n}.png"),
                        format!("picture {n}").as_bytes(),
                    )
                    .await?;
                    n += 1;
                }
                anyhow::Ok(n)
            }
        });
        let shelf = tempfile::tempdir()?;
        let mut n_items = 3;
        for n in 0..3 {
            let file = shelf.path().join(format!("{n}.tar"));
            let made = back_up(&place, &file).await?;
            assert!(made.lost.is_empty(), "{:?}", made.lost);
            Backup::open(&file, None)?.check(&mut quiet)?;
            let items = made.tables.iter().find(|table| table.name == "dataset_items");
            let found = items.map_or(0, |table| table.n_rows);
            assert_eq!(found, made.n_objects as u64, "each picture is another");
            assert!(found >= n_items);
            n_items = found;
        }
        busy.store(false, Ordering::SeqCst);
        assert!(writing.await?? > 0, "nothing was written meanwhile");
    }
    Ok(())
}

#[tokio::test]
async fn a_restoration_goes_into_an_empty_installation_of_its_own() -> anyhow::Result<()> {
    let place = Place::embedded()?;
    let (_, keys) = small(&place).await?;
    let shelf = tempfile::tempdir()?;
    let file = shelf.path().join("studio.tar");
    back_up(&place, &file).await?;
    let backup = Backup::open(&file, None)?;
    let full = place.builder().restore(&backup, &mut quiet).await.unwrap_err();
    assert!(
        full.to_string().contains("is not empty: `owners` has 1 rows"),
        "{full}"
    );

    // Objects that are another installation's stay theirs.
    let other = Place::embedded()?;
    std::fs::create_dir(other.data().join("objects"))?;
    std::fs::write(
        other.data().join("objects/deployment"),
        "01890000-0000-7000-8000-000000000000",
    )?;
    let foreign = other.builder().restore(&backup, &mut quiet).await.unwrap_err();
    assert!(foreign.to_string().contains("another installation"), "{foreign}");

    // One that broke off is begun again, and mends what it finds half-written.
    let there = Place::embedded()?;
    let half = there.object(&keys[0]);
    std::fs::create_dir_all(half.parent().unwrap_or(Path::new("/")))?;
    std::fs::write(&half, vec![9; 1000])?;
    there.builder().migrate_database().await?;
    there.builder().restore(&backup, &mut quiet).await?;
    assert!(std::fs::read(&half)? == vec![0; 1000]);

    let twice = back_up(&place, &file).await.unwrap_err();
    assert!(matches!(twice, BackupError::Exists { .. }), "{twice}");
    let nothing = back_up(&Place::embedded()?, &shelf.path().join("nothing.tar"))
        .await
        .unwrap_err();
    assert!(
        nothing.to_string().contains("is not a database of Morpheus"),
        "{nothing}"
    );
    assert_eq!(
        std::fs::read_dir(shelf.path())?.count(),
        1,
        "no other file was made"
    );
    Ok(())
}

/// What cannot be finished leaves nothing that looks like a backup, and the next one goes on from what is there.
#[tokio::test]
async fn a_backup_that_breaks_off_leaves_nothing_that_looks_like_one() -> anyhow::Result<()> {
    let place = Place::embedded()?;
    small(&place).await?;
    let database = open_sqlite(place.data()).await?;
    // It is found missing when objects and rows were written already.
    let rename = async |from: &str, to: &str| {
        let sql = format!("UPDATE settings SET key = '{to}' WHERE key = '{from}'");
        database.execute_unprepared(&sql).await.map(drop)
    };
    rename("deployment", "other").await?;
    let shelf = tempfile::tempdir()?;
    let (file, folder) = (shelf.path().join("studio.tar"), shelf.path().join("studio"));
    for to in [&file, &folder] {
        let broken = back_up(&place, to).await.unwrap_err();
        assert!(broken.to_string().contains("settings.deployment"), "{broken}");
    }
    let left = std::fs::read_dir(shelf.path())?.map(|entry| entry.map(|entry| entry.file_name()));
    assert_eq!(
        left.collect::<Result<Vec<_>, _>>()?,
        ["studio"],
        "the folder alone, for the next try"
    );
    let refused = Backup::open(&folder, None).unwrap_err();
    assert!(
        refused.to_string().contains("it contains no completed backup"),
        "{refused}"
    );

    rename("other", "deployment").await?;
    let made = back_up(&place, &folder).await?;
    assert_eq!((made.n_objects, made.n_copied, made.lost.len()), (3, 0, 0));
    Ok(())
}
