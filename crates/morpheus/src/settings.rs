//! Settings of the server: from flags, from `MORPHEUS_*` variables, from a TOML file, in that order.

mod bases;
mod notices;
mod reach;
mod rented;
mod s3;

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context as _, anyhow, bail};
use fetch::{Range, Ranges};
use ipnet::IpNet;
use protocol::limits::AUDIT_DAYS;
use serde::Deserialize;
use server::RentalConfig;
use store::{Store, StoreBuilder, objects::S3Settings};
use toml::de::DeTable;

pub(crate) use self::{bases::DeclaredBase, rented::variable};
use self::{
    notices::{NoticeFlags, NoticeSettings},
    rented::{RentalFlags, RentalTables},
    s3::S3Flags,
};
use crate::{paths, private::Places};

/// Default listening address.
pub(crate) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7860);

/// Days that entries of the audit log may be kept: up to a century, which a time of today can go back.
const AUDIT_DAYS_RANGE: RangeInclusive<i64> = 1..=36_500;

/// The settings as flags; clap reads the variables.
#[derive(clap::Args)]
pub(crate) struct Flags {
    /// Address and port to listen on [default: 127.0.0.1:7860]
    #[arg(long, env = "MORPHEUS_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Folder for database, pictures and trained files [default: ~/.local/share/morpheus]
    #[arg(long, env = "MORPHEUS_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Database [default: SQLite in the data folder]
    #[arg(long, env = "MORPHEUS_DATABASE", value_name = "URL", hide_env_values = true)]
    database: Option<String>,
    /// Queue for notifications between servers: redis://, rediss:// or postgres:// [default: the database]
    #[arg(long, env = "MORPHEUS_QUEUE", value_name = "URL", hide_env_values = true)]
    queue: Option<String>,
    /// PEM file with the CA certificate for a rediss:// queue [default: public CAs]
    #[arg(long, env = "MORPHEUS_QUEUE_CA", value_name = "FILE")]
    queue_ca: Option<PathBuf>,
    /// Object store for pictures and trained files [default: the data folder]
    #[arg(long, env = "MORPHEUS_OBJECTS", value_name = "URL", hide_env_values = true)]
    objects: Option<String>,
    #[command(flatten)]
    s3: S3Flags,
    /// Address or range of reverse proxies whose X-Forwarded-For header is trusted for the client address, for
    /// the audit log and the limit on failed sign-ins [default: none]. May be repeated
    #[arg(
        long = "trusted-proxy",
        env = "MORPHEUS_TRUSTED_PROXIES",
        value_name = "ADDRESS[/BITS]",
        value_delimiter = ',',
        value_parser = proxy
    )]
    trusted_proxies: Vec<IpNet>,
    /// Days that entries of the audit log are kept [default: a year]
    #[arg(long, env = "MORPHEUS_AUDIT_DAYS", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(AUDIT_DAYS_RANGE))]
    audit_days: Option<u32>,
    /// URL at which browsers and rented machines reach the server, if not the listening address
    #[arg(long, env = "MORPHEUS_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    #[command(flatten)]
    rentals: RentalFlags,
    /// Base model to offer: a single-file SDXL checkpoint or a diffusers folder, as a path, an https:// address (with
    /// #sha256=HEX after it if its hash is known), or hf:OWNER/REPOSITORY[@REVISION][:FILE]. Say after it what its files
    /// do not: prediction=epsilon|v|v-zero-snr|flow, and vae=SOURCE for a VAE in place of its own. May be repeated
    #[arg(
        long = "base",
        env = "MORPHEUS_BASES",
        value_name = "NAME=SOURCE[,prediction=WORD][,vae=SOURCE]",
        value_delimiter = ',',
        hide_env_values = true
    )]
    bases: Vec<String>,
    /// Folder from which base models may be registered in the dashboard [default: none]. May be repeated
    #[arg(
        long = "base-folder",
        env = "MORPHEUS_BASE_FOLDERS",
        value_name = "DIR",
        value_delimiter = ','
    )]
    base_folders: Vec<PathBuf>,
    /// Range of private addresses from which base models may be downloaded, such as 10.0.0.0/8, in addition to public
    /// ones. May be repeated
    #[arg(
        long = "allow-fetch-from",
        env = "MORPHEUS_ALLOW_FETCH_FROM",
        value_name = "RANGE",
        value_delimiter = ','
    )]
    fetch_from: Vec<Range>,
    /// Maximum number of jobs of a provider that run at the same time [default: local=1]. May be repeated
    #[arg(
        long,
        env = "MORPHEUS_MAX_RUNNING",
        value_name = "PROVIDER=N",
        value_delimiter = ','
    )]
    max_running: Vec<Limit>,
    /// Minimum free megabytes on the disks with the data folder and the objects: below, uploads are rejected and
    /// jobs pause until space is free; 0 for no limit [default: 2 % of the disk, from 1 to 20 GiB, at most a fifth]
    #[arg(long, env = "MORPHEUS_MIN_FREE_MB", value_name = "N")]
    min_free_mb: Option<u64>,
    /// Folder of ComfyUI or another program, into which approved LoRAs are copied, with a preview picture and their
    /// trigger words [default: none]
    #[arg(long, env = "MORPHEUS_LORA_FOLDER", value_name = "DIR")]
    lora_folder: Option<PathBuf>,
    #[command(flatten)]
    notices: NoticeFlags,
    /// Program to start as agent instead of this one, for tests of the control plane
    #[arg(long, env = "MORPHEUS_AGENT_PROGRAM", value_name = "FILE", hide = true)]
    agent_program: Option<PathBuf>,
    /// TOML file with the same settings
    #[arg(long, env = "MORPHEUS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The complete settings. They contain passwords, which are not printed.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) database: Option<String>,
    pub(crate) queue: Option<String>,
    /// CA certificate for the queue, if not a public one.
    pub(crate) queue_ca: Option<PathBuf>,
    pub(crate) objects: Option<String>,
    /// Access to the bucket, if the objects are in one.
    pub(crate) s3: S3Settings,
    /// How browsers and rented machines reach the server.
    pub(crate) public_url: Option<String>,
    /// Trusted proxies.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// How long the audit log is kept.
    pub(crate) audit_days: u32,
    /// The file with settings.
    pub(crate) config: Option<PathBuf>,
    /// Who rents machines to us.
    pub(crate) rentals: Vec<RentalConfig>,
    /// Base models beside the built-in one, by name; paths are absolute.
    pub(crate) bases: BTreeMap<String, DeclaredBase>,
    /// Folders that base models may be registered from.
    pub(crate) base_folders: Vec<PathBuf>,
    /// Private address ranges from which base models may be downloaded, and where models that describe pictures may be.
    pub(crate) fetch_from: Ranges,
    /// Jobs that run at the same time, by the name of their provider.
    pub(crate) max_running: BTreeMap<String, usize>,
    /// Minimum free bytes on the disks.
    pub(crate) min_free_bytes: Option<u64>,
    /// Folder into which approved LoRAs are copied.
    pub(crate) lora_folder: Option<PathBuf>,
    /// How people are told of jobs.
    pub(crate) notices: NoticeSettings,
    /// Program of agents, if not this one.
    pub(crate) agent_program: Option<PathBuf>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// An address, or a range of them.
