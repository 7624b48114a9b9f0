//! What the U-Net of a checkpoint predicts, from every place that says it.
//!
//! In the order in which they count: what a person set, the scheduler's file of a diffusers folder, the marks of merge
//! tools (`v_pred`, `ztsnr`), the header of the files, and the headers that a merge recipe quotes. The last two are
//! written by many programs under many names.

use std::collections::BTreeSet;

use protocol::base::Prediction;
use serde_json::Value;

use crate::{
    schedulers::SchedulerConfig,
    weights::{Checkpoint, FileError},
};

/// What the U-Net predicts, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicts {
    /// What.
    pub prediction: Prediction,
    /// Where that is said, for messages; none if nothing says it and epsilon is assumed.
    pub said_by: Option<String>,
    /// Whether a person has set it, so that nothing else counts.
    pub is_set: bool,
    /// What else says something else, as sentences.
    pub conflicts: Vec<String>,
}

/// Levels of JSON inside JSON inside a header.
const MAX_DEPTH: usize = 6;

/// Finds out what the U-Net predicts. `scheduler` is the folder's, or the default.
pub(super) fn find(
    checkpoint: &Checkpoint,
    scheduler: &SchedulerConfig,
    by_hand: Option<Prediction>,
) -> Result<Predicts, FileError> {
    let mut said: Vec<(Prediction, String)> = Vec::new();
    let mut conflicts = Vec::new();
    said.extend(by_hand.map(|prediction| (prediction, "the setting".to_owned())));
    if let Some(folder) = &checkpoint.folder
        && folder.has("scheduler/scheduler_config.json")
    {
        said.push((scheduler.prediction(), "scheduler_config.json".to_owned()));
    }
    let has_mark = |mark: &str| checkpoint.files.iter().any(|file| file.info(mark).is_some());
    match (has_mark("v_pred"), has_mark("ztsnr")) {
        (true, true) => said.push((Prediction::VZeroSnr, "the pair of marks `v_pred` and `ztsnr`".to_owned())),
        (true, false) => said.push((Prediction::V, "the mark `v_pred`".to_owned())),
        (false, true) => conflicts.push(
            "the mark `ztsnr` is there without `v_pred`, which means nothing: zero terminal SNR needs v-prediction"
                .to_owned(),
        ),
        (false, false) => {}
    }
    for file in &checkpoint.files {
        let mut header = Header::default();
        let mut quoted = Header::default();
        let mut texts: Vec<(&String, &String)> = file.metadata().iter().collect();
        texts.sort_unstable();
        for (key, text) in texts {
            header.take(key, text);
            if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                quoted.search(&value, 0);
            }
        }
        if by_hand.is_none()
            && let Some((key, word)) = header.strange.first()
        {
            return Err(FileError::Config {
                path: file.path().to_owned(),
                reason: format!(
                    "its header has `{key}` = `{word}`, which is not supported, expected epsilon, v or flow; if the header \
                     is wrong, set what the U-Net predicts: --prediction, or the prediction of a registered base model"
                ),
            });
        }
        said.extend(header.said());
        // Models of several kinds may have gone into a merge.
        if quoted.predictions.len() == 1 {
            said.extend(
                quoted
                    .said()
                    .map(|(prediction, key)| (prediction, format!("its merge recipe: {key}"))),
            );
        }
    }
    let mut said = said.into_iter();
    let Some((prediction, said_by)) = said.next() else {
        return Ok(Predicts {
            prediction: Prediction::Epsilon,
            said_by: None,
            is_set: false,
            conflicts,
        });
    };
    // What a person sets is meant to contradict.
    let others = said.filter(|(other, _)| by_hand.is_none() && !agree(prediction, *other));
    conflicts.extend(others.map(|(other, by)| {
        format!(
            "{said_by} says {}, but {by} says {}",
            prediction.describe(),
            other.describe()
        )
    }));
    Ok(Predicts {
        prediction,
        said_by: Some(said_by),
        is_set: by_hand.is_some(),
        conflicts,
    })
}

