//! Figures of a judgement from its pictures: each compares a picture with the LoRA and the base's of the same prompt and seed.

use std::ops::ControlFlow;

use diffusion::device::Device;
use protocol::judgement::Measure;

use super::{
    JudgeError, asked,
    bootstrap::{interval, mean},
    copies::{Nearest, is_copy, nearest},
    dataset::Dataset,
    features::Eye,
    looks::Looks,
    measuring,
    stamp::{Figures, Interval},
    studio::{Drawn, Picture},
    suite::{Kind, Prompt, WEIGHTS},
};

/// What measured a number, as people read it.
const FEATURES: &str = "features of the base's U-Net";
const NOISE: &str = "noise predicted by the base's U-Net";
const SMALL_COPIES: &str = "latents at 16 × 16";
const PIXELS: &str = "pixels";

/// Less difference between the base's pictures and the dataset leaves nothing to learn, or to measure.
const LEAST_WAY: f64 = 0.01;
/// The base's own pictures must show their prompts at least this clearly, if anything is to be compared with it.
const LEAST_MARGIN: f64 = 0.002;
/// A picture that differs less from the base's is the same.
const LEAST_CHANGE: f64 = 1e-6;
/// What could not be measured of a picture with the LoRA and of the base's: it counts neither for it nor against it.
const NOT_MEASURED: [f64; 2] = [f64::NAN; 2];
/// Nothing counts as less in a score, so that intervals stay apart from 0.
const LEAST_SCORE: f64 = 0.01;

/// A picture with the LoRA at weight 1; none if its numbers overflow.
pub(super) struct Shot {
    /// Index of its prompt.
    pub(super) prompt: usize,
    pub(super) seed: u64,
    pub(super) picture: Option<Picture>,
}

/// Everything that was drawn.
pub(super) struct Pictures<'a> {
    pub(super) prompts: &'a [Prompt],
    pub(super) shots: &'a [Shot],
    /// Pictures of the first prompt and seed at [`WEIGHTS`].
    pub(super) weighted: &'a [Option<Picture>],
    pub(super) base: &'a Drawn,
    pub(super) dataset: &'a Dataset,
}

/// A picture with the LoRA and the base's.
pub(super) struct Pair<'a> {
    pub(super) shot: &'a Shot,
    pub(super) kind: Kind,
    pub(super) lora: &'a Picture,
    pub(super) base: &'a Picture,
}

/// What was found.
pub(super) struct Found {
    pub(super) figures: Figures,
    pub(super) score: Interval,
    pub(super) measures: Vec<Measure>,
}

