//! Beginning with an existing LoRA instead of with one that changes nothing.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use candle_core::Tensor;
use diffusion::{
    device::{TrainingDevice, tensor},
    lora::{
        Change, Lora, LoraError, LoraModule,
        change::{Axis, Side},
    },
};

use crate::{kinds::Module, network::LoraNetwork};

/// Why a training cannot begin with a LoRA.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file cannot be used.
    #[error(transparent)]
    Lora(LoraError),
    /// It changes layers that are not trained, which would be lost.
    #[error(
        "`{path}` changes {n} layers that this training does not train, `{first}` among them: train them too \
         (text_encoder_1_learning_rate, text_encoder_2_learning_rate, conv_rank, trained_blocks), or begin with a LoRA of \
         fewer layers"
    )]
    Untrained {
        /// The file.
        path: PathBuf,
        /// How many layers.
        n: usize,
        /// The first of them.
        first: String,
    },
    /// It has none of the layers that are trained.
    #[error("`{path}` changes none of the layers that this training trains")]
    Nothing {
        /// The file.
        path: PathBuf,
    },
    /// A module is of another kind or rank.
    #[error(
        "module `{module}` of `{path}` is {found}, and this training trains {expected}: set the same kind and rank"
    )]
    Kind {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// What it is.
        found: String,
        /// What is trained.
        expected: String,
    },
    /// The numbers cannot be used.
    #[error("failed to begin with module `{module}` of `{path}`")]
    Numbers {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
        /// Why.
        #[source]
        err: candle_core::Error,
    },
}

/// Brings a fresh network to what a file changes. Modules that the file does not have stay fresh; returns how many.
///
/// # Errors
/// If the file cannot be used, or does not fit what is trained.
pub(super) fn begin_with<D: TrainingDevice>(
    network: &mut LoraNetwork<D>,
    path: &Path,
) -> Result<usize, StartError> {
    let lora = Lora::open(path).map_err(StartError::Lora)?;
    let modules: Vec<Module> = (0..network.n_modules())
        .map(|index| network.module(index).clone())
        .collect();
    let trained: BTreeSet<&str> = modules.iter().map(|module| module.target.key.as_str()).collect();
    let untrained: Vec<&String> = lora
        .modules()
        .keys()
        .filter(|key| !trained.contains(key.as_str()))
        .collect();
    let path = path.to_owned();
    if let Some(first) = untrained.first() {
        let (n, first) = (untrained.len(), (*first).clone());
        return Err(StartError::Untrained { path, n, first });
    }
    let failed = |module: &Module, err| StartError::Numbers {
        path: path.clone(),
        module: module.target.key.clone(),
        err,
    };
    let of_network = |err: candle_core::Error| StartError::Numbers {
        path: path.clone(),
        module: "all".to_owned(),
        err,
    };
    let values = network.device().values(network.values());
    let mut values = values.map_err(|err| of_network(err.into()))?;
    let mut n_fresh = 0;
    for module in &modules {
        let Some(stored) = lora.modules().get(&module.target.key) else {
            n_fresh += 1;
            continue;
        };
        let Some(tensors) = matrices(module, stored).map_err(|err| failed(module, err))? else {
            return Err(StartError::Kind {
                path: path.clone(),
                module: module.target.key.clone(),
                found: described(stored),
                expected: format!("{} of rank {}", module.kind, module.rank),
            });
        };
        for (parameter, tensor) in module.parameters().iter().zip(tensors) {
            let shaped = tensor.reshape(parameter.shape.clone());
            let read = shaped.and_then(|tensor| parameter.read(&tensor).map_err(candle_core::Error::wrap));
            let numbers = read.map_err(|err| failed(module, err))?;
            values[parameter.place.range()].copy_from_slice(&numbers);
        }
    }
    if n_fresh == modules.len() {
        return Err(StartError::Nothing { path });
    }
    let buffer = network.device().buffer(values);
    *network.values_mut() = buffer.map_err(|err| of_network(err.into()))?;
    Ok(n_fresh)
}

fn described(stored: &LoraModule) -> String {
    match stored.rank() {
        Some(rank) => format!("{} of rank {rank}", stored.kind()),
        None => stored.kind().to_string(),
    }
}

