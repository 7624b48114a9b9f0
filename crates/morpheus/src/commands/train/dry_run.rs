//! What the kohya engine would be started with.

use std::path::Path;

use agent::{
    engine::Base,
    kohya::plan::{Memory, Plan, Request},
};
use anyhow::Context as _;
use diffusion::{base::BaseInfo, schedulers::PredictionType};
use protocol::{dataset::Manifest, recipe::Recipe};
use serde_json::json;

use crate::{kohya::KohyaFlags, output};

/// Prints the arguments and the dataset file; nothing is written or started.
pub(super) fn print(
    recipe: &Recipe,
    manifest: &Manifest,
    base: &Base,
    folder: &Path,
    flags: &KohyaFlags,
    is_json: bool,
) -> anyhow::Result<()> {
    let folder = folder.join("kohya");
    let (path, prediction) = match base {
        Base::BuiltIn(name) => (folder.join(name), PredictionType::Epsilon),
        Base::Path(path) => {
            let path = crate::paths::absolute(path);
            let info = BaseInfo::read(&path).context("base_model")?;
            (path, info.prediction_type)
        }
    };
    let plan = Plan::new(&Request {
        recipe,
        manifest,
        base: &path,
        prediction,
        folder: &folder,
        tokenizers: &flags.tokenizers(),
        precision: flags.kohya_precision,
        memory: Memory::Planned,
        resume: None,
    })
    .context("sd-scripts cannot train this recipe")?;
    if is_json {
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
