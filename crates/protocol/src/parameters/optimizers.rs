//! What optimizers have of their own: arguments by name, each with its range and default.

use super::{Engine, Optimizer, Parameters, Range, Value, Words as _};

/// An argument that one optimizer has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Argument {
    /// Its name, as the reference implementation has it.
    pub name: &'static str,
    /// Which values it takes; only numbers, whole numbers and switches.
    pub range: Range,
    /// What it is when nobody says it. An infinite number is no limit.
    pub default: Value<'static>,
    /// What it does, as a sentence.
    pub help: &'static str,
}

const fn number(name: &'static str, range: Range, default: f64, help: &'static str) -> Argument {
    Argument {
        name,
        range,
        default: Value::Number(default),
        help,
    }
}

const fn whole(name: &'static str, range: Range, default: i64, help: &'static str) -> Argument {
    Argument {
        name,
        range,
        default: Value::Whole(default),
        help,
    }
}

const fn switch(name: &'static str, default: bool, help: &'static str) -> Argument {
    Argument {
        name,
        range: Range::Switch,
        default: Value::Switch(default),
        help,
    }
}

const D0: Argument = number(
    "d0",
    Range::above(0.0, 1.0),
    1e-6,
    "Where the search for the learning rate starts.",
);
const D_COEF: Argument = number(
    "d_coef",
    Range::above(0.0, 100.0),
    1.0,
    "A factor of the learning rate that is found; 2 is in use for short trainings.",
);
const GROWTH_RATE: Argument = number(
    "growth_rate",
    Range::number(1.0, f64::INFINITY),
    f64::INFINITY,
    "By which factor the learning rate may grow at most in one step.",
);
const USE_BIAS_CORRECTION: Argument = switch(
    "use_bias_correction",
    false,
    "Corrects the first means for their start at zero, which acts like a warm-up.",
);
const DECOUPLE: Argument = switch(
    "decouple",
    true,
    "Weight decay acts on the weights, and not through their gradients.",
);
const CLIP_THRESHOLD: Argument = number(
    "clip_threshold",
    Range::above(0.0, 1000.0),
    1.0,
    "A step whose root mean square is larger is scaled down to this.",
);
const EPS1: Argument = number(
    "eps1",
    Range::above(0.0, 1.0),
    1e-30,
    "Added to the squared gradients.",
);

/// Of bitsandbytes' AdamW8bit.
const ADAMW_8BIT: &[Argument] = &[whole(
    "min_8bit_size",
    Range::whole(1, 1_000_000_000),
    4096,
    "Matrices with fewer values keep their state in 32 bits.",
)];

/// Of transformers' Adafactor. The first three are true there; a recipe says the learning rate itself.
const ADAFACTOR: &[Argument] = &[
    switch(
        "relative_step",
        false,
        "Computes the learning rate from the number of steps, and ignores the recipe's.",
    ),
    switch(
        "scale_parameter",
        false,
        "Multiplies the learning rate with the size of the weights.",
    ),
    switch(
        "warmup_init",
        false,
        "Starts a learning rate that is computed from the steps near zero.",
    ),
    CLIP_THRESHOLD,
    number(
        "decay_rate",
        Range::number(-1.0, 0.0),
        -0.8,
        "How slowly the mean of the squared gradients moves: the power of the number of steps.",
    ),
    number(
        "beta1",
        Range::number(0.0, 0.9999),
        0.0,
        "How slowly the mean of the gradients moves; 0 keeps none, which saves memory.",
    ),
    EPS1,
    number(
        "eps2",
        Range::above(0.0, 1.0),
        1e-3,
        "The least size of weights that scale_parameter counts with.",
    ),
];

/// Of prodigyopt's Prodigy.
const PRODIGY: &[Argument] = &[
    D_COEF,
    D0,
    GROWTH_RATE,
    switch(
        "safeguard_warmup",
        false,
        "Keeps a warm-up from raising the learning rate that is found.",
    ),
    USE_BIAS_CORRECTION,
    DECOUPLE,
    number(
        "beta3",
        Range::number(0.0, 0.999_999),
        0.0,
        "How slowly the mean moves that the learning rate is found by; 0 is the square root of beta2.",
    ),
    whole(
        "slice_p",
        Range::whole(1, 1000),
        1,
        "The learning rate is found by every value of a matrix, or with 11 by each 11th, which saves memory in the kohya engine.",
    ),
];

/// Of ProdigyPlusScheduleFree.
const PRODIGY_SCHEDULE_FREE: &[Argument] = &[
    D_COEF,
    D0,
    whole(
        "prodigy_steps",
        Range::whole(0, 1_000_000),
        0,
        "The search for the learning rate ends after so many steps; 0 never ends it.",
    ),
];

/// Of dadaptation's DAdaptAdam, whose weight decay is not decoupled unless one says so.
const D_ADAPTATION: &[Argument] = &[D0, GROWTH_RATE, USE_BIAS_CORRECTION, DECOUPLE];

