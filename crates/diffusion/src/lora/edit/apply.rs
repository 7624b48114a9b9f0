//! LoRA files merged into a base model: its files with changed weights.

use std::{collections::HashMap, path::PathBuf};

use super::{EditError, context::layers, merge::Weighted};
use crate::{
    device::{floats, tensor},
    lora::LoraModule,
    weights::{Checkpoint, Component, Part, Rounding, TensorFile},
};

/// A base model with LoRA files merged into it. Tensors are computed one by one: a base model fills gigabytes.
#[derive(Debug)]
pub struct Applied<'a> {
    /// What changes each tensor, by file and name.
    changes: HashMap<(PathBuf, String), Vec<Change<'a>>>,
    /// Tensors that are changed.
    pub n_changed: usize,
    /// What was done, for the header.
    pub done: String,
    /// What of the files is not used.
    pub notes: Vec<String>,
}

/// A change of a stored tensor, or of a part of it.
#[derive(Debug, Clone)]
struct Change<'a> {
    part: Part,
    /// Shape of that part in the model.
    shape: Vec<usize>,
    name: &'a str,
    module: &'a LoraModule,
    weight: f64,
    /// Whether it is the bias that is changed.
    is_bias: bool,
}

impl<'a> Applied<'a> {
    /// Finds the layer of every module.
    ///
    /// # Errors
    /// If a module fits no layer of the base.
    pub fn new(base: &Checkpoint, files: &[Weighted<'a>]) -> Result<Self, EditError> {
        let layers = layers(base);
        let mut wanted: HashMap<(*const Component, String), Vec<Change<'a>>> = HashMap::new();
        let used = files.iter().filter(|file| file.weight != 0.0);
        for file in used.clone() {
            let modules = file.source.lora().modules();
            let unknown: Vec<&String> = modules
                .keys()
                .filter(|name| !layers.contains_key(*name))
                .collect();
            if let Some(first) = unknown.first() {
                return Err(EditError::NoLayer {
                    base: base.path(),
                    module: (*first).clone(),
                    path: file.source.path().to_owned(),
                    n_unknown: unknown.len(),
                    n_modules: modules.len(),
                });
            }
            for (name, module) in modules {
                let (component, weight_name) = layers[name];
                let sizes = |found, expected| EditError::Sizes {
                    module: name.clone(),
                    path: file.source.path().to_owned(),
                    other: base.path(),
                    found,
                    expected,
                };
                let mut want = |canonical: String, shape: Vec<usize>, is_bias| {
                    let place = (std::ptr::from_ref(component), canonical);
                    wanted.entry(place).or_default().push(Change {
                        // Known when the place is found in its file.
                        part: Part::Whole,
                        shape,
                        name,
                        module,
                        weight: file.weight,
                        is_bias,
                    });
                };
                if let Some(change) = &module.change {
                    let shape = component.shape(weight_name).unwrap_or_default();
                    let n_out = shape.first().copied().unwrap_or(0);
                    let matrix = (n_out, shape.iter().skip(1).product());
                    let n_in = shape.get(1).copied().unwrap_or(1);
                    if !change.fits(matrix.0, n_in, matrix.1) {
                        let found = change.size();
                        return Err(sizes([found.0, found.1], [matrix.0, matrix.1]));
                    }
                    want(weight_name.to_owned(), shape, false);
                }
                if let Some(bias) = &module.bias {
                    let canonical = format!("{}bias", weight_name.trim_end_matches("weight"));
                    let shape = component.shape(&canonical).unwrap_or_default();
                    if bias.dims() != shape {
                        let n = shape.first().copied().unwrap_or(0);
                        return Err(sizes([bias.elem_count(), 1], [n, 1]));
                    }
                    want(canonical, shape, true);
                }
            }
        }
        if wanted.is_empty() {
            return Err(EditError::Nothing {
                reason: "every weight is 0, so the base model would not change".to_owned(),
            });
        }
        let mut changes: HashMap<(PathBuf, String), Vec<Change<'a>>> = HashMap::new();
        for component in [&base.unet, &base.text_encoder, &base.text_encoder_2] {
            for (canonical, file, key, part) in component.places() {
                let place = (std::ptr::from_ref(component), canonical.to_owned());
                let Some(found) = wanted.get(&place) else {
                    continue;
                };
                let place = (file.path().to_owned(), key.to_owned());
                let found = found.iter().cloned().map(|change| Change { part, ..change });
                changes.entry(place).or_default().extend(found);
            }
        }
        let named = used.clone();
        let named = named.map(|file| format!("{} × {}", super::stem(file.source.path()), file.weight));
        Ok(Self {
            n_changed: changes.len(),
            changes,
            done: format!("with {} merged in", named.collect::<Vec<_>>().join(" + ")),
            notes: used.flat_map(|file| file.source.notes()).collect(),
        })
    }

    /// Whether a tensor of a file of the base is changed.
    pub fn changes(&self, file: &TensorFile, key: &str) -> bool {
        self.changes
            .contains_key(&(file.path().to_owned(), key.to_owned()))
    }

    /// The bytes of a changed tensor, in the same kind of number. Each is rounded once, after all changes; each change is
    /// computed from the base's own weight, as when files are applied beside it.
    ///
    /// # Errors
    /// If it cannot be read, is stored in another kind of number, or a number is too large for it.
    pub fn bytes(&self, file: &TensorFile, key: &str) -> Result<Vec<u8>, EditError> {
        let base = file.read(key)?;
        let wrong = |dtype| EditError::Numbers {
            path: file.path().to_owned(),
            name: key.to_owned(),
            found: dtype,
        };
        let dtype = file.info(key).map_or(safetensors::Dtype::F32, |info| info.dtype);
        let rounding = Rounding::of(dtype).ok_or_else(|| wrong(dtype))?;
        let place = (file.path().to_owned(), key.to_owned());
        let mut values = base.clone();
        for change in self.changes.get(&place).map(Vec::as_slice).unwrap_or_default() {
            change.add(&base, &mut values).map_err(|err| EditError::Compute {
                module: change.name.to_owned(),
                err,
            })?;
        }
        if !rounding.holds(&values) {
            return Err(EditError::TooLarge {
                name: key.to_owned(),
                found: dtype,
            });
        }
        Ok(rounding.bytes(&values))
    }
}

impl Change<'_> {
    /// Adds it to the numbers of the stored tensor.
    fn add(&self, base: &[f32], values: &mut [f32]) -> candle_core::Result<()> {
        let n = self.shape.iter().product::<usize>();
        // Where a number of the model's tensor lies in the stored one.
        let columns = self.shape.get(1).copied().unwrap_or(1).max(1);
        let rows = self.shape.first().copied().unwrap_or(1);
        let place = |index: usize| match self.part {
            Part::Whole | Part::Matrix => index,
            Part::Third(third) => third * n + index,
            Part::Transposed => (index % columns) * rows + index / columns,
        };
        let added = if self.is_bias {
            self.module.bias.clone()
        } else {
            let weight: Vec<f32> = (0..n).map(|index| base[place(index)]).collect();
            self.module.delta_for(&tensor(weight, &self.shape)?)?
        };
        let Some(added) = added else {
            return Ok(());
        };
        let added = added.contiguous()?;
        let weight = self.weight as f32;
        for (index, added) in floats(&added)?.iter().enumerate() {
            values[place(index)] += weight * added;
        }
        Ok(())
    }
}
