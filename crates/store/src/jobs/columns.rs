//! The recipe in rows, the same in `training_jobs` and `model_versions`: as JSON, and what queries look for in columns.
//! The database itself makes columns of the hyperparameters (`db::recipe_columns`).

/// A row of an entity that has the recipe's columns: those, and the fields that are given. A model version that was
/// imported has none, so its columns may be empty.
macro_rules! with_recipe {
    ($entity:ident, $recipe:expr, { $($field:ident: $value:expr),* $(,)? }) => {{
        let recipe: &protocol::recipe::Recipe = $recipe;
        $crate::db::entities::$entity::Model {
            $($field: $value,)*
            name: recipe.name().to_owned(),
            trigger_word: recipe.trigger_word().map(str::to_owned),
            base_model: recipe.base_model().to_owned(),
            engine: $crate::words::word(&recipe.engine()).into(),
            preset: $crate::words::word(&recipe.preset()).into(),
            recipe: $crate::words::json(recipe).into(),
        }
    }};
}

pub(crate) use with_recipe;
