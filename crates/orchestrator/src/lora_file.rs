//! Checks whether an uploaded file is a LoRA without a tensor library: by its header and its numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use protocol::{
    lora::LoraSummary,
    preset::BaseClass,
    safetensors::{Dtype, Header, Tensor},
};

mod incoming;
mod peft;
pub(crate) mod words;

pub use incoming::Incoming;

#[cfg(test)]
mod tests;

/// Reads what a LoRA holds, and what of it base models of a class use: the data plane's part, where the program has it.
/// An error is for a person, and says what the file is instead: `is a LoRA for Flux`.
pub type ReadLora = fn(&Path, BaseClass) -> Result<LoraSummary, String>;

/// Kohya's prefixes of modules: the U-Net and both text encoders.
const SCOPES: [&str; 3] = ["lora_unet_", "lora_te1_", "lora_te2_"];
/// The parts of a module.
const DOWN: &str = "lora_down.weight";
const UP: &str = "lora_up.weight";
const ALPHA: &str = "alpha";

/// Checks whether a file is a LoRA of this rank, with kohya's names; the error says what is wrong.
pub(crate) fn check_header(header: &Header, rank: u64) -> Result<(), String> {
    let mut modules: BTreeMap<&str, BTreeMap<&str, &Tensor>> = BTreeMap::new();
    for (name, tensor) in &header.tensors {
        let parts = name.split_once('.').filter(|(module, part)| {
            SCOPES.iter().any(|scope| module.starts_with(scope)) && [DOWN, UP, ALPHA].contains(part)
        });
        let Some((module, part)) = parts else {
            return Err(format!(
                "its tensor `{name}` is not from a LoRA: valid names look like \
                     `lora_unet_input_blocks_4_1_proj_in.{DOWN}`"
            ));
        };
        if !matches!(tensor.dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32) {
            return Err(format!(
                "its tensor `{name}` has the type {:?}, which is not F16, BF16 or F32",
                tensor.dtype
            ));
        }
        modules.entry(module).or_default().insert(part, tensor);
    }
    if modules.is_empty() {
        return Err("it has no modules".to_owned());
    }
    for (module, parts) in modules {
        check_module(&parts, rank).map_err(|problem| format!("its module `{module}` {problem}"))?;
    }
    Ok(())
}

fn check_module(parts: &BTreeMap<&str, &Tensor>, rank: u64) -> Result<(), String> {
    let part = |name| parts.get(name).copied().ok_or_else(|| format!("has no `{name}`"));
    let (down, up, alpha) = (part(DOWN)?, part(UP)?, part(ALPHA)?);
    if alpha.shape.iter().product::<u64>() != 1 {
        return Err(format!("has an `{ALPHA}` that is not one number"));
    }
    // Of a linear layer, or of a convolution, whose kernel the first half has.
    let ranks = match (down.shape.as_slice(), up.shape.as_slice()) {
        ([down, _], [_, up]) | ([down, _, _, _], [_, up, 1, 1]) => [*down, *up],
        _ => return Err("has shapes that are invalid for a LoRA".to_owned()),
    };
    match ranks.into_iter().find(|found| *found != rank) {
        Some(found) => Err(format!("has the rank {found}, but the recipe has {rank}")),
        None => Ok(()),
    }
}

/// Checks the numbers of a LoRA while its bytes arrive, from the first byte after the header.
pub(crate) struct Scan {
    /// In the order of the file.
    tensors: Vec<(String, Tensor)>,
    /// The tensor that the next byte belongs to.
    current: usize,
    /// Where the next byte lies in the file.
    place: u64,
    /// The first bytes of a number that is not complete yet.
    begun: Vec<u8>,
    seen: Seen,
}

/// Properties of the numbers of a LoRA.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The first tensor with an infinite number or NaN.
    pub(crate) not_finite: Option<String>,
    /// Modules of which at least one matrix is all zero: they change nothing.
    pub(crate) zero: BTreeSet<String>,
}

