//! A picture's settings as the text `parameters` of AUTOMATIC1111's stable-diffusion-webui (`modules/infotext_utils.py`
//! and `processing.create_infotext` of version 1.10): the prompt with its LoRA tags, a line with the negative prompt, and
//! a line of `key: value` pairs. Websites such as Civitai read the same.
//!
//! `dashboard/src/components/playground/infotext.ts` reads it in the browser. Both are tested with `a1111/cases.json`.

use std::fmt::Write as _;

use super::Made;
use crate::{generation::Sampler, limits::MAX_LORAS, seed, text::shown, unfit};

/// Keyword of the text in a PNG file.
pub const KEYWORD: &str = "parameters";

const NEGATIVE: &str = "Negative prompt:";

/// Characters of a foreign text that are repeated to a person.
const SHOWN_CHARS: usize = 80;

/// A tag that is longer is text.
const MAX_TAG_BYTES: usize = 300;

/// Settings that are named as not taken; the others are counted.
const MAX_NOT_TAKEN: usize = 50;

/// A picture's settings, as far as a foreign text says them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// The prompt, without LoRA tags.
    pub prompt: String,
    /// The negative prompt; A1111 does not tell an empty one from none.
    pub negative_prompt: Option<String>,
    /// LoRAs in the order of their tags.
    pub loras: Vec<NamedLora>,
    /// Seed of the noise.
    pub seed: Option<u64>,
    /// Denoising steps.
    pub n_steps: Option<u32>,
    /// Classifier-free guidance.
    pub guidance: Option<f64>,
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// How noise was turned into a picture.
    pub sampler: Option<Sampler>,
    /// Name of the base model's file, without its extension.
    pub base: Option<String>,
    /// First digits of the SHA-256 of the base model's file.
    pub base_hash: Option<String>,
    /// What could not be taken, each with its reason.
    pub not_taken: Vec<String>,
}

/// A LoRA as a tag and `Lora hashes` name it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedLora {
    /// Name of its file, without its extension.
    pub name: String,
    /// How strongly it was applied.
    pub weight: f64,
    /// First digits of the SHA-256 of its tensors (AutoV3).
    pub hash: Option<String>,
}

/// A sampler's name.
pub fn sampler_name(sampler: Sampler) -> &'static str {
    match sampler {
        Sampler::Euler => "Euler",
        Sampler::EulerA => "Euler a",
        Sampler::Ddim => "DDIM",
        Sampler::Dpmpp2m => "DPM++ 2M",
    }
}

/// Writes the text.
pub fn write(made: &Made) -> String {
    let mut words = made.prompt.trim().to_owned();
    for lora in &made.loras {
        let name = tag_name(&lora.name);
        if !words.contains(&format!("<lora:{name}:")) && !words.contains(&format!("<lora:{name}>")) {
            let space = if words.is_empty() { "" } else { " " };
            let _ = write!(words, "{space}<lora:{name}:{}>", lora.weight);
        }
    }
    if let Some(negative) = made.negative_prompt.as_deref().filter(|words| !words.is_empty()) {
        let _ = write!(words, "\n{NEGATIVE} {negative}");
    }
    let mut pairs = vec![
        ("Steps", made.n_steps.to_string()),
        ("Sampler", sampler_name(made.sampler).to_owned()),
        ("CFG scale", made.guidance.to_string()),
        ("Seed", made.seed.to_string()),
        ("Size", format!("{}x{}", made.width, made.height)),
        ("Model hash", made.base.short_hash().to_owned()),
        ("Model", stem(&made.base.name).to_owned()),
    ];
    if !made.is_of_sd_scripts() {
        // A1111's word for noise drawn as PyTorch does on the CPU.
        pairs.push(("RNG", "CPU".to_owned()));
    }
    let hashes: Vec<String> = made
        .loras
        .iter()
        .filter_map(|lora| {
            let hash = lora.data_sha256.as_ref()?.get(..12)?;
            Some(format!("{}: {hash}", tag_name(&lora.name)))
        })
        .collect();
    if !hashes.is_empty() {
        pairs.push(("Lora hashes", hashes.join(", ")));
    }
    if let Some(noise) = &made.initial_noise {
        let hash = noise.sha256.get(..10).unwrap_or(&noise.sha256);
        pairs.push(("Initial noise", format!("{hash}/{}", noise.index)));
    }
    pairs.push(("Version", made.program.clone()));
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key}: {}", quoted(value)))
        .collect();
    format!("{words}\n{}", pairs.join(", ")).trim().to_owned()
}

