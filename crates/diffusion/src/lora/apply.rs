//! Applying LoRAs beside a base: plain ones as two small matrices, everything else as a weight in place of the base's.
//!
//! A plain LoRA of a linear layer adds `weight · scale · (x downᵀ) upᵀ` to the layer's output. Every other kind is
//! computed once on the host, `W + Σ weight · ΔW` over all LoRAs, and uploaded; each ΔW is taken against the base's own
//! W, so that the order of LoRAs does not matter.

use std::collections::{BTreeMap, HashMap};

use candle_core::Tensor;
use protocol::lora::{Leftover, left_out};

use super::{Lora, LoraError, LoraModule, LowRank};
use crate::{
    base::{BaseLayer, BaseModel, Layers},
    device::{Device, in_rows},
    embeddings::{Embedding, Embeddings},
    graph::{Adapter, AdapterSet, Replaced},
};

/// A LoRA and how it is applied.
#[derive(Debug, Clone, Copy)]
pub struct Weighted<'a> {
    /// The LoRA.
    pub lora: &'a Lora,
    /// 0 leaves no trace, 1 is what was trained; may be negative.
    pub weight: f32,
    /// Whether it may be applied though a part of it cannot be.
    pub partial: bool,
}

impl<'a> From<(&'a Lora, f32)> for Weighted<'a> {
    fn from((lora, weight): (&'a Lora, f32)) -> Self {
        Self {
            lora,
            weight,
            partial: false,
        }
    }
}

/// What of a LoRA fits a base.
#[derive(Debug, Clone)]
pub struct Fit<'a> {
    /// Kohya's names of the modules that are applied.
    pub applied: Vec<&'a str>,
    /// Words that a prompt may use.
    pub embeddings: Vec<&'a Embedding>,
    /// Everything else: what the file has that is used with no base, and what this base has no place for.
    pub leftovers: Vec<Leftover>,
}

impl Fit<'_> {
    /// Refuses what is not applied as a whole, unless `partial` allows it.
    pub(super) fn consented(&self, lora: &Lora, base: &str, partial: bool) -> Result<(), LoraError> {
        let Some(words) = left_out(self.applied.len(), &self.leftovers) else {
            return Ok(());
        };
        let (path, base) = (lora.path.clone(), base.to_owned());
        if self.applied.is_empty() && self.embeddings.is_empty() {
            Err(LoraError::Unfit { path, base, words })
        } else if partial {
            Ok(())
        } else {
            Err(LoraError::LeftOut { path, base, words })
        }
    }
}

impl Lora {
    /// Which modules fit a base, and what does not and why.
    pub fn fit(&self, base: &impl AsRef<Layers>) -> Fit<'_> {
        let base = base.as_ref();
        let layers = base.by_key();
        let mut fit = Fit {
            applied: Vec::new(),
            embeddings: Vec::new(),
            leftovers: self.leftovers.clone(),
        };
        for embedding in &self.embeddings {
            match misfit_embedding(embedding, layers) {
                None => fit.embeddings.push(embedding),
                Some(reason) => fit.leftovers.push(Leftover {
                    name: embedding.word.clone(),
                    reason,
                    // Nothing else is asked for with such a file.
                    needs_consent: self.modules.is_empty(),
                }),
            }
        }
        let unseen = unseen(base);
        for (key, module) in &self.modules {
            let (reason, needs_consent) = match misfit(key, module, layers.get(key)) {
                Some(reason) => (reason, true),
                None if unseen.iter().any(|unseen| key.starts_with(unseen)) => (
                    "behind the layer of the first text encoder that SDXL looks at, and without effect"
                        .to_owned(),
                    false,
                ),
                None => {
                    fit.applied.push(key);
                    continue;
                }
            };
            fit.leftovers.push(Leftover {
                name: key.clone(),
                reason,
                needs_consent,
            });
        }
        fit
    }
}

/// Why an embedding does not fit a base model, in words that follow "is".
fn misfit_embedding(embedding: &Embedding, layers: &HashMap<String, BaseLayer>) -> Option<String> {
    let of_base = ["te1", "te2"].map(|encoder| {
        let layer = format!("lora_{encoder}_text_model_encoder_layers_0_self_attn_q_proj");
        layers.get(&layer).map_or(0, BaseLayer::n_in)
    });
    let found =
        [&embedding.first, &embedding.second].map(|vectors| vectors.dims().last().copied().unwrap_or(0));
    (found != of_base).then(|| {
        format!(
            "a text embedding of {} and {} numbers where the base model has {} and {}",
            found[0], found[1], of_base[0], of_base[1]
        )
    })
}

/// How the names of modules begin whose output nobody looks at: of its first text encoder, SDXL takes what the last layer
/// but one says of each token (diffusers' `encode_prompt`), and no vector of the whole text.
fn unseen(base: &Layers) -> [String; 2] {
    let last = base.n_first() - 1;
    [
        format!("lora_te1_text_model_encoder_layers_{last}_"),
        "lora_te1_text_model_final_layer_norm".to_owned(),
    ]
}

