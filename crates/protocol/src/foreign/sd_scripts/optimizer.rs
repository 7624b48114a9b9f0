//! Optimizers as sd-scripts names them, and their arguments as Python.

use super::Options;
use crate::parameters::{Optimizer, Parameters, Value};

/// The optimizer and its arguments. Those that sd-scripts does not name are named by module and class; the packages are
/// those of its `requirements.txt`.
pub(super) fn list(options: &mut Options, p: &Parameters) {
    options.value("optimizer_type", name(p.optimizer));
    options.values("optimizer_args", own(p));
}

fn name(optimizer: Optimizer) -> &'static str {
    match optimizer {
        Optimizer::Adamw => "AdamW",
        Optimizer::Adamw8bit => "AdamW8bit",
        Optimizer::Adafactor => "Adafactor",
        Optimizer::Lion => "Lion",
        Optimizer::Prodigy => "Prodigy",
        Optimizer::ProdigyScheduleFree => "prodigyplus.ProdigyPlusScheduleFree",
        Optimizer::DAdaptation => "pytorch_optimizer.DAdaptAdam",
        Optimizer::AdamwScheduleFree => "AdamWScheduleFree",
        Optimizer::Came => "pytorch_optimizer.CAME",
    }
}

/// The modules of Python that an optimizer needs beside PyTorch and transformers.
pub(super) fn modules(optimizer: Optimizer) -> &'static [&'static str] {
    match optimizer {
        Optimizer::Adamw | Optimizer::Adafactor => &[],
        Optimizer::Adamw8bit => &["bitsandbytes"],
        Optimizer::Lion => &["lion_pytorch"],
        Optimizer::Prodigy => &["prodigyopt"],
        // sd-scripts loads the second for every optimizer whose name ends like it.
        Optimizer::ProdigyScheduleFree => &["prodigyplus", "schedulefree"],
        Optimizer::AdamwScheduleFree => &["schedulefree"],
        Optimizer::DAdaptation | Optimizer::Came => &["pytorch_optimizer"],
    }
}

fn own(p: &Parameters) -> Vec<String> {
    let mut own = vec![format!("weight_decay={:?}", p.weight_decay)];
    let (beta1, beta2) = (p.beta1, p.beta2);
    let betas = format!("betas={beta1:?},{beta2:?}");
    let eps = format!("eps={:?}", p.epsilon);
    match p.optimizer {
        Optimizer::Adamw | Optimizer::Adamw8bit | Optimizer::Prodigy | Optimizer::DAdaptation => {
            own.extend([betas, eps]);
        }
        // As the native engine computes it: second moments in full, and one estimate for all parts.
        Optimizer::ProdigyScheduleFree => {
            let options = ["factored=False", "split_groups=False"];
            own.extend([betas, eps]);
            own.extend(options.map(str::to_owned));
        }
        Optimizer::AdamwScheduleFree => {
            own.extend([betas, eps, format!("warmup_steps={}", p.n_warmup_steps)]);
        }
        Optimizer::Lion => own.push(betas),
        Optimizer::Came => own.push(format!("{betas},{:?}", p.optimizer_number("beta3"))),
        Optimizer::Adafactor => own.push(format!(
            "eps={:?},{:?}",
            p.optimizer_number("eps1"),
            p.optimizer_number("eps2")
        )),
    }
    for (argument, value) in p.optimizer_values() {
        let name = match (p.optimizer, argument.name) {
            // Said above, with others.
            (Optimizer::Came, "beta3") | (Optimizer::Adafactor, "eps1" | "eps2") => continue,
            // pytorch_optimizer's names.
            (Optimizer::DAdaptation, "use_bias_correction") => "bias_correction",
            (Optimizer::DAdaptation, "decouple") => "weight_decouple",
            (_, name) => name,
        };
        match value {
            // No limit is the default, and not a literal in Python.
            Value::Number(value) if value.is_infinite() => {}
            // Versions of prodigyopt before 1.1 do not have it.
            Value::Whole(1) if name == "slice_p" => {}
            // None is the default.
            Value::Number(0.0) if matches!(name, "beta1" | "beta3") => {}
            Value::Number(value) => own.push(format!("{name}={value:?}")),
            Value::Switch(true) => own.push(format!("{name}=True")),
            Value::Switch(false) => own.push(format!("{name}=False")),
            Value::Whole(value) => own.push(format!("{name}={value}")),
            Value::Text(_) | Value::List(_) => {}
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Words as _;

    const INSTALLED: &str = include_str!("../../../../../deploy/worker/requirements.txt");

    #[test]
    fn the_image_of_workers_has_the_packages_of_all_optimizers() {
        for &optimizer in Optimizer::ALL {
            for &module in modules(optimizer) {
                // Some packages are not called as their modules are.
                let package = match module {
                    "lion_pytorch" => "lion-pytorch",
                    "prodigyplus" => "prodigy-plus-schedule-free",
                    name => name,
                };
                let installed = format!("{package}==");
                assert!(
                    INSTALLED.lines().any(|line| line.starts_with(&installed)),
                    "{optimizer:?} needs `{package}`, which deploy/worker/requirements.in does not ask for"
                );
            }
        }
    }
}
