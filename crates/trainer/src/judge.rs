//! Judges the result of a training: what its LoRA does to pictures, in measurements that need no other model.
//!
//! Everything is measured as the difference that the LoRA makes: the same prompts, the same seeds, with it and without it.
//! Two pictures are compared by aligned features of the base's own U-Net, and whether a picture shows its prompt is asked of
//! the same U-Net. [`stamp`](stamp::stamp) makes a judgement of the numbers; `examples/calibrate` fits its thresholds and counts
//! its errors (`docs/judging.md`).

mod bootstrap;
mod copies;
mod dataset;
mod features;
mod figures;
mod follows;
mod looks;
mod numbers;
mod probe;
pub mod stamp;
mod studio;
mod suite;

use std::{
    collections::{HashMap, hash_map::Entry},
    ops::ControlFlow,
    path::Path,
    time::Instant,
};

use diffusion::{
    base::BaseModel,
    cpu::Cpu,
    device::{Device, TrainingDevice},
    graph::AdapterSet,
    pipeline::PipelineError,
};
use image::RgbImage;
use protocol::{
    judgement::{Evidence, Judgement},
    recipe::Recipe,
};

use self::{
    dataset::Dataset,
    features::Eye,
    figures::{Found, Measures, Pictures, Shot},
    numbers::Losses,
    stamp::{Figures, Stamped, Thresholds, stamp},
    studio::{Drawn, Failure, Picture, Studio, prompt_of},
    suite::{FIRST_SEED, Kind, MAX_ROUNDS, Prompt, WEIGHTS},
};
use crate::{
    data::{Sample, TrainingData},
    evaluate::{self, Painter, Subject},
    network::LoraNetwork,
};

/// How much time judging may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// After so many seconds no more seeds are added. The least set is drawn in any case.
    pub seconds: f64,
}

/// What is judged, and by what.
#[derive(Debug)]
pub struct Task<'a, D: Device = Cpu> {
    /// The base that it was trained on.
    pub base: &'a BaseModel<D>,
    /// How it was trained.
    pub recipe: &'a Recipe,
    /// The pictures of the training.
    pub data: &'a TrainingData,
    /// The LoRA file.
    pub lora: &'a Path,
    /// How much time it may take.
    pub budget: Budget,
}

/// What the base alone drew, and what was measured of it and of the dataset. Given to the next checkpoint of the same job,
/// it is not computed again. It holds for one base, one recipe and one dataset.
#[derive(Debug, Default)]
pub struct BasePictures {
    drawn: Drawn,
    /// The program that drew them, where the native engine did not.
    program: Option<String>,
    dataset: Option<Dataset>,
    losses: Option<Losses>,
    /// Norms of the base's weights by kohya's names.
    weights: HashMap<String, f64>,
}

/// A judgement, and the pictures that it names.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The judgement.
    pub judgement: Judgement,
    /// What its stamp was decided by.
    pub figures: Figures,
    /// The picture of each [`Evidence`](protocol::judgement::Evidence), by its name.
    pub pictures: Vec<(String, RgbImage)>,
    /// The program that drew them, where the native engine did not.
    pub program: Option<String>,
}

/// Why a result could not be judged. A LoRA that is merely bad gets a judgement that says so.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The caller asked to stop.
    #[error("judging was stopped")]
    Stopped,
    /// The file cannot be used with the base. [`evaluate`](crate::evaluate::evaluate) says what is wrong with it.
    #[error("failed to use the trained file: {problem}")]
    File {
        /// What is wrong with it.
        problem: String,
    },
    /// A picture could not be drawn.
    #[error("failed to draw a picture")]
    Draw(#[source] PipelineError),
    /// Something could not be measured.
    #[error("failed to measure {what}")]
    Measure {
        /// What was measured.
        what: &'static str,
        /// Why it failed.
        #[source]
        err: candle_core::Error,
    },
}

