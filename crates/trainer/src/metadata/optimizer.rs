//! Optimizer and schedule as sd-scripts names them: Python's class, with the arguments that differ from its defaults.

use protocol::{
    parameters::{Argument, Optimizer, Value},
    recipe::{LrSchedule, Parameters},
};

use super::python::float;

/// `ss_optimizer`.
pub(super) fn optimizer(p: &Parameters) -> String {
    let arguments = arguments(p);
    let class = class(p.optimizer);
    if arguments.is_empty() {
        class.to_owned()
    } else {
        format!("{class}({})", arguments.join(","))
    }
}

/// `ss_lr_scheduler`.
pub(super) fn lr_scheduler(p: &Parameters) -> String {
    if p.optimizer == Optimizer::Adafactor && p.optimizer_switch("relative_step") {
        return format!("adafactor:{}", float(p.learning_rate));
    }
    if p.lr_schedule == LrSchedule::Cosine && p.min_lr_ratio > 0.0 {
        return "cosine_with_min_lr".to_owned();
    }
    p.lr_schedule.kohya(p.n_warmup_steps).to_owned()
}

/// Module and class.
fn class(optimizer: Optimizer) -> &'static str {
    match optimizer {
        Optimizer::Adamw => "torch.optim.adamw.AdamW",
        Optimizer::Adamw8bit => "bitsandbytes.optim.adamw.AdamW8bit",
        Optimizer::Adafactor => "transformers.optimization.Adafactor",
        Optimizer::Lion => "lion_pytorch.lion_pytorch.Lion",
        Optimizer::Prodigy => "prodigyopt.prodigy.Prodigy",
        Optimizer::ProdigyScheduleFree => "prodigyplus.prodigy_plus_schedulefree.ProdigyPlusScheduleFree",
        Optimizer::DAdaptation => "dadaptation.dadapt_adam.DAdaptAdam",
        Optimizer::AdamwScheduleFree => "schedulefree.adamw_schedulefree.AdamWScheduleFree",
        Optimizer::Came => "came_pytorch.CAME.CAME",
    }
}

/// Decays of the two moments, the epsilon if there is one, and the weight decay that a class has by itself.
fn defaults(optimizer: Optimizer) -> (Option<[f64; 2]>, Option<f64>, f64) {
    const EPS: Option<f64> = Some(1e-8);
    match optimizer {
        Optimizer::Adamw | Optimizer::Adamw8bit => (Some([0.9, 0.999]), EPS, 0.01),
        Optimizer::Prodigy | Optimizer::DAdaptation | Optimizer::AdamwScheduleFree => {
            (Some([0.9, 0.999]), EPS, 0.0)
        }
        Optimizer::ProdigyScheduleFree => (Some([0.9, 0.99]), EPS, 0.0),
        Optimizer::Lion => (Some([0.9, 0.99]), None, 0.0),
        // Three decays and two epsilons are among its own arguments.
        Optimizer::Came | Optimizer::Adafactor => (None, None, 0.0),
    }
}

fn arguments(p: &Parameters) -> Vec<String> {
    let (betas, eps, weight_decay) = defaults(p.optimizer);
    let mut arguments = Vec::new();
    if p.weight_decay != weight_decay {
        arguments.push(format!("weight_decay={}", float(p.weight_decay)));
    }
    if betas.is_some_and(|betas| betas != [p.beta1, p.beta2]) {
        arguments.push(format!("betas=({}, {})", float(p.beta1), float(p.beta2)));
    }
    if eps.is_some_and(|eps| eps != p.epsilon) {
        arguments.push(format!("eps={}", float(p.epsilon)));
    }
    match p.optimizer {
        Optimizer::Came => {
            let betas = [p.beta1, p.beta2, p.optimizer_number("beta3")];
            if betas != [0.9, 0.999, 0.9999] {
                arguments.push(format!("betas=({})", betas.map(float).join(", ")));
            }
            arguments.extend(pair_of_eps(p, [1e-30, 1e-16]));
        }
        Optimizer::Adafactor => arguments.extend(pair_of_eps(p, [1e-30, 1e-3])),
        Optimizer::ProdigyScheduleFree => {
            arguments.extend(["factored=False", "split_groups=False"].map(str::to_owned));
        }
        _ => {}
    }
    let own = p.optimizer_values();
    arguments.extend(own.filter_map(|(argument, value)| own_argument(p.optimizer, argument, value)));
    arguments
}

