//! PEFT folders: an archive is unpacked, and what `adapter_config.json` says goes into the header of the LoRA's file, which
//! then stands alone.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use bytes::Bytes;
use dataset::ingest::{ArchiveError, open_archive};
use protocol::{
    limits::{MAX_ADAPTER_CONFIG_BYTES, MAX_LORA_BYTES},
    problem::FieldError,
    safetensors,
};
use serde_json::{Map, Value};
use tempfile::NamedTempFile;

use super::incoming::{Incoming, PIECE_BYTES, Writer, read};

/// First bytes of a zip archive.
const ZIP: &[u8] = b"PK\x03\x04";
const LORA: &str = "adapter_model.safetensors";
const CONFIG: &str = "adapter_config.json";
/// What strength and rank hang on; everything else is about training.
const KEPT: [&str; 7] = [
    "r",
    "lora_alpha",
    "alpha",
    "use_rslora",
    "use_dora",
    "rank_pattern",
    "alpha_pattern",
];
/// Where diffusers keeps such a configuration in a header, with the part of the model before each key.
const HEADER: &str = "lora_adapter_metadata";
const PARTS: [&str; 3] = ["unet", "text_encoder", "text_encoder_2"];

/// How many times its packed size a LoRA may have. Its numbers are noise, which hardly gets smaller, or half of them zeros.
const MAX_RATIO: u64 = 20;
/// Unpacked, so many bytes are allowed in any case.
const RATIO_FROM_BYTES: u64 = 16 << 20;

/// A file that is ready to be looked at, or what is wrong with a part of the upload.
type Ready<T> = io::Result<Result<T, FieldError>>;
/// A LoRA out of an archive, and the configuration beside it.
type Unpacked = (Incoming, Option<Vec<u8>>);

impl Incoming {
    /// Unpacks a PEFT folder that was sent as a zip archive, and puts a configuration into the header of the file, be it
    /// the archive's or one that was sent beside it. Any other file stays as it is. Blocks.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn prepared(self, folder: &Path, config: Option<Vec<u8>>) -> Ready<Self> {
        let mut start = [0; ZIP.len()];
        let n_read = self.file.reopen()?.read(&mut start)?;
        let (file, config) = if start[..n_read] == *ZIP {
            match unpacked(&self.file.reopen()?, folder)? {
                Ok(Some((file, found))) => (file, config.or(found)),
                // PyTorch's files are archives too: what they are, their reader says.
                Ok(None) => (self, config),
                Err(problem) => return Ok(Err(FieldError::new("file", problem))),
            }
        } else {
            (self, config)
        };
        match config {
            Some(config) => file.with_config(folder, &config),
            None => Ok(Ok(file)),
        }
    }

    fn with_config(self, folder: &Path, config: &[u8]) -> Ready<Self> {
        let wrong = |field: &str, problem: String| Ok(Err(FieldError::new(field, problem)));
        let config: Map<String, Value> = match serde_json::from_slice(config) {
            Ok(config) => config,
            Err(err) => return wrong("config", format!("is not PEFT's `{CONFIG}`: {err}")),
        };
        if !KEPT.iter().any(|key| config.contains_key(*key)) {
            return wrong(
                "config",
                format!("is not PEFT's `{CONFIG}`: it has no `lora_alpha` and no `r`"),
            );
        }
        let mut file = self.file.reopen()?;
        let prefix = read(&mut file, safetensors::PREFIX_BYTES)?;
        let range = match safetensors::header_range(&prefix, self.size_bytes) {
            Ok(range) => range,
            // What the file is instead, its reader says better.
            Err(_) => return Ok(Ok(self)),
        };
        let header = read(&mut file, range.end - range.start)?;
        let Ok(mut header) = serde_json::from_slice::<Map<String, Value>>(&header) else {
            return Ok(Ok(self));
        };
        let metadata = header
            .entry("__metadata__")
            .or_insert_with(|| Value::Object(Map::new()));
        match metadata {
            Value::Object(metadata) if !metadata.contains_key(HEADER) => {
                metadata.insert(HEADER.to_owned(), Value::String(of_parts(&config).to_string()));
            }
            // The file says it itself.
            _ => return Ok(Ok(self)),
        }
        let mut text = serde_json::to_vec(&header).map_err(io::Error::other)?;
        // As the format's own writer does it, so that numbers are aligned.
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut written = Writer::new(NamedTempFile::new_in(folder)?);
        written.write_all(&(text.len() as u64).to_le_bytes())?;
        written.write_all(&text)?;
        file.seek(SeekFrom::Start(range.end))?;
        io::copy(&mut file, &mut written)?;
        Ok(Ok(written.done()?))
    }
}

