//! Drives the real binary.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod again;
mod api;
mod backup;
mod bases;
mod captions;
mod cli;
mod copies;
mod damaged_bases;
mod db;
mod deadman;
mod diffusers;
mod edits;
mod full;
mod fuzz;
mod generate;
mod imports;
mod jobs;
mod kohya;
mod lora;
mod objects;
mod openai;
mod parity;
mod pool;
mod reap;
mod recipe;
mod rented;
mod replay;
mod replicas;
mod server;
mod storage;
mod support;
mod train;
