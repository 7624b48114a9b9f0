//! From the tensors of a file to modules: every tensor is used, or named with the reason why not.

use std::collections::{BTreeMap, HashSet};

use candle_core::Tensor;
use protocol::lora::{Leftover, LoraFormat};

use super::{
    LoraError, LoraModule,
    alphas::StoredAlphas,
    change::{self, Axis, Change, General, Hadamard, Kronecker, LowRank, Magnitude, Rotation, Scaling, Side},
    embedding,
    names::{self, Found},
    roles::{self, Factor, Role},
};
use crate::{device::tensor, embeddings::Embedding, weights::TensorFile};

/// Tensors of one module by their roles: their keys in the file.
type Parts = BTreeMap<Role, String>;

/// What a file holds.
pub(super) struct Contents {
    pub(super) modules: BTreeMap<String, LoraModule>,
    pub(super) embeddings: Vec<Embedding>,
    pub(super) leftovers: Vec<Leftover>,
    pub(super) format: LoraFormat,
}

/// What a file's tensors are, by their names alone.
#[derive(Default)]
struct Sorted {
    /// By the module's name; more than one where open_clip has one layer for three.
    known: BTreeMap<Target, Parts>,
    /// By the module's name in the file.
    unknown: BTreeMap<String, Parts>,
    /// Tensors that are no part of any module.
    others: Vec<String>,
}

/// The layers that a module of the file changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    keys: Vec<String>,
}

/// Reads all modules.
///
/// # Errors
/// If two tensors are the same part of the same module, or one cannot be read or holds NaN or infinity.
pub(super) fn read(file: &TensorFile) -> Result<Contents, LoraError> {
    let sorted = sort(file)?;
    check_finite(file, &sorted.known)?;
    let format = format(file);
    let is_peft = format == LoraFormat::Peft || is_adapter_model(file);
    let alphas = StoredAlphas::new(file.metadata(), file.path(), is_peft)?;
    let mut contents = Contents {
        modules: BTreeMap::new(),
        embeddings: Vec::new(),
        leftovers: Vec::new(),
        format,
    };
    for (target, parts) in &sorted.known {
        let name = || target.keys.join(", ");
        let reader = Reader {
            file,
            parts,
            alphas: &alphas,
        };
        let key = target.keys.first().map(String::as_str).unwrap_or_default();
        let module = match reader.module(key)? {
            Ok(module) => module,
            Err(reason) => {
                contents.leave(name(), reason);
                continue;
            }
        };
        match split(module, target.keys.len()) {
            Ok(modules) => {
                for (key, module) in target.keys.iter().zip(modules) {
                    if contents.modules.insert(key.clone(), module).is_some() {
                        return Err(LoraError::Twice {
                            path: file.path().to_owned(),
                            module: key.clone(),
                            first: "attn.in_proj".to_owned(),
                            second: key.clone(),
                        });
                    }
                }
            }
            Err(reason) => contents.leave(name(), reason),
        }
    }
    for (module, parts) in sorted.unknown {
        let relative = parts.keys().find_map(|role| match role {
            Role::Other(kind) => Some(kind),
            _ => None,
        });
        contents.leave(
            module,
            relative.map_or_else(
                || NOT_KNOWN.to_owned(),
                |kind| format!("{kind}, which is not applied"),
            ),
        );
    }
    let mut words: BTreeMap<String, embedding::Parts> = BTreeMap::new();
    for name in sorted.others {
        let Some((word, part)) = embedding::named(&name) else {
            contents.leave(name, NOT_KNOWN.to_owned());
            continue;
        };
        let (word, part) = (word.to_owned(), part.to_owned());
        words.entry(word).or_default().insert(part, name);
    }
    for (word, parts) in words {
        match embedding::read(file, &word, &parts) {
            Ok(embedding) => contents.embeddings.push(embedding),
            Err(reason) => contents.leftovers.push(Leftover {
                name: word,
                reason: format!("{reason}; it is not used, and the word alone will do less than with it"),
                needs_consent: false,
            }),
        }
    }
    Ok(contents)
}

/// Why a module is left out whose name is in no dictionary.
const NOT_KNOWN: &str = "not known";

