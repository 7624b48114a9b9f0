//! Bases that are made by training tiny-xl onwards are known by what they do, whatever their files say.
//!
//! What turns tiny-xl into a base of another prediction is in tests/golden/bases: all its weights were trained
//! (tools/golden/bases.py), since a LoRA does not turn it. From each of these, more are trained here.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use candle_core::Tensor;
use dataset::picture::read_normalized;
use diffusion::{
    base::{BaseModel, BaseOptions, export_built_in},
    conditioning::{PictureSizes, vector},
    cpu::Cpu,
    device::tensor,
    graph::AdapterSet,
    random::Random,
    schedulers::NoiseSchedule,
    tokenizer::TokenLength,
    unet::Conditioning,
    weights::{TensorFile, names},
};
use image::imageops::{FilterType, resize};
use protocol::base::Prediction;
use safetensors::{Dtype, tensor::TensorView};
use trainer::{
    losses::Loss,
    network::LoraNetwork,
    optimizers::{AdamWConfig, OptimizerConfig, Rates},
    step::{Batch, Told, forward_backward},
};

/// Side of the pictures.
const SIDE: u32 = 128;
/// Pictures in a step.
const BATCH: usize = 4;
/// Steps from one base to the next.
const N_STEPS: usize = 6;
const LEARNING_RATE: f64 = 1e-3;
const RANK: u16 = 32;

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets")
}

/// Latents of the demo's pictures, `[4, 16, 16]` each.
fn latents(base: &BaseModel) -> Vec<Vec<f32>> {
    let mut latents = Vec::new();
    for number in 0..16 {
        let png = fs::read(assets().join(format!("demo-datasets/zora/{number:03}.png"))).unwrap();
        let picture = read_normalized(&png).unwrap();
        let picture = resize(&picture, SIDE, SIDE, FilterType::Triangle);
        let mut values = vec![0.0; 3 * (SIDE * SIDE) as usize];
        for (x, y, pixel) in picture.enumerate_pixels() {
            for (channel, value) in pixel.0.into_iter().enumerate() {
                values[channel * (SIDE * SIDE) as usize + (y * SIDE + x) as usize] =
                    f32::from(value) / 127.5 - 1.0;
            }
        }
        let picture = tensor(values, [1, 3, SIDE as usize, SIDE as usize]).unwrap();
        let mean = base.vae.encode(&picture).unwrap().mean().unwrap();
        latents.push(mean.flatten_all().unwrap().to_vec1().unwrap());
    }
    latents
}

/// What the U-Net is told of every picture: nothing but sizes.
fn told(base: &BaseModel) -> Conditioning {
    let text = base
        .text_encoders
        .encode(&[""], TokenLength::T75, &AdapterSet::new())
        .unwrap();
    let sizes = [PictureSizes::whole(SIDE, SIDE); BATCH];
    Conditioning {
        context: text.context.repeat((BATCH, 1, 1)).unwrap(),
        vector: vector(&text.pooled.repeat((BATCH, 1)).unwrap(), &sizes).unwrap(),
    }
}

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// Adds to tensors of a file what `change` says of their names.
fn add_to_tensors(path: &Path, change: impl Fn(&str) -> Option<Vec<f32>>) {
    let file = TensorFile::open(path).unwrap();
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for name in file.names() {
        let shape = file.info(name).unwrap().shape.clone();
        let mut values = file.read(name).unwrap();
        if let Some(change) = change(name) {
            assert_eq!(change.len(), values.len(), "{name}");
            values
                .iter_mut()
                .zip(change)
                .for_each(|(value, change)| *value += change);
        }
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensors.push((name.to_owned(), shape, bytes));
    }
    drop(file);
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Makes tiny-xl into a base that predicts something else.
fn turn(folder: &Path, prediction: Prediction) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bases");
    let golden = TensorFile::open(&golden.join(format!("{prediction}.safetensors"))).unwrap();
    let matrix = |name: &str| {
        let shape = golden.info(name)?.shape.clone();
        Some(tensor(golden.read(name).unwrap(), shape).unwrap())
    };
    add_to_tensors(&folder.join(UNET), |name| {
        let change = match (matrix(&format!("{name}.up")), matrix(&format!("{name}.down"))) {
            (Some(up), Some(down)) => up.matmul(&down).unwrap(),
            _ => matrix(name).unwrap_or_else(|| panic!("nothing about {name}")),
        };
        Some(change.flatten_all().unwrap().to_vec1().unwrap())
    });
}

/// A base under training.
struct Course {
    /// The base that it began with, as a diffusers folder.
    folder: tempfile::TempDir,
    base: BaseModel,
    network: LoraNetwork,
    optimizer: Box<dyn trainer::optimizers::Optimizer<Cpu>>,
    random: Random,
    latents: Vec<Vec<f32>>,
    told: Conditioning,
}

impl Course {
    /// Begins with a base that predicts this.
    fn new(prediction: Prediction) -> Self {
        let folder = tempfile::tempdir().unwrap();
        export_built_in("tiny-xl", folder.path()).unwrap();
        if prediction != Prediction::Epsilon {
            turn(folder.path(), prediction);
        }
        let options = BaseOptions {
            prediction: Some(prediction),
            vae: None,
        };
        let base = BaseModel::load_on(&Cpu, folder.path(), &options).unwrap();
        let mut random = Random::from_seed(5);
        let targets = base.unet.config().lora_targets();
        let network = LoraNetwork::new(targets, RANK.try_into().unwrap(), f64::from(RANK), &mut random);
        let optimizer = OptimizerConfig::AdamW(AdamWConfig::default())
            .start(&network)
            .unwrap();
        Self {
            latents: latents(&base),
            told: told(&base),
            folder,
            base,
            network,
            optimizer,
            random,
        }
    }

