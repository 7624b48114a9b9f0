//! Runs an engine on this machine for a server: claim, fetch, train or render, stream events, upload.
//!
//! The agent dials out and holds nothing but its token and signed addresses. It has no database and no
//! HTTP server. A server that restarts does not end its work: it keeps asking, and training goes on.

mod bases;
mod client;
pub mod deadman;
pub mod engine;
#[cfg(test)]
mod fake_server;
mod generate;
mod instead;
pub mod kohya;
mod lease;
pub mod machine;
mod run;
mod train;
mod transfer;
mod uploads;
mod work_dir;

pub use bases::DEFAULT_CACHE_BYTES;
pub use client::{ClientError, MailboxAddress, NotAMailbox, Refusal, Transient};
pub use run::{AgentError, Config, Role, run};
pub use work_dir::WorkDirError;
