//! Drives the real binary.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod api;
mod bases;
mod cli;
mod db;
mod deadman;
mod generate;
mod jobs;
mod objects;
mod pool;
mod reap;
mod rented;
mod replicas;
mod server;
mod support;
mod train;
