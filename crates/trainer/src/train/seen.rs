//! What each step saw: its pictures, and how far off the network was at each.
//!
//! The losses are numbers that the loss has computed anyway, from before it weights and adds them: nothing is read from the
//! device for them.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use protocol::{ItemId, agent::Report, dataset::Manifest, event::SeenPictures, limits::MAX_PICTURES_SEEN};

use crate::data::{TrainingData, View};

/// Steps are reported after this time.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// Or as soon as they saw this many pictures.
const MANY_PICTURES: usize = MAX_PICTURES_SEEN / 2;

/// The pictures of steps that are not reported yet.
#[derive(Debug)]
pub(super) struct Seen {
    /// Places in the manifest of the pictures that are trained on; those that were drawn have none.
    places: Vec<Option<u32>>,
    steps: Vec<SeenPictures>,
    since: Instant,
}

impl Seen {
    pub(super) fn new(data: &TrainingData, manifest: &Manifest) -> Self {
        let places: HashMap<ItemId, u32> = (0..)
            .zip(&manifest.items)
            .map(|(at, item)| (item.id, at))
            .collect();
        Self {
            places: data
                .trained
                .iter()
                .map(|sample| places.get(&sample.id).copied())
                .collect(),
            steps: Vec::new(),
            since: Instant::now(),
        }
    }

    /// Notes a batch of a step, with the timestep and the loss of each picture.
    pub(super) fn batch(&mut self, step: u32, members: &[View], timesteps: &[f32], losses: &[f64]) {
        if self.steps.last().is_none_or(|last| last.step != step) {
            self.steps.push(SeenPictures {
                step,
                ..SeenPictures::default()
            });
        }
        let Some(seen) = self.steps.last_mut() else { return };
        for ((view, timestep), loss) in members.iter().zip(timesteps).zip(losses) {
            let Some(place) = self.places[view.picture] else {
                continue;
            };
            if seen.pictures.len() < MAX_PICTURES_SEEN {
                seen.pictures.push(place);
                seen.timesteps.push(timestep.round() as u32);
                seen.losses.push((loss * 1e6).round() / 1e6);
            }
        }
    }

    /// What is to be reported now.
    pub(super) fn due(&mut self) -> Option<Report> {
        let n_pictures: usize = self.steps.iter().map(|step| step.pictures.len().max(1)).sum();
        if n_pictures < MANY_PICTURES && self.since.elapsed() < REPORT_EVERY {
            return None;
        }
        self.all()
    }

    /// Everything that is not reported yet.
    pub(super) fn all(&mut self) -> Option<Report> {
        self.since = Instant::now();
        let steps = std::mem::take(&mut self.steps);
        (!steps.is_empty()).then_some(Report::PicturesSeen { steps })
    }
}
