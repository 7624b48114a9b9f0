//! Weights of the model's blocks, as users of A1111's and ComfyUI's block weight extensions write them.
//!
//! `BASE` are the text encoders; `IN00` to `IN11`, `MID` and `OUT00` to `OUT11` the blocks of the U-Net by kohya's numbers.

use std::{collections::BTreeMap, str::FromStr};

use super::EditError;
use crate::lora::compare::block_of;

/// Blocks of lists with 12 numbers: an SDXL LoRA of its transformers.
const OF_12: [&str; 12] = [
    "BASE", "IN04", "IN05", "IN07", "IN08", "MID", "OUT00", "OUT01", "OUT02", "OUT03", "OUT04", "OUT05",
];
/// With 17: a Stable Diffusion 1 LoRA of its transformers.
const OF_17: [&str; 17] = [
    "BASE", "IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "MID", "OUT03", "OUT04", "OUT05", "OUT06",
    "OUT07", "OUT08", "OUT09", "OUT10", "OUT11",
];
/// With 20: an SDXL LoRA with convolutions.
const OF_20: [&str; 20] = [
    "BASE", "IN00", "IN01", "IN02", "IN03", "IN04", "IN05", "IN06", "IN07", "IN08", "MID", "OUT00", "OUT01",
    "OUT02", "OUT03", "OUT04", "OUT05", "OUT06", "OUT07", "OUT08",
];
/// With 26: a Stable Diffusion 1 LoRA with convolutions, and every name that there is.
const OF_26: [&str; 26] = [
    "BASE", "IN00", "IN01", "IN02", "IN03", "IN04", "IN05", "IN06", "IN07", "IN08", "IN09", "IN10", "IN11",
    "MID", "OUT00", "OUT01", "OUT02", "OUT03", "OUT04", "OUT05", "OUT06", "OUT07", "OUT08", "OUT09", "OUT10",
    "OUT11",
];

/// B-LoRA (Frenkel et al., arXiv 2403.14572): of an SDXL LoRA the block that holds content, and that which holds style.
const B_LORA: [(&str, &str); 2] = [("content", "OUT00"), ("style", "OUT01")];

/// Largest weight either way, as for whole LoRAs.
const LARGEST: f64 = 4.0;

/// What is right, for errors.
const EXPECTED: &str = "expected 12, 17, 20 or 26 numbers, names such as `BASE=0,IN04=0.5,MID=1,OUT01=1,ELSE=0`, \
     `content` or `style`";

/// A weight for each block.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockWeights {
    text: String,
    named: BTreeMap<&'static str, f64>,
    /// Of the blocks without a name here.
    rest: f64,
}

impl FromStr for BlockWeights {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        let wrong = |problem: String| EditError::Blocks {
            text: text.to_owned(),
            problem: format!("{problem}; {EXPECTED}"),
        };
        let number = |word: &str| {
            let number = word.trim().parse().ok();
            number
                .filter(|weight: &f64| weight.abs() <= LARGEST)
                .ok_or_else(|| wrong(format!("`{word}` is no number from -4 to 4")))
        };
        let mut weights = Self {
            text: text.trim().to_owned(),
            named: BTreeMap::new(),
            rest: 1.0,
        };
        if let Some((_, block)) = B_LORA.into_iter().find(|(name, _)| text.trim() == *name) {
            weights.named.insert(block, 1.0);
            weights.rest = 0.0;
            return Ok(weights);
        }
        let words: Vec<&str> = text.split(',').collect();
        if !text.contains('=') {
            let names: &[&'static str] = match words.len() {
                12 => &OF_12,
                17 => &OF_17,
                20 => &OF_20,
                26 => &OF_26,
                1 if words[0].trim().parse::<f64>().is_err() => {
                    return Err(wrong(format!("`{}` is no name of a preset", text.trim())));
                }
                n => return Err(wrong(format!("these are {n} numbers"))),
            };
            for (name, word) in names.iter().zip(&words) {
                weights.named.insert(name, number(word)?);
            }
            return Ok(weights);
        }
        for word in words {
            let (name, weight) = word
                .split_once('=')
                .ok_or_else(|| wrong(format!("`{word}` has no `=`")))?;
            let (name, weight) = (name.trim(), number(weight)?);
            if name.eq_ignore_ascii_case("ELSE") {
                weights.rest = weight;
                continue;
            }
            let known = OF_26.into_iter().find(|known| name.eq_ignore_ascii_case(known));
            let known = known.ok_or_else(|| wrong(format!("there is no block `{name}`")))?;
            if weights.named.insert(known, weight).is_some() {
                return Err(wrong(format!("`{known}` is there twice")));
            }
        }
        Ok(weights)
    }
}

impl BlockWeights {
    /// As given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The weight of a module with kohya's name.
    pub fn of(&self, module: &str) -> f64 {
        let weight = block_name(module).and_then(|block| self.named.get(block));
        weight.copied().unwrap_or(self.rest)
    }

    /// The named blocks without any of these modules.
    pub fn without_module<'a>(&self, modules: impl Iterator<Item = &'a str>) -> Vec<&'static str> {
        let found: Vec<_> = modules.filter_map(block_name).collect();
        self.named
            .keys()
            .copied()
            .filter(|name| !found.contains(name))
            .collect()
    }
}

/// The extensions' name of a module's block; none for the layers around the blocks.
pub fn block_name(module: &str) -> Option<&'static str> {
    let (_, number, block) = block_of(module);
    let name = match block.as_str() {
        "te1" | "te2" => "BASE".to_owned(),
        "middle_block" => "MID".to_owned(),
        _ if block.starts_with("input_blocks") => format!("IN{number:02}"),
        _ if block.starts_with("output_blocks") => format!("OUT{number:02}"),
        _ => return None,
    };
    OF_26.into_iter().find(|known| *known == name)
}

#[cfg(test)]
mod tests;