/// Whether both may be meant: many programs say `v` without saying how its noise ends.
fn agree(prediction: Prediction, other: Prediction) -> bool {
    prediction == other || (prediction, other) == (Prediction::VZeroSnr, Prediction::V)
}

/// What a header says about the prediction.
#[derive(Debug, Default)]
struct Header {
    predictions: BTreeSet<Word>,
    /// The keys that say it, in order.
    keys: Vec<(Word, String)>,
    zero_snr: Option<String>,
    /// Key and value of predictions that nobody here can follow.
    strange: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Epsilon,
    V,
    ZeroSnr,
    Flow,
}

impl Header {
    /// Takes one entry of a header.
    fn take(&mut self, key: &str, text: &str) {
        let name = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
        let name = name.trim_start_matches("ss_");
        let text = text.trim().trim_matches('"').to_ascii_lowercase();
        let is_on = matches!(text.as_str(), "true" | "1" | "yes" | "on");
        match name {
            "prediction_type"
            | "predict_key"
            | "prediction"
            | "model_prediction_type"
            | "parameterization"
            | "parametrization" => match word(&text) {
                Some(word) => self.say(word, key),
                None if matches!(text.as_str(), "" | "none" | "null" | "unknown") => {}
                None => self.strange.push((key.to_owned(), text)),
            },
            "v_parameterization" | "v_parametrization" | "v_prediction" | "v_pred" | "vpred"
            | "is_v_pred"
                if is_on =>
            {
                self.say(Word::V, key);
            }
            "flow_matching" | "rectified_flow" | "use_flow_matching" if is_on => self.say(Word::Flow, key),
            "zero_terminal_snr"
            | "zero_snr"
            | "ztsnr"
            | "zsnr"
            | "rescale_betas_zero_snr"
            | "enforce_zero_terminal_snr"
                if is_on =>
            {
                self.zero_snr = Some(key.to_owned());
            }
            _ => {}
        }
    }

    fn say(&mut self, word: Word, key: &str) {
        self.predictions.insert(word);
        self.keys.push((word, key.to_owned()));
    }

    /// Takes the headers that a header quotes, as merge recipes do: JSON, and JSON in the texts of JSON.
    fn search(&mut self, value: &Value, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    match value {
                        Value::Bool(flag) => self.take(key, &flag.to_string()),
                        Value::String(text) => {
                            self.take(key, text);
                            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) =
                                serde_json::from_str(text)
                            {
                                self.search(&inner, depth + 1);
                            }
                        }
                        _ => self.search(value, depth + 1),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.search(value, depth + 1)),
            _ => {}
        }
    }

    /// Each prediction that it names, and the key that does.
    fn said(&self) -> impl Iterator<Item = (Prediction, String)> {
        self.keys.iter().map(|(word, key)| {
            let prediction = match (word, &self.zero_snr) {
                (Word::Epsilon, _) => Prediction::Epsilon,
                (Word::V, None) => Prediction::V,
                (Word::V, Some(_)) | (Word::ZeroSnr, _) => Prediction::VZeroSnr,
                (Word::Flow, _) => Prediction::Flow,
            };
            (prediction, format!("`{key}` in its header"))
        })
    }
}

/// The words for a prediction that are in use.
fn word(text: &str) -> Option<Word> {
    let text = text.replace(['-', ' '], "_");
    Some(match text.as_str() {
        "epsilon" | "eps" | "noise" | "epsilon_prediction" | "eps_pred" | "eps_prediction" => Word::Epsilon,
        "v" | "v_prediction" | "vprediction" | "v_pred" | "vpred" | "velocity" => Word::V,
        "v_zero_snr" | "v_prediction_zsnr" | "v_prediction_ztsnr" | "vpred_zsnr" => Word::ZeroSnr,
        "flow" | "flow_prediction" | "rectified_flow" | "flow_matching" | "flow_match" | "rf" => Word::Flow,
        _ => return None,
    })
}