impl Contents {
    fn leave(&mut self, name: String, reason: String) {
        self.leftovers.push(Leftover {
            name,
            reason,
            needs_consent: true,
        });
    }
}

/// In the order of the names, so that what is said does not change from run to run.
fn sort(file: &TensorFile) -> Result<Sorted, LoraError> {
    let mut keys: Vec<&str> = file.names().collect();
    keys.sort_unstable();
    let mut sorted = Sorted::default();
    for key in keys {
        let Some((module, role)) = roles::split(key).filter(|_| embedding::named(key).is_none()) else {
            sorted.others.push(key.to_owned());
            continue;
        };
        let found = match names::find(module) {
            Some(Found::One(name)) => vec![name],
            Some(Found::Thirds(names)) => names.into(),
            None => {
                // Unknown modules may well be named twice: nothing is made of them.
                sorted
                    .unknown
                    .entry(module.to_owned())
                    .or_default()
                    .insert(role, key.to_owned());
                continue;
            }
        };
        let parts = sorted.known.entry(Target { keys: found.clone() }).or_default();
        if let Some(first) = parts.insert(role, key.to_owned())
            && !matches!(role, Role::Other(_))
        {
            return Err(LoraError::Twice {
                path: file.path().to_owned(),
                module: found.join(", "),
                first,
                second: key.to_owned(),
            });
        }
    }
    Ok(sorted)
}

fn check_finite(file: &TensorFile, modules: &BTreeMap<Target, Parts>) -> Result<(), LoraError> {
    let mut n_tensors = 0;
    let mut broken = Vec::new();
    let used = modules
        .values()
        .flatten()
        .filter(|(role, _)| !matches!(role, Role::Other(_)));
    for (_, key) in used {
        n_tensors += 1;
        if !file.read(key)?.iter().all(|x| x.is_finite()) {
            broken.push(key);
        }
    }
    match broken.iter().min() {
        None => Ok(()),
        Some(first) => Err(LoraError::NotFinite {
            path: file.path().to_owned(),
            first: (*first).clone(),
            n_broken: broken.len(),
            n_tensors,
        }),
    }
}

/// Whether it has the name that PEFT gives to files.
fn is_adapter_model(file: &TensorFile) -> bool {
    let name = file.path().file_name().unwrap_or_default();
    name.to_string_lossy().starts_with("adapter_model")
}

/// How all modules are named.
fn format(file: &TensorFile) -> LoraFormat {
    let diffusers = ["unet.", "text_encoder.", "text_encoder_2."];
    let formats: HashSet<LoraFormat> = file
        .names()
        .filter_map(roles::split)
        .map(|(module, _)| {
            if module.starts_with("lora_") {
                LoraFormat::Kohya
            } else if module.starts_with("base_model.model.") {
                LoraFormat::Peft
            } else if diffusers.iter().any(|start| module.starts_with(start)) {
                LoraFormat::Diffusers
            } else {
                LoraFormat::Other
            }
        })
        .collect();
    match formats.into_iter().collect::<Vec<_>>().as_slice() {
        [format] => *format,
        _ => LoraFormat::Other,
    }
}

/// Reads the tensors of one module.
struct Reader<'a> {
    file: &'a TensorFile,
    parts: &'a Parts,
    alphas: &'a StoredAlphas,
}

/// Why a module is left out, in words that follow "is".
type Unusable<T> = Result<T, String>;

