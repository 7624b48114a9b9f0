use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{
    DatasetId, DatasetVersionId, ItemId, JobId,
    dataset::{Manifest, ManifestItem, Split},
    event::StepMetrics,
    job::Job,
    phase::Phase,
    preset::BaseClass,
    recipe::{ParameterOverrides, Recipe, RecipeRequest},
};

use super::{Pricing, StepTimes, file_bytes, outline};

fn recipe(overrides: ParameterOverrides) -> Recipe {
    let request = RecipeRequest {
        base_model: "tiny-xl".into(),
        name: "zora".into(),
        overrides,
        ..RecipeRequest::default()
    };
    Recipe::resolve(request, BaseClass::Tiny).unwrap()
}

fn manifest(sizes: &[(u32, u32, Split)]) -> Manifest {
    let items = sizes.iter().map(|&(width, height, split)| ManifestItem {
        id: ItemId::new(),
        sha256: String::new(),
        width,
        height,
        caption: String::new(),
        split,
        showing: protocol::dataset::Showing::default(),
    });
    Manifest {
        id: DatasetVersionId::new(),
        items: items.collect(),
    }
}

#[test]
fn each_bucket_ends_with_its_own_batch() {
    let recipe = recipe(ParameterOverrides {
        batch_size: Some(2),
        n_steps: Some(10),
        ..ParameterOverrides::default()
    });
    let square = (128, 128, Split::Train);
    let tall = (96, 160, Split::Train);
    let held_out = (128, 128, Split::HeldOut);
    let manifest = manifest(&[square, square, square, tall, held_out]);
    let estimate = outline(recipe, &manifest, None, pricing());
    // Three squares make two batches, one tall picture makes one.
    assert_eq!(estimate.n_steps_per_epoch, 3);
    assert_eq!(estimate.n_epochs, 4);
    assert_eq!((estimate.n_train_items, estimate.n_held_out_items), (4, 1));
    assert_eq!(
        estimate.buckets.iter().map(|bucket| bucket.n_items).sum::<u32>(),
        4
    );
    assert_eq!(estimate.buckets.len(), 2);
}

#[test]
fn pictures_are_shown_as_the_training_sees_them() {
    let request = RecipeRequest {
        base_model: "tiny-xl".into(),
        name: "zora".into(),
        trigger_word: Some("zora".into()),
        overrides: ParameterOverrides {
            batch_size: Some(2),
            n_steps: Some(20),
            resolution: Some(128),
            ..ParameterOverrides::default()
        },
        ..RecipeRequest::default()
    };
    let recipe = Recipe::resolve(request, BaseClass::Tiny).unwrap();
    let mut manifest = manifest(&[
        (128, 128, Split::Train),
        (256, 100, Split::Train),
        (128, 128, Split::Train),
        (128, 128, Split::HeldOut),
    ]);
    manifest.items[0].caption = "smiling".into();
    manifest.items[0].showing.repeats = 3;
    manifest.items[2].showing.regularization = true;
    manifest.items[2].caption = "a girl".into();
    let seen = outline(recipe, &manifest, None, pricing()).seen;
    assert_eq!(seen.len(), 3, "none that is held out");
    assert_eq!(
        (seen[0].id, seen[0].caption.as_str()),
        (manifest.items[0].id, "zora, smiling")
    );
    assert_eq!((seen[0].width, seen[0].height, seen[0].cut), (128, 128, 0.0));
    assert_eq!(seen[1].caption, "zora");
    assert!(
        seen[1].width > seen[1].height && seen[1].cut > 0.0,
        "{:?}",
        seen[1]
    );
    // What the trigger word is not.
    assert_eq!(seen[2].caption, "a girl");
    // 40 views of 3 + 1 repeats, and as many of the regularization picture as of both.
    assert_eq!(
        seen.iter().map(|picture| picture.n_views).collect::<Vec<_>>(),
        [15, 5, 20]
    );
    assert!(seen.iter().all(|picture| !picture.is_caption_changing));
}

/// 170 MB is what sd-scripts writes for rank 32 without text encoders.
#[test]
fn the_size_of_the_file_follows_from_the_ranks() {
    let of = |change: fn(&mut ParameterOverrides)| {
        let mut overrides = ParameterOverrides {
            rank: Some(32),
            ..ParameterOverrides::default()
        };
        change(&mut overrides);
        file_bytes(&recipe(overrides), BaseClass::Sdxl)
    };
    assert_eq!(of(|_| ()), Some(170_229_760));
    let halved = of(|overrides| overrides.rank = Some(16)).unwrap();
    assert_eq!(halved * 2, 170_229_760);
    let with_kernels = of(|overrides| overrides.conv_rank = Some(8)).unwrap();
    assert_eq!(with_kernels - 170_229_760, 2 * (58_560 * 32 + 355_840 * 8));
    let with_text = of(|overrides| overrides.text_encoder_1_learning_rate = Some(1e-5)).unwrap();
    assert_eq!(with_text - 170_229_760, 2 * 165_888 * 32);
    assert_eq!(
        of(|overrides| overrides.trained_blocks = Some(vec!["MID".into()])),
        None
    );
    assert_eq!(
        file_bytes(&recipe(ParameterOverrides::default()), BaseClass::Tiny),
        None
    );
}

