//! Reads the scalars of a tensorboard event file while it is written.
//!
//! The format is TFRecord (length, CRC of the length, data, CRC of the data) around a protobuf message `Event`, of
//! which two fields matter: the step and the scalars of its summary.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

/// One number of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// What it is: `loss/current`.
    pub tag: String,
    /// The step it was written at.
    pub step: i64,
    /// The number.
    pub value: f32,
    /// When it was written, in seconds since 1970.
    pub wall_time: f64,
}

/// Why an event file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum EventFileError {
    /// The disk said no.
    #[error("failed to read the event file `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// A checksum is wrong.
    #[error("the event file `{path}` is damaged at byte {at}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the record begins.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// sd-scripts writes scalars only; a record of this size is none.
const MAX_RECORD_BYTES: u64 = 1 << 20;

/// Reads a file as it grows.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    /// Where the next record begins.
    at: u64,
}

impl Follower {
    /// Finds the event file in a run's log folder, once there is one.
    pub fn find(logs: &Path) -> Option<Self> {
        let mut folders = vec![logs.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with("events.out.tfevents")
                {
                    return Some(Self { path, at: 0 });
                }
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                }
            }
        }
        None
    }

    /// The scalars that were written since the last look. A record that is still being written is left for the next.
    ///
    /// # Errors
    /// If the file cannot be read, or its checksums do not fit.
    pub fn read(&mut self) -> Result<Vec<Scalar>, EventFileError> {
        let bytes = self.new_bytes().map_err(|err| EventFileError::Read {
            path: self.path.clone(),
            err,
        })?;
        let mut scalars = Vec::new();
        let mut rest = bytes.as_slice();
        loop {
            match record(rest) {
                Ok(Some((data, after))) => {
                    self.at += (rest.len() - after.len()) as u64;
                    rest = after;
                    read_event(data, &mut scalars);
                }
                Ok(None) => return Ok(scalars),
                Err(what) => {
                    return Err(EventFileError::Damaged {
                        path: self.path.clone(),
                        at: self.at,
                        what,
                    });
                }
            }
        }
    }

    fn new_bytes(&self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.at))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The first record and what follows it; nothing if it is not all there yet.
fn record(bytes: &[u8]) -> Result<Option<(&[u8], &[u8])>, &'static str> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Ok(None);
    };
    let Some((check, rest)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    if masked_crc(length) != u32::from_le_bytes(*check) {
        return Err("the checksum of a record's length is wrong");
    }
    let length = u64::from_le_bytes(*length);
    if length > MAX_RECORD_BYTES {
        return Err("a record is too long");
    }
    let Some((data, rest)) = rest.split_at_checked(length as usize) else {
        return Ok(None);
    };
    let Some((check, rest)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    if masked_crc(data) != u32::from_le_bytes(*check) {
        return Err("the checksum of a record is wrong");
    }
    Ok(Some((data, rest)))
}

/// TFRecord's checksum: CRC-32C, rotated by 15 bits and moved by a constant (tensorflow, core/lib/hash/crc32c.h).
pub fn masked_crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            // The Castagnoli polynomial, reflected.
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// `Event { wall_time = 1, step = 2, summary = 5 }`; `Summary { repeated Value value = 1 }`.
fn read_event(data: &[u8], scalars: &mut Vec<Scalar>) {
    let step = fields(data).find_map(|field| match field {
        (2, Field::Number(step)) => Some(step as i64),
        _ => None,
    });
    let wall_time = fields(data).find_map(|field| match field {
        (1, Field::Double(seconds)) => Some(seconds),
        _ => None,
    });
    let at = (step.unwrap_or(0), wall_time.unwrap_or(0.0));
    for field in fields(data) {
        let (5, Field::Bytes(summary)) = field else {
            continue;
        };
        for field in fields(summary) {
            let (1, Field::Bytes(value)) = field else { continue };
            scalars.extend(read_value(value, at));
        }
    }
}

/// `Value { tag = 1, simple_value = 2 }`.
fn read_value(value: &[u8], (step, wall_time): (i64, f64)) -> Option<Scalar> {
    let (mut tag, mut number) = (None, None);
    for field in fields(value) {
        match field {
            (1, Field::Bytes(text)) => tag = Some(String::from_utf8_lossy(text).into_owned()),
            (2, Field::Float(value)) => number = Some(value),
            _ => {}
        }
    }
    Some(Scalar {
        tag: tag?,
        step,
        value: number?,
        wall_time,
    })
}

enum Field<'a> {
    Number(u64),
    Double(f64),
    Float(f32),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message, up to the first that makes no sense.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    std::iter::from_fn(move || {
        let key = varint(&mut message)?;
        let field = match key & 7 {
            0 => Field::Number(varint(&mut message)?),
            1 => {
                let (bytes, rest) = message.split_first_chunk::<8>()?;
                message = rest;
                Field::Double(f64::from_le_bytes(*bytes))
            }
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (bytes, rest) = message.split_at_checked(length)?;
                message = rest;
                Field::Bytes(bytes)
            }
            5 => {
                let (bytes, rest) = message.split_first_chunk::<4>()?;
                message = rest;
                Field::Float(f32::from_le_bytes(*bytes))
            }
            _ => return None,
        };
        Some((key >> 3, field))
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests;
