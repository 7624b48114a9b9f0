//! Learning rates of one step: the schedule's, and the share of it that each part of the network moves with.

use std::ops::Range;

use diffusion::device::TrainingDevice;

use crate::{
    kinds::{Module, Parameter},
    network::LoraNetwork,
};

/// Neighboring parameters that move with the same share of the learning rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Their numbers in [`LoraNetwork::values`]. Begins and ends where a parameter does.
    pub range: Range<usize>,
    /// Their learning rate as a share of the recipe's. 0 freezes them: nothing about them changes.
    pub factor: f64,
}

/// The whole of any network.
const WHOLE: &[Part] = &[Part {
    range: 0..usize::MAX,
    factor: 1.0,
}];

impl Part {
    /// Divides a network by the share of each module. Neighbors with the same share are one part.
    pub fn of<D: TrainingDevice>(network: &LoraNetwork<D>, factor: impl Fn(&Module) -> f64) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        for index in 0..network.n_modules() {
            let module = network.module(index);
            let factor = factor(module);
            match parts.last_mut() {
                Some(last) if last.factor == factor => last.range.end = module.end(),
                _ => parts.push(Self {
                    range: module.start..module.end(),
                    factor,
                }),
            }
        }
        parts
    }

    /// The same for single parameters.
    pub fn of_parameters<D: TrainingDevice>(
        network: &LoraNetwork<D>,
        factor: impl Fn(&Module, &Parameter) -> f64,
    ) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        let modules = (0..network.n_modules()).map(|index| network.module(index));
        let all = modules.flat_map(|module| {
            let parameters = module.parameters().into_iter();
            parameters.map(move |parameter| (module, parameter))
        });
        for (module, parameter) in all {
            let (factor, range) = (factor(module, &parameter), parameter.place.range());
            match parts.last_mut() {
                Some(last) if last.factor == factor && last.range.end == range.start => {
                    last.range.end = range.end;
                }
                _ => parts.push(Self { range, factor }),
            }
        }
        parts
    }
}

/// Learning rates of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates<'a> {
    /// What the schedule says for this step.
    pub rate: f64,
    /// Where it counts for how much. What is in no part is frozen.
    pub parts: &'a [Part],
}

impl Rates<'static> {
    /// One learning rate for everything.
    pub fn same(rate: f64) -> Self {
        Self { rate, parts: WHOLE }
    }
}

impl Rates<'_> {
    /// The parts that move, within the first `n_parameters` numbers, with their shares.
    pub(super) fn moving(&self, n_parameters: usize) -> impl Iterator<Item = (Range<usize>, f64)> + '_ {
        let parts = self.parts.iter().filter(|part| part.factor > 0.0);
        parts.map(move |part| {
            let range = &part.range;
            (
                range.start.min(n_parameters)..range.end.min(n_parameters),
                part.factor,
            )
        })
    }

    /// The share of the parameter that begins at a number.
    pub(super) fn factor(&self, start: usize) -> f64 {
        let part = self.parts.iter().find(|part| part.range.contains(&start));
        part.map_or(0.0, |part| part.factor)
    }
}
