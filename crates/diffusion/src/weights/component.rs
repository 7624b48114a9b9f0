//! The tensors of one part of a base model under their canonical names, wherever they are stored.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use candle_core::Tensor;

use super::TensorFile;
use crate::{
    device::{Frozen, tensor},
    layers::{WeightError, WeightSource},
};

/// No model has a larger side of a tensor: SDXL's largest is its vocabulary.
pub(crate) const MAX_SIDE: usize = 1 << 20;

/// One part of a base model: canonical tensor names, and where each is found.
#[derive(Debug, Clone, Default)]
pub struct Component {
    path: PathBuf,
    entries: HashMap<String, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    file: Arc<TensorFile>,
    key: String,
    part: Part,
}

/// Which part of a stored tensor a canonical name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// A 1×1 convolution `[O, I, 1, 1]` as the matrix `[O, I]` that it is.
    Matrix,
    /// A matrix with its axes swapped.
    Transposed,
    /// The `i`-th third of the rows: query, key and value in one.
    Third(usize),
}

impl Component {
    /// A part without tensors, of the file or folder at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            entries: HashMap::new(),
        }
    }

    /// Lists a tensor. A canonical name that is listed already keeps its first meaning.
    pub fn list(&mut self, name: String, file: &Arc<TensorFile>, key: &str, part: Part) {
        self.entries.entry(name).or_insert_with(|| Entry {
            file: Arc::clone(file),
            key: key.to_owned(),
            part,
        });
    }

    /// Lists what another part lists, and is not listed yet.
    pub(super) fn take(&mut self, other: Self) {
        for (name, entry) in other.entries {
            self.entries.entry(name).or_insert(entry);
        }
    }

    /// What the files call the tensors that are listed.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.values().map(|entry| entry.key.as_str())
    }

    /// The file and the stored tensor that hold a canonical one.
    pub(crate) fn stored(&self, name: &str) -> Option<(&TensorFile, &str)> {
        let entry = self.entries.get(name)?;
        Some((&entry.file, &entry.key))
    }

    /// The file or folder that it was opened from.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The canonical names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Where each tensor is found: its canonical name, its file, its name there, and which part of it is meant.
    pub fn places(&self) -> impl Iterator<Item = (&str, &Arc<TensorFile>, &str, Part)> {
        self.entries
            .iter()
            .map(|(name, entry)| (name.as_str(), &entry.file, entry.key.as_str(), entry.part))
    }

    /// One more than the highest number that follows `prefix` in a canonical name; 0 if none does. A file of a stranger
    /// may have any number; sizes of a hundred and more occur in no model.
    pub(crate) fn count(&self, prefix: &str) -> usize {
        let numbers = self.names().filter_map(|name| {
            let number: usize = name.strip_prefix(prefix)?.split('.').next()?.parse().ok()?;
            (number < 100).then_some(number + 1)
        });
        numbers.max().unwrap_or(0)
    }

    /// Shape of a tensor, if it is there and can be what its name says.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let entry = self.entries.get(name)?;
        let stored = &entry.file.info(&entry.key)?.shape;
        // A side of nothing lets a header name any size for the others.
        if stored.iter().any(|side| *side > MAX_SIDE) {
            return None;
        }
        match (entry.part, stored.as_slice()) {
            (Part::Whole, _) => Some(stored.clone()),
            (Part::Matrix, [rows, columns, 1, 1] | [rows, columns]) => Some(vec![*rows, *columns]),
            (Part::Transposed, [rows, columns]) => Some(vec![*columns, *rows]),
            (Part::Third(_), [rows, rest @ ..]) if rows % 3 == 0 => Some([&[rows / 3], rest].concat()),
            _ => None,
        }
    }

    fn read(&self, entry: &Entry, shape: &[usize]) -> Result<Vec<f32>, super::FileError> {
        let numbers = entry.file.read(&entry.key)?;
        Ok(match (entry.part, shape) {
            (Part::Third(i), _) => {
                let third = numbers.len() / 3;
                numbers[i * third..(i + 1) * third].to_vec()
            }
            (Part::Transposed, [rows, columns]) => transpose(&numbers, *rows, *columns),
            _ => numbers,
        })
    }
}

impl Component {
    /// Gives back the memory that holds its tensors' bytes. They are read from the files again when they are next needed.
    pub(crate) fn release(&self) {
        for entry in self.entries.values() {
            entry.file.release(&entry.key);
        }
    }

    fn not_finite(entry: &Entry) -> WeightError {
        WeightError::NotFinite {
            origin: entry.file.path().display().to_string(),
            name: entry.key.clone(),
        }
    }
}

impl WeightSource for Component {
    fn origin(&self) -> String {
        self.path.display().to_string()
    }

    fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    fn frozen(&self, name: &str) -> Result<Option<Frozen>, WeightError> {
        let (Some(entry), Some(shape)) = (self.entries.get(name), self.shape(name)) else {
            return Ok(None);
        };
        let Some((number, mut range)) = entry.file.place(&entry.key) else {
            return Ok(None);
        };
        match entry.part {
            Part::Whole | Part::Matrix => {}
            Part::Transposed => return Ok(None),
            Part::Third(i) => {
                let third = range.len() / 3;
                range = range.start + i * third..range.start + (i + 1) * third;
            }
        }
        let file = Arc::clone(&entry.file);
        match Frozen::new(file, range, number, shape) {
            Some(frozen) if !frozen.is_finite() => Err(Self::not_finite(entry)),
            frozen => Ok(frozen),
        }
    }

    fn get(&self, name: &str) -> Result<Tensor, WeightError> {
        let (Some(entry), Some(shape)) = (self.entries.get(name), self.shape(name)) else {
            return Err(WeightError::Missing {
                origin: self.origin(),
                name: name.to_owned(),
            });
        };
        let numbers = self.read(entry, &shape).map_err(candle_core::Error::wrap);
        if numbers.as_ref().is_ok_and(|numbers| !are_finite(numbers)) {
            return Err(Self::not_finite(entry));
        }
        numbers
            .and_then(|numbers| tensor(numbers, shape))
            .map_err(|err| WeightError::Read {
                origin: entry.file.path().display().to_string(),
                name: entry.key.clone(),
                err,
            })
    }
}

/// Whether no number is infinite or none at all. Looks at the bits of all of them, which takes no branch.
fn are_finite(numbers: &[f32]) -> bool {
    let bits = |number: &f32| number.to_bits() & 0x7fff_ffff;
    numbers.iter().map(bits).fold(0, u32::max) < f32::INFINITY.to_bits()
}

/// The matrix `[rows, columns]` of a stored `[columns, rows]`.
fn transpose(stored: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(stored.len());
    for row in 0..rows {
        numbers.extend((0..columns).map(|column| stored[column * rows + row]));
    }
    numbers
}
