//! `morpheus measure-base`: measures what the U-Net of a base model does, for the server that started it. It is not meant
//! to be started by hand.

use std::path::PathBuf;

use agent::Measurements;
use diffusion::base::{BaseError, BaseModel};
use protocol::problem::chain;
use rustix::process::{Signal, nice, set_parent_process_death_signal};

use crate::{bases::BaseFlags, measuring::Answer, output, paths};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The base model.
    path: PathBuf,
    #[command(flatten)]
    base_flags: BaseFlags,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    // What the server does for people goes first, and nobody waits for this when it is gone.
    let _ = nice(10);
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let answer = match measured(args) {
        Ok(model) => match model.info.measured {
            Some(measured) => Answer::Measured(measured),
            None => Answer::Broken("it was not measured".to_owned()),
        },
        Err(err) => Answer::Broken(chain(&err)),
    };
    output::line(serde_json::to_string(&answer)?);
    Ok(())
}

fn measured(args: &Args) -> Result<BaseModel, BaseError> {
    let mut model = BaseModel::load_on(&diffusion::cpu::Cpu, &args.path, &args.base_flags.options())?;
    Measurements::at(&paths::work_dir()).tell(&mut model)?;
    Ok(model)
}
