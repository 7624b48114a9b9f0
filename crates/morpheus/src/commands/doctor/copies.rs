//! The check of the folder into which approved LoRAs are copied.

use orchestrator::check_lora_folder;

use super::Finding;
use crate::settings::Settings;

/// Checks the folder that the setting names; nothing if it names none.
pub(super) fn check(settings: &Settings) -> Option<Finding> {
    let folder = settings.lora_folder.as_deref()?;
    let name = "LoRA folder";
    Some(match check_lora_folder(folder) {
        Ok(()) => Finding::ok(name, format!("`{}` is writable", folder.display())),
        // Everything else works without it.
        Err(problem) => Finding::warning(
            name,
            problem,
            "approved LoRAs are copied as soon as it can be written; correct --lora-folder, or leave it out",
        ),
    })
}
