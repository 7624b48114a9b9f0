//! What the calibration found, as it stands in `docs/judging.md`.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use anyhow::{Context as _, Result};
use protocol::judgement::Stamp;
use trainer::judge::stamp::Thresholds;

use crate::fit::{Judged, fit};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/judging.md");
/// What stands behind it is written by this program.
const MARK: &str = "<!-- from here on: make calibrate CALIBRATE_ARGS=--write -->\n";

const STAMPS: [Stamp; 6] = [
    Stamp::Good,
    Stamp::TooWeak,
    Stamp::Overcooked,
    Stamp::Copies,
    Stamp::Bleeds,
    Stamp::CannotTell,
];

fn word(stamp: Stamp) -> &'static str {
    match stamp {
        Stamp::Good => "good",
        Stamp::TooWeak => "too weak",
        Stamp::Overcooked => "overcooked",
        Stamp::Copies => "copies",
        Stamp::Bleeds => "bleeds",
        Stamp::CannotTell => "cannot tell",
    }
}

/// Thresholds by one half, and how the other half is judged with those of the program.
pub(crate) fn of(judged: &[Judged]) -> String {
    let (apart, fitted_on): (Vec<&Judged>, Vec<&Judged>) =
        judged.iter().partition(|judged| judged.is_held_apart);
    let (fitted, ours) = (fit(&fitted_on), Thresholds::IN_USE);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\n## Calibration\n\n{} trainings on tiny-xl: the lines are drawn by {}, and {} are held apart. Written by `make \
         calibrate CALIBRATE_ARGS=--write`.\n",
        judged.len(),
        fitted_on.len(),
        apart.len()
    );
    let _ = writeln!(
        text,
        "| line | drawn by this run | in the program |\n|---|---|---|"
    );
    for (name, of) in LINES {
        let _ = writeln!(
            text,
            "| {name} | {} | {} |",
            number(of(&fitted)),
            number(of(&ours))
        );
    }
    matrix(&mut text, "Held apart, with the program's lines", &apart, &ours);
    matrix(
        &mut text,
        "The half that the lines are drawn by, with the program's lines",
        &fitted_on,
        &ours,
    );
    if fitted != ours {
        matrix(
            &mut text,
            "Held apart, with the lines of this run",
            &apart,
            &fitted,
        );
    }
    let _ = writeln!(
        text,
        "\n| training | is | judged | gain | obedience | diversity | damage | copied | nearest | without trigger | other | loss | overfit |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for judged in judged {
        let figures = &judged.figures;
        let value =
            |interval: Option<trainer::judge::stamp::Interval>| interval.map(|interval| interval.value);
        let numbers = [
            value(figures.gain),
            value(figures.obedience),
            value(figures.diversity),
            figures.damage,
            figures.copied,
            figures.nearest,
            figures.gain_plain,
            figures.gain_other,
            figures.loss_change,
            figures.overfit,
        ];
        let numbers = numbers.map(|found| found.map_or("–".to_owned(), |found| format!("{found:.2}")));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            judged.name,
            word(judged.expected),
            word(judged.found(&ours)),
            numbers.join(" | ")
        );
    }
    text
}

type Line = (&'static str, fn(&Thresholds) -> f64);

const LINES: [Line; 7] = [
    ("copied, from", |thresholds| thresholds.copied),
    ("damage, from", |thresholds| thresholds.damage),
    ("change of the held-out loss, from", |thresholds| {
        thresholds.loss_change
    }),
    ("prompt obedience, below", |thresholds| thresholds.obedience),
    ("likeness gain, below", |thresholds| thresholds.gain),
    ("likeness gain without the trigger word, from", |thresholds| {
        thresholds.gain_plain
    }),
    ("likeness gain of other subjects, from", |thresholds| {
        thresholds.gain_other
    }),
];

fn number(line: f64) -> String {
    if line.abs() == f64::MAX {
        "not used".to_owned()
    } else {
        format!("{line:.3}")
    }
}

/// How many of each are judged how.
fn matrix(text: &mut String, title: &str, judged: &[&Judged], thresholds: &Thresholds) {
    let right = judged
        .iter()
        .filter(|judged| judged.found(thresholds) == judged.expected)
        .count();
    let is_bad = |judged: &&&Judged| matches!(judged.expected, Stamp::Copies | Stamp::Overcooked);
    let passed = judged
        .iter()
        .filter(is_bad)
        .filter(|judged| judged.found(thresholds) == Stamp::Good)
        .count();
    let _ = writeln!(
        text,
        "\n### {title}\n\n{right} of {} are judged right ({:.0} %). {passed} of those that copy or are broken pass as good.\n",
        judged.len(),
        100.0 * right as f64 / judged.len().max(1) as f64
    );
    let heads: Vec<&str> = STAMPS.into_iter().map(word).collect();
    let _ = writeln!(
        text,
        "| made as | is | {} |\n|---|---|{}",
        heads.join(" | "),
        "---|".repeat(STAMPS.len())
    );
    let mut rows: BTreeMap<(&str, &str), [usize; 6]> = BTreeMap::new();
    for judged in judged {
        let row = rows.entry((judged.sort, word(judged.expected))).or_default();
        let found = judged.found(thresholds);
        if let Some(at) = STAMPS.iter().position(|stamp| *stamp == found) {
            row[at] += 1;
        }
    }
    for ((sort, is), row) in rows {
        let cells = row.map(|n| if n == 0 { String::new() } else { n.to_string() });
        let _ = writeln!(text, "| {sort} | {is} | {} |", cells.join(" | "));
    }
}

/// Puts it behind the mark.
pub(crate) fn write(text: &str) -> Result<()> {
    let page = fs::read_to_string(PATH).with_context(|| format!("reading {PATH}"))?;
    let (before, _) = page
        .split_once(MARK)
        .context("docs/judging.md has lost its mark")?;
    fs::write(PATH, format!("{before}{MARK}{text}")).with_context(|| format!("writing {PATH}"))
}
