//! Recipes that sd-scripts would reject, or fail on, minutes into a run; rejected early with clear messages.

use std::path::PathBuf;

use protocol::{base::Misfit, dataset::Split, recipe::Engine};

use super::{MAX_NAME_BYTES, Picture, Precision, Request};

/// Why a recipe cannot be trained with sd-scripts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `min_bucket_reso must be equal or less than resolution`.
    #[error(
        "must be at most the resolution ({resolution}) for the kohya engine, not {found}: otherwise the shortest \
             side of a bucket would exceed the resolution"
    )]
    BucketStepAboveResolution {
        /// The recipe's.
        found: u32,
        /// The recipe's resolution.
        resolution: u32,
    },
    /// It divides by zero where a bucket would have no row.
    #[error(
        "must be off for the kohya engine: sd-scripts fails on pictures with a side below bucket_step ({step}) that are not \
         enlarged, and the dataset has {n}; leave them out, or choose the native engine"
    )]
    SmallPictures {
        /// How many.
        n: usize,
        /// The recipe's step.
        step: u32,
    },
    /// It takes eight bits only with mixed precision.
    #[error(
        "must be off on a machine that trains in full precision (--kohya-precision no): sd-scripts has eight bits with mixed \
         precision alone"
    )]
    EightBitsInFullPrecision,
    /// It contradicts what the base predicts.
    #[error("{}", .0.reason)]
    Misfit(Misfit),
    /// sd-scripts would end with exit code 0 and no file.
    #[error("has no picture to train on: sd-scripts would exit silently without a file")]
    NoPictures,
    /// The file system would refuse the first checkpoint.
    #[error(
        "has {found} bytes: the kohya engine uses it in names of checkpoints and allows at most {MAX_NAME_BYTES} bytes"
    )]
    NameTooLong {
        /// Bytes of the name.
        found: usize,
    },
    /// `argparse` reads its arguments as text.
    #[error("is at `{path}`, which is not valid text: rename the folder")]
    PathNotText {
        /// What is meant.
        field: &'static str,
        /// The path, as far as it can be shown.
        path: PathBuf,
    },
}

impl Refusal {
    /// The field of the recipe that has to change.
    pub fn field(&self) -> &'static str {
        match self {
            Self::BucketStepAboveResolution { .. } => "parameters.bucket_step",
            Self::SmallPictures { .. } => "parameters.bucket_no_upscale",
            Self::EightBitsInFullPrecision => "parameters.eight_bit_base",
            Self::Misfit(misfit) => misfit.field,
            Self::NoPictures => "dataset",
            Self::NameTooLong { .. } => "name",
            Self::PathNotText { field, .. } => field,
        }
    }
}

/// All errors, so that a person can fix them together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|refusal| format!("{}: {refusal}", refusal.field())).collect::<Vec<_>>().join("; "))]
pub struct Refusals(pub Vec<Refusal>);

/// The rest of sd-scripts' table of constraints cannot be broken: a valid recipe keeps its ranges, and the plan never
/// combines cached text encodings with dropped captions, cached latents with augmentation, or a constant schedule
/// with a warm-up.
pub(super) fn check(request: &Request<'_>, pictures: &[Picture]) -> Result<(), Refusals> {
    let p = request.recipe.parameters();
    let mut refusals = Vec::new();
    if p.bucket_step > p.resolution {
        refusals.push(Refusal::BucketStepAboveResolution {
            found: p.bucket_step,
            resolution: p.resolution,
        });
    }
    if p.bucket_no_upscale {
        let trained = request
            .manifest
            .items
            .iter()
            .filter(|item| item.split == Split::Train);
        let n = trained
            .filter(|item| item.width.min(item.height) < p.bucket_step)
            .count();
        if n > 0 {
            refusals.push(Refusal::SmallPictures {
                n,
                step: p.bucket_step,
            });
        }
    }
    if p.eight_bit_base && request.precision == Precision::Full {
        refusals.push(Refusal::EightBitsInFullPrecision);
    }
    let misfits = request.prediction.misfits(Engine::Kohya, p);
    refusals.extend(misfits.into_iter().map(Refusal::Misfit));
    if pictures.is_empty() {
        refusals.push(Refusal::NoPictures);
    }
    let found = request.recipe.name().len();
    if found > MAX_NAME_BYTES {
        refusals.push(Refusal::NameTooLong { found });
    }
    for (field, path) in [
        ("base_model", request.base),
        ("output", request.folder),
        ("tokenizers", request.tokenizers),
    ] {
        if path.to_str().is_none() {
            let path = path.to_owned();
            refusals.push(Refusal::PathNotText { field, path });
        }
    }
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(Refusals(refusals))
    }
}
