//! Learning rates over the steps as sd-scripts computes them, of a whole training and of one that goes on.

use super::Options;
use crate::parameters::{LrSchedule, Parameters};

/// The schedule of a training that starts here.
pub(super) fn of_this_run(options: &mut Options, p: &Parameters) {
    // Schedule-free optimizers warm up by themselves.
    let n_warmup_steps = if p.optimizer.is_schedule_free() {
        0
    } else {
        p.n_warmup_steps
    };
    if is_raised(p) {
        options.value("lr_scheduler", "cosine_with_min_lr");
        options.value("lr_scheduler_min_lr_ratio", format!("{:?}", p.min_lr_ratio));
    } else {
        options.value("lr_scheduler", p.lr_schedule.kohya(n_warmup_steps));
    }
    match p.lr_schedule {
        LrSchedule::CosineWithRestarts => options.value("lr_scheduler_num_cycles", p.n_cycles),
        LrSchedule::Polynomial => options.value("lr_scheduler_power", format!("{:?}", p.polynomial_power)),
        _ => {}
    }
    options.value("lr_warmup_steps", n_warmup_steps);
}

/// The schedule of a training that goes on. One that falls over `--max_train_steps` would fall over those that are left.
/// Named by its function, it takes the numbers from us, and sd-scripts wants no warm-up beside it; the option that it
/// replaces stays for the metadata.
pub(super) fn of_all_steps(options: &mut Options, p: &Parameters) {
    let Some((function, own)) = function(p) else {
        of_this_run(options, p);
        return;
    };
    options.value("lr_scheduler", p.lr_schedule.kohya(p.n_warmup_steps));
    options.value("lr_warmup_steps", 0);
    options.value("lr_scheduler_type", format!("transformers.{function}"));
    let lengths = [
        format!("num_warmup_steps={}", p.n_warmup_steps),
        format!("num_training_steps={}", p.n_steps),
    ];
    options.values("lr_scheduler_args", lengths.into_iter().chain(own));
}

/// The function that computes a schedule which depends on the number of steps, and what it takes beside them.
fn function(p: &Parameters) -> Option<(&'static str, Option<String>)> {
    if p.optimizer.is_schedule_free() || p.optimizer_switch("relative_step") {
        return None;
    }
    Some(match p.lr_schedule {
        // REX is refused.
        LrSchedule::Constant | LrSchedule::InverseSqrt | LrSchedule::Rex => return None,
        LrSchedule::Linear => ("get_linear_schedule_with_warmup", None),
        LrSchedule::Cosine if is_raised(p) => (
            "optimization.get_cosine_with_min_lr_schedule_with_warmup",
            Some(format!("min_lr_rate={:?}", p.min_lr_ratio)),
        ),
        LrSchedule::Cosine => ("get_cosine_schedule_with_warmup", None),
        LrSchedule::CosineWithRestarts => (
            "get_cosine_with_hard_restarts_schedule_with_warmup",
            Some(format!("num_cycles={}", p.n_cycles)),
        ),
        LrSchedule::Polynomial => (
            "get_polynomial_decay_schedule_with_warmup",
            Some(format!("power={:?}", p.polynomial_power)),
        ),
    })
}

/// Whether a cosine ends above zero, for which sd-scripts has another name.
fn is_raised(p: &Parameters) -> bool {
    p.lr_schedule == LrSchedule::Cosine && p.min_lr_ratio > 0.0
}
