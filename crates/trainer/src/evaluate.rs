//! Judges a trained file: whether it is fit for use, with the numbers that say so.
//!
//! It looks at the file as another program would, not at what the training has in memory.

use std::{
    collections::{BTreeSet, HashMap},
    ops::ControlFlow,
    path::Path,
};

use candle_core::Tensor;
use diffusion::{
    base::BaseModel,
    device::{Device, HOST, TrainingDevice},
    graph::AdapterSet,
    pipeline::{self, PictureRequest, PipelineError},
};
use image::RgbImage;
use protocol::{
    model::{ModuleNorm, ValidationLosses, Verdict, VerdictCheck},
    recipe::Recipe,
};

use crate::{
    data::{Sample, TrainingData},
    kinds::Module,
    network::LoraNetwork,
    targets,
    validation::{TIMESTEPS, mean, validation_losses},
};

/// Least mean change of the fixed-seed picture, in steps of 1/255: a change that small is invisible, and
/// re-encoding a picture as JPEG changes more.
pub const MIN_PICTURE_CHANGE: f64 = 0.2;
/// The same picture with another program's rounding: on a GPU, sums are not always added in the same order.
const SAME_PICTURE: f64 = 0.05;
/// Pictures that stand in for held-out ones in a dataset too small to have any.
const N_PROBED: usize = 4;

/// What a file is judged against: the base that it was trained on, and what was to be trained of it.
#[derive(Debug)]
pub struct Subject<'a, D: Device> {
    base: &'a BaseModel<D>,
    modules: Vec<Module>,
}

impl<'a, D: TrainingDevice> Subject<'a, D> {
    /// What a recipe trains of a base.
    pub fn of(base: &'a BaseModel<D>, recipe: &Recipe) -> Self {
        let planned = targets::planned(base, recipe).into_iter();
        Self {
            base,
            // Where their numbers would lie does not matter.
            modules: planned.map(|planned| planned.place(0)).collect(),
        }
    }

    /// The tensors of its file.
    fn names(&self) -> candle_core::Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for module in &self.modules {
            names.extend(module.parameters().into_iter().map(|parameter| parameter.name));
            names.extend(module.constants()?.into_iter().map(|(name, _)| name));
        }
        Ok(names)
    }
}

/// A verdict, and the pictures that it looked at.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Whether the file is fit for use.
    pub verdict: Verdict,
    /// The fixed-seed picture without and with the LoRA; absent if the file was too broken to render with.
    pub pictures: Option<[RgbImage; 2]>,
    /// The program that drew them, where the native engine did not.
    pub program: Option<String>,
}

/// Another engine that draws the pictures of a verdict.
pub trait Painter {
    /// The picture with the file that is judged at a weight, or without it.
    ///
    /// # Errors
    /// If it fails, or is asked to stop.
    fn draw(&mut self, picture: &PictureRequest, weight: Option<f32>) -> Result<RgbImage, PipelineError>;

    /// It failed: the native engine draws all of them.
    fn failed(&mut self, why: &dyn std::error::Error);

    /// The program, as records of its pictures name it.
    fn program(&self) -> String;
}