/// Why a module does not fit a layer, in words that follow "is".
fn misfit(key: &str, module: &LoraModule, layer: Option<&BaseLayer>) -> Option<String> {
    if key.contains("_embeddings_") {
        return Some("a change of an embedding, which is not applied".to_owned());
    }
    let Some(layer) = layer else {
        return Some("for a layer that the base model does not have".to_owned());
    };
    if let Some(change) = &module.change
        && !change.fits(layer.n_out(), layer.n_in(), layer.size().1)
    {
        return Some(format!(
            "for a layer of another size, {:?} where the base model has {:?}",
            change.size(),
            layer.size()
        ));
    }
    if let Some(magnitude) = &module.magnitude
        && !magnitude.fits(layer.n_out(), layer.n_in())
    {
        return Some(format!(
            "a DoRA of {} lengths for a layer of {} inputs and {} outputs",
            magnitude.lengths.len(),
            layer.n_in(),
            layer.n_out()
        ));
    }
    if let Some(bias) = &module.bias {
        if !layer.has_bias {
            return Some("a change of a bias, which the base model's layer does not have".to_owned());
        }
        if bias.elem_count() != layer.n_out() {
            return Some(format!(
                "a change of a bias of {} numbers where the base model has {}",
                bias.elem_count(),
                layer.n_out()
            ));
        }
    }
    None
}

/// What LoRAs change in one layer, before any device has it.
#[derive(Debug)]
pub struct LayerChange<'a> {
    /// Kohya's name of the layer.
    pub key: &'a str,
    /// Products of two matrices that are added to the weight of a linear layer.
    pub products: Vec<Product<'a>>,
    /// The weight that stands in place of the base's, with everything added that is no such product.
    pub weight: Option<Tensor>,
    /// The bias that stands in place of the base's.
    pub bias: Option<Tensor>,
}

/// A product of two matrices that is added to a weight.
#[derive(Debug, Clone, Copy)]
pub struct Product<'a> {
    /// The matrices.
    pub low_rank: &'a LowRank,
    /// What it is multiplied by beside its own [scale](LowRank::scale).
    pub weight: f32,
    /// Where it comes from.
    lora: &'a Lora,
}

/// What several LoRAs change by weight, layer by layer, in alphabetical order; each is computed when its turn comes, since
/// whole weights fill gigabytes. Weight 0 changes nothing.
///
/// # Errors
/// If one of them does not fit the base, or only in part and nobody has allowed that; or later, if a weight of the base
/// cannot be read again.
pub fn changes<'a, W: Into<Weighted<'a>>>(
    base: &Layers,
    loras: impl IntoIterator<Item = W>,
) -> Result<impl Iterator<Item = Result<LayerChange<'a>, LoraError>>, LoraError> {
    let layers = base.by_key();
    let mut products: BTreeMap<&str, Vec<Product<'a>>> = BTreeMap::new();
    let mut others: BTreeMap<&str, Vec<(&'a Lora, &'a LoraModule, f32)>> = BTreeMap::new();
    for weighted in loras {
        let Weighted {
            lora,
            weight,
            partial,
        } = weighted.into();
        let fit = lora.fit(base);
        fit.consented(lora, base.base(), partial)?;
        if weight == 0.0 {
            continue;
        }
        for key in fit.applied {
            let Some((module, layer)) = lora.modules.get(key).zip(layers.get(key)) else {
                continue;
            };
            let of_layer = products.entry(key).or_default();
            match module.plain().filter(|_| layer.is_linear()) {
                Some(low_rank) => {
                    of_layer.push(Product {
                        low_rank,
                        weight,
                        lora,
                    });
                    if module.bias.is_some() {
                        others.entry(key).or_default().push((lora, module, weight));
                    }
                }
                None => others.entry(key).or_default().push((lora, module, weight)),
            }
        }
    }
    Ok(products.into_iter().map(move |(key, products)| {
        let (weight, bias) = match (others.get(key), layers.get(key)) {
            (Some(modules), Some(layer)) => replace(base, key, layer, modules)?,
            _ => (None, None),
        };
        Ok(LayerChange {
            key,
            products,
            weight,
            bias,
        })
    }))
}

/// The words that several LoRAs bring along. One of weight 0 brings none.
///
/// # Errors
/// If two of them bring the same word.
pub fn embeddings<'a, W: Into<Weighted<'a>>>(
    base: &Layers,
    loras: impl IntoIterator<Item = W>,
) -> Result<Embeddings, LoraError> {
    let mut found: Vec<(&Embedding, &Lora)> = Vec::new();
    for weighted in loras {
        let Weighted { lora, weight, .. } = weighted.into();
        if weight == 0.0 {
            continue;
        }
        for embedding in lora.fit(base).embeddings {
            let is_same = |(known, _): &&(&Embedding, &Lora)| {
                known.word.to_lowercase() == embedding.word.to_lowercase()
            };
            match found.iter().find(is_same).copied() {
                None => found.push((embedding, lora)),
                Some((_, other)) if other.path == lora.path => {}
                Some((_, other)) => {
                    return Err(LoraError::Word {
                        word: embedding.word.clone(),
                        first: other.path.clone(),
                        second: lora.path.clone(),
                    });
                }
            }
        }
    }
    Embeddings::new(found.into_iter().map(|(embedding, _)| embedding)).map_err(LoraError::Words)
}

