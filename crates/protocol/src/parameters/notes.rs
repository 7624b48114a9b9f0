//! What was chosen and has no effect beside the rest: no error, but a person should know.

use super::{LoraKind, LossKind, LrSchedule, Optimizer, Parameters, TimestepDistribution, Words as _};
use crate::problem::FieldError;

impl Parameters {
    /// The hyperparameters that are not at their defaults and have no effect, with what it would take.
    pub fn notes(&self) -> Vec<FieldError> {
        let default = Self::default();
        let changed = self.values().zip(default.values());
        let changed = changed.filter(|((_, value), (_, default))| value != default);
        let notes = changed.filter_map(|((definition, _), _)| {
            let message = self.without_effect(definition.name)?;
            Some(FieldError::new(
                format!("parameters.{}", definition.name),
                message,
            ))
        });
        notes.collect()
    }

    /// Why a hyperparameter has no effect, if it has none.
    fn without_effect(&self, name: &str) -> Option<String> {
        let unless =
            |is_used: bool, condition: &str| (!is_used).then(|| format!("has no effect unless {condition}"));
        let schedule = self.lr_schedule;
        let moves_tags = self.shuffle_tags || self.tag_dropout > 0.0 || self.token_warmup_steps > 0;
        match name {
            "n_cycles" => unless(
                schedule == LrSchedule::CosineWithRestarts,
                "lr_schedule is `cosine_with_restarts`",
            ),
            "polynomial_power" => unless(schedule == LrSchedule::Polynomial, "lr_schedule is `polynomial`"),
            "min_lr_ratio" => unless(schedule != LrSchedule::Constant, "the learning rate falls"),
            "lokr_factor" => unless(self.kind == LoraKind::Lokr, "kind is `lokr`"),
            "t_lora_min_rank" | "t_lora_power" => unless(self.kind == LoraKind::TLora, "kind is `t_lora`"),
            "conv_alpha" => unless(self.conv_rank > 0, "conv_rank is above 0"),
            "beta1" if self.optimizer == Optimizer::Adafactor => {
                Some("has no effect with adafactor, which has it among its own arguments".to_owned())
            }
            "beta2" if self.optimizer == Optimizer::Adafactor => {
                Some("has no effect with adafactor".to_owned())
            }
            "epsilon"
                if matches!(
                    self.optimizer,
                    Optimizer::Adafactor | Optimizer::Came | Optimizer::Lion
                ) =>
            {
                Some(format!("has no effect with {}", self.optimizer.word()))
            }
            "huber_c" | "huber_schedule" | "huber_scale" => unless(
                matches!(self.loss, LossKind::Huber | LossKind::SmoothL1),
                "loss is `huber` or `smooth_l1`",
            ),
            "min_bucket_side" | "max_bucket_side" => {
                unless(!self.bucket_no_upscale, "bucket_no_upscale is off")
            }
            "unmasked_weight" => unless(self.masked_loss, "masked_loss is on"),
            "crop_zoom" => unless(self.random_crop, "random_crop is on"),
            "n_looks" => unless(
                self.draws_looks(),
                "random_crop, color_jitter or random_background is on",
            ),
            "noise_offset_random" => unless(self.noise_offset > 0.0, "noise_offset is above 0"),
            "multires_noise_discount" => unless(
                self.multires_noise_iterations > 0,
                "multires_noise_iterations is above 0",
            ),
            "input_perturbation_random" => {
                unless(self.input_perturbation > 0.0, "input_perturbation is above 0")
            }
            "timestep_bias" => unless(
                self.timestep_distribution == TimestepDistribution::LogitNormal,
                "timestep_distribution is `logit_normal`",
            ),
            "timestep_scale" => unless(
                matches!(
                    self.timestep_distribution,
                    TimestepDistribution::LogitNormal | TimestepDistribution::Mode
                ),
                "timestep_distribution is `logit_normal` or `mode`",
            ),
            "keep_tokens" | "keep_tokens_separator" => {
                unless(moves_tags, "tags are shuffled, dropped or warmed up")
            }
            "token_warmup_min" => unless(self.token_warmup_steps > 0, "token_warmup_steps is above 0"),
            _ => None,
        }
    }
}
