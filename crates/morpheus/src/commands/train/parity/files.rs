//! The parts of the page about the two files: what they are made of, norms, and spectra.

use std::collections::BTreeMap;

use diffusion::lora::compare::{Form, Pair};
use maud::{Markup, html};

use super::{
    Parity,
    chart::{Axis, Chart, Mark},
    html::{maybe, number, section, table},
    runs::LEGEND,
};

/// Modules that are listed.
const N_WORST: usize = 12;
/// Names of tensors that are listed.
const N_NAMES: usize = 20;
/// Characters of a metadata value that are shown.
const N_CHARACTERS: usize = 160;
/// Singular values below this part of a module's largest are rounding.
const NOISE: f64 = 1e-7;

/// Tensors, ranks, types and metadata.
pub(super) fn content(parity: &Parity) -> Markup {
    let files = &parity.files;
    let tensors = &files.tensors;
    let [native, kohya] = &files.forms;
    let row = |what: &str, of: fn(&Form) -> String| vec![what.to_owned(), of(native), of(kohya)];
    let only = [&tensors.only_left, &tensors.only_right].map(|names| names.len().to_string());
    let [only_native, only_kohya] = only;
    let rows = [
        vec![
            "tensors in both".into(),
            tensors.n_common.to_string(),
            tensors.n_common.to_string(),
        ],
        vec!["tensors only here".into(), only_native, only_kohya],
        row("rank", |form| counts(&form.ranks)),
        row("alpha", |form| counts(&form.alphas)),
        row("type", |form| counts(&form.types)),
    ];
    let names = [
        ("only in the native file", &tensors.only_left),
        ("only in the kohya file", &tensors.only_right),
        ("of another shape", &tensors.other_shape),
    ];
    let value = |value: &Option<String>| {
        html! {
            @if let Some(value) = value { code { (shortened(value)) } } @else { "–" }
        }
    };
    let metadata = files.metadata.iter().map(|difference| {
        let key = html! { code { (difference.key) } };
        vec![key, value(&difference.left), value(&difference.right)]
    });
    let body = html! {
        (table(&["", "native", "kohya"], rows))
        @for (what, names) in names.into_iter().filter(|(_, names)| !names.is_empty()) {
            details {
                summary { (names.len()) " tensors " (what) }
                ul {
                    @for name in names.iter().take(N_NAMES) { li { code { (name) } } }
                    @if names.len() > N_NAMES { li { "and " (names.len() - N_NAMES) " more" } }
                }
            }
        }
        @if !files.metadata.is_empty() {
            details {
                summary { (files.metadata.len()) " fields of the metadata differ" }
                (table(&["metadata", "native", "kohya"], metadata))
            }
        }
    };
    section("Content of the files", &body)
}

