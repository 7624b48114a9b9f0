//! Edits of many captions: shown before they are made, and undone without taking away later words.

use std::collections::{BTreeMap, BTreeSet};

use dataset::caption::edits::{CaptionEditor, EditError};
use protocol::{
    CaptionEditId, DatasetId, ItemId, OwnerId,
    audit::AuditAction,
    caption_edit::{
        CaptionEdit, CaptionEditReport, ChangedCaption, EditCaptions, UndoCaptionEdit, UndoneCaptionEdit,
    },
    dataset::Item,
};
use store::{
    audit,
    datasets::{self, CaptionChange},
};

use super::checks::aside;
use crate::{Orchestrator, ServiceError, ServiceResult};

/// Captions that are shown of an edit.
const N_SHOWN: usize = 50;
/// Pictures that are named in a conflict.
const N_NAMED: usize = 3;

impl Orchestrator {
    /// Edits captions of a dataset, or shows what the edit would do.
    pub async fn edit_captions(
        &self,
        owner: OwnerId,
        id: DatasetId,
        request: EditCaptions,
    ) -> ServiceResult<CaptionEditReport> {
        request.validate()?;
        let editor = CaptionEditor::new(&request.operation)
            .map_err(|err| ServiceError::field("operation.pattern", err.to_string()))?;
        let items = datasets::items(&self.store, owner, id).await?;
        let items = chosen(items, request.items.as_deref())?;
        // A pattern may take a second.
        let changed = aside(move || changes(editor, items)).await??;
        let mut report = CaptionEditReport {
            edit: None,
            n_changed: changed.len() as u64,
            changes: changed.iter().take(N_SHOWN).cloned().collect(),
        };
        let tx = self.store.begin().await?;
        if request.dry_run || changed.is_empty() {
            return Ok(tx.commit_with(report).await?);
        }
        let changes: Vec<CaptionChange> = changed
            .into_iter()
            .map(|changed| CaptionChange {
                item: changed.item_id,
                before: changed.before,
                after: changed.after,
            })
            .collect();
        let dataset = datasets::get(&tx, owner, id).await?;
        if !datasets::set_captions(&tx, owner, id, &changes).await?.is_empty() {
            return Err(ServiceError::Conflict(
                "captions were changed meanwhile: try again".to_owned(),
            ));
        }
        let edit = datasets::keep_caption_edit(&tx, owner, id, &request.operation, &changes).await?;
        let detail = format!("{}: {} captions", edit.description, changes.len());
        let subject = audit::named(&dataset.name, id);
        audit::record(&tx, AuditAction::CaptionsEdited, &subject, &detail).await?;
        report.edit = Some(edit);
        Ok(tx.commit_with(report).await?)
    }

    /// The edits of a dataset's captions that are kept, the newest first.
    pub async fn caption_edits(&self, owner: OwnerId, id: DatasetId) -> ServiceResult<Vec<CaptionEdit>> {
        Ok(datasets::list_caption_edits(&self.store, owner, id).await?)
    }

    /// Undoes an edit: each caption becomes what it was before, if it still is what the edit has made of it.
    pub async fn undo_caption_edit(
        &self,
        owner: OwnerId,
        id: DatasetId,
        edit: CaptionEditId,
        request: UndoCaptionEdit,
    ) -> ServiceResult<UndoneCaptionEdit> {
        let tx = self.store.begin().await?;
        let dataset = datasets::get(&tx, owner, id).await?;
        let (found, changes) = datasets::find_caption_edit(&tx, owner, id, edit).await?;
        if found.undone_at.is_some() {
            return Err(ServiceError::Conflict("this edit was undone already".to_owned()));
        }
        let back: Vec<CaptionChange> = changes
            .into_iter()
            .map(|change| CaptionChange {
                item: change.item,
                before: change.after,
                after: change.before,
            })
            .collect();
        let skipped = datasets::set_captions(&tx, owner, id, &back).await?;
        let now = datasets::items(&tx, owner, id).await?;
        let changed: BTreeSet<ItemId> = skipped.iter().copied().collect();
        let changed: Vec<&str> = now
            .iter()
            .filter(|item| changed.contains(&item.id))
            .map(|item| item.file_name.as_str())
            .collect();
        if !changed.is_empty() && !request.skip_changed {
            // The transaction is dropped, and with it what was restored.
            return Err(ServiceError::Conflict(format!(
                "{} captions were changed since ({}): undo the others with `skip_changed`, or edit them back by hand",
                changed.len(),
                named(&changed)
            )));
        }
        let edit = datasets::undo_caption_edit(&tx, owner, id, edit).await?;
        let n_restored = (back.len() - skipped.len()) as u64;
        let detail = format!("{}: {n_restored} captions", edit.description);
        let subject = audit::named(&dataset.name, id);
        audit::record(&tx, AuditAction::CaptionsRestored, &subject, &detail).await?;
        let undone = UndoneCaptionEdit {
            edit,
            n_restored,
            n_skipped: skipped.len() as u64,
        };
        Ok(tx.commit_with(undone).await?)
    }
}

/// The pictures that an edit is for, in the order of the dataset.
pub(super) fn chosen(items: Vec<Item>, wanted: Option<&[ItemId]>) -> ServiceResult<Vec<Item>> {
    let Some(wanted) = wanted else { return Ok(items) };
    let mut by_id: BTreeMap<ItemId, Item> = items.into_iter().map(|item| (item.id, item)).collect();
    let wanted: BTreeSet<ItemId> = wanted.iter().copied().collect();
    let mut chosen = Vec::with_capacity(wanted.len());
    for id in wanted {
        let item = by_id.remove(&id).ok_or_else(|| ServiceError::NotFound {
            what: "picture",
            id: id.to_string(),
        })?;
        chosen.push(item);
    }
    Ok(chosen)
}

fn changes(mut editor: CaptionEditor, items: Vec<Item>) -> ServiceResult<Vec<ChangedCaption>> {
    let mut changed = Vec::new();
    for item in items {
        let after = editor.edit(&item.caption).map_err(|err| {
            let reason = match err {
                EditError::TooLong => format!("{err}: that of `{}`", item.file_name),
                EditError::Pattern(_) | EditError::TooSlow => err.to_string(),
            };
            ServiceError::field("operation", reason)
        })?;
        if after != item.caption {
            changed.push(ChangedCaption {
                item_id: item.id,
                file_name: item.file_name,
                before: item.caption,
                after,
            });
        }
    }
    Ok(changed)
}

/// The first few names, and how many more there are.
fn named(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(N_NAMED)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len().saturating_sub(N_NAMED) {
        0 => shown.join(", "),
        n_more => format!("{} and {n_more} more", shown.join(", ")),
    }
}
