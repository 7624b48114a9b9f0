//! What two engines made of the same recipe, as a page and as JSON.

mod chart;
mod files;
mod html;
mod page;
mod runs;

use std::path::PathBuf;

use diffusion::lora::compare::Comparison;
use protocol::{
    event::StepMetrics,
    model::Verdict,
    recipe::{Engine, Recipe},
};
use serde_json::{Value, json};
use trainer::parity::{MeanPair, RunComparison};

use super::journal::Record;

/// Both trainings and how they compare.
pub(super) struct Parity {
    pub(super) recipe: Recipe,
    pub(super) sides: [Side; 2],
    pub(super) runs: RunComparison,
    pub(super) files: Comparison,
}

/// One engine's training.
pub(super) struct Side {
    pub(super) engine: Engine,
    pub(super) lora: PathBuf,
    pub(super) verdict: Verdict,
    pub(super) record: Record,
}

/// An engine as recipes name it.
pub(super) fn name(engine: Engine) -> &'static str {
    match engine {
        Engine::Native => "native",
        Engine::Kohya => "kohya",
    }
}

impl Side {
    fn steps(&self) -> Vec<StepMetrics> {
        self.record.steps.values().cloned().collect()
    }
}

impl Parity {
    pub(super) fn new(recipe: Recipe, sides: [Side; 2], files: Comparison) -> Self {
        let [left, right] = sides.each_ref().map(Side::steps);
        Self {
            runs: trainer::parity::compare(&left, &right),
            recipe,
            sides,
            files,
        }
    }

    /// Everything that the page shows, but its pictures. Pairs are in the order of `engines`.
    pub(super) fn json(&self) -> Value {
        let sides = self.sides.each_ref();
        json!({
            "engines": sides.map(|side| name(side.engine)),
            "recipe": self.recipe,
            "losses": self.runs,
            "steps": sides.map(|side| side.record.steps.values().collect::<Vec<_>>()),
            "held_out": sides.map(|side| side.record.held_out.iter().collect::<Vec<_>>()),
            "files": self.files,
            "verdicts": sides.map(|side| &side.verdict),
        })
    }

    /// The self-contained page.
    pub(super) fn page(&self) -> String {
        page::write(self)
    }

    /// The same for a terminal.
    pub(super) fn summary(&self) -> Vec<String> {
        vec![
            format!("losses   {}", apart(&self.runs.last_tenth, "the last tenth")),
            format!("rates    {}", self.rates()),
            format!("files    {}", self.likeness()),
        ]
    }

    /// Whether the learning rates agree, in words.
    fn rates(&self) -> String {
        let rates = &self.runs.learning_rates;
        if rates.n_compared == 0 {
            return "no step has a learning rate of both engines".to_owned();
        }
        if rates.are_equal {
            return format!("the learning rates of all {} steps are equal", rates.n_compared);
        }
        format!(
            "the learning rates differ by up to {:.3} % of the highest",
            100.0 * rates.largest_difference
        )
    }

    /// How alike the files are, in words.
    fn likeness(&self) -> String {
        let total = &self.files.total;
        let cosine = total.cosine.map_or_else(
            || "no direction".to_owned(),
            |cosine| format!("cosine {cosine:.3}"),
        );
        format!(
            "norm {} (native) and {} (kohya), {cosine}",
            html::number(total.left),
            html::number(total.right)
        )
    }
}

/// How far apart two means are, in words.
fn apart(pair: &MeanPair, part: &str) -> String {
    match (pair.in_standard_errors, pair.difference) {
        (Some(errors), _) => {
            let side = if errors < 0.0 { "lower" } else { "higher" };
            let errors = errors.abs();
            let judged = if errors < 2.0 {
                "as chance would have it"
            } else {
                "more than chance explains"
            };
            format!(
                "over {part}, kohya's mean loss is {errors:.1} standard errors {side} than native's: {judged}"
            )
        }
        (None, Some(difference)) => format!(
            "over {part}, kohya's mean loss is native's {difference:+.4}; there are too few steps to say more"
        ),
        (None, None) => format!("over {part}, there are no losses to compare"),
    }
}
