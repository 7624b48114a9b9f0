//! What a checkpoint belongs to: the fields of its recipe that change the weights, its pictures, and its base model.
//!
//! Both engines compare by it. More steps, other preview pictures, another distance between checkpoints: none of them
//! makes it another training.

use protocol::{
    dataset::Manifest,
    parameters::Effect,
    recipe::{Difference, Identity, Parameters, Recipe},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::schedule::LearningRate;

/// What a checkpoint says about where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    recipe: Recorded,
    /// SHA-256 of the pictures with their captions and uses.
    dataset: String,
    /// Fingerprint of the base model's weights: the name in the recipe may come to mean others.
    base: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Recorded {
    Fields(Identity),
    /// SHA-256 of the whole recipe: what the first checkpoints of the native engine hold.
    Fingerprint(String),
}

impl Origin {
    /// An origin that was read from another format.
    pub fn new(recipe: Identity, dataset: String, base: String) -> Self {
        Self {
            recipe: Recorded::Fields(recipe),
            dataset,
            base,
        }
    }
}

/// What is being trained, as far as checkpoints go.
#[derive(Debug, Clone)]
pub struct Training {
    recipe: Identity,
    parameters: Parameters,
    origin: Origin,
    fingerprint: String,
}

/// Why a training cannot go on from a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It belongs to another training.
    #[error(
        "was made by another training: {}; go on with what it was made with, or start anew",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    OtherTraining(Vec<Difference>),
    /// It has more steps than the training shall have.
    #[error(
        "has {step} steps done, and `parameters.n_steps` is {n_steps}: set it to at least {step}, or start anew"
    )]
    TooFar {
        /// Steps done.
        step: u32,
        /// Steps of the recipe.
        n_steps: u32,
    },
}

impl Refusal {
    /// Whether an older checkpoint of the same training may do. All of them were made with the same base model.
    pub fn is_of_this_file(&self) -> bool {
        match self {
            Self::OtherTraining(differences) => differences.iter().all(|one| one.field != BASE_MODEL),
            Self::TooFar { .. } => true,
        }
    }
}

const BASE_MODEL: &str = "base_model";

impl Training {
    /// The training of a recipe on the base with this fingerprint.
    pub fn of(recipe: &Recipe, manifest: &Manifest, base: String) -> Self {
        let identity = recipe.identity();
        Self {
            parameters: recipe.parameters().clone(),
            origin: Origin::new(identity.clone(), dataset_fingerprint(manifest), base),
            recipe: identity,
            fingerprint: recipe_fingerprint(recipe),
        }
    }

    /// What its checkpoints say about where they come from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Refuses a checkpoint of this many steps if it belongs to another training; names each field that differs.
    ///
    /// # Errors
    /// If this training cannot go on from it.
    pub fn check(&self, checkpoint: &Origin, step: u32) -> Result<(), Refusal> {
        let mut differences = self.differences(checkpoint);
        differences.retain(|difference| !is_schedule_to_come(difference, step));
        for (field, then, now) in [
            ("dataset", &checkpoint.dataset, &self.origin.dataset),
            (BASE_MODEL, &checkpoint.base, &self.origin.base),
        ] {
            if then != now {
                differences.push(different_content(field, then, now));
            }
        }
        if !differences.is_empty() {
            return Err(Refusal::OtherTraining(differences));
        }
        let n_steps = self.parameters.n_steps;
        if step > n_steps {
            return Err(Refusal::TooFar { step, n_steps });
        }
        Ok(())
    }

    /// What a person must know when the schedule is another one than the checkpoint was made with.
    pub fn new_schedule(&self, checkpoint: &Origin, step: u32) -> Option<String> {
        let differences = self.differences(checkpoint);
        if differences.is_empty() {
            return None;
        }
        let changes: Vec<String> = differences.iter().map(ToString::to_string).collect();
        let rate = LearningRate::of(&self.parameters);
        Some(format!(
            "goes on after step {step} with another schedule: {}; the learning rate is {:.3e} at the next step and {}",
            changes.join(", "),
            rate.at(step),
            rate.outlook(),
        ))
    }

    fn differences(&self, checkpoint: &Origin) -> Vec<Difference> {
        match &checkpoint.recipe {
            Recorded::Fields(fields) => self.recipe.differences(fields),
            Recorded::Fingerprint(then) if *then == self.fingerprint => Vec::new(),
            Recorded::Fingerprint(then) => vec![different_content("recipe", then, &self.fingerprint)],
        }
    }
}

/// Other numbers of steps are no other training. Other steps of warm-up are one until they are over in both.
fn is_schedule_to_come(difference: &Difference, step: u32) -> bool {
    let is_over = |n_warmup_steps: &str| n_warmup_steps.parse::<u32>().is_ok_and(|n| n <= step);
    difference.effect == Effect::Schedule
        && (difference.field != "parameters.n_warmup_steps"
            || is_over(&difference.then) && is_over(&difference.now))
}

/// Contents are told apart by their hashes; the first digits are enough for a person.
fn different_content(field: &str, then: &str, now: &str) -> Difference {
    let shown = |hash: &str| format!("{hash:.12}");
    Difference {
        field: field.to_owned(),
        then: shown(then),
        now: shown(now),
        effect: Effect::Weights,
    }
}

/// SHA-256 of the pictures with their captions and uses.
fn dataset_fingerprint(manifest: &Manifest) -> String {
    let items: Vec<_> = manifest
        .items
        .iter()
        .map(|item| {
            let mut of_item = vec![json!(item.sha256), json!(item.caption), json!(item.split)];
            // Checkpoints of before there were repeats mean the same without them.
            if item.showing.repeats != 1 || item.showing.regularization {
                of_item.push(json!([item.showing.repeats, item.showing.regularization]));
            }
            serde_json::Value::from(of_item)
        })
        .collect();
    fingerprint(&items.into())
}

fn fingerprint(value: &serde_json::Value) -> String {
    hex::encode(Sha256::digest(value.to_string()))
}

/// The hyperparameters that there were when checkpoints held the hash of a recipe. None is ever added.
const FIRST_PARAMETERS: [&str; 19] = [
    "rank",
    "alpha",
    "learning_rate",
    "lr_schedule",
    "n_warmup_steps",
    "n_steps",
    "batch_size",
    "gradient_accumulation",
    "max_gradient_norm",
    "weight_decay",
    "min_snr_gamma",
    "noise_offset",
    "caption_dropout",
    "resolution",
    "bucket_step",
    "max_tokens",
    "checkpoint_every_n_steps",
    "sample_every_n_steps",
    "seed",
];

/// The hash of a recipe as it was when it was written: hyperparameters that came since count when they are not at
/// their default and change the weights.
fn recipe_fingerprint(recipe: &Recipe) -> String {
    let mut json = serde_json::json!(recipe);
    let default = Parameters::default();
    let values = recipe.parameters().values().zip(default.values());
    for ((definition, value), (_, default)) in values {
        if !FIRST_PARAMETERS.contains(&definition.name)
            && (value == default || definition.effect == Effect::None)
            && let Some(parameters) = json["parameters"].as_object_mut()
        {
            parameters.remove(definition.name);
        }
    }
    fingerprint(&json)
}
