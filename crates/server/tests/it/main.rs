//! The server as a client sees it: over HTTP and WebSockets, with a pretended provider and agent.

mod access;
mod agent;
mod app;
mod bad_input;
mod events;
mod main_path;
mod pictures;
mod platform;
mod work;
