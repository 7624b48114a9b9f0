//! A LoRA file of smaller rank.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{
    EditError, Edited, Factors, Kept, Source, Storage,
    keep::{Energy, Keep},
    kohya_tensors, metadata, summary,
};

/// Cuts every module to what `keep` says; alpha shrinks with the rank, so that the strength stays. Nothing ever grows.
///
/// # Errors
/// If a module is no plain LoRA.
pub fn resize(source: &Source, keep: &Keep, storage: Storage) -> Result<Edited, EditError> {
    let modules: Vec<(String, Factors)> = source.factors("resized")?.into_iter().collect();
    let before = summary(modules.iter().map(|(_, module)| module));
    let resized: Vec<(String, Factors, f64, f64)> = modules
        .into_par_iter()
        .map(|(name, module)| {
            let square = module.square();
            if keep.energy.is_none() && module.rank() <= keep.at_most(module.layer) {
                return (name, module, 1.0, square);
            }
            let rank = module.rank();
            let (resized, share) = module.resized(keep);
            // The same rank with other numbers would only be rounded once more.
            let resized = if resized.rank() == rank { module } else { resized };
            (name, resized, share, square)
        })
        .collect();
    let whole: f64 = resized.iter().map(|(.., square)| square).sum();
    let left: f64 = resized
        .iter()
        .map(|(_, _, share, square)| share * share * square)
        .sum();
    let least = resized.iter().map(|(_, _, share, _)| *share).fold(1.0, f64::min);
    let modules: BTreeMap<String, Factors> = resized
        .into_iter()
        .map(|(name, module, ..)| (name, module))
        .collect();
    let mut summary = summary(modules.values());
    summary.kept = Some(Kept {
        whole: if whole > 0.0 { (left / whole).sqrt() } else { 1.0 },
        least,
    });
    let mut metadata = metadata::of_one(source, &describe(before.rank_max, keep));
    metadata.remove("lora_adapter_metadata");
    metadata::sizes(&mut metadata, modules.values());
    Ok(Edited {
        tensors: kohya_tensors(&modules, storage)?,
        metadata,
        summary,
        notes: source.notes().collect(),
    })
}

/// In the words of sd-scripts' `resize_lora.py`.
fn describe(before: usize, keep: &Keep) -> String {
    let rule = keep.energy.as_ref().map(Energy::describe);
    match rule {
        Some(rule) => format!("Dynamic resize with {} from {before}", rule.replace(' ', ": ")),
        None if keep.rank == keep.conv_rank => {
            format!("dimension is resized from {before} to {}", keep.rank)
        }
        None => format!(
            "dimension is resized from {before} to {} (conv: {})",
            keep.rank, keep.conv_rank
        ),
    }
}
