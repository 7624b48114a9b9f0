//! The parts of the page about the two trainings: losses, learning rates, verdicts and samples.

use std::{collections::BTreeSet, fs};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{Markup, html};
use trainer::parity::{Mean, MeanPair, smoothed};

use super::{
    Parity, Side, apart,
    chart::{Axis, Chart, Mark},
    html::{maybe, number, section, table},
    name,
};

/// Of the steps in the window that the smooth lines are means of.
const SMOOTH: usize = 20;
/// Columns of samples: the first step, the last, and some between.
const MAX_SAMPLE_STEPS: usize = 4;

pub(super) const LEGEND: [(&str, &str); 2] = [("native", "native"), ("kohya", "kohya")];

/// The losses of every step, and their means.
pub(super) fn losses(parity: &Parity) -> Markup {
    let runs = &parity.runs;
    let mut marks = Vec::new();
    let mut lines = Vec::new();
    let radius = runs.n_steps[0].max(runs.n_steps[1]).div_ceil(2 * SMOOTH);
    for side in &parity.sides {
        let class = name(side.engine);
        let steps: Vec<f64> = side.record.steps.keys().map(|step| f64::from(*step)).collect();
        let losses: Vec<f64> = side.record.steps.values().map(|metrics| metrics.loss).collect();
        let smooth = smoothed(&losses, radius);
        marks.push(Mark::Points(class, zip(&steps, &losses)));
        lines.push(Mark::Line(class, zip(&steps, &smooth)));
    }
    marks.extend(lines);
    let chart = Chart {
        alt: format!(
            "Training loss of both engines by step. {}.",
            apart(&runs.whole, "all steps")
        ),
        x: Axis::linear("optimizer step"),
        y: Axis::linear("training loss"),
        marks,
        legend: LEGEND.to_vec(),
    };
    let row = |part: &str, pair: &MeanPair| {
        let [native, kohya] = pair.means;
        let errors = pair.in_standard_errors;
        let errors = errors.map_or_else(|| "–".to_owned(), |errors| format!("{errors:+.2}"));
        vec![
            html! { (part) },
            mean(native),
            mean(kohya),
            html! { (maybe(pair.difference)) },
            html! { (errors) },
        ]
    };
    let means = table(
        &["mean loss", "native", "kohya", "difference", "in standard errors"],
        [
            row("first tenth", &runs.first_tenth),
            row("last tenth", &runs.last_tenth),
            row("all steps", &runs.whole),
        ],
    );
    let body = html! {
        p {
            "A dot is the loss of one step, a line the mean of " (2 * radius + 1) " steps around it. The engines draw \
             noise, timesteps and the order of the pictures from generators of their own: expect the same mean, and no \
             agreement of single steps."
        }
        (chart.html())
        (means)
        @if runs.n_unpaired > 0 { p { (runs.n_unpaired) " steps have a loss of one engine only." } }
        (during(parity))
    };
    section("Losses", &body)
}

/// Losses on held-out pictures that were measured on the way.
fn during(parity: &Parity) -> Markup {
    let marks: Vec<Mark> = parity
        .sides
        .iter()
        .filter(|side| !side.record.held_out.is_empty())
        .flat_map(|side| {
            let points = side.record.held_out.iter();
            let points: Vec<(f64, f64)> = points.map(|(step, loss)| (f64::from(*step), *loss)).collect();
            let class = name(side.engine);
            [Mark::Line(class, points.clone()), Mark::Dots(class, points)]
        })
        .collect();
    if marks.is_empty() {
        return Markup::default();
    }
    let measured = |class: &str| {
        let mut sides = parity.sides.iter();
        sides.any(|side| name(side.engine) == class && !side.record.held_out.is_empty())
    };
    let mut silent = parity.sides.iter().filter(|side| side.record.held_out.is_empty());
    let note = match silent.next().map(|side| name(side.engine)) {
        Some(engine) => format!(" {engine} does not measure it on the way; its end is in the verdict."),
        None => String::new(),
    };
    let chart = Chart {
        alt: "Loss on held-out pictures by step.".to_owned(),
        x: Axis::linear("optimizer step"),
        y: Axis::linear("loss on held-out pictures"),
        marks,
        legend: LEGEND.into_iter().filter(|(class, _)| measured(class)).collect(),
    };
    html! {
        p { "On held-out pictures, at fixed timesteps with fixed noise." (note) }
        (chart.html())
    }
}

