//! Runs an engine on this machine for a server: claim, fetch, train or render, stream events, upload.
//!
//! The agent dials out and holds nothing but its token and signed addresses. It has no database and no
//! HTTP server. A server that restarts does not end its work: it keeps asking, and training goes on.

mod client;
#[cfg(test)]
mod fake_server;
mod lease;
mod transfer;
mod work_dir;
