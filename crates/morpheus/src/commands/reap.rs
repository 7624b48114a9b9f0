//! `morpheus reap`: ends rented machines whose time is over, with the provider's key alone.

use std::time::Duration;

use anyhow::{Context as _, bail};
use orchestrator::{
    providers::{
        machine_name::deployment_mark,
        runpod::{self, Client, Key},
    },
    reap::{self, Machine, Report},
};
use reqwest::Url;
use uuid::Uuid;

use crate::{logging, output, signals};

/// See [`crate::Command::Reap`].
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Look once, end what is overdue, and exit; with an error when something is left
    #[arg(long)]
    once: bool,
    /// Only machines that the installation with this id has rented
    #[arg(long, value_name = "ID")]
    deployment: Option<Uuid>,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Seconds to go on with a machine that does not end, before looking at all of them again
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    patience: u64,
    /// Address of RunPod
    #[arg(long, env = "MORPHEUS_RUNPOD_URL", value_name = "URL", default_value = runpod::DEFAULT_URL)]
    url: Url,
    /// Print one line of JSON for each look
    #[arg(long)]
    json: bool,
}

/// The key comes by these alone: arguments can be read by everybody on the machine.
const KEYS: [&str; 2] = ["MORPHEUS_RUNPOD_KEY", "RUNPOD_API_KEY"];

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    logging::start("info");
    let client = Client::new(runpod::Options::new(args.url.clone(), key()?))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(async {
        tokio::select! {
            outcome = reap(&client, &args) => outcome,
            () = signals::asked_to_end() => Ok(()),
        }
    })
}

fn key() -> anyhow::Result<Key> {
    let found = KEYS.iter().find_map(|name| std::env::var(name).ok());
    match found.as_deref().map(str::trim) {
        Some(key) if !key.is_empty() => Ok(Key::new(key)),
        _ => bail!("no key of RunPod: set {}", KEYS.join(" or ")),
    }
}

async fn reap(client: &Client, args: &Args) -> anyhow::Result<()> {
    let options = reap::Options {
        deployment: args.deployment.map(deployment_mark),
        patience: Duration::from_secs(args.patience),
        ..reap::Options::default()
    };
    loop {
        match reap::round(client, &options).await {
            Ok(report) => {
                show(&report, args.json)?;
                if args.once && !report.left.is_empty() {
                    bail!("{} overdue machines are still there", report.left.len());
                }
            }
            Err(err) if args.once => return Err(err.into()),
            // The next look may succeed; giving up would leave machines running.
            Err(err) => output::error(&err.into()),
        }
        if args.once {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(args.every)).await;
    }
}

fn show(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(report);
    }
    let groups: [(&str, &[Machine]); 5] = [
        ("ended", &report.ended),
        ("STILL THERE", &report.left),
        ("in time", &report.in_time),
        ("another installation's, not touched", &report.other_deployments),
        ("not ours, not touched", &report.foreign),
    ];
    for (what, machines) in groups {
        for machine in machines {
            let Machine {
                id,
                name,
                rate_micro_usd,
                ..
            } = machine;
            output::line(format_args!("{what}: {name} ({id}, {rate_micro_usd} an hour)"));
        }
    }
    if groups.iter().all(|(_, machines)| machines.is_empty()) {
        output::line("no machines");
    }
    Ok(())
}
