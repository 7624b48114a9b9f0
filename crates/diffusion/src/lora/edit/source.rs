//! A LoRA file as it is stored, sorted into modules.

use std::{collections::BTreeMap, path::Path};

use protocol::lora::LoraKind;

use super::{
    Context, EditError,
    factors::{Factors, Layer},
    matrices::{self, Matrices},
};
use crate::{
    device::floats,
    lora::{
        Lora, LoraModule,
        change::{Change, flat},
        file_of,
        names::{self, Found},
        roles::{self, Role},
    },
    weights::{Stored, TensorFile},
};

/// An open file with every tensor in its place.
#[derive(Debug)]
pub struct Source {
    file: TensorFile,
    lora: Lora,
    keys: BTreeMap<String, BTreeMap<Role, String>>,
    notes: Vec<String>,
}

impl Source {
    /// Opens a file of any program.
    ///
    /// # Errors
    /// If it cannot be read, or has something that no base model uses and that would be lost.
    pub fn open(path: &Path) -> Result<Self, EditError> {
        let file = TensorFile::open(&file_of(path))?;
        let lora = Lora::from_file(&file)?;
        let mut notes = Vec::new();
        for leftover in lora.leftovers() {
            if leftover.needs_consent {
                return Err(EditError::Leftover {
                    path: path.to_owned(),
                    name: leftover.name.clone(),
                    reason: leftover.reason.clone(),
                    n: lora.leftovers().len(),
                });
            }
            notes.push(format!(
                "`{}` is left out: it is {}",
                leftover.name, leftover.reason
            ));
        }
        for embedding in lora.embeddings() {
            if lora.modules().is_empty() {
                return Err(EditError::Leftover {
                    path: path.to_owned(),
                    name: embedding.word.clone(),
                    reason: "a text embedding, of which no LoRA can be made".to_owned(),
                    n: 1,
                });
            }
            notes.push(format!(
                "the text embedding of the word `{}` is left out",
                embedding.word
            ));
        }
        let mut keys: BTreeMap<String, BTreeMap<Role, String>> = BTreeMap::new();
        for key in file.names() {
            if let Some((module, role)) = roles::split(key)
                && let Some(Found::One(module)) = names::find(module)
            {
                keys.entry(module).or_default().insert(role, key.to_owned());
            }
        }
        Ok(Self {
            file,
            lora,
            keys,
            notes,
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// What of it no edit keeps.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.notes.iter().cloned()
    }

    /// The strings in its header.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        let metadata = self.file.metadata().iter();
        metadata
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// kohya's names of its modules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.lora.modules().keys().map(String::as_str)
    }

    /// What it changes.
    pub(super) fn lora(&self) -> &Lora {
        &self.lora
    }

    /// The tensors of a module that has its own: their names in the file.
    pub(super) fn keys(
        &self,
        module: &str,
        edit: &'static str,
    ) -> Result<&BTreeMap<Role, String>, EditError> {
        self.keys.get(module).ok_or_else(|| EditError::Kind {
            path: self.path().to_owned(),
            module: module.to_owned(),
            kind: "a third of a module of open_clip".to_owned(),
            edit,
        })
    }

    /// A tensor as it is stored.
    pub(super) fn stored(&self, key: &str) -> Result<Stored, EditError> {
        Ok(self.file.stored(key)?)
    }

    /// The numbers of a tensor.
    pub(super) fn read(&self, key: &str) -> Result<Vec<f32>, EditError> {
        Ok(self.file.read(key)?)
    }

    /// The matrices of every module.
    ///
    /// # Errors
    /// If one is no plain LoRA; `edit` says what for, as in "cannot be merged".
    pub fn factors(&self, edit: &'static str) -> Result<BTreeMap<String, Factors>, EditError> {
        let modules = self.lora.modules().iter();
        modules
            .map(|(name, module)| Ok((name.clone(), self.module(name, module, edit)?)))
            .collect()
    }

    /// The change of one module, of any kind.
    ///
    /// # Errors
    /// If it changes a bias, or is a change only beside the weight of a base that `context` does not have.
    pub(super) fn matrices(
        &self,
        name: &str,
        module: &LoraModule,
        edit: &'static str,
        context: &Context<'_>,
    ) -> Result<Matrices, EditError> {
        let Some(change) = module.change.as_ref().filter(|_| module.bias.is_none()) else {
            return Err(self.kind(name, module, edit));
        };
        let compute = |err| EditError::Compute {
            module: name.to_owned(),
            err,
        };
        if module.magnitude.is_none()
            && let Change::LowRank(_) = change
        {
            return Ok(Matrices::Thin(self.module(name, module, edit)?));
        }
        let layer = self.layer_of(name, module);
        if !change.needs_base() && layer.fan_in() <= 1 {
            return Err(EditError::Kind {
                path: self.path().to_owned(),
                module: name.to_owned(),
                kind: "a change of a norm".to_owned(),
                edit,
            });
        }
        if module.magnitude.is_none() {
            match change {
                Change::Hadamard(hadamard) => {
                    return matrices::of_hadamard(hadamard, layer).map_err(compute);
                }
                Change::Kronecker(kronecker) => {
                    return matrices::of_kronecker(kronecker, layer).map_err(compute);
                }
                Change::Full(matrix) => return matrices::full(matrix, layer).map_err(compute),
                _ => {}
            }
        }
        let Some(weight) = context.weight(name)? else {
            return Err(EditError::NeedsBase {
                path: self.path().to_owned(),
                module: name.to_owned(),
                kind: module.kind().to_string(),
            });
        };
        let rows = weight.dims().first().copied().unwrap_or(0);
        let size = [rows, weight.elem_count() / rows.max(1)];
        let n_in = weight.dims().get(1).copied().unwrap_or(1);
        if !change.fits(rows, n_in, size[1]) {
            return Err(EditError::Sizes {
                module: name.to_owned(),
                path: self.path().to_owned(),
                other: context.base_path(),
                found: layer.matrix(),
                expected: size,
            });
        }
        let layer = Layer::of_weight(weight.dims()).unwrap_or(layer);
        match module.delta_for(&weight).map_err(compute)? {
            Some(delta) => matrices::full(&delta, layer).map_err(compute),
            None => Err(self.kind(name, module, edit)),
        }
    }

    /// Whether a module is a change only beside the base's weight.
    pub fn needs_base(&self) -> bool {
        self.lora.modules().values().any(|module| {
            module.magnitude.is_some() || module.change.as_ref().is_some_and(Change::needs_base)
        })
    }

    /// Says which modules are no plain LoRA, and become one.
    pub(super) fn note_of_kinds(&self) -> Option<String> {
        let mut kinds: BTreeMap<LoraKind, usize> = BTreeMap::new();
        for module in self.lora.modules().values() {
            let kind = module.kind();
            if !matches!(kind, LoraKind::Lora | LoraKind::Locon) {
                *kinds.entry(kind).or_default() += 1;
            }
        }
        let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} of {kind}")).collect();
        (!kinds.is_empty()).then(|| {
            format!(
                "modules of `{}` that become plain LoRA: {}",
                self.path().display(),
                kinds.join(", ")
            )
        })
    }

