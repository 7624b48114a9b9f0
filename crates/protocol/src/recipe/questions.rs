//! What a preset leaves open, because it depends on the pictures or on taste, asked in plain words.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    parameters::ParameterOverrides,
    preset::{Family, Preset},
};

/// A question, and what follows from each answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Question {
    /// The question, for a person.
    pub text: String,
    /// Why it matters, and what practice says.
    pub why: String,
    /// The answers; the first is what the preset takes for granted.
    pub answers: Vec<Answer>,
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    /// The answer, for a person.
    pub text: String,
    /// What it means for the captions; empty if nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub captions: String,
    /// What it changes of the preset.
    pub parameters: ParameterOverrides,
}

impl Question {
    /// What a preset asks for a family of base models.
    pub fn of(preset: Preset, family: Family) -> Vec<Self> {
        if family == Family::Tiny {
            return Vec::new();
        }
        let has_tags = !matches!(family, Family::Sdxl);
        let mut questions = vec![Self::captions(has_tags)];
        if preset != Preset::Style {
            questions.push(Self::traits());
        }
        questions
    }

    /// Whether captions are tags. Illustrious, NoobAI and Pony were trained on tags, SDXL on sentences.
    fn captions(has_tags: bool) -> Self {
        let tags = answer(
            "Tags with commas between them",
            "",
            json!({ "shuffle_tags": true, "keep_tokens": 1, "max_tokens": 225 }),
        );
        let sentences = answer(
            "Sentences",
            "",
            json!({ "shuffle_tags": false, "keep_tokens": 0, "max_tokens": 75 }),
        );
        Self {
            text: "What are your captions?".to_owned(),
            why: "Tags may change their order, so that none gets its meaning from its place; sentences must not."
                .to_owned(),
            answers: if has_tags {
                vec![tags, sentences]
            } else {
                vec![sentences, tags]
            },
        }
    }

    /// Whether captions keep the words for what belongs to a figure. Guides disagree: civitai.com article 850658 prunes
    /// them, article 680 no longer does.
    fn traits() -> Self {
        Self {
            text: "Should hair and outfit stay changeable?".to_owned(),
            why: "What a caption says stays apart from the trigger word; what it does not say becomes part of it. Guides \
                  disagree about which is better."
                .to_owned(),
            answers: vec![
                answer(
                    "Yes: every trait can be changed by words",
                    "Leave the words for hair, eyes and outfit in the captions; pictures then need them in the prompt.",
                    json!({}),
                ),
                answer(
                    "No: the trigger word alone should be enough",
                    "Take the words for what always belongs to the figure out of the captions.",
                    json!({}),
                ),
            ],
        }
    }
}

fn answer(text: &str, captions: &str, parameters: serde_json::Value) -> Answer {
    Answer {
        text: text.to_owned(),
        captions: captions.to_owned(),
        parameters: serde_json::from_value(parameters).expect("names and types of the table"),
    }
}
