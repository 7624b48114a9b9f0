//! Base models that edits have made: from the file of an edit to that of a base model.

use protocol::{
    EditId, OwnerId,
    edit::{Edit, EditPhase},
};
use store::{
    StoreError, Tx,
    bases::{self, File, Said},
    damage, edits,
};

use crate::{
    Orchestrator, ServiceError, ServiceResult,
    bases::{skeleton::file_name, stored::ARCHIVE},
};

impl Orchestrator {
    /// The file of an edit that merged LoRAs into a base model, and what is said about that base model: it holds for the
    /// result too. The file is not deleted before this transaction ends.
    pub(super) async fn merged_base(
        &self,
        tx: &Tx,
        owner: OwnerId,
        id: EditId,
    ) -> ServiceResult<(File, Said)> {
        let wrong = |problem: String| ServiceError::field("source", problem);
        let edit = match edits::state(tx, id).await {
            Ok(edit) if edit.owner == owner => edit,
            Ok(_) | Err(StoreError::NotFound { .. }) => {
                return Err(wrong(format!("there is no edit `{id}`")));
            }
            Err(err) => return Err(err.into()),
        };
        if !matches!(edit.plan.edit, Edit::MergeInto { .. }) {
            return Err(wrong(
                "must be an edit that merged LoRAs into a base model".to_owned(),
            ));
        }
        if edit.phase != EditPhase::Succeeded {
            let problem = if edit.phase.is_ended() {
                "this edit has made no file: merge again"
            } else {
                "this edit has not ended yet: wait until it has"
            };
            return Err(wrong(problem.to_owned()));
        }
        let kept = match edits::keep_file(tx, owner, id).await {
            Ok(kept) => kept,
            Err(StoreError::NotFound { .. }) => {
                return Err(wrong(
                    "the file of this edit was kept for a week and is gone: merge again".to_owned(),
                ));
            }
            Err(err) => return Err(err.into()),
        };
        if let Some(damage) = damage::of(tx, &kept.key).await? {
            return Err(wrong(format!(
                "the file of this edit is {}: merge again",
                damage.as_text()
            )));
        }
        let said = match bases::get(tx, &edit.plan.base_model).await {
            Ok(base) => base.said,
            Err(StoreError::NotFound { .. }) => Said::default(),
            Err(err) => return Err(err.into()),
        };
        // A base model in a folder is merged into one, which comes as an archive.
        let path = if kept.file_name.ends_with(ARCHIVE) {
            format!("merged{ARCHIVE}")
        } else {
            file_name(&kept.file_name)
        };
        let file = File {
            path,
            url: None,
            size_bytes: kept.size_bytes,
            sha256: Some(kept.sha256),
            is_vae: false,
            is_object: true,
        };
        Ok((file, said))
    }
}
