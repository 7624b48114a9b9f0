//! What crosses a process in Morpheus: job spec, recipe, phases, events, agent messages, ids, money.
//!
//! No IO, no async and no tensors live here; both planes (control and data) speak these types and meet
//! nowhere else. Every public type documents its unit and range, because the OpenAPI document, the
//! dashboard's form labels and its help texts are generated from these comments.

#![warn(missing_docs)]

pub mod address;
pub mod agent;
pub mod api;
pub mod audit;
pub mod base;
pub mod damage;
pub mod dataset;
pub mod environment;
pub mod event;
pub mod generation;
pub mod id;
pub mod job;
pub mod limits;
pub mod mailbox;
pub mod model;
pub mod money;
pub mod phase;
pub mod preset;
pub mod problem;
pub mod recipe;
pub mod safetensors;
pub mod spend;
pub mod system;
pub mod text;

pub use id::*;
pub use money::{MicroUsd, NotMoney};
