//! LoRA files: reading them in every common format, checking them against a base model, applying them by weight.
//!
//! In memory a module always has kohya's name. Nothing is merged into the base: [`adapters`] gives the set that the
//! pipeline applies beside it, and the base stays as it is.

pub mod compare;
pub mod names;

mod spectrum;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use candle_core::Tensor;

use crate::{
    base::BaseModel,
    device::{Device, tensor},
    graph::{Adapter, AdapterError, AdapterSet, rank_of},
    weights::{FileError, TensorFile},
};

/// A LoRA in memory: whole and finite.
#[derive(Debug, Clone)]
pub struct Lora {
    path: PathBuf,
    modules: BTreeMap<String, LoraModule>,
    metadata: HashMap<String, String>,
}

/// What a LoRA adds to one linear layer.
#[derive(Debug, Clone)]
pub struct LoraModule {
    /// `[rank, in]`
    pub down: Tensor,
    /// `[out, rank]`
    pub up: Tensor,
    /// The change is scaled by alpha / rank; none means alpha = rank.
    pub alpha: Option<f64>,
}

impl LoraModule {
    /// Width of the bottleneck.
    pub fn rank(&self) -> usize {
        self.down.dims()[0]
    }
}

/// Why a LoRA cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoraError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds something else.
    #[error(
        "`{path}` is not a LoRA: found {found}, expected lora_down and lora_up (or lora_A and lora_B) tensors"
    )]
    NotLora {
        /// The file.
        path: PathBuf,
        /// What is in it.
        found: String,
    },
    /// The file holds a relative of LoRA.
    #[error("module `{module}` of `{path}` is {kind}, expected a plain LoRA of a linear layer")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// What it is instead.
        kind: &'static str,
    },
    /// One of the two matrices is missing.
    #[error("module `{module}` of `{path}` has no {missing} matrix")]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// Which of the two.
        missing: &'static str,
    },
    /// The training broke down and was saved all the same.
    #[error(
        "`{path}` is broken: {n_broken} of {n_tensors} tensors hold NaN or infinity, the first is `{first}`"
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The first tensor in alphabetical order.
        first: String,
        /// How many hold NaN or infinity.
        n_broken: usize,
        /// How many there are.
        n_tensors: usize,
    },
    /// The two matrices do not fit together.
    #[error("module `{module}` of `{path}` cannot be used")]
    Matrices {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// What does not fit.
        #[source]
        err: AdapterError,
    },
    /// The base has no such layer.
    #[error(
        "`{path}` does not fit base model `{base}`: there is no module `{module}` ({n_unknown} of {n_modules} are unknown); it was trained for {guess}"
    )]
    UnknownModule {
        /// The file.
        path: PathBuf,
        /// Name of the base.
        base: String,
        /// The first unknown module.
        module: String,
        /// How many are unknown.
        n_unknown: usize,
        /// How many there are.
        n_modules: usize,
        /// What the LoRA seems to be for.
        guess: &'static str,
    },
    /// The base has the layer in another size.
    #[error(
        "`{path}` does not fit base model `{base}`: module `{module}` is for {found:?} inputs and outputs, the base's layer has {expected:?}"
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// Name of the base.
        base: String,
        /// The module.
        module: String,
        /// Inputs and outputs that the LoRA was trained for.
        found: (usize, usize),
        /// Inputs and outputs of the base's layer.
        expected: (usize, usize),
    },
}

impl Lora {
    /// Reads a LoRA with kohya's, diffusers' or peft's names.
    ///
    /// # Errors
    /// If it cannot be read, is no plain LoRA, is incomplete, or holds NaN or infinity.
    pub fn open(path: &Path) -> Result<Self, LoraError> {
        Self::from_file(&TensorFile::open(path)?)
    }

