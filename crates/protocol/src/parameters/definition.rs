//! What there is to say about a hyperparameter.

use std::fmt;

use super::{Engine, Words};

/// A hyperparameter, without its value.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name in recipes, requests and the database.
    pub name: &'static str,
    /// What it does, for a person, as lines of a comment.
    pub help: &'static [&'static str],
    /// Why its default is what it is, as a sentence.
    pub why: &'static str,
    /// When somebody would change it, as a sentence.
    pub when: &'static str,
    /// Which values it takes.
    pub range: Range,
    /// What it is counted in; empty for bare numbers.
    pub unit: &'static str,
    /// Where the form has it.
    pub group: Group,
    /// What the texts of a list may be, for forms.
    pub items: Option<fn() -> serde_json::Value>,
    /// The engines that honor it. Others refuse every value but the default.
    pub engines: &'static [Engine],
    /// Of a choice among words: those that not all of these engines have, each with the engines that do.
    pub only: &'static [(&'static str, &'static [Engine])],
    /// The first version of the agent protocol ([`Protocol`](crate::machine::Protocol)) whose agents know it. Older agents
    /// ignore the field, so they get no job in which it is not at its default.
    pub since: u32,
    /// Of a choice among words: those that came later, each with its first version.
    pub newer: &'static [(&'static str, u32)],
    /// What it changes, so that a checkpoint can be told from one of another training.
    pub effect: Effect,
    /// The value at which sd-scripts gets no option, and the metadata say `None`.
    pub off: Option<Value<'static>>,
    /// sd-scripts' option, if it takes the value as it is.
    pub kohya: Option<&'static str>,
    /// Keys of the trained file's metadata that hold the value as it is.
    pub metadata: &'static [&'static str],
}

/// Where the form has a hyperparameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Always shown: what most people change.
    Basic,
    /// How long the training is, and how the learning rate moves meanwhile.
    Schedule,
    /// What is trained: the kind of LoRA, its size and its place.
    Network,
    /// The text encoders.
    TextEncoders,
    /// How the weights move against their gradients.
    Optimizer,
    /// What the network is compared with, and how much a difference counts.
    Loss,
    /// The noise that the pictures are trained with.
    Noise,
    /// How captions are changed before they are read.
    Captions,
    /// How pictures are cut.
    Pictures,
    /// Checkpoints and preview pictures.
    Samples,
    /// What saves memory.
    Memory,
}

impl Group {
    /// Its name in the OpenAPI document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Schedule => "schedule",
            Self::Network => "network",
            Self::TextEncoders => "text_encoders",
            Self::Optimizer => "optimizer",
            Self::Loss => "loss",
            Self::Noise => "noise",
            Self::Captions => "captions",
            Self::Pictures => "pictures",
            Self::Samples => "samples",
            Self::Memory => "memory",
        }
    }
}

/// What a hyperparameter changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The weights that come out: with another value it is another training.
    Weights,
    /// How long the training is, and how the learning rate moves over the steps to come. A training may go on with
    /// another value.
    Schedule,
    /// When files are written, and nothing about what is trained.
    None,
}

/// Which values a hyperparameter takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// Whole numbers.
    Whole {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
        /// All are multiples of this.
        multiple_of: i64,
    },
    /// Numbers.
    Number {
        /// The least, or the limit that all are above.
        min: f64,
        /// The greatest.
        max: f64,
        /// `min` itself is refused.
        is_above_min: bool,
    },
    /// Yes or no.
    Switch,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Any text.
    Text {
        /// Longest, in characters.
        max_chars: usize,
    },
    /// Any number of texts.
    List {
        /// Most of them.
        max_items: usize,
        /// Longest, in characters.
        max_chars: usize,
    },
}

/// So few multiples are named one by one.
const N_CHOICES: i64 = 4;

impl Range {
    /// Whole numbers from `min` to `max`.
    pub const fn whole(min: i64, max: i64) -> Self {
        Self::multiples(1, min, max)
    }

    /// Multiples of a number from `min` to `max`.
    pub const fn multiples(multiple_of: i64, min: i64, max: i64) -> Self {
        Self::Whole {
            min,
            max,
            multiple_of,
        }
    }

    /// Numbers from `min` to `max`.
    pub const fn number(min: f64, max: f64) -> Self {
        Self::Number {
            min,
            max,
            is_above_min: false,
        }
    }

    /// Numbers above `min` and at most `max`.
    pub const fn above(min: f64, max: f64) -> Self {
        Self::Number {
            min,
            max,
            is_above_min: true,
        }
    }

    /// The words of an enum.
    pub const fn words<T: Words>() -> Self {
        Self::Words(T::WORDS)
    }