#[test]
fn gradient_accumulation_joins_batches() {
    let recipe = recipe(ParameterOverrides {
        batch_size: Some(1),
        gradient_accumulation: Some(4),
        n_steps: Some(10),
        ..ParameterOverrides::default()
    });
    let estimate = outline(recipe, &manifest(&[(128, 128, Split::Train); 6]), None, pricing());
    assert_eq!(estimate.n_steps_per_epoch, 2);
    assert_eq!(estimate.n_epochs, 5);
    assert_eq!(estimate.n_views, 40);
    assert_eq!(estimate.notes, []);
}

fn at_step(step: u32, step_ms: f64) -> StepMetrics {
    StepMetrics {
        step,
        n_steps: 100,
        epoch: 1,
        n_epochs: 1,
        loss: 0.1,
        average_loss: 0.1,
        learning_rate: 1e-4,
        gradient_norm: 1.0,
        step_ms,
        eta_seconds: 1.0,
    }
}

/// A job that did all its steps.
fn finished(recipe: Recipe, seconds: i64) -> Job {
    let started = DateTime::<Utc>::UNIX_EPOCH;
    let last = recipe.parameters().n_steps;
    Job {
        spend: Default::default(),
        project: None,
        rental: None,
        id: JobId::new(),
        phase: Phase::Succeeded,
        reason: None,
        recipe,
        dataset_id: DatasetId::new(),
        dataset_version_id: DatasetVersionId::new(),
        provider: "local".into(),
        priority: 0,
        n_attempts: 1,
        progress: Some(at_step(last, 1.0)),
        checkpoint_step: None,
        is_finishing: false,
        version_of: None,
        note: None,
        stamp: None,
        model_version_id: None,
        last_seq: 0,
        created_at: started,
        started_at: Some(started),
        ended_at: Some(started + TimeDelta::seconds(seconds)),
    }
}

#[test]
fn time_comes_from_like_jobs() {
    let steps = |n_steps, resolution| {
        recipe(ParameterOverrides {
            n_steps: Some(n_steps),
            resolution: Some(resolution),
            ..ParameterOverrides::default()
        })
    };
    let version = Job {
        version_of: Some(JobId::new()),
        progress: None,
        ..finished(steps(100, 128), 2)
    };
    let early = Job {
        progress: Some(at_step(7, 1.0)),
        ..finished(steps(100, 128), 4)
    };
    let jobs = [
        finished(steps(100, 128), 50),
        finished(steps(100, 128), 60),
        finished(steps(100, 128), 500),
        finished(steps(100, 256), 7000),
        version,
        early,
    ];
    let seconds = |recipe: Recipe| {
        let like = jobs.iter().filter(|job| job.recipe.steps_cost_like(&recipe));
        StepTimes::shown_by(like, &HashMap::new()).seconds(&recipe)
    };
    assert_eq!(seconds(steps(200, 128)), Some(120.0));
    assert_eq!(seconds(steps(200, 64)), None);
}

#[test]
fn a_rented_gpu_is_known_by_the_newest_steps_of_its_jobs() {
    let with_step = |step_ms| {
        let mut job = finished(recipe(ParameterOverrides::default()), 100);
        job.phase = Phase::Stopped;
        job.progress = Some(at_step(7, step_ms));
        job
    };
    let jobs = [with_step(1000.0), with_step(3000.0), with_step(2000.0)];
    let gpus: HashMap<JobId, String> = jobs.iter().map(|job| (job.id, "L40S".to_owned())).collect();
    let times = StepTimes::shown_by(jobs.iter(), &gpus);
    assert_eq!(times.on("L40S").map(|step| step.likely), Some(2.0));
    assert!(times.on("A100").is_none());
    assert_eq!(times.seconds(&jobs[0].recipe), None, "none of them ran through");
}

fn pricing() -> Pricing {
    Pricing {
        memory_gb: 1,
        offers: Vec::new(),
        least_limit: None,
        budgets: Vec::new(),
        hash: String::new(),
    }
}
