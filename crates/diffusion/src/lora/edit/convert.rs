//! A LoRA file under another program's names.
//!
//! | | kohya | diffusers | PEFT |
//! |---|---|---|---|
//! | LoRA, LoCon | yes | without a core | without a core |
//! | DoRA of a LoRA | yes | one length per output, of all modules of a part | the same |
//! | LoHa | yes | no | of all modules |
//! | LoKr | yes | no | of all modules, if one factor gives all of their shapes |
//! | what else LyCORIS has | yes | no | no |

mod member;
mod peft;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::member::{Member, Strength};
use super::{EditError, Edited, Source, Summary, metadata};
use crate::lora::{LoraModule, names};

/// Whose names. kohya's are those of sd-scripts, LyCORIS, ComfyUI and A1111: `lora_unet_….lora_down.weight`, alphas as tensors.
/// diffusers' since 0.34: `unet.….lora_A.weight`, alphas in the header (`lora_adapter_metadata`). PEFT's:
/// `base_model.model.….lora_A.weight` of one part of the model, alphas in an `adapter_config.json` beside it.
pub use protocol::edit::LoraNames as Names;

/// Where diffusers keeps ranks and alphas.
const HEADER: &str = "lora_adapter_metadata";
/// PEFT's name for the model that it wraps.
const WRAPPED: &str = "base_model.model.";

/// A file under other names, and what belongs beside it.
#[derive(Debug, Clone)]
pub struct Converted {
    /// The file. For PEFT it must be called `adapter_model.safetensors`.
    pub file: Edited,
    /// For PEFT the content of `adapter_config.json` in the same folder.
    pub config: Option<Value>,
}

/// Renames all tensors; their numbers stay as they are to the bit. Alphas move between tensors and header, and DoRA's
/// lengths get the shape that goes with the names.
///
/// # Errors
/// If the names cannot hold a module, or have none for it, or PEFT's are asked for a file with several parts.
pub fn convert(source: &Source, to: Names) -> Result<Converted, EditError> {
    of_modules(source, to, source.lora().modules())
}

/// With PEFT's names, a file for each part of the model that the LoRA changes, by diffusers' name of the part.
///
/// # Errors
/// If PEFT's names cannot hold a module, or have none for it.
pub fn peft_folders(source: &Source) -> Result<Vec<(&'static str, Converted)>, EditError> {
    let mut folders = Vec::new();
    for (part, prefix) in PARTS.into_iter().zip(["lora_unet_", "lora_te1_", "lora_te2_"]) {
        let all = source.lora().modules().iter();
        let of_part: Vec<_> = all.filter(|(name, _)| name.starts_with(prefix)).collect();
        if !of_part.is_empty() {
            folders.push((part, of_modules(source, Names::Peft, of_part)?));
        }
    }
    Ok(folders)
}

