//! The length of a training in epochs, which takes a dataset to mean something.

use super::ParameterOverrides;
use crate::problem::{FieldError, InvalidFields};

/// Most epochs that may be asked for.
pub const MAX_EPOCHS: u32 = 100_000;

/// The steps of so many epochs, for a training in which nothing else says how long it is.
///
/// # Errors
/// If something else does, or it would be too long.
pub fn steps_of_epochs(
    n_epochs: u32,
    n_steps_per_epoch: u32,
    chosen: &ParameterOverrides,
) -> Result<u32, InvalidFields> {
    let fail = |message: String| Err(InvalidFields(vec![FieldError::new("n_epochs", message)]));
    if !(1..=MAX_EPOCHS).contains(&n_epochs) {
        return fail(format!("must be from 1 to {MAX_EPOCHS}, not {n_epochs}"));
    }
    for (name, is_chosen) in [
        ("n_steps", chosen.n_steps.is_some()),
        ("n_views", chosen.n_views.is_some()),
    ] {
        if is_chosen {
            return fail(format!(
                "says the length of the training, and so does parameters.{name}: leave one out"
            ));
        }
    }
    let n_steps = u64::from(n_epochs) * u64::from(n_steps_per_epoch);
    match u32::try_from(n_steps) {
        Ok(n_steps) if n_steps <= 1_000_000 => Ok(n_steps),
        _ => fail(format!(
            "would be {n_steps} steps of the optimizer, and a training has at most 1000000: choose fewer epochs or a \
             larger batch"
        )),
    }
}
