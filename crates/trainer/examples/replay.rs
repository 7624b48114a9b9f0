//! Compares our training step with dumped steps of sd-scripts, and prints the largest relative errors of each.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use trainer::replay::{Replay, StepErrors};

#[derive(Parser)]
#[command(about)]
struct Args {
    /// Base model: a single file, or a diffusers folder.
    #[arg(long)]
    base: PathBuf,
    /// Folder with init.safetensors and step_000.safetensors, …
    #[arg(long)]
    golden: PathBuf,
    /// The dump trained the U-Net alone; without it, what the dump has beyond that is mentioned.
    #[arg(long)]
    unet_only: bool,
    /// Learning rate of the dumped training.
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// γ of min-SNR in the dumped training; 0 for none.
    #[arg(long, default_value_t = 0.0)]
    min_snr_gamma: f64,
    /// Carry our own weights from step to step. AdamW's direction hangs on the last bits of tiny gradients, so this
    /// drifts from any reference; see the documentation of trainer::replay.
    #[arg(long)]
    free_running: bool,
    /// Print a JSON list instead of a table.
    #[arg(long)]
    json: bool,
}

#[expect(clippy::print_stdout, reason = "the result goes to stdout")]
fn main() -> Result<()> {
    let args = Args::parse();
    let report = Replay {
        base: args.base,
        golden: args.golden,
        learning_rate: args.lr,
        min_snr_gamma: args.min_snr_gamma,
        free_running: args.free_running,
    }
    .run()?;
    if !args.unet_only && report.n_text_modules > 0 {
        eprintln!(
            "{} modules of the U-Net are compared; {} of the text encoders are not",
            report.n_modules, report.n_text_modules
        );
    }
    if args.json {
        println!("{}", serde_json::to_string(&report.steps)?);
        return Ok(());
    }
    println!("step  unet output  loss      gradients  weights");
    for StepErrors {
        step,
        unet_output,
        loss,
        gradients,
        weights,
    } in &report.steps
    {
        println!("{step:>4}  {unet_output:<11.1e}  {loss:<8.1e}  {gradients:<9.1e}  {weights:.1e}");
    }
    Ok(())
}