impl Scan {
    pub(crate) fn new(header: Header) -> Self {
        let zero = header
            .tensors
            .keys()
            .filter(|name| !name.ends_with(ALPHA))
            .cloned()
            .collect();
        let mut tensors: Vec<(String, Tensor)> = header.tensors.into_iter().collect();
        tensors.sort_by_key(|(_, tensor)| (tensor.range.start, tensor.range.end));
        Self {
            place: tensors.first().map_or(0, |(_, tensor)| tensor.range.start),
            tensors,
            current: 0,
            begun: Vec::new(),
            seen: Seen {
                not_finite: None,
                zero,
            },
        }
    }

    /// Takes the next bytes of the file.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some((name, tensor)) = self.tensors.get(self.current) else {
                return;
            };
            let left = tensor.range.end - self.place;
            if left == 0 {
                self.current += 1;
                continue;
            }
            let n_here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (here, rest) = bytes.split_at(n_here);
            look_at(tensor.dtype, name, here, &mut self.begun, &mut self.seen);
            self.place += n_here as u64;
            bytes = rest;
        }
    }

    /// The result for all numbers.
    pub(crate) fn end(self) -> Seen {
        let zero = self.seen.zero.iter().filter_map(|name| name.split_once('.'));
        Seen {
            zero: zero.map(|(module, _)| module.to_owned()).collect(),
            not_finite: self.seen.not_finite,
        }
    }
}

fn look_at(dtype: Dtype, name: &str, bytes: &[u8], begun: &mut Vec<u8>, seen: &mut Seen) {
    let width = usize::try_from(dtype.n_bytes()).unwrap_or(1);
    let mut is_zero = true;
    let mut is_finite = true;
    let mut number = |bytes: &[u8]| {
        is_zero &= is_zero_number(dtype, bytes);
        is_finite &= is_finite_number(dtype, bytes);
    };
    let mut bytes = bytes;
    if !begun.is_empty() {
        let n_missing = (width - begun.len()).min(bytes.len());
        let (missing, rest) = bytes.split_at(n_missing);
        begun.extend_from_slice(missing);
        bytes = rest;
        if begun.len() == width {
            number(begun);
            begun.clear();
        }
    }
    let mut whole = bytes.chunks_exact(width);
    whole.by_ref().for_each(&mut number);
    begun.extend_from_slice(whole.remainder());
    if !is_finite && seen.not_finite.is_none() {
        seen.not_finite = Some(name.to_owned());
    }
    if !is_zero {
        seen.zero.remove(name);
    }
}

/// A number is finite unless all bits of its exponent are set.
fn is_finite_number(dtype: Dtype, bytes: &[u8]) -> bool {
    match (dtype, bytes) {
        (Dtype::F16, &[low, high]) => u16::from_le_bytes([low, high]) & 0x7c00 != 0x7c00,
        (Dtype::BF16, &[low, high]) => u16::from_le_bytes([low, high]) & 0x7f80 != 0x7f80,
        (Dtype::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]).is_finite(),
        (Dtype::F64, bytes) => bytes
            .try_into()
            .is_ok_and(|bytes| f64::from_le_bytes(bytes).is_finite()),
        // It has no infinity, and one NaN of each sign.
        (Dtype::F8E4M3, &[byte]) => byte & 0x7f != 0x7f,
        (Dtype::F8E5M2, &[byte]) => byte & 0x7c != 0x7c,
        _ => true,
    }
}

/// Whether a number is zero, of either sign.
fn is_zero_number(dtype: Dtype, bytes: &[u8]) -> bool {
    match (dtype, bytes) {
        (Dtype::F16 | Dtype::BF16, &[low, high]) => u16::from_le_bytes([low, high]) & 0x7fff == 0,
        (Dtype::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]) == 0.0,
        _ => bytes.iter().all(|byte| *byte == 0),
    }
}
