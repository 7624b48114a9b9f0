//! What the kohya engine would be started with.

use std::path::Path;

use agent::{
    engine::Base,
    kohya::plan::{Memory, Plan, Request},
};
use anyhow::Context as _;
use diffusion::{base::BaseInfo, schedulers::PredictionType};
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
    let (path, prediction) = match &setup.base {
        Base::BuiltIn(name) => (folder.join(name), PredictionType::Epsilon),
        Base::Path(path) => {
            let path = paths::absolute(path);
            let info = BaseInfo::read(&path).context("base_model")?;
            (path, info.prediction_type)
        }
    };
    Plan::new(&Request {
        recipe: &setup.recipe,
        manifest: &setup.pictures.manifest,
        base: &path,
        prediction,
        folder: &folder,
        tokenizers: &setup.kohya.tokenizers(),
        precision: setup.kohya.kohya_precision,
        memory: Memory::Planned,
        resume: None,
    })
    .context("sd-scripts cannot train this recipe")
}
