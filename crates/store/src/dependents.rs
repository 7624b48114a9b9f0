//! What depends on stored objects, described for people.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use protocol::{agent::ArtifactKind, base::BaseCopy, dataset::Manifest};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    BlobKey, Read, Result, StoreError, bases,
    damage::AT_ONCE,
    db::entities::{
        artifact::{self, STORED},
        dataset, dataset_item, dataset_version, job, model_version,
    },
    error::Doing,
    references,
    words::from_json,
};

/// Something that needs an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Dependent {
    /// A picture of a dataset.
    Picture {
        /// The dataset's name.
        dataset: String,
        /// The picture's name.
        file_name: String,
    },
    /// A picture that jobs train on, even if deleted from its dataset.
    FrozenPicture {
        /// The dataset's name.
        dataset: String,
        /// Its name, if it is still in the dataset.
        file_name: Option<String>,
        /// Names of the jobs.
        jobs: Vec<String>,
    },
    /// A checkpoint.
    Checkpoint {
        /// The job's name.
        job: String,
        /// Its id.
        job_id: Uuid,
        /// Optimizer steps done.
        step: u32,
    },
    /// The file of a model version.
    ModelVersion {
        /// The model's name.
        model: String,
        /// Which one.
        version: u32,
    },
    /// A picture of a model version.
    VersionPicture {
        /// The model's name.
        model: String,
        /// Which version.
        version: u32,
    },
    /// A preview picture of a job.
    Sample {
        /// The job's name.
        job: String,
        /// Its id.
        job_id: Uuid,
        /// Optimizer steps done when it was rendered.
        step: u32,
    },
    /// A trained file without a model version.
    JobFile {
        /// The job's name.
        job: String,
        /// Its id.
        job_id: Uuid,
        /// Its name.
        file_name: String,
    },
    /// A picture that was rendered.
    Generation {
        /// Its id.
        id: Uuid,
    },
    /// A file that was made out of others, to be downloaded.
    Edit {
        /// Its id.
        id: Uuid,
    },
    /// A file of a base model: a copy, or the only one.
    Base {
        /// Its name.
        name: String,
        /// Path of the file within it.
        path: String,
        /// Whether it was made here, so that there is no other place to copy it from.
        is_only: bool,
    },
}

impl fmt::Display for Dependent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Picture { dataset, file_name } => {
                write!(f, "the picture `{file_name}` of the dataset `{dataset}`")
            }
            Self::FrozenPicture {
                dataset,
                file_name: Some(file_name),
                ..
            } => write!(
                f,
                "the picture `{file_name}` of the dataset `{dataset}` in a frozen version"
            ),
            Self::FrozenPicture { dataset, .. } => write!(
                f,
                "a picture deleted from the dataset `{dataset}` but used by jobs"
            ),
            Self::Checkpoint { job, step, .. } => {
                write!(f, "the checkpoint of step {step} of the job `{job}`")
            }
            Self::ModelVersion { model, version } => {
                write!(f, "the LoRA file of version {version} of the model `{model}`")
            }
            Self::VersionPicture { model, version } => {
                write!(f, "a picture of version {version} of the model `{model}`")
            }
            Self::Sample { job, step, .. } => {
                write!(f, "a preview picture of step {step} of the job `{job}`")
            }
            Self::JobFile { job, file_name, .. } => write!(f, "the file `{file_name}` of the job `{job}`"),
            Self::Generation { id } => write!(f, "the picture of the generation {id}"),
            Self::Edit { id } => write!(f, "the file of the edit {id}"),
            Self::Base { name, path, .. } => write!(f, "the file `{path}` of the base model `{name}`"),
        }
    }
}

/// Every object that a row relies on.
pub async fn all_keys(db: &impl Read) -> Result<BTreeSet<BlobKey>> {
    let pictures: Vec<String> = dataset_item::Entity::find()
        .select_only()
        .column(dataset_item::Column::Sha256)
        .distinct()
        .into_tuple()
        .all(db.connection())
        .await
        .doing("list the pictures of all datasets")?;
    let files: Vec<String> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::Sha256)
        .distinct()
        .filter(artifact::Column::State.eq(STORED))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("list all stored files")?;
    let imports: Vec<String> = model_version::Entity::find()
        .select_only()
        .column(model_version::Column::Sha256)
        .distinct()
        .filter(model_version::Column::Imported.is_not_null())
        .into_tuple()
        .all(db.connection())
        .await
        .doing("list all imported files")?;
    let bases = bases::list(db).await?;
    let bases = bases
        .into_iter()
        .flat_map(|base| {
            let is_copied = base.copy == BaseCopy::Stored;
            base.files
                .into_iter()
                .filter(move |file| file.is_object || is_copied)
        })
        .filter_map(|file| file.sha256);
    let mut keys: BTreeSet<BlobKey> = references::frozen(db, None).await?.into_iter().collect();
    for hash in pictures.into_iter().chain(files).chain(imports).chain(bases) {
        keys.insert(references::key_of(&hash)?);
    }
    Ok(keys)
}

