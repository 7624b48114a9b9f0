//! The server as a client sees it: over HTTP and WebSockets, with a pretended provider and agent.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod access;
mod agent;
mod app;
mod bad_input;
mod damage;
mod disk;
mod events;
mod main_path;
mod pictures;
mod platform;
mod work;
