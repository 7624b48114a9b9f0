//! Options of `morpheus generate` that are more than a word or a number.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use diffusion::lora::file_of;
use protocol::seed::{self, InvalidSeed};

/// A LoRA file and how strongly it is applied.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoraFile {
    pub(crate) path: PathBuf,
    /// The weight, if one is given; 1 otherwise.
    pub(crate) weight: Option<f64>,
}

impl FromStr for LoraFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, weight) = match text.rsplit_once(':') {
            // Without a weight, a colon may stand in the path.
            Some((path, weight)) if !weight.contains('/') && !path.is_empty() => (path, Some(weight)),
            _ => (text, None),
        };
        let read = |weight: &str| {
            let parsed = weight.parse().ok().filter(|weight| (-4.0..=4.0).contains(weight));
            parsed.ok_or_else(|| format!("the weight must be a number from -4 to 4, not `{weight}`"))
        };
        Ok(Self {
            // Of a folder that PEFT wrote, the file in it.
            path: file_of(Path::new(path)),
            weight: weight.map(read).transpose()?,
        })
    }
}

/// A seed, or a random one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seed(pub(super) Option<u64>);

impl FromStr for Seed {
    type Err = InvalidSeed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        seed::parse(text).map(Self)
    }
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let side = |text: &str| {
            let side = text.parse().ok();
            side.filter(|side: &u32| (64..=2048).contains(side) && side.is_multiple_of(8))
        };
        let sides = text.split_once(['x', 'X', '×']);
        let size = sides.and_then(|(width, height)| {
            Some(Self {
                width: side(width)?,
                height: side(height)?,
            })
        });
        size.ok_or_else(|| "must be WIDTHxHEIGHT, multiples of 8 from 64 to 2048, such as 832x1216".into())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// Reads a guidance scale.
pub(super) fn guidance(text: &str) -> Result<f64, String> {
    let scale = text.parse().ok().filter(|scale| (1.0..=30.0).contains(scale));
    scale.ok_or_else(|| "must be a number from 1 to 30".into())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{LoraFile, Size, guidance};

    #[test]
    fn a_weight_stands_after_the_last_colon() {
        let lora = |text: &str| text.parse::<LoraFile>().map(|lora| (lora.path, lora.weight));
        assert_eq!(
            lora("a.safetensors:0.5"),
            Ok((PathBuf::from("a.safetensors"), Some(0.5)))
        );
        assert_eq!(lora("a.safetensors"), Ok((PathBuf::from("a.safetensors"), None)));
        assert_eq!(
            lora("a:b/c.safetensors"),
            Ok((PathBuf::from("a:b/c.safetensors"), None))
        );
        assert_eq!(
            lora("a.safetensors:-1"),
            Ok((PathBuf::from("a.safetensors"), Some(-1.0)))
        );
        assert!(lora("a.safetensors:nan").is_err());
        assert!(lora("a.safetensors:strong").is_err());
    }

    #[test]
    fn sizes_are_multiples_of_eight() {
        assert_eq!(
            "832x1216".parse(),
            Ok(Size {
                width: 832,
                height: 1216
            })
        );
        for wrong in ["832", "100x100", "0x64", "64x4096", "ax64"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn guidance_is_a_number_from_one() {
        assert_eq!(guidance("7.5"), Ok(7.5));
        assert!(guidance("nan").is_err() && guidance("0").is_err());
    }
}
