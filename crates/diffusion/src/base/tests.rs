//! The built-in model loads from anywhere; what the parts of a folder say is checked.

use std::fs;

use super::*;
use crate::{
    layers::WeightSource,
    schedulers::TimestepSpacing,
    tokenizer::Padding,
    weights::{Component, names},
};

#[test]
fn tiny_xl_is_built_in() {
    let base = BaseModel::open("tiny-xl").unwrap();
    assert_eq!(base.info.model_channels, 32);
    assert_eq!(base.info.native_resolution, 128);
    assert!(base.info.absent_negative_is_zero);
    assert_eq!(base.info.path, None);
    let config = base.unet.config();
    let heads: Vec<usize> = config.levels.iter().map(|level| level.n_heads).collect();
    assert_eq!(heads, [1, 2, 4]);
    assert_eq!((config.n_norm_groups, config.middle_depth), (4, 2));
    assert_eq!(base.vae.config().n_norm_groups, 2);
    assert_eq!(base.text_encoders.second_padding, Padding::End);
    assert_eq!(base.scheduler.timestep_spacing, TimestepSpacing::Leading);
    assert_eq!(base.file_sha256(), None);
    assert_eq!(base.fingerprint().len(), 64);
}

#[test]
fn the_folder_is_the_built_in_model() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/tiny-xl");
    let base = BaseModel::load(&folder).unwrap();
    let built_in = BaseModel::built_in("tiny-xl").unwrap();
    assert_eq!(base.fingerprint(), built_in.fingerprint());
    assert_eq!(base.unet.config(), built_in.unet.config());
    assert_eq!(base.scheduler, built_in.scheduler);
}

/// Copies tiny-xl with one file changed, and looks at the error.
#[track_caller]
fn check_refused(file: &str, change: impl Fn(&str) -> String, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in assets::TINY_XL {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if *name == file {
            fs::write(path, change(std::str::from_utf8(bytes).unwrap())).unwrap();
        } else {
            fs::write(path, bytes).unwrap();
        }
    }
    let error = BaseModel::load(folder.path()).unwrap_err().to_string();
    for word in expected {
        assert!(error.contains(word), "`{error}` does not say `{word}`");
    }
}

#[test]
fn folders_that_do_not_fit_are_refused() {
    let with = |from: &'static str, to: &'static str| {
        move |text: &str| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        }
    };
    check_refused(
        "model_index.json",
        with("StableDiffusionXLPipeline", "StableDiffusionPipeline"),
        &["found a StableDiffusionPipeline, expected a StableDiffusionXLPipeline"],
    );
    check_refused(
        "unet/config.json",
        with("\"text_time\"", "null"),
        &["unet/config.json", "text_time"],
    );
    check_refused(
        "unet/config.json",
        with("\"norm_num_groups\": 4", "\"norm_num_groups\": 5"),
        &["cannot be divided into 5 groups"],
    );
    check_refused(
        "unet/config.json",
        with("\"cross_attention_dim\": 96", "\"cross_attention_dim\": 2048"),
        &["text encoders of width 96 with a U-Net for 2048"],
    );
    check_refused(
        "text_encoder/config.json",
        with("quick_gelu", "relu"),
        &["text_encoder/config.json", "`relu`"],
    );
    check_refused(
        "text_encoder/config.json",
        with("\"num_hidden_layers\": 12", "\"num_hidden_layers\": 13"),
        &["layers.12"],
    );
    check_refused(
        "scheduler/scheduler_config.json",
        with("scaled_linear", "linear"),
        &["scheduler_config.json", "linear"],
    );
    check_refused(
        "vae/config.json",
        |_| "{".to_owned(),
        &["vae/config.json", "not a usable configuration"],
    );
}

#[test]
fn unknown_names() {
    let error = BaseModel::built_in("sdxl").unwrap_err().to_string();
    assert_eq!(error, "no built-in base model `sdxl`, expected tiny-xl");
    let error = BaseModel::open("/nowhere/model.safetensors")
        .unwrap_err()
        .to_string();
    assert_eq!(error, "no file or folder at `/nowhere/model.safetensors`");
}

/// What a loader asks for.
struct Recorder<'a> {
    inner: &'a Component,
    asked: std::sync::Mutex<std::collections::BTreeMap<String, Vec<usize>>>,
}

impl<'a> Recorder<'a> {
    fn new(inner: &'a Component) -> Self {
        Self {
            inner,
            asked: std::sync::Mutex::default(),
        }
    }

    #[track_caller]
    fn check(&self, list: &crate::weights::Shapes) {
        let asked = self.asked.lock().unwrap();
        let asked: Vec<(&str, &[usize])> = asked
            .iter()
            .map(|(name, shape)| (name.as_str(), shape.as_slice()))
            .collect();
        let listed: Vec<(&str, &[usize])> = list.iter().collect();
        assert_eq!(asked, listed);
    }
}

