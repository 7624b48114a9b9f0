//! Drives the real binary.

mod api;
mod cli;
mod generate;
mod jobs;
mod server;
mod support;
mod train;
