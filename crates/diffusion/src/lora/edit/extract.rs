//! The difference of two checkpoints as a LoRA file.
//!
//! What sd-scripts' `extract_lora_from_models.py` computes: the singular value decomposition of the difference of each
//! layer that a LoRA of its kind changes. Other tensors that differ are told.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{
    EditError, Edited, Factors, Kept, Storage, context::layers, factors::Layer, kohya_tensors, metadata,
    stem, summary,
};
use crate::{
    device::floats,
    layers::WeightSource,
    lora::names::is_trained,
    weights::{Checkpoint, Component},
};

/// What is taken out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Rank of linear layers and 1×1 convolutions.
    pub rank: usize,
    /// Rank of other convolutions. Without it the convolutional blocks are left out, as in sd-scripts.
    pub conv_rank: Option<usize>,
    /// Quantile of both matrices' numbers at which they are clamped. sd-scripts uses 0.99, which cuts the few large
    /// numbers that carry much of a change; without it the result is the best of its rank.
    pub clamp: Option<f64>,
    /// Layers whose numbers all differ by no more than this are left out.
    pub min_difference: f32,
}

/// Takes the difference `tuned − base`, or its best approximation, out of two checkpoints.
///
/// # Errors
/// If a layer is not in both or has another size, or nothing differs.
pub fn extract(
    base: &Checkpoint,
    tuned: &Checkpoint,
    options: &Options,
    storage: Storage,
) -> Result<Edited, EditError> {
    let (of_base, of_tuned) = (layers(base), layers(tuned));
    let missing = |of: &Checkpoint, module: &str, other: &Checkpoint| EditError::Module {
        path: of.path(),
        module: module.to_owned(),
        problem: format!("has no weight, but has one in `{}`", other.path().display()),
    };
    if let Some(module) = of_tuned.keys().find(|module| !of_base.contains_key(*module)) {
        return Err(missing(base, module, tuned));
    }
    let pairs: Vec<_> = of_base.iter().collect();
    let found = pairs
        .par_iter()
        .map(|(module, left)| {
            let right = of_tuned
                .get(*module)
                .ok_or_else(|| missing(tuned, module, base))?;
            let layer = Pair {
                module,
                base: **left,
                tuned: *right,
            };
            layer.extract(options)
        })
        .collect::<Result<Vec<_>, EditError>>()?;
    let mut modules = BTreeMap::new();
    let (mut n_small, mut left_out) = (0, Vec::new());
    let (mut whole, mut left, mut least) = (0.0, 0.0, 1.0_f64);
    for ((module, _), found) in pairs.iter().zip(found) {
        match found {
            Found::Same => {}
            Found::Small => n_small += 1,
            Found::Other => left_out.push(module.as_str()),
            Found::Module {
                factors,
                square,
                kept,
            } => {
                whole += square;
                left += kept;
                least = least.min((kept / square).sqrt().min(1.0));
                modules.insert((*module).clone(), factors);
            }
        }
    }
    let others = other_differences(base, tuned)?;
    if modules.is_empty() {
        return Err(EditError::Nothing {
            reason: format!(
                "no layer that a LoRA can change differs between `{}` and `{}`",
                base.path().display(),
                tuned.path().display()
            ),
        });
    }
    let mut summary = summary(modules.values());
    summary.kept = Some(Kept {
        whole: (left / whole).sqrt().min(1.0),
        least,
    });
    let mut notes = Vec::new();
    if n_small > 0 {
        notes.push(format!(
            "{n_small} layers differ by no more than {} and are left out",
            options.min_difference
        ));
    }
    if let Some(first) = left_out.first() {
        notes.push(format!(
            "weights that differ, but that a LoRA of this kind does not change: {}, the first is `{first}`",
            left_out.len()
        ));
    }
    if let Some(first) = others.first() {
        notes.push(format!(
            "{} biases, norms' numbers and tensors of the VAE differ, which no LoRA changes, the first is `{first}`",
            others.len()
        ));
    }
    Ok(Edited {
        tensors: kohya_tensors(&modules, storage)?,
        metadata: header(base, tuned, options, &modules),
        summary,
        notes,
    })
}

