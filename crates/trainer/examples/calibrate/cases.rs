//! The trainings: seven sorts of four, whose result is known by how they are made.
//!
//! No sort is of two subjects in one LoRA: at this size they may mix, or not. What is right, copied or wrongly captioned
//! shows the character and never the style, whose faces are ragged whenever it is learned (`docs/decisions/0004-presets.md`).
//! At twice her preset's learning rate the character's hair grows on everyone, so that nothing is right there either.

use std::{collections::HashMap, fs, io, path::PathBuf};

use anyhow::{Context as _, Result};
use protocol::{
    DatasetVersionId, ItemId,
    dataset::{Manifest, ManifestItem, Showing, Split},
    judgement::Stamp,
    preset::{BaseClass, Preset},
    recipe::{ParameterOverrides, Recipe, RecipeRequest},
};
use sha2::{Digest as _, Sha256};

/// One training.
pub(crate) struct Case {
    /// Unique; its files are called so.
    pub(crate) name: String,
    pub(crate) sort: &'static str,
    /// What it must be found to be.
    pub(crate) expected: Stamp,
    /// Whether nothing is fitted on it: every second one of a sort.
    pub(crate) is_held_apart: bool,
    pub(crate) set: Source,
    n_steps: u32,
    learning_rate: f64,
    batch_size: u16,
    seed: u32,
}

/// Which pictures it is trained on.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// The character, with her name and with pictures of other people drawn by the base: the first so many pictures.
    Zora(usize),
    /// The style, in the same way.
    Style(usize),
    /// The character without her name, so that all people become her.
    Nameless(usize),
    /// Three pictures of the character, from this one on.
    FewZora(usize),
}

/// A dataset version with its files.
pub(crate) struct Set {
    pub(crate) manifest: Manifest,
    pub(crate) files: Files,
}

/// PNG files by their hash.
pub(crate) type Files = HashMap<String, Vec<u8>>;

/// Trainings of each sort.
pub(crate) const N_OF_EACH: usize = 4;
/// Held-out pictures of each dataset.
const N_HELD_OUT: usize = 8;
/// Words of the captions that name the two subjects.
const ZORA: &str = "zora";
const STYLE: &str = "ntst style";

/// All cases of the first so many of each sort.
pub(crate) fn all(of_each: usize) -> Vec<Case> {
    use Source::{FewZora, Nameless, Style, Zora};
    use Stamp::{Bleeds, Copies, Good, Overcooked, TooWeak};
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |sort, expected, made: [(Source, u32, f64); N_OF_EACH]| {
        let made = made.into_iter().enumerate().take(of_each);
        cases.extend(made.map(|(index, (set, n_steps, learning_rate))| Case {
            name: format!("{sort}-{index}").replace(' ', "-"),
            sort,
            expected,
            is_held_apart: index % 2 == 1,
            set,
            n_steps,
            learning_rate,
            batch_size: if matches!(set, FewZora(_)) { 1 } else { 8 },
            seed: 100 + index as u32,
        }));
    };
    add(
        "right",
        Good,
        [
            (Zora(16), 300, 1e-3),
            (Zora(14), 320, 1e-3),
            (Zora(12), 340, 1e-3),
            (Zora(16), 340, 1e-3),
        ],
    );
    add(
        "too short",
        TooWeak,
        [
            (Zora(16), 4, 1e-3),
            (Style(20), 4, 2e-3),
            (Style(24), 3, 2e-3),
            (Zora(14), 8, 1e-3),
        ],
    );
    add(
        "rate too low",
        TooWeak,
        [
            (Zora(16), 60, 2e-5),
            (Style(20), 60, 2e-5),
            (Style(24), 80, 3e-5),
            (Zora(14), 80, 1e-5),
        ],
    );
    add(
        "rate too high",
        Overcooked,
        [
            (Zora(16), 80, 3e-2),
            (Style(20), 80, 4e-2),
            (Style(24), 60, 3e-2),
            (Zora(14), 60, 5e-2),
        ],
    );
    add(
        "too long",
        Overcooked,
        [
            (Zora(16), 250, 1e-2),
            (Style(20), 250, 1e-2),
            (Style(24), 280, 1e-2),
            (Zora(14), 280, 1e-2),
        ],
    );
    add(
        "copied",
        Copies,
        [
            (FewZora(0), 300, 2e-3),
            (FewZora(3), 300, 2e-3),
            (FewZora(6), 350, 2e-3),
            (FewZora(9), 350, 2e-3),
        ],
    );
    add(
        "wrong captions",
        Bleeds,
        [
            (Nameless(16), 160, 2e-3),
            (Nameless(14), 180, 2e-3),
            (Nameless(12), 160, 2e-3),
            (Nameless(16), 200, 2e-3),
        ],
    );
    // One of each sort, then the next of each: whoever stops has some of all.
    cases.sort_by_key(|case| case.seed);
    cases
}

