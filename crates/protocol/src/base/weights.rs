//! Names of the files with tensors in a diffusers folder.
//!
//! diffusers and transformers write `STEM[.VARIANT][-00001-of-00002].safetensors`, where the stem is the part's and the
//! variant is a precision (`fp16`, `bf16`) or a word (`non_ema`). Before version 0.28 diffusers put the variant of
//! shards last: `STEM-00001-of-00002.fp16.safetensors`.

use std::collections::{BTreeMap, BTreeSet};

/// Folders of a diffusers folder that hold tensors.
pub const PARTS: [&str; 4] = ["unet", "text_encoder", "text_encoder_2", "vae"];

/// Ending of files with tensors.
pub const TENSORS: &str = ".safetensors";

/// Weights to take where a part has them more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefer {
    /// Full precision.
    Full,
    /// Half the bytes to fetch; training rounds to half precision anyway.
    Half,
}

/// Why a part has no weights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoWeights {
    /// No file has a name that weights have.
    #[error("no weights of {part} in safetensors: it needs `{part}/{}{TENSORS}`", stem(.part))]
    Absent {
        /// The part.
        part: &'static str,
    },
    /// Some of the files that the weights were divided into are not there.
    #[error("not all weights of {part}: `{part}/{missing}` is missing")]
    Shard {
        /// The part.
        part: &'static str,
        /// Name of the first missing file.
        missing: String,
    },
}

/// Beginning of the names of a part's files with tensors.
pub fn stem(part: &str) -> &'static str {
    if part.starts_with("text") {
        "model"
    } else {
        "diffusion_pytorch_model"
    }
}

/// The files with the weights of a part, out of the names in its folder: one that is whole, or all shards of one
/// variant.
///
/// # Errors
/// If no variant is complete.
pub fn choose<'a>(
    part: &'static str,
    names: impl Iterator<Item = &'a str>,
    prefer: Prefer,
) -> Result<Vec<&'a str>, NoWeights> {
    let mut whole = BTreeMap::new();
    let mut shards: BTreeMap<(usize, &str, u32), BTreeMap<u32, &str>> = BTreeMap::new();
    for name in names {
        let Some((variant, shard)) = parse(name, stem(part)) else {
            continue;
        };
        let rank = rank(variant, prefer);
        match shard {
            None => {
                whole.insert((rank, variant), name);
            }
            Some((number, n_shards)) => {
                let of_variant = shards.entry((rank, variant, n_shards)).or_default();
                of_variant.entry(number).or_insert(name);
            }
        }
    }
    let complete = shards
        .iter()
        .find(|((.., n_shards), files)| files.keys().copied().eq(1..=*n_shards));
    match (whole.first_key_value(), complete) {
        (Some(((whole_rank, _), name)), complete)
            if complete.is_none_or(|((shards_rank, ..), _)| whole_rank <= shards_rank) =>
        {
            Ok(vec![name])
        }
        (_, Some((_, files))) => Ok(files.values().copied().collect()),
        _ => Err(missing(part, &shards)),
    }
}

fn missing(part: &'static str, shards: &BTreeMap<(usize, &str, u32), BTreeMap<u32, &str>>) -> NoWeights {
    let Some(((_, variant, n_shards), files)) = shards.first_key_value() else {
        return NoWeights::Absent { part };
    };
    let there: BTreeSet<u32> = files.keys().copied().collect();
    let number = (1..=*n_shards)
        .find(|number| !there.contains(number))
        .unwrap_or(1);
    let dot = if variant.is_empty() { "" } else { "." };
    NoWeights::Shard {
        part,
        missing: format!(
            "{}{dot}{variant}-{number:05}-of-{n_shards:05}{TENSORS}",
            stem(part)
        ),
    }
}

/// Variant, and number and total of a shard.
fn parse<'a>(name: &'a str, stem: &str) -> Option<(&'a str, Option<(u32, u32)>)> {
    let middle = name.strip_prefix(stem)?.strip_suffix(TENSORS)?;
    let Some((before, rest)) = middle.split_once('-') else {
        return Some((variant(middle)?, None));
    };
    let (numbers, after) = match rest.split_once('.') {
        Some((numbers, _)) => rest.split_at(numbers.len()),
        None => (rest, ""),
    };
    let (number, n_shards) = numbers.split_once("-of-")?;
    let shard = (count(number)?, count(n_shards)?);
    let (before, after) = (variant(before)?, variant(after)?);
    let variant = match (before, after) {
        ("", variant) | (variant, "") => variant,
        _ => return None,
    };
    (shard.0 >= 1 && shard.0 <= shard.1).then_some((variant, Some(shard)))
}

