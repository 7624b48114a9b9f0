//! The providers that Morpheus knows. One is added by a folder beside this file, and its line in [`REGISTERED`].

pub mod runpod;

use crate::Kind;

/// Every provider that machines can be rented from.
pub static REGISTERED: &[&dyn Kind] = &[&runpod::KIND];

/// The provider of this name.
pub fn find(name: &str) -> Option<&'static dyn Kind> {
    REGISTERED.iter().copied().find(|kind| kind.name() == name)
}

#[cfg(test)]
mod tests;
