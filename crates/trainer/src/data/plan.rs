//! Which pictures make up which step.

use std::collections::BTreeMap;

use dataset::buckets::Size;
use protocol::recipe::Parameters;

use crate::seeds;

/// One of the times that an epoch shows a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View {
    /// The picture, by its index.
    pub picture: usize,
    /// 0 for the first time in an epoch; less than the picture's repeats.
    pub turn: u32,
}

/// The batches of every step of a training, as a function of the seed and the step alone.
#[derive(Debug, Clone)]
pub struct BatchPlan {
    /// Views by bucket.
    buckets: Vec<Vec<View>>,
    batch_size: usize,
    n_batches_per_step: usize,
    seed: u32,
}

impl BatchPlan {
    /// Plans for pictures with these buckets and repeats, in their order.
    pub fn new(pictures: impl IntoIterator<Item = (Size, u32)>, parameters: &Parameters) -> Self {
        let mut by_size: BTreeMap<Size, Vec<View>> = BTreeMap::new();
        for (picture, (size, n_repeats)) in pictures.into_iter().enumerate() {
            let views = (0..n_repeats).map(|turn| View { picture, turn });
            by_size.entry(size).or_default().extend(views);
        }
        Self {
            buckets: by_size.into_values().collect(),
            batch_size: usize::from(parameters.batch_size),
            n_batches_per_step: usize::from(parameters.gradient_accumulation),
            seed: parameters.seed,
        }
    }

    /// Batches of an epoch: every picture is in as many as it has repeats, or in some of them more than once. The last one
    /// of a bucket may be short.
    pub fn n_batches_per_epoch(&self) -> usize {
        self.buckets
            .iter()
            .map(|bucket| bucket.len().div_ceil(self.batch_size))
            .sum()
    }

    /// Optimizer steps of an epoch; the last may have fewer batches.
    pub fn n_steps_per_epoch(&self) -> u32 {
        self.n_batches_per_epoch().div_ceil(self.n_batches_per_step) as u32
    }

    /// The epoch of a step, both counted from 0.
    pub fn epoch(&self, step: u32) -> u32 {
        step / self.n_steps_per_epoch()
    }

    /// The batches of a step, counted from 0. No batch mixes buckets.
    pub fn step(&self, step: u32) -> Vec<Vec<View>> {
        let first = (step % self.n_steps_per_epoch()) as usize * self.n_batches_per_step;
        self.shuffled(self.epoch(step))
            .into_iter()
            .skip(first)
            .take(self.n_batches_per_step)
            .collect()
    }

    fn shuffled(&self, epoch: u32) -> Vec<Vec<View>> {
        let mut batches = Vec::with_capacity(self.n_batches_per_epoch());
        for (index, bucket) in self.buckets.iter().enumerate() {
            let mut bucket = bucket.clone();
            seeds::random(format_args!("bucket {} {epoch} {index}", self.seed)).shuffle(&mut bucket);
            batches.extend(bucket.chunks(self.batch_size).map(<[View]>::to_vec));
        }
        seeds::random(format_args!("epoch {} {epoch}", self.seed)).shuffle(&mut batches);
        batches
    }
}
