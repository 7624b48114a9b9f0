//! A whole judgement of small trainings, on pictures of 64 pixels.

use std::{collections::HashSet, sync::LazyLock};

use protocol::judgement::Stamp;

use super::*;
use crate::{
    fixture::{BASE, Fixture},
    metadata::write_lora,
};
use diffusion::{pipeline::PictureRequest, random::Random};

struct Trained {
    fixture: Fixture,
    data: TrainingData,
}

static TRAINED: LazyLock<Trained> = LazyLock::new(|| {
    let fixture = Fixture::new(|_| {});
    let data = TrainingData::prepare(
        &BASE,
        &fixture.recipe,
        &fixture.drawn.manifest,
        &|item| fixture.file(item),
        &mut |_| ControlFlow::Continue(()),
    );
    Trained {
        data: data.unwrap(),
        fixture,
    }
});

/// A LoRA whose matrices are random numbers up to this size.
fn lora(folder: &Path, size: f32) -> std::path::PathBuf {
    let targets = BASE.unet.config().lora_targets();
    let mut random = Random::from_seed(3);
    let mut network = LoraNetwork::new(targets, 4.try_into().unwrap(), 4.0, &mut random);
    for value in network.values_mut() {
        *value = size * (2.0 * random.uniform() - 1.0);
    }
    let path = folder.join("lora.safetensors");
    write_lora(&path, &network.to_tensors().unwrap(), Default::default()).unwrap();
    path
}

fn judged(
    lora: &Path,
    painter: Option<&mut dyn Painter>,
    kept: &mut BasePictures,
) -> Result<Judged, JudgeError> {
    let task = Task {
        base: &*BASE,
        recipe: &TRAINED.fixture.recipe,
        data: &TRAINED.data,
        lora,
        budget: Budget { seconds: 0.0 },
    };
    judge_result_on_cpu(&task, painter, kept, &mut || ControlFlow::Continue(()))
}

fn timeless(judged: Judged) -> Judgement {
    Judgement {
        seconds: 0.0,
        ..judged.judgement
    }
}

#[test]
fn a_lora_that_does_nothing_is_too_weak() {
    let folder = tempfile::tempdir().unwrap();
    let judged = judged(&lora(folder.path(), 1e-4), None, &mut BasePictures::default()).unwrap();
    let judgement = &judged.judgement;
    assert_eq!(judgement.stamp, Stamp::TooWeak, "{}", judgement.sentence);
    assert!(judgement.measure("change_norm").unwrap().value < 1e-3);
    assert!(judgement.measure("likeness_gain").unwrap().value.abs() < 0.05);
    // Every picture that is named is there, and no other.
    let named: Vec<&str> = judgement
        .evidence
        .iter()
        .map(|evidence| evidence.name.as_str())
        .collect();
    let given: Vec<&str> = judged.pictures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(named, given);
    assert_eq!(named.iter().collect::<HashSet<_>>().len(), named.len());
    assert!(named.len() <= 32 && judgement.measures.len() <= 64);
    assert!(
        judged
            .pictures
            .iter()
            .all(|(_, picture)| picture.dimensions() == (64, 64))
    );
}

/// With the base's pictures drawn before or not, the numbers are the same.
#[test]
fn the_same_file_gets_the_same_judgement() {
    let folder = tempfile::tempdir().unwrap();
    let lora = lora(folder.path(), 0.3);
    let mut kept = BasePictures::default();
    let first = judged(&lora, None, &mut kept).unwrap();
    let n_drawn = kept.drawn.len();
    let second = judged(&lora, None, &mut kept).unwrap();
    assert_eq!(kept.drawn.len(), n_drawn);
    assert_eq!(first.pictures, second.pictures);
    let judgement = timeless(first);
    assert_eq!(judgement, timeless(second));
    assert_ne!(judgement.stamp, Stamp::Good, "random numbers are no result");
}

/// Draws gray pictures, and fails from the third on, if it is to.
struct Gray {
    n_drawn: usize,
    fails: bool,
    why: Option<String>,
}

