//! The header of a safetensors file that sd-scripts wrote: reading it, and mending what it says of a training that was
//! interrupted.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// A header of a LoRA has a few hundred kilobytes.
const MAX_HEADER_BYTES: u64 = 100 << 20;
/// `sshs_legacy_hash` is made of these bytes of a file.
const LEGACY_RANGE: std::ops::Range<u64> = 0x10_0000..0x11_0000;

/// Whether a safetensors file is as long as its header says.
pub(super) fn is_complete(path: &Path) -> bool {
    let wanted = || -> Option<u64> {
        let (header_len, header) = read(path).ok()?;
        let tensors = header.iter().filter(|(name, _)| *name != "__metadata__");
        let ends = tensors.map(|(_, tensor)| tensor["data_offsets"][1].as_u64());
        let end = ends.collect::<Option<Vec<u64>>>()?.into_iter().max()?;
        end.checked_add(8 + header_len)
    };
    let found = path.metadata().ok().map(|metadata| metadata.len());
    found.is_some() && wanted() == found
}

/// The metadata of a safetensors file.
pub(super) fn metadata(path: &Path) -> io::Result<BTreeMap<String, String>> {
    let (_, header) = read(path)?;
    Ok(metadata_of(&header))
}

/// Replaces metadata of a LoRA, and the hash that depends on them. The tensors stay as they are.
pub(super) fn mend(path: &Path, changes: &[(&str, String)]) -> io::Result<()> {
    let (header_len, mut header) = read(path)?;
    let mut metadata = metadata_of(&header);
    for (name, value) in changes {
        metadata.insert((*name).to_owned(), value.clone());
    }
    let mut tensors = File::open(path)?;
    if metadata.contains_key("sshs_legacy_hash") {
        let mut training = metadata.clone();
        training.retain(|name, _| name.starts_with("ss_"));
        let before = 8 + serialized(&mut header, &training)?.len() as u64;
        let hash = legacy_hash(&mut tensors, 8 + header_len, before)?;
        metadata.insert("sshs_legacy_hash".to_owned(), hash);
    }
    let header = serialized(&mut header, &metadata)?;
    let temporary = path.with_extension("mended");
    let mut out = File::create(&temporary)?;
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    tensors.seek(SeekFrom::Start(8 + header_len))?;
    io::copy(&mut tensors, &mut out)?;
    out.sync_all()?;
    fs::rename(&temporary, path)
}

/// First 8 digits of the SHA-256 of a range of the file as it would be with so many bytes before its tensors, which
/// now begin at `tensors_at`. The range never reaches into a header that small.
fn legacy_hash(file: &mut File, tensors_at: u64, before: u64) -> io::Result<String> {
    let mut hasher = Sha256::new();
    if let Some(skipped) = LEGACY_RANGE.start.checked_sub(before) {
        file.seek(SeekFrom::Start(tensors_at + skipped))?;
        let mut part = Vec::new();
        file.take(LEGACY_RANGE.end - LEGACY_RANGE.start)
            .read_to_end(&mut part)?;
        hasher.update(&part);
    }
    Ok(hex::encode(&hasher.finalize()[..4]))
}

/// With spaces at the end, so that the tensors are aligned.
fn serialized(header: &mut Map<String, Value>, metadata: &BTreeMap<String, String>) -> io::Result<Vec<u8>> {
    header.insert("__metadata__".to_owned(), serde_json::to_value(metadata)?);
    let mut bytes = serde_json::to_vec(header)?;
    bytes.resize(bytes.len().next_multiple_of(8), b' ');
    Ok(bytes)
}

fn metadata_of(header: &Map<String, Value>) -> BTreeMap<String, String> {
    let entries = header.get("__metadata__").and_then(Value::as_object);
    let texts = entries.into_iter().flatten();
    texts
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn read(path: &Path) -> io::Result<(u64, Map<String, Value>)> {
    let mut file = File::open(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return Err(io::Error::other("the header is too long"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header)?;
    Ok((length, serde_json::from_slice(&header)?))
}

#[cfg(test)]
mod tests;
