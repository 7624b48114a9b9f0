//! Reads everything that rows refer to in the object store, and marks what is lost or damaged.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use protocol::{damage::Damage, problem::chain};
use serde::Serialize;
use store::{
    BlobKey, StoreError, Tx, damage,
    dependents::{self, Dependent},
};

use crate::{Orchestrator, ServiceResult};

/// Objects that are read at the same time.
const N_READS: usize = 4;

/// The result for all objects that rows refer to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Objects that were read.
    pub n_objects: usize,
    /// What is lost or damaged, and is marked so.
    pub damaged: Vec<DamagedObject>,
    /// Objects that are intact again and whose marks were removed.
    pub healed: Vec<String>,
    /// Objects that the store could not read now; their state is unknown, and their marks stay.
    pub unread: Vec<UnreadObject>,
}

/// An object that is lost or damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DamagedObject {
    /// Where it is in the store, or should be.
    pub name: String,
    /// What is wrong with it.
    pub damage: Damage,
    /// What refers to it.
    pub dependents: Vec<Dependent>,
}

/// An object that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadObject {
    /// Where it lies in the store.
    pub name: String,
    /// What the store said.
    pub problem: String,
}

impl Verification {
    /// Everything was read, and is intact.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.unread.is_empty()
    }
}

impl Orchestrator {
    /// Reads all bytes of every object that a row refers to.
    pub async fn verify_objects(&self) -> ServiceResult<Verification> {
        let keys = dependents::all_keys(&self.store).await?;
        let n_objects = keys.len();
        let objects = self.store.objects();
        let mut reading = stream::iter(keys)
            .map(|key| async move {
                let seen = objects.inspect(&key).await;
                (key, seen)
            })
            .buffer_unordered(N_READS);
        let mut whole = BTreeSet::new();
        let mut seen_damaged: BTreeMap<BlobKey, Damage> = BTreeMap::new();
        let mut unread = Vec::new();
        while let Some((key, seen)) = reading.next().await {
            match seen {
                Ok(None) => {
                    whole.insert(key);
                }
                Ok(Some(damage)) => {
                    seen_damaged.insert(key, damage);
                }
                Err(err) => unread.push(UnreadObject {
                    name: key.to_string(),
                    problem: chain(&err),
                }),
            }
        }
        unread.sort_by(|a, b| a.name.cmp(&b.name));
        let tx = self.store.begin().await?;
        let verification = Verification {
            n_objects,
            damaged: note_damaged(&tx, &seen_damaged).await?,
            healed: forget_marks(&tx, &whole, &seen_damaged).await?,
            unread,
        };
        tx.commit().await?;
        Ok(verification)
    }
}

/// Marks the damaged objects that something still refers to: the collector may have run meanwhile.
async fn note_damaged(tx: &Tx, seen: &BTreeMap<BlobKey, Damage>) -> Result<Vec<DamagedObject>, StoreError> {
    let mut dependents = dependents::of(tx, &seen.keys().cloned().collect()).await?;
    let mut damaged = Vec::new();
    for (key, damage) in seen {
        let Some(dependents) = dependents.remove(key) else {
            continue;
        };
        damage::mark(tx, key, *damage).await?;
        damaged.push(DamagedObject {
            name: key.to_string(),
            damage: *damage,
            dependents,
        });
    }
    Ok(damaged)
}

/// Removes the marks of objects that are intact or that nothing refers to any more; returns the former.
async fn forget_marks(
    tx: &Tx,
    whole: &BTreeSet<BlobKey>,
    damaged: &BTreeMap<BlobKey, Damage>,
) -> Result<Vec<String>, StoreError> {
    let marked: BTreeSet<BlobKey> = damage::all(tx).await?.into_keys().collect();
    let needed = dependents::of(tx, &marked).await?;
    let healed: Vec<&BlobKey> = marked.iter().filter(|key| whole.contains(key)).collect();
    let unneeded = marked
        .iter()
        .filter(|key| !needed.contains_key(key) && !damaged.contains_key(key));
    damage::clear(tx, healed.iter().copied().chain(unneeded)).await?;
    Ok(healed.into_iter().map(BlobKey::to_string).collect())
}
