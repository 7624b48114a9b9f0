//! The result of a training: what a LoRA does to pictures, as opposed to whether its file is sound
//! ([`Verdict`](crate::model::Verdict)).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a LoRA was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stamp {
    /// Its pictures barely differ from the base model's.
    TooWeak,
    /// It shows what it was trained on, and obeys prompts.
    Good,
    /// Trained too far: it ignores prompts, or its pictures are damaged.
    Overcooked,
    /// It repeats pictures of its dataset.
    Copies,
    /// It changes pictures that were not meant: without its trigger word, or of something else.
    Bleeds,
    /// The measurements are too uncertain, or too few, for a judgement. Also what a newer agent found and this server does
    /// not know.
    #[serde(other)]
    CannotTell,
}

impl Stamp {
    /// As lists and the command line name it.
    pub fn title(self) -> &'static str {
        match self {
            Self::TooWeak => "too weak",
            Self::Good => "good",
            Self::Overcooked => "overcooked",
            Self::Copies => "copies",
            Self::Bleeds => "bleeds",
            Self::CannotTell => "cannot tell",
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Use it.
    Use,
    /// Train for more steps.
    TrainLonger,
    /// Train for fewer steps, or take an earlier checkpoint.
    TrainShorter,
    /// Train with a lower learning rate.
    LowerLearningRate,
    /// Add pictures, or pictures that differ more.
    AddPictures,
    /// Describe in the captions what must stay changeable, and use a trigger word.
    ImproveCaptions,
    /// Use it at a lower weight.
    LowerWeight,
}

/// One measured number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measure {
    /// What was measured, such as `likeness` or `prompt_obedience`.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Lower end of the 95 % bootstrap interval over prompts and seeds; absent for a number without sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of that interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The value of the base model by the same measurement, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<f64>,
    /// What measured it, in a few words: `features of the base's U-Net`, `DINOv2-S`.
    pub by: String,
}

/// A picture that shows what the stamp says. Its file is an artifact of the job of this name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Name of the picture among the evidence, such as `plain-7`; unique within a judgement.
    pub name: String,
    /// What it shows, in a few words.
    pub shows: String,
    /// Its prompt.
    pub prompt: String,
    /// Seed of its starting noise.
    pub seed: u64,
    /// Weight of the LoRA; 0 for the base model's picture.
    pub weight: f32,
    /// Name of the training picture that it is closest to, where copying was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

impl Evidence {
    /// Whether a name may be one: part of a file's name.
    pub fn is_name(name: &str) -> bool {
        (1..=80).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    }
}

/// What a LoRA is worth, with the measurements behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Judgement {
    /// What it was found to be.
    pub stamp: Stamp,
    /// Why, in one sentence for the person who trained it.
    pub sentence: String,
    /// What to do next.
    pub advice: Advice,
    /// How good it is among the checkpoints of its job, from 0 to 1; for comparing, not for showing.
    pub score: f64,
    /// Lower end of the score's 95 % bootstrap interval.
    pub score_low: f64,
    /// Upper end of it.
    pub score_high: f64,
    /// The measurements.
    #[schema(max_items = 64)]
    pub measures: Vec<Measure>,
    /// The pictures that show it.
    #[schema(max_items = 32)]
    pub evidence: Vec<Evidence>,
    /// Seconds that judging took.
    pub seconds: f64,
}

impl Judgement {
    /// A measurement by its name.
    pub fn measure(&self, name: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.name == name)
    }
}

/// A judged checkpoint of a job.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Optimizer steps done.
    pub step: u32,
    /// What it was found to be.
    pub judgement: &'a Judgement,
}

/// Which checkpoint of a job to use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Recommendation {
    /// Optimizer steps of the checkpoint.
    pub step: u32,
    /// Why this one, in one sentence.
    pub sentence: String,
    /// Its score, from 0 to 1.
    pub score: f64,
    /// Lower end of the score's 95 % bootstrap interval.
    pub score_low: f64,
    /// Upper end of it.
    pub score_high: f64,
}

/// The checkpoint to use: of the good ones, the earliest whose interval reaches that of the best score. What cannot be told
/// apart is the same, and the less a LoRA was trained, the less it was trained to forget. None if no checkpoint is good.
pub fn recommend(candidates: &[Candidate<'_>]) -> Option<Recommendation> {
    let mut good: Vec<&Candidate<'_>> = candidates
        .iter()
        .filter(|candidate| candidate.judgement.stamp == Stamp::Good && candidate.judgement.score.is_finite())
        .collect();
    good.sort_by_key(|candidate| candidate.step);
    // Of equal scores the first one.
    let best = good.iter().copied().reduce(|best, next| {
        if next.judgement.score > best.judgement.score {
            next
        } else {
            best
        }
    })?;
    let reaches = |candidate: &Candidate<'_>| candidate.judgement.score_high >= best.judgement.score_low;
    let chosen = good
        .iter()
        .copied()
        .find(|candidate| reaches(candidate))
        .unwrap_or(best);
    let (n_good, step) = (good.len(), chosen.step);
    let sentence = if n_good == 1 {
        format!("The checkpoint of step {step} is the only good one.")
    } else if chosen.step == best.step {
        format!("Of {n_good} good checkpoints, the one of step {step} is the best.")
    } else {
        format!(
            "The checkpoint of step {step} is as good as the best one, of step {}, as far as can be measured, and was trained less.",
            best.step
        )
    };
    let Judgement {
        score,
        score_low,
        score_high,
        ..
    } = *chosen.judgement;
    Some(Recommendation {
        step,
        sentence,
        score,
        score_low,
        score_high,
    })
}

#[cfg(test)]
mod tests;
