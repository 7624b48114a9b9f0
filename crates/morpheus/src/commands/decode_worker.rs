//! `morpheus decode-worker`: decodes untrusted pictures for the process that started it, in a sandbox. It is not
//! meant to be started by hand.

use anyhow::Context as _;
use dataset::decoder::worker;

pub(crate) fn run() -> anyhow::Result<()> {
    worker::serve().context("failed to communicate with the process that sends pictures")
}
