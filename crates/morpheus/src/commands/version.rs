//! `morpheus version`: which program this is.

use crate::output;

/// See [`crate::Command::Version`].
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    if args.json {
        return output::json(&serde_json::json!({ "name": "morpheus", "version": version }));
    }
    output::line(format_args!("morpheus {version}"));
    Ok(())
}
