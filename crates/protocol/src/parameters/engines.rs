//! What an engine cannot do of values that it honors one by one.

use super::{Engine, LrSchedule, Optimizer, Parameters, Words as _, define::Wrong};

impl Parameters {
    /// Refuses values beside others that the engine cannot do together, naming the engine that can.
    pub(crate) fn check_together(&self, engine: Engine, wrong: &mut Wrong) {
        if engine != Engine::Kohya {
            return;
        }
        let p = self;
        let mut refuse = |name: &'static str, message: String| {
            if !wrong.has(name) {
                wrong.push(name, message);
            }
        };
        let (first, second) = (p.text_encoder_1_learning_rate, p.text_encoder_2_learning_rate);
        // sd-scripts' `networks.lora` ignores a second rate.
        if first != second {
            refuse(
                "text_encoder_2_learning_rate",
                format!(
                    "must be {first} as that of the first text encoder for the kohya engine, which has one for both, not \
                     {second}; the native engine has two"
                ),
            );
        }
        let is_adaptive = p.optimizer.is_adaptive();
        let optimizer = p.optimizer.word();
        if is_adaptive && first != 0.0 && first != p.learning_rate {
            refuse(
                "text_encoder_1_learning_rate",
                format!(
                    "must be 0 or {} for the kohya engine, not {first}: `{optimizer}` there takes one learning rate for all",
                    p.learning_rate
                ),
            );
        }
        if is_adaptive && p.lora_plus_ratio != 1.0 {
            refuse(
                "lora_plus_ratio",
                format!(
                    "must be 1 for the kohya engine, not {}: `{optimizer}` there takes one learning rate for all; the native \
                     engine has it",
                    p.lora_plus_ratio
                ),
            );
        }
        if is_adaptive && !p.block_learning_rates.is_empty() {
            refuse(
                "block_learning_rates",
                format!(
                    "must be left out for the kohya engine: `{optimizer}` there takes one learning rate for all"
                ),
            );
        }
        if p.optimizer == Optimizer::ProdigyScheduleFree && p.n_warmup_steps > 0 {
            refuse(
                "n_warmup_steps",
                format!(
                    "must be 0 for the kohya engine, not {}: `{optimizer}` there takes no warm-up; the native engine has it",
                    p.n_warmup_steps
                ),
            );
        }
        let falls = !matches!(
            p.lr_schedule,
            LrSchedule::Constant | LrSchedule::Cosine | LrSchedule::Rex
        );
        if p.min_lr_ratio > 0.0 && falls {
            refuse(
                "min_lr_ratio",
                format!(
                    "must be 0 with `{}` for the kohya engine, which has it for `cosine` alone, not {}; the native engine has it",
                    p.lr_schedule.word(),
                    p.min_lr_ratio
                ),
            );
        }
        wrong.sort(Self::ALL);
    }
}
