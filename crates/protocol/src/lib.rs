//! Types exchanged between processes in Morpheus: job spec, recipe, phases, events, agent messages, ids, money.
//!
//! This crate has no IO, no async code and no tensors. Both planes (control and data) use these types and share
//! nothing else. Every public type documents its unit and range, because the OpenAPI document, the
//! dashboard's form labels and its help texts are generated from these comments.

#![warn(missing_docs)]

pub mod address;
pub mod agent;
pub mod api;
pub mod audit;
pub mod base;
pub mod caption_edit;
pub mod captioning;
pub mod copies;
pub mod damage;
pub mod dataset;
pub mod drawing;
pub mod edit;
pub mod environment;
pub mod event;
pub mod finding;
pub mod foreign;
pub mod generation;
pub mod id;
pub mod imported;
pub mod job;
pub mod judged;
pub mod judgement;
pub mod library;
pub mod limits;
pub mod lora;
pub mod machine;
pub mod made;
pub mod mailbox;
pub mod model;
pub mod money;
pub mod notice;
pub mod openai;
pub mod page;
pub mod parameters;
pub mod phase;
pub mod preset;
pub mod problem;
pub mod prompt;
pub mod recipe;
pub mod safetensors;
pub mod sample;
pub mod seed;
pub mod seen;
pub mod spend;
pub mod system;
pub mod text;
pub mod trash;
pub mod unfit;

pub use id::*;
pub use money::{MicroUsd, NotMoney};
