//! Base models by name and their properties, without loading them.

use std::path::{Path, PathBuf};

use agent::Measurements;
use diffusion::base::{BaseInfo, BaseOptions};
use orchestrator::{Beside, Places};
use protocol::{
    agent::BaseLocation,
    base::{BaseFacts, Prediction, Traces},
    job::BaseModel,
    preset::{BaseClass, Family},
    problem::chain,
};
use store::bases::{Located, Said};

use crate::settings::Settings;

/// The base model that ships with Morpheus.
pub(crate) const BUILT_IN: &str = "tiny-xl";

/// Channels of the first level of SDXL's unet (its `config.json`, `block_out_channels`). A model with fewer
/// is one of the tiny ones.
const SDXL_CHANNELS: usize = 320;

/// The built-in model and where agents find it.
pub(crate) fn built_in() -> orchestrator::Base {
    orchestrator::Base {
        model: BaseModel {
            name: BUILT_IN.into(),
            class: BaseClass::Tiny,
            family: Family::Tiny,
            family_reason: "it is as small as tiny-xl".to_owned(),
            native_resolution: 128,
            built_in: true,
            prediction: Some(Prediction::Epsilon),
            notes: Vec::new(),
        },
        location: BaseLocation::BuiltIn {
            name: BUILT_IN.into(),
        },
    }
}

/// Folders of this machine that may contain base models, and the server's own data folder.
pub(crate) fn places(settings: &Settings) -> anyhow::Result<Places> {
    Ok(Places::new(
        settings.base_folders.clone(),
        settings.store().local_paths()?,
    ))
}

/// What a person says about a base model on the command line.
#[derive(clap::Args)]
pub(crate) struct BaseFlags {
    /// VAE in place of the base model's own: a safetensors file or a diffusers folder
    #[arg(long, value_name = "PATH")]
    vae: Option<PathBuf>,
    /// What the base model's U-Net predicts, whatever its files say: epsilon, v, v-zero-snr (with zero terminal SNR)
    /// or flow (rectified flow)
    #[arg(long, value_name = "epsilon|v|v-zero-snr|flow")]
    prediction: Option<Prediction>,
}

impl BaseFlags {
    pub(crate) fn options(&self) -> BaseOptions {
        BaseOptions {
            vae: self.vae.clone(),
            prediction: self.prediction,
        }
    }
}

/// Inspects a base model on this machine; the error says what was found instead.
pub(crate) fn inspect(path: &Path, beside: Beside<'_>) -> Result<BaseFacts, String> {
    let options = BaseOptions {
        vae: beside.vae.map(Path::to_owned),
        prediction: beside.prediction,
    };
    inspect_with(path, &options)
}

/// What is known on this machine of what the U-Net of a base model does.
pub(crate) enum Behavior {
    /// Nobody has measured it.
    Unknown,
    /// What its files or a person say.
    AsSaid,
    /// Something else, in a sentence.
    Contradicts(String),
}

/// Looks for what a base model on this machine was measured to do, in one folder after the other.
pub(crate) fn behavior(located: &Located, said: &Said, folders: &[Measurements]) -> Behavior {
    let options = BaseOptions {
        vae: located.vae_place.as_ref().map(PathBuf::from),
        prediction: said.prediction,
    };
    let place = located.place.as_ref();
    let info = place.and_then(|place| BaseInfo::read_with(Path::new(place), &options).ok());
    let known = info.and_then(|info| {
        let measured = folders.iter().find_map(|folder| folder.known(&info))?;
        let predicts = &info.predicts;
        Some(measured.contradiction(predicts.prediction, predicts.said_by.as_deref()))
    });
    match known {
        None => Behavior::Unknown,
        Some(None) => Behavior::AsSaid,
        Some(Some(sentence)) => Behavior::Contradicts(sentence),
    }
}

/// Inspects a base model with what a person says about it.
pub(crate) fn inspect_with(path: &Path, options: &BaseOptions) -> Result<BaseFacts, String> {
    let info = BaseInfo::read_with(path, options).map_err(|err| chain(&err))?;
    Ok(BaseFacts {
        class: class(&info),
        native_resolution: info.native_resolution,
        prediction: Some(info.predicts.prediction),
        notes: info.warnings(),
        said_by: info.predicts.said_by,
        title: info.title,
    })
}

/// The family of a base model on this machine, which selects the preset.
pub(crate) fn family(path: &Path, facts: &BaseFacts) -> Family {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let traces = Traces {
        class: Some(facts.class),
        prediction: facts.prediction,
        sha256: None,
        names: facts
            .title
            .as_deref()
            .into_iter()
            .chain(file.as_deref())
            .collect(),
    };
    traces.family().0
}

/// Size class of a base model.
pub(crate) fn class(info: &BaseInfo) -> BaseClass {
    if info.model_channels < SDXL_CHANNELS {
        BaseClass::Tiny
    } else {
        BaseClass::Sdxl
    }
}