fn proxy(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "must be an address or a range, for example 10.0.0.2 or 10.0.0.0/8".to_owned())
}

/// A limit as `PROVIDER=N`.
#[derive(Debug, Clone, PartialEq)]
struct Limit {
    provider: String,
    n: usize,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let limit = text.split_once('=').and_then(|(provider, n)| {
            Some(Self {
                provider: provider.to_owned(),
                n: n.parse().ok()?,
            })
        });
        limit.ok_or_else(|| "must be PROVIDER=N, for example local=2".to_owned())
    }
}

/// The settings as a file holds them; `bases` is a table of names and [base models](DeclaredBase).
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    database: Option<String>,
    queue: Option<String>,
    queue_ca: Option<PathBuf>,
    objects: Option<String>,
    s3: S3Flags,
    public_url: Option<String>,
    trusted_proxies: Vec<String>,
    audit_days: Option<u32>,
    /// The table of each provider, by its name.
    #[serde(skip)]
    rentals: RentalTables,
    bases: BTreeMap<String, DeclaredBase>,
    base_folders: Vec<PathBuf>,
    allow_fetch_from: Vec<Range>,
    max_running: BTreeMap<String, usize>,
    min_free_mb: Option<u64>,
    lora_folder: Option<PathBuf>,
    notices: NoticeFlags,
}