/// The configuration as diffusers stores it. PEFT's names do not say the part, so it holds for each.
fn of_parts(config: &Map<String, Value>) -> Value {
    let kept = || config.iter().filter(|(key, _)| KEPT.contains(&key.as_str()));
    let parts = PARTS
        .iter()
        .flat_map(|part| kept().map(move |(key, value)| (format!("{part}.{key}"), value.clone())));
    Value::Object(parts.collect())
}

/// The LoRA of an archive, and the configuration beside it; none if there is no such file.
fn unpacked(archive: &File, folder: &Path) -> io::Result<Result<Option<Unpacked>, String>> {
    let mut archive = match open_archive(archive) {
        Ok(archive) => archive,
        Err(ArchiveError::Damaged(_)) => return Ok(Ok(None)),
        Err(refused) => return Ok(Err(refused.to_string())),
    };
    let found: Vec<String> = archive
        .file_names()
        .filter_map(Result::ok)
        .filter(|name| name.rsplit(['/', '\\']).next() == Some(LORA))
        .map(Cow::into_owned)
        .collect();
    let name = match found.as_slice() {
        [] => return Ok(Ok(None)),
        [name] => name,
        several => {
            return Ok(Err(format!(
                "is a zip archive with {} files `{LORA}`: send one PEFT folder, with this file and `{CONFIG}`",
                several.len()
            )));
        }
    };
    let beside = format!("{}{CONFIG}", name.strip_suffix(LORA).unwrap_or_default());
    let config = match archive.by_name(&beside) {
        Ok(file) => {
            let mut config = Vec::new();
            let mut file = file.take(MAX_ADAPTER_CONFIG_BYTES);
            // An archive that cannot be unpacked is no failure of the disk.
            if let Err(err) = file.read_to_end(&mut config) {
                return Ok(Err(format!(
                    "is a zip archive whose `{CONFIG}` is damaged: {err}"
                )));
            }
            Some(config)
        }
        Err(_) => None,
    };
    let (mut file, most) = match archive.by_name(name) {
        Ok(file) => {
            let most = MAX_RATIO
                .saturating_mul(file.compressed_size())
                .clamp(RATIO_FROM_BYTES, MAX_LORA_BYTES);
            (file.take(most + 1), most)
        }
        Err(err) => {
            return Ok(Err(format!(
                "is a zip archive whose `{LORA}` cannot be read: {err}"
            )));
        }
    };
    let mut piece = vec![0; PIECE_BYTES];
    let mut damage = None;
    let written = Incoming::write(folder, || match file.read(&mut piece) {
        Ok(0) => None,
        Ok(n) => Some(Bytes::copy_from_slice(&piece[..n])),
        Err(err) => {
            damage = Some(err);
            None
        }
    })?;
    Ok(match (written, damage) {
        (_, Some(err)) => Err(format!("is a zip archive whose `{LORA}` is damaged: {err}")),
        (None, None) => Err(format!("holds a LoRA of more than {} GiB", MAX_LORA_BYTES >> 30)),
        (Some(file), None) if file.size_bytes > most => Err(format!(
            "is a zip bomb: its `{LORA}` unpacks to more than {MAX_RATIO} times its size"
        )),
        (Some(file), None) => Ok(Some((file, config))),
    })
}

#[cfg(test)]
mod tests;