impl Reader<'_> {
    /// The module, or why it is left out.
    fn module(&self, key: &str) -> Result<Unusable<LoraModule>, LoraError> {
        let relative = self.parts.keys().find_map(|role| match role {
            Role::Other(kind) => Some(*kind),
            _ => None,
        });
        if let Some(kind) = relative {
            return Ok(Err(format!("{kind}, which is not applied")));
        }
        let mut numbers: BTreeMap<Role, Tensor> = BTreeMap::new();
        for (role, key) in self.parts {
            let shape = self
                .file
                .info(key)
                .map(|info| info.shape.clone())
                .unwrap_or_default();
            let read = tensor(self.file.read(key)?, shape);
            numbers.insert(
                *role,
                read.map_err(|err| LoraError::Numbers {
                    path: self.file.path().to_owned(),
                    tensor: key.clone(),
                    err,
                })?,
            );
        }
        Ok(self.assemble(key, numbers))
    }

    fn assemble(&self, key: &str, mut numbers: BTreeMap<Role, Tensor>) -> Unusable<LoraModule> {
        let stored = self.alphas.of(key);
        let has_tensor = numbers.contains_key(&Role::Alpha);
        // sd-scripts: an alpha of 0 counts as the rank.
        let alpha = match numbers.remove(&Role::Alpha) {
            Some(alpha) => Some(one_of("alpha", &alpha)?),
            None => stored.alpha,
        };
        let alpha = alpha.filter(|alpha| *alpha != 0.0);
        let scalar = numbers.remove(&Role::Scalar);
        let scalar = scalar.map(|scalar| one_of("scalar", &scalar)).transpose()?;
        let magnitude = magnitude(&mut numbers)?;
        let bias = numbers
            .remove(&Role::BiasDiff)
            .map(|bias| flat_row(&bias))
            .transpose()?;
        let mut change = low_rank(&mut numbers, alpha)?
            .or(hadamard(&mut numbers, alpha)?)
            .or(kronecker(&mut numbers, alpha)?)
            .or(general(&mut numbers, alpha)?)
            .or(scaling(&mut numbers)?)
            .or(rotation(&mut numbers, alpha)?);
        match &mut change {
            Some(Change::LowRank(low_rank)) => {
                low_rank.is_rank_stabilized = !has_tensor && stored.is_rank_stabilized;
            }
            Some(Change::Kronecker(kronecker)) if !has_tensor => {
                kronecker.fixed_scale = stored.alpha.zip(stored.rank).map(|(alpha, rank)| alpha / rank);
            }
            _ => {}
        }
        for (role, of) in [
            (Role::Diff, Change::Full as fn(Tensor) -> Change),
            (Role::SetWeight, Change::Replacement),
        ] {
            if let Some(matrix) = numbers.remove(&role) {
                if change.is_some() {
                    return Err("changed in two ways at once".to_owned());
                }
                change = Some(of(change::flat(&matrix).map_err(|err| err.to_string())?));
            }
        }
        if !numbers.is_empty() {
            return Err("changed in two ways at once".to_owned());
        }
        if let (Some(change), Some(scalar)) = (&mut change, scalar) {
            scale(change, scalar);
        }
        if change.is_none() && (bias.is_none() || magnitude.is_some()) {
            return Err("without matrices".to_owned());
        }
        Ok(LoraModule {
            change,
            magnitude,
            bias,
        })
    }
}

/// Multiplies a change, by way of its alpha.
fn scale(change: &mut Change, by: f64) {
    match change {
        Change::LowRank(low_rank) => {
            let width = low_rank.scale() * by;
            let rank = low_rank.rank() as f64;
            low_rank.is_rank_stabilized = false;
            low_rank.alpha = Some(width * rank);
        }
        Change::Hadamard(hadamard) => {
            let rank = hadamard.rank() as f64;
            hadamard.alpha = Some(hadamard.alpha.unwrap_or(rank) * by);
        }
        Change::Kronecker(kronecker) => kronecker.fixed_scale = Some(kronecker.scale() * by),
        // LyCORIS multiplies the others before it stores them.
        Change::Full(_)
        | Change::Replacement(_)
        | Change::General(_)
        | Change::Scaling(_)
        | Change::Rotation(_) => {}
    }
}

fn single(tensor: &Tensor) -> Option<f64> {
    let numbers: Vec<f32> = tensor.flatten_all().ok()?.to_vec1().ok()?;
    numbers.first().map(|number| f64::from(*number))
}

/// A tensor that is one number.
fn one_of(what: &str, tensor: &Tensor) -> Unusable<f64> {
    single(tensor)
        .filter(|_| tensor.elem_count() == 1)
        .ok_or_else(|| {
            misfit(format!(
                "{what} has shape {:?}, expected one number",
                tensor.dims()
            ))
        })
}

fn flat_row(tensor: &Tensor) -> Unusable<Tensor> {
    tensor.flatten_all().map_err(|err| err.to_string())
}

