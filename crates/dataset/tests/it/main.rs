//! Hostile files, through the process that decodes them.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod fuzz;
mod good;
mod hostile;
mod worker;