/// Of schedulefree's AdamWScheduleFree.
const ADAMW_SCHEDULE_FREE: &[Argument] = &[
    number(
        "r",
        Range::number(0.0, 10.0),
        0.0,
        "Counts later steps more in the average: the power of their number.",
    ),
    number(
        "weight_lr_power",
        Range::number(0.0, 10.0),
        2.0,
        "Counts steps of a warm-up less in the average: the power of their learning rate.",
    ),
];

/// Of CAME's reference implementation.
const CAME: &[Argument] = &[
    number(
        "beta3",
        Range::number(0.0, 0.999_999),
        0.9999,
        "How slowly the mean moves by which steps are trusted.",
    ),
    CLIP_THRESHOLD,
    EPS1,
    number(
        "eps2",
        Range::above(0.0, 1.0),
        1e-16,
        "Added to the squared differences of the steps.",
    ),
];

impl Optimizer {
    /// What it has of its own.
    pub fn arguments(self) -> &'static [Argument] {
        match self {
            Self::Adamw | Self::Lion => &[],
            Self::Adamw8bit => ADAMW_8BIT,
            Self::Adafactor => ADAFACTOR,
            Self::Prodigy => PRODIGY,
            Self::ProdigyScheduleFree => PRODIGY_SCHEDULE_FREE,
            Self::DAdaptation => D_ADAPTATION,
            Self::AdamwScheduleFree => ADAMW_SCHEDULE_FREE,
            Self::Came => CAME,
        }
    }
}

impl Parameters {
    /// Every argument of the optimizer, with what the recipe says or its default.
    pub fn optimizer_values(&self) -> impl Iterator<Item = (&'static Argument, Value<'static>)> {
        self.optimizer.arguments().iter().map(move |argument| {
            let said = self.optimizer_arguments.iter().rev().find_map(|item| {
                let (name, value) = item.split_once('=')?;
                (name.trim() == argument.name)
                    .then(|| read(argument, value))?
                    .ok()
            });
            (argument, said.unwrap_or(argument.default))
        })
    }

    /// The first version of the agent protocol whose agents honor the arguments of the optimizer.
    pub(crate) fn arguments_since(&self, engine: Engine) -> u32 {
        if engine == Engine::Native && self.optimizer_number("slice_p") > 1.0 {
            // The kohya engine had it before.
            5
        } else {
            4
        }
    }

    /// A number among the arguments of the optimizer; 0 for one that it does not have.
    pub fn optimizer_number(&self, name: &str) -> f64 {
        match self.optimizer_value(name) {
            Some(Value::Number(value)) => value,
            Some(Value::Whole(value)) => value as f64,
            _ => 0.0,
        }
    }

    /// A switch among the arguments of the optimizer; off for one that it does not have.
    pub fn optimizer_switch(&self, name: &str) -> bool {
        matches!(self.optimizer_value(name), Some(Value::Switch(true)))
    }

    fn optimizer_value(&self, name: &str) -> Option<Value<'static>> {
        let mut values = self.optimizer_values();
        let found = values.find(|(argument, _)| argument.name == name)?;
        Some(found.1)
    }
}

/// Every argument by its optimizer, for forms. An infinite default is left out: there is no limit.
pub(super) fn described() -> serde_json::Value {
    let of = |optimizer: Optimizer| {
        let arguments = optimizer.arguments().iter().map(|argument| {
            let default = match argument.default {
                Value::Number(value) if value.is_infinite() => serde_json::Value::Null,
                value => value.to_json(),
            };
            serde_json::json!({ "name": argument.name, "default": default, "help": argument.help })
        });
        arguments.collect::<serde_json::Value>()
    };
    let all = Optimizer::ALL.iter().map(|&optimizer| {
        let word = optimizer.word().to_owned();
        (word, of(optimizer))
    });
    all.collect::<serde_json::Map<_, _>>().into()
}

/// What is wrong with arguments of an optimizer, each as `name=value`.
pub(super) fn wrong(optimizer: Optimizer, items: &[String]) -> Option<String> {
    let known = optimizer.arguments();
    items.iter().find_map(|item| {
        let Some((name, value)) = item.split_once('=') else {
            return Some(format!("`{item}` must be a name and a value: `d_coef=2`"));
        };
        let name = name.trim();
        let Some(argument) = known.iter().find(|argument| argument.name == name) else {
            let names: Vec<&str> = known.iter().map(|argument| argument.name).collect();
            let has = if names.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has {}", names.join(", "))
            };
            return Some(format!(
                "`{name}` is not an argument of the optimizer `{}`: {has}",
                optimizer.word()
            ));
        };
        let read = read(argument, value).err()?;
        Some(format!("`{name}` {read}"))
    })
}

/// Reads a value as people and Python write it.
fn read(argument: &Argument, value: &str) -> Result<Value<'static>, String> {
    let value = value.trim();
    let read = match argument.default {
        Value::Switch(_) => match value {
            "true" | "True" => Some(Value::Switch(true)),
            "false" | "False" => Some(Value::Switch(false)),
            _ => None,
        },
        Value::Whole(_) => value.parse::<i64>().ok().map(Value::Whole),
        _ => value.parse::<f64>().ok().map(Value::Number),
    };
    match read {
        Some(read) => argument.range.check(read).map(|()| read),
        None => Err(format!("must {}, not `{value}`", argument.range)),
    }
}
