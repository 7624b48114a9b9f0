//! Settings of rented machines. There are none without a key.

use anyhow::{Context as _, bail};
use orchestrator::providers::runpod::{self, Key, Renting};
use protocol::{address::masked, recipe::Engine};
use reqwest::Url;
use serde::Deserialize;
use server::RunPodConfig;

use super::reach::is_real;
use crate::kohya::engine;

/// Holds the key: arguments can be read by everybody on the machine.
pub(crate) const KEY: &str = "MORPHEUS_RUNPOD_KEY";

/// Machines at the same time, unless `max_running` says something else.
const CAPACITY: usize = 4;
const DISK_GB: u32 = 40;
/// The CUDA that the image in deploy/worker is built on.
const MIN_CUDA: &str = "12.8";

/// The settings as flags, and as the table `[runpod]` of a settings file. The key comes by a variable alone.
#[derive(Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RunPodFlags {
    /// Image of rented machines; with MORPHEUS_RUNPOD_KEY it makes RunPod a provider
    #[arg(
        id = "runpod_image",
        long = "runpod-image",
        env = "MORPHEUS_RUNPOD_IMAGE",
        value_name = "IMAGE"
    )]
    image: Option<String>,
    /// Arguments of the image's entry point
    #[arg(
        id = "runpod_args",
        long = "runpod-args",
        env = "MORPHEUS_RUNPOD_ARGS",
        value_name = "TEXT",
        allow_hyphen_values = true
    )]
    args: Option<String>,
    /// Disk of a rented machine in GB [default: 40]
    #[arg(
        id = "runpod_disk",
        long = "runpod-disk",
        env = "MORPHEUS_RUNPOD_DISK",
        value_name = "GB"
    )]
    disk_gb: Option<u32>,
    /// Engines that the image trains with on a GPU: kohya, native or both [default: kohya]
    #[arg(
        id = "runpod_engines",
        long = "runpod-engines",
        env = "MORPHEUS_RUNPOD_ENGINES",
        value_name = "ENGINE",
        value_delimiter = ',',
        value_parser = engine
    )]
    engines: Option<Vec<Engine>>,
    /// Least CUDA version of a rented machine [default: 12.8, which the image in deploy/worker needs]
    #[arg(
        id = "runpod_min_cuda",
        long = "runpod-min-cuda",
        env = "MORPHEUS_RUNPOD_MIN_CUDA",
        value_name = "VERSION"
    )]
    min_cuda: Option<String>,
    /// Address of RunPod, when it is not the usual one
    #[arg(
        id = "runpod_url",
        long = "runpod-url",
        env = "MORPHEUS_RUNPOD_URL",
        value_name = "URL"
    )]
    url: Option<String>,
    /// Talk to rented machines through the bucket, for a server that they cannot reach
    #[arg(
        long = "mailbox",
        env = "MORPHEUS_MAILBOX",
        value_name = "BOOL",
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    mailbox: Option<bool>,
    /// How many times as fast as the real clock a simulated RunPod's runs
    #[arg(
        id = "runpod_time_scale",
        long = "runpod-time-scale",
        env = "MORPHEUS_RUNPOD_TIME_SCALE",
        value_name = "N",
        hide = true
    )]
    #[serde(skip)]
    time_scale: Option<u32>,
}

impl RunPodFlags {
    /// These, and of the other what these leave out.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            image: self.image.or(other.image),
            engines: self.engines.or(other.engines),
            args: self.args.or(other.args),
            disk_gb: self.disk_gb.or(other.disk_gb),
            min_cuda: self.min_cuda.or(other.min_cuda),
            url: self.url.or(other.url),
            mailbox: self.mailbox.or(other.mailbox),
            time_scale: self.time_scale.or(other.time_scale),
        }
    }

    /// Complete; `None` when there is no key.
    pub(super) fn complete(
        self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Option<RunPodConfig>> {
        let key = variable(KEY)
            .map(|key| key.trim().to_owned())
            .filter(|key| !key.is_empty());
        let Some(key) = key else {
            if self.mailbox == Some(true) {
                bail!("mailbox: it is for rented machines, and there is no key: set {KEY}");
            }
            if self.image.is_some() {
                bail!("runpod: an image is set, but no key: set {KEY}");
            }
            return Ok(None);
        };
        let Some(image) = self.image else {
            bail!(
                "runpod: {KEY} is set, but no image: name the worker's with --runpod-image or MORPHEUS_RUNPOD_IMAGE"
            );
        };
        let disk_gb = self.disk_gb.unwrap_or(DISK_GB);
        if disk_gb == 0 {
            bail!("runpod: the disk needs at least 1 GB");
        }
        let time_scale = self.time_scale.unwrap_or(1);
        if time_scale == 0 {
            bail!("runpod: the time scale is at least 1");
        }
        let url = match self.url {
            Some(url) => url.parse::<Url>().with_context(|| {
                format!(
                    "runpod: `{}` is no address; write it like {}",
                    masked(&url),
                    runpod::DEFAULT_URL
                )
            })?,
            None => runpod::DEFAULT_URL
                .parse()
                .context("the usual address of RunPod")?,
        };
        // A simulated one's machines are processes here, without a GPU.
        let is_real = is_real(&url);
        let usual = if is_real {
            vec![Engine::Kohya]
        } else {
            vec![Engine::Native, Engine::Kohya]
        };
        Ok(Some(RunPodConfig {
            client: runpod::Options::new(url, Key::new(key)),
            renting: Renting {
                image,
                args: self.args.unwrap_or_else(|| "agent".to_owned()),
                disk_gb,
                min_cuda_version: self.min_cuda.or_else(|| is_real.then(|| MIN_CUDA.to_owned())),
                engines: self
                    .engines
                    .filter(|engines| !engines.is_empty())
                    .unwrap_or(usual),
                capacity: CAPACITY,
            },
            time_scale,
            has_mailbox: self.mailbox.unwrap_or(false),
        }))
    }
}

#[cfg(test)]
mod tests {
    use orchestrator::providers::runpod::Renting;
    use protocol::recipe::Engine;

    use super::RunPodFlags;

    fn renting(flags: RunPodFlags) -> Renting {
        let flags = RunPodFlags {
            image: Some("worker".into()),
            ..flags
        };
        flags.complete(|_| Some("key".into())).unwrap().unwrap().renting
    }

    #[test]
    fn real_machines_train_with_what_the_worker_has_on_their_gpu() {
        let real = renting(RunPodFlags::default());
        assert_eq!(real.engines, [Engine::Kohya]);
        assert_eq!(real.min_cuda_version.as_deref(), Some("12.8"));
        let simulated = renting(RunPodFlags {
            url: Some("http://127.0.0.1:1".into()),
            ..RunPodFlags::default()
        });
        assert!(simulated.engines.contains(&Engine::Native));
        let other = renting(RunPodFlags {
            engines: Some(vec![Engine::Native]),
            min_cuda: Some("13.0".into()),
            ..RunPodFlags::default()
        });
        assert_eq!(other.engines, [Engine::Native]);
        assert_eq!(other.min_cuda_version.as_deref(), Some("13.0"));
    }
}
