//! A LoRA file of smaller rank.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{
    Context, EditError, Edited, Factors, Kept, Source, Storage,
    keep::{Energy, Keep},
    kohya_tensors,
    matrices::Matrices,
    metadata, summary,
};
use crate::lora::LoraModule;

/// Cuts every module to what `keep` says; alpha shrinks with the rank, so that the strength stays. Nothing ever grows,
/// and what is another kind becomes a plain LoRA.
///
/// # Errors
/// If a module changes a bias or a norm, or is a change only beside a base that `context` does not have.
pub fn resize(
    source: &Source,
    keep: &Keep,
    storage: Storage,
    context: &Context<'_>,
) -> Result<Edited, EditError> {
    let modules: Vec<(&String, &LoraModule)> = source.lora().modules().iter().collect();
    let (_, before) = source.lora().ranks();
    let resized = modules
        .par_iter()
        .map(|(name, module)| {
            let matrices = source.matrices(name, module, "resized", context)?;
            let resized = one(matrices, keep).map_err(|err| EditError::Compute {
                module: (*name).clone(),
                err,
            })?;
            context.done_one_of(modules.len())?;
            let (factors, share, square) = resized;
            Ok(((*name).clone(), factors, share, square))
        })
        .collect::<Result<Vec<(String, Factors, f64, f64)>, EditError>>()?;
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
    let mut metadata = metadata::of_one(source, &describe(before, keep));
    metadata.remove("lora_adapter_metadata");
    metadata::sizes(&mut metadata, modules.values());
    let of_kinds = source.note_of_kinds();
    if of_kinds.is_some() {
        metadata.insert("ss_network_module".to_owned(), "networks.lora".to_owned());
        metadata.remove("ss_network_args");
    }
    Ok(Edited {
        tensors: kohya_tensors(&modules, storage)?,
        metadata,
        summary,
        notes: source.notes().chain(of_kinds).collect(),
    })
}

/// The smaller module, the share of its norm that is left, and the square of the norm before.
fn one(matrices: Matrices, keep: &Keep) -> candle_core::Result<(Factors, f64, f64)> {
    let square = matrices.square();
    let Matrices::Thin(factors) = matrices else {
        let (resized, share) = matrices.resized(keep)?;
        return Ok((resized, share, square));
    };
    if keep.energy.is_none() && factors.rank() <= keep.at_most(factors.layer) {
        return Ok((factors, 1.0, square));
    }
    let (resized, share) = factors.resized(keep);
    // The same rank with other numbers would only be rounded once more.
    let resized = if resized.rank() == factors.rank() {
        factors
    } else {
        resized
    };
    Ok((resized, share, square))
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
