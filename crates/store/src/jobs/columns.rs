//! The recipe in columns, the same in `training_jobs` and `model_versions`.

/// A row of an entity that has the recipe's columns: those, and the fields that are given.
macro_rules! with_recipe {
    ($entity:ident, $recipe:expr, { $($field:ident: $value:expr),* $(,)? }) => {{
        let recipe: &protocol::recipe::Recipe = $recipe;
        let p = &recipe.parameters;
        $crate::db::entities::$entity::Model {
            $($field: $value,)*
            name: recipe.name.clone(),
            trigger_word: recipe.trigger_word.clone(),
            base_model: recipe.base_model.clone(),
            engine: $crate::words::word(&recipe.engine),
            preset: $crate::words::word(&recipe.preset),
            rank: i32::from(p.rank),
            alpha: p.alpha,
            learning_rate: p.learning_rate,
            lr_schedule: $crate::words::word(&p.lr_schedule),
            n_warmup_steps: i64::from(p.n_warmup_steps),
            batch_size: i32::from(p.batch_size),
            gradient_accumulation: i32::from(p.gradient_accumulation),
            max_gradient_norm: p.max_gradient_norm,
            weight_decay: p.weight_decay,
            min_snr_gamma: p.min_snr_gamma,
            noise_offset: p.noise_offset,
            caption_dropout: p.caption_dropout,
            resolution: p.resolution.cast_signed(),
            max_tokens: i32::from(p.max_tokens),
            seed: i64::from(p.seed),
            recipe: $crate::words::json(recipe),
        }
    }};
}

pub(crate) use with_recipe;
