//! Comic pages of a dataset that are split into panels.

use std::collections::BTreeSet;

use bytes::Bytes;
use dataset::{
    decoder::{MAX_PANELS, PanelPicture, SplitPage},
    ingest::note_mask,
    picture::{MIN_SIDE, mask_in},
};
use protocol::{
    DatasetId, ItemId, OwnerId,
    audit::AuditAction,
    dataset::{Item, PanelOf, RefusedFile, Showing, UpdateItem},
    page::{MadePanels, PageFrame},
    problem::{FieldError, InvalidFields},
};
use store::{
    BlobKey, StoreError, Tx, audit, damage,
    datasets::{self, AddedItem, KnownPanel, NewItem},
};

use super::pictures::{lost, same_pixels};
use crate::{Orchestrator, ServiceError, ServiceResult};

/// How often panels may cover their page, on average: all of them are in memory together.
const MAX_COVERED: u64 = 4;

impl Orchestrator {
    /// A picture that is to be split, with its file; checks the frames that it is to be split by.
    pub async fn page_to_split(
        &self,
        owner: OwnerId,
        dataset: DatasetId,
        item: ItemId,
        frames: Option<&[PageFrame]>,
    ) -> ServiceResult<(Item, Bytes)> {
        let page = datasets::item(&self.store, owner, dataset, item).await?;
        if let Some(frames) = frames {
            check_frames(frames, (page.width, page.height))?;
        }
        let file = self.whole_picture(&page.sha256).await.map_err(StoreError::from)?;
        let file = file.ok_or_else(|| lost(&page))?;
        Ok((page, file))
    }

    /// Makes pictures of the panels of a page, which is set aside. They replace the panels that it was split into before, but
    /// for those whose captions were edited since.
    pub async fn record_panels(
        &self,
        owner: OwnerId,
        id: DatasetId,
        page: &Item,
        split: SplitPage,
    ) -> ServiceResult<MadePanels> {
        let mut keys = Vec::with_capacity(split.panels.len());
        for panel in &split.panels {
            let kept = self.keep_picture(&panel.picture, false).await;
            kept.map_err(StoreError::from)?;
            keys.push(BlobKey::from_sha256(&panel.picture.sha256).expect("a digest is a valid hash"));
        }
        let tx = self.store.begin().await?;
        let dataset = datasets::get(&tx, owner, id).await?;
        let now = datasets::item(&tx, owner, id, page.id).await?;
        if now.sha256 != page.sha256 {
            return Err(ServiceError::Conflict(format!(
                "the file of `{}` was changed meanwhile: try again",
                page.file_name
            )));
        }
        // All of them are whole now, whatever was known of them.
        damage::clear(&tx, &keys).await?;
        let known = datasets::panels(&tx, owner, id, page.id).await?;
        let mut kept = Vec::new();
        let mut n_replaced = 0;
        for old in &known {
            let is_made_again = split
                .panels
                .iter()
                .any(|panel| panel.picture.sha256 == old.sha256);
            if is_made_again {
                continue;
            }
            if old.is_edited {
                kept.push(datasets::item(&tx, owner, id, old.id).await?);
                continue;
            }
            datasets::delete_item(&tx, owner, id, old.id).await?;
            n_replaced += 1;
        }
        let all = datasets::items(&tx, owner, id).await?;
        let mut splitting = Splitting {
            tx: &tx,
            owner,
            id,
            page: &now,
            known: &known,
            names: all.into_iter().map(|item| item.file_name).collect(),
            made: Vec::with_capacity(split.panels.len()),
            refused: Vec::new(),
        };
        for panel in split.panels {
            splitting.add(panel).await?;
        }
        let Splitting { made, refused, .. } = splitting;
        if made.is_empty() {
            let reason = match refused.first() {
                Some(file) => format!("make no panel: `{}` {}", file.file_name, file.reason),
                None => "make no panel: draw larger ones".to_owned(),
            };
            return Err(ServiceError::field("frames", reason));
        }
        let subject = audit::named(&dataset.name, id);
        let detail = format!("{} into {} panels", now.file_name, made.len());
        audit::record(&tx, AuditAction::PageSplit, &subject, &detail).await?;
        let mut panels = Vec::with_capacity(made.len());
        for item in made {
            panels.push(datasets::item(&tx, owner, id, item).await?);
        }
        let made = MadePanels {
            page: datasets::item(&tx, owner, id, page.id).await?,
            panels,
            kept,
            n_replaced,
            refused,
        };
        Ok(tx.commit_with(made).await?)
    }
}

