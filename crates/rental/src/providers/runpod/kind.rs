//! What RunPod and its settings are called, and what they mean.

use std::sync::Arc;

use protocol::recipe::Engine;

use super::{Client, DEFAULT_URL, Options, Renting, RunPod, TITLE, own_end::PodEnd};
use crate::{Account, Key, Kind, Landlord, NameForm, OwnEnd, Setting, SettingError, Values};

/// Machines at the same time, unless `max_running` says something else.
const CAPACITY: usize = 4;
const DISK_GB: u32 = 40;
/// The CUDA that the image in deploy/worker is built on.
const MIN_CUDA: &str = "12.8";
const NAME: &str = "runpod";
/// Its specification has no limit for a pod's name (`CreatePodRequest.name`).
const MOST_NAME: usize = usize::MAX;

/// Where the account's key comes from; the second is what RunPod's own tools read.
const KEYS: [&str; 2] = ["MORPHEUS_RUNPOD_KEY", "RUNPOD_API_KEY"];

const SETTINGS: [Setting; 6] = [
    Setting {
        name: "image",
        file_key: "image",
        value: "IMAGE",
        help: "Image for rented machines; together with MORPHEUS_RUNPOD_KEY it enables the provider RunPod",
        is_list: false,
    },
    Setting {
        name: "args",
        file_key: "args",
        value: "TEXT",
        help: "Arguments for the image's entry point",
        is_list: false,
    },
    Setting {
        name: "disk",
        file_key: "disk_gb",
        value: "GB",
        help: "Disk size of a rented machine in GB [default: 40]",
        is_list: false,
    },
    Setting {
        name: "engines",
        file_key: "engines",
        value: "ENGINE",
        help: "Engines that the image supports on a GPU: kohya, native or both [default: kohya]",
        is_list: true,
    },
    Setting {
        name: "min-cuda",
        file_key: "min_cuda",
        value: "VERSION",
        help: "Minimum CUDA version of a rented machine [default: 12.8, which the image in deploy/worker needs]",
        is_list: false,
    },
    Setting {
        name: "url",
        file_key: "url",
        value: "URL",
        help: "Base URL of RunPod, if not the default",
        is_list: false,
    },
];

/// See [`KIND`].
#[derive(Debug)]
pub struct RunPodKind;

/// RunPod.
pub static KIND: RunPodKind = RunPodKind;

fn client(values: &Values, key: Key) -> Result<Client, SettingError> {
    let url = values.url(NAME, DEFAULT_URL)?;
    Client::new(Options::new(url, key)).map_err(|err| wrong(protocol::problem::chain(&err)))
}

fn wrong(reason: impl Into<String>) -> SettingError {
    SettingError {
        provider: NAME,
        reason: reason.into(),
    }
}

impl Kind for RunPodKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        TITLE
    }

    fn names(&self) -> NameForm {
        const { NameForm::within(MOST_NAME) }
    }

    fn keys(&self) -> &'static [&'static str] {
        &KEYS
    }

    fn machine_secrets(&self) -> &'static [&'static str] {
        &["RUNPOD_API_KEY"]
    }

    fn settings(&self) -> &'static [Setting] {
        &SETTINGS
    }

    fn account(&self, values: &Values, key: Key) -> Result<Arc<dyn Account>, SettingError> {
        Ok(Arc::new(client(values, key)?))
    }

    fn landlord(&self, values: &Values, key: Key) -> Result<Arc<dyn Landlord>, SettingError> {
        let client = client(values, key)?;
        let renting = renting(values, client.is_usual())?;
        Ok(Arc::new(RunPod::new(client, renting)))
    }

    fn own_end(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Box<dyn OwnEnd> {
        Box::new(PodEnd::read(lookup))
    }
}

fn renting(values: &Values, is_real: bool) -> Result<Renting, SettingError> {
    let image = values.get("image").ok_or_else(|| {
        let key = KEYS[0];
        wrong(format!(
            "{key} is set, but no image: set the worker's with --runpod-image or MORPHEUS_RUNPOD_IMAGE"
        ))
    })?;
    // A simulated one's machines are processes here, without a GPU.
    let usual = if is_real {
        vec![Engine::Kohya]
    } else {
        vec![Engine::Native, Engine::Kohya]
    };
    let min_cuda = values.get("min-cuda").or(is_real.then_some(MIN_CUDA));
    Ok(Renting {
        image: image.to_owned(),
        args: values.get("args").unwrap_or("agent").to_owned(),
        disk_gb: values.number(NAME, "disk")?.unwrap_or(DISK_GB),
        min_cuda_version: min_cuda.map(str::to_owned),
        engines: values.engines(NAME)?.unwrap_or(usual),
        capacity: CAPACITY,
    })
}

#[cfg(test)]
mod tests;
