//! Previews of sd-scripts, which writes into none how it was made.

use std::{fs, io, path::Path};

use protocol::{
    made::{self, Made, MadeBase, MadeLora},
    recipe::Recipe,
    sample::Sample,
};
use trainer::{
    made::{PROGRAM, add_to, plain_name},
    tensor_file::write_atomically,
};

/// How sd-scripts drew a preview after so many steps, as far as is known.
pub(super) fn record(base: &MadeBase, recipe: &Recipe, sample: &Sample, step: u32) -> Made {
    let lora = MadeLora {
        name: plain_name(recipe.name()),
        // It renders with the network as it trains it.
        weight: 1.0,
        partial: false,
        sha256: None,
        data_sha256: None,
        model_version_id: None,
        trained_steps: Some(step),
    };
    Made {
        version: made::VERSION,
        program: made::of_sd_scripts(PROGRAM),
        base: base.clone(),
        prompt: sample.prompt.clone(),
        // It takes none for an empty one.
        negative_prompt: Some(sample.negative_prompt.clone().unwrap_or_default()),
        literal: false,
        // It encodes in chunks, whatever captions are cut to.
        max_tokens: 75,
        loras: vec![lora],
        seed: sample.seed,
        n_steps: sample.n_steps,
        guidance: sample.guidance,
        width: sample.width,
        height: sample.height,
        sampler: sample.sampler,
        initial_noise: None,
    }
}

/// Moves a preview, and has it carry its record.
pub(super) fn keep(from: &Path, to: &Path, made: &Made) -> io::Result<()> {
    let mut png = fs::read(from)?;
    add_to(&mut png, made);
    write_atomically(to, |out: &mut dyn io::Write| out.write_all(&png)).map_err(|err| err.err)?;
    // The next look hands it over no second time, and the folder goes with the run.
    let _ = fs::remove_file(from);
    Ok(())
}

#[cfg(test)]
mod tests;
