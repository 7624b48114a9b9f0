//! Freezes pictures into a dataset version, and selects the ones to hold out.

use std::collections::BTreeMap;

use protocol::{
    DatasetVersionId,
    dataset::{Manifest, ManifestItem, Split},
};
use sha2::{Digest as _, Sha256};

/// Why pictures cannot be frozen into a dataset version.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FreezeError {
    /// Nothing to freeze.
    #[error("the dataset has no pictures: upload some first")]
    Empty,
    /// Everything is held out.
    #[error("all {0} pictures are held out: at least one must be used for training")]
    NothingToTrainOn(usize),
    /// Regularization pictures keep something as it is; they teach nothing.
    #[error(
        "no picture is there to be trained on but regularization pictures: add some of what the LoRA is to learn"
    )]
    OnlyRegularization,
    /// The same pixels on both sides.
    #[error(
        "picture {held_out} is held out but has the same pixels as the training picture {trained}: remove one, or \
             use both for the same purpose"
    )]
    Leak {
        /// Id of the held-out picture.
        held_out: String,
        /// Id of the one that is trained on.
        trained: String,
    },
}

/// Freezes pictures: orders them by id, and holds some out if none is marked so.
///
/// Pictures that are marked as held out stay so. If none is, some are chosen by the hash of their pixels,
/// so that the same dataset always holds out the same ones: none of fewer than 12, 2 to 4 of up to 30,
/// a tenth of more. Equal pixels always end up on the same side. Regularization pictures are never held out.
pub fn freeze(id: DatasetVersionId, mut items: Vec<ManifestItem>) -> Result<Manifest, FreezeError> {
    if items.is_empty() {
        return Err(FreezeError::Empty);
    }
    items.sort_by_key(|item| item.id);
    if items.iter().all(|item| item.split == Split::Train) {
        hold_some_out(&mut items);
    }
    if !items.iter().any(ManifestItem::is_subject) {
        return Err(match items.iter().find(|item| item.is_regularization()) {
            Some(_) => FreezeError::OnlyRegularization,
            None => FreezeError::NothingToTrainOn(items.len()),
        });
    }
    check_for_leaks(&items)?;
    Ok(Manifest { id, items })
}

/// Number of pictures to hold out of this many if none is marked.
pub fn default_held_out(n_items: usize) -> usize {
    match n_items {
        0..12 => 0,
        // An eighth: 2 of 12, 4 of 30.
        12..=30 => (n_items + 4).div_euclid(8).clamp(2, 4),
        _ => (n_items + 5).div_euclid(10).max(4),
    }
}

fn hold_some_out(items: &mut [ManifestItem]) {
    let subjects = || items.iter().enumerate().filter(|(_, item)| item.is_subject());
    let n_wanted = default_held_out(subjects().count());
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, item) in subjects() {
        // Hashed once more, so that the order has nothing to do with any other use of the hash.
        let order = hex::encode(Sha256::digest(format!("held out {}", item.sha256)));
        groups.entry(order).or_default().push(index);
    }
    let mut n_held_out = 0;
    for group in groups.values() {
        if n_held_out + group.len() > n_wanted {
            continue; // a group of equal pictures goes over as a whole or not at all
        }
        for &index in group {
            items[index].split = Split::HeldOut;
        }
        n_held_out += group.len();
    }
}

fn check_for_leaks(items: &[ManifestItem]) -> Result<(), FreezeError> {
    let mut trained = BTreeMap::new();
    for item in items.iter().filter(|item| item.split == Split::Train) {
        trained.insert(&item.sha256, item.id);
    }
    for item in items.iter().filter(|item| item.split == Split::HeldOut) {
        if let Some(trained) = trained.get(&item.sha256) {
            return Err(FreezeError::Leak {
                held_out: item.id.to_string(),
                trained: trained.to_string(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
