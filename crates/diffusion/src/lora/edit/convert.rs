//! A LoRA file under another program's names.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{EditError, Edited, Factors, Source, metadata, summary};
use crate::{
    lora::{names, roles::Role},
    weights::{Rounding, Stored},
};

/// Whose names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// sd-scripts, ComfyUI, A1111: `lora_unet_….lora_down.weight`, alphas as tensors.
    Kohya,
    /// diffusers since 0.34: `unet.….lora_A.weight`, alphas in the header (`lora_adapter_metadata`).
    Diffusers,
    /// PEFT: `base_model.model.….lora_A.weight` of one part of the model, alphas in an `adapter_config.json` beside it.
    Peft,
}

impl Names {
    /// What they are called in a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::Kohya => "kohya's names",
            Self::Diffusers => "diffusers' names",
            Self::Peft => "PEFT's names",
        }
    }
}

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

/// Renames all tensors; matrices stay as they are to the bit. Alphas move between tensors and header.
///
/// # Errors
/// If a module is no plain LoRA or has no such name, or PEFT's names are asked for a file with several parts.
pub fn convert(source: &Source, to: Names) -> Result<Converted, EditError> {
    of_factors(source, to, &source.factors("converted")?)
}

/// With PEFT's names, a file for each part of the model that the LoRA changes, by diffusers' name of the part.
///
/// # Errors
/// If a module is no plain LoRA, or has no such name.
pub fn peft_folders(source: &Source) -> Result<Vec<(&'static str, Converted)>, EditError> {
    let all = source.factors("converted")?;
    let mut folders = Vec::new();
    for (part, prefix) in PARTS.into_iter().zip(["lora_unet_", "lora_te1_", "lora_te2_"]) {
        let of_part = all.iter().filter(|(name, _)| name.starts_with(prefix));
        let of_part: BTreeMap<String, Factors> = of_part
            .map(|(name, factors)| (name.clone(), factors.clone()))
            .collect();
        if !of_part.is_empty() {
            folders.push((part, of_factors(source, Names::Peft, &of_part)?));
        }
    }
    Ok(folders)
}

