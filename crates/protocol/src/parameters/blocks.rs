//! Blocks of SDXL's U-Net by their names: sd-scripts' and ComfyUI's (`IN04`, `MID`, `OUT00`), those in the names of
//! weights (`input_blocks.4`), and diffusers' (`down_blocks.1.attentions.0`).

use std::fmt;

use super::{Range, Value};

/// A block of the U-Net.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Block {
    /// `input_blocks.N`, N from 0 to 8.
    In(u8),
    /// `middle_block`.
    Middle,
    /// `output_blocks.N`, N from 0 to 8.
    Out(u8),
}

/// Input blocks, and as many output blocks.
const N_ON_A_SIDE: u8 = 9;
/// Blocks of one resolution: two or three layers, and what changes the resolution.
const N_OF_A_LEVEL: u8 = 3;

/// What a rank of a block may be; 0 leaves it out.
pub(super) const RANKS: Range = Range::whole(0, 256);
/// What a factor of a block's learning rate may be; 0 leaves it out.
pub(super) const RATES: Range = Range::number(0.0, 10.0);

impl Block {
    /// Every block, from the input to the output.
    pub fn all() -> impl Iterator<Item = Self> {
        let inputs = (0..N_ON_A_SIDE).map(Self::In);
        inputs
            .chain([Self::Middle])
            .chain((0..N_ON_A_SIDE).map(Self::Out))
    }

    /// The blocks that a name stands for; none if it stands for none.
    ///
    /// `b_lora_content` and `b_lora_style` are `up_blocks.0.attentions.0` and `up_blocks.0.attentions.1` (B-LoRA, Frenkel
    /// et al. 2024, arXiv 2403.14572).
    pub fn named(name: &str) -> Vec<Self> {
        match name {
            "b_lora_content" => return vec![Self::Out(0)],
            "b_lora_style" => return vec![Self::Out(1)],
            "MID" | "M00" | "middle_block" | "mid_block" => return vec![Self::Middle],
            _ => {}
        }
        let numbered = |prefix: &str| -> Option<u8> {
            let digits = name.strip_prefix(prefix)?;
            let is_number =
                (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            let index = digits.parse::<u8>().ok().filter(|_| is_number)?;
            (index < N_ON_A_SIDE).then_some(index)
        };
        if let Some(index) = numbered("IN").or_else(|| numbered("input_blocks.")) {
            return vec![Self::In(index)];
        }
        if let Some(index) = numbered("OUT").or_else(|| numbered("output_blocks.")) {
            return vec![Self::Out(index)];
        }
        diffusers(name).unwrap_or_default()
    }

    /// How the names of its weights begin in a single-file checkpoint, below the U-Net: `input_blocks.4.`.
    pub fn prefix(self) -> String {
        match self {
            Self::In(index) => format!("input_blocks.{index}."),
            Self::Middle => "middle_block.".to_owned(),
            Self::Out(index) => format!("output_blocks.{index}."),
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(index) => write!(f, "IN{index:02}"),
            Self::Middle => write!(f, "MID"),
            Self::Out(index) => write!(f, "OUT{index:02}"),
        }
    }
}

/// `down_blocks.LEVEL[.attentions.N|.resnets.N|.downsamplers.0]`, and `up_blocks` in the same way.
fn diffusers(name: &str) -> Option<Vec<Block>> {
    let mut parts = name.split('.');
    let (side, level) = (parts.next()?, parts.next()?.parse::<u8>().ok()?);
    if level >= N_OF_A_LEVEL {
        return None;
    }
    // The first input block is a convolution before all levels, and a level ends with what halves the resolution.
    let of_down = |index| Block::In(1 + N_OF_A_LEVEL * level + index);
    let of_up = |index| Block::Out(N_OF_A_LEVEL * level + index);
    let is_last = level + 1 == N_OF_A_LEVEL;
    let index = |text: &str, n: u8| text.parse::<u8>().ok().filter(|index| *index < n);
    let rest: Vec<&str> = parts.collect();
    Some(match (side, rest.as_slice()) {
        ("down_blocks", []) if is_last => (0..2).map(of_down).collect(),
        ("down_blocks", []) => (0..3).map(of_down).collect(),
        ("down_blocks", ["attentions" | "resnets", layer]) => vec![of_down(index(layer, 2)?)],
        ("down_blocks", ["downsamplers", "0"]) if !is_last => vec![of_down(2)],
        ("up_blocks", []) => (0..3).map(of_up).collect(),
        ("up_blocks", ["attentions" | "resnets", layer]) => vec![of_up(index(layer, 3)?)],
        ("up_blocks", ["upsamplers", "0"]) if !is_last => vec![of_up(2)],
        _ => return None,
    })
}

/// What is wrong with names of blocks.
pub(super) fn wrong_names(names: &[String]) -> Option<String> {
    names.iter().find_map(|name| unknown(name))
}

/// What is wrong with numbers of blocks, each as `block=number`.
pub(super) fn wrong_numbers(items: &[String], range: Range) -> Option<String> {
    items.iter().find_map(|item| {
        let Some((name, number)) = item.split_once('=') else {
            return Some(format!("`{item}` must be a block and a number: `OUT00=4`"));
        };
        if let Some(wrong) = unknown(name.trim()) {
            return Some(wrong);
        }
        let number = number.trim();
        let checked = match range {
            Range::Whole { .. } => match number.parse::<i64>() {
                Ok(value) => range.check(Value::Whole(value)),
                Err(_) => Err(format!("must be a whole number, not `{number}`")),
            },
            _ => match number.parse::<f64>() {
                Ok(value) => range.check(Value::Number(value)),
                Err(_) => Err(format!("must be a number, not `{number}`")),
            },
        };
        checked.err().map(|message| format!("`{name}` {message}"))
    })
}

fn unknown(name: &str) -> Option<String> {
    Block::named(name).is_empty().then(|| {
        format!(
            "`{name}` is not a block of the U-Net: use IN00 to IN08, MID, OUT00 to OUT08, diffusers' names such as \
             up_blocks.0.attentions.0, b_lora_content or b_lora_style"
        )
    })
}

/// What was said of each block: the numbers of items that are known to be right. A later item counts.
pub(super) fn numbers(items: &[String]) -> Vec<(Block, f64)> {
    let mut all = std::collections::BTreeMap::new();
    for item in items {
        let Some((name, number)) = item.split_once('=') else {
            continue;
        };
        let Ok(number) = number.trim().parse::<f64>() else {
            continue;
        };
        all.extend(Block::named(name.trim()).into_iter().map(|block| (block, number)));
    }
    all.into_iter().collect()
}
