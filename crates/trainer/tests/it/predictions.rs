//! Bases that are made by training tiny-xl onwards are known by what they do, whatever their files say.

use std::{collections::HashMap, fs, path::Path};

use candle_core::Tensor;
use dataset::picture::read_normalized;
use diffusion::{
    base::BaseModel,
    conditioning::{PictureSizes, vector},
    cpu::Cpu,
    device::tensor,
    graph::AdapterSet,
    random::Random,
    schedulers::{NoiseSchedule, PredictionType},
    tokenizer::TokenLength,
    unet::Conditioning,
    weights::{TensorFile, names},
};
use image::imageops::{FilterType, resize};
use safetensors::{Dtype, tensor::TensorView};
use trainer::{
    losses::Loss,
    network::LoraNetwork,
    optimizers::{AdamWConfig, OptimizerConfig},
    step::{Batch, forward_backward},
};

/// Side of the pictures.
const SIDE: u32 = 128;
/// Pictures in a step.
const BATCH: usize = 4;
/// Steps from one base to the next.
const N_STEPS: usize = 30;
const LEARNING_RATE: f64 = 4e-3;
const RANK: u16 = 32;

fn assets() -> std::path::PathBuf {
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

/// A base under training.
struct Course {
    base: BaseModel,
    network: LoraNetwork,
    optimizer: Box<dyn trainer::optimizers::Optimizer<Cpu>>,
    random: Random,
    latents: Vec<Vec<f32>>,
    told: Conditioning,
}

impl Course {
    fn new() -> Self {
        let base = BaseModel::built_in("tiny-xl").unwrap();
        let mut random = Random::from_seed(5);
        let targets = base.unet.config().lora_targets();
        let network = LoraNetwork::new(targets, RANK.try_into().unwrap(), f64::from(RANK), &mut random);
        let optimizer = OptimizerConfig::AdamW(AdamWConfig::default())
            .start(&network)
            .unwrap();
        Self {
            latents: latents(&base),
            told: told(&base),
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
                timesteps.push(timestep);
            }
            let shape = [BATCH, 4, SIDE as usize / 8, SIDE as usize / 8];
            let batch = Batch {
                noisy: tensor(noisy, shape).unwrap(),
                timesteps,
                conditioning: self.told.clone(),
                target: tensor(target, shape).unwrap(),
                loss: Loss::default(),
                weights: vec![1.0; BATCH],
            };
            let pass = forward_backward(&self.base.unet, &self.network, &batch).unwrap();
            self.optimizer
                .step(&mut self.network, &pass.gradients, LEARNING_RATE)
                .unwrap();
        }
    }

    /// Writes the base that it is by now as a diffusers folder whose scheduler says `said`.
    fn write(&self, folder: &Path, said: &str) {
        let from = assets().join("tiny-xl");
        for part in [
            "text_encoder",
            "text_encoder_2",
            "tokenizer",
            "unet",
            "vae",
            "scheduler",
        ] {
            fs::create_dir_all(folder.join(part)).unwrap();
            for entry in fs::read_dir(from.join(part)).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), folder.join(part).join(entry.file_name())).unwrap();
            }
        }
        fs::copy(from.join("model_index.json"), folder.join("model_index.json")).unwrap();
        fs::write(folder.join("scheduler/scheduler_config.json"), said).unwrap();
        self.merge(&folder.join("unet/diffusion_pytorch_model.safetensors"));
    }

    /// Adds the LoRA to the weights of a U-Net.
    fn merge(&self, path: &Path) {
        let changes: HashMap<String, Tensor> = self.network.to_tensors().unwrap().into_iter().collect();
        let file = TensorFile::open(path).unwrap();
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for name in file.names() {
            let shape = file.info(name).unwrap().shape.clone();
            let mut values = file.read(name).unwrap();
            let module = names::unet_from_diffusers(name, 2).unwrap();
            let key = format!(
                "lora_unet_{}",
                module.trim_end_matches(".weight").replace('.', "_")
            );
            if let (true, Some(down), Some(up)) = (
                name.ends_with(".weight"),
                changes.get(&format!("{key}.lora_down.weight")),
                changes.get(&format!("{key}.lora_up.weight")),
            ) {
                // Alpha is the rank.
                let change: Vec<f32> = up.matmul(down).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                assert_eq!(change.len(), values.len());
                values
                    .iter_mut()
                    .zip(change)
                    .for_each(|(value, change)| *value += change);
            }
            tensors.push((
                name.to_owned(),
                shape,
                values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ));
        }
        drop(file);
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
        fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }
}

const EPSILON: &str = r#"{"prediction_type": "epsilon"}"#;
const V: &str =
    r#"{"prediction_type": "v_prediction", "rescale_betas_zero_snr": true, "timestep_spacing": "trailing"}"#;
const FLOW: &str = r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 1.0}"#;

#[test]
fn bases_that_predict_noise_are_known_whatever_their_files_say() {
    let mut course = Course::new();
    for said in [EPSILON, V, FLOW, EPSILON] {
        course.train(N_STEPS);
        let folder = tempfile::tempdir().unwrap();
        course.write(folder.path(), said);
        let mut base = BaseModel::load(folder.path()).unwrap();
        let stated = base.scheduler.prediction_type;
        let behavior = base.confirm_prediction().unwrap();
        assert_eq!(
            behavior.is,
            Some(PredictionType::Epsilon),
            "{said}: {behavior:#?}"
        );
        // What the file says counts, and that it is wrong is said.
        assert_eq!(base.scheduler.prediction_type, stated);
        let warnings = base.info.warnings();
        let is_wrong = stated != PredictionType::Epsilon;
        assert_eq!(warnings.len(), usize::from(is_wrong), "{warnings:?}");
        if is_wrong {
            assert!(
                warnings[0].contains("but it behaves like epsilon"),
                "{warnings:?}"
            );
        }
    }
}