impl WeightSource for Recorder<'_> {
    fn origin(&self) -> String {
        self.inner.origin()
    }

    fn get(&self, name: &str) -> Result<candle_core::Tensor, WeightError> {
        let tensor = self.inner.get(name)?;
        self.asked
            .lock()
            .unwrap()
            .insert(name.to_owned(), tensor.dims().to_vec());
        Ok(tensor)
    }

    fn contains(&self, name: &str) -> bool {
        self.inner.contains(name)
    }
}

/// What a base model must hold is what its parts are loaded from.
#[test]
fn the_lists_are_what_is_loaded() {
    let checkpoint = Checkpoint::built_in("tiny-xl", assets::TINY_XL, None).unwrap();
    let (sizes, _) = config::read(&checkpoint, None).unwrap();
    let lists = sizes.tensors();
    let [unet, first, second, vae] = checkpoint.parts().map(|(_, part)| Recorder::new(part));
    Unet::load(&Loader::new(&Cpu, &unet), sizes.unet).unwrap();
    TextEncoder::load(&Loader::new(&Cpu, &first), sizes.text_encoder).unwrap();
    TextEncoder::load(&Loader::new(&Cpu, &second), sizes.text_encoder_2).unwrap();
    Vae::load(&Loader::new(&Cpu, &vae), sizes.vae).unwrap();
    for (part, list) in [unet, first, second, vae].iter().zip(&lists) {
        part.check(list);
    }
}

/// A file with the header of a full SDXL, and nothing behind it.
fn sdxl_header(path: &Path, change: impl Fn(&str, Vec<usize>) -> Option<Vec<usize>>) {
    let lists = config::Sizes::sdxl().tensors();
    let prefixes = [
        "model.diffusion_model.",
        "conditioner.embedders.0.transformer.",
        "conditioner.embedders.1.model.",
        "first_stage_model.",
    ];
    let mut tensors = std::collections::BTreeMap::new();
    for ((i, list), prefix) in lists.iter().enumerate().zip(prefixes) {
        for (name, shape) in list.iter() {
            let (name, shape) = match i {
                2 => {
                    let name = names::text_to_open_clip(name).unwrap();
                    let rows = if name.contains("in_proj") {
                        3 * shape[0]
                    } else {
                        shape[0]
                    };
                    (name, [&[rows], &shape[1..]].concat())
                }
                3 => (names::vae_to_single_file(name, 4).unwrap(), shape.to_vec()),
                _ => (name.to_owned(), shape.to_vec()),
            };
            let name = format!("{prefix}{name}");
            if let Some(shape) = change(&name, shape) {
                tensors.insert(name, shape);
            }
        }
    }
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for (name, shape) in tensors {
        let begin = end;
        end += 2 * shape.iter().product::<usize>() as u64;
        header.insert(
            name,
            serde_json::json!({ "dtype": "F16", "shape": shape, "data_offsets": [begin, end] }),
        );
    }
    let header = serde_json::to_vec(&header).unwrap();
    let start = [&(header.len() as u64).to_le_bytes()[..], &header].concat();
    fs::write(path, &start).unwrap();
    fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(start.len() as u64 + end)
        .unwrap();
}

/// The numbers of tensors are those of sd_xl_base_1.0.safetensors: 2515, of which 587 are text encoders'. One is a table
/// of positions, one a scale, and two a norm that SDXL does not use; query, key and value are one in 64 of them.
#[test]
fn a_full_sdxl_is_known_by_its_header() {
    let lists = config::Sizes::sdxl().tensors();
    assert_eq!(
        lists.each_ref().map(crate::weights::Shapes::len),
        [1680, 194, 517, 248]
    );
    assert_eq!(1680 + (194 + 1 + 2) + (517 - 4 * 32 + 1) + 248, 2515);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sdxl.safetensors");
    sdxl_header(&path, |_, shape| Some(shape));
    let info = BaseInfo::read(&path).unwrap();
    assert_eq!((info.model_channels, info.native_resolution), (320, 1024));
    assert_eq!(info.extras, Extras::default());
    assert_eq!(info.warnings(), Vec::<String>::new());

    sdxl_header(&path, |name, shape| {
        (!name.contains("encoder.layers.11.")).then_some(shape)
    });
    let error = BaseInfo::read(&path).unwrap_err().to_string();
    assert!(
        error.contains("the first text encoder lacks 16 of 194 tensors"),
        "{error}"
    );

    sdxl_header(&path, |name, shape| {
        let block = name
            .split_once("transformer_blocks.")
            .and_then(|(_, rest)| rest.split('.').next()?.parse::<usize>().ok());
        block.is_none_or(|block| block < 4).then_some(shape)
    });
    let error = BaseInfo::read(&path).unwrap_err().to_string();
    assert!(error.contains("a distilled SDXL such as SSD-1B"), "{error}");

    // Its U-Net takes a picture and a mask as well.
    sdxl_header(&path, |name, mut shape| {
        if name == "model.diffusion_model.input_blocks.0.0.weight" {
            shape[1] = 9;
        }
        Some(shape)
    });
    let error = BaseInfo::read(&path).unwrap_err().to_string();
    assert!(error.contains("inpainting"), "{error}");
}
