//! `morpheus serve`: the whole product on this machine.

use anyhow::Context as _;
use serde::Serialize;

use crate::{
    logging, output, product,
    settings::{Flags, Settings},
    signals,
};

/// See [`crate::Command::Serve`].
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Flags,
    /// Print a fresh login address, as the first start does
    #[arg(long)]
    new_login: bool,
    /// Print where it listens as one JSON object
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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(async {
        let mut bound = product::bind(settings).await?;
        if args.new_login && bound.login_url.is_none() {
            bound.login_url = Some(
                bound
                    .new_login_url()
                    .await
                    .context("failed to make a login address")?,
            );
        }
        let ready = Ready {
            url: bound.public_url.clone(),
            login_url: bound.login_url.clone(),
        };
        if args.json {
            output::json(&ready)?;
        } else {
            show(&ready);
        }
        Ok(bound.run(signals::asked_to_end()).await?)
    })
}

fn show(ready: &Ready) {
    output::line(format_args!("Morpheus is at {}", ready.url));
    match &ready.login_url {
        Some(login_url) => output::line(format_args!("Sign in within a day: {login_url}")),
        None => output::line("Lost the way in? `morpheus serve --new-login` prints a fresh login address."),
    }
}
