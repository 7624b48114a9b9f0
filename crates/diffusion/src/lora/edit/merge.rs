//! Several LoRA files into one.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{
    EditError, Edited, Factors, Kept, Source, Storage, keep::Keep, kohya_tensors, metadata, stem, summary,
};

/// A file and how strongly it is applied.
#[derive(Debug, Clone, Copy)]
pub struct Weighted<'a> {
    /// The file.
    pub source: &'a Source,
    /// Its weight; 1 is as trained.
    pub weight: f64,
}

/// How files are merged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Matrices side by side: exact, and as wide as all ranks together.
    Concatenate,
    /// The best approximation of the sum at a smaller rank.
    Svd(Keep),
    /// NP-LoRA, for a style and a character: see [`Projection`].
    Project(Projection),
}

/// NP-LoRA (Chen, Zhou, Zhang and Huang, "NP-LoRA: Null Space Projection for Subject-Style LoRA Fusion", arXiv
/// 2511.11051): the first file is a style ΔWₛ = UΣVᵀ, and every other one loses what it does along the style's leading
/// input directions Vₖ, so that both do not disturb each other:
/// ΔW = ΔWₛ + ΔW꜀ · (I + μVₖVₖᵀ)⁻¹ = ΔWₛ + ΔW꜀ · (I − μ/(1+μ) · VₖVₖᵀ).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    /// μ: 0 is a plain sum, infinity the hard projection.
    pub strength: f64,
    /// Share of the style's Frobenius norm that its leading directions hold, from 0 to 1; 1 is all of them.
    pub share: f64,
}

