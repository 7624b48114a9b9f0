//! `morpheus serve`: the server with all its parts on this machine.

use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use store::audit;

use crate::{
    logging, output, private, product,
    settings::{Flags, Settings},
    signals,
};

/// After the server has stopped, blocked threads (such as a read from a missing disk) have this long to end.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// The program exits this long after it was asked to, even if something hangs. The server's own limit is 10 s.
const BOUND: Duration = Duration::from_secs(20);

/// See [`crate::Command::Serve`].
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Flags,
    /// Print a new login address, as the first start does
    #[arg(long)]
    new_login: bool,
    /// Print the listening address as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Ready {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_url: Option<String>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    logging::start("info");
    let settings = Settings::resolve(args.settings)?;
    let asked_to_end = signals::end_within(BOUND).context("failed to listen for signals")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let outcome = runtime.block_on(async {
        let prepared = Box::pin(audit::acting(private::actor(), async {
            let mut bound = product::bind(settings).await?;
            if args.new_login && bound.login_url.is_none() {
                let made = bound.new_login_url().await;
                bound.login_url = Some(made.context("failed to create a login address")?);
            }
            anyhow::Ok(bound)
        }));
        let Some(bound) = asked_to_end.run_until_cancelled(prepared).await else {
            return Ok(());
        };
        let bound = bound?;
        let ready = Ready {
            url: bound.public_url.clone(),
            login_url: bound.login_url.clone(),
        };
        if args.json {
            output::json(&ready)?;
        } else {
            show(&ready);
        }
        Ok(bound.run(asked_to_end.cancelled()).await?)
    });
    runtime.shutdown_timeout(LAST_GRACE);
    outcome
}

fn show(ready: &Ready) {
    output::line(format_args!("Morpheus is running at {}", ready.url));
    match &ready.login_url {
        Some(login_url) => output::line(format_args!("Sign in (valid once, for one day): {login_url}")),
        None => output::line("No access? `morpheus serve --new-login` prints a new login address."),
    }
}
