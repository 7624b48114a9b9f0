//! Prints every number of a short training on `tiny-xl` to the last bit: losses, gradient norms, and hashes of the
//! checkpoints, the sample and the LoRA.
//!
//! Run it before and after a change that must not change what is computed, on one machine: other processors add in
//! another order.

use std::{fmt::Write as _, path::Path};

use anyhow::{Context, Result, bail};
use diffusion::base::BaseModel;
use protocol::{
    agent::Report,
    preset::BaseClass,
    recipe::{Recipe, RecipeRequest},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use trainer::{
    drawn::Drawn,
    train::{Ended, JudgeShare, TrainEvent, TrainJob, train},
};

#[expect(clippy::print_stdout, reason = "the result goes to stdout")]
fn main() -> Result<()> {
    let drawn = Drawn::new();
    let folder = tempfile::tempdir()?;
    let mut lines = String::new();
    let mut written = Vec::new();
    let ended = train(
        &TrainJob {
            recipe: &recipe()?,
            base: &BaseModel::open("tiny-xl")?,
            manifest: &drawn.manifest,
            pictures: &|item| drawn.file(item),
            folder: folder.path(),
            start_from: None,
            resume_from: None,
            is_start_drawn: false,
            recomputes: false,
            judging: JudgeShare::NONE,
        },
        |event| match event {
            TrainEvent::Report(Report::Step(step)) => {
                let (loss, norm) = (step.loss.to_bits(), step.gradient_norm.to_bits());
                let _ = writeln!(
                    lines,
                    "step {}: loss {:.9} {loss:016x}, gradient norm {norm:016x}",
                    step.step, step.loss
                );
            }
            TrainEvent::Report(Report::ValidationLoss { step, loss }) => {
                let _ = writeln!(
                    lines,
                    "after step {step}: validation loss {loss:.9} {:016x}",
                    loss.to_bits()
                );
            }
            TrainEvent::Wrote { path, .. } => written.push(path),
            TrainEvent::Report(_) => {}
        },
        || None,
    )?;
    let Ended::Completed(trained) = ended else {
        bail!("the training ended early");
    };
    written.extend(
        [Some(trained.lora), trained.before, trained.after]
            .into_iter()
            .flatten(),
    );
    for path in written {
        let name = path.file_name().unwrap_or_default().display().to_string();
        writeln!(lines, "{name}: {}", content_hash(&path)?)?;
    }
    print!("{lines}");
    println!("all: {}", hash(lines.as_bytes()));
    Ok(())
}

fn recipe() -> Result<Recipe> {
    let overrides = json!({
        "rank": 4, "alpha": 4.0, "n_steps": 8, "n_warmup_steps": 2, "learning_rate": 1e-3, "batch_size": 2,
        "gradient_accumulation": 2, "noise_offset": 0.1, "caption_dropout": 0.3, "min_snr_gamma": 5.0,
        "resolution": 64, "bucket_step": 32, "checkpoint_every_n_steps": 4, "sample_every_n_steps": 4, "seed": 3,
    });
    let request = RecipeRequest {
        name: "fingerprint".into(),
        base_model: "tiny-xl".into(),
        trigger_word: Some("zora".into()),
        sample_prompts: vec!["zora".into()],
        overrides: serde_json::from_value(overrides)?,
        ..RecipeRequest::default()
    };
    Recipe::resolve(request, BaseClass::Tiny).context("the recipe is not valid")
}

/// SHA-256 of a picture, or of a tensor file without its header, which holds the time.
fn content_hash(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))?;
    if path.extension() != Some("safetensors".as_ref()) {
        return Ok(hash(&bytes));
    }
    let (length, rest) = bytes.split_first_chunk().context("a file without a header")?;
    let tensors = rest.get(u64::from_le_bytes(*length) as usize..);
    Ok(hash(tensors.context("a header that is longer than its file")?))
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