fn pair_of_eps(p: &Parameters, defaults: [f64; 2]) -> Option<String> {
    let eps = ["eps1", "eps2"].map(|name| p.optimizer_number(name));
    (eps != defaults).then(|| format!("eps=({})", eps.map(float).join(", ")))
}

/// An argument that only this optimizer has, if its class would take another value for it.
fn own_argument(optimizer: Optimizer, argument: &Argument, value: Value<'_>) -> Option<String> {
    let default = match (optimizer, argument.name) {
        // Said with others.
        (Optimizer::Came, "beta3") | (Optimizer::Came | Optimizer::Adafactor, "eps1" | "eps2") => {
            return None;
        }
        (Optimizer::Adafactor, "relative_step" | "scale_parameter") => Value::Switch(true),
        (Optimizer::DAdaptation, "decouple") => Value::Switch(false),
        _ => argument.default,
    };
    let shown = match value {
        Value::Whole(value) => value.to_string(),
        Value::Number(value) => float(value),
        Value::Switch(true) => "True".to_owned(),
        Value::Switch(false) => "False".to_owned(),
        Value::Text(_) | Value::List(_) => return None,
    };
    (value != default).then(|| format!("{}={shown}", argument.name))
}

#[cfg(test)]
mod tests {
    use protocol::{
        preset::BaseClass,
        recipe::{ParameterOverrides, Recipe, RecipeRequest},
    };
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(overrides: serde_json::Value, optimizer_said: &str, scheduler_said: &str) {
        let overrides: ParameterOverrides = serde_json::from_value(overrides).unwrap();
        let request = RecipeRequest {
            name: "zora".into(),
            base_model: "tiny-xl".into(),
            overrides,
            ..RecipeRequest::default()
        };
        let recipe = Recipe::resolve(request, BaseClass::Tiny).unwrap();
        assert_eq!(optimizer(recipe.parameters()), optimizer_said);
        assert_eq!(lr_scheduler(recipe.parameters()), scheduler_said);
    }

    /// `torch.optim.adamw.AdamW` alone, `transformers.optimization.Adafactor(relative_step=True)` and so on were seen in
    /// files of sd-scripts.
    #[test]
    fn classes_are_named_as_sd_scripts_names_them() {
        check(json!({}), "torch.optim.adamw.AdamW", "cosine");
        check(
            json!({ "weight_decay": 0.1, "beta2": 0.99, "min_lr_ratio": 0.1 }),
            "torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))",
            "cosine_with_min_lr",
        );
        check(
            json!({ "optimizer": "adamw_8bit", "lr_schedule": "constant", "n_warmup_steps": 3 }),
            "bitsandbytes.optim.adamw.AdamW8bit",
            "constant_with_warmup",
        );
        check(
            json!({ "optimizer": "adafactor", "weight_decay": 0 }),
            "transformers.optimization.Adafactor(relative_step=False,scale_parameter=False)",
            "cosine",
        );
        check(
            json!({
                "optimizer": "adafactor", "weight_decay": 0, "learning_rate": 1e-4,
                "optimizer_arguments": ["relative_step=True", "scale_parameter=True", "warmup_init=True"],
            }),
            "transformers.optimization.Adafactor(warmup_init=True)",
            "adafactor:0.0001",
        );
        check(
            json!({
                "optimizer": "prodigy", "epsilon": 1e-6,
                "optimizer_arguments": ["d_coef=2", "use_bias_correction=True", "growth_rate=1.02"],
            }),
            "prodigyopt.prodigy.Prodigy(weight_decay=0.01,eps=1e-06,d_coef=2.0,growth_rate=1.02,use_bias_correction=True)",
            "cosine",
        );
        check(
            json!({ "optimizer": "d_adaptation", "weight_decay": 0 }),
            "dadaptation.dadapt_adam.DAdaptAdam(decouple=True)",
            "cosine",
        );
        check(
            json!({ "optimizer": "came", "weight_decay": 0, "optimizer_arguments": ["beta3=0.999"] }),
            "came_pytorch.CAME.CAME(betas=(0.9, 0.999, 0.999))",
            "cosine",
        );
    }
}