/// The set that applies several LoRAs by weight. Weight 0 gives the base's picture to the last bit.
///
/// # Errors
/// If one of them does not fit the base, or only in part and nobody has allowed that.
pub fn adapters<'a, D: Device, W: Into<Weighted<'a>>>(
    base: &BaseModel<D>,
    loras: impl IntoIterator<Item = W>,
) -> Result<AdapterSet<D>, LoraError> {
    let loras: Vec<Weighted<'a>> = loras.into_iter().map(Into::into).collect();
    let mut set = AdapterSet::new();
    set.set_embeddings(embeddings(base.as_ref(), loras.iter().copied())?);
    for change in changes(base.as_ref(), loras)? {
        let change = change?;
        let key = change.key;
        for Product {
            low_rank,
            weight,
            lora,
        } in change.products
        {
            let adapter = Adapter::on(
                base.device(),
                &low_rank.down,
                &low_rank.up,
                low_rank.effective_alpha(),
            )
            .map_err(|err| lora.unapplied(key, candle_core::Error::wrap(err)))?;
            set.add([(key.to_owned(), adapter)], weight);
        }
        if change.weight.is_some() || change.bias.is_some() {
            let replaced = uploaded(base.device(), change.weight, change.bias);
            let replaced = replaced.map_err(|err| LoraError::Upload {
                module: key.to_owned(),
                err,
            })?;
            set.replace(key.to_owned(), replaced);
        }
    }
    Ok(set)
}

impl Lora {
    fn unapplied(&self, module: &str, err: candle_core::Error) -> LoraError {
        LoraError::Apply {
            path: self.path.clone(),
            module: module.to_owned(),
            err,
        }
    }
}

/// A layer's weight with the change of one module added, which need not come from a file.
///
/// # Errors
/// If the base has no such layer or its weight cannot be read again, or the module does not fit it.
pub fn with_change<D: Device>(
    base: &BaseModel<D>,
    key: &str,
    module: &LoraModule,
    weight: f32,
) -> candle_core::Result<Replaced<D>> {
    let Some(layer) = base.layers().get(key) else {
        candle_core::bail!("the base model has no layer `{key}`");
    };
    let original = base.stored(layer, "weight").map_err(candle_core::Error::wrap)?;
    let changed = match module.delta_for(&original)? {
        Some(delta) => (&original + (delta.reshape(original.dims())? * f64::from(weight))?)?,
        None => original,
    };
    uploaded(base.device(), Some(changed), None)
}

/// A changed weight and bias, laid out as the layer wants them.
fn uploaded<D: Device>(
    device: &D,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
) -> candle_core::Result<Replaced<D>> {
    let mut replaced = Replaced::default();
    match weight {
        Some(weight) if matches!(weight.rank(), 2 | 4) => {
            replaced.weight = Some(device.weight(in_rows(weight)?)?);
        }
        Some(weight) => replaced.gain = Some(device.upload(&weight)?),
        None => {}
    }
    replaced.bias = bias.map(|bias| device.upload(&bias)).transpose()?;
    Ok(replaced)
}

/// The base's weight and bias with everything added that is not applied beside it.
fn replace(
    base: &Layers,
    key: &str,
    layer: &BaseLayer,
    modules: &[(&Lora, &LoraModule, f32)],
) -> Result<(Option<Tensor>, Option<Tensor>), LoraError> {
    let stored = |name: &str, lora: &Lora| {
        let stored = base.stored(layer, name).map_err(candle_core::Error::wrap);
        stored.map_err(|err| lora.unapplied(key, err))
    };
    let (mut weight, mut bias): (Option<Tensor>, Option<Tensor>) = (None, None);
    for (lora, module, strength) in modules {
        let is_beside = layer.is_linear() && module.plain().is_some();
        if module.change.is_some() && !is_beside {
            let original = stored("weight", lora)?;
            let changed = module.delta_for(&original).and_then(|delta| {
                let Some(delta) = delta else {
                    return Ok(weight.clone().unwrap_or(original.clone()));
                };
                let delta = (delta.reshape(original.dims())? * f64::from(*strength))?;
                weight.as_ref().unwrap_or(&original) + delta
            });
            weight = Some(changed.map_err(|err| lora.unapplied(key, err))?);
        }
        if let Some(change) = &module.bias {
            let original = match bias.take() {
                Some(bias) => bias,
                None => stored("bias", lora)?,
            };
            let changed = (change * f64::from(*strength)).and_then(|change| original + change);
            bias = Some(changed.map_err(|err| lora.unapplied(key, err))?);
        }
    }
    Ok((weight, bias))
}