fn of_modules<'a>(
    source: &'a Source,
    to: Names,
    modules: impl IntoIterator<Item = (&'a String, &'a LoraModule)>,
) -> Result<Converted, EditError> {
    let mut metadata = metadata::of_one(source, &format!("converted to {}", to.title()));
    metadata.remove(HEADER);
    let mut tensors = BTreeMap::new();
    let mut parts: BTreeMap<&'static str, Vec<(String, Member<'a>)>> = BTreeMap::new();
    let mut strengths: Vec<Strength> = Vec::new();
    let mut n_modules = 0;
    let mut notes = Notes::default();
    for (name, module) in modules {
        n_modules += 1;
        let member = Member::new(source, name, module)?;
        strengths.extend(member.strength);
        if to == Names::Kohya {
            for (end, stored) in member.tensors(to)? {
                tensors.insert(format!("{name}.{end}"), stored);
            }
            if let Some((alpha, is_as_stored)) = member.alpha()? {
                notes.n_alphas_added += usize::from(!is_as_stored);
                tensors.insert(format!("{name}.alpha"), alpha);
            }
            continue;
        }
        let Some(theirs) = names::kohya_to_diffusers(name) else {
            return Err(EditError::NoName {
                path: source.path().to_owned(),
                module: name.clone(),
                names: to.title(),
            });
        };
        let (part, path) = theirs.split_once('.').unwrap_or(("unet", &theirs));
        let part = PARTS.into_iter().find(|known| *known == part).unwrap_or("unet");
        let prefix = match to {
            Names::Peft => format!("{WRAPPED}{path}"),
            Names::Diffusers | Names::Kohya => theirs.clone(),
        };
        for (end, stored) in member.tensors(to)? {
            tensors.insert(format!("{prefix}.{end}"), stored);
        }
        parts.entry(part).or_default().push((path.to_owned(), member));
    }
    if let (Names::Peft, Some(second)) = (to, parts.keys().nth(1)) {
        return Err(EditError::NoName {
            path: source.path().to_owned(),
            module: (*second).to_owned(),
            names: "one PEFT folder, which holds one part of a model",
        });
    }
    let mut configs: BTreeMap<&'static str, Map<String, Value>> = BTreeMap::new();
    for (part, members) in &parts {
        let (config, of_config) = peft::config(members, to)?;
        for ((_, member), strength) in members.iter().zip(of_config) {
            notes.count(member, strength)?;
        }
        configs.insert(*part, config);
    }
    let mut config = None;
    match to {
        Names::Kohya if strengths.is_empty() => {}
        Names::Kohya => {
            let ranks = strengths.iter().map(|strength| strength.rank as f64);
            let alphas = strengths.iter().map(|strength| strength.alpha);
            metadata::ranks(&mut metadata, ranks, alphas);
        }
        Names::Diffusers => {
            let fields = configs.into_iter().flat_map(|(part, config)| {
                config
                    .into_iter()
                    .map(move |(key, value)| (format!("{part}.{key}"), value))
            });
            let header: Map<String, Value> = fields.collect();
            metadata.insert(HEADER.to_owned(), Value::Object(header).to_string());
        }
        Names::Peft => {
            notes.unnamed_part = configs.keys().next().copied().filter(|part| *part != "unet");
            config = configs.into_values().next().map(Value::Object);
        }
    }
    let ranks = strengths.iter().map(|strength| strength.rank);
    Ok(Converted {
        file: Edited {
            tensors,
            metadata,
            summary: Summary {
                n_modules,
                rank_min: ranks.clone().min().unwrap_or(0),
                rank_max: ranks.max().unwrap_or(0),
                kept: None,
            },
            notes: source.notes().chain(notes.sentences()).collect(),
        },
        config,
    })
}

/// diffusers' names of the parts.
const PARTS: [&str; 3] = ["unet", "text_encoder", "text_encoder_2"];

/// What the way there and back does not bring back to the bit.
#[derive(Debug, Default)]
struct Notes {
    n_alphas_added: usize,
    n_without_alpha: usize,
    n_alphas_rounded: usize,
    n_alphas_lost: usize,
    /// The part of the model that the names do not say.
    unnamed_part: Option<&'static str>,
}

impl Notes {
    /// Counts what becomes of a module's alpha in a header or configuration.
    fn count(&mut self, member: &Member<'_>, strength: Strength) -> Result<(), EditError> {
        match member.stored_alpha()? {
            None => self.n_without_alpha += 1,
            Some(stored) if stored == member.number(strength.alpha)? => {}
            Some(_) if member.strength.is_none() => self.n_alphas_lost += 1,
            Some(_) => self.n_alphas_rounded += 1,
        }
        Ok(())
    }

    fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if self.n_alphas_added > 0 {
            sentences.push(format!(
                "modules that got an alpha tensor, which these names need: {}",
                self.n_alphas_added
            ));
        }
        if self.n_without_alpha > 0 {
            sentences.push(format!(
                "modules without an alpha tensor, whose rank is their alpha: {}; converted back they get one",
                self.n_without_alpha
            ));
        }
        if self.n_alphas_rounded > 0 {
            sentences.push(format!(
                "alphas stored in another kind of number than their matrices: {}; converted back they have the same \
                 value, but not the same bytes",
                self.n_alphas_rounded
            ));
        }
        if self.n_alphas_lost > 0 {
            sentences.push(format!(
                "alphas of whole matrices, where they mean nothing: {}; converted back they have another value, with the \
                 same effect",
                self.n_alphas_lost
            ));
        }
        if let Some(part) = self.unnamed_part {
            sentences.push(format!(
                "PEFT's names do not say that this is for {part}: load the file for that part; it cannot be converted \
                 back"
            ));
        }
        sentences
    }
}