/// Judges a LoRA file by what it does to pictures. They are drawn by the painter if there is one and it can.
///
/// `go_on` is asked before each picture and each step of the native engine, and between any two measurements that take time.
///
/// # Errors
/// If it is stopped, or the judging itself fails.
pub fn judge_result<D: TrainingDevice>(
    task: &Task<'_, D>,
    painter: Option<&mut dyn Painter>,
    kept: &mut BasePictures,
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Judged, JudgeError> {
    let started = Instant::now();
    let subject = Subject::of(task.base, task.recipe);
    let (network, norms) =
        evaluate::open(&subject, task.lora).map_err(|problem| JudgeError::File { problem })?;
    let eye = Eye::new(task.base, task.data).map_err(measuring("the dataset"))?;
    let dataset = match kept.dataset.take() {
        Some(dataset) => dataset,
        None => Dataset::of(task.base, &eye, task.data, go_on)?,
    };
    let looking = Looking {
        task,
        network: &network,
        eye: &eye,
        dataset: &dataset,
        started,
    };
    let result = looking.pictures(painter, kept, go_on).and_then(|seen| {
        let pictures = Pictures {
            prompts: &seen.prompts,
            shots: &seen.shots,
            weighted: &seen.weighted,
            base: &kept.drawn,
            dataset: &dataset,
        };
        let found = pictures.found(&eye, go_on)?;
        let Found {
            mut figures,
            score,
            measures,
        } = found;
        let mut list = Measures(measures);
        let before = match kept.losses.take() {
            Some(before) => before,
            None => Losses::of(task, &AdapterSet::new(), go_on)?,
        };
        // Kept also if judging is stopped after this.
        let before = kept.losses.insert(before);
        let applied = network.applied(task.base, 1.0).map_err(measuring("losses"))?;
        let after = Losses::of(task, &applied, go_on)?;
        (figures.loss_change, figures.overfit) = after.changed(before, &mut list);
        numbers::of_file(task, (&network, &norms), &mut kept.weights, &mut list, go_on)?;
        let Stamped {
            stamp,
            sentence,
            advice,
        } = stamp(&figures, &Thresholds::IN_USE);
        let (evidence, pictures) = evidence(&pictures);
        let judgement = Judgement {
            stamp,
            sentence,
            advice,
            score: score.value,
            score_low: score.low,
            score_high: score.high,
            measures: list.0,
            evidence,
            seconds: started.elapsed().as_secs_f64(),
        };
        Ok(Judged {
            judgement,
            figures,
            pictures,
            program: kept.program.clone(),
        })
    });
    kept.dataset = Some(dataset);
    result
}

/// [`judge_result`] on the processor; see [`train_on_cpu`](crate::train::train_on_cpu).
///
/// # Errors
/// As [`judge_result`].
pub fn judge_result_on_cpu(
    task: &Task<'_>,
    painter: Option<&mut dyn Painter>,
    kept: &mut BasePictures,
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Judged, JudgeError> {
    judge_result(task, painter, kept, go_on)
}

/// What looking takes.
struct Looking<'a, D: TrainingDevice> {
    task: &'a Task<'a, D>,
    network: &'a LoraNetwork<D>,
    eye: &'a Eye<'a, D>,
    dataset: &'a Dataset,
    started: Instant,
}

/// What was drawn with the LoRA.
struct Seen {
    prompts: Vec<Prompt>,
    shots: Vec<Shot>,
    weighted: Vec<Option<Picture>>,
}

impl<D: TrainingDevice> Looking<'_, D> {
    /// Draws everything with one engine: the painter, or if it fails, the native one.
    fn pictures(
        &self,
        painter: Option<&mut dyn Painter>,
        kept: &mut BasePictures,
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Seen, JudgeError> {
        if let Some(painter) = painter {
            kept.drawn_by(Some(painter.program()));
            match self.drawn(Some(&mut *painter), kept, go_on) {
                Ok(seen) => return Ok(seen),
                Err(Failure::Judge(err)) => return Err(err),
                Err(Failure::Painter(err)) => painter.failed(&err),
            }
        }
        kept.drawn_by(None);
        self.drawn(None, kept, go_on).map_err(|failure| match failure {
            Failure::Judge(err) => err,
            Failure::Painter(err) => JudgeError::Draw(err),
        })
    }

    fn drawn(
        &self,
        painter: Option<&mut dyn Painter>,
        kept: &mut BasePictures,
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Seen, Failure> {
        let Task { recipe, data, .. } = *self.task;
        let captions = |samples: &[Sample]| -> Vec<String> {
            samples.iter().map(|sample| sample.caption.clone()).collect()
        };
        let (held_out, trained) = (captions(&data.held_out), captions(data.subjects()));
        let prompts = suite::prompts((recipe.trigger_word(), recipe.preset()), &held_out, &trained);
        let mut studio = Studio {
            task: self.task,
            network: self.network,
            eye: self.eye,
            dataset: self.dataset,
            painter,
            go_on,
            applied: None,
        };
        let mut shots = Vec::new();
        let mut weighted = Vec::new();
        for round in 0..=MAX_ROUNDS {
            for (index, prompt) in prompts.iter().enumerate() {
                let [least, more] = prompt.kind.n_seeds();
                let seeds = match round {
                    0 => 0..least,
                    _ => least + (round - 1) * more..least + round * more,
                };
                for seed in seeds.map(|seed| FIRST_SEED + seed as u64) {
                    if round > 0 && self.started.elapsed().as_secs_f64() >= self.task.budget.seconds {
                        break;
                    }
                    if let Entry::Vacant(vacant) = kept.drawn.entry((prompt.text.clone(), seed)) {
                        let picture = studio.picture(prompt, seed, None)?;
                        let broken = PipelineError::NotFinite { n_done: 0 };
                        vacant.insert(picture.ok_or(JudgeError::Draw(broken))?);
                    }
                    shots.push(Shot {
                        prompt: index,
                        seed,
                        picture: studio.picture(prompt, seed, Some(1.0))?,
                    });
                }
            }
            if let (0, Some(prompt)) = (round, prompts.first()) {
                for weight in WEIGHTS {
                    weighted.push(studio.picture(prompt, FIRST_SEED, Some(weight))?);
                }
            }
        }
        Ok(Seen {
            prompts,
            shots,
            weighted,
        })
    }
}

impl BasePictures {
    /// Keeps only what this program drew: others round in another way.
    fn drawn_by(&mut self, program: Option<String>) {
        if self.program != program {
            self.drawn.clear();
            self.program = program;
        }
    }
}

/// Pairs of each kind that are shown.
const N_SHOWN: usize = 2;

/// The pictures that show what a judgement says: some of each kind beside the base's, those at other weights, and the one that
/// is nearest to a training picture.
fn evidence(pictures: &Pictures<'_>) -> (Vec<Evidence>, Vec<(String, RgbImage)>) {
    let mut shown = Shown::default();
    let pairs = pictures.pairs(&[Kind::Caption, Kind::Trigger, Kind::Plain, Kind::Other]);
    let nearest_of = |picture: &Picture| pictures.nearest(picture);
    let copy = pairs
        .iter()
        .filter(|pair| matches!(pair.kind, Kind::Caption | Kind::Trigger))
        .filter_map(|pair| Some((pair, nearest_of(pair.lora)?)))
        .min_by(|(_, a), (_, b)| a.distance.total_cmp(&b.distance));
    for kind in [Kind::Caption, Kind::Trigger, Kind::Plain, Kind::Other] {
        let what = match kind {
            Kind::Caption => "a combination that was not trained",
            Kind::Trigger => "the trigger word",
            Kind::Plain => "without the trigger word",
            Kind::Other => "another subject",
        };
        let of_kind = pairs
            .iter()
            .filter(|pair| pair.kind == kind && pair.shot.seed == FIRST_SEED);
        for pair in of_kind.take(N_SHOWN) {
            let nearest = nearest_of(pair.lora).filter(|_| matches!(kind, Kind::Caption | Kind::Trigger));
            let prompt = &pictures.prompts[pair.shot.prompt];
            let name = format!("{}-{}-{}", kind.word(), pair.shot.prompt, pair.shot.seed);
            let base = Evidence {
                name: format!("{name}-base"),
                shows: format!("{what}, drawn by the base alone"),
                prompt: prompt_of(&prompt.text),
                seed: pair.shot.seed,
                weight: 0.0,
                nearest: None,
            };
            let with = Evidence {
                name,
                shows: what.to_owned(),
                weight: 1.0,
                nearest: nearest.map(|nearest| pictures.dataset.smalls[nearest.index].0.to_string()),
                ..base.clone()
            };
            shown.add(base, pair.base);
            shown.add(with, pair.lora);
        }
    }
    if let Some((pair, nearest)) = copy {
        let prompt = &pictures.prompts[pair.shot.prompt];
        let evidence = Evidence {
            name: "nearest".to_owned(),
            shows: format!(
                "the picture that is nearest to a training picture, at {:.1} times the distance below which it counts as like it",
                nearest.distance
            ),
            prompt: prompt_of(&prompt.text),
            seed: pair.shot.seed,
            weight: 1.0,
            nearest: Some(pictures.dataset.smalls[nearest.index].0.to_string()),
        };
        shown.add(evidence, pair.lora);
    }
    if let Some(prompt) = pictures.prompts.first() {
        for (weight, picture) in WEIGHTS.iter().zip(pictures.weighted) {
            let Some(picture) = picture else { continue };
            let percent = 100.0 * weight;
            let evidence = Evidence {
                name: format!("weight-{percent:.0}"),
                shows: format!("the first picture at weight {weight}"),
                prompt: prompt_of(&prompt.text),
                seed: FIRST_SEED,
                weight: *weight,
                nearest: None,
            };
            shown.add(evidence, picture);
        }
    }
    (shown.evidence, shown.pictures)
}

#[derive(Default)]
struct Shown {
    evidence: Vec<Evidence>,
    pictures: Vec<(String, RgbImage)>,
}

impl Shown {
    fn add(&mut self, evidence: Evidence, picture: &Picture) {
        self.pictures
            .push((evidence.name.clone(), picture.pixels.clone()));
        self.evidence.push(evidence);
    }
}

/// # Errors
/// Without the consent of `go_on`.
fn asked(go_on: &mut dyn FnMut() -> ControlFlow<()>) -> Result<(), JudgeError> {
    if go_on().is_break() {
        return Err(JudgeError::Stopped);
    }
    Ok(())
}

fn measuring(what: &'static str) -> impl Fn(candle_core::Error) -> JudgeError {
    move |err| JudgeError::Measure { what, err }
}

#[cfg(test)]
mod tests;