    /// Says what would be right if a value is not.
    ///
    /// # Errors
    /// If the value is outside the range.
    pub fn check(&self, value: Value<'_>) -> Result<(), String> {
        let is_within = match (*self, value) {
            (
                Self::Whole {
                    min,
                    max,
                    multiple_of,
                },
                Value::Whole(value),
            ) => {
                if (min..=max).contains(&value) && value % multiple_of != 0 && !self.is_short() {
                    return Err(format!("must be a multiple of {multiple_of}, not {value}"));
                }
                (min..=max).contains(&value) && value % multiple_of == 0
            }
            (
                Self::Number {
                    min,
                    max,
                    is_above_min,
                },
                Value::Number(value),
            ) => value <= max && if is_above_min { value > min } else { value >= min },
            (Self::Switch, Value::Switch(_)) => true,
            (Self::Words(words), Value::Text(word)) => words.contains(&word),
            (Self::Text { max_chars }, Value::Text(text)) => text.chars().count() <= max_chars,
            (Self::List { max_items, max_chars }, Value::List(texts)) => {
                texts.len() <= max_items && texts.iter().all(|text| text.chars().count() <= max_chars)
            }
            _ => false,
        };
        if is_within {
            Ok(())
        } else {
            Err(format!("must {self}, not {value}"))
        }
    }

    fn is_short(&self) -> bool {
        matches!(*self, Self::Whole { min, max, multiple_of }
            if multiple_of > 1 && (max - min) / multiple_of < N_CHOICES)
    }
}

/// What a value must be or have: `be from 1 to 256`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let choices = |f: &mut fmt::Formatter<'_>, choices: &[String]| match choices {
            [rest @ .., last] if !rest.is_empty() => write!(f, "be {} or {last}", rest.join(", ")),
            all => write!(f, "be {}", all.concat()),
        };
        match *self {
            Self::Whole {
                min,
                max,
                multiple_of,
            } if self.is_short() => {
                let all = (min..=max).filter(|value| value % multiple_of == 0);
                choices(f, &all.map(|value| value.to_string()).collect::<Vec<_>>())
            }
            Self::Whole { min, max, .. } => write!(f, "be from {min} to {max}"),
            Self::Number {
                min,
                max,
                is_above_min: true,
            } => write!(f, "be above {min} and at most {max}"),
            Self::Number { min, max, .. } => write!(f, "be from {min} to {max}"),
            Self::Switch => write!(f, "be true or false"),
            Self::Words(words) => choices(
                f,
                &words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>(),
            ),
            Self::Text { max_chars } => write!(f, "have at most {max_chars} characters"),
            Self::List { max_items, max_chars } => {
                write!(
                    f,
                    "be at most {max_items} texts of at most {max_chars} characters"
                )
            }
        }
    }
}

/// The value of a hyperparameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
    /// Yes or no.
    Switch(bool),
    /// A word or a text.
    Text(&'a str),
    /// Texts.
    List(&'a [String]),
}

impl Value<'_> {
    /// As JSON has it.
    pub fn to_json(self) -> serde_json::Value {
        match self {
            Self::Whole(value) => value.into(),
            Self::Number(value) => value.into(),
            Self::Switch(value) => value.into(),
            Self::Text(value) => value.into(),
            Self::List(value) => value.into(),
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Switch(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "`{value}`"),
            Self::List(value) => write!(f, "{value:?}"),
        }
    }
}

impl Definition {
    /// A hyperparameter that every engine honors and that changes the weights.
    pub const fn new(name: &'static str, help: &'static [&'static str], range: Range) -> Self {
        Self {
            name,
            help,
            why: "",
            when: "",
            range,
            unit: "",
            group: Group::Network,
            items: None,
            engines: Engine::ALL,
            only: &[],
            since: 1,
            newer: &[],
            effect: Effect::Weights,
            off: None,
            kohya: None,
            metadata: &[],
        }
    }

    /// The help on one line.
    pub fn help(&self) -> String {
        let lines: Vec<&str> = self.help.iter().map(|line| line.trim()).collect();
        lines.join(" ")
    }

    /// The first version of the agent protocol whose agents know this value.
    pub(crate) fn since(&self, value: Value<'_>) -> u32 {
        let newer = self.newer.iter().find(|(word, _)| Value::Text(word) == value);
        newer.map_or(self.since, |(_, version)| *version)
    }

    /// Checks a value, and that the engine honors it unless it is the default.
    pub(crate) fn check(&self, value: Value<'_>, default: Value<'_>, engine: Engine) -> Result<(), String> {
        self.range.check(value)?;
        if value == default {
            return Ok(());
        }
        if !self.engines.contains(&engine) {
            return Err(format!(
                "must be {default} for the {} engine, which does not have it, not {value}; {}",
                engine.word(),
                having(self.engines)
            ));
        }
        match self.only.iter().find(|(word, _)| Value::Text(word) == value) {
            Some((_, engines)) if !engines.contains(&engine) => Err(format!(
                "must not be {value} for the {} engine, which does not have it; {}",
                engine.word(),
                having(engines)
            )),
            _ => Ok(()),
        }
    }
}

/// Which engines have something: the last part of a refusal.
fn having(engines: &[Engine]) -> String {
    if engines.is_empty() {
        return "no engine has it".to_owned();
    }
    let words: Vec<&str> = engines.iter().map(|engine| engine.word()).collect();
    format!("the {} engine has it", words.join(" or "))
}
