//! What changed in a dataset since a job was made of it.

use std::collections::HashMap;

use protocol::{
    ItemId, JobId, OwnerId,
    dataset::{Item, ManifestItem},
    job::DatasetChanges,
};
use store::{datasets, jobs};

use crate::{Orchestrator, ServiceResult};

impl Orchestrator {
    /// Compares the dataset of a job as it is now with the pictures that the job trains on.
    pub async fn changes_since(&self, owner: OwnerId, id: JobId) -> ServiceResult<DatasetChanges> {
        let job = jobs::get(&self.store, owner, id).await?;
        let then = datasets::manifest(&self.store, job.dataset_version_id).await?;
        let now = datasets::items(&self.store, owner, job.dataset_id).await?;
        Ok(changes(&then.items, &now))
    }
}

fn changes(then: &[ManifestItem], now: &[Item]) -> DatasetChanges {
    let mut before: HashMap<ItemId, &ManifestItem> = then.iter().map(|item| (item.id, item)).collect();
    let mut changes = DatasetChanges::default();
    for item in now.iter().filter(|item| !item.set_aside) {
        let Some(old) = before.remove(&item.id) else {
            changes.n_added += 1;
            continue;
        };
        changes.n_recaptioned += u32::from(old.caption != item.caption);
        let showing = (old.showing.repeats, old.showing.regularization);
        changes.n_shown_otherwise += u32::from(showing != (item.repeats, item.regularization));
    }
    changes.n_removed = u32::try_from(before.len()).unwrap_or(u32::MAX);
    changes
}
