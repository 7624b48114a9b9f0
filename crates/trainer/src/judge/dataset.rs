//! What is measured of the dataset once: how like its pictures are to each other, and how they look.

use std::ops::ControlFlow;

use diffusion::{base::BaseModel, device::Device, pipeline};
use protocol::ItemId;

use super::{
    JudgeError, asked,
    bootstrap::mean,
    copies::{apart, line},
    features::{Eye, Features, resized, small},
    looks::Looks,
    measuring,
    suite::spread,
};
use crate::data::{Sample, TrainingData};

/// Pictures that stand for the dataset where features are compared: each costs two attentions for each drawn picture.
const MAX_REFERENCES: usize = 12;
/// Training pictures that copies are looked for among.
const MAX_SMALL: usize = 256;
/// Pictures that are decoded to see how they look.
const N_LOOKED_AT: usize = 4;

#[derive(Debug)]
pub(super) struct Dataset {
    references: Vec<Features>,
    /// Id of each training picture, and its latents at 16 × 16.
    pub(super) smalls: Vec<(ItemId, Vec<f32>)>,
    /// Mean likeness between two of the references.
    pub(super) likeness: Option<f64>,
    /// Below this distance at 16 × 16 a picture is like a training picture.
    pub(super) line: Option<f64>,
    pub(super) looks: Looks,
}

impl Dataset {
    /// # Errors
    /// If a picture cannot be looked at, or without the consent of `go_on`.
    pub(super) fn of<D: Device>(
        base: &BaseModel<D>,
        eye: &Eye<'_, D>,
        data: &TrainingData,
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Self, JudgeError> {
        let broken = measuring("the dataset");
        let subjects: Vec<&Sample> = data.subjects().iter().collect();
        // One picture is like itself, which says nothing: held-out pictures help.
        let others = data
            .held_out
            .iter()
            .take(if subjects.len() < 2 { MAX_REFERENCES } else { 0 });
        let looked_at: Vec<&Sample> = subjects.iter().copied().chain(others).collect();
        let mut references: Vec<Features> = Vec::new();
        for sample in spread(&looked_at, MAX_REFERENCES) {
            asked(go_on)?;
            let seen = resized(sample.latents(), eye.side).and_then(|seen| eye.look(&seen));
            references.push(seen.map_err(&broken)?);
        }
        let all: Vec<&Features> = references.iter().collect();
        let mut pairs: Vec<f64> = Vec::new();
        for (index, reference) in all.iter().enumerate() {
            asked(go_on)?;
            let before = eye.alike(&all[..index], &[*reference]).map_err(&broken)?;
            pairs.extend(before.iter().flatten());
        }
        let smalls = spread(&subjects, MAX_SMALL).into_iter();
        let smalls: Vec<(ItemId, Vec<f32>)> = smalls
            .map(|sample| Ok((sample.id, small(sample.latents())?)))
            .collect::<candle_core::Result<_>>()
            .map_err(&broken)?;
        let distances: Vec<Vec<f64>> = smalls
            .iter()
            .map(|(_, a)| smalls.iter().map(|(_, b)| apart(a, b)).collect())
            .collect();
        let mut looks = Vec::new();
        for sample in spread(&subjects, N_LOOKED_AT) {
            asked(go_on)?;
            let pictures = base.vae.decode(sample.latents()).map_err(&broken)?;
            looks.extend(
                pipeline::to_rgb(&pictures)
                    .map_err(&broken)?
                    .iter()
                    .map(Looks::of),
            );
        }
        Ok(Self {
            likeness: (!pairs.is_empty()).then(|| mean(pairs.iter().copied())),
            line: line(&distances),
            looks: Looks::mean(&looks),
            references,
            smalls,
        })
    }

    pub(super) fn references(&self) -> Vec<&Features> {
        self.references.iter().collect()
    }
}
