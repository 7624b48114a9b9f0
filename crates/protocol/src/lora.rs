//! What a LoRA file holds, and what of it is used: the same facts and the same words in the command line, the API and
//! on an agent.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a layer is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LoraFileKind)]
pub enum LoraKind {
    /// Two matrices, for a linear layer.
    Lora,
    /// The same for a convolution.
    Locon,
    /// An elementwise product of two products.
    Loha,
    /// A Kronecker product.
    Lokr,
    /// Any of them with learned lengths.
    Dora,
    /// A product with the base's weight, and one beside it.
    Glora,
    /// Factors of inputs or outputs.
    Ia3,
    /// Rotations of the outputs, of OFT or BOFT.
    Oft,
    /// The difference of the whole weight.
    Full,
    /// A difference of the bias alone.
    Bias,
}

impl fmt::Display for LoraKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lora => "LoRA",
            Self::Locon => "LoCon",
            Self::Loha => "LoHa",
            Self::Lokr => "LoKr",
            Self::Dora => "DoRA",
            Self::Glora => "GLoRA",
            Self::Ia3 => "IA3",
            Self::Oft => "OFT",
            Self::Full => "full difference",
            Self::Bias => "bias difference",
        })
    }
}

/// How the modules of a file are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoraFormat {
    /// `lora_unet_input_blocks_4_1_proj_in.lora_down.weight`: sd-scripts, LyCORIS, OneTrainer.
    Kohya,
    /// `unet.down_blocks.1.attentions.0.proj_in.lora_A.weight`: diffusers.
    Diffusers,
    /// `base_model.model.down_blocks.1…`: PEFT.
    Peft,
    /// Anything else, or several at once.
    Other,
}

impl fmt::Display for LoraFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kohya => "kohya's names",
            Self::Diffusers => "diffusers' names",
            Self::Peft => "PEFT's names",
            Self::Other => "names of another program",
        })
    }
}

/// How many modules are of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KindCount {
    /// The kind.
    pub kind: LoraKind,
    /// How many.
    pub n_modules: usize,
}

/// A part of a file that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Leftover {
    /// The module, or a tensor's name, as the file has it.
    pub name: String,
    /// Why, so that "is" may stand before it: "not known".
    pub reason: String,
    /// Whether the file is used only by an explicit yes. Of a text embedding that lies in the file people are told, no
    /// more: every module of the LoRA is applied.
    pub needs_consent: bool,
}

/// What a LoRA file holds, and what of it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoraSummary {
    /// How its modules are named.
    pub format: LoraFormat,
    /// Modules that are used, by kind.
    pub kinds: Vec<KindCount>,
    /// How many they are.
    pub n_modules: usize,
    /// The smallest rank; absent where nothing has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_min: Option<usize>,
    /// The largest rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_max: Option<usize>,
    /// What is not used.
    #[serde(default)]
    pub leftovers: Vec<Leftover>,
    /// Name of the base model it was trained on, as the file's header has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
    /// Words that call it up, as the file's header has them.
    #[serde(default)]
    pub trigger_words: Vec<String>,
}

impl LoraSummary {
    /// Says what is left out and needs an explicit yes; none if nothing does.
    pub fn left_out(&self) -> Option<String> {
        left_out(self.n_modules, &self.leftovers)
    }

    /// Says what else is not used.
    pub fn notes(&self) -> Vec<String> {
        notes(&self.leftovers)
    }
}

/// How many names are shown of each reason.
const N_SHOWN: usize = 3;

/// Says what is left out beside `n_applied` modules and needs an explicit yes: "124 of 192 modules are not known and are
/// left out: `a`, `b`, `c` and 121 more". None if nothing is.
pub fn left_out(n_applied: usize, leftovers: &[Leftover]) -> Option<String> {
    let groups = by_reason(leftovers.iter().filter(|leftover| leftover.needs_consent));
    let n: usize = groups.iter().map(|(_, names)| names.len()).sum();
    let total = n + n_applied;
    let are = |n: usize| if n == 1 { "is" } else { "are" };
    match groups.as_slice() {
        [] => None,
        [(reason, names)] => Some(format!(
            "{n} of {total} modules {0} {reason} and {0} left out: {1}",
            are(n),
            listed(names)
        )),
        groups => {
            let groups: Vec<String> = groups
                .iter()
                .map(|(reason, names)| {
                    format!(
                        "{} {} {reason} ({})",
                        names.len(),
                        are(names.len()),
                        listed(names)
                    )
                })
                .collect();
            Some(format!(
                "{n} of {total} modules {} left out: {}",
                are(n),
                groups.join("; ")
            ))
        }
    }
}

