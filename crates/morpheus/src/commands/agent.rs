//! `morpheus agent`: runs work for a server on this machine.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::{
    kohya::{KohyaFlags, check_dir},
    logging, paths,
};

/// See [`crate::Command::Agent`].
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address of the server
    #[arg(long, env = "MORPHEUS_SERVER", value_name = "URL")]
    server: reqwest::Url,
    /// Token that the server made for this agent
    #[arg(long, env = "MORPHEUS_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: String,
    /// Render pictures instead of training
    #[arg(long)]
    generate: bool,
    /// End after this many seconds without work
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    idle_exit: u64,
    /// Folder for work in progress and for cached pictures and LoRAs [default: ~/.cache/morpheus]
    #[arg(long, env = "MORPHEUS_WORK", value_name = "DIR")]
    work: Option<PathBuf>,
    #[command(flatten)]
    kohya: KohyaFlags,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    logging::start("info");
    let kohya = args.kohya.setup();
    if let Some(kohya) = &kohya {
        check_dir(kohya)?;
    }
    let config = agent::Config {
        server: args.server,
        token: args.token,
        role: if args.generate {
            agent::Role::Generate
        } else {
            agent::Role::Train
        },
        work_dir: paths::absolute(&args.work.unwrap_or_else(paths::work_dir)),
        idle_exit: Duration::from_secs(args.idle_exit),
        kohya,
        engine: agent::engine::native,
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
