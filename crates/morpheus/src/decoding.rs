//! Decodes untrusted pictures in separate processes, `morpheus decode-worker`.

use anyhow::Context as _;
use dataset::decoder::{Decoder, WorkerCommand};

/// The command line that starts one.
pub(crate) fn command() -> anyhow::Result<WorkerCommand> {
    let program = std::env::current_exe()
        .context("failed to find the path of this program, which also decodes pictures")?;
    Ok(WorkerCommand {
        program,
        args: vec!["decode-worker".into()],
    })
}

/// Decodes in separate processes.
pub(crate) fn decoder() -> anyhow::Result<Decoder> {
    Ok(Decoder::workers(command()?))
}
