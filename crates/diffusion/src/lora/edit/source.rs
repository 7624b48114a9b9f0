//! A LoRA file as it is stored, sorted into modules.

use std::{collections::BTreeMap, path::Path};

use candle_core::Tensor;
use protocol::lora::LoraKind;

use super::{
    EditError,
    factors::{Factors, Layer},
};
use crate::{
    device::floats,
    lora::{
        Lora, LoraModule, LowRank,
        change::{Change, flat},
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
        let file = TensorFile::open(path)?;
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

    /// The matrices of one module.
    pub(super) fn module(
        &self,
        name: &str,
        module: &LoraModule,
        edit: &'static str,
    ) -> Result<Factors, EditError> {
        let low_rank = match (&module.change, &module.magnitude, &module.bias) {
            (Some(Change::LowRank(low_rank)), None, None) => low_rank,
            (_, _, bias) => {
                let kind = match module.kind() {
                    LoraKind::Lora | LoraKind::Locon if bias.is_some() => {
                        "a LoRA with a change of the bias".to_owned()
                    }
                    kind => format!("a {kind}"),
                };
                return Err(EditError::Kind {
                    path: self.path().to_owned(),
                    module: name.to_owned(),
                    kind,
                    edit,
                });
            }
        };
        let compute = |err| EditError::Compute {
            module: name.to_owned(),
            err,
        };
        let down = match &low_rank.mid {
            None => flat(&low_rank.down).map_err(compute)?,
            Some(mid) => with_core(&low_rank.down, mid).map_err(compute)?,
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
            layer: self.layer(name, low_rank),
        })
    }

    /// The layer, with the kernel that the file has: the reader takes that of a 1×1 convolution away.
    fn layer(&self, name: &str, low_rank: &LowRank) -> Layer {
        let (n_out, fan_in) = low_rank.size();
        let keys = self.keys.get(name);
        let shape = |role| {
            let info = self.file.info(keys?.get(&role)?)?;
            Layer::of_weight(&info.shape)
        };
        let kernel = shape(Role::Mid)
            .or_else(|| shape(Role::Down))
            .and_then(|layer| layer.kernel);
        Layer {
            n_out,
            n_in: fan_in / kernel.map_or(1, |[height, width]| height * width).max(1),
            kernel,
        }
    }
}

/// `down` `[rank, in]` and the core `[rank, rank, height, width]` of a Tucker decomposition as one matrix
/// `[rank, in · height · width]`.
fn with_core(down: &Tensor, core: &Tensor) -> candle_core::Result<Tensor> {
    let (rank, n_in) = down.dims2()?;
    let n_pixels = core.elem_count() / (rank * rank).max(1);
    // [rank · pixels, rank] × [rank, in]
    let core = core
        .reshape((rank, rank, n_pixels))?
        .transpose(1, 2)?
        .contiguous()?;
    let product = core.reshape((rank * n_pixels, rank))?.matmul(down)?;
    let product = product
        .reshape((rank, n_pixels, n_in))?
        .transpose(1, 2)?
        .contiguous()?;
    product.reshape((rank, n_in * n_pixels))
}