    /// Like [`open`](Self::open), of an open file.
    ///
    /// # Errors
    /// The same.
    pub fn from_file(file: &TensorFile) -> Result<Self, LoraError> {
        let path = file.path().to_owned();
        let mut parts: BTreeMap<String, Parts> = BTreeMap::new();
        let mut stray = None;
        for key in file.names() {
            match names::parse(key) {
                Some(names::Parsed::Tensor { module, role }) => {
                    parts.entry(module).or_default().set(role, key);
                }
                Some(names::Parsed::Relative { module, kind }) => {
                    return Err(LoraError::Unsupported { path, module, kind });
                }
                None => stray = stray.min(Some(key)).or(Some(key)),
            }
        }
        if let (Some(key), true) = (stray, parts.is_empty()) {
            return Err(LoraError::NotLora {
                path,
                found: format!("`{key}`"),
            });
        }
        if parts.is_empty() {
            return Err(LoraError::NotLora {
                path,
                found: "no tensors".to_owned(),
            });
        }
        check_finite(file, &parts)?;
        let stored_alphas = names::StoredAlphas::from_metadata(file.metadata());
        let mut modules = BTreeMap::new();
        for (module, parts) in parts {
            let loaded = parts.load(file, &module, &stored_alphas)?;
            modules.insert(module, loaded);
        }
        Ok(Self {
            path,
            modules,
            metadata: file.metadata().clone(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The strings in the file's header.
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// The modules by kohya's names, in alphabetical order.
    pub fn modules(&self) -> &BTreeMap<String, LoraModule> {
        &self.modules
    }

    /// The smallest and the largest rank.
    pub fn ranks(&self) -> (usize, usize) {
        let ranks = self.modules.values().map(LoraModule::rank);
        (ranks.clone().min().unwrap_or(0), ranks.max().unwrap_or(0))
    }

    /// Whether it changes nothing: training never began, or was saved before its first step.
    ///
    /// # Errors
    /// If the tensors cannot be read.
    pub fn is_zero(&self) -> candle_core::Result<bool> {
        for module in self.modules.values() {
            let ups: Vec<f32> = module.up.flatten_all()?.to_vec1()?;
            if ups.iter().any(|x| *x != 0.0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Checks that every module fits a layer of the base.
    ///
    /// # Errors
    /// If one is unknown or has another size.
    pub fn check<D: Device>(&self, base: &BaseModel<D>) -> Result<(), LoraError> {
        let layers = base.lora_layers();
        let mut unknown = self.modules.keys().filter(|key| !layers.contains_key(*key));
        if let Some(module) = unknown.next() {
            return Err(LoraError::UnknownModule {
                path: self.path.clone(),
                base: base.info.name.clone(),
                module: module.clone(),
                n_unknown: 1 + unknown.count(),
                n_modules: self.modules.len(),
                guess: names::guess_base(self.modules.keys().map(String::as_str)),
            });
        }
        for (key, module) in &self.modules {
            let found = (module.down.dims()[1], module.up.dims()[0]);
            if found != layers[key] {
                return Err(LoraError::Shape {
                    path: self.path.clone(),
                    base: base.info.name.clone(),
                    module: key.clone(),
                    found,
                    expected: layers[key],
                });
            }
        }
        Ok(())
    }
}

/// The set that applies several LoRAs by weight. Weight 0 gives the base's picture to the last bit.
///
/// # Errors
/// If one of them does not fit the base.
pub fn adapters<'a, D: Device>(
    base: &BaseModel<D>,
    loras: impl IntoIterator<Item = (&'a Lora, f32)>,
) -> Result<AdapterSet<D>, LoraError> {
    let mut set = AdapterSet::new();
    for (lora, weight) in loras {
        lora.check(base)?;
        let modules = lora
            .modules
            .iter()
            .map(|(key, module)| {
                let adapter = Adapter::on(base.device(), &module.down, &module.up, module.alpha)
                    .map_err(|err| lora.matrices(key, err))?;
                Ok((key.clone(), adapter))
            })
            .collect::<Result<Vec<_>, LoraError>>()?;
        set.add(modules, weight);
    }
    Ok(set)
}

impl Lora {
    fn matrices(&self, module: &str, err: AdapterError) -> LoraError {
        LoraError::Matrices {
            path: self.path.clone(),
            module: module.to_owned(),
            err,
        }
    }
}

/// Keys of one module's tensors in the file.
#[derive(Default)]
struct Parts {
    down: Option<String>,
    up: Option<String>,
    alpha: Option<String>,
}

impl Parts {
    fn set(&mut self, role: names::Role, key: &str) {
        let place = match role {
            names::Role::Down => &mut self.down,
            names::Role::Up => &mut self.up,
            names::Role::Alpha => &mut self.alpha,
        };
        *place = Some(key.to_owned());
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        [&self.down, &self.up, &self.alpha]
            .into_iter()
            .filter_map(|key| key.as_deref())
    }

    fn load(
        &self,
        file: &TensorFile,
        module: &str,
        stored_alphas: &names::StoredAlphas,
    ) -> Result<LoraModule, LoraError> {
        let missing = |missing| LoraError::Incomplete {
            path: file.path().to_owned(),
            module: module.to_owned(),
            missing,
        };
        let down = matrix(file, module, self.down.as_deref().ok_or_else(|| missing("down"))?)?;
        let up = matrix(file, module, self.up.as_deref().ok_or_else(|| missing("up"))?)?;
        let alpha = match &self.alpha {
            Some(key) => file.read(key)?.first().map(|alpha| f64::from(*alpha)),
            None => stored_alphas.of(module),
        };
        // sd-scripts: an alpha of 0 counts as the rank.
        let alpha = alpha.filter(|alpha| *alpha != 0.0);
        rank_of(&down, &up).map_err(|err| LoraError::Matrices {
            path: file.path().to_owned(),
            module: module.to_owned(),
            err,
        })?;
        Ok(LoraModule { down, up, alpha })
    }
}

/// Reads a matrix; a 1×1 convolution `[out, in, 1, 1]` is one too.
fn matrix(file: &TensorFile, module: &str, key: &str) -> Result<Tensor, LoraError> {
    let shape = file
        .info(key)
        .map(|info| info.shape.as_slice())
        .unwrap_or_default();
    let (rows, columns) = match shape {
        [rows, columns] | [rows, columns, 1, 1] => (*rows, *columns),
        _ => {
            return Err(LoraError::Unsupported {
                path: file.path().to_owned(),
                module: module.to_owned(),
                kind: "a LoRA of a convolution (conv_dim)",
            });
        }
    };
    tensor(file.read(key)?, [rows, columns]).map_err(|err| LoraError::Matrices {
        path: file.path().to_owned(),
        module: module.to_owned(),
        err: AdapterError::Convert { err },
    })
}

fn check_finite(file: &TensorFile, parts: &BTreeMap<String, Parts>) -> Result<(), LoraError> {
    let mut n_tensors = 0;
    let mut broken = Vec::new();
    for key in parts.values().flat_map(Parts::keys) {
        n_tensors += 1;
        if !file.read(key)?.iter().all(|x| x.is_finite()) {
            broken.push(key);
        }
    }
    match broken.iter().min() {
        None => Ok(()),
        Some(first) => Err(LoraError::NotFinite {
            path: file.path().to_owned(),
            first: (*first).to_owned(),
            n_broken: broken.len(),
            n_tensors,
        }),
    }
}

#[cfg(test)]
mod tests;
