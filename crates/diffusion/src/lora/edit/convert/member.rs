//! One module of a file on its way to other names.

use std::collections::BTreeMap;

use protocol::lora::LoraKind;

use super::Names;
use crate::{
    lora::{
        LoraModule, LowRank,
        change::{Axis, Change},
        edit::{EditError, Source},
        roles::{self, Factor, Role},
    },
    weights::{Rounding, Stored},
};

/// What a module is, as far as names tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Lora,
    Dora,
    Loha,
    Lokr,
    /// What only LyCORIS has names for.
    Other,
}

/// How strong a module is: alpha / rank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Strength {
    pub(super) rank: usize,
    pub(super) alpha: f64,
}

/// A module, and its tensors in the file.
pub(super) struct Member<'a> {
    source: &'a Source,
    /// kohya's.
    name: &'a str,
    module: &'a LoraModule,
    keys: &'a BTreeMap<Role, String>,
    pub(super) kind: Kind,
    /// None where nothing is scaled: differences, and a LoKr of whole matrices.
    pub(super) strength: Option<Strength>,
}

impl<'a> Member<'a> {
    /// A module of a file by kohya's name.
    ///
    /// # Errors
    /// If it has no tensors of its own.
    pub(super) fn new(source: &'a Source, name: &'a str, module: &'a LoraModule) -> Result<Self, EditError> {
        let keys = source.keys(name, "converted")?;
        let kind = match (&module.change, &module.magnitude, &module.bias) {
            (Some(Change::LowRank(_)), None, None) => Kind::Lora,
            (Some(Change::LowRank(_)), Some(_), None) => Kind::Dora,
            (Some(Change::Hadamard(_)), None, None) => Kind::Loha,
            (Some(Change::Kronecker(_)), None, None) => Kind::Lokr,
            _ => Kind::Other,
        };
        Ok(Self {
            source,
            name,
            module,
            keys,
            kind,
            strength: strength(module),
        })
    }

    /// kohya's name.
    pub(super) fn name(&self) -> &str {
        self.name
    }

    /// What it changes.
    pub(super) fn change(&self) -> Option<&Change> {
        self.module.change.as_ref()
    }

    /// All tensors but alpha, by the ends of their new names.
    ///
    /// # Errors
    /// If these names cannot hold the module.
    pub(super) fn tensors(&self, to: Names) -> Result<Vec<(String, Stored)>, EditError> {
        if let Some(kind) = self.beyond(to) {
            return Err(self.not_held(kind, to));
        }
        let mut tensors = Vec::new();
        for (role, key) in self.keys {
            let stored = || self.source.stored(key);
            let kohya = to == Names::Kohya;
            let renamed = match role {
                Role::Alpha => continue,
                Role::Down if kohya => ("lora_down.weight".to_owned(), stored()?),
                Role::Up if kohya => ("lora_up.weight".to_owned(), stored()?),
                Role::Mid => ("lora_mid.weight".to_owned(), stored()?),
                Role::Down => ("lora_A.weight".to_owned(), stored()?),
                Role::Up => ("lora_B.weight".to_owned(), stored()?),
                Role::DoraScale | Role::PeftMagnitude if kohya => {
                    ("dora_scale".to_owned(), self.lengths(*role, stored()?, to)?)
                }
                Role::DoraScale | Role::PeftMagnitude => (
                    "lora_magnitude_vector".to_owned(),
                    self.lengths(*role, stored()?, to)?,
                ),
                _ => (roles::end(key), stored()?),
            };
            tensors.push(renamed);
        }
        Ok(tensors)
    }

