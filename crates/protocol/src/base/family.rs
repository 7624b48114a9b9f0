//! How a base model is recognized as one of a family: by what it predicts, by the hash of its file, by its names.

use super::Prediction;
use crate::preset::{BaseClass, Family};

/// What is known of a base model that tells its family.
#[derive(Debug, Clone, Default)]
pub struct Traces<'a> {
    /// How large it is; SDXL if nothing is known.
    pub class: Option<BaseClass>,
    /// What its U-Net predicts.
    pub prediction: Option<Prediction>,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: Option<&'a str>,
    /// The title in its header, its name, the name of its file: the most trustworthy first.
    pub names: Vec<&'a str>,
}

/// SHA-256 of files that many people train on, as public lists of checkpoints have them.
const KNOWN_FILES: [(&str, Family); 4] = [
    // sd_xl_base_1.0.safetensors
    (
        "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
        Family::Sdxl,
    ),
    // ponyDiffusionV6XL_v6StartWithThisOne.safetensors
    (
        "67ab2fd8ec439a89b3fedb15cc65f54336af163c7eb5e4f2acc98f090a29b0b3",
        Family::Pony,
    ),
    // NoobAI-XL-v1.1.safetensors
    (
        "6681e8e4b134c81f16533acedb0d406d7e5e366e1624b4105178c64d00b05d51",
        Family::Noobai,
    ),
    // NoobAI-XL-Vpred-v1.0.safetensors
    (
        "ea349eeae87ca8d25ba902c93810f7ca83e5c82f920edf12f273af004ae02819",
        Family::NoobaiV,
    ),
];

/// Words in the names of base models. NoobAI first: what was made of it often names Illustrious too.
const WORDS: [(&str, Family); 5] = [
    ("noob", Family::Noobai),
    ("illustrious", Family::Illustrious),
    ("ilxl", Family::Illustrious),
    ("pony", Family::Pony),
    ("pdxl", Family::Pony),
];

impl Traces<'_> {
    /// The family of the base model, and what tells it, for a person.
    pub fn family(&self) -> (Family, String) {
        if self.class == Some(BaseClass::Tiny) {
            return (Family::Tiny, "it is as small as tiny-xl".to_owned());
        }
        // What it predicts decides about the loss, whatever it is called.
        match self.prediction {
            Some(Prediction::Flow) => return (Family::NoobaiFlow, "it has rectified flow".to_owned()),
            Some(Prediction::V | Prediction::VZeroSnr) => {
                return (Family::NoobaiV, "it predicts v".to_owned());
            }
            Some(Prediction::Epsilon) | None => {}
        }
        let known = KNOWN_FILES.iter().find(|(hash, _)| self.sha256 == Some(hash));
        if let Some((_, family)) = known {
            return (*family, "its file is known by its hash".to_owned());
        }
        for name in &self.names {
            let lower = name.to_lowercase();
            if let Some((word, family)) = WORDS.iter().find(|(word, _)| lower.contains(word)) {
                return (*family, format!("`{word}` is in its name `{name}`"));
            }
        }
        (Family::Sdxl, "nothing says that it is another".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Traces;
    use crate::{
        base::Prediction,
        preset::{BaseClass, Family},
    };

    #[test]
    fn a_base_is_recognized_by_what_it_is() {
        let sha256 = "67ab2fd8ec439a89b3fedb15cc65f54336af163c7eb5e4f2acc98f090a29b0b3";
        for (traces, family) in [
            (Traces::default(), Family::Sdxl),
            (
                Traces {
                    class: Some(BaseClass::Tiny),
                    names: vec!["noobai"],
                    ..Traces::default()
                },
                Family::Tiny,
            ),
            (
                Traces {
                    prediction: Some(Prediction::VZeroSnr),
                    names: vec!["pony-v"],
                    ..Traces::default()
                },
                Family::NoobaiV,
            ),
            (
                Traces {
                    prediction: Some(Prediction::Flow),
                    ..Traces::default()
                },
                Family::NoobaiFlow,
            ),
            (
                Traces {
                    sha256: Some(sha256),
                    names: vec!["base"],
                    ..Traces::default()
                },
                Family::Pony,
            ),
            (
                Traces {
                    names: vec!["base", "waiIllustriousSDXL_v160.safetensors"],
                    ..Traces::default()
                },
                Family::Illustrious,
            ),
            (
                Traces {
                    prediction: Some(Prediction::Epsilon),
                    names: vec!["NoobAI-XL-v1.1", "Illustrious"],
                    ..Traces::default()
                },
                Family::Noobai,
            ),
        ] {
            assert_eq!(traces.family().0, family, "{traces:?}");
        }
        let named = Traces {
            names: vec!["ponyRealism"],
            ..Traces::default()
        };
        assert_eq!(named.family().1, "`pony` is in its name `ponyRealism`");
    }
}
