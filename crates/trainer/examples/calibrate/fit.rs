//! Draws the lines, one after the other in the order in which the stamp asks.

use protocol::judgement::Stamp;
use trainer::judge::stamp::{Figures, Thresholds, stamp};

/// A judged training.
pub(crate) struct Judged {
    pub(crate) name: String,
    pub(crate) sort: &'static str,
    pub(crate) expected: Stamp,
    pub(crate) is_held_apart: bool,
    pub(crate) figures: Figures,
}

impl Judged {
    /// What the stamp says with these thresholds.
    pub(crate) fn found(&self, thresholds: &Thresholds) -> Stamp {
        stamp(&self.figures, thresholds).stamp
    }
}

/// A false alarm costs as much as so many misses: what is good must not be called bad by the first rule that asks.
const FALSE_ALARM: f64 = 2.0;
/// A line that separates nothing.
const NEVER: f64 = f64::MAX;

/// Thresholds by these trainings. A rule gets those that no rule before it catches. Its line lies in the middle of the widest
/// gap among those with the fewest errors; a rule that would do more harm than good gets a line that nothing reaches.
pub(crate) fn fit(judged: &[&Judged]) -> Thresholds {
    let never = Thresholds {
        copied: NEVER,
        damage: NEVER,
        obedience: -NEVER,
        loss_change: NEVER,
        gain: -NEVER,
        gain_plain: NEVER,
        gain_other: NEVER,
    };
    let mut fitted = never;
    let mut left: Vec<&Judged> = judged
        .iter()
        .copied()
        .filter(|judged| judged.figures.broken == 0.0)
        .collect();
    for rule in RULES {
        let values: Vec<(f64, bool)> = left
            .iter()
            .filter_map(|judged| {
                Some((
                    rule.sign * (rule.value)(&judged.figures)?,
                    judged.expected == rule.stamp,
                ))
            })
            .collect();
        let Some(line) = line(&values) else { continue };
        *(rule.threshold)(&mut fitted) = rule.sign * line;
        left.retain(|judged| (rule.value)(&judged.figures).is_none_or(|value| rule.sign * value < line));
    }
    fitted
}

/// A rule: from its line on, a training gets its stamp.
struct Rule {
    stamp: Stamp,
    value: fn(&Figures) -> Option<f64>,
    threshold: fn(&mut Thresholds) -> &mut f64,
    /// 1 if what lies above the line is caught, -1 if what lies below.
    sign: f64,
}

const RULES: [Rule; 7] = [
    Rule {
        stamp: Stamp::Copies,
        value: |figures| figures.copied,
        threshold: |thresholds| &mut thresholds.copied,
        sign: 1.0,
    },
    Rule {
        stamp: Stamp::Overcooked,
        value: |figures| figures.damage,
        threshold: |thresholds| &mut thresholds.damage,
        sign: 1.0,
    },
    Rule {
        stamp: Stamp::Overcooked,
        value: |figures| figures.loss_change,
        threshold: |thresholds| &mut thresholds.loss_change,
        sign: 1.0,
    },
    Rule {
        stamp: Stamp::Overcooked,
        value: |figures| figures.obedience.map(|obedience| obedience.value),
        threshold: |thresholds| &mut thresholds.obedience,
        sign: -1.0,
    },
    Rule {
        stamp: Stamp::TooWeak,
        value: |figures| figures.gain.map(|gain| gain.value),
        threshold: |thresholds| &mut thresholds.gain,
        sign: -1.0,
    },
    Rule {
        stamp: Stamp::Bleeds,
        value: |figures| figures.gain_plain.filter(|_| figures.has_trigger),
        threshold: |thresholds| &mut thresholds.gain_plain,
        sign: 1.0,
    },
    Rule {
        stamp: Stamp::Bleeds,
        value: |figures| figures.gain_other.filter(|_| figures.has_trigger),
        threshold: |thresholds| &mut thresholds.gain_other,
        sign: 1.0,
    },
];

/// The line above which most are what the rule is for; none if every line costs more than it catches.
fn line(values: &[(f64, bool)]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let worth = |line: f64| -> f64 {
        let caught = sorted.iter().filter(|(value, _)| *value >= line);
        caught
            .map(|(_, is_it)| if *is_it { 1.0 } else { -FALSE_ALARM })
            .sum()
    };
    let gaps = sorted.windows(2).filter(|pair| pair[0].0 < pair[1].0);
    let mut best: Option<(f64, f64, f64)> = None;
    for pair in gaps {
        let line = f64::midpoint(pair[0].0, pair[1].0);
        let (found, width) = (worth(line), pair[1].0 - pair[0].0);
        let is_better =
            best.is_none_or(|(worth, widest, _)| found > worth || found == worth && width > widest);
        if found > 0.0 && is_better {
            best = Some((found, width, line));
        }
    }
    best.map(|(_, _, line)| line)
}
