//! What tells one training from another: the fields that change the weights, and nothing else.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::Recipe;
use crate::parameters::{Definition, Effect, Parameters};

/// The fields of a recipe that change the weights or the schedule, by their paths.
///
/// Each is JSON text: numbers that are read and written again may differ in their last digit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(BTreeMap<String, String>);

/// A field that a checkpoint and a recipe disagree about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its path: `parameters.rank`.
    pub field: String,
    /// What the checkpoint was made with.
    pub then: String,
    /// What the recipe says.
    pub now: String,
    /// What the field changes.
    pub effect: Effect,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, then, now, .. } = self;
        write!(f, "`{field}` was {then} and is {now} now")
    }
}

const TRIGGER_WORD: &str = "trigger_word";
const START_FROM: &str = "start_from";
const PARAMETERS: &str = "parameters.";

impl Identity {
    /// Of fields by their paths, as an older format has them.
    pub fn from_fields(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(fields.into_iter().collect())
    }

    pub(super) fn of(recipe: &Recipe) -> Self {
        let trigger_word = serde_json::json!(recipe.trigger_word).to_string();
        let parameters = recipe.parameters.values();
        let changing = parameters.filter(|(definition, _)| definition.effect != Effect::None);
        let fields = changing.map(|(definition, value)| (path(definition), value.to_json().to_string()));
        let start_from = recipe
            .start_from
            .map(|id| (START_FROM.to_owned(), id.to_string()));
        let fields = fields.chain([(TRIGGER_WORD.to_owned(), trigger_word)]);
        Self(fields.chain(start_from).collect())
    }

    /// Every field in which a checkpoint differs, in the order of the table.
    ///
    /// A checkpoint that does not name a hyperparameter was made before there was one, by what is its default now.
    pub fn differences(&self, checkpoint: &Self) -> Vec<Difference> {
        let defaults = Parameters::default();
        let known = defaults
            .values()
            .map(|(definition, default)| (path(definition), definition.effect, Some(default)));
        let known = known.chain([(TRIGGER_WORD.to_owned(), Effect::Weights, None)]);
        let mut differences = Vec::new();
        for (field, effect, default) in known {
            let default = default.map(|default| default.to_json().to_string());
            let then = checkpoint.0.get(&field).cloned().or(default);
            if let (Some(then), Some(now)) = (then, self.0.get(&field))
                && !is_same(&then, now)
            {
                let now = now.clone();
                differences.push(Difference {
                    field,
                    then,
                    now,
                    effect,
                });
            }
        }
        let start = |identity: &Self| {
            identity
                .0
                .get(START_FROM)
                .cloned()
                .unwrap_or("nothing".to_owned())
        };
        let (then, now) = (start(checkpoint), start(self));
        if then != now {
            differences.push(Difference {
                field: START_FROM.to_owned(),
                then,
                now,
                effect: Effect::Weights,
            });
        }
        let unknown = checkpoint.0.iter().filter(|(field, _)| {
            let is_known = |definition: &Definition| field.strip_prefix(PARAMETERS) == Some(definition.name);
            *field != TRIGGER_WORD && *field != START_FROM && !Parameters::ALL.iter().any(is_known)
        });
        differences.extend(unknown.map(|(field, then)| Difference {
            field: field.clone(),
            then: then.clone(),
            now: "unknown to this version".to_owned(),
            effect: Effect::Weights,
        }));
        differences
    }
}

fn path(definition: &Definition) -> String {
    format!("{PARAMETERS}{}", definition.name)
}

/// The same JSON text, or the same number.
fn is_same(a: &str, b: &str) -> bool {
    let numbers = (a.parse::<f64>(), b.parse::<f64>());
    a == b || matches!(numbers, (Ok(a), Ok(b)) if a == b)
}
