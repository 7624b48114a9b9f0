//! Differential output preservation: what is said without the trigger word stays the base's.
//!
//! The method of ai-toolkit's `diff_output_preservation`: the same noisy pictures once more, with captions that lack the
//! trigger word; what the network says about them is compared with what the base says.

use dataset::caption::without_trigger;
use diffusion::{
    base::BaseModel,
    conditioning::{TextTokens, embedded_sizes},
    device::Device,
    graph::AdapterSet,
};
use protocol::recipe::Recipe;

use super::{Draw, Place, Says, TrainingData, View, encoded, sizes_of};
use crate::{
    losses::Loss,
    noise::Noise,
    step::{Batch, Told},
};

impl TrainingData {
    /// What a batch is preserved with: its noisy pictures with captions that lack the trigger word, and what the base says
    /// about them. None where the recipe preserves nothing.
    pub(crate) fn preserved<D: Device>(
        &self,
        recipe: &Recipe,
        base: &BaseModel<D>,
        (at, members): (Place, &[View]),
        batch: &Batch,
    ) -> candle_core::Result<Option<Batch>> {
        let p = recipe.parameters();
        let Some(word) = recipe.trigger_word().filter(|_| p.output_preservation > 0.0) else {
            return Ok(None);
        };
        let encoders = &base.text_encoders;
        let (mut draws, mut texts) = (Vec::with_capacity(members.len()), Vec::new());
        for (view, timestep) in members.iter().zip(&batch.timesteps) {
            let sample = &self.trained[view.picture];
            let caption = match self.says(*view, at, false) {
                Says::Nothing => String::new(),
                Says::Settled => sample.caption.clone(),
                Says::Drawn(text) => text,
            };
            let rest = without_trigger(&caption, word);
            texts.push(self.captions.laid_out(encoders, &rest));
            draws.push(Draw {
                sample,
                look: sample.looks.of(p.seed, at, sample, *view),
                text: self.captions.encode_again(encoders, &rest)?,
                timestep: *timestep,
                // The noise is in the batch already.
                noise: Noise::plain(Vec::new()),
            });
        }
        let Told::Encoded(conditioning) = encoded(&draws)? else {
            candle_core::bail!("the base is told encoded captions");
        };
        let nothing = AdapterSet::new();
        let target = base
            .unet
            .predict(&nothing, &batch.noisy, &batch.timesteps, &conditioning)?;
        let told = if p.trains_text_encoders() {
            Told::Tokens {
                texts: TextTokens::cat(&texts),
                sizes: embedded_sizes(&sizes_of(&draws))?,
            }
        } else {
            Told::Encoded(conditioning)
        };
        Ok(Some(Batch {
            told,
            target,
            loss: Loss::SquaredError,
            weights: vec![p.output_preservation as f32; members.len()],
            ..batch.clone()
        }))
    }
}
