//! What the child is handed: where the tensors of a base model are, and what LoRAs change.

use std::collections::HashMap;

use candle_core::Tensor;
use diffusion::{base::Outline, lora::LayerChange, weights::Part};
use serde_json::{Map, Value, json};

use super::Failure;

/// Bytes of changed weights that are handed over at once.
const BATCH_BYTES: usize = 512 << 20;

/// Where each tensor of the base model is, by the library's name.
pub(super) fn load_request(outline: &Outline) -> Value {
    let parts = outline.parts().into_iter().map(|part| {
        let weights = part.weights.into_iter().map(|(name, file, key, how)| {
            let how = match how {
                Part::Whole | Part::Matrix => "whole".into(),
                Part::Transposed => "transposed".into(),
                Part::Third(third) => Value::from(third),
            };
            (name, json!([file.display().to_string(), key, how]))
        });
        let weights: Map<String, Value> = weights.collect();
        (
            part.name.to_owned(),
            json!({ "config": part.config, "weights": weights }),
        )
    });
    json!({ "parts": parts.collect::<Map<_, _>>() })
}

/// Changes of some layers, with the tensors that they name.
#[derive(Default)]
pub(super) struct Batch {
    /// By the names that the changes give them.
    pub(super) tensors: HashMap<String, Tensor>,
    /// What the child is told.
    pub(super) changes: Vec<Value>,
    n_bytes: usize,
}

impl Batch {
    /// Whether it should be handed over before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.n_bytes >= BATCH_BYTES
    }

    /// Takes in what changes in a layer.
    pub(super) fn add(&mut self, change: LayerChange, outline: &Outline) -> Result<(), Failure> {
        let misfit = |tensor: &str| Failure::Misfit {
            base: outline.info.name.clone(),
            detail: format!("there is no place for the {tensor} of `{}`", change.key),
        };
        let weight = outline.place(change.key, "weight");
        if !change.products.is_empty() || change.weight.is_some() {
            let (part, name) = weight.ok_or_else(|| misfit("weight"))?;
            let instead = change.weight.map(|weight| self.keep(weight)).transpose()?;
            let mut products = Vec::new();
            for product in change.products {
                let low_rank = product.low_rank;
                let scale = f64::from(product.weight) * low_rank.scale();
                let (down, up) = (self.keep(low_rank.down.clone())?, self.keep(low_rank.up.clone())?);
                products.push(json!([down, up, scale]));
            }
            self.changes
                .push(json!({ "part": part, "name": name, "instead": instead, "products": products }));
        }
        if let Some(bias) = change.bias {
            let (part, name) = outline.place(change.key, "bias").ok_or_else(|| misfit("bias"))?;
            let instead = self.keep(bias)?;
            self.changes
                .push(json!({ "part": part, "name": name, "instead": instead, "products": [] }));
        }
        Ok(())
    }

    /// Takes a tensor in, and gives it a name.
    fn keep(&mut self, tensor: Tensor) -> Result<String, Failure> {
        let name = self.tensors.len().to_string();
        self.n_bytes += tensor.elem_count() * tensor.dtype().size_in_bytes();
        self.tensors.insert(name.clone(), tensor.contiguous()?);
        Ok(name)
    }
}
