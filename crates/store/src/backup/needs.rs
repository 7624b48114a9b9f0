//! The objects that rows cannot do without, told by the rows alone: of a living database and of an export.

use std::collections::BTreeSet;

use protocol::{base::BaseCopy, dataset::Manifest};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::{
    BlobKey,
    bases::File,
    db::{copy::Row, entities::artifact::STORED},
    words::word,
};

/// The tables whose rows refer to objects.
pub(super) const REFERRING: [&str; 5] = [
    "base_models",
    "dataset_items",
    "dataset_versions",
    "artifacts",
    "model_versions",
];

/// Adds the objects that a row refers to.
pub(super) fn collect(table: &str, row: &Row, keys: &mut BTreeSet<BlobKey>) -> Result<(), String> {
    let mut add = |sha256: &str| -> Result<(), String> {
        keys.insert(BlobKey::from_sha256(sha256).map_err(|err| err.to_string())?);
        Ok(())
    };
    match table {
        "dataset_items" => add(&field::<String>(row, "sha256")?),
        "dataset_versions" => {
            let manifest: Manifest = field(row, "manifest")?;
            manifest.items.iter().try_for_each(|item| add(&item.sha256))
        }
        // What was only announced is not there yet.
        "artifacts" if field::<String>(row, "state")? == STORED => add(&field::<String>(row, "sha256")?),
        // What a job trained is among the artifacts. Schemas before imports have no such column.
        "model_versions"
            if row.contains_key("imported") && field::<Option<IgnoredAny>>(row, "imported")?.is_some() =>
        {
            add(&field::<String>(row, "sha256")?)
        }
        "base_models" => {
            let is_copied = field::<String>(row, "copy")? == word(&BaseCopy::Stored);
            let files: Vec<File> = field(row, "files")?;
            files
                .iter()
                .filter(|file| file.is_object || is_copied)
                .filter_map(|file| file.sha256.as_deref())
                .try_for_each(add)
        }
        _ => Ok(()),
    }
}

/// What a row that refers to an object is to a person.
pub(super) fn describe(table: &str, row: &Row) -> String {
    let text = |name: &str| field::<String>(row, name).unwrap_or_default();
    match table {
        "dataset_items" => format!(
            "picture `{}` of dataset {}",
            text("file_name"),
            text("dataset_id")
        ),
        "dataset_versions" => format!("dataset version {}", text("id")),
        "artifacts" => {
            let of = ["job", "generation", "edit"].into_iter().find_map(|of| {
                let id = field::<Option<String>>(row, &format!("{of}_id")).ok()??;
                Some(format!("{of} {id}"))
            });
            let of = of.unwrap_or_default();
            format!("{} `{}` of {of}", text("kind"), text("file_name"))
        }
        "model_versions" => format!(
            "version {} of model `{}`",
            field::<u32>(row, "version").unwrap_or_default(),
            text("name")
        ),
        "base_models" => format!("base model `{}`", text("name")),
        other => format!("a row of {other}"),
    }
}

/// The installation, if this row says it.
pub(super) fn deployment(table: &str, row: &Row) -> Option<uuid::Uuid> {
    if table != "settings" || field::<String>(row, "key").ok()? != "deployment" {
        return None;
    }
    field::<String>(row, "value").ok()?.parse().ok()
}

fn field<T: DeserializeOwned>(row: &Row, name: &str) -> Result<T, String> {
    let raw = row.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
    let mut json = serde_json::Deserializer::from_str(raw.get());
    T::deserialize(&mut json).map_err(|err| format!("`{name}` cannot be read: {err}"))
}

#[cfg(test)]
mod tests;