/// Says what is not used without a need for a yes.
pub fn notes(leftovers: &[Leftover]) -> Vec<String> {
    by_reason(leftovers.iter().filter(|leftover| !leftover.needs_consent))
        .into_iter()
        .map(|(reason, names)| {
            let are = if names.len() == 1 { "is" } else { "are" };
            format!("{} {are} {reason}", listed(&names))
        })
        .collect()
}

/// In the order in which the reasons come.
fn by_reason<'a>(leftovers: impl Iterator<Item = &'a Leftover>) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for leftover in leftovers {
        match groups.iter_mut().find(|(reason, _)| *reason == leftover.reason) {
            Some((_, names)) => names.push(&leftover.name),
            None => groups.push((&leftover.reason, vec![&leftover.name])),
        }
    }
    groups
}

fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(N_SHOWN)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len().saturating_sub(N_SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Numbers that a plain LoRA has for each rank of the layers that it changes: the sum of their inputs and outputs (Hu et
/// al. 2021), where a kernel's inputs are those of all its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumbersPerRank {
    /// The linear layers of the U-Net's transformers, which kohya's default covers.
    pub transformers: u64,
    /// What a rank for convolutions adds with the rank of the transformers: kernels of one pixel, and layers that take the
    /// timestep in.
    pub beside_kernels: u64,
    /// The 3×3 convolutions.
    pub kernels: u64,
    /// The first text encoder.
    pub text_encoder_1: u64,
    /// The second text encoder.
    pub text_encoder_2: u64,
}

impl NumbersPerRank {
    /// Stable Diffusion XL base 1.0. A test of the trainer compares the U-Net's with its layers.
    pub const SDXL: Self = Self {
        transformers: 2_659_840,
        beside_kernels: 58_560,
        kernels: 355_840,
        // text_encoder/config.json: 12 layers, 768 wide, 3072 inside. Four projections, and two matrices of the
        // feed-forward part.
        text_encoder_1: 12 * (4 * (768 + 768) + 2 * (768 + 3072)),
        // text_encoder_2/config.json.
        text_encoder_2: 32 * (4 * (1280 + 1280) + 2 * (1280 + 5120)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leftover(name: &str, reason: &str, needs_consent: bool) -> Leftover {
        Leftover {
            name: name.to_owned(),
            reason: reason.to_owned(),
            needs_consent,
        }
    }

    #[test]
    fn what_is_left_out_is_said_in_one_sentence() {
        assert_eq!(left_out(5, &[]), None);
        let one = [leftover("a", "not known", true)];
        assert_eq!(
            left_out(5, &one).unwrap(),
            "1 of 6 modules is not known and is left out: `a`"
        );
        let many: Vec<_> = ["a", "b", "c", "d"]
            .into_iter()
            .map(|name| leftover(name, "not known", true))
            .collect();
        assert_eq!(
            left_out(68, &many).unwrap(),
            "4 of 72 modules are not known and are left out: `a`, `b`, `c` and 1 more"
        );
        let mixed = [&many[..2], &[leftover("x", "without its up matrix", true)]].concat();
        assert_eq!(
            left_out(1, &mixed).unwrap(),
            "3 of 4 modules are left out: 2 are not known (`a`, `b`); 1 is without its up matrix (`x`)"
        );
        let note = [leftover("zora", "a text embedding, which is not used", false)];
        assert_eq!(left_out(1, &note), None);
        assert_eq!(notes(&note), ["`zora` is a text embedding, which is not used"]);
    }
}