/// Learning rates and times.
pub(super) fn schedule(parity: &Parity) -> Markup {
    let marks = parity.sides.iter().map(|side| {
        let steps = side.record.steps.values();
        let rates = steps.map(|metrics| (f64::from(metrics.step), metrics.learning_rate));
        Mark::Line(name(side.engine), rates.collect())
    });
    let chart = Chart {
        alt: format!("Learning rate of both engines by step: {}.", parity.rates()),
        x: Axis::linear("optimizer step"),
        y: Axis::linear("learning rate"),
        marks: marks.collect(),
        legend: LEGEND.to_vec(),
    };
    let seconds =
        |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{} s", number(ms / 1000.0)));
    let [native, kohya] = parity.runs.step_ms.map(seconds);
    let judged = if parity.runs.learning_rates.are_equal {
        "As they must be on the same schedule,"
    } else {
        "They should be the same, but"
    };
    let body = html! {
        p {
            (judged) " " (parity.rates()) ". A step took " (native) " (native) and " (kohya) " (kohya), by the median."
        }
        (chart.html())
    };
    section("Learning rate and time", &body)
}

/// What both verdicts say.
pub(super) fn verdicts(parity: &Parity) -> Markup {
    let sides = parity.sides.each_ref();
    let mut names: Vec<&str> = Vec::new();
    for check in sides.iter().flat_map(|side| &side.verdict.checks) {
        if !names.contains(&check.name.as_str()) {
            names.push(&check.name);
        }
    }
    let cell = |side: &Side, name: &str| {
        let check = side.verdict.checks.iter().find(|check| check.name == name);
        html! {
            @if let Some(check) = check {
                @if check.passed { b class="good" { "ok" } } @else { b class="bad" { "failed" } }
                " " span class="words" { (check.detail) }
            } @else {
                "–"
            }
        }
    };
    let rows = names.iter().map(|name| {
        let [native, kohya] = sides.map(|side| cell(side, name));
        vec![html! { (name.replace('_', " ")) }, native, kohya]
    });
    let checks = table(&["check", "native", "kohya"], rows);
    let mut held_out = Markup::default();
    if let [Some(native), Some(kohya)] = sides.map(|side| side.verdict.validation.as_ref()) {
        let cell = |losses: &[f64], index: usize| maybe(losses.get(index).copied());
        let rows = native.timesteps.iter().enumerate().map(|(index, timestep)| {
            vec![
                timestep.to_string(),
                cell(&native.before, index),
                cell(&native.after, index),
                cell(&kohya.after, index),
            ]
        });
        held_out = html! {
            p {
                "Loss on " (native.n_items) " held-out pictures at fixed timesteps with the same noise for both:"
            }
            (table(&["timestep", "without LoRA", "native", "kohya"], rows))
        };
    }
    let body = html! {
        p { "The same checks on both files, made by the same program." }
        (checks)
        (held_out)
    };
    section("Verdicts", &body)
}

/// The previews of both, next to each other.
pub(super) fn samples(parity: &Parity) -> Markup {
    let [native, kohya] = parity.sides.each_ref().map(|side| &side.record.samples);
    let common: Vec<(u32, u32)> = native
        .keys()
        .filter(|at| kohya.contains_key(*at))
        .copied()
        .collect();
    let steps: Vec<u32> = BTreeSet::from_iter(common.iter().map(|at| at.0))
        .into_iter()
        .collect();
    let shown: BTreeSet<u32> = if steps.len() <= MAX_SAMPLE_STEPS {
        steps.into_iter().collect()
    } else {
        let last = steps.len() - 1;
        (0..MAX_SAMPLE_STEPS)
            .map(|index| steps[index * last / (MAX_SAMPLE_STEPS - 1)])
            .collect()
    };
    let pairs: Vec<_> = common.iter().filter(|at| shown.contains(&at.0)).collect();
    if pairs.is_empty() {
        return Markup::default();
    }
    let picture = |side: &Side, at: &(u32, u32)| {
        let label = name(side.engine);
        let png = fs::read(&side.record.samples[at].path).map(|png| STANDARD.encode(png));
        html! {
            @if let Ok(png) = png {
                figure class="picture" {
                    img alt={ (label) " at step " (at.0) } src={ "data:image/png;base64," (png) };
                    figcaption { span class={ "key " (label) } { (label) } }
                }
            } @else {
                p class="words" { "The picture of " (label) " is gone." }
            }
        }
    };
    let body = html! {
        p {
            "The same prompt and seed at the same step. The engines turn a seed into noise in ways of their own, so \
             compare what is shown, not where it is."
        }
        div class="pairs" {
            @for at in pairs {
                div class="pair" {
                    p { "step " (at.0) ", seed " (native[at].seed) ": " q { (native[at].prompt) } }
                    div class="pictures" { @for side in &parity.sides { (picture(side, at)) } }
                }
            }
        }
    };
    section("Samples", &body)
}

fn mean(mean: Mean) -> Markup {
    html! {
        (maybe(mean.mean))
        @if let Some(error) = mean.standard_error { " " span class="error" { "± " (number(error)) } }
    }
}

fn zip(x: &[f64], y: &[f64]) -> Vec<(f64, f64)> {
    x.iter().copied().zip(y.iter().copied()).collect()
}
