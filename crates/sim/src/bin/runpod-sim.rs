//! The simulated RunPod as a program of its own, for `make dev` and for trying things out.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use protocol::MicroUsd;
use sim::runpod::{KEY, Options, Pace, Program, RunPod, Runner};

/// Simulates RunPod's REST API, version 2. Faults, clock and bill are under /__sim/.
#[derive(Parser)]
struct Args {
    /// Address and port to listen on
    #[arg(long, default_value = "127.0.0.1:7861", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// How time passes: real, scaled:60 or stepped
    #[arg(long, default_value = "real", value_name = "PACE")]
    clock: Pace,
    /// The account's key
    #[arg(long, default_value = KEY, value_name = "KEY")]
    key: String,
    /// The account's money in dollars
    #[arg(long, default_value = "100", value_name = "USD")]
    balance: String,
    /// Program that runs in place of a pod's container, for example target/debug/morpheus. Nothing runs without it
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Variable of a pod that holds the control plane's address, so that faults can cut it off. May be repeated
    #[arg(long, value_name = "NAME")]
    relay: Vec<String>,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("runpod-sim: {err:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(args: Args) -> Result<()> {
    let balance = MicroUsd::parse_usd_up(&args.balance).context("--balance")?;
    let runner = match args.program {
        None => Runner::None,
        Some(path) => Runner::Process(Program {
            path: path
                .canonicalize()
                .with_context(|| format!("failed to find `{}`", path.display()))?,
            first_args: Vec::new(),
            inherited: vec!["MORPHEUS_LOG".to_owned()],
            relayed: args.relay,
            grace: Duration::from_secs(5),
        }),
    };
    let sim = RunPod::start(Options {
        listen: args.listen,
        pace: args.clock,
        accounts: vec![(args.key, balance)],
        runner,
        ..Options::default()
    })
    .await?;
    eprintln!("RunPod is simulated at {}", sim.url());
    tokio::signal::ctrl_c().await.context("failed to wait for Ctrl-C")
}