/// The numbers of a module's parameters, in their order, scaled to the module's own alpha; none if the stored one is of
/// another kind or rank.
fn matrices(module: &Module, stored: &LoraModule) -> candle_core::Result<Option<Vec<Tensor>>> {
    if stored.bias.is_some() {
        return Ok(None);
    }
    let (mut tensors, scale) = match &stored.change {
        Some(Change::LowRank(low_rank)) if low_rank.mid.is_none() => {
            (vec![low_rank.down.clone(), low_rank.up.clone()], low_rank.scale())
        }
        Some(Change::Hadamard(hadamard)) if hadamard.factors.iter().all(|factor| factor.core.is_none()) => {
            let factors = hadamard.factors.iter();
            let tensors = factors.flat_map(|factor| [factor.a.clone(), factor.b.clone()]);
            let scale = hadamard.alpha.map_or(1.0, |alpha| alpha / hadamard.rank() as f64);
            (tensors.collect(), scale)
        }
        Some(Change::Kronecker(kronecker)) => {
            let mut tensors = Vec::new();
            for side in [&kronecker.first, &kronecker.second] {
                match side {
                    Side::Whole(matrix) => tensors.push(matrix.clone()),
                    Side::Product(factor) if factor.core.is_none() => {
                        tensors.extend([factor.a.clone(), factor.b.clone()]);
                    }
                    Side::Product(_) => return Ok(None),
                }
            }
            (tensors, kronecker.scale())
        }
        _ => return Ok(None),
    };
    // The last but one of a product takes what the scales differ by: `up`, which stands second in a LoRA.
    let at = match &stored.change {
        Some(Change::LowRank(_)) => 1,
        _ => 0,
    };
    let factor = scale / module.scale();
    if factor != 1.0 {
        tensors[at] = (&tensors[at] * factor)?;
    }
    if let Some(magnitude) = &stored.magnitude {
        if magnitude.axis != Axis::Output {
            return Ok(None);
        }
        tensors.push(tensor(magnitude.lengths.clone(), [magnitude.lengths.len()])?);
    }
    let parameters = module.parameters();
    let counts = |tensor: &Tensor, shape: &[usize]| tensor.elem_count() == shape.iter().product::<usize>();
    let fits = tensors.len() == parameters.len()
        && parameters.iter().zip(&tensors).all(|(parameter, tensor)| {
            counts(tensor, &parameter.shape) && parameter.shape.first() == tensor.dims().first()
        });
    Ok(fits.then_some(tensors))
}

#[cfg(test)]
mod tests {
    use diffusion::random::Random;

    use super::*;
    use crate::{
        fixture::BASE,
        kinds::{Kind, Planned, Sizes},
        metadata::write_lora,
        targets::{measured, of_unet},
    };

    fn planned(kind: Kind, rank: usize, alpha: f64) -> Vec<Planned> {
        let sizes = Sizes { rank, alpha };
        let all = of_unet(&BASE, kind, sizes, Some(sizes));
        measured(&BASE, all.into_iter().step_by(9).collect()).unwrap()
    }

    fn started(planned: Vec<Planned>, seed: u64) -> LoraNetwork {
        LoraNetwork::start(&diffusion::cpu::Cpu, planned, &mut Random::from_seed(seed)).unwrap()
    }

    /// A network that changes something, in a file.
    fn written(folder: &Path, kind: Kind) -> (LoraNetwork, PathBuf) {
        let mut network = started(planned(kind, 4, 4.0), 1);
        for value in network.values_mut() {
            *value += 0.25;
        }
        let path = folder.join("lora.safetensors");
        write_lora(&path, &network.file_tensors().unwrap(), Default::default()).unwrap();
        (network, path)
    }

    #[test]
    fn every_kind_goes_on_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        for kind in [Kind::Lora, Kind::Dora, Kind::Loha, Kind::Lokr { factor: 4 }] {
            let (network, path) = written(folder.path(), kind);
            let mut fresh = started(planned(kind, 4, 4.0), 2);
            assert_eq!(begin_with(&mut fresh, &path).unwrap(), 0);
            // Files are in half precision.
            for (found, expected) in fresh.values().iter().zip(network.values()) {
                assert!(
                    (found - expected).abs() <= 1e-3 * expected.abs() + 1e-6,
                    "{kind:?}"
                );
            }
        }
    }

    /// With another alpha the numbers are others, and the change is the same.
    #[test]
    fn another_alpha_changes_nothing_about_the_change() {
        let folder = tempfile::tempdir().unwrap();
        let (network, path) = written(folder.path(), Kind::Lora);
        let mut fresh = started(planned(Kind::Lora, 4, 2.0), 2);
        begin_with(&mut fresh, &path).unwrap();
        for index in 0..network.n_modules() {
            let [before, after] =
                [&network, &fresh].map(|network| network.module(index).factors_norm(network.values()));
            assert!((after / before - 1.0).abs() < 1e-3, "{after}, not {before}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (_, path) = written(folder.path(), Kind::Lora);
        let refused = |planned: Vec<Planned>| {
            let mut fresh = started(planned, 2);
            begin_with(&mut fresh, &path).unwrap_err().to_string()
        };
        let message = refused(planned(Kind::Lora, 2, 2.0));
        assert!(
            message.contains("LoRA of rank 4, and this training trains LoRA of rank 2"),
            "{message}"
        );
        let message = refused(planned(Kind::Loha, 4, 4.0));
        assert!(
            message.contains("this training trains LoHa of rank 4"),
            "{message}"
        );
        let mut fewer = planned(Kind::Lora, 4, 4.0);
        let left_out = fewer.pop().unwrap().target.key;
        let message = refused(fewer);
        assert!(
            message.contains("changes 1 layers") && message.contains(&left_out),
            "{message}"
        );
    }
}