/// What depends on each of these objects; unreferenced ones are omitted.
pub async fn of(db: &impl Read, keys: &BTreeSet<BlobKey>) -> Result<BTreeMap<BlobKey, Vec<Dependent>>> {
    let mut found: BTreeMap<BlobKey, Vec<Dependent>> = BTreeMap::new();
    if keys.is_empty() {
        return Ok(found);
    }
    let all: Vec<BlobKey> = keys.iter().cloned().collect();
    for part in all.chunks(AT_ONCE) {
        let part: BTreeSet<BlobKey> = part.iter().cloned().collect();
        pictures(db, &part, &mut found).await?;
        frozen_pictures(db, &part, &mut found).await?;
        files(db, &part, &mut found).await?;
        imports(db, &part, &mut found).await?;
    }
    for base in bases::list(db).await? {
        for file in base.files.iter().filter(|file| base.is_stored(file)) {
            let Some(hash) = &file.sha256 else { continue };
            let key = references::key_of(hash)?;
            if keys.contains(&key) {
                found.entry(key).or_default().push(Dependent::Base {
                    name: base.name.clone(),
                    path: file.path.clone(),
                    is_only: file.is_object,
                });
            }
        }
    }
    Ok(found)
}

async fn pictures(
    db: &impl Read,
    keys: &BTreeSet<BlobKey>,
    found: &mut BTreeMap<BlobKey, Vec<Dependent>>,
) -> Result<()> {
    let rows = dataset_item::Entity::find()
        .filter(dataset_item::Column::Sha256.is_in(keys.iter().map(BlobKey::sha256)))
        .order_by_asc(dataset_item::Column::Id)
        .all(db.connection())
        .await
        .doing("look for the pictures of objects")?;
    let names = dataset_names(db, rows.iter().map(|row| row.dataset_id).collect()).await?;
    for row in rows {
        let picture = Dependent::Picture {
            dataset: names.get(&row.dataset_id).cloned().unwrap_or_default(),
            file_name: row.file_name,
        };
        found
            .entry(references::key_of(&row.sha256)?)
            .or_default()
            .push(picture);
    }
    Ok(())
}

async fn frozen_pictures(
    db: &impl Read,
    keys: &BTreeSet<BlobKey>,
    found: &mut BTreeMap<BlobKey, Vec<Dependent>>,
) -> Result<()> {
    /// Manifests are large.
    const PAGE: u64 = 50;
    let mut after = Uuid::nil();
    loop {
        let page = dataset_version::Entity::find()
            .filter(dataset_version::Column::Id.gt(after))
            .order_by_asc(dataset_version::Column::Id)
            .limit(PAGE)
            .all(db.connection())
            .await
            .doing("read dataset versions")?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        for version in page {
            let manifest: Manifest = from_json("dataset_versions.manifest", version.manifest)?;
            let mut items = Vec::new();
            for item in manifest.items {
                let key = references::key_of(&item.sha256)?;
                if keys.contains(&key) {
                    items.push((key, item.id.0));
                }
            }
            if items.is_empty() {
                continue;
            }
            let dataset = dataset_names(db, BTreeSet::from([version.dataset_id])).await?;
            let jobs: Vec<String> = job::Entity::find()
                .select_only()
                .column(job::Column::Name)
                .filter(job::Column::DatasetVersionId.eq(version.id))
                .order_by_asc(job::Column::Id)
                .into_tuple()
                .all(db.connection())
                .await
                .doing("look for the jobs of a dataset version")?;
            let names: BTreeMap<Uuid, String> = dataset_item::Entity::find()
                .select_only()
                .columns([dataset_item::Column::Id, dataset_item::Column::FileName])
                .filter(dataset_item::Column::Id.is_in(items.iter().map(|(_, id)| *id)))
                .into_tuple::<(Uuid, String)>()
                .all(db.connection())
                .await
                .doing("look for the names of pictures")?
                .into_iter()
                .collect();
            for (key, id) in items {
                found.entry(key).or_default().push(Dependent::FrozenPicture {
                    dataset: dataset.get(&version.dataset_id).cloned().unwrap_or_default(),
                    file_name: names.get(&id).cloned(),
                    jobs: jobs.clone(),
                });
            }
        }
    }
}

