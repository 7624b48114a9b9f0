use std::path::PathBuf;

use super::*;
use crate::{
    fixture::{BASE, Fixture},
    metadata::write_lora,
    network::LoraNetwork,
    tensor_file::{Precision, TensorFile, write_atomically},
};
use diffusion::{pipeline::PictureSize, random::Random, schedulers::Sampler, tokenizer::TokenLength};
use prompt::Reading;

/// The tensors of a LoRA that changes a lot: random down and up.
fn tensors() -> Vec<(String, Tensor)> {
    let targets = BASE.unet.config().lora_targets();
    let mut random = Random::from_seed(3);
    let mut network = LoraNetwork::new(targets, 4.try_into().unwrap(), 4.0, &mut random);
    for value in network.values_mut() {
        *value += 0.5 * (2.0 * random.uniform() - 1.0);
    }
    network.to_tensors().unwrap()
}

fn judged(write: impl FnOnce(PathBuf)) -> Evaluation {
    judged_with(write, None)
}

fn judged_with(write: impl FnOnce(PathBuf), painter: Option<&mut dyn Painter>) -> Evaluation {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    write(path.clone());
    let fixture = Fixture::new(|_| ());
    let data = TrainingData::prepare(
        &BASE,
        &fixture.recipe,
        &fixture.drawn.manifest,
        &|item| fixture.file(item),
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap();
    let picture = PictureRequest {
        prompt: "zora".into(),
        negative: None,
        reading: Reading::default(),
        length: TokenLength::default(),
        guidance: 5.0,
        n_steps: 4.try_into().unwrap(),
        size: PictureSize::new(64, 64).unwrap(),
        sampler: Sampler::Euler,
        seed: 1,
        initial_noise: None,
    };
    let subject = Subject::of(&BASE, &fixture.recipe);
    evaluate(&subject, &path, &data, (&picture, painter)).unwrap()
}

/// An engine whose pictures have one brightness each, by the weight.
struct Flat {
    brightness: fn(Option<f32>) -> Option<u8>,
    failure: Option<String>,
}

impl Flat {
    fn new(brightness: fn(Option<f32>) -> Option<u8>) -> Self {
        let failure = None;
        Self { brightness, failure }
    }

    /// Judges a good file with it.
    fn judge(&mut self) -> Evaluation {
        let write = |path: PathBuf| {
            write_lora(&path, &tensors(), Default::default()).unwrap();
        };
        judged_with(write, Some(self))
    }
}

impl Painter for Flat {
    fn draw(&mut self, picture: &PictureRequest, weight: Option<f32>) -> Result<RgbImage, PipelineError> {
        let value = (self.brightness)(weight).ok_or(PipelineError::NotFinite { n_done: 1 })?;
        let (width, height) = (picture.size.width(), picture.size.height());
        Ok(RgbImage::from_pixel(width, height, image::Rgb([value; 3])))
    }

    fn failed(&mut self, why: &dyn std::error::Error) {
        self.failure = Some(why.to_string());
    }

    fn program(&self) -> String {
        "another program".to_owned()
    }
}

#[test]
fn another_engine_draws_the_pictures() {
    let mut painter = Flat::new(|weight| Some(if weight == Some(1.0) { 90 } else { 80 }));
    let evaluation = painter.judge();
    assert_eq!(evaluation.verdict.picture_change, Some(10.0));
    assert_eq!(evaluation.program.as_deref(), Some("another program"));
    let [before, after] = evaluation.pictures.unwrap();
    assert_eq!((before.as_raw()[0], after.as_raw()[0]), (80, 90));
    assert_eq!(painter.failure, None);
}

#[test]
fn a_picture_at_weight_0_that_is_another_fails_whoever_draws_it() {
    let mut painter = Flat::new(|weight| {
        Some(match weight {
            None => 80,
            Some(0.0) => 81,
            Some(_) => 90,
        })
    });
    failed(&painter.judge(), "weight_zero", "is not the base model's");
}

#[test]
fn the_native_engine_draws_all_of_them_where_another_cannot() {
    let mut painter = Flat::new(|weight| (weight != Some(1.0)).then_some(80));
    let evaluation = painter.judge();
    assert!(painter.failure.unwrap().contains("not finite after step 1"));
    assert_eq!(evaluation.program, None);
    let [before, after] = evaluation.pictures.unwrap();
    assert!(before != after && before.as_raw().iter().any(|value| *value != 80));
}

fn written(tensors: Vec<(String, Tensor)>) -> Evaluation {
    judged(|path| {
        write_lora(&path, &tensors, Default::default()).unwrap();
    })
}

#[track_caller]
fn failed(evaluation: &Evaluation, name: &str, detail: &str) {
    assert!(!evaluation.verdict.passed);
    let check = evaluation
        .verdict
        .checks
        .iter()
        .find(|check| check.name == name)
        .unwrap();
    assert!(!check.passed && check.detail.contains(detail), "{check:?}");
}

#[test]
fn random_weights_are_a_whole_file_that_predicts_worse() {
    let evaluation = written(tensors());
    let results: Vec<_> = evaluation
        .verdict
        .checks
        .iter()
        .map(|check| (check.name.as_str(), check.passed))
        .collect();
    assert_eq!(
        results,
        [
            ("opens", true),
            ("complete", true),
            ("finite", true),
            ("non_zero", true),
            ("weight_zero", true),
            ("picture_changes", true),
            ("validation_loss", false),
        ]
    );
    let [before, after] = evaluation.pictures.unwrap();
    assert_ne!(before, after);
    let verdict = evaluation.verdict;
    assert_eq!(
        verdict.module_norms.len(),
        BASE.unet.config().lora_targets().len()
    );
    assert!(verdict.module_norms.is_sorted_by(|a, b| a.norm >= b.norm));
    let losses = verdict.validation.unwrap();
    assert_eq!((losses.n_items, losses.before.len()), (1, 5));
    assert!(losses.mean_after() > losses.mean_before());
}

#[test]
fn an_untrained_file_changes_nothing() {
    let targets = BASE.unet.config().lora_targets();
    let network = LoraNetwork::new(targets, 4.try_into().unwrap(), 4.0, &mut Random::from_seed(3));
    let evaluation = written(network.to_tensors().unwrap());
    failed(&evaluation, "non_zero", "modules change nothing");
    failed(&evaluation, "picture_changes", "changes by 0.00");
    let [before, after] = evaluation.pictures.unwrap();
    assert_eq!(before, after);
}

#[test]
fn broken_files_get_a_verdict() {
    let evaluation = judged(|path| std::fs::write(path, b"no tensors").unwrap());
    failed(&evaluation, "opens", "cannot be read");
    assert!(evaluation.pictures.is_none());

    let mut incomplete = tensors();
    let (name, _) = incomplete.pop().unwrap();
    failed(
        &written(incomplete),
        "complete",
        &format!("1 tensors are missing, `{name}` among them"),
    );

    let mut surplus = tensors();
    surplus.push((
        "lora_unet_nowhere.alpha".into(),
        Tensor::new(1.0_f32, &HOST).unwrap(),
    ));
    failed(
        &written(surplus),
        "complete",
        "`lora_unet_nowhere.alpha` among them",
    );

    let mut broken = tensors();
    broken[0].1 = (&broken[0].1 * f64::NAN).unwrap();
    let name = broken[0].0.clone();
    let evaluation = judged(|path| {
        let file = TensorFile::new(&broken, Precision::F32);
        write_atomically(&path, |out| file.write(&Default::default(), out)).unwrap();
    });
    failed(
        &evaluation,
        "finite",
        &format!("1 tensors hold numbers that are not finite, `{name}`"),
    );
}

/// A "successful" run of sd-scripts whose weights are NaN.
#[test]
fn the_nan_file_of_sd_scripts_fails() {
    let golden = std::env::var_os("MORPHEUS_GOLDEN")
        .map(|folder| PathBuf::from(folder).join("kohya-nan-lora.safetensors"));
    let Some(golden) = golden.filter(|path| path.exists()) else {
        eprintln!("skipped: MORPHEUS_GOLDEN names no folder with kohya-nan-lora.safetensors");
        return;
    };
    let evaluation = judged(|path| {
        std::fs::copy(golden, path).unwrap();
    });
    failed(&evaluation, "finite", "not finite");
}
