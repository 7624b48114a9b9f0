//! Rented machines, from the order to the bill, against the simulated provider. Its clock stands still unless a test
//! moves it.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod disk;
mod drawing;
mod faults;
mod interleavings;
mod limits;
mod office;
mod table;