async fn files(
    db: &impl Read,
    keys: &BTreeSet<BlobKey>,
    found: &mut BTreeMap<BlobKey, Vec<Dependent>>,
) -> Result<()> {
    let rows = artifact::Entity::find()
        .filter(artifact::Column::Sha256.is_in(keys.iter().map(BlobKey::sha256)))
        .filter(artifact::Column::State.eq(STORED))
        .order_by_asc(artifact::Column::Id)
        .all(db.connection())
        .await
        .doing("look for the files of objects")?;
    let versions = versions_of(db, rows.iter().map(|row| row.id).collect()).await?;
    let jobs: BTreeMap<Uuid, String> = job::Entity::find()
        .select_only()
        .columns([job::Column::Id, job::Column::Name])
        .filter(job::Column::Id.is_in(rows.iter().filter_map(|row| row.job_id)))
        .into_tuple::<(Uuid, String)>()
        .all(db.connection())
        .await
        .doing("look for the jobs of files")?
        .into_iter()
        .collect();
    for row in rows {
        let key = references::key_of(&row.sha256)?;
        let kind: ArtifactKind = from_json("artifacts.details", row.details)?;
        let of = match (row.job_id, row.generation_id, row.edit_id) {
            (Some(id), ..) => (jobs.get(&id).cloned().unwrap_or_default(), id),
            (None, Some(id), _) => {
                found.entry(key).or_default().push(Dependent::Generation { id });
                continue;
            }
            (None, None, Some(id)) => {
                found.entry(key).or_default().push(Dependent::Edit { id });
                continue;
            }
            (None, None, None) => return Err(StoreError::corrupt("artifacts", "belongs to nothing")),
        };
        let (job, job_id) = of;
        let shown = versions.get(&row.id).cloned();
        let dependent = match (kind, shown) {
            (ArtifactKind::Checkpoint { step }, _) => Dependent::Checkpoint { job, job_id, step },
            (ArtifactKind::Sample { step, .. }, _) => Dependent::Sample { job, job_id, step },
            (ArtifactKind::Lora { .. }, Some((model, version))) => Dependent::ModelVersion { model, version },
            (_, Some((model, version))) => Dependent::VersionPicture { model, version },
            (_, None) => Dependent::JobFile {
                job,
                job_id,
                file_name: row.file_name,
            },
        };
        found.entry(key).or_default().push(dependent);
    }
    Ok(())
}

async fn imports(
    db: &impl Read,
    keys: &BTreeSet<BlobKey>,
    found: &mut BTreeMap<BlobKey, Vec<Dependent>>,
) -> Result<()> {
    let rows = model_version::Entity::find()
        .filter(model_version::Column::Imported.is_not_null())
        .filter(model_version::Column::Sha256.is_in(keys.iter().map(BlobKey::sha256)))
        .order_by_asc(model_version::Column::Id)
        .all(db.connection())
        .await
        .doing("look for the imported files of objects")?;
    for row in rows {
        found
            .entry(references::key_of(&row.sha256)?)
            .or_default()
            .push(Dependent::ModelVersion {
                model: row.name,
                version: row.version.unsigned_abs(),
            });
    }
    Ok(())
}

/// Name and number of the model version that each file belongs to.
async fn versions_of(db: &impl Read, files: BTreeSet<Uuid>) -> Result<BTreeMap<Uuid, (String, u32)>> {
    use model_version::Column::{AfterArtifactId, ArtifactId, BeforeArtifactId};
    let any = Condition::any()
        .add(ArtifactId.is_in(files.iter().copied()))
        .add(BeforeArtifactId.is_in(files.iter().copied()))
        .add(AfterArtifactId.is_in(files.iter().copied()));
    let rows = model_version::Entity::find()
        .filter(any)
        .all(db.connection())
        .await
        .doing("look for the model versions of files")?;
    let mut versions = BTreeMap::new();
    for row in rows {
        let name = row.name;
        let ids = [row.artifact_id, row.before_artifact_id, row.after_artifact_id];
        for id in ids.into_iter().flatten() {
            versions.insert(id, (name.clone(), row.version.unsigned_abs()));
        }
    }
    Ok(versions)
}

async fn dataset_names(db: &impl Read, ids: BTreeSet<Uuid>) -> Result<BTreeMap<Uuid, String>> {
    let rows: Vec<(Uuid, String)> = dataset::Entity::find()
        .select_only()
        .columns([dataset::Column::Id, dataset::Column::Name])
        .filter(dataset::Column::Id.is_in(ids))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for the names of datasets")?;
    Ok(rows.into_iter().collect())
}