/// Why a file could not be judged. A file that is merely bad gets a verdict that says so.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// A picture could not be rendered.
    #[error("failed to render the fixed-seed picture")]
    Render(#[source] PipelineError),
    /// A loss could not be measured.
    #[error("failed to measure the validation loss")]
    Measure(#[source] candle_core::Error),
    /// The LoRA could not be applied.
    #[error("failed to apply the trained file to the base")]
    Apply(#[source] candle_core::Error),
}

/// Judges a LoRA file for the base that it was trained on, by a fixed-seed picture and by the losses on held-out
/// pictures. The picture is drawn by the painter if there is one and it can.
///
/// # Errors
/// If the judging itself fails.
pub fn evaluate<D: TrainingDevice>(
    subject: &Subject<'_, D>,
    lora: &Path,
    data: &TrainingData,
    (picture, painter): (&PictureRequest, Option<&mut dyn Painter>),
) -> Result<Evaluation, EvaluateError> {
    let base = subject.base;
    let mut checks = Checks::default();
    let Some((network, module_norms)) = check_file(subject, lora, &mut checks) else {
        return Ok(Evaluation {
            verdict: checks.verdict(Vec::new()),
            pictures: None,
            program: None,
        });
    };
    let applied = |weight: f32| network.applied(base, weight).map_err(EvaluateError::Apply);
    let mut native = |weight: Option<f32>| -> Result<RgbImage, EvaluateError> {
        let adapters = weight.map_or_else(|| Ok(AdapterSet::new()), applied)?;
        let go_on = &mut |_, _| ControlFlow::Continue(());
        let pictures = pipeline::generate(base, &adapters, picture, go_on);
        Ok(pictures.map_err(EvaluateError::Render)?.swap_remove(0))
    };
    let painted = match painter {
        Some(painter) => paint(painter, picture)?,
        None => None,
    };
    let (drawn, program) = match painted {
        Some((drawn, program)) => (drawn, Some(program)),
        None => (Drawn::of(&mut native)?, None),
    };
    let Drawn {
        before,
        at_zero,
        after,
    } = drawn;
    let (is_same, how) = if at_zero == before {
        (true, "exactly")
    } else if program.is_some() && mean_change(&before, &at_zero) < SAME_PICTURE {
        (true, "but for rounding")
    } else {
        (false, "not")
    };
    checks.add(
        "weight_zero",
        is_same,
        format!("at weight 0 the picture is {how} the base model's"),
    );
    let after = match after {
        Ok(after) => after,
        Err(err) => {
            checks.add("picture_changes", false, err.to_string());
            return Ok(Evaluation {
                verdict: checks.verdict(module_norms),
                pictures: None,
                program: None,
            });
        }
    };
    let change = mean_change(&before, &after);
    checks.add(
        "picture_changes",
        change > MIN_PICTURE_CHANGE,
        format!(
            "the test picture changes by {:.2} % ({:.2} % is the least that counts)",
            change / 2.55,
            MIN_PICTURE_CHANGE / 2.55
        ),
    );

    let is_probe = data.held_out.is_empty();
    let samples: &[Sample] = if is_probe {
        &data.subjects()[..data.subjects().len().min(N_PROBED)]
    } else {
        &data.held_out
    };
    let measure = |adapters: &AdapterSet<D>| {
        validation_losses(base, adapters, data, samples).map_err(EvaluateError::Measure)
    };
    let losses = ValidationLosses {
        n_items: samples.len() as u32,
        timesteps: TIMESTEPS.to_vec(),
        before: measure(&AdapterSet::new())?,
        after: measure(&applied(1.0)?)?,
    };
    let (loss_before, loss_after) = (mean(&losses.before), mean(&losses.after));
    let (name, which) = if is_probe {
        ("train_probe_loss", "trained pictures (too few to hold any out)")
    } else {
        ("validation_loss", "held-out pictures")
    };
    checks.add(
        name,
        loss_after < loss_before,
        format!(
            "loss on {} {which}: {loss_before:.4} before, {loss_after:.4} after",
            samples.len()
        ),
    );
    let mut verdict = checks.verdict(module_norms);
    verdict.validation = (!is_probe).then_some(losses);
    verdict.picture_change = Some(change);
    Ok(Evaluation {
        verdict,
        pictures: Some([before, after]),
        program,
    })
}

/// The fixed-seed picture in three ways, by one engine.
struct Drawn {
    /// Without the LoRA.
    before: RgbImage,
    /// With the LoRA at weight 0.
    at_zero: RgbImage,
    /// With the LoRA at weight 1, if its numbers do not overflow.
    after: Result<RgbImage, PipelineError>,
}

impl Drawn {
    /// By a function of the LoRA's weight, which is absent for the picture without it.
    fn of(
        draw: &mut dyn FnMut(Option<f32>) -> Result<RgbImage, EvaluateError>,
    ) -> Result<Self, EvaluateError> {
        Ok(Self {
            before: draw(None)?,
            at_zero: draw(Some(0.0))?,
            after: match draw(Some(1.0)) {
                Ok(after) => Ok(after),
                Err(EvaluateError::Render(err @ PipelineError::NotFinite { .. })) => Err(err),
                Err(err) => return Err(err),
            },
        })
    }
}

/// The pictures of another engine, and its program; none if it cannot draw them. What overflows in its half precision
/// may not do so in the native engine.
fn paint(
    painter: &mut dyn Painter,
    picture: &PictureRequest,
) -> Result<Option<(Drawn, String)>, EvaluateError> {
    let drawn = Drawn::of(&mut |weight| painter.draw(picture, weight).map_err(EvaluateError::Render));
    match drawn {
        Ok(Drawn { after: Err(err), .. }) => painter.failed(&err),
        Ok(drawn) => return Ok(Some((drawn, painter.program()))),
        Err(err @ EvaluateError::Render(PipelineError::Cancelled { .. })) => return Err(err),
        Err(err) => painter.failed(&err),
    }
    Ok(None)
}

/// Whether a LoRA file opens and is complete, finite and not zero. Takes a moment; nothing is rendered.
pub fn inspect<D: TrainingDevice>(subject: &Subject<'_, D>, lora: &Path) -> Verdict {
    let mut checks = Checks::default();
    let norms = check_file(subject, lora, &mut checks).map(|(_, norms)| norms);
    checks.verdict(norms.unwrap_or_default())
}

/// Checks that a file opens, is complete, finite and not zero. Returns its modules and their norms, unless they
/// are too broken to render with.
fn check_file<D: TrainingDevice>(
    subject: &Subject<'_, D>,
    path: &Path,
    checks: &mut Checks,
) -> Option<(LoraNetwork<D>, Vec<ModuleNorm>)> {
    let tensors = match candle_core::safetensors::load(path, &HOST) {
        Ok(tensors) => tensors,
        Err(err) => {
            checks.add("opens", false, format!("the file cannot be read: {err}"));
            return None;
        }
    };
    checks.add("opens", true, format!("the file holds {} tensors", tensors.len()));
    let expected = match subject.names() {
        Ok(names) => names,
        Err(err) => {
            checks.add("complete", false, format!("the file cannot be checked: {err}"));
            return None;
        }
    };
    let found: BTreeSet<String> = tensors.keys().cloned().collect();
    let missing: Vec<&String> = expected.difference(&found).collect();
    let surplus: Vec<&String> = found.difference(&expected).collect();
    let detail = match (missing.first(), surplus.first()) {
        (Some(name), _) => format!("{} tensors are missing, `{name}` among them", missing.len()),
        (None, Some(name)) => format!(
            "{} tensors belong to no layer, `{name}` among them",
            surplus.len()
        ),
        (None, None) => format!("all {} modules are complete", subject.modules.len()),
    };
    checks.add("complete", missing.is_empty() && surplus.is_empty(), detail);

    let broken: Vec<&String> = tensors
        .iter()
        .filter(|(_, tensor)| !is_finite(tensor))
        .map(|(name, _)| name)
        .collect();
    let detail = match broken.iter().min() {
        Some(name) => format!(
            "{} tensors hold numbers that are not finite, `{name}` among them",
            broken.len()
        ),
        None => "every number is finite".to_owned(),
    };
    checks.add("finite", broken.is_empty(), detail);
    if !broken.is_empty() {
        return None;
    }
    let (network, norms) = match read_modules(subject, &tensors) {
        Ok(read) => read,
        Err(problem) => {
            checks.add("non_zero", false, problem);
            return None;
        }
    };
    // Modules of a layer whose result nobody uses stay as they begin.
    let idle = subject.modules.iter().filter(|module| module.rate == 0.0);
    let idle: BTreeSet<&str> = idle.map(|module| module.target.key.as_str()).collect();
    let zero = norms
        .iter()
        .filter(|module| module.norm == 0.0 && !idle.contains(module.module.as_str()));
    let zero: Vec<&ModuleNorm> = zero.collect();
    let detail = match (zero.first(), norms.first()) {
        (Some(module), _) => format!(
            "{} modules change nothing, `{}` among them",
            zero.len(),
            module.module
        ),
        (None, Some(largest)) => format!("every module changes its layer, by {:.3} at most", largest.norm),
        (None, None) => "there are no modules".to_owned(),
    };
    checks.add("non_zero", zero.is_empty() && !norms.is_empty(), detail);
    Some((network, norms))
}

/// The modules of a file and their norms, the largest first.
///
/// # Errors
/// Says in words why the file cannot be used with the base.
pub(crate) fn open<D: TrainingDevice>(
    subject: &Subject<'_, D>,
    path: &Path,
) -> Result<(LoraNetwork<D>, Vec<ModuleNorm>), String> {
    let tensors = candle_core::safetensors::load(path, &HOST);
    let tensors = tensors.map_err(|err| format!("the file cannot be read: {err}"))?;
    read_modules(subject, &tensors)
}

/// The modules that fit the base, and their norms, the largest first.
fn read_modules<D: TrainingDevice>(
    subject: &Subject<'_, D>,
    tensors: &HashMap<String, Tensor>,
) -> Result<(LoraNetwork<D>, Vec<ModuleNorm>), String> {
    let explain = |err: &dyn std::error::Error| format!("the modules do not fit the base: {err}");
    let targets = subject.modules.iter().map(|module| module.target.clone());
    let lookup = |name: &str| tensors.get(name).cloned();
    let network =
        LoraNetwork::load(subject.base.device(), targets.collect(), &lookup).map_err(|err| explain(&err))?;
    let values = network.device().values(network.values());
    let values = values.map_err(|err| explain(&err))?;
    let mut norms = Vec::with_capacity(network.n_modules());
    for module in (0..network.n_modules()).map(|index| network.module(index)) {
        let key = &module.target.key;
        let norm = module.change_norm(&values, || targets::weight(subject.base, key));
        norms.push(ModuleNorm {
            module: key.clone(),
            norm: norm.map_err(|err| explain(&err))?,
        });
    }
    norms.sort_by(|a, b| b.norm.total_cmp(&a.norm));
    Ok((network, norms))
}

fn is_finite(tensor: &Tensor) -> bool {
    let sum = tensor
        .to_dtype(candle_core::DType::F32)
        .and_then(|tensor| tensor.flatten_all()?.to_vec1::<f32>());
    sum.is_ok_and(|values| values.iter().all(|value| value.is_finite()))
}

/// Mean absolute difference in steps of 1/255.
fn mean_change(before: &RgbImage, after: &RgbImage) -> f64 {
    let n_values = before.as_raw().len();
    let sum: u64 = before
        .as_raw()
        .iter()
        .zip(after.as_raw())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / n_values as f64
}

#[derive(Default)]
struct Checks(Vec<VerdictCheck>);

impl Checks {
    fn add(&mut self, name: &str, passed: bool, detail: String) {
        self.0.push(VerdictCheck {
            name: name.to_owned(),
            passed,
            detail,
        });
    }

    fn verdict(self, module_norms: Vec<ModuleNorm>) -> Verdict {
        Verdict {
            passed: self.0.iter().all(|check| check.passed),
            checks: self.0,
            validation: None,
            picture_change: None,
            module_norms,
        }
    }
}

#[cfg(test)]
mod tests;
