//! A LoRA file whose blocks are stronger or weaker.

use std::collections::BTreeMap;

use super::{EditError, Edited, Factors, Source, blocks::BlockWeights, metadata, summary};
use crate::{
    lora::{LoraModule, roles::Role},
    weights::{Rounding, Stored},
};

/// Scales every module by the weight of its block. Matrices stay as they are to the bit: where a module has an alpha,
/// that is scaled, or else the up matrix in its own precision. Modules of weight 0 are left out, because an alpha of 0
/// counts as none; modules of weight 1 are carried over, whatever they are.
///
/// # Errors
/// If a module that is scaled is no plain LoRA, or no module is left.
pub fn weigh(source: &Source, weights: &BlockWeights) -> Result<Edited, EditError> {
    let mut tensors = BTreeMap::new();
    let (mut n_out, mut n_scaled) = (0, 0);
    let mut left: BTreeMap<String, Factors> = BTreeMap::new();
    let mut n_others = 0;
    for (name, module) in source.lora().modules() {
        let weight = weights.of(name);
        if weight == 0.0 {
            n_out += 1;
            continue;
        }
        for key in source.keys(name, "weighed")?.values() {
            tensors.insert(key.clone(), source.stored(key)?);
        }
        match source.module(name, module, "weighed") {
            Ok(factors) => {
                let scale = factors.scale * weight;
                left.insert(name.clone(), Factors { scale, ..factors });
            }
            Err(err) if weight != 1.0 => return Err(err),
            Err(_) => n_others += 1,
        }
        if weight != 1.0 {
            n_scaled += 1;
            let (key, scaled) = scaled(source, name, module, weight)?;
            tensors.insert(key, scaled);
        }
    }
    if tensors.is_empty() {
        return Err(EditError::Nothing {
            reason: "every block with modules has weight 0".to_owned(),
        });
    }
    let mut notes: Vec<String> = source.notes().collect();
    notes.push(format!(
        "{n_scaled} of {} modules are scaled, {n_out} have weight 0 and are left out",
        source.lora().modules().len()
    ));
    let unused = weights.without_module(source.names());
    if !unused.is_empty() {
        notes.push(format!("no module of this file is in {}", unused.join(", ")));
    }
    let done = format!("block weights {}", weights.text());
    let mut metadata = metadata::of_one(source, &done);
    if n_others == 0 {
        metadata::sizes(&mut metadata, left.values());
    }
    let mut summary = summary(left.values());
    summary.n_modules += n_others;
    Ok(Edited {
        tensors,
        metadata,
        summary,
        notes,
    })
}

/// The one tensor of a module that makes it stronger, and its name.
fn scaled(
    source: &Source,
    name: &str,
    module: &LoraModule,
    weight: f64,
) -> Result<(String, Stored), EditError> {
    let keys = source.keys(name, "weighed")?;
    let alpha = keys
        .get(&Role::Alpha)
        .map(|key| Ok::<_, EditError>((key, source.read(key)?)));
    if let Some((key, values)) = alpha.transpose()?
        && let [alpha] = values[..]
        && alpha != 0.0
    {
        let stored = source.stored(key)?;
        let rounding = Rounding::of(stored.dtype).unwrap_or(Rounding::F32);
        let number = Stored::number((f64::from(alpha) * weight) as f32, rounding);
        let shape = stored.shape;
        return Ok((key.clone(), Stored { shape, ..number }));
    }
    let key = keys.get(&Role::Up).ok_or_else(|| EditError::Kind {
        path: source.path().to_owned(),
        module: name.to_owned(),
        kind: format!("a {}", module.kind()),
        edit: "weighed",
    })?;
    let stored = source.stored(key)?;
    let rounding = Rounding::of(stored.dtype).ok_or_else(|| EditError::Numbers {
        path: source.path().to_owned(),
        name: key.clone(),
        found: stored.dtype,
    })?;
    let values = source.read(key)?;
    let values: Vec<f32> = values.iter().map(|x| (f64::from(*x) * weight) as f32).collect();
    if !rounding.holds(&values) {
        return Err(EditError::TooLarge {
            name: key.clone(),
            found: stored.dtype,
        });
    }
    Ok((key.clone(), Stored::new(&values, stored.shape, rounding)))
}