/// The parts of a base model by their folders' names.
fn parts(base: &Checkpoint) -> [(&'static str, &Component); 4] {
    [
        ("unet", &base.unet),
        ("text_encoder", &base.text_encoder),
        ("text_encoder_2", &base.text_encoder_2),
        ("vae", &base.vae),
    ]
}

/// Canonical names of what differs and is no layer's weight.
fn other_differences(base: &Checkpoint, tuned: &Checkpoint) -> Result<Vec<String>, EditError> {
    let mut names = Vec::new();
    for ((part, left), (_, right)) in parts(base).into_iter().zip(parts(tuned)) {
        for name in left
            .names()
            .filter(|name| part == "vae" || !name.ends_with(".weight"))
        {
            let numbers = |component: &Component| -> Result<Option<Vec<f32>>, EditError> {
                if !component.contains(name) {
                    return Ok(None);
                }
                let tensor = component.get(name)?;
                let numbers = floats(&tensor).map_err(|err| EditError::Compute {
                    module: name.to_owned(),
                    err,
                })?;
                Ok(Some(numbers.to_vec()))
            };
            if numbers(left)? != numbers(right)? {
                names.push(format!("{part}.{name}"));
            }
        }
    }
    names.sort();
    Ok(names)
}

fn header(
    base: &Checkpoint,
    tuned: &Checkpoint,
    options: &Options,
    modules: &BTreeMap<String, Factors>,
) -> BTreeMap<String, String> {
    let (base, tuned) = (base.path(), tuned.path());
    let file_name = base
        .file_name()
        .unwrap_or(base.as_os_str())
        .to_string_lossy()
        .into_owned();
    let mut metadata = BTreeMap::from(
        [
            ("ss_base_model_version", "sdxl_base_v1-0".to_owned()),
            ("ss_v2", "False".to_owned()),
            ("ss_network_module", "networks.lora".to_owned()),
            ("ss_sd_model_name", file_name),
            (
                "modelspec.architecture",
                "stable-diffusion-xl-v1-base/lora".to_owned(),
            ),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    if let Some(rank) = options.conv_rank {
        let network = format!("{{\"conv_dim\": \"{rank}\", \"conv_alpha\": \"{rank}.0\"}}");
        metadata.insert("ss_network_args".to_owned(), network);
    }
    let clamp = options
        .clamp
        .map_or_else(String::new, |quantile| format!(", clamped at {quantile}"));
    let done = format!(
        "extracted from {} minus {} at rank {}{clamp}",
        stem(&tuned),
        stem(&base),
        options.rank
    );
    metadata::comment(&mut metadata, &done);
    metadata::sizes(&mut metadata, modules.values());
    metadata
}

/// A layer of both checkpoints.
struct Pair<'a> {
    module: &'a str,
    base: (&'a Component, &'a str),
    tuned: (&'a Component, &'a str),
}

enum Found {
    Same,
    /// It differs too little.
    Small,
    /// It differs, but it was not asked for.
    Other,
    Module {
        factors: Factors,
        /// Square of the norm of the difference, and how much of it is kept.
        square: f64,
        kept: f64,
    },
}

impl Pair<'_> {
    fn extract(&self, options: &Options) -> Result<Found, EditError> {
        let compute = |err| EditError::Compute {
            module: self.module.to_owned(),
            err,
        };
        let (base, tuned) = (self.base.0.get(self.base.1)?, self.tuned.0.get(self.tuned.1)?);
        let layer = Layer::of_weight(base.dims());
        if base.dims() != tuned.dims() {
            let matrix = |shape: &[usize]| {
                [
                    shape.first().copied().unwrap_or(0),
                    shape.iter().skip(1).product(),
                ]
            };
            return Err(EditError::Sizes {
                module: self.module.to_owned(),
                path: self.tuned.0.path().to_owned(),
                other: self.base.0.path().to_owned(),
                found: matrix(tuned.dims()),
                expected: matrix(base.dims()),
            });
        }
        let (base, tuned) = (floats(&base).map_err(compute)?, floats(&tuned).map_err(compute)?);
        let difference: Vec<f32> = tuned
            .iter()
            .zip(&*base)
            .map(|(tuned, base)| tuned - base)
            .collect();
        if !difference.iter().all(|x| x.is_finite()) {
            return Err(EditError::Module {
                path: self.tuned.0.path().to_owned(),
                module: self.module.to_owned(),
                problem: "is broken: it holds NaN or infinity".to_owned(),
            });
        }
        let largest = difference
            .iter()
            .fold(0.0, |largest: f32, x| largest.max(x.abs()));
        if largest == 0.0 {
            return Ok(Found::Same);
        }
        let rank = layer.and_then(|layer| rank_of(self.module, layer, options).map(|rank| (layer, rank)));
        let Some((layer, rank)) = rank else {
            return Ok(Found::Other);
        };
        if largest <= options.min_difference {
            return Ok(Found::Small);
        }
        let svd = Factors::svd_of_change(&difference, layer, rank).map_err(compute)?;
        let factors = match options.clamp {
            Some(quantile) => Factors::of_svd_clamped(&svd, quantile, layer),
            None => Factors::of_svd(&svd, 1.0, layer),
        };
        Ok(Found::Module {
            factors,
            square: difference.iter().map(|x| f64::from(*x) * f64::from(*x)).sum(),
            kept: svd.values.iter().map(|value| value * value).sum(),
        })
    }
}

/// The rank of a layer that sd-scripts' network has, no larger than the layer; none for other layers.
fn rank_of(module: &str, layer: Layer, options: &Options) -> Option<usize> {
    let rank = if is_trained(module) {
        Some(options.rank)
    } else if is_in_convolutional_block(module) {
        let conv_rank = options.conv_rank?;
        Some(if layer.is_spatial() {
            conv_rank
        } else {
            options.rank
        })
    } else {
        None
    };
    rank.map(|rank| rank.min(layer.n_out).min(layer.n_in))
}

/// `ResnetBlock2D`, `Downsample2D` and `Upsample2D`.
fn is_in_convolutional_block(module: &str) -> bool {
    const ENDS: [&str; 6] = [
        "_in_layers_2",
        "_out_layers_3",
        "_emb_layers_1",
        "_skip_connection",
        "_0_op",
        "_conv",
    ];
    module.starts_with("lora_unet_") && ENDS.iter().any(|end| module.ends_with(end))
}