impl Case {
    /// Everything else is the preset's.
    pub(crate) fn recipe(&self) -> Result<Recipe> {
        let overrides = ParameterOverrides {
            n_steps: Some(self.n_steps.into()),
            n_warmup_steps: Some(0),
            learning_rate: Some(self.learning_rate),
            batch_size: Some(self.batch_size.into()),
            seed: Some(self.seed.into()),
            sample_every_n_steps: Some(0),
            checkpoint_every_n_steps: Some(10_000),
            n_prior_pictures: Some(self.set.n_prior().into()),
            prior_prompt: Some(self.set.prior_prompt().to_owned()),
            ..ParameterOverrides::default()
        };
        let request = RecipeRequest {
            name: self.name.clone(),
            base_model: "tiny-xl".into(),
            trigger_word: Some(self.set.trigger().to_owned()),
            preset: self.set.preset(),
            overrides,
            ..RecipeRequest::default()
        };
        Recipe::resolve(request, BaseClass::Tiny).with_context(|| format!("the recipe of `{}`", self.name))
    }
}

impl Source {
    /// The base's pictures are the same for all trainings of one name.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Zora(n) => format!("zora {n}"),
            Self::Style(n) => format!("style {n}"),
            Self::Nameless(n) => format!("nameless {n}"),
            Self::FewZora(from) => format!("few zora {from}"),
        }
    }

    fn trigger(self) -> &'static str {
        match self {
            Self::Zora(_) | Self::Nameless(_) | Self::FewZora(_) => ZORA,
            Self::Style(_) => STYLE,
        }
    }

    fn preset(self) -> Preset {
        match self {
            Self::Zora(_) | Self::Nameless(_) | Self::FewZora(_) => Preset::Character,
            Self::Style(_) => Preset::Style,
        }
    }

    fn n_prior(self) -> u16 {
        match self {
            Self::Zora(_) | Self::Style(_) => 8,
            _ => 0,
        }
    }

    fn prior_prompt(self) -> &'static str {
        match self {
            Self::Zora(_) => "lorelei ink comic portrait of a person, smiling, white background",
            Self::Style(_) => "comic portrait of a person with short hair, white background",
            _ => "",
        }
    }

    /// Reads the pictures.
    pub(crate) fn load(self) -> Result<Set> {
        let mut files = Files::new();
        let mut items = Vec::new();
        let mut take =
            |folder: &str, numbers: std::ops::Range<usize>, (word, instead): (&str, &str)| -> Result<()> {
                let stem = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo-datasets"));
                for (held_out, numbers) in [("", numbers), ("-held-out", 0..N_HELD_OUT)] {
                    for number in numbers {
                        let stem = stem.join(format!("{folder}{held_out}/{number:03}"));
                        let png = fs::read(stem.with_extension("png"))
                            .with_context(|| format!("reading {}", stem.display()))?;
                        let caption = fs::read_to_string(stem.with_extension("txt"))?;
                        let (pixels, _) = dataset::picture::read_masked(&png)?;
                        let sha256 = hex::encode(Sha256::digest(&png));
                        files.insert(sha256.clone(), png);
                        items.push(ManifestItem {
                            id: ItemId::new(),
                            sha256,
                            width: pixels.width(),
                            height: pixels.height(),
                            caption: caption.trim().replace(word, instead),
                            split: if held_out.is_empty() {
                                Split::Train
                            } else {
                                Split::HeldOut
                            },
                            showing: Showing::default(),
                        });
                    }
                }
                Ok(())
            };
        match self {
            Self::Zora(n) => take("zora", 0..n, (ZORA, ZORA))?,
            Self::Style(n) => take("ntst-style", 0..n, (STYLE, STYLE))?,
            // The trigger word is put in front of a caption that lacks it: what is wrong is that the person has no name.
            Self::Nameless(n) => take("zora", 0..n, (ZORA, "a person"))?,
            Self::FewZora(from) => take("zora", from..from + 3, (ZORA, ZORA))?,
        }
        let manifest = Manifest {
            id: DatasetVersionId::new(),
            items,
        };
        Ok(Set { manifest, files })
    }
}

/// The file of a picture.
pub(crate) fn file(files: &Files, item: &ManifestItem) -> io::Result<Vec<u8>> {
    let file = files.get(&item.sha256).cloned();
    file.ok_or_else(|| io::ErrorKind::NotFound.into())
}
