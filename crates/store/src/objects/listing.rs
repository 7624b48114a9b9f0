//! What the collector sees of the store: everything in it, and uploads that were never finished.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{ObjectStore, ObjectStoreExt, path::Path as ObjectPath};

use super::{BlobError, BlobKey, BlobMeta, BlobStore, Bucket, INCOMING, Place, Result, s3::UnfinishedUpload};

/// A blob in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: BlobKey,
    /// Its size and age.
    pub meta: BlobMeta,
}

/// What an upload left behind that was not finished, or not confirmed.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// For a person: where it lies.
    pub name: String,
    /// When it was begun, or last written to.
    pub since: DateTime<Utc>,
    /// Its size, where the store says.
    pub size_bytes: Option<u64>,
    remains: Remains,
}

#[derive(Debug, Clone)]
enum Remains {
    /// A staged file of a folder.
    File(PathBuf),
    /// A multipart upload.
    Parts(UnfinishedUpload),
    /// Bytes that nobody confirmed.
    Object(ObjectPath),
}

impl BlobStore {
    /// All blobs, page by page; anything else in the store is left alone.
    pub fn list(&self) -> BoxStream<'static, Result<Listed>> {
        let prefix = ObjectPath::from("sha256");
        let listed = self.backend.list(Some(&prefix)).map_err(BlobError::List);
        let blobs = listed.try_filter_map(async |object| {
            let meta = BlobMeta {
                size_bytes: object.size,
                modified_at: object.last_modified,
            };
            Ok(BlobKey::of_path(&object.location).map(|key| Listed { key, meta }))
        });
        blobs.boxed()
    }

    /// Uploads that were begun and not finished, however young.
    pub async fn unfinished(&self) -> Result<Vec<Unfinished>> {
        match &self.place {
            Place::Folder { folder, .. } => staged_files(folder).await,
            Place::Bucket(bucket) => self.unfinished_in(bucket).await,
        }
    }

    async fn unfinished_in(&self, bucket: &Bucket) -> Result<Vec<Unfinished>> {
        let uploads = bucket.unfinished().await?;
        let mut found: Vec<Unfinished> = uploads
            .into_iter()
            .map(|upload| Unfinished {
                name: upload.key.clone(),
                since: upload.initiated,
                size_bytes: None,
                remains: Remains::Parts(upload),
            })
            .collect();
        let prefix = ObjectPath::from(INCOMING);
        let mut incoming = self.backend.list(Some(&prefix));
        while let Some(object) = incoming.try_next().await.map_err(BlobError::List)? {
            found.push(Unfinished {
                name: object.location.to_string(),
                since: object.last_modified,
                size_bytes: Some(object.size),
                remains: Remains::Object(object.location),
            });
        }
        Ok(found)
    }

    /// Throws away what an unfinished upload left behind.
    pub async fn discard(&self, unfinished: &Unfinished) -> Result<()> {
        match (&unfinished.remains, &self.place) {
            (Remains::File(path), _) => match tokio::fs::remove_file(path).await {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(BlobError::Staged {
                    path: path.clone(),
                    source,
                }),
                _ => Ok(()),
            },
            (Remains::Parts(upload), Place::Bucket(bucket)) => Ok(bucket.abort(upload).await?),
            // A folder has no multipart uploads.
            (Remains::Parts(_), Place::Folder { .. }) => Ok(()),
            (Remains::Object(path), _) => match self.backend.delete(path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(source) => Err(BlobError::List(source)),
            },
        }
    }
}

/// Files that `object_store` writes before it moves them to their place: `KEY#1`.
async fn staged_files(folder: &Path) -> Result<Vec<Unfinished>> {
    let folder = folder.to_owned();
    let walking = tokio::task::spawn_blocking(move || {
        let (mut folders, mut found) = (vec![folder], Vec::new());
        while let Some(folder) = folders.pop() {
            look_into(&folder, &mut folders, &mut found)
                .map_err(|source| BlobError::Staged { path: folder, source })?;
        }
        Ok(found)
    });
    walking.await.unwrap_or_else(|panic| {
        Err(BlobError::Staged {
            path: PathBuf::new(),
            source: std::io::Error::other(panic),
        })
    })
}

fn look_into(folder: &Path, folders: &mut Vec<PathBuf>, found: &mut Vec<Unfinished>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let meta = match path.symlink_metadata() {
            Ok(meta) => meta,
            // It was moved to its place meanwhile.
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => continue,
            Err(err) => return Err(err),
        };
        if meta.is_dir() {
            folders.push(path);
        } else if is_staged(&path) {
            found.push(Unfinished {
                name: path.display().to_string(),
                since: meta.modified()?.into(),
                size_bytes: Some(meta.len()),
                remains: Remains::File(path),
            });
        }
    }
    Ok(())
}

fn is_staged(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.split_once('#'))
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
}
