//! Estimates of the memory and time that a training needs on a rented GPU, before anything was measured: rules of
//! thumb, with wide ranges on purpose. Measurements of this installation's own jobs replace them.

use protocol::{
    MicroUsd,
    preset::BaseClass,
    recipe::{Parameters, Recipe},
    spend::{OfferEstimate, Spread},
};
use rental::Offer;

use super::{Times, cost};
use crate::time::time_delta;

/// Dense bf16 TFLOPS by a part of the GPU's id, from NVIDIA's data sheets; the first that fits counts.
const TFLOPS: [(&str, f64); 20] = [
    ("B200", 2250.0),
    ("H200", 989.0),
    ("H100 PCIe", 756.0),
    ("H100", 989.0),
    ("A100", 312.0),
    ("RTX PRO 6000", 503.0),
    ("RTX PRO 4500", 200.0),
    ("6000 Ada", 364.0),
    ("4000 Ada", 107.0),
    ("2000 Ada", 48.0),
    ("L40S", 362.0),
    ("L40", 181.0),
    ("L4", 121.0),
    ("A6000", 155.0),
    ("A5000", 111.0),
    ("A4500", 95.0),
    ("A40", 150.0),
    ("5090", 210.0),
    ("4090", 165.0),
    ("3090", 71.0),
];
/// For a GPU that is not in the table: that of a small one.
const UNKNOWN_TFLOPS: f64 = 70.0;

/// One picture of 1024x1024 through SDXL's U-Net: 3.0 TMACs forward, as much for the gradients of activations, and as
/// much again because activations are computed twice (gradient checkpointing). Frozen weights need no gradients.
const SDXL_TFLOP: f64 = 18.0;
/// The share of its peak that a GPU reaches with small batches: our guess, for a bad and for a good setup.
const UTILIZATION: Spread<f64> = Spread {
    low: 0.10,
    likely: 0.20,
    high: 0.40,
};
/// Steps of `tiny-xl` are too small for a GPU; its own overhead counts.
const TINY_STEP_S: Spread<f64> = Spread {
    low: 0.02,
    likely: 0.06,
    high: 0.4,
};
/// Everything but steps: the machine's start, the image, the base model, caches, samples, validation.
const OVERHEAD_S: Spread<f64> = Spread {
    low: 120.0,
    likely: 420.0,
    high: 1500.0,
};

/// GPU memory that pictures of SDXL need, in GB: weights in f16 (7), activations of U-Net and VAE at 1024x1024 (3).
pub(crate) const DRAWING_MEMORY_GB: u32 = 10;

/// GPU memory that a training needs, in GB: weights in bf16 (7), activations for each picture with gradient
/// checkpointing (2 at 1024x1024), and the LoRA with gradients and AdamW's moments (1.5 at rank 32, half of that for its
/// convolutions, a quarter more for an average of it). Text encoders that are trained stay in memory (2).
pub(crate) fn memory_gb(recipe: &Recipe, class: BaseClass) -> u32 {
    if class == BaseClass::Tiny {
        return 1;
    }
    let p = recipe.parameters();
    let area = (f64::from(p.resolution) / 1024.0).powi(2);
    let lora = 1.5 * (f64::from(p.rank) + 0.5 * f64::from(p.conv_rank)) / 32.0;
    let average = if p.ema_decay > 0.0 { 0.25 * lora } else { 0.0 };
    let text = if trains_text(p) { 2.0 } else { 0.0 };
    let gb = 7.0 + 2.0 * f64::from(p.batch_size) * area + lora + average + text;
    gb.ceil() as u32
}

fn trains_text(p: &Parameters) -> bool {
    p.text_encoder_1_learning_rate > 0.0 || p.text_encoder_2_learning_rate > 0.0
}

