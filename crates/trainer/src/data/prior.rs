//! Regularization pictures that the base model draws itself, as DreamBooth does (Ruiz et al. 2023, section 3.2: the prior
//! of the class, from the model before it is trained).

use std::ops::ControlFlow;

use candle_core::Tensor;
use dataset::buckets::Size;
use diffusion::{
    base::BaseModel,
    device::Device,
    graph::AdapterSet,
    pipeline::{self, PictureRequest, PictureSize},
    schedulers::Sampler,
    tokenizer::TokenLength,
};
use prompt::Reading;
use protocol::{recipe::Parameters, sample};

use super::DataError;
use crate::seeds;

/// The latents `[1, 4, h, w]` of one of the pictures, scaled for the U-Net: a function of the recipe and the index.
pub(super) fn draw<D: Device>(
    base: &BaseModel<D>,
    p: &Parameters,
    size: Size,
    index: usize,
) -> Result<Tensor, DataError> {
    let mut random = seeds::random(format_args!("prior {} {index}", p.seed));
    let request = PictureRequest {
        prompt: p.prior_prompt.clone(),
        negative: None,
        // It is a caption.
        reading: Reading::Literal,
        length: TokenLength::try_from(u32::from(p.max_tokens)).expect("recipes are valid"),
        guidance: sample::GUIDANCE,
        n_steps: sample::N_STEPS.try_into().expect("within what samplers take"),
        size: PictureSize::new(size.width, size.height).map_err(DataError::DrawnSize)?,
        sampler: Sampler::Euler,
        seed: u64::from(random.integer(0..1 << 27)),
        initial_noise: None,
    };
    let go_on = &mut |_, _| ControlFlow::Continue(());
    let latents = pipeline::denoise(base, &AdapterSet::new(), &request, go_on);
    latents.map_err(|err| DataError::Draw { n: index + 1, err })
}