impl Painter for Gray {
    fn draw(&mut self, picture: &PictureRequest, _: Option<f32>) -> Result<RgbImage, PipelineError> {
        self.n_drawn += 1;
        if self.fails && self.n_drawn > 2 {
            let err = "no memory".into();
            return Err(PipelineError::Compute { what: "draw", err });
        }
        let (width, height) = (picture.size.width(), picture.size.height());
        Ok(RgbImage::from_pixel(width, height, image::Rgb([128; 3])))
    }

    fn failed(&mut self, why: &dyn std::error::Error) {
        self.why = Some(why.to_string());
    }

    fn program(&self) -> String {
        "Gray 1.0".to_owned()
    }
}

#[test]
fn a_painter_draws_everything_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lora = lora(folder.path(), 1e-4);
    let mut kept = BasePictures::default();
    let mut painter = Gray {
        n_drawn: 0,
        fails: false,
        why: None,
    };
    let by_painter = judged(&lora, Some(&mut painter), &mut kept).unwrap();
    assert_eq!(by_painter.program.as_deref(), Some("Gray 1.0"));
    let n_pictures = by_painter.judgement.measure("pictures").unwrap().value;
    let n_expected = (painter.n_drawn - kept.drawn.len()) as f64;
    assert!(
        (n_pictures - n_expected).abs() < 0.5,
        "{n_pictures} is not {n_expected}"
    );
    let gray = |(_, picture): &(String, RgbImage)| picture.pixels().all(|pixel| pixel.0 == [128; 3]);
    assert!(by_painter.pictures.iter().all(gray));
    painter.fails = true;
    painter.n_drawn = 0;
    let by_both = judged(&lora, Some(&mut painter), &mut kept).unwrap();
    assert!(painter.why.is_some());
    assert_eq!(by_both.program, None);
    assert!(!by_both.pictures.iter().any(gray));
}

/// Judges until it has asked so often; tells how often it has.
fn judged_until(lora: &Path, last: usize) -> (Result<Judged, JudgeError>, usize) {
    let task = Task {
        base: &*BASE,
        recipe: &TRAINED.fixture.recipe,
        data: &TRAINED.data,
        lora,
        budget: Budget { seconds: 0.0 },
    };
    let mut n_asked = 0;
    let mut go_on = || {
        n_asked += 1;
        if n_asked >= last {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let judged = judge_result_on_cpu(&task, None, &mut BasePictures::default(), &mut go_on);
    (judged, n_asked)
}

#[test]
fn judging_stops_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let lora = lora(folder.path(), 0.1);
    let (judged, n_all) = judged_until(&lora, usize::MAX);
    assert!(judged.is_ok());
    // While the dataset is looked at, while pictures are drawn, and while the file is measured at last.
    for last in [1, n_all / 2, n_all] {
        let (judged, n_asked) = judged_until(&lora, last);
        assert!(matches!(judged, Err(JudgeError::Stopped)), "at {last} of {n_all}");
        assert_eq!(n_asked, last);
    }
}

#[test]
fn losses_are_not_measured_on_when_there_is_no_time() {
    let task = Task {
        base: &*BASE,
        recipe: &TRAINED.fixture.recipe,
        data: &TRAINED.data,
        lora: Path::new("none"),
        budget: Budget { seconds: 0.0 },
    };
    let mut n_asked = 0;
    let mut go_on = || {
        n_asked += 1;
        if n_asked < 3 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let stopped = Losses::of(&task, &AdapterSet::new(), &mut go_on);
    assert!(matches!(stopped, Err(JudgeError::Stopped)));
    assert_eq!(n_asked, 3);
}

#[test]
fn a_file_that_is_none_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    std::fs::write(&path, b"no tensors").unwrap();
    let refused = judged(&path, None, &mut BasePictures::default()).unwrap_err();
    assert!(
        matches!(&refused, JudgeError::File { problem } if problem.contains("cannot be read")),
        "{refused}"
    );
}