/// The time of an optimizer step on a GPU, in seconds.
pub(crate) fn step_seconds(gpu: &str, recipe: &Recipe, class: BaseClass) -> Spread<f64> {
    let p = recipe.parameters();
    // Preserving what the base draws is a second pass with every picture.
    let n_passes = if p.output_preservation > 0.0 { 2.0 } else { 1.0 };
    let n_batches = f64::from(p.gradient_accumulation) * n_passes;
    if class == BaseClass::Tiny {
        return TINY_STEP_S.times(n_batches);
    }
    let known = TFLOPS.iter().find(|(part, _)| gpu.contains(part));
    let peak = known.map_or(UNKNOWN_TFLOPS, |(_, tflops)| *tflops);
    let area = (f64::from(p.resolution) / 1024.0).powi(2);
    // Both text encoders are a tenth of a U-Net's work at most.
    let text = if trains_text(p) { 1.1 } else { 1.0 };
    let work = SDXL_TFLOP * text * f64::from(p.batch_size) * area * n_batches;
    Spread {
        low: work / (peak * UTILIZATION.high),
        likely: work / (peak * UTILIZATION.likely),
        high: work / (peak * UTILIZATION.low),
    }
}

/// The time of a job from the order of its machine on, in seconds.
pub(crate) fn job_seconds(step: Spread<f64>, n_steps: u32) -> Spread<f64> {
    let steps = step.times(f64::from(n_steps));
    Spread {
        low: OVERHEAD_S.low + steps.low,
        likely: OVERHEAD_S.likely + steps.likely,
        high: OVERHEAD_S.high + steps.high,
    }
}

/// From measured times per step: their extremes, with a margin, and their median.
pub(crate) fn measured(mut seconds: Vec<f64>) -> Option<Spread<f64>> {
    seconds.retain(|seconds| seconds.is_finite() && *seconds > 0.0);
    seconds.sort_by(f64::total_cmp);
    let likely = *seconds.get(seconds.len() / 2)?;
    let room = if seconds.len() < 3 { 0.25 } else { 0.1 };
    Some(Spread {
        low: seconds[0] * (1.0 - room),
        likely,
        high: seconds[seconds.len() - 1] * (1.0 + room),
    })
}

/// What a job would take and cost on an offer.
pub(crate) fn offer(
    times: &Times,
    offer: &Offer,
    seconds: Spread<f64>,
    is_measured: bool,
    least_memory_gb: u32,
) -> OfferEstimate {
    let price = |seconds: f64| {
        cost(
            offer.rate,
            time_delta(std::time::Duration::from_secs_f64(seconds)),
        )
    };
    let unfit = (offer.memory_gb < least_memory_gb).then(|| {
        format!(
            "it has {} GB of memory, and this training needs about {least_memory_gb}",
            offer.memory_gb
        )
    });
    OfferEstimate {
        gpu: offer.gpu.clone(),
        gpu_name: offer.gpu_name.clone(),
        n_gpus: offer.n_gpus,
        memory_gb: offer.memory_gb,
        cloud: offer.cloud,
        is_in_stock: offer.is_in_stock,
        rate_micro_usd: offer.rate,
        seconds,
        cost_micro_usd: Spread::<MicroUsd> {
            low: price(seconds.low),
            likely: price(seconds.likely),
            high: price(seconds.high),
        },
        least_limit_micro_usd: times.least(offer.rate_cap),
        is_measured,
        unfit,
    }
}

#[cfg(test)]
mod tests {
    use protocol::recipe::{ParameterOverrides, RecipeRequest};

    use super::*;

    #[test]
    fn what_is_trained_besides_the_unet_takes_memory_and_time() {
        let resolved = |overrides| {
            let request = RecipeRequest {
                base_model: "sdxl".to_owned(),
                name: "zora".to_owned(),
                trigger_word: Some("zora".to_owned()),
                overrides,
                ..RecipeRequest::default()
            };
            Recipe::resolve(request, BaseClass::Sdxl).unwrap()
        };
        let likely = |recipe: &Recipe| step_seconds("H100", recipe, BaseClass::Sdxl).likely;
        let plain = resolved(ParameterOverrides::default());
        assert_eq!(memory_gb(&plain, BaseClass::Sdxl), 11);
        let text = resolved(ParameterOverrides {
            text_encoder_1_learning_rate: Some(1e-5),
            ..ParameterOverrides::default()
        });
        assert_eq!(memory_gb(&text, BaseClass::Sdxl), 13);
        assert!((likely(&text) / likely(&plain) - 1.1).abs() < 1e-9);
        let preserved = resolved(ParameterOverrides {
            output_preservation: Some(1.0),
            ..ParameterOverrides::default()
        });
        assert!((likely(&preserved) / likely(&plain) - 2.0).abs() < 1e-9);
    }
}
