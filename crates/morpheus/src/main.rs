//! The `morpheus` binary: every role of the product in one program.

mod api;
mod commands;
mod logging;
mod memory;
mod output;
mod paths;
mod progress;
mod settings;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Training allocates and frees large buffers at every step; mimalloc returns them without page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains and serves LoRAs for Stable Diffusion XL, on your own machine.
#[derive(Parser)]
#[command(name = "morpheus", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check pictures and captions before they are uploaded.
    Dataset(commands::dataset::Args),
    /// Print the version.
    Version(commands::version::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Dataset(args) => commands::dataset::run(args),
        Command::Version(args) => commands::version::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            output::error(&err);
            ExitCode::FAILURE
        }
    }
}