    fn kind(&self, name: &str, module: &LoraModule, edit: &'static str) -> EditError {
        let kind = match module.kind() {
            LoraKind::Lora | LoraKind::Locon if module.bias.is_some() => {
                "a LoRA with a change of the bias".to_owned()
            }
            kind => format!("a {kind}"),
        };
        EditError::Kind {
            path: self.path().to_owned(),
            module: name.to_owned(),
            kind,
            edit,
        }
    }

    /// The matrices of one module that is a plain LoRA.
    pub(super) fn module(
        &self,
        name: &str,
        module: &LoraModule,
        edit: &'static str,
    ) -> Result<Factors, EditError> {
        let low_rank = match (&module.change, &module.magnitude, &module.bias) {
            (Some(Change::LowRank(low_rank)), None, None) => low_rank,
            _ => return Err(self.kind(name, module, edit)),
        };
        let compute = |err| EditError::Compute {
            module: name.to_owned(),
            err,
        };
        let down = match &low_rank.mid {
            None => flat(&low_rank.down).map_err(compute)?,
            Some(mid) => matrices::with_core(&low_rank.down, mid).map_err(compute)?,
        };
        let down = floats(&down.contiguous().map_err(compute)?)
            .map_err(compute)?
            .to_vec();
        let up = low_rank.up.contiguous().map_err(compute)?;
        let up = floats(&up).map_err(compute)?.to_vec();
        Ok(Factors {
            down,
            up,
            scale: low_rank.scale(),
            layer: self.layer_of(name, module),
        })
    }

    /// The layer. A kernel is as the file has it, since the reader takes that of a 1×1 convolution away, or else as
    /// SDXL has it.
    pub(super) fn layer_of(&self, name: &str, module: &LoraModule) -> Layer {
        let (n_out, fan_in) = module.change.as_ref().map_or((0, 0), Change::size);
        let shape = |role| {
            let info = self.file.info(self.keys.get(name)?.get(&role)?)?;
            Layer::of_weight(&info.shape)
        };
        let kernel = match &module.change {
            Some(Change::LowRank(_)) => shape(Role::Mid)
                .or_else(|| shape(Role::Down))
                .and_then(|layer| layer.kernel),
            _ => matrices::kernel_of(name)
                .filter(|[height, width]| fan_in > 0 && fan_in % (height * width) == 0),
        };
        Layer {
            n_out,
            n_in: fan_in / kernel.map_or(1, |[height, width]| height * width).max(1),
            kernel,
        }
    }
}
