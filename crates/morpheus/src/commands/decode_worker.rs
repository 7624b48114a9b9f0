//! `morpheus decode-worker`: decodes pictures that strangers sent, for the process that started it, and can do
//! nothing else. Nobody starts it by hand.

use anyhow::Context as _;
use dataset::decoder::{Decoder, WorkerCommand, worker};

pub(crate) fn run() -> anyhow::Result<()> {
    worker::serve().context("failed to speak with the process that pictures come from")
}

/// How this program starts it.
pub(crate) fn command() -> anyhow::Result<WorkerCommand> {
    let program =
        std::env::current_exe().context("failed to find this program, which decodes pictures too")?;
    Ok(WorkerCommand {
        program,
        args: vec!["decode-worker".into()],
    })
}

/// Decodes in processes of its own.
pub(crate) fn decoder() -> anyhow::Result<Decoder> {
    Ok(Decoder::workers(command()?))
}
