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
    /// The dump trained the U-Net alone: the same as a --text-encoder-lr of 0.
    #[arg(long, conflicts_with = "text_encoder_lr")]
    unet_only: bool,
    /// Learning rate of the dumped training.
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Learning rate of its text encoders; without it, that of everything else. At 0 they are frozen and not compared.
    #[arg(long)]
    text_encoder_lr: Option<f64>,
    /// Rank of its 3×3 convolutions. What the dump has is compared in any case; one that has something else is refused.
    #[arg(long, requires = "conv_alpha")]
    conv_dim: Option<usize>,
    /// Alpha of its 3×3 convolutions.
    #[arg(long, requires = "conv_dim")]
    conv_alpha: Option<f64>,
    /// It trained the U-Net to predict velocity, if the base does not say so itself.
    #[arg(long)]
    v_parameterization: bool,
    /// Its last timestep was pure noise, if the base does not say so itself.
    #[arg(long)]
    zero_terminal_snr: bool,
    /// It weighted the loss by debiased estimation.
    #[arg(long)]
    debiased: bool,
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
        text_encoder_learning_rate: match args.unet_only {
            true => 0.0,
            false => args.text_encoder_lr.unwrap_or(args.lr),
        },
        convolutions: args.conv_dim.zip(args.conv_alpha),
        v_parameterization: args.v_parameterization,
        zero_terminal_snr: args.zero_terminal_snr,
        min_snr_gamma: args.min_snr_gamma,
        debiased: args.debiased,
        free_running: args.free_running,
    }
    .run()?;
    eprintln!(
        "{} modules of the U-Net and {} of the text encoders are compared; {} are frozen",
        report.n_unet_modules, report.n_text_modules, report.n_frozen_modules
    );
    if args.json {
        println!("{}", serde_json::to_string(&report.steps)?);
        return Ok(());
    }
    println!("step  hidden states  unet output  loss      gradients  weights");
    for StepErrors {
        step,
        hidden_states,
        unet_output,
        loss,
        gradients,
        weights,
    } in &report.steps
    {
        let hidden_states = hidden_states.map_or("-".to_owned(), |error| format!("{error:.1e}"));
        println!(
            "{step:>4}  {hidden_states:<13}  {unet_output:<11.1e}  {loss:<8.1e}  {gradients:<9.1e}  {weights:.1e}"
        );
    }
    Ok(())
}
