//! What the kohya engine would be started with.

use std::path::Path;

use agent::{
    Measurements,
    kohya::{
        base::Located,
        plan::{Memory, Plan, Request},
    },
};
use anyhow::Context as _;
use serde_json::json;

use super::Setup;
use crate::{output, paths};

/// Prints the arguments and the dataset file; nothing is written or started.
pub(super) fn print(setup: &Setup, folder: &Path) -> anyhow::Result<()> {
    let plan = plan(setup, folder)?;
    if setup.json {
        return output::json(&json!({ "args": plan.args, "dataset_toml": plan.dataset_toml }));
    }
    for arg in &plan.args {
        output::line(arg);
    }
    output::line(format_args!(
        "\n# {}\n{}",
        plan.dataset_file.display(),
        plan.dataset_toml
    ));
    Ok(())
}

/// What sd-scripts would be started with, if it takes the recipe.
pub(super) fn plan(setup: &Setup, folder: &Path) -> anyhow::Result<Plan> {
    let folder = paths::absolute(folder).join("kohya");
    let base = Located::find(
        &setup.base,
        &setup.base_options,
        &Measurements::at(&paths::work_dir()),
        (setup.recipe.base_model(), &folder),
    )
    .context("base_model")?;
    Plan::new(&Request {
        recipe: &setup.recipe,
        manifest: &setup.pictures.manifest,
        base: &base.path,
        vae: base.vae.as_deref(),
        prediction: base.prediction,
        base_hash: &base.hash,
        folder: &folder,
        tokenizers: &setup.kohya.tokenizers(),
        precision: setup.kohya.kohya_precision,
        memory: Memory::Planned,
        start_from: setup.start_from.as_deref(),
        resume: None,
        is_start_drawn: false,
    })
    .context("sd-scripts cannot train this recipe")
}