impl Settings {
    /// Completes the flags with the settings file and the defaults.
    pub(crate) fn resolve(flags: Flags) -> anyhow::Result<Self> {
        let file = flags
            .config
            .as_deref()
            .map(File::read)
            .transpose()?
            .unwrap_or_default();
        let bases = bases::complete(file.bases, &flags.bases)?;
        let mut base_folders = file.base_folders;
        base_folders.extend(flags.base_folders);
        let base_folders = base_folders
            .iter()
            .map(|folder| paths::absolute(folder))
            .collect();
        let fetch_from = file
            .allow_fetch_from
            .into_iter()
            .chain(flags.fetch_from)
            .collect();
        let trusted_proxies = if flags.trusted_proxies.is_empty() {
            let said = file
                .trusted_proxies
                .iter()
                .map(|text| proxy(text).map_err(|err| anyhow!("trusted_proxies: `{text}`: {err}")));
            said.collect::<anyhow::Result<_>>()?
        } else {
            flags.trusted_proxies
        };
        let audit_days = flags.audit_days.or(file.audit_days).unwrap_or(AUDIT_DAYS);
        if !AUDIT_DAYS_RANGE.contains(&i64::from(audit_days)) {
            bail!(
                "audit_days: must be from {} to {}, not {audit_days}",
                AUDIT_DAYS_RANGE.start(),
                AUDIT_DAYS_RANGE.end()
            );
        }
        let mut max_running = file.max_running;
        max_running.extend(
            flags
                .max_running
                .into_iter()
                .map(|limit| (limit.provider, limit.n)),
        );
        Ok(Self {
            listen: flags.listen.or(file.listen).unwrap_or(DEFAULT_LISTEN),
            data: paths::absolute(&flags.data.or(file.data).unwrap_or_else(paths::data_dir)),
            database: flags.database.or(file.database),
            queue: flags.queue.or(file.queue),
            queue_ca: flags.queue_ca.or(file.queue_ca),
            objects: flags.objects.or(file.objects),
            public_url: flags.public_url.or(file.public_url),
            trusted_proxies,
            audit_days,
            config: flags.config,
            rentals: flags
                .rentals
                .complete(file.rentals, |name| std::env::var(name).ok())?,
            s3: flags.s3.or(file.s3).complete(|name| std::env::var(name).ok()),
            bases,
            base_folders,
            fetch_from,
            max_running,
            min_free_bytes: flags
                .min_free_mb
                .or(file.min_free_mb)
                .map(|megabytes| megabytes.saturating_mul(1_000_000)),
            lora_folder: flags
                .lora_folder
                .or(file.lora_folder)
                .map(|folder| paths::absolute(&folder)),
            notices: flags.notices.or(file.notices).complete()?,
            agent_program: flags.agent_program,
        })
    }
}

impl Settings {
    /// The database and the objects.
    pub(crate) fn store(&self) -> StoreBuilder {
        Store::builder(&self.data)
            .database(self.database.clone())
            .objects(self.objects.clone())
            .s3(self.s3.clone())
    }

    /// What lies in files of this machine.
    pub(crate) fn places(&self) -> Places {
        Places::of(&self.data, self.database.as_deref(), self.objects.as_deref())
    }

    /// Checks that rented machines can reach the server.
    pub(crate) fn check_reach(&self) -> anyhow::Result<()> {
        let is_bucket = self
            .objects
            .as_deref()
            .is_some_and(|url| url.starts_with("s3://"));
        for rental in &self.rentals {
            if rental.has_mailbox && !is_bucket {
                bail!(
                    "mailbox: machines need a bucket to talk to the server through: name one with --objects s3://BUCKET"
                );
            }
            if !rental.has_mailbox && rental.landlord.is_real() {
                reach::check(rental.landlord.kind(), self.public_url.as_deref())?;
            }
        }
        Ok(())
    }
}

impl File {
    /// The tables of providers have names that this file does not know, so they are taken out of the whole first.
    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let mut whole = DeTable::parse(text)?;
        let rentals = RentalTables::take(whole.get_mut())?;
        let file = Self::deserialize(toml::de::Deserializer::from(whole))?;
        Ok(Self { rentals, ..file })
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read the settings file `{}`", path.display()))?;
        let mut file = Self::parse(&text).map_err(|err| wrong_file(path, &text, &err))?;
        anyhow::ensure!(
            file.data.as_deref() != Some(Path::new("")),
            "the settings file `{}` is invalid: data: must name a folder, not be empty; leave it out for the default",
            path.display()
        );
        // Paths in a file are meant from where the file is.
        let folder = path.parent().unwrap_or(Path::new("."));
        for base in file.bases.values_mut() {
            base.resolve_from(folder);
        }
        file.data = file.data.map(|data| folder.join(data));
        file.queue_ca = file.queue_ca.map(|ca| folder.join(ca));
        file.lora_folder = file.lora_folder.map(|loras| folder.join(loras));
        for base_folder in &mut file.base_folders {
            *base_folder = folder.join(&*base_folder);
        }
        Ok(file)
    }
}

