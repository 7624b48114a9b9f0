//! Pictures of an upload: which of them are stored, and what is recorded in the dataset.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use dataset::{
    export::is_held_out,
    ingest::{IngestReport, NewMask, note_mask, showing},
    picture::{NormalizedPicture, mask_in, without_mask},
};
use protocol::{
    DatasetId, ItemId, OwnerId,
    audit::AuditAction,
    dataset::{Dataset, Item, MASK_NOTE, RefusedFile, Split, UpdateItem, UploadReport},
};
use sha2::{Digest as _, Sha256};
use store::{
    BlobKey, StoreError, Tx, audit, damage,
    datasets::{self, AddedItem, NewItem, PictureFile},
    objects::BlobError,
};

use crate::{Orchestrator, ServiceError, ServiceResult};

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
        let stored = objects.put(picture.png.clone()).await?;
        if let Some(thumbnail) = &picture.thumbnail {
            self.keep_thumbnail(&stored.key, thumbnail).await;
        }
        Ok(is_known)
    }

    /// Keeps the thumbnail of a stored picture. One that is not kept is made again when somebody wants to see it, so a
    /// failure is only noted.
    pub async fn keep_thumbnail(&self, picture: &BlobKey, thumbnail: &[u8]) {
        if let Err(error) = self.store.objects().put_thumbnail(picture, thumbnail).await {
            tracing::warn!(
                %picture,
                error = protocol::problem::chain(&error),
                "a thumbnail was not kept"
            );
        }
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

    /// The mask picture of a picture, as a PNG file.
    pub async fn mask(&self, owner: OwnerId, dataset: DatasetId, item: ItemId) -> ServiceResult<Bytes> {
        let item = datasets::item(&self.store, owner, dataset, item).await?;
        let file = self.masked_file(&item).await?;
        let mask = mask_in(&file).ok_or_else(|| no_mask(item.id))?;
        Ok(Bytes::copy_from_slice(mask))
    }

    /// Takes the mask picture out of a picture's file. Frozen versions keep it.
    pub async fn remove_mask(&self, owner: OwnerId, dataset: DatasetId, item: ItemId) -> ServiceResult<Item> {
        let before = datasets::item(&self.store, owner, dataset, item).await?;
        let file = self.masked_file(&before).await?;
        if mask_in(&file).is_none() {
            return Err(no_mask(item));
        }
        let stored = self.store.objects().put(without_mask(&file).into()).await;
        let stored = stored.map_err(StoreError::from)?;
        let mut notes = before.notes;
        notes.retain(|note| note != MASK_NOTE);
        let file = PictureFile {
            sha256: stored.sha256,
            size_bytes: stored.size_bytes,
            notes,
        };
        let tx = self.store.begin().await?;
        if datasets::item(&tx, owner, dataset, item).await?.sha256 != before.sha256 {
            return Err(ServiceError::Conflict(format!(
                "`{}` was given another mask in the meantime: reload, then try again",
                before.file_name
            )));
        }
        damage::clear(&tx, &[stored.key]).await?;
        let item = match datasets::set_file(&tx, owner, dataset, item, file).await? {
            AddedItem::Added(item) => item,
            AddedItem::Duplicate(same) => {
                return Err(ServiceError::Conflict(format!(
                    "without its mask, `{}` {}: delete one of the two",
                    before.file_name,
                    same_pixels(&same)
                )));
            }
        };
        let named = audit::named(&datasets::get(&tx, owner, dataset).await?.name, dataset);
        let detail = format!("of {}", item.file_name);
        audit::record(&tx, AuditAction::MaskDeleted, &named, &detail).await?;
        tx.commit().await?;
        Ok(item)
    }

    async fn masked_file(&self, item: &Item) -> ServiceResult<Bytes> {
        if !item.has_mask {
            return Err(no_mask(item.id));
        }
        let file = self.whole_picture(&item.sha256).await.map_err(StoreError::from)?;
        file.ok_or_else(|| lost(item))
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
        let tx = self.store.begin().await?;
        let report = add_pictures(&tx, owner, id, known, taken).await?;
        let detail = format!(
            "{} taken, {} refused",
            report.accepted.len(),
            report.refused.len()
        );
        let subject = audit::named(&report.dataset.name, id);
        audit::record(&tx, AuditAction::PicturesUploaded, &subject, &detail).await?;
        tx.commit().await?;
        Ok(report)
    }

    /// Makes a dataset of the demo's pictures: all of them, or none.
    pub async fn create_demo_dataset(
        &self,
        owner: OwnerId,
        name: &str,
        taken: TakenPictures,
    ) -> ServiceResult<Dataset> {
        let tx = self.store.begin().await?;
        let id = datasets::create(&tx, owner, name).await?.id;
        let report = add_pictures(&tx, owner, id, &[], taken).await?;
        let subject = audit::named(name, id);
        audit::record(&tx, AuditAction::DatasetMade, &subject, "the demo's pictures").await?;
        Ok(tx.commit_with(report.dataset).await?)
    }
}

/// Adds what an upload brought to a dataset; `known` are the pictures that the dataset had when it began.
async fn add_pictures(
    tx: &Tx,
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
    // All of them are whole now, whatever was known of them.
    damage::clear(tx, &keys).await?;
    let mut restored: Vec<Item> = Vec::new();
    let now = match again.is_empty() {
        true => Vec::new(),
        false => datasets::items(tx, owner, id).await?,
    };
    for same in again {
        let is_known = known.iter().any(|item| item.sha256 == same.sha256);
        let item = now.iter().find(|item| item.sha256 == same.sha256);
        let reason = match item {
            None if is_known => "was deleted from the dataset meanwhile: upload it again".to_owned(),
            Some(item)
                if is_restored.contains(&same.sha256) && restored.iter().all(|other| other.id != item.id) =>
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
        let measures = item.measures;
        let item = NewItem {
            split: match is_held_out(&item.file_name) {
                true => Split::HeldOut,
                false => splits.get(&item.pixels_sha256).copied().unwrap_or_default(),
            },
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
        match datasets::add_item(tx, owner, id, item).await? {
            AddedItem::Added(mut item) => {
                if let Some(measures) = &measures {
                    datasets::set_measures(tx, id, item.id, measures).await?;
                    item.sharpness = measures.sharpness;
                }
                accepted.push(item);
            }
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
        let file = PictureFile {
            sha256: joined.sha256,
            size_bytes: joined.size_bytes,
            notes,
        };
        match datasets::set_file(tx, owner, id, item.id, file).await {
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
        match datasets::update_item(tx, owner, id, owner_item.id, change).await {
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
    let dataset = datasets::get(tx, owner, id).await?;
    Ok(UploadReport {
        dataset,
        accepted,
        restored,
        refused,
    })
}

fn no_mask(item: ItemId) -> ServiceError {
    ServiceError::NotFound {
        what: "loss mask of a picture",
        id: item.to_string(),
    }
}

/// The file of a picture cannot be read whole.
pub(super) fn lost(item: &Item) -> ServiceError {
    ServiceError::Conflict(format!(
        "the file of `{}` is lost or damaged: upload the picture again",
        item.file_name
    ))
}

pub(super) fn same_pixels(other: &Item) -> String {
    format!(
        "shows the same pixels as `{}`: a picture counts once",
        other.file_name
    )
}
