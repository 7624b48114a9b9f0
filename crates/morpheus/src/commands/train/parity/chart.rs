//! Charts as inline SVG: the plot is stretched to the page, the words around it are HTML and keep their size.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::html::number;

/// Units of the plot in both directions.
const SIDE: f64 = 1000.0;
/// More points than this show nothing more.
const MAX_POINTS: usize = 4000;

/// A direction of a chart.
pub(super) struct Axis {
    label: String,
    min: f64,
    max: f64,
    is_log: bool,
}

/// Something in a plot. The class says whose it is.
pub(super) enum Mark {
    Points(&'static str, Vec<(f64, f64)>),
    /// A point of its own, larger.
    Dots(&'static str, Vec<(f64, f64)>),
    Line(&'static str, Vec<(f64, f64)>),
    /// Between two lines.
    Band(&'static str, Vec<(f64, f64)>, Vec<(f64, f64)>),
}

impl Mark {
    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        let (first, second): (&[_], &[_]) = match self {
            Self::Points(_, points) | Self::Dots(_, points) | Self::Line(_, points) => (points, &[]),
            Self::Band(_, upper, lower) => (upper, lower),
        };
        first.iter().chain(second)
    }
}

/// A chart of marks; its axes hold all of them.
pub(super) struct Chart {
    /// What it shows, for whoever does not see it.
    pub(super) alt: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) marks: Vec<Mark>,
    /// Class and name of what is shown.
    pub(super) legend: Vec<(&'static str, &'static str)>,
}

impl Axis {
    pub(super) fn linear(label: &str) -> Self {
        Self::new(label, false)
    }

    /// Powers of ten at equal distances; what is not above 0 has no place on it.
    pub(super) fn log(label: &str) -> Self {
        Self::new(label, true)
    }

    fn new(label: &str, is_log: bool) -> Self {
        Self {
            label: label.to_owned(),
            min: 0.0,
            max: 1.0,
            is_log,
        }
    }

    fn has(&self, value: f64) -> bool {
        value.is_finite() && (!self.is_log || value > 0.0)
    }

    fn scale(&self, value: f64) -> f64 {
        if self.is_log { value.log10() } else { value }
    }

    fn fit(&mut self, values: impl Iterator<Item = f64>) {
        let values: Vec<f64> = values.filter(|value| self.has(*value)).collect();
        let scaled = values.iter().map(|value| self.scale(*value));
        let (min, max) = scaled.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| {
            (min.min(value), max.max(value))
        });
        if min > max {
            return;
        }
        let room = if max > min {
            0.03 * (max - min)
        } else {
            0.5 * max.abs().max(1e-9)
        };
        (self.min, self.max) = (min - room, max + room);
    }

    /// Place of a value, from 0 to 1.
    fn at(&self, value: f64) -> f64 {
        (self.scale(value) - self.min) / (self.max - self.min)
    }

    fn ticks(&self) -> Vec<(f64, Markup)> {
        let range = self.max - self.min;
        if self.is_log && range >= 1.0 {
            let every = (range / 6.0).ceil() as i32;
            let powers = self.min.ceil() as i32..=self.max.floor() as i32;
            let powers = powers.filter(|power| power.rem_euclid(every) == 0);
            return powers
                .map(|power| (10_f64.powi(power), html! { "10" sup { (power) } }))
                .collect();
        }
        let step = nice(range / 4.0);
        let first = (self.min / step).ceil() as i64;
        let last = (self.max / step).floor() as i64;
        (first..=last)
            .map(|index| {
                let value = index as f64 * step;
                let value = if self.is_log { 10_f64.powf(value) } else { value };
                let text = if value.fract() == 0.0 && value.abs() < 1e6 {
                    format!("{value}")
                } else {
                    trimmed(value, step)
                };
                (value, html! { (text) })
            })
            .collect()
    }
}

/// 1, 2 or 5 times a power of ten, just above.
fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let fitting = factors.into_iter().find(|factor| factor * power >= step);
    power * fitting.unwrap_or(10.0)
}

fn trimmed(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).max(0.0) as usize;
    if digits > 5 {
        number(value)
    } else {
        format!("{value:.digits$}")
    }
}

impl Chart {
    pub(super) fn html(mut self) -> Markup {
        self.x
            .fit(self.marks.iter().flat_map(Mark::points).map(|point| point.0));
        self.y
            .fit(self.marks.iter().flat_map(Mark::points).map(|point| point.1));
        let placed = |ticks: Vec<(f64, Markup)>, place: &dyn Fn(f64) -> f64| -> Vec<(f64, Markup)> {
            let ticks = ticks.into_iter();
            ticks.map(|(value, text)| (place(value), text)).collect()
        };
        let x = placed(self.x.ticks(), &|value| self.x.at(value));
        let y = placed(self.y.ticks(), &|value| 1.0 - self.y.at(value));
        let view_box = format!("0 0 {SIDE} {SIDE}");
        html! {
            figure {
                figcaption {
                    span class="label" { (self.y.label) }
                    span class="legend" {
                        @for (class, name) in &self.legend { span class={ "key " (class) } { (name) } }
                    }
                }
                div class="chart" {
                    svg role="img" aria-label=(self.alt) viewBox=(view_box) preserveAspectRatio="none" {
                        @for (at, _) in &x { path class="grid" d=(format!("M{:.1} 0V{SIDE}", SIDE * at)) {} }
                        @for (at, _) in &y { path class="grid" d=(format!("M0 {:.1}H{SIDE}", SIDE * at)) {} }
                        @for mark in &self.marks { (self.mark(mark)) }
                    }
                    @for (at, text) in &x {
                        span class="x" style=(format!("left:{:.2}%", 100.0 * at)) { (text) }
                    }
                    @for (at, text) in &y {
                        span class="y" style=(format!("top:{:.2}%", 100.0 * at)) { (text) }
                    }
                }
                p class="under" { (self.x.label) }
            }
        }
    }

    fn mark(&self, mark: &Mark) -> Markup {
        let (class, path) = match mark {
            Mark::Points(class, points) => (format!("points {class}"), self.dots(points)),
            Mark::Dots(class, points) => (format!("dots {class}"), self.dots(points)),
            Mark::Line(class, points) => (format!("line {class}"), joined(&self.placed(points))),
            Mark::Band(class, upper, lower) => {
                let mut outline = self.placed(upper);
                outline.extend(self.placed(lower).into_iter().rev());
                (format!("band {class}"), format!("{}Z", joined(&outline)))
            }
        };
        html! { path class=(class) d=(path) {} }
    }

    /// Lines of no length with round ends stay round however the plot is stretched.
    fn dots(&self, points: &[(f64, f64)]) -> String {
        let every = points.len().div_ceil(MAX_POINTS).max(1);
        let mut path = String::new();
        for (x, y) in self.placed(points).into_iter().step_by(every) {
            let _ = write!(path, "M{x:.1} {y:.1}h0");
        }
        path
    }

    fn placed(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let shown = points.iter().filter(|(x, y)| self.x.has(*x) && self.y.has(*y));
        shown
            .map(|(x, y)| (SIDE * self.x.at(*x), SIDE * (1.0 - self.y.at(*y))))
            .collect()
    }
}

fn joined(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let letter = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{letter}{x:.1} {y:.1}");
    }
    path
}
