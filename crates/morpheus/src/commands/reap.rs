//! `morpheus reap`: terminates rented machines past their deadline, using only the provider's key.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use orchestrator::reap::{self, Machine, Report};
use rental::{Account, Key, Kind, Values, deployment_mark, providers::REGISTERED};
use serde::Serialize;
use uuid::Uuid;

use crate::{logging, output, settings::variable, signals};

/// See [`crate::Command::Reap`].
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check once, terminate overdue machines, and exit; fails if any are left
    #[arg(long)]
    once: bool,
    /// Only machines rented by the installation with this id
    #[arg(long, value_name = "ID")]
    deployment: Option<Uuid>,
    /// Seconds between two checks
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Seconds to keep trying with a machine that does not terminate, before checking all machines again
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    patience: u64,
    /// The provider [default: each that there is a key for]
    #[arg(long, value_name = "NAME", value_parser = super::doctor::provider)]
    provider: Option<&'static dyn Kind>,
    /// Base URL of the provider [default: that of its settings]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print one line of JSON per check
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    logging::start("info");
    let accounts = accounts(&args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(async {
        tokio::select! {
            outcome = reap(&accounts, &args) => outcome,
            () = signals::asked_to_end() => Ok(()),
        }
    })
}

/// Those that there is a key for.
fn accounts(args: &Args) -> anyhow::Result<Vec<Arc<dyn Account>>> {
    let set = |name: &str| {
        let value = std::env::var(name).ok()?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let kinds: Vec<&dyn Kind> = match args.provider {
        Some(kind) => vec![kind],
        None => REGISTERED.to_vec(),
    };
    let mut accounts = Vec::new();
    for kind in &kinds {
        let Some(key) = kind.keys().iter().find_map(|name| set(name)) else {
            continue;
        };
        let mut values = Values::default();
        for setting in kind.settings() {
            if let Some(value) = set(&variable(*kind, setting.name)) {
                values.set_default(setting.name, value);
            }
        }
        accounts.push((*kind, key, values));
    }
    if accounts.is_empty() {
        let keys = kinds
            .iter()
            .map(|kind| format!("set {} for {}", kind.keys().join(" or "), kind.title()));
        bail!(
            "no provider's key is set: {}",
            keys.collect::<Vec<_>>().join(", or ")
        );
    }
    if args.url.is_some() && accounts.len() > 1 {
        bail!("--url: there are keys of several providers; say with --provider whose address it is");
    }
    let made = accounts.into_iter().map(|(kind, key, values)| {
        let mut given = Values::default();
        if let Some(url) = &args.url {
            given.set_default("url", url.clone());
        }
        given.set_defaults(values);
        let account = kind.account(&given, Key::new(key));
        account.map_err(anyhow::Error::from)
    });
    made.collect()
}

/// What a look at one provider's machines found and did.
#[derive(Serialize)]
struct Look<'a> {
    provider: &'a str,
    #[serde(flatten)]
    report: &'a Report,
}

async fn reap(accounts: &[Arc<dyn Account>], args: &Args) -> anyhow::Result<()> {
    let options = reap::Options {
        deployment: args.deployment.map(deployment_mark),
        patience: Duration::from_secs(args.patience),
        ..reap::Options::default()
    };
    // Each on its own: a provider that does not answer must not keep another's machines alive.
    let all = accounts
        .iter()
        .map(|account| reap_account(account.as_ref(), &options, args));
    let outcomes = futures::future::join_all(all).await;
    outcomes.into_iter().collect()
}

async fn reap_account(account: &dyn Account, options: &reap::Options, args: &Args) -> anyhow::Result<()> {
    let provider = account.kind().name();
    loop {
        match reap::round(account, options).await {
            Ok(report) => {
                let report = &report;
                show(&Look { provider, report }, args.json)?;
                if args.once && !report.left.is_empty() {
                    bail!("{} overdue machines still exist", report.left.len());
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

fn show(look: &Look<'_>, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(look);
    }
    let Look { provider, report } = look;
    let groups: [(&str, &[Machine]); 5] = [
        ("ended", &report.ended),
        ("STILL THERE", &report.left),
        ("in time", &report.in_time),
        ("of another installation, not touched", &report.other_deployments),
        ("not from Morpheus, not touched", &report.foreign),
    ];
    for (what, machines) in groups {
        for machine in machines {
            let Machine {
                id,
                name,
                rate_micro_usd,
                ..
            } = machine;
            output::line(format_args!(
                "{what}: {name} ({provider}, {id}, {rate_micro_usd} per hour)"
            ));
        }
    }
    if groups.iter().all(|(_, machines)| machines.is_empty()) {
        output::line(format_args!("no machines at {provider}"));
    }
    Ok(())
}
