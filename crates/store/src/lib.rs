//! Database, job queue and objects: all persistent data.
//!
//! A [`Store`] holds the three together. Functions are grouped by noun (`store::jobs::get`, …). What reads
//! takes any [`Read`] (the store itself, or an open transaction); what writes takes a [`Tx`], so that several
//! changes commit together: `let tx = store.begin().await?; …; tx.commit().await?`. A commit wakes whoever
//! follows the jobs it touched. The database is the truth; [`Signals`] only say that looking again is worth it.
//!
//! The database is SQLite or PostgreSQL, as its URL says, behind the same functions: one transaction writes at
//! a time on SQLite; on PostgreSQL what a transaction reads to decide by is locked until it ends (`Read::hold`).
//! No other crate names sea-orm or object_store.

pub mod artifacts;
pub mod attempts;
pub mod audit;
pub mod backup;
pub mod bases;
pub mod caption_endpoints;
pub mod damage;
pub mod datasets;
mod db;
pub mod dependents;
pub mod drawing;
pub mod edits;
mod error;
pub mod events;
mod fault;
mod file_id;
pub mod generations;
pub mod idempotency;
pub mod jobs;
pub mod labels;
mod log_once;
pub mod maintenance;
pub mod metrics;
pub mod models;
pub mod objects;
mod open_error;
pub mod outbox;
pub mod own_presets;
pub mod pool;
mod proof;
pub mod queue;
pub mod queue_url;
pub mod references;
pub mod settings;
pub mod signals;
pub mod spend;
mod store;
mod time;
pub mod tokens;
pub mod trash;
pub mod webhooks;
mod words;

#[doc(hidden)]
pub use crate::db::{Injector, Strike, Transaction};
pub use crate::{
    error::{Result, StoreError},
    fault::StorageFault,
    objects::{BlobKey, BlobStore},
    open_error::OpenError,
    signals::Signals,
    store::{Outgoing, Read, Store, StoreBuilder, Tx},
    time::now,
};
