//! Runs an engine on this machine for a server: claim, fetch, train or render, stream events, upload.
//!
//! The agent only makes outgoing connections and has only its token and signed URLs. It has no database and no
//! HTTP server. A server restart does not end its work: it keeps retrying, and training continues.

mod attempt;
mod bases;
mod client;
pub mod deadman;
pub mod diffusers;
mod disk_fault;
mod edit;
pub mod engine;
#[cfg(test)]
mod fake_server;
mod generate;
pub mod gpu;
mod group;
mod instead;
pub mod job;
pub mod kohya;
mod lease;
pub mod link;
pub mod machine;
mod measured;
pub mod memory;
mod run;
pub mod tail;
mod thread;
mod train;
mod transfer;
mod uploads;
mod work_dir;

pub use bases::DEFAULT_CACHE_BYTES;
pub use client::{ClientError, MailboxAddress, NotAMailbox, Refusal, Transient};
pub use measured::Measurements;
pub use run::{AgentError, Config, Role, run};
pub use work_dir::WorkDirError;