    /// The alpha tensor of a file with kohya's names, and whether it is the one that is stored.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn alpha(&self) -> Result<Option<(Stored, bool)>, EditError> {
        let stored = self.stored_alpha()?;
        let alpha = match (self.strength, self.change()) {
            // It is not the whole strength there.
            _ if self.keys.contains_key(&Role::Scalar) => return Ok(stored.map(|stored| (stored, true))),
            (Some(strength), _) => strength.alpha,
            // LyCORIS writes one all the same.
            (None, Some(Change::Kronecker(kronecker))) => match stored {
                Some(stored) => return Ok(Some((stored, true))),
                None => kronecker.alpha.unwrap_or(1.0),
            },
            (None, _) => return Ok(stored.map(|stored| (stored, true))),
        };
        if let (Some(stored), Some(key)) = (stored, self.keys.get(&Role::Alpha))
            && self.source.read(key)? == [alpha as f32]
        {
            return Ok(Some((stored, true)));
        }
        Ok(Some((self.number(alpha)?, false)))
    }

    /// The alpha tensor of the file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn stored_alpha(&self) -> Result<Option<Stored>, EditError> {
        let key = self.keys.get(&Role::Alpha);
        key.map(|key| self.source.stored(key)).transpose()
    }

    /// A number as trainers store it: in the precision of the matrices, if that holds it.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn number(&self, value: f64) -> Result<Stored, EditError> {
        let main = [
            Role::Down,
            Role::Hada(Factor::FirstB),
            Role::Lokr(Factor::SecondB),
            Role::Lokr(Factor::Second),
        ];
        let main = main.iter().find_map(|role| self.keys.get(role));
        let main = main.map(|key| self.source.stored(key)).transpose()?;
        let rounding = main.and_then(|main| Rounding::of(main.dtype));
        Ok(Stored::number(value as f32, rounding.unwrap_or(Rounding::F32)))
    }

    /// What it is, with an article.
    pub(super) fn described(&self) -> String {
        let bare = LoraModule {
            magnitude: None,
            bias: None,
            ..self.module.clone()
        };
        let mut words = match (bare.kind(), self.kind) {
            (_, Kind::Dora) => "a DoRA".to_owned(),
            (LoraKind::Bias, _) => return "a change of the bias alone".to_owned(),
            (kind @ (LoraKind::Ia3 | LoraKind::Oft), _) => format!("an {kind}"),
            (kind, _) => format!("a {kind}"),
        };
        if self.module.magnitude.is_some() && self.kind != Kind::Dora {
            words.push_str(" with the lengths of a DoRA");
        }
        if self.module.bias.is_some() {
            words.push_str(" with a change of the bias");
        }
        words
    }

    /// That names cannot hold it; `kind` says what it is.
    pub(super) fn not_held(&self, kind: String, to: Names) -> EditError {
        EditError::NotHeld {
            path: self.source.path().to_owned(),
            module: self.name.to_owned(),
            kind,
            reason: to.not_held(match self.kind {
                // These do not become a LoRA.
                Kind::Other if to != Names::Kohya && (self.module.bias.is_some() || self.is_of_norm()) => {
                    "keep kohya's names"
                }
                kind => to.instead(matches!(kind, Kind::Loha | Kind::Lokr)),
            }),
        }
    }

    /// Whether it changes numbers of which each channel has one.
    fn is_of_norm(&self) -> bool {
        self.change().is_none_or(|change| change.size().1 == 1)
    }

    /// What about it names cannot hold.
    fn beyond(&self, to: Names) -> Option<String> {
        let has = |role| self.keys.contains_key(&role);
        if to == Names::Kohya {
            let whole = match self.change() {
                Some(Change::Kronecker(kronecker)) if kronecker.rank().is_none() => kronecker.scale(),
                _ => 1.0,
            };
            return match has(Role::Scalar) {
                true => (self.strength.is_some() && !has(Role::Alpha))
                    .then(|| format!("{} with a `scalar` and no alpha beside it", self.described())),
                // LyCORIS and ComfyUI read no alpha there.
                false => (whole != 1.0).then(|| {
                    format!(
                        "{} of whole matrices with a strength of {whole}",
                        self.described()
                    )
                }),
            };
        }
        let axis = self.module.magnitude.as_ref().map(|magnitude| magnitude.axis);
        if self.kind == Kind::Other || to == Names::Diffusers && matches!(self.kind, Kind::Loha | Kind::Lokr)
        {
            Some(self.described())
        } else if has(Role::Scalar) {
            Some(format!("{} with a `scalar`", self.described()))
        } else if has(Role::Mid) {
            Some(format!("{} with a core (`lora_mid`)", self.described()))
        } else if axis == Some(Axis::Input) {
            Some("a DoRA with one length per input".to_owned())
        } else {
            None
        }
    }

    /// DoRA's lengths, one per output, in the shape that names have. LyCORIS keeps the dimensions of the weight: `[out, 1]`,
    /// and `[out, 1, 1, 1]` of a convolution. PEFT adds to a layer's output: `[out]`, and `[1, out, 1, 1]`.
    fn lengths(&self, role: Role, stored: Stored, to: Names) -> Result<Stored, EditError> {
        let is_lycoris = role == Role::DoraScale;
        if is_lycoris == (to == Names::Kohya) {
            return Ok(stored);
        }
        let down = self.keys.get(&Role::Down);
        let down = down.map(|key| self.source.stored(key)).transpose()?;
        let n_dims = down.map_or(0, |down| down.shape.len());
        let shape = match (is_lycoris, stored.shape.as_slice(), n_dims) {
            (true, &[n, 1], 2) => vec![n],
            (true, &[n, 1, 1, 1], 4) => vec![1, n, 1, 1],
            (false, &[n], 2) => vec![n, 1],
            (false, &[1, n, 1, 1], 4) => vec![n, 1, 1, 1],
            (_, shape, _) => {
                let kind =
                    format!("a DoRA with lengths of shape {shape:?} beside matrices of {n_dims} dimensions");
                return Err(self.not_held(kind, to));
            }
        };
        Ok(Stored { shape, ..stored })
    }
}

fn strength(module: &LoraModule) -> Option<Strength> {
    let of = |low_rank: &LowRank| {
        let rank = low_rank.rank();
        let alpha = low_rank.effective_alpha().unwrap_or(rank as f64);
        Some(Strength { rank, alpha })
    };
    match module.change.as_ref()? {
        Change::LowRank(low_rank) => of(low_rank),
        Change::General(general) => of(&general.plain),
        Change::Hadamard(hadamard) => {
            let rank = hadamard.rank();
            let alpha = hadamard.alpha.unwrap_or(rank as f64);
            Some(Strength { rank, alpha })
        }
        Change::Kronecker(kronecker) => {
            let rank = kronecker.rank()?;
            let alpha = match (kronecker.alpha, kronecker.fixed_scale) {
                (alpha, None) => alpha.unwrap_or(rank as f64),
                // Without the rounding of a division.
                (Some(alpha), Some(scale)) if alpha / rank as f64 == scale => alpha,
                (_, Some(scale)) => scale * rank as f64,
            };
            Some(Strength { rank, alpha })
        }
        Change::Scaling(_) | Change::Rotation(_) | Change::Full(_) | Change::Replacement(_) => None,
    }
}