/// Reads the text, which may come from anywhere. What it cannot take is listed, with the reason.
pub fn read(text: &str) -> Settings {
    let mut settings = Settings::default();
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let (above, last) = text.rsplit_once('\n').unwrap_or(("", text));
    let mut pairs = pairs(last);
    // A1111's own rule: three pairs make a line of settings, and anything less is prompt.
    let words = if pairs.len() < 3 {
        pairs.clear();
        text
    } else {
        above
    };
    let negative = match words.strip_prefix(NEGATIVE) {
        Some(negative) => Some(("", negative)),
        None => words.split_once(&format!("\n{NEGATIVE}")),
    };
    let (positive, negative) = match negative {
        Some((positive, negative)) => (positive, Some(negative.trim().to_owned())),
        None => (words, None),
    };
    (settings.prompt, settings.loras) = without_tags(positive, &mut settings.not_taken);
    settings.negative_prompt = negative.filter(|words| !words.is_empty());
    for (key, value) in pairs {
        settings.take(&key, &value);
    }
    let n_more = settings.not_taken.len().saturating_sub(MAX_NOT_TAKEN);
    if n_more > 0 {
        settings.not_taken.truncate(MAX_NOT_TAKEN);
        settings.not_taken.push(format!("{n_more} more"));
    }
    settings
}

impl Settings {
    fn take(&mut self, key: &str, value: &str) {
        let given = format!("`{}: {}`", shown(key, SHOWN_CHARS), shown(value, SHOWN_CHARS));
        let problem = match key {
            "Steps" => take(&mut self.n_steps, value.parse().ok(), |n| unfit::n_steps(*n)),
            "CFG scale" => take(&mut self.guidance, value.parse().ok(), |scale| {
                unfit::guidance(*scale)
            }),
            "Seed" => take(&mut self.seed, seed::parse(value).ok().flatten(), |_| None),
            "Size" => {
                let sides = value.split_once('x');
                let size =
                    sides.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
                take(&mut self.size, size, |(width, height)| {
                    unfit::side(*width).or_else(|| unfit::side(*height))
                })
            }
            "Sampler" => self.take_sampler(value),
            "Model" => {
                self.base = Some(shown(value, SHOWN_CHARS));
                None
            }
            "Model hash" => {
                self.base_hash = Some(shown(value, SHOWN_CHARS).to_ascii_lowercase());
                None
            }
            "Lora hashes" => {
                self.take_lora_hashes(value);
                None
            }
            // They say what wrote the text, or repeat other pairs.
            "Version" | "Hashes" | "Created Date" | "Civitai resources" | "Civitai metadata" => None,
            "RNG" if value == "CPU" => None,
            "RNG" => Some("only noise from the CPU can be drawn again".to_owned()),
            "Schedule type" if value == "Automatic" => None,
            _ => Some("there is no such setting here".to_owned()),
        };
        if let Some(problem) = problem {
            self.not_taken.push(format!("{given}: {problem}"));
        }
    }

    fn take_sampler(&mut self, value: &str) -> Option<String> {
        // Before version 1.9 the schedule was part of the name.
        let schedules = [" Karras", " Exponential", " SGM Uniform", " Simple", " Beta"];
        let schedule = schedules.iter().find(|schedule| value.ends_with(*schedule));
        let name = schedule.map_or(value, |schedule| &value[..value.len() - schedule.len()]);
        let all = [Sampler::Euler, Sampler::EulerA, Sampler::Ddim, Sampler::Dpmpp2m];
        let found = all
            .into_iter()
            .find(|sampler| sampler_name(*sampler).eq_ignore_ascii_case(name));
        self.sampler = found;
        match (found, schedule) {
            (None, _) => {
                Some("there is no such sampler here; there are Euler, Euler a, DDIM and DPM++ 2M".to_owned())
            }
            (Some(_), Some(schedule)) => Some(format!("the schedule{schedule} is left out")),
            (Some(_), None) => None,
        }
    }

    fn take_lora_hashes(&mut self, value: &str) {
        for pair in value.split(',') {
            let Some((name, hash)) = pair.rsplit_once(':') else {
                continue;
            };
            let (name, hash) = (name.trim(), hash.trim().to_ascii_lowercase());
            let is_hash = hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            if let Some(lora) = self.loras.iter_mut().find(|lora| lora.name == name)
                && is_hash
            {
                lora.hash = Some(hash);
            }
        }
    }
}

/// Takes a value that was read; the answer is what is wrong with it.
fn take<T>(into: &mut Option<T>, value: Option<T>, unfit: impl Fn(&T) -> Option<String>) -> Option<String> {
    let Some(value) = value else {
        return Some("is not a value that can be read".to_owned());
    };
    let problem = unfit(&value);
    if problem.is_none() {
        *into = Some(value);
    }
    problem
}

