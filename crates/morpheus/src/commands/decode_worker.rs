//! `morpheus decode-worker`: decodes untrusted pictures for the process that started it, in a sandbox. It is not
//! meant to be started by hand.

use anyhow::Context as _;
use dataset::decoder::{Decoder, WorkerCommand, worker};

pub(crate) fn run() -> anyhow::Result<()> {
    worker::serve().context("failed to communicate with the process that sends pictures")
}

/// The command line that starts it.
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