fn of_factors(
    source: &Source,
    to: Names,
    factors: &BTreeMap<String, Factors>,
) -> Result<Converted, EditError> {
    let mut metadata = metadata::of_one(source, &format!("converted to {}", to.title()));
    metadata.remove(HEADER);
    let mut tensors = BTreeMap::new();
    let mut configs: BTreeMap<&'static str, Vec<(String, usize, f64)>> = BTreeMap::new();
    let mut notes = Notes::default();
    for module in factors.keys() {
        let keys = source.keys(module, "converted")?;
        let (rank, scale) = factors
            .get(module)
            .map_or((1, 1.0), |module| (module.rank(), module.scale));
        let alpha = scale * rank as f64;
        let diffusers = || {
            names::kohya_to_diffusers(module).ok_or_else(|| EditError::NoName {
                path: source.path().to_owned(),
                module: module.clone(),
                names: to.title(),
            })
        };
        let prefix = match to {
            Names::Kohya => module.clone(),
            Names::Diffusers | Names::Peft => diffusers()?,
        };
        let (part, path) = prefix.split_once('.').unwrap_or(("", &prefix));
        if to != Names::Kohya {
            let part = PARTS.into_iter().find(|known| *known == part).unwrap_or("unet");
            configs
                .entry(part)
                .or_default()
                .push((path.to_owned(), rank, alpha));
        }
        for (role, key) in keys {
            let (end, peft_end) = match role {
                Role::Alpha => continue,
                Role::Down => ("lora_down", Some("lora_A")),
                Role::Up => ("lora_up", Some("lora_B")),
                Role::Mid => ("lora_mid", None),
                _ => ("", None),
            };
            let kind = || EditError::Kind {
                path: source.path().to_owned(),
                module: module.clone(),
                kind: format!("a LoRA with `{key}`"),
                edit: "converted",
            };
            let name = match to {
                Names::Kohya if end.is_empty() => return Err(kind()),
                Names::Kohya => format!("{prefix}.{end}.weight"),
                Names::Diffusers => format!("{prefix}.{}.weight", peft_end.ok_or_else(kind)?),
                Names::Peft => format!("{WRAPPED}{path}.{}.weight", peft_end.ok_or_else(kind)?),
            };
            tensors.insert(name, source.stored(key)?);
        }
        let stored = keys.get(&Role::Alpha).map(|key| source.stored(key)).transpose()?;
        let down = keys.get(&Role::Down).map(|key| source.stored(key)).transpose()?;
        let rounding = down
            .and_then(|down| Rounding::of(down.dtype))
            .unwrap_or(Rounding::F32);
        let usual = Stored::number(alpha as f32, rounding);
        if to == Names::Kohya {
            let is_same = |key: &String| Ok::<_, EditError>(source.read(key)? == [alpha as f32]);
            let holds = keys.get(&Role::Alpha).map(is_same).transpose()?;
            if holds != Some(true) {
                notes.n_alphas_added += 1;
            }
            let stored = stored.filter(|_| holds == Some(true));
            tensors.insert(format!("{prefix}.alpha"), stored.unwrap_or(usual));
        } else if stored.is_none() {
            notes.n_without_alpha += 1;
        } else if stored.is_some_and(|stored| stored != usual) {
            notes.n_alphas_rounded += 1;
        }
    }
    let mut config = None;
    match to {
        Names::Kohya => metadata::sizes(&mut metadata, factors.values()),
        Names::Diffusers => {
            let mut header = Map::new();
            for (part, modules) in &configs {
                for (key, value) in peft_config(modules) {
                    header.insert(format!("{part}.{key}"), value);
                }
            }
            metadata.insert(HEADER.to_owned(), Value::Object(header).to_string());
        }
        Names::Peft => {
            let parts: Vec<&'static str> = configs.keys().copied().collect();
            if let [_, other, ..] = parts[..] {
                return Err(EditError::NoName {
                    path: source.path().to_owned(),
                    module: other.to_owned(),
                    names: "one PEFT folder, which holds one part of a model",
                });
            }
            let modules = configs.values().next().map(Vec::as_slice).unwrap_or_default();
            config = Some(Value::Object(peft_config(modules)));
            notes.unnamed_part = parts.first().copied().filter(|part| *part != "unet");
        }
    }
    Ok(Converted {
        file: Edited {
            tensors,
            metadata,
            summary: summary(factors.values()),
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
    /// The part of the model that the names do not say.
    unnamed_part: Option<&'static str>,
}

impl Notes {
    fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if self.n_alphas_added > 0 {
            sentences.push(format!(
                "{} modules got an alpha tensor of their own, which these names need",
                self.n_alphas_added
            ));
        }
        if self.n_without_alpha > 0 {
            sentences.push(format!(
                "{} modules have no alpha tensor, so that their rank is their alpha; converted back they get one",
                self.n_without_alpha
            ));
        }
        if self.n_alphas_rounded > 0 {
            sentences.push(format!(
                "{} alphas are stored in another kind of number than their matrices; converted back they have the \
                 same value, but not the same bytes",
                self.n_alphas_rounded
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

/// The fields of PEFT's `LoraConfig` that ranks and alphas need.
fn peft_config(modules: &[(String, usize, f64)]) -> Map<String, Value> {
    let rank = most_common(modules.iter().map(|(_, rank, _)| *rank as f64));
    let alpha = most_common(modules.iter().map(|(.., alpha)| *alpha));
    let mut ranks = Map::new();
    let mut alphas = Map::new();
    for (path, of_module, alpha_of_module) in modules {
        if *of_module as f64 != rank {
            ranks.insert(path.clone(), json!(of_module));
        }
        if *alpha_of_module != alpha {
            alphas.insert(path.clone(), number(*alpha_of_module));
        }
    }
    let targets: Vec<&str> = modules.iter().map(|(path, ..)| path.as_str()).collect();
    let fields = [
        ("peft_type", json!("LORA")),
        ("r", json!(rank as usize)),
        ("lora_alpha", number(alpha)),
        ("rank_pattern", Value::Object(ranks)),
        ("alpha_pattern", Value::Object(alphas)),
        ("target_modules", json!(targets)),
        ("lora_dropout", json!(0.0)),
        ("bias", json!("none")),
        ("use_dora", json!(false)),
        ("use_rslora", json!(false)),
    ];
    fields
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// A whole number without a point, as PEFT writes alphas.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e9 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

/// Of several numbers that are equally common, the smallest.
fn most_common(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    let runs = numbers.chunk_by(|a, b| a == b);
    let longest = runs.rev().max_by_key(|run| run.len());
    longest.and_then(|run| run.first()).copied().unwrap_or(1.0)
}