/// How much each file changes, and how alike.
pub(super) fn norms(parity: &Parity) -> Markup {
    let files = &parity.files;
    let points: Vec<(f64, f64)> = files
        .modules
        .iter()
        .map(|module| (module.pair.left, module.pair.right))
        .collect();
    let shown = points
        .iter()
        .flat_map(|(a, b)| [*a, *b])
        .filter(|norm| *norm > 0.0);
    let (least, most) = shown.fold((f64::INFINITY, 0.0), |(least, most), norm| {
        (norm.min(least), norm.max(most))
    });
    let mut marks = Vec::new();
    if least <= most {
        marks.push(Mark::Line("equal", vec![(least, least), (most, most)]));
    }
    marks.push(Mark::Dots("both", points));
    let chart = Chart {
        alt: format!("Norm of every module in both files: {}.", parity.likeness()),
        x: Axis::log("norm of a module’s change, native"),
        y: Axis::log("the same, kohya"),
        marks,
        legend: vec![("both", "a module"), ("equal", "equal norms")],
    };
    let blocks = files.blocks.iter().map(|block| {
        let mut row = vec![block.block.replace('_', " "), block.n_modules.to_string()];
        row.extend(cells(&block.pair));
        row
    });
    let blocks = table(
        &[
            "block",
            "modules",
            "native",
            "kohya",
            "kohya / native",
            "difference",
            "cosine",
        ],
        blocks,
    );
    let mut worst: Vec<_> = files.modules.iter().collect();
    worst.sort_by(|a, b| b.pair.difference.total_cmp(&a.pair.difference));
    let worst = worst.iter().take(N_WORST).map(|module| {
        let name = module.module.trim_start_matches("lora_unet_");
        let largest = |of: usize| maybe(module.spectra[of].first().copied());
        let numbers = cells(&module.pair).into_iter().chain([largest(0), largest(1)]);
        let numbers = numbers.map(|number| html! { (number) });
        std::iter::once(html! { code { (name) } })
            .chain(numbers)
            .collect::<Vec<_>>()
    });
    let head = [
        "module",
        "native",
        "kohya",
        "kohya / native",
        "difference",
        "cosine",
        "largest value, native",
        "kohya",
    ];
    let body = html! {
        p {
            "What a file adds to a layer is (alpha / rank) · up · down. All modules together: " (parity.likeness())
            ". Each engine draws its own down matrices, and the training stays near what it began with, so that cosines \
             of two seeds are well below 1. Norms should be alike."
        }
        (chart.html())
        (blocks)
        h3 { "The modules that differ most" }
        (table(&head, worst))
    };
    section("Norms", &body)
}

/// Singular values of both, as a median over the modules with its quartiles.
pub(super) fn spectra(parity: &Parity) -> Markup {
    let mut bands = Vec::new();
    let mut lines = Vec::new();
    for (side, (class, _)) in LEGEND.iter().enumerate() {
        let mut by_index: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for module in &parity.files.modules {
            let values = &module.spectra[side];
            let noise = NOISE * values.first().copied().unwrap_or_default();
            for (index, value) in values.iter().enumerate().filter(|(_, value)| **value > noise) {
                by_index.entry(index + 1).or_default().push(*value);
            }
        }
        let mut curves: [Vec<(f64, f64)>; 3] = Default::default();
        for (index, mut values) in by_index {
            values.sort_by(f64::total_cmp);
            let last = values.len() - 1;
            for (curve, quarter) in curves.iter_mut().zip(1..) {
                curve.push((index as f64, values[quarter * last / 4]));
            }
        }
        let [lower, middle, upper] = curves;
        bands.push(Mark::Band(class, upper, lower));
        lines.push(Mark::Dots(class, middle.clone()));
        lines.push(Mark::Line(class, middle));
    }
    bands.extend(lines);
    let chart = Chart {
        alt:
            "Singular values of both files by their rank in a module: median and quartiles over the modules."
                .to_owned(),
        x: Axis::linear("singular value, the largest of a module first"),
        y: Axis::log("size"),
        marks: bands,
        legend: LEGEND.to_vec(),
    };
    let body = html! {
        p {
            "Singular values of what a file adds to a layer: the line is the median over the modules, the band holds the \
             middle half of them. Unlike directions, they do not depend on what the engines drew: they should lie on \
             each other."
        }
        (chart.html())
    };
    section("Spectra", &body)
}

fn cells(pair: &Pair) -> [String; 5] {
    let ratio = (pair.left > 0.0).then(|| pair.right / pair.left);
    let cosine = pair
        .cosine
        .map_or_else(|| "–".to_owned(), |cosine| format!("{cosine:.3}"));
    [
        number(pair.left),
        number(pair.right),
        maybe(ratio),
        number(pair.difference),
        cosine,
    ]
}

fn counts(counts: &BTreeMap<impl std::fmt::Display, usize>) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(value, n)| match counts.len() {
            1 => value.to_string(),
            _ => format!("{value} ({n})"),
        })
        .collect();
    parts.join(", ")
}

fn shortened(value: &str) -> String {
    let mut characters = value.chars();
    let start: String = characters.by_ref().take(N_CHARACTERS).collect();
    if characters.next().is_some() {
        start + "…"
    } else {
        start
    }
}
