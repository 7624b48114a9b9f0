//! Drives the real binary.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod api;
mod cli;
mod generate;
mod jobs;
mod reap;
mod server;
mod support;
mod train;
