//! The simulated provider from outside, over HTTP.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod contract;
mod http;
mod provider;
mod runner;
mod schema;
