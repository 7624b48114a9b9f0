//! What stands beside a copy for the programs that manage LoRAs.
//!
//! `.civitai.info` is read by Civitai Helper, LoRA Manager and SwarmUI: Civitai's own answer about a version, of which they
//! take name, base model, trigger words, description and hashes. Its ids are left out, since Civitai does not know the file.
//! `.json` is what A1111 and Forge save for a card, and `.safetensors.rgthree-info.json` what rgthree-comfy shows of a LoRA.

use protocol::{library::HowToUse, model::ModelVersion, preset::Family};
use serde_json::{Value, json};

use super::Wanted;

/// Names of all files of a copy begin with its name and end with one of these.
pub(super) const LORA: &str = ".safetensors";
pub(super) const PICTURE: &str = ".preview.png";
const CIVITAI: &str = ".civitai.info";
const CARD: &str = ".json";
const RGTHREE: &str = ".safetensors.rgthree-info.json";

/// The texts beside a copy with this name: endings and contents. They are the same whenever they are made.
pub(super) fn texts(wanted: &Wanted, stem: &str) -> [(&'static str, Vec<u8>); 3] {
    let version = &wanted.version;
    let words = version.words();
    let base = civitai_base(wanted.family);
    let about = description(version);
    let usage = version.usage.as_ref();
    let title = format!("{} v{}", version.name, version.version);
    let file_name = format!("{stem}{LORA}");
    let civitai = json!({
        "name": format!("v{}", version.version),
        "description": about,
        "baseModel": base,
        "trainedWords": words,
        "model": {
            "name": version.name,
            "type": "LORA",
            "description": about,
            "tags": [],
            "nsfw": false,
            "poi": false,
        },
        "files": [{
            "name": file_name,
            "type": "Model",
            "primary": true,
            "sizeKB": version.size_bytes as f64 / 1024.0,
            "metadata": { "format": "SafeTensor" },
            "hashes": hashes(version),
        }],
        "images": [],
    });
    let card = json!({
        "name": title,
        "description": about,
        "sd version": "SDXL",
        "activation text": words.join(", "),
        "trainedWords": words,
        "preferred weight": usage.and_then(|usage| usage.weight).unwrap_or(1.0),
        "notes": format!("SHA-256 {}", version.sha256),
    });
    let words_of_rgthree: Vec<Value> = words.iter().map(|word| json!({ "word": word })).collect();
    let rgthree = json!({
        "file": file_name,
        "name": title,
        "type": "LORA",
        "sha256": version.sha256,
        "baseModel": base,
        "trainedWords": words_of_rgthree,
        "userNote": about,
        "images": [],
        "links": [],
    });
    [(CIVITAI, civitai), (CARD, card), (RGTHREE, rgthree)].map(|(ending, value)| (ending, lines(&value)))
}

fn lines(value: &Value) -> Vec<u8> {
    let mut text = format!("{value:#}").into_bytes();
    text.push(b'\n');
    text
}

/// The family as Civitai names it.
fn civitai_base(family: Family) -> &'static str {
    match family {
        Family::Tiny => "Other",
        Family::Sdxl => "SDXL 1.0",
        Family::Illustrious => "Illustrious",
        Family::Noobai | Family::NoobaiV | Family::NoobaiFlow => "NoobAI",
        Family::Pony => "Pony",
    }
}

fn description(version: &ModelVersion) -> String {
    let mut about = format!("Version {} of {}, from Morpheus.", version.version, version.name);
    match (&version.imported, version.n_steps) {
        (Some(imported), _) => {
            about += &format!(" For base models like {}.", version.base_model);
            if let Some(source) = &imported.source {
                about += &format!(" From: {source}.");
            }
            if let Some(license) = &imported.license {
                about += &format!(" License: {license}.");
            }
        }
        (None, Some(n_steps)) => {
            about += &format!(" Trained on {} for {n_steps} steps.", version.base_model);
        }
        (None, None) => about += &format!(" Trained on {}.", version.base_model),
    }
    if let Some(hint) = version.usage.as_ref().and_then(HowToUse::hint) {
        about += &format!(" How to use it: {hint}.");
    }
    about
}

/// Hashes as Civitai has them. `AutoV3` begins the hash of the tensors alone, which trainers note in the file.
fn hashes(version: &ModelVersion) -> Value {
    let sha256 = version.sha256.to_uppercase();
    let mut hashes = json!({ "AutoV2": sha256.get(..10), "SHA256": sha256 });
    let data = version.metadata.get("sshs_model_hash");
    let is_hash = |hash: &&String| hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
    if let Some(data) = data.filter(is_hash) {
        hashes["AutoV3"] = json!(data.to_uppercase().get(..12));
    }
    hashes
}