/// A page whose panels are being added to its dataset.
struct Splitting<'a> {
    tx: &'a Tx,
    owner: OwnerId,
    id: DatasetId,
    page: &'a Item,
    /// Panels of an earlier split.
    known: &'a [KnownPanel],
    /// File names that the dataset has.
    names: BTreeSet<String>,
    /// Panels of this split so far.
    made: Vec<ItemId>,
    refused: Vec<RefusedFile>,
}

impl Splitting<'_> {
    /// Adds a panel, or gives one of the same pixels that was made before its new place.
    async fn add(&mut self, panel: PanelPicture) -> ServiceResult<()> {
        let Self {
            tx, owner, id, page, ..
        } = *self;
        let PanelPicture { number, picture, .. } = panel;
        let file_name = free_name(&page.file_name, number, &self.names);
        let mut notes = Vec::new();
        if mask_in(&picture.png).is_some() {
            note_mask(&mut notes);
        }
        let new = NewItem {
            file_name: file_name.clone(),
            caption: page.caption.clone(),
            split: page.split,
            showing: Showing {
                group: page.group.clone(),
                repeats: page.repeats,
                regularization: page.regularization,
            },
            width: picture.width,
            height: picture.height,
            size_bytes: picture.png.len() as u64,
            sha256: picture.sha256,
            notes,
        };
        let item = match datasets::add_item(tx, owner, id, new).await? {
            AddedItem::Added(item) => {
                if let Some(measures) = &picture.measures {
                    datasets::set_measures(tx, id, item.id, measures).await?;
                }
                self.names.insert(file_name);
                item.id
            }
            AddedItem::Duplicate(same) => {
                let known = self.known.iter().find(|old| old.id == same.id);
                let Some(old) = known.filter(|old| !self.made.contains(&old.id)) else {
                    let reason = same_pixels(&same);
                    self.refused.push(RefusedFile { file_name, reason });
                    return Ok(());
                };
                if !old.is_edited {
                    let change = UpdateItem {
                        caption: Some(page.caption.clone()),
                        ..UpdateItem::default()
                    };
                    datasets::update_item(tx, owner, id, same.id, change).await?;
                }
                same.id
            }
        };
        let place = PanelOf {
            page_id: page.id,
            number: u32::try_from(number).unwrap_or(u32::MAX),
        };
        datasets::set_panel(tx, item, place, &page.caption).await?;
        self.made.push(item);
        Ok(())
    }
}

/// The file name of a panel: `page-03-panel-2.png`, or `page-03-panel-2-2.png` if a picture has that already.
fn free_name(page: &str, number: usize, taken: &BTreeSet<String>) -> String {
    let stem = match page.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.contains('/') => stem,
        _ => page,
    };
    let first = format!("{stem}-panel-{number}.png");
    if !taken.contains(&first) {
        return first;
    }
    let others = (2_u32..).map(|n| format!("{stem}-panel-{number}-{n}.png"));
    let mut free = others.filter(|name| !taken.contains(name));
    free.next().unwrap_or(first)
}

fn check_frames(frames: &[PageFrame], (width, height): (u32, u32)) -> Result<(), InvalidFields> {
    if frames.is_empty() || frames.len() > MAX_PANELS {
        let problem = format!("must be from 1 to {MAX_PANELS}, not {}", frames.len());
        return Err(InvalidFields(vec![FieldError::new("frames", problem)]));
    }
    let found = frames.iter().enumerate().filter_map(|(index, frame)| {
        let problem = if frame.on_page((width, height)) != Some(*frame) {
            format!("must lie on the page, which is {width}×{height}")
        } else if frame.width.min(frame.height) < MIN_SIDE {
            format!(
                "must be at least {MIN_SIDE} pixels wide and high, not {}×{}",
                frame.width, frame.height
            )
        } else {
            return None;
        };
        Some(FieldError::new(format!("frames[{index}]"), problem))
    });
    let mut errors: Vec<FieldError> = found.collect();
    let all: u64 = match errors.is_empty() {
        true => frames.iter().map(PageFrame::area).sum(),
        // They may lie anywhere.
        false => 0,
    };
    if all > MAX_COVERED * u64::from(width) * u64::from(height) {
        let problem =
            format!("must not have more than {MAX_COVERED} times as many pixels as the page together");
        errors.push(FieldError::new("frames", problem));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(InvalidFields(errors))
    }
}

#[cfg(test)]
mod tests;
