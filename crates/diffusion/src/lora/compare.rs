//! Two LoRA files side by side: what is in them, and what they do to each layer.
//!
//! Files are compared by what they add to a layer, `(alpha / rank) · up · down`: matrices that look nothing alike, and
//! files of different ranks, may add the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use protocol::lora::LoraKind;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Change, Lora, LoraError, spectrum::Product};
use crate::weights::TensorFile;

/// What two files have in common and what not. `left` and `right` are the first and the second file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// The tensors, by name.
    pub tensors: Tensors,
    /// What each file is made of.
    pub forms: [Form; 2],
    /// Metadata that differs.
    pub metadata: Vec<MetadataDifference>,
    /// Modules of both files, in alphabetical order.
    pub modules: Vec<ModulePair>,
    /// All modules that are in both files, as one long vector each.
    pub total: Pair,
    /// The same for the modules of each block, in the order of the model.
    pub blocks: Vec<BlockPair>,
}

/// Names of tensors.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tensors {
    /// In both files.
    pub n_common: usize,
    /// In the first only.
    pub only_left: Vec<String>,
    /// In the second only.
    pub only_right: Vec<String>,
    /// In both with another shape.
    pub other_shape: Vec<String>,
}

/// What a file is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// How many modules have which rank.
    pub ranks: BTreeMap<usize, usize>,
    /// The same of alphas, as text.
    pub alphas: BTreeMap<String, usize>,
    /// How many tensors have which type.
    pub types: BTreeMap<String, usize>,
}

/// A string of the header that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataDifference {
    /// Its name, such as `ss_learning_rate`.
    pub key: String,
    /// In the first file; absent if it has none.
    pub left: Option<String>,
    /// In the second.
    pub right: Option<String>,
}

/// Two vectors: how long they are, and how much they point the same way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Frobenius norm of the first.
    pub left: f64,
    /// Frobenius norm of the second.
    pub right: f64,
    /// Norm of the difference over the larger of both norms; 0 if both are 0.
    pub difference: f64,
    /// Cosine of the angle between them; absent if one is 0.
    pub cosine: Option<f64>,
}

/// A module of both files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModulePair {
    /// kohya's name of it.
    pub module: String,
    /// What both add to it.
    #[serde(flatten)]
    pub pair: Pair,
    /// Singular values of what each adds, the largest first.
    pub spectra: [Vec<f64>; 2],
}

/// A block of the model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BlockPair {
    /// kohya's name of it: `input_blocks_4`.
    pub block: String,
    /// Its modules.
    pub n_modules: usize,
    /// What both add to them.
    #[serde(flatten)]
    pub pair: Pair,
}

/// Why two files cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// One of them cannot be used.
    #[error(transparent)]
    Lora(#[from] LoraError),
    /// A file changes a layer by something else than two matrices.
    #[error("module `{module}` of `{path}` is a {kind}; only LoRA and LoCon can be compared")]
    Kind {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// What it is.
        kind: LoraKind,
    },
    /// A file has parts that are not read.
    #[error("`{path}` cannot be compared as a whole: {words}")]
    LeftOut {
        /// The file.
        path: PathBuf,
        /// What is left out and why.
        words: String,
    },
    /// A tensor cannot be read.
    #[error("failed to compare the matrices of module `{module}`")]
    Matrices {
        /// The module.
        module: String,
        /// What failed.
        #[source]
        err: candle_core::Error,
    },
    /// They are for different layers.
    #[error(
        "module `{module}` is for {left:?} inputs and outputs in the first file and {right:?} in the second"
    )]
    Sizes {
        /// The module.
        module: String,
        /// Inputs and outputs in the first file.
        left: (usize, usize),
        /// Inputs and outputs in the second.
        right: (usize, usize),
    },
}

/// Compares two LoRA files. Takes moments for usual ranks.
///
/// # Errors
/// If one cannot be read, holds anything else than LoRA and LoCon, is not finite, or a module has another size in the
/// other file.
pub fn compare(left: &TensorFile, right: &TensorFile) -> Result<Comparison, CompareError> {
    let loras = [Lora::from_file(left)?, Lora::from_file(right)?];
    for lora in &loras {
        if let Some(words) = protocol::lora::left_out(lora.modules.len(), &lora.leftovers) {
            return Err(CompareError::LeftOut {
                path: lora.path.clone(),
                words,
            });
        }
    }
    let common: Vec<&String> = loras[0]
        .modules
        .keys()
        .filter(|module| loras[1].modules.contains_key(*module))
        .collect();
    let measured = common
        .par_iter()
        .map(|module| measure(module, &loras))
        .collect::<Result<Vec<_>, _>>()?;
    let mut total = Sums::default();
    let mut blocks: BTreeMap<(usize, u32, String), (usize, Sums)> = BTreeMap::new();
    for (module, sums) in &measured {
        total.add(*sums);
        let (n_modules, block) = blocks.entry(block_of(&module.module)).or_default();
        *n_modules += 1;
        block.add(*sums);
    }
    let blocks = blocks
        .into_iter()
        .map(|((_, _, block), (n_modules, sums))| BlockPair {
            block,
            n_modules,
            pair: sums.pair(),
        });
    Ok(Comparison {
        tensors: tensors(left, right),
        forms: [form(left, &loras[0]), form(right, &loras[1])],
        metadata: metadata(&loras),
        total: total.pair(),
        blocks: blocks.collect(),
        modules: measured.into_iter().map(|(module, _)| module).collect(),
    })
}

