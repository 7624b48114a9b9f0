//! Pictures of an upload: which of them are stored, and what is recorded in the dataset.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use dataset::{
    ingest::{IngestReport, NewMask, note_mask, showing},
    picture::NormalizedPicture,
};
use protocol::{
    DatasetId, OwnerId,
    audit::AuditAction,
    dataset::{Item, RefusedFile, Split, UpdateItem, UploadReport},
};
use sha2::{Digest as _, Sha256};
use store::{
    BlobKey, StoreError, audit, damage,
    datasets::{self, AddedItem, MaskedFile, NewItem},
    objects::BlobError,
};

use crate::{Orchestrator, ServiceResult};

/// What an upload brought.
#[derive(Debug)]
pub struct TakenPictures {
    /// What was taken of it, and what was not.
    pub report: IngestReport,
    /// What each new picture is used for, by the hash that it has without a mask.
    pub splits: HashMap<String, Split>,
    /// Hashes of the pictures that the dataset had already, and whose lost or damaged file is whole again.
    pub restored: BTreeSet<String>,
}

impl Orchestrator {
    /// Stores a picture. One that the dataset has already is stored again if its file is lost or damaged; tells
    /// whether it was.
    pub async fn keep_picture(&self, picture: &NormalizedPicture, is_known: bool) -> Result<bool, BlobError> {
        let objects = self.store.objects();
        if is_known {
            let key = BlobKey::from_sha256(&picture.sha256).expect("a digest is a valid hash");
            if objects.inspect(&key).await?.is_none() {
                return Ok(false);
            }
        }
        objects.put(picture.png.clone()).await?;
        Ok(is_known)
    }

    /// Reads the stored file of a picture; nothing if it is missing or damaged.
    pub async fn whole_picture(&self, sha256: &str) -> Result<Option<Bytes>, BlobError> {
        let key = BlobKey::from_sha256(sha256).expect("a digest is a valid hash");
        match self.store.objects().get(&key).await {
            Ok(file) => Ok((hex::encode(Sha256::digest(&file)) == sha256).then_some(file)),
            Err(BlobError::NotFound { .. }) => Ok(None),
            Err(err) => Err(err),
        }
    }

    /// Puts what an upload brought into the database, all at once; `known` are the pictures that the dataset had when
    /// it began.
    pub async fn record_pictures(
        &self,
        owner: OwnerId,
        id: DatasetId,
        known: &[Item],
        taken: TakenPictures,
    ) -> ServiceResult<UploadReport> {
        let TakenPictures {
            report,
            splits,
            restored: is_restored,
        } = taken;
        let IngestReport {
            items,
            again,
            captions,
            masks,
            mut refused,
        } = report;
        let hashes = items
            .iter()
            .map(|item| &item.sha256)
            .chain(again.iter().map(|same| &same.sha256))
            .chain(masks.iter().filter_map(|new| Some(&new.joined.as_ref()?.sha256)));
        let keys: Vec<BlobKey> = hashes
            .map(|hash| BlobKey::from_sha256(hash).expect("a digest is a valid hash"))
            .collect();
        let tx = self.store.begin().await?;
        // All of them are whole now, whatever was known of them.
        damage::clear(&tx, &keys).await?;
        let mut restored: Vec<Item> = Vec::new();
        let now = match again.is_empty() {
            true => Vec::new(),
            false => datasets::items(&tx, owner, id).await?,
        };
        for same in again {
            let is_known = known.iter().any(|item| item.sha256 == same.sha256);
            let item = now.iter().find(|item| item.sha256 == same.sha256);
            let reason = match item {
                None if is_known => "was deleted from the dataset meanwhile: upload it again".to_owned(),
                Some(item)
                    if is_restored.contains(&same.sha256)
                        && restored.iter().all(|other| other.id != item.id) =>
                {
                    restored.push(item.clone());
                    continue;
                }
                _ => same.reason(),
            };
            refused.push(RefusedFile {
                file_name: same.file_name,
                reason,
            });
        }
        let mut accepted = Vec::with_capacity(items.len() + captions.len());
        for item in items {
            let item = NewItem {
                split: splits.get(&item.pixels_sha256).copied().unwrap_or_default(),
                showing: showing(&item.file_name),
                file_name: item.file_name,
                caption: item.caption,
                width: item.width,
                height: item.height,
                size_bytes: item.size_bytes,
                sha256: item.sha256,
                notes: item.notes,
            };
            let file_name = item.file_name.clone();
            match datasets::add_item(&tx, owner, id, item).await? {
                AddedItem::Added(item) => accepted.push(item),
                // Another upload was quicker.
                AddedItem::Duplicate(same) => refused.push(RefusedFile {
                    file_name,
                    reason: same_pixels(&same),
                }),
            }
        }
        for NewMask { sha256, mask, joined } in masks {
            let item = known.iter().find(|item| item.sha256 == sha256);
            let Some((item, joined)) = item.zip(joined) else {
                continue;
            };
            let mut notes = item.notes.clone();
            note_mask(&mut notes);
            let file = MaskedFile {
                sha256: joined.sha256,
                size_bytes: joined.size_bytes,
                notes,
            };
            match datasets::set_masked(&tx, owner, id, item.id, file).await {
                Ok(AddedItem::Added(item)) => {
                    // Two archives may have a mask of its name.
                    accepted.retain(|other: &Item| other.id != item.id);
                    accepted.push(item);
                }
                Ok(AddedItem::Duplicate(same)) => refused.push(RefusedFile {
                    file_name: mask.file_name,
                    reason: match same.id == item.id {
                        true => "is the loss mask that its picture has already".to_owned(),
                        false => same_pixels(&same),
                    },
                }),
                // Deleted while this came.
                Err(StoreError::NotFound { .. }) => {}
                Err(err) => return Err(err.into()),
            }
        }
        for caption in captions {
            let Some(owner_item) = known.iter().find(|item| item.sha256 == caption.sha256) else {
                continue;
            };
            let change = UpdateItem {
                caption: Some(caption.caption),
                ..UpdateItem::default()
            };
            match datasets::update_item(&tx, owner, id, owner_item.id, change).await {
                Ok(mut item) => {
                    for note in caption.notes {
                        if !item.notes.contains(&note) {
                            item.notes.push(note);
                        }
                    }
                    // It may have a new mask as well.
                    accepted.retain(|other| other.id != item.id);
                    accepted.push(item);
                }
                // Deleted while this came.
                Err(StoreError::NotFound { .. }) => {}
                Err(err) => return Err(err.into()),
            }
        }
        let dataset = datasets::get(&tx, owner, id).await?;
        let detail = format!("{} taken, {} refused", accepted.len(), refused.len());
        let subject = audit::named(&dataset.name, id);
        audit::record(&tx, AuditAction::PicturesUploaded, &subject, &detail).await?;
        tx.commit().await?;
        Ok(UploadReport {
            dataset,
            accepted,
            restored,
            refused,
        })
    }
}

fn same_pixels(other: &Item) -> String {
    format!(
        "shows the same pixels as `{}`: a picture counts once",
        other.file_name
    )
}
