//! The `morpheus` binary: every role of the product in one program.

mod api;
mod bases;
mod commands;
mod decoding;
mod diffusers;
mod judging;
mod kohya;
mod logging;
mod loras;
mod measuring;
mod memory;
mod output;
mod paths;
mod private;
mod product;
mod progress;
mod screen;
mod settings;
mod signals;
mod verdict;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Training allocates and frees large buffers at every step; mimalloc returns them without page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains and serves LoRAs for Stable Diffusion XL, on your own machine.
#[derive(Parser)]
#[command(
    name = "morpheus",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: API, dashboard, training and generation on this machine.
    Serve(commands::serve::Args),
    /// Run work for a server on this machine.
    Agent(commands::agent::Args),
    /// Train a LoRA without a server.
    Train(commands::train::Args),
    /// Read settings of other trainers as recipes, and write recipes for them.
    Recipe(commands::recipe::Args),
    /// Render a picture from a prompt, with any number of LoRAs.
    Generate(commands::generate::Args),
    /// Inspect and verify LoRA files.
    Lora(commands::lora::Args),
    /// Check pictures and captions before they are uploaded, and let a tagger or a model propose captions.
    Dataset(commands::dataset::Args),
    /// Back up the database and files into one file or folder while the server runs. It contains secrets.
    Backup(commands::backup::Args),
    /// Restore a backup into an empty installation with any database and object store.
    Restore(commands::restore::Args),
    /// Maintain the object store.
    Objects(commands::objects::Args),
    /// Migrate, inspect, export or import the database.
    Db(commands::db::Args),
    /// Show who did what, when and from where.
    Audit(commands::audit::Args),
    /// End rented machines whose time is over, by their names alone: no database, only the provider's key.
    Reap(commands::reap::Args),
    /// Run a complete training with pictures that ship with Morpheus.
    Demo(commands::demo::Args),
    /// Check this machine and say what is wrong and how to fix it.
    Doctor(commands::doctor::Args),
    /// Print the version.
    Version(commands::version::Args),
    /// Decode pictures for the process that started this one.
    #[command(hide = true)]
    DecodeWorker,
    /// Measure what the U-Net of a base model does, for the process that started this one.
    #[command(hide = true)]
    MeasureBase(commands::measure_base::Args),
}

impl Command {
    /// Whether the command works on an installation, whose files must be private. Files that users create for
    /// themselves, such as pictures and trained files, get their usual permissions.
    fn keeps_secrets(&self) -> bool {
        match self {
            Self::Serve(_)
            | Self::Agent(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Objects(_)
            | Self::Db(_)
            | Self::Audit(_)
            | Self::Reap(_)
            | Self::Demo(_)
            | Self::Doctor(_) => true,
            Self::Train(_)
            | Self::Recipe(_)
            | Self::Generate(_)
            | Self::Lora(_)
            | Self::Dataset(_)
            | Self::Version(_)
            | Self::DecodeWorker
            | Self::MeasureBase(_) => false,
        }
    }
}

fn main() -> ExitCode {
    if let Err(err) = signals::survive_limits_of_files() {
        output::note(format_args!("a limit of files would end the program: {err}"));
    }
    commands::agent::supervise_if_rented();
    let command = Cli::parse().command;
    if command.keeps_secrets() {
        private::mask();
    }
    let outcome = match command {
        Command::Serve(args) => commands::serve::run(args),
        Command::Agent(args) => commands::agent::run(args),
        Command::Train(args) => commands::train::run(args),
        Command::Recipe(args) => commands::recipe::run(args),
        Command::Generate(args) => commands::generate::run(args),
        Command::Lora(args) => commands::lora::run(args),
        Command::Dataset(args) => commands::dataset::run(args),
        Command::Backup(args) => commands::backup::run(args),
        Command::Restore(args) => commands::restore::run(args),
        Command::Objects(args) => commands::objects::run(args),
        Command::Db(args) => commands::db::run(args),
        Command::Audit(args) => commands::audit::run(args),
        Command::Reap(args) => commands::reap::run(args),
        Command::Demo(args) => commands::demo::run(args),
        Command::Doctor(args) => commands::doctor::run(args),
        Command::Version(args) => commands::version::run(args),
        Command::DecodeWorker => commands::decode_worker::run(),
        Command::MeasureBase(args) => commands::measure_base::run(&args),
    };
    match outcome {
        Ok(()) => match output::lost() {
            None => ExitCode::SUCCESS,
            Some(err) => {
                output::error(&err);
                ExitCode::FAILURE
            }
        },
        Err(err) => {
            output::error(&err);
            ExitCode::FAILURE
        }
    }
}