/// `.fp16` without its dot.
fn variant(text: &str) -> Option<&str> {
    let Some(variant) = text.strip_prefix('.') else {
        return text.is_empty().then_some("");
    };
    let is_word = !variant.is_empty() && variant.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_word.then_some(variant)
}

fn count(digits: &str) -> Option<u32> {
    // A total decides how many names are compared.
    let is_number = digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

fn rank(variant: &str, prefer: Prefer) -> usize {
    // Half precision keeps three bits more of a weight than bfloat16.
    let order = match prefer {
        Prefer::Full => ["", "fp32", "fp16", "bf16"],
        Prefer::Half => ["fp16", "bf16", "", "fp32"],
    };
    let rank = order.iter().position(|known| *known == variant);
    rank.unwrap_or(order.len())
}

#[cfg(test)]
mod tests {
    use super::{NoWeights, Prefer, choose};

    #[track_caller]
    fn check(names: &[&str], full: &[&str], half: &[&str]) {
        let chosen = |prefer| choose("unet", names.iter().copied(), prefer).unwrap();
        assert_eq!(chosen(Prefer::Full), full);
        assert_eq!(chosen(Prefer::Half), half);
    }

    #[test]
    fn every_way_to_name_weights() {
        let whole = "diffusion_pytorch_model.safetensors";
        let half = "diffusion_pytorch_model.fp16.safetensors";
        let brain = "diffusion_pytorch_model.bf16.safetensors";
        let odd = "diffusion_pytorch_model.non_ema.safetensors";
        check(&[odd, brain, half, whole, "config.json"], &[whole], &[half]);
        check(&[odd, brain], &[brain], &[brain]);
        check(
            &[odd, "diffusion_pytorch_model.fp8_e4m3fn.safetensors"],
            &["diffusion_pytorch_model.fp8_e4m3fn.safetensors"],
            &["diffusion_pytorch_model.fp8_e4m3fn.safetensors"],
        );
        let shards = [
            "diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
            "diffusion_pytorch_model.fp16-00002-of-00002.safetensors",
        ];
        check(&[shards[1], shards[0]], &shards, &shards);
        // As diffusers named them before.
        let old = [
            "diffusion_pytorch_model-00001-of-00002.fp16.safetensors",
            "diffusion_pytorch_model-00002-of-00002.fp16.safetensors",
        ];
        check(&old, &old, &old);
        check(&[whole, shards[0], shards[1]], &[whole], &shards);
        let plain = [
            "diffusion_pytorch_model-00001-of-00003.safetensors",
            "diffusion_pytorch_model-00002-of-00003.safetensors",
            "diffusion_pytorch_model-00003-of-00003.safetensors",
        ];
        check(&[plain[0], plain[1], plain[2], half], &plain, &[half]);
        // What is not complete is not taken.
        check(&[plain[0], plain[2], brain], &[brain], &[brain]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let none = choose(
            "text_encoder",
            ["model.bin", "model-.safetensors"].into_iter(),
            Prefer::Full,
        );
        assert_eq!(
            none.as_ref().unwrap_err(),
            &NoWeights::Absent { part: "text_encoder" }
        );
        assert_eq!(
            none.unwrap_err().to_string(),
            "no weights of text_encoder in safetensors: it needs `text_encoder/model.safetensors`"
        );
        let names = ["diffusion_pytorch_model.fp16-00001-of-00003.safetensors"];
        let some = choose("unet", names.into_iter(), Prefer::Full);
        assert_eq!(
            some.unwrap_err().to_string(),
            "not all weights of unet: `unet/diffusion_pytorch_model.fp16-00002-of-00003.safetensors` is missing"
        );
        for hostile in [
            "diffusion_pytorch_model-00000-of-00001.safetensors",
            "diffusion_pytorch_model-00002-of-00001.safetensors",
            "diffusion_pytorch_model-1-of-99999999999.safetensors",
            "diffusion_pytorch_model.a.b.safetensors",
            "diffusion_pytorch_model.a-00001-of-00001.b.safetensors",
        ] {
            choose("unet", [hostile].into_iter(), Prefer::Full).unwrap_err();
        }
    }
}