/// Merges files. Modules that are not in all of them are kept.
///
/// # Errors
/// If one of them is no plain LoRA, modules of one name have different sizes, or every weight is 0.
pub fn merge(files: &[Weighted<'_>], method: Method, storage: Storage) -> Result<Edited, EditError> {
    let used: Vec<&Weighted<'_>> = files.iter().filter(|file| file.weight != 0.0).collect();
    if used.is_empty() {
        return Err(EditError::Nothing {
            reason: "every weight is 0".to_owned(),
        });
    }
    let factors = used
        .iter()
        .map(|file| file.source.factors("merged"))
        .collect::<Result<Vec<_>, _>>()?;
    check_sizes(&used, &factors)?;
    let names: BTreeSet<&String> = factors.iter().flat_map(BTreeMap::keys).collect();
    let names: Vec<&String> = names.into_iter().collect();
    let merged: Vec<(String, Factors, f64, f64)> = names
        .par_iter()
        .filter_map(|name| {
            let parts = used
                .iter()
                .zip(&factors)
                .enumerate()
                .filter_map(|(index, (file, modules))| Some((index, modules.get(*name)?, file.weight)));
            let (module, share, square) = one(&parts.collect::<Vec<_>>(), method)?;
            Some(((*name).clone(), module, share, square))
        })
        .collect();
    let least = merged.iter().map(|(_, _, share, _)| *share).fold(1.0, f64::min);
    let whole: f64 = merged.iter().map(|(.., square)| square).sum();
    let left: f64 = merged
        .iter()
        .map(|(_, _, share, square)| share * share * square)
        .sum();
    let modules: BTreeMap<String, Factors> = merged
        .into_iter()
        .map(|(name, module, ..)| (name, module))
        .collect();
    let mut summary = summary(modules.values());
    if matches!(method, Method::Svd(_)) && whole > 0.0 {
        summary.kept = Some(Kept {
            whole: (left / whole).sqrt(),
            least,
        });
    }
    let sources: Vec<&Source> = used.iter().map(|file| file.source).collect();
    let mut metadata = metadata::of_several(&sources, &describe(&used, method));
    metadata::sizes(&mut metadata, modules.values());
    metadata
        .entry("ss_network_module".to_owned())
        .or_insert_with(|| "networks.lora".to_owned());
    Ok(Edited {
        tensors: kohya_tensors(&modules, storage)?,
        metadata,
        summary,
        notes: notes(files, &factors),
    })
}

/// The merged module, the share of its norm that is left, and the square of the norm before.
fn one(parts: &[(usize, &Factors, f64)], method: Method) -> Option<(Factors, f64, f64)> {
    let style = parts.iter().find(|(index, ..)| *index == 0);
    let projected: Vec<(Factors, f64)> = match (method, style) {
        (Method::Project(projection), Some((_, style, _))) => {
            let directions = projection.directions(style);
            let factor = projection.factor();
            let part = |(index, part, weight): &(usize, &Factors, f64)| match index {
                0 => ((*part).clone(), *weight),
                _ => (part.without(&directions, factor), *weight),
            };
            parts.iter().map(part).collect()
        }
        _ => parts
            .iter()
            .map(|(_, part, weight)| ((*part).clone(), *weight))
            .collect(),
    };
    let borrowed: Vec<(&Factors, f64)> = projected.iter().map(|(part, weight)| (part, *weight)).collect();
    let sum = Factors::concatenated(&borrowed)?;
    match method {
        Method::Svd(keep) => {
            let square = sum.square();
            let (module, share) = sum.resized(&keep);
            Some((module, share, square))
        }
        Method::Concatenate | Method::Project(_) => Some((sum, 1.0, 0.0)),
    }
}

impl Projection {
    /// μ / (1 + μ)
    fn factor(&self) -> f64 {
        if self.strength.is_infinite() {
            1.0
        } else {
            self.strength / (1.0 + self.strength)
        }
    }

    /// The style's leading input directions.
    fn directions(&self, style: &Factors) -> Vec<Vec<f64>> {
        let svd = style.svd();
        let keep = Keep {
            energy: (self.share < 1.0).then_some(super::keep::Energy::Frobenius(self.share)),
            rank: usize::MAX,
            conv_rank: usize::MAX,
        };
        let is_none = svd.values.first().is_none_or(|value| *value == 0.0);
        let n = if is_none {
            0
        } else {
            keep.rank(&svd.values, style.layer)
        };
        svd.right.into_iter().take(n).collect()
    }
}

fn check_sizes(files: &[&Weighted<'_>], factors: &[BTreeMap<String, Factors>]) -> Result<(), EditError> {
    let mut seen = BTreeMap::new();
    for (file, modules) in files.iter().zip(factors) {
        for (name, module) in modules {
            let (other, layer) = *seen.entry(name).or_insert((file.source.path(), module.layer));
            if layer != module.layer {
                return Err(EditError::Sizes {
                    module: name.clone(),
                    path: file.source.path().to_owned(),
                    other: other.to_owned(),
                    found: module.layer.matrix(),
                    expected: layer.matrix(),
                });
            }
        }
    }
    Ok(())
}

fn describe(files: &[&Weighted<'_>], method: Method) -> String {
    let files: Vec<String> = files
        .iter()
        .map(|file| format!("{} × {}", stem(file.source.path()), file.weight))
        .collect();
    let files = files.join(" + ");
    match method {
        Method::Concatenate => format!("merged from {files} by concatenation"),
        Method::Svd(keep) => match keep.energy {
            None => format!("merged from {files} by SVD to rank {}", keep.rank),
            Some(energy) => format!("merged from {files} by SVD to {}", energy.describe()),
        },
        Method::Project(Projection { strength, share }) => {
            format!("merged from {files} by NP-LoRA with strength {strength} and share {share}")
        }
    }
}

fn notes(files: &[Weighted<'_>], factors: &[BTreeMap<String, Factors>]) -> Vec<String> {
    let mut notes: Vec<String> = files.iter().flat_map(|file| file.source.notes()).collect();
    for file in files.iter().filter(|file| file.weight == 0.0) {
        notes.push(format!(
            "`{}` has weight 0 and is left out",
            file.source.path().display()
        ));
    }
    let all: BTreeSet<&String> = factors.iter().flat_map(BTreeMap::keys).collect();
    let n_partial = all
        .iter()
        .filter(|name| !factors.iter().all(|modules| modules.contains_key(**name)))
        .count();
    if n_partial > 0 {
        notes.push(format!(
            "{n_partial} of {} modules are not in every file",
            all.len()
        ));
    }
    notes
}