impl Pictures<'_> {
    /// The pictures of some kinds.
    pub(super) fn pairs(&self, kinds: &[Kind]) -> Vec<Pair<'_>> {
        let pairs = self.shots.iter().filter_map(|shot| {
            let prompt = &self.prompts[shot.prompt];
            Some(Pair {
                shot,
                kind: prompt.kind,
                lora: shot.picture.as_ref()?,
                base: self.base.get(&(prompt.text.clone(), shot.seed))?,
            })
        });
        pairs.filter(|pair| kinds.contains(&pair.kind)).collect()
    }

    /// The training picture that a picture is nearest to.
    pub(super) fn nearest(&self, picture: &Picture) -> Option<Nearest> {
        let smalls = self.dataset.smalls.iter();
        let distances: Vec<f64> = smalls
            .map(|(_, small)| super::copies::apart(small, &picture.small))
            .collect();
        nearest(&distances, self.dataset.line?)
    }

    /// What all of them say together.
    ///
    /// # Errors
    /// If the device fails, or without the consent of `go_on`.
    pub(super) fn found<D: Device>(
        &self,
        eye: &Eye<'_, D>,
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Found, JudgeError> {
        const WITH_TRIGGER: [Kind; 2] = [Kind::Caption, Kind::Trigger];
        let meant = self.pairs(&WITH_TRIGGER);
        let (plain, other) = (self.pairs(&[Kind::Plain]), self.pairs(&[Kind::Other]));
        let own = self.dataset.likeness;
        let likenesses = |pair: &Pair<'_>| [pair.lora.likeness, pair.base.likeness];
        let way = |[lora, base]: [f64; 2]| match own {
            Some(own) if own - base > LEAST_WAY => (lora - base) / (own - base),
            _ => f64::NAN,
        };
        let gain_of = |pairs: &[Pair<'_>]| interval(&grouped(pairs, |pair| Some(likenesses(pair))), way);
        let spreads = self.spreads(&meant, eye, go_on)?;
        let spread_of = |pair: &Pair<'_>| {
            let at = meant.iter().position(|other| std::ptr::eq(other.shot, pair.shot));
            spreads[at?]
        };
        let margins = |pair: &Pair<'_>| Some([pair.lora.margin?, pair.base.margin?]);
        let clearer = |[lora, base]: [f64; 2]| {
            if base > LEAST_MARGIN {
                lora / base
            } else {
                f64::NAN
            }
        };
        let wider = |[lora, base]: [f64; 2]| lora / base;
        let captioned = self.pairs(&[Kind::Caption]);
        let gain = gain_of(&meant);
        let obedience = interval(&grouped(&captioned, margins), clearer);
        let diversity = interval(&grouped(&meant, spread_of), wider);
        let score = interval(
            &grouped(&captioned, |pair| {
                let [a, b] = likenesses(pair);
                let [c, d] = margins(pair).unwrap_or(NOT_MEASURED);
                let [e, f] = spread_of(pair).unwrap_or(NOT_MEASURED);
                Some([a, b, c, d, e, f])
            }),
            |[a, b, c, d, e, f]| harmonic([way([a, b]), clearer([c, d]), wider([e, f])]),
        );
        let nothing = Interval {
            value: 0.0,
            low: 0.0,
            high: 0.0,
        };

        let change = |pairs: &[Pair<'_>]| {
            (!pairs.is_empty()).then(|| mean(pairs.iter().map(|pair| pair.lora.apart(pair.base))))
        };
        let meant_change = change(&meant).filter(|change| *change > LEAST_CHANGE);
        let share = |pairs: &[Pair<'_>]| Some(change(pairs)? / meant_change?);
        let nearests = meant
            .iter()
            .filter_map(|pair| Some([self.nearest(pair.lora)?, self.nearest(pair.base)?]));
        let nearests: Vec<[Nearest; 2]> = nearests.collect();
        let of_nearests =
            |of: fn(&[Nearest; 2]) -> f64| (!nearests.is_empty()).then(|| mean(nearests.iter().map(of)));
        let lora_looks: Vec<Looks> = meant.iter().map(|pair| pair.lora.looks).collect();
        let base_looks: Vec<Looks> = meant.iter().map(|pair| pair.base.looks).collect();
        let (lora_looks, base_looks) = (Looks::mean(&lora_looks), Looks::mean(&base_looks));
        let damage = |looks: Looks| looks.damage(self.dataset.looks, base_looks);
        let at_weights: Vec<Option<f64>> = self
            .weighted
            .iter()
            .map(|picture| picture.as_ref().map(|picture| damage(picture.looks)))
            .collect();
        let n_drawn = self.shots.len() + self.weighted.len();
        let broken = self.shots.iter().map(|shot| &shot.picture).chain(self.weighted);
        let broken = broken.filter(|picture| picture.is_none()).count();
        let figures = Figures {
            broken: broken as f64 / n_drawn.max(1) as f64,
            gain,
            way: own
                .filter(|_| !meant.is_empty())
                .map(|own| own - mean(meant.iter().map(|pair| pair.base.likeness))),
            has_trigger: self.prompts.iter().any(|prompt| prompt.kind == Kind::Trigger),
            obedience,
            diversity,
            copied: of_nearests(|[lora, base]| f64::from(u8::from(is_copy(lora, base)))),
            nearest: of_nearests(|[lora, _]| lora.distance),
            bleed_plain: share(&plain),
            bleed_other: share(&other),
            gain_plain: gain_of(&plain).map(|gain| gain.value),
            gain_other: gain_of(&other).map(|gain| gain.value),
            damage: (!meant.is_empty()).then(|| damage(lora_looks)),
            damage_low: at_weights.first().copied().flatten(),
            ..Figures::default()
        };

        let mut list = Measures::default();
        list.number(
            "pictures",
            Some(n_drawn as f64),
            None,
            "pictures drawn with the LoRA",
        );
        if let Some(own) = own {
            let share = |[lora, _]: [f64; 2]| lora / own;
            let base = mean(meant.iter().map(|pair| pair.base.likeness)) / own;
            let likeness = interval(&grouped(&meant, |pair| Some(likenesses(pair))), share);
            list.add("likeness", likeness, Some(base), FEATURES);
        }
        list.add("likeness_gain", gain, Some(0.0), FEATURES);
        list.add("prompt_obedience", obedience, Some(1.0), NOISE);
        list.add("diversity", diversity, Some(1.0), FEATURES);
        list.number("change", meant_change, None, SMALL_COPIES);
        list.number("change_without_trigger", figures.bleed_plain, None, SMALL_COPIES);
        list.number(
            "change_of_other_subjects",
            figures.bleed_other,
            None,
            SMALL_COPIES,
        );
        list.number(
            "likeness_gain_without_trigger",
            figures.gain_plain,
            Some(0.0),
            FEATURES,
        );
        list.number(
            "likeness_gain_of_other_subjects",
            figures.gain_other,
            Some(0.0),
            FEATURES,
        );
        let base_nearest = of_nearests(|[_, base]| base.distance);
        list.number("copied", figures.copied, Some(0.0), SMALL_COPIES);
        list.number(
            "nearest_training_picture",
            figures.nearest,
            base_nearest,
            SMALL_COPIES,
        );
        list.number("damage", figures.damage, None, PIXELS);
        for (weight, damage) in WEIGHTS.iter().zip(&at_weights) {
            list.number(&format!("damage_at_{:.0}", 100.0 * weight), *damage, None, PIXELS);
        }
        for (name, found, base) in [
            ("saturation", lora_looks.saturation, base_looks.saturation),
            ("contrast", lora_looks.contrast, base_looks.contrast),
            ("clipping", lora_looks.clipping, base_looks.clipping),
            ("sharpness", lora_looks.sharpness, base_looks.sharpness),
        ] {
            list.number(name, (!meant.is_empty()).then_some(found), Some(base), PIXELS);
        }
        Ok(Found {
            figures,
            score: score.unwrap_or(nothing),
            measures: list.0,
        })
    }

    /// Mean difference of each picture to the others of its prompt, with the LoRA and without; none for a prompt with one
    /// seed.
    fn spreads<D: Device>(
        &self,
        pairs: &[Pair<'_>],
        eye: &Eye<'_, D>,
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Vec<Option<[f64; 2]>>, JudgeError> {
        let broken = measuring("the drawn pictures");
        let mut spreads = Vec::with_capacity(pairs.len());
        for pair in pairs {
            asked(go_on)?;
            let others: Vec<&Pair<'_>> = pairs
                .iter()
                .filter(|other| other.shot.prompt == pair.shot.prompt && other.shot.seed != pair.shot.seed)
                .collect();
            if others.is_empty() {
                spreads.push(None);
                continue;
            }
            let with = others.iter().map(|other| other.lora).collect();
            let without = others.iter().map(|other| other.base).collect();
            spreads.push(Some([
                difference(eye, pair.lora, with).map_err(&broken)?,
                difference(eye, pair.base, without).map_err(&broken)?,
            ]));
        }
        Ok(spreads)
    }
}

/// Mean difference of a picture to others.
fn difference<D: Device>(
    eye: &Eye<'_, D>,
    picture: &Picture,
    others: Vec<&Picture>,
) -> candle_core::Result<f64> {
    let others: Vec<_> = others.into_iter().map(|other| &other.features).collect();
    let rows = eye.alike(&[&picture.features], &others)?;
    Ok(mean(rows.iter().flatten().map(|likeness| 1.0 - likeness)))
}

/// Numbers of pictures, those of one prompt together.
fn grouped<const N: usize>(
    pairs: &[Pair<'_>],
    of: impl Fn(&Pair<'_>) -> Option<[f64; N]>,
) -> Vec<Vec<[f64; N]>> {
    let mut groups: std::collections::BTreeMap<usize, Vec<[f64; N]>> = std::collections::BTreeMap::new();
    for pair in pairs {
        if let Some(numbers) = of(pair) {
            groups.entry(pair.shot.prompt).or_default().push(numbers);
        }
    }
    groups.into_values().collect()
}

/// Harmonic mean of shares, each at most 1: one that is bad is not made up for by the others. What could not be measured does
/// not count.
fn harmonic(shares: [f64; 3]) -> f64 {
    let known: Vec<f64> = shares
        .into_iter()
        .filter(|share| share.is_finite())
        .map(|share| share.clamp(LEAST_SCORE, 1.0))
        .collect();
    known.len() as f64 / known.iter().map(|share| 1.0 / share).sum::<f64>()
}

/// The list of measurements. What could not be measured is left out.
#[derive(Default)]
pub(super) struct Measures(pub(super) Vec<Measure>);

impl Measures {
    pub(super) fn add(&mut self, name: &str, found: Option<Interval>, base: Option<f64>, by: &str) {
        let Some(Interval { value, low, high }) = found else {
            return;
        };
        let (low, high) = (Some(low), Some(high));
        self.0.push(Measure {
            low,
            high,
            ..measure(name, value, base, by)
        });
    }

    pub(super) fn number(&mut self, name: &str, found: Option<f64>, base: Option<f64>, by: &str) {
        if let Some(value) = found.filter(|value| value.is_finite()) {
            self.0.push(measure(name, value, base, by));
        }
    }
}

fn measure(name: &str, value: f64, base: Option<f64>, by: &str) -> Measure {
    Measure {
        name: name.to_owned(),
        value,
        low: None,
        high: None,
        base,
        by: by.to_owned(),
    }
}

#[cfg(test)]
mod tests;