/// What is wrong and on which line, without the line itself: it may hold a password.
fn wrong_file(path: &Path, text: &str, err: &toml::de::Error) -> anyhow::Error {
    let at = err.span().map_or(0, |span| span.start);
    let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    anyhow!(
        "the settings file `{}` is invalid: line {line}: {}",
        path.display(),
        err.message()
    )
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use protocol::base::BaseSource;

    use super::{Flags, Settings};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: Flags,
    }

    pub(super) fn resolve(args: &[&str]) -> anyhow::Result<Settings> {
        let args = std::iter::once("serve").chain(args.iter().copied());
        Settings::resolve(Cli::try_parse_from(args)?.flags)
    }

    #[test]
    fn a_flag_goes_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("morpheus.toml");
        std::fs::write(
            &file,
            "listen = '127.0.0.1:1'\ndata = 'here'\nqueue_ca = 'ca.pem'\nlora_folder = 'loras'\n[bases]\nbig = 'big.safetensors'\n",
        )
        .unwrap();
        let file = file.to_str().unwrap();
        let settings = resolve(&["--config", file, "--listen", "127.0.0.1:2", "--base", "other=/x"]).unwrap();
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.data, folder.path().join("here"));
        assert_eq!(settings.queue_ca, Some(folder.path().join("ca.pem")));
        assert_eq!(settings.lora_folder, Some(folder.path().join("loras")));
        let big = folder.path().join("big.safetensors").display().to_string();
        assert_eq!(settings.bases["big"].source, BaseSource::Path(big));
        assert_eq!(settings.bases["other"].source, BaseSource::Path("/x".into()));
    }

    #[test]
    fn an_empty_data_folder_is_not_that_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("morpheus.toml");
        std::fs::write(&file, "data = ''\n").unwrap();
        let err = resolve(&["--config", file.to_str().unwrap()])
            .map(drop)
            .unwrap_err();
        assert!(format!("{err:#}").contains("data: must name a folder"), "{err:#}");
    }

    #[test]
    fn an_unknown_setting_is_named_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("morpheus.toml");
        std::fs::write(&file, "port = 1\n").unwrap();
        let err = format!(
            "{:#}",
            resolve(&["--config", file.to_str().unwrap()]).unwrap_err()
        );
        assert!(
            err.contains("morpheus.toml") && err.contains("unknown field `port`"),
            "{err}"
        );
    }

    #[test]
    fn limits_come_by_provider() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("morpheus.toml");
        std::fs::write(&file, "[max_running]\nlocal = 2\nother = 3\n").unwrap();
        let file = file.to_str().unwrap();
        let settings = resolve(&["--config", file, "--max-running", "local=4"]).unwrap();
        assert_eq!(
            (settings.max_running["local"], settings.max_running["other"]),
            (4, 3)
        );
        assert!(resolve(&["--max-running", "local"]).is_err());
    }

    #[test]
    fn base_names_are_checked() {
        assert!(resolve(&["--base", "/models/sdxl.safetensors"]).is_err());
        assert!(resolve(&["--base", "https://example.org/a?b=c"]).is_err());
        let settings = resolve(&["--base", "x=https://example.org/a?b=c", "--base", "y=hf:a/b"]).unwrap();
        assert_eq!(
            settings.bases["x"].source.to_string(),
            "https://example.org/a?b=c"
        );
        assert_eq!(settings.bases["y"].source.to_string(), "hf:a/b");
        let err = format!("{:#}", resolve(&["--base", "tiny-xl=/x"]).unwrap_err());
        assert!(err.contains("`tiny-xl`"), "{err}");
    }

    #[test]
    fn folders_and_ranges_for_base_models_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("morpheus.toml");
        std::fs::write(
            &file,
            "base_folders = ['models']\nallow_fetch_from = ['10.0.0.0/8']\n",
        )
        .unwrap();
        let file = file.to_str().unwrap();
        let more = [
            "--config",
            file,
            "--base-folder",
            "/more",
            "--allow-fetch-from",
            "::1,fd00::/8",
        ];
        let settings = resolve(&more).unwrap();
        assert_eq!(
            settings.base_folders,
            [folder.path().join("models"), "/more".into()]
        );
        let ranges: Vec<String> = settings
            .fetch_from
            .iter()
            .map(|range| range.to_string())
            .collect();
        assert_eq!(ranges, ["10.0.0.0/8", "::1/128", "fd00::/8"]);
        assert!(resolve(&["--allow-fetch-from", "10.0.0"]).is_err());
    }

    #[test]
    fn no_message_shows_what_is_secret_in_a_setting() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("morpheus.toml");
        let mut said = Vec::new();
        for text in [
            "database = 'postgres://user:secret@host/db' nonsense\n",
            "[bases]\nmine = 'https://user:secret@host/a#secret'\n",
            "[bases]\nmine = 'https://?token=secret'\n",
            "objects = ['secret']\n",
        ] {
            std::fs::write(&file, text).unwrap();
            said.push(resolve(&["--config", file.to_str().unwrap()]).map(drop));
        }
        for base in [
            "mine=https://user:secret@host/a#secret",
            "mine=https://?token=secret",
            "https://user:secret@host/a?b=secret",
            "mine=hf:https://user:secret@host/a",
        ] {
            said.push(resolve(&["--base", base]).map(drop));
        }
        for err in said {
            let err = format!("{:#}", err.unwrap_err());
            assert!(!err.contains("secret"), "{err}");
        }
    }
}
