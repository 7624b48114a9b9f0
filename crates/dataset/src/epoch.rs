//! How long an epoch is: every picture that is trained on as often as it has repeats, in batches of one bucket.

use std::collections::BTreeMap;

use protocol::{
    dataset::{ManifestItem, Shown},
    recipe::Parameters,
};

use crate::buckets::{Buckets, Size};

/// One pass over the pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// By bucket: pictures, and how many times they are shown together.
    pub buckets: BTreeMap<Size, (u32, u32)>,
    /// Optimizer steps, at least 1; the last may have fewer batches.
    pub n_steps: u32,
}

impl Epoch {
    /// Of these pictures; those that are held out do not count. Each bucket may end with an incomplete batch.
    pub fn of(items: &[ManifestItem], p: &Parameters) -> Self {
        let grid = Buckets::of(p);
        let mut buckets: BTreeMap<Size, (u32, u32)> = BTreeMap::new();
        let shown = Shown::of(items, p.n_prior_pictures);
        for (item, repeats) in shown.items {
            let placement = grid.place(Size::new(item.width, item.height));
            let (n_items, n_views) = buckets.entry(placement.bucket).or_default();
            *n_items += 1;
            *n_views += repeats;
        }
        if !shown.drawn.is_empty() {
            let (_, n_views) = buckets.entry(grid.square()).or_default();
            *n_views += shown.drawn.iter().sum::<u32>();
        }
        let batch_size = u32::from(p.batch_size);
        let batches = buckets.values().map(|(_, n_views)| n_views.div_ceil(batch_size));
        let n_batches: u32 = batches.sum();
        let n_steps = n_batches.div_ceil(u32::from(p.gradient_accumulation)).max(1);
        Self { buckets, n_steps }
    }

    /// Pictures that are trained on.
    pub fn n_items(&self) -> u32 {
        self.buckets.values().map(|(n_items, _)| n_items).sum()
    }
}
