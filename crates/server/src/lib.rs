//! REST, WebSocket, OpenAPI, auth and the embedded dashboard: the only crate that names axum.
//!
//! [`bind`] opens the store and a socket and says where the server can be reached; [`Bound::run`] serves
//! until it is told to end. Handlers translate between HTTP and the services of `orchestrator` and `store`,
//! and decide nothing themselves.

mod app;
mod auth;
mod bind;
mod dashboard;
mod error;
mod estimate;
mod extract;
mod feed;
mod files;
mod follow;
mod layers;
mod mailbox;
pub mod openapi;
mod routes;
mod state;
mod telemetry;
mod upload;

pub use bind::{AgentCommand, BindError, Bound, Config, RunError, RunPodConfig, Timing, bind};