fn magnitude(numbers: &mut BTreeMap<Role, Tensor>) -> Unusable<Option<Magnitude>> {
    let values = |tensor: &Tensor| -> Unusable<Vec<f32>> {
        let flat = tensor.flatten_all().and_then(|flat| flat.to_vec1());
        flat.map_err(|err| err.to_string())
    };
    let (lycoris, peft) = (
        numbers.remove(&Role::DoraScale),
        numbers.remove(&Role::PeftMagnitude),
    );
    match (lycoris, peft) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err("changed in two ways at once".to_owned()),
        (Some(scale), None) => Magnitude::from_dora_scale(scale.dims(), values(&scale)?)
            .map(Some)
            .map_err(misfit),
        (None, Some(lengths)) => Ok(Some(Magnitude {
            lengths: values(&lengths)?,
            axis: Axis::Output,
        })),
    }
}

fn misfit(words: String) -> String {
    format!("damaged: {words}")
}

fn low_rank(numbers: &mut BTreeMap<Role, Tensor>, alpha: Option<f64>) -> Unusable<Option<Change>> {
    let [down, up, mid] = [Role::Down, Role::Up, Role::Mid].map(|role| numbers.remove(&role));
    match (down, up) {
        (None, None) if mid.is_none() => Ok(None),
        (Some(down), Some(up)) => LowRank::new(down, mid, up, alpha)
            .map(|low_rank| Some(Change::LowRank(low_rank)))
            .map_err(misfit),
        (None, None) => Err("without its down and up matrices".to_owned()),
        (None, Some(_)) => Err("without its down matrix".to_owned()),
        (Some(_), None) => Err("without its up matrix".to_owned()),
    }
}

fn hadamard(numbers: &mut BTreeMap<Role, Tensor>, alpha: Option<f64>) -> Unusable<Option<Change>> {
    let [a1, b1, t1, a2, b2, t2] = [
        Factor::FirstA,
        Factor::FirstB,
        Factor::FirstCore,
        Factor::SecondA,
        Factor::SecondB,
        Factor::SecondCore,
    ]
    .map(|factor| numbers.remove(&Role::Hada(factor)));
    match (a1, b1, a2, b2) {
        (None, None, None, None) => Ok(None),
        (Some(a1), Some(b1), Some(a2), Some(b2)) => {
            let first = change::Factor::new(a1, b1, t1).map_err(misfit)?;
            let second = change::Factor::new(a2, b2, t2).map_err(misfit)?;
            let hadamard = Hadamard::new([first, second], alpha).map_err(misfit)?;
            Ok(Some(Change::Hadamard(hadamard)))
        }
        _ => Err("a LoHa without all of its four factors".to_owned()),
    }
}

fn kronecker(numbers: &mut BTreeMap<Role, Tensor>, alpha: Option<f64>) -> Unusable<Option<Change>> {
    let mut side = |whole, a, b, core| -> Unusable<Option<Side>> {
        let [whole, a, b, core] = [whole, a, b, core].map(|factor| numbers.remove(&Role::Lokr(factor)));
        match (whole, a, b) {
            (None, None, None) => Ok(None),
            (Some(whole), None, None) if whole.rank() >= 2 && whole.elem_count() > 0 => {
                Ok(Some(Side::Whole(whole)))
            }
            (None, Some(a), Some(b)) => change::Factor::new(a, b, core)
                .map(|factor| Some(Side::Product(factor)))
                .map_err(misfit),
            _ => Err("a LoKr without all of its factors".to_owned()),
        }
    };
    let first = side(Factor::First, Factor::FirstA, Factor::FirstB, Factor::FirstCore)?;
    let second = side(
        Factor::Second,
        Factor::SecondA,
        Factor::SecondB,
        Factor::SecondCore,
    )?;
    match (first, second) {
        (None, None) => Ok(None),
        (Some(first), Some(second)) => Ok(Some(Change::Kronecker(Kronecker::new(first, second, alpha)))),
        _ => Err("a LoKr without all of its factors".to_owned()),
    }
}