/// Squares of both norms, and the inner product.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    left: f64,
    right: f64,
    dot: f64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.left += other.left;
        self.right += other.right;
        self.dot += other.dot;
    }

    fn pair(self) -> Pair {
        // Rounding may leave a square a little below 0.
        let (left, right) = (self.left.max(0.0).sqrt(), self.right.max(0.0).sqrt());
        let difference = (self.left + self.right - 2.0 * self.dot).max(0.0).sqrt();
        let longer = left.max(right);
        Pair {
            left,
            right,
            difference: if longer > 0.0 { difference / longer } else { 0.0 },
            cosine: (left > 0.0 && right > 0.0).then(|| (self.dot / (left * right)).clamp(-1.0, 1.0)),
        }
    }
}

fn measure(module: &str, loras: &[Lora; 2]) -> Result<(ModulePair, Sums), CompareError> {
    let product = |lora: &Lora| {
        let part = &lora.modules[module];
        let low_rank = match &part.change {
            Some(Change::LowRank(low_rank))
                if low_rank.mid.is_none() && part.magnitude.is_none() && part.bias.is_none() =>
            {
                low_rank
            }
            _ => {
                return Err(CompareError::Kind {
                    path: lora.path.clone(),
                    module: module.to_owned(),
                    kind: part.kind(),
                });
            }
        };
        Product::of(low_rank).map_err(|err| CompareError::Matrices {
            module: module.to_owned(),
            err,
        })
    };
    let (left, right) = (product(&loras[0])?, product(&loras[1])?);
    if left.sizes() != right.sizes() {
        return Err(CompareError::Sizes {
            module: module.to_owned(),
            left: left.sizes(),
            right: right.sizes(),
        });
    }
    let sums = Sums {
        left: left.dot(&left),
        right: right.dot(&right),
        dot: left.dot(&right),
    };
    let pair = ModulePair {
        module: module.to_owned(),
        pair: sums.pair(),
        spectra: [left.singular_values(), right.singular_values()],
    };
    Ok((pair, sums))
}

/// Parts of the model in the order that data takes.
const PARTS: [&str; 5] = ["te1", "te2", "input_blocks", "middle_block", "output_blocks"];

/// A module's block with its place in the model: `lora_unet_input_blocks_4_1_proj_in` is in `input_blocks_4`.
pub(super) fn block_of(module: &str) -> (usize, u32, String) {
    let rest = module.strip_prefix("lora_").unwrap_or(module);
    let rest = rest.strip_prefix("unet_").unwrap_or(rest);
    let part = PARTS.iter().position(|part| rest.starts_with(part));
    let Some((index, part)) = part.and_then(|index| Some((index, *PARTS.get(index)?))) else {
        // Names of the time embedding and the like.
        return (PARTS.len(), 0, rest.to_owned());
    };
    let number = rest[part.len()..].strip_prefix('_').and_then(|rest| {
        let digits = rest.split('_').next()?;
        digits.parse().ok()
    });
    match number {
        Some(number) if part.ends_with("blocks") => (index, number, format!("{part}_{number}")),
        _ => (index, 0, part.to_owned()),
    }
}

fn tensors(left: &TensorFile, right: &TensorFile) -> Tensors {
    let names = |file: &TensorFile| file.names().map(str::to_owned).collect::<BTreeSet<_>>();
    let (of_left, of_right) = (names(left), names(right));
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect();
    let common: Vec<&String> = of_left.intersection(&of_right).collect();
    let shape = |file: &TensorFile, name: &str| file.info(name).map(|info| info.shape.clone());
    let is_other = |name: &&&String| shape(left, name) != shape(right, name);
    Tensors {
        n_common: common.len(),
        only_left: only(&of_left, &of_right),
        only_right: only(&of_right, &of_left),
        other_shape: common
            .iter()
            .filter(is_other)
            .map(|name| (*name).clone())
            .collect(),
    }
}

fn form(file: &TensorFile, lora: &Lora) -> Form {
    let mut form = Form {
        ranks: BTreeMap::new(),
        alphas: BTreeMap::new(),
        types: BTreeMap::new(),
    };
    for module in lora.modules.values() {
        if let Some(Change::LowRank(low_rank)) = &module.change {
            *form.ranks.entry(low_rank.rank()).or_default() += 1;
            let alpha = low_rank.effective_alpha().unwrap_or(low_rank.rank() as f64);
            *form.alphas.entry(alpha.to_string()).or_default() += 1;
        }
    }
    for info in file.names().filter_map(|name| file.info(name)) {
        *form.types.entry(format!("{:?}", info.dtype)).or_default() += 1;
    }
    form
}

fn metadata(loras: &[Lora; 2]) -> Vec<MetadataDifference> {
    let [left, right] = loras.each_ref().map(Lora::metadata);
    let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let differences = keys.into_iter().filter(|key| left.get(*key) != right.get(*key));
    differences
        .map(|key| MetadataDifference {
            key: key.clone(),
            left: left.get(key).cloned(),
            right: right.get(key).cloned(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
