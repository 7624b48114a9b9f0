//! Several LoRA files into one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rayon::prelude::*;

use super::{
    Context, EditError, Edited, Factors, Kept, Source, Storage,
    factors::Layer,
    keep::Keep,
    kohya_tensors,
    matrices::{Matrices, WIDEST},
    metadata, stem, summary,
};
use crate::lora::LoraModule;

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
/// 2511.11051v3, equation 12): the first file is a style ΔWₛ = UΣVᵀ, and every other one loses what it does along the
/// style's leading input directions Vₖ, so that both do not disturb each other:
/// ΔW = ΔWₛ + ΔW꜀ · (I − μ/(1+μ) · VₖVₖᵀ), the minimum of ‖X − ΔW꜀‖² + μ‖X Vₖ‖² over X. The paper takes all directions
/// of the style (k is its rank) and μ = ½, layer by layer; its figure 7 and table IV say why the style is the one that
/// is protected, and what a hard projection costs the subject.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    /// μ: 0 is a plain sum, infinity the hard projection.
    pub strength: f64,
    /// Share of the style's Frobenius norm that its leading directions hold, from 0 to 1; 1 is all of them.
    pub share: f64,
}

impl Default for Projection {
    /// As in the paper's experiments.
    fn default() -> Self {
        Self {
            strength: 0.5,
            share: 1.0,
        }
    }
}

/// Merges files. Modules that are not in all of them are kept.
///
/// # Errors
/// If a change of a bias or a norm is among them, one is a change only beside a base that `context` does not have, one
/// is too wide for the method, modules of one name have different sizes, or every weight is 0.
pub fn merge(
    files: &[Weighted<'_>],
    method: Method,
    storage: Storage,
    context: &Context<'_>,
) -> Result<Edited, EditError> {
    let used: Vec<&Weighted<'_>> = files.iter().filter(|file| file.weight != 0.0).collect();
    if used.is_empty() {
        return Err(EditError::Nothing {
            reason: "every weight is 0".to_owned(),
        });
    }
    check_sizes(&used)?;
    let names: BTreeSet<&str> = used.iter().flat_map(|file| file.source.names()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let merged = names
        .par_iter()
        .map(|name| {
            let merged = one(name, &used, method, context)?;
            context.done_one_of(names.len())?;
            Ok(merged.map(|(module, share, square)| ((*name).to_owned(), module, share, square)))
        })
        .collect::<Result<Vec<Option<_>>, EditError>>()?;
    let merged: Vec<(String, Factors, f64, f64)> = merged.into_iter().flatten().collect();
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
    metadata.insert("ss_network_module".to_owned(), "networks.lora".to_owned());
    Ok(Edited {
        tensors: kohya_tensors(&modules, storage)?,
        metadata,
        summary,
        notes: notes(files, &used),
    })
}

/// The merged module, the share of its norm that is left, and the square of the norm before.
fn one(
    name: &str,
    files: &[&Weighted<'_>],
    method: Method,
    context: &Context<'_>,
) -> Result<Option<(Factors, f64, f64)>, EditError> {
    let mut parts = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        let Some(module) = file.source.lora().modules().get(name) else {
            continue;
        };
        let matrices = file.source.matrices(name, module, "merged", context)?;
        parts.push((index, matrices, file.weight));
    }
    if let Method::Svd(keep) = method
        && parts
            .iter()
            .any(|(_, part, _)| !matches!(part, Matrices::Thin(_)))
    {
        return sum(&parts, &keep).map(Some).map_err(|err| EditError::Compute {
            module: name.to_owned(),
            err,
        });
    }
    let mut exact = Vec::with_capacity(parts.len());
    for (index, part, weight) in parts {
        let Some(factors) = part.exact() else {
            let source = files[index].source;
            let kind = source.lora().modules().get(name).map(LoraModule::kind);
            return Err(EditError::Wide {
                path: source.path().to_owned(),
                module: name.to_owned(),
                kind: kind.map(|kind| kind.to_string()).unwrap_or_default(),
                widest: WIDEST,
            });
        };
        exact.push((index, factors, weight));
    }
    if let Method::Project(projection) = method
        && let [(0, style, _), subjects @ ..] = &mut exact[..]
    {
        let (directions, factor) = (projection.directions(style), projection.factor());
        for (_, subject, _) in subjects {
            *subject = subject.without(&directions, factor);
        }
    }
    let parts: Vec<(&Factors, f64)> = exact.iter().map(|(_, part, weight)| (part, *weight)).collect();
    let Some(sum) = Factors::concatenated(&parts) else {
        return Ok(None);
    };
    Ok(Some(match method {
        Method::Svd(keep) => {
            let square = sum.square();
            let (module, share) = sum.resized(&keep);
            (module, share, square)
        }
        Method::Concatenate | Method::Project(_) => (sum, 1.0, 0.0),
    }))
}

/// The weighted sum of changes of any kind, cut to what `keep` allows.
fn sum(parts: &[(usize, Matrices, f64)], keep: &Keep) -> candle_core::Result<(Factors, f64, f64)> {
    let mut sum: Vec<f32> = Vec::new();
    let mut layer = None;
    for (_, part, weight) in parts {
        let change = part.change()?;
        sum.resize(change.len(), 0.0);
        let weight = *weight as f32;
        for (sum, change) in sum.iter_mut().zip(&change) {
            *sum += weight * change;
        }
        layer.get_or_insert(part.layer());
    }
    let layer = layer.unwrap_or(Layer {
        n_out: 0,
        n_in: 0,
        kernel: None,
    });
    let sum = Matrices::Full(sum, layer);
    let (module, share) = sum.resized(keep)?;
    Ok((module, share, sum.square()))
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

fn check_sizes(files: &[&Weighted<'_>]) -> Result<(), EditError> {
    let mut seen: BTreeMap<&str, (&Path, Layer)> = BTreeMap::new();
    for file in files {
        for (name, module) in file.source.lora().modules() {
            let found = file.source.layer_of(name, module);
            let (other, layer) = *seen.entry(name.as_str()).or_insert((file.source.path(), found));
            let is_any = layer.matrix().contains(&0) || found.matrix().contains(&0);
            // A linear layer and a 1×1 convolution are alike.
            if !is_any && layer.matrix() != found.matrix() {
                return Err(EditError::Sizes {
                    module: name.clone(),
                    path: file.source.path().to_owned(),
                    other: other.to_owned(),
                    found: found.matrix(),
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

fn notes(files: &[Weighted<'_>], used: &[&Weighted<'_>]) -> Vec<String> {
    let mut notes: Vec<String> = files.iter().flat_map(|file| file.source.notes()).collect();
    for file in files.iter().filter(|file| file.weight == 0.0) {
        notes.push(format!(
            "`{}` has weight 0 and is left out",
            file.source.path().display()
        ));
    }
    for file in used {
        notes.extend(file.source.note_of_kinds());
    }
    let all: BTreeSet<&str> = used.iter().flat_map(|file| file.source.names()).collect();
    let is_everywhere = |name: &&&str| {
        used.iter()
            .all(|file| file.source.lora().modules().contains_key(**name))
    };
    let n_partial = all.len() - all.iter().filter(is_everywhere).count();
    if n_partial > 0 {
        notes.push(format!(
            "{n_partial} of {} modules are not in every file",
            all.len()
        ));
    }
    notes
}