fn general(numbers: &mut BTreeMap<Role, Tensor>, alpha: Option<f64>) -> Unusable<Option<Change>> {
    let [a1, a2, b1, b2, core] = [
        Factor::FirstA,
        Factor::FirstB,
        Factor::SecondA,
        Factor::SecondB,
        Factor::SecondCore,
    ]
    .map(|factor| numbers.remove(&Role::Glora(factor)));
    match (a1, a2, b1, b2) {
        (None, None, None, None) if core.is_none() => Ok(None),
        (Some(a1), Some(a2), Some(b1), Some(b2)) => {
            let plain = LowRank::new(b2, core, b1, alpha).map_err(misfit)?;
            let general = General::new(a1, a2, plain).map_err(misfit)?;
            Ok(Some(Change::General(Box::new(general))))
        }
        _ => Err("a GLoRA without all of its factors".to_owned()),
    }
}

fn scaling(numbers: &mut BTreeMap<Role, Tensor>) -> Unusable<Option<Change>> {
    let (factors, on_input) = (numbers.remove(&Role::Ia3), numbers.remove(&Role::OnInput));
    match (factors, on_input) {
        (None, None) => Ok(None),
        (Some(factors), Some(on_input)) => {
            let factors = factors.flatten_all().and_then(|factors| factors.to_vec1());
            Ok(Some(Change::Scaling(Scaling {
                factors: factors.map_err(|err| err.to_string())?,
                on_input: single(&on_input).is_some_and(|on_input| on_input != 0.0),
            })))
        }
        _ => Err("an IA3 without all of its parts".to_owned()),
    }
}

fn rotation(numbers: &mut BTreeMap<Role, Tensor>, alpha: Option<f64>) -> Unusable<Option<Change>> {
    let (blocks, rescale) = (numbers.remove(&Role::OftBlocks), numbers.remove(&Role::Rescale));
    let rescale = rescale.map(|rescale| rescale.flatten_all().and_then(|rescale| rescale.to_vec1()));
    let rescale = rescale.transpose().map_err(|err| err.to_string())?;
    match blocks {
        None if rescale.is_none() => Ok(None),
        None => Err("an OFT without its blocks".to_owned()),
        Some(blocks) => Rotation::new(blocks, alpha.unwrap_or(0.0), rescale)
            .map(|rotation| Some(Change::Rotation(rotation)))
            .map_err(misfit),
    }
}

/// A module of open_clip's fused layer as those of query, key and value: rows of the weight are outputs.
fn split(module: LoraModule, n: usize) -> Unusable<Vec<LoraModule>> {
    if n == 1 {
        return Ok(vec![module]);
    }
    let third = |tensor: &Tensor, index: usize| -> Unusable<Tensor> {
        let rows = tensor.dims().first().copied().unwrap_or(0);
        if rows == 0 || rows % n != 0 {
            return Err(misfit(format!("{rows} rows do not divide into {n}")));
        }
        let third = tensor.narrow(0, index * (rows / n), rows / n);
        third
            .and_then(|third| third.contiguous())
            .map_err(|err| err.to_string())
    };
    (0..n)
        .map(|index| {
            let change = match &module.change {
                None => None,
                Some(Change::LowRank(low_rank)) if low_rank.mid.is_none() => Some(Change::LowRank(LowRank {
                    up: third(&low_rank.up, index)?,
                    ..low_rank.clone()
                })),
                Some(Change::Full(matrix)) => Some(Change::Full(third(matrix, index)?)),
                Some(_) => return Err("of a kind that cannot be split into query, key and value".to_owned()),
            };
            let magnitude = match &module.magnitude {
                Some(Magnitude {
                    lengths,
                    axis: Axis::Output,
                }) if lengths.len() % n == 0 => {
                    let length = lengths.len() / n;
                    Some(Magnitude {
                        lengths: lengths[index * length..(index + 1) * length].to_vec(),
                        axis: Axis::Output,
                    })
                }
                Some(_) => return Err("of a kind that cannot be split into query, key and value".to_owned()),
                None => None,
            };
            let bias = module.bias.as_ref().map(|bias| third(bias, index)).transpose()?;
            Ok(LoraModule {
                change,
                magnitude,
                bias,
            })
        })
        .collect()
}