/// Takes `<lora:name:weight>` out of a prompt. A second number, which A1111 has for the text encoders, is reported if it
/// differs.
fn without_tags(prompt: &str, not_taken: &mut Vec<String>) -> (String, Vec<NamedLora>) {
    let mut words = String::new();
    let mut loras: Vec<NamedLora> = Vec::new();
    let mut rest = prompt;
    while let Some(at) = rest.find('<') {
        words.push_str(&rest[..at]);
        rest = &rest[at..];
        // A tag holds no other one, so every character is looked at once.
        let end = rest[1..].find(['<', '>']).map_or(0, |at| at + 1);
        let is_tag = end < MAX_TAG_BYTES && rest.as_bytes()[end] == b'>';
        let tag = if is_tag { &rest[..=end] } else { "" };
        let inner = tag.strip_prefix('<').and_then(|tag| tag.strip_suffix('>'));
        let Some((kind, fields)) = inner.and_then(|inner| inner.split_once(':')) else {
            words.push('<');
            rest = &rest[1..];
            continue;
        };
        rest = &rest[tag.len()..];
        let mut problem = |why: &str| not_taken.push(format!("`{}`: {why}", shown(tag, SHOWN_CHARS)));
        match kind {
            "lora" | "lyco" => {
                let mut fields = fields.split(':');
                let name = fields.next().unwrap_or_default().trim();
                let weights: Option<Vec<f64>> = fields
                    .map(|field| {
                        field
                            .trim()
                            .parse()
                            .ok()
                            .filter(|weight| unfit::weight(*weight).is_none())
                    })
                    .collect();
                match weights.as_deref() {
                    _ if name.is_empty() => problem("it has no name"),
                    _ if loras.len() == MAX_LORAS => {
                        problem("there are more LoRAs than one picture may have")
                    }
                    Some([first, second, ..]) if first != second => {
                        problem("one weight for U-Net and text encoders is taken, the first");
                        loras.push(named(name, *first));
                    }
                    Some([]) => loras.push(named(name, 1.0)),
                    Some([first, ..]) => loras.push(named(name, *first)),
                    None => problem("the weight must be a number from -4 to 4"),
                }
            }
            "hypernet" => problem("hypernetworks are not read"),
            _ => words.push_str(tag),
        }
    }
    words.push_str(rest);
    (words.trim().to_owned(), loras)
}

fn named(name: &str, weight: f64) -> NamedLora {
    NamedLora {
        name: name.to_owned(),
        weight,
        hash: None,
    }
}

/// A prompt without LoRA tags, unless they are letters, for programs that name LoRAs elsewhere.
pub(super) fn untagged(made: &Made) -> String {
    let (words, loras) = without_tags(&made.prompt, &mut Vec::new());
    if loras.is_empty() || made.literal {
        made.prompt.clone()
    } else {
        words
    }
}

/// Splits a line into its pairs, as A1111's regular expression does: `\s*(\w[\w \-/]+):\s*("…"|[^,]*)(?:,|$)`.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while let Some((key, value)) = rest.split_once(':') {
        // What stands before the key belongs to no pair.
        let key = key.rsplit(',').next().unwrap_or_default().trim();
        let value = value.trim_start();
        let (value, after) = unquoted(value).unwrap_or_else(|| {
            let end = value.find(',').unwrap_or(value.len());
            (value[..end].trim().to_owned(), &value[end..])
        });
        let is_key = key.chars().count() > 1
            && key
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '-' | '/'));
        if is_key {
            pairs.push((key.to_owned(), value));
        }
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    pairs
}

/// A quoted value at the start of a text, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut strings =
        serde_json::Deserializer::from_str(text.starts_with('"').then_some(text)?).into_iter::<String>();
    let value = strings.next()?.ok()?;
    let rest = text.get(strings.byte_offset()..)?.trim_start();
    (rest.is_empty() || rest.starts_with(',')).then_some((value, rest))
}

/// A1111's `quote`: a value that would not be read back is written as JSON.
fn quoted(value: &str) -> String {
    if value.contains([',', '\n', ':']) {
        serde_json::Value::from(value).to_string()
    } else {
        value.to_owned()
    }
}

/// A LoRA's name as it can stand in a tag and in `Lora hashes`.
fn tag_name(name: &str) -> String {
    name.replace([':', '<', '>', ',', '"', '\n'], "_")
}

/// A file's name without the extension of weights.
pub(super) fn stem(name: &str) -> &str {
    let extensions = [".safetensors", ".ckpt"];
    extensions
        .iter()
        .find_map(|extension| name.strip_suffix(extension))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests;