    fn train(&mut self, n_steps: usize) {
        let schedule = NoiseSchedule::new(&self.base.scheduler);
        let prediction = self.base.scheduler.prediction_type;
        for _ in 0..n_steps {
            let (mut noisy, mut target, mut timesteps) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..BATCH {
                let picture = &self.latents[self.random.integer(0..self.latents.len() as u32) as usize];
                let timestep = self.random.integer(1..1000);
                let noise = self.random.normal(picture.len());
                let mix = schedule.mix(timestep as usize);
                let mix = (mix.0 as f32, mix.1 as f32);
                for (x, e) in picture.iter().zip(&noise) {
                    noisy.push(mix.0 * x + mix.1 * e);
                    target.push(prediction.target(mix, *x, *e));
                }
                timesteps.push(timestep as f32);
            }
            let shape = [BATCH, 4, SIDE as usize / 8, SIDE as usize / 8];
            let batch = Batch {
                noisy: tensor(noisy, shape).unwrap(),
                timesteps,
                told: Told::Encoded(self.told.clone()),
                target: tensor(target, shape).unwrap(),
                loss: Loss::default(),
                weights: vec![1.0; BATCH],
                corners: vec![1.0; BATCH],
                mask: Vec::new(),
                draws: None,
            };
            let pass = forward_backward(&self.base.unet, &self.network, &batch).unwrap();
            self.optimizer
                .step(&mut self.network, &pass.gradients, Rates::same(LEARNING_RATE))
                .unwrap();
        }
    }

    /// Writes the base that it is by now as a diffusers folder whose scheduler says `said`.
    fn write(&self, folder: &Path, said: &str) {
        export_built_in("tiny-xl", folder).unwrap();
        fs::write(folder.join("scheduler/scheduler_config.json"), said).unwrap();
        let unet = folder.join(UNET);
        fs::copy(self.folder.path().join(UNET), &unet).unwrap();
        let changes: HashMap<String, Tensor> = self.network.to_tensors().unwrap().into_iter().collect();
        add_to_tensors(&unet, |name| {
            let module = names::unet_from_diffusers(name, 2).unwrap();
            let module = module.strip_suffix(".weight")?.replace('.', "_");
            let matrix = |matrix: &str| changes.get(&format!("lora_unet_{module}.lora_{matrix}.weight"));
            // Alpha is the rank.
            let change = matrix("up")?.matmul(matrix("down")?).unwrap();
            Some(change.flatten_all().unwrap().to_vec1().unwrap())
        });
    }
}

const EPSILON: &str = r#"{"prediction_type": "epsilon"}"#;
const V: &str =
    r#"{"prediction_type": "v_prediction", "rescale_betas_zero_snr": true, "timestep_spacing": "trailing"}"#;
const FLOW: &str = r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 1.0}"#;
const NOTHING: &str = "{}";

/// What is said of the bases of one kind, one trained onwards from the other, and whether that is wrong.
fn check(prediction: Prediction, all_said: [(&str, bool); 4]) {
    let mut course = Course::new(prediction);
    for (i, (said, is_wrong)) in all_said.into_iter().enumerate() {
        if i > 0 {
            course.train(N_STEPS);
        }
        let folder = tempfile::tempdir().unwrap();
        course.write(folder.path(), said);
        let mut base = BaseModel::load(folder.path()).unwrap();
        let taken = base.scheduler.prediction();
        let measured = base.measure().unwrap();
        let is = measured
            .is
            .unwrap_or_else(|| panic!("{i}: {:#?}", base.observe().unwrap()));
        assert!(is.agrees(prediction), "{i}: {:#?}", base.observe().unwrap());
        let loss = |of: Prediction| {
            let readings = measured.losses.iter();
            let losses = readings.filter(|reading| reading.prediction == of);
            losses.map(|reading| reading.loss).next().unwrap()
        };
        for other in Prediction::ALL
            .into_iter()
            .filter(|other| !other.agrees(prediction))
        {
            assert!(
                prediction.agrees(other) || loss(prediction) < loss(other),
                "{i}: {measured:?}"
            );
        }
        // What the file says counts, and that it is wrong is said.
        base.info.measured = Some(measured);
        assert_eq!(base.scheduler.prediction(), taken);
        let warnings = base.info.warnings();
        assert_eq!(warnings.len(), usize::from(is_wrong), "{i}: {warnings:?}");
        if is_wrong {
            let behaves = format!("but it behaves like {}", is.describe());
            assert!(warnings[0].contains(&behaves), "{warnings:?}");
        }
    }
}

#[test]
fn bases_that_predict_noise_are_known_whatever_their_files_say() {
    let said = [(EPSILON, false), (V, true), (FLOW, true), (NOTHING, false)];
    check(Prediction::Epsilon, said);
}

#[test]
fn bases_that_predict_velocity_to_the_end_are_known_whatever_their_files_say() {
    let said = [(V, false), (EPSILON, true), (FLOW, true), (NOTHING, true)];
    check(Prediction::VZeroSnr, said);
}

#[test]
fn bases_of_rectified_flow_are_known_whatever_their_files_say() {
    let said = [(FLOW, false), (EPSILON, true), (V, true), (NOTHING, true)];
    check(Prediction::Flow, said);
}
