//! `morpheus agent`: runs work for a server on this machine.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use agent::{
    deadman::{self, Supervised},
    link::Link,
};
use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::{
    diffusers::DiffusersFlags,
    judging::JudgeFlags,
    kohya::{KohyaFlags, check_dir},
    logging, paths, private,
};

/// See [`crate::Command::Agent`].
#[derive(clap::Args)]
pub(crate) struct Args {
    /// URL of the server
    #[arg(long, env = "MORPHEUS_SERVER", value_name = "URL")]
    server: reqwest::Url,
    /// Token for this agent from the server, or one for machines of the pool. All accounts of the machine can read
    /// command-line arguments: set MORPHEUS_TOKEN instead
    #[arg(long, env = "MORPHEUS_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: String,
    /// Name of this machine in the pool [default: its host name]
    #[arg(long, env = "MORPHEUS_NAME", value_name = "NAME")]
    name: Option<String>,
    /// Label that jobs for the pool can require. May be repeated
    #[arg(
        long = "label",
        env = "MORPHEUS_LABELS",
        value_name = "LABEL",
        value_delimiter = ','
    )]
    labels: Vec<String>,
    /// Render pictures instead of training
    #[arg(long, env = "MORPHEUS_GENERATE")]
    generate: bool,
    /// Exit after this many seconds without work
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    idle_exit: u64,
    /// Folder for work in progress and for cached pictures, LoRAs and base models [default: ~/.cache/morpheus]
    #[arg(long, env = "MORPHEUS_WORK", value_name = "DIR")]
    work: Option<PathBuf>,
    /// Maximum size of downloaded base models in that folder, in GB; the least recently used is deleted first
    #[arg(
        long,
        env = "MORPHEUS_BASE_CACHE_GB",
        value_name = "GB",
        default_value_t = agent::DEFAULT_CACHE_BYTES / 1_000_000_000
    )]
    base_cache_gb: u64,
    /// Begin work of the native engine that does not fit into the free memory, too
    #[arg(long, env = "MORPHEUS_IGNORE_MEMORY")]
    ignore_memory: bool,
    /// Range of private addresses from which base models may be downloaded, such as 10.0.0.0/8, in addition to public
    /// ones. The server and its bucket are always allowed. May be repeated
    #[arg(
        long = "allow-fetch-from",
        env = "MORPHEUS_ALLOW_FETCH_FROM",
        value_name = "RANGE",
        value_delimiter = ','
    )]
    fetch_from: Vec<fetch::Range>,
    #[command(flatten)]
    kohya: KohyaFlags,
    #[command(flatten)]
    diffusers: DiffusersFlags,
    #[command(flatten)]
    judging: JudgeFlags,
    /// Run as the worker of a rented machine; standard input is a socket to the supervisor
    #[arg(long, hide = true)]
    supervised: bool,
}

/// Argument that a supervisor adds for its worker.
const SUPERVISED: &str = "--supervised";

/// On a rented machine `morpheus agent` is the supervisor, which never returns. It starts before everything that can
/// fail, even before arguments are parsed: the provider restarts a container that exits, and charges for it.
pub(crate) fn supervise_if_rented() {
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.first().is_none_or(|command| command != "agent") || !deadman::is_rented() {
        return;
    }
    if args.iter().any(|arg| arg == SUPERVISED) {
        return;
    }
    private::mask();
    logging::start_to("info", || deadman::Stderr);
    args.push(SUPERVISED.into());
    deadman::supervise(&Supervised {
        args,
        record_dir: std::env::var_os("MORPHEUS_WORK").map_or_else(paths::work_dir, PathBuf::from),
    })
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    logging::start("info");
    let link = if args.supervised {
        Link::over_stdin()?
    } else {
        Link::none()
    };
    let kohya = args.kohya.setup_with(&args.diffusers);
    if let Some(kohya) = &kohya {
        check_dir(kohya)?;
    }
    let diffusers = args.diffusers.setup();
    let work_dir = paths::absolute(&args.work.unwrap_or_else(paths::work_dir));
    private::own_folder(&work_dir)?;
    let config = agent::Config {
        machine: agent::machine::describe(args.name, args.labels, kohya.is_some(), diffusers.is_some()),
        server: args.server,
        token: args.token,
        role: if args.generate {
            agent::Role::Generate
        } else {
            agent::Role::Train
        },
        work_dir,
        base_cache_bytes: args.base_cache_gb.saturating_mul(1_000_000_000),
        room: agent::memory::Room::unless(args.ignore_memory),
        judging: args.judging.share(),
        hub: fetch::HubOptions::read(|name| std::env::var(name).ok()),
        fetch_from: args.fetch_from.into_iter().collect(),
        idle_exit: Duration::from_secs(args.idle_exit),
        kohya,
        diffusers,
        engine: agent::engine::native,
        link,
        mailbox: agent::MailboxAddress::read(|name| std::env::var(name).ok())?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let outcome = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let cancel = shutdown.clone();
        tokio::spawn(async move {
            crate::signals::asked_to_end().await;
            cancel.cancel();
        });
        agent::run(config, shutdown).await
    });
    // An engine that is still computing must not hold the exit up.
    runtime.shutdown_background();
    Ok(outcome?)
}
