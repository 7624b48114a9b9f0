//! REST, WebSocket, OpenAPI, auth and the embedded dashboard: the only crate that names axum.
//!
//! [`bind`] opens the store and a socket and says where the server can be reached; [`Bound::run`] serves
//! until shutdown. Handlers translate between HTTP and the services of `orchestrator` and `store`,
//! and decide nothing themselves.

mod access_watch;
mod app;
mod auth;
mod bind;
mod config;
mod dashboard;
mod error;
mod extract;
mod feed;
mod files;
mod follow;
mod guard;
mod idempotency;
mod layers;
mod mailbox;
mod multipart;
mod openai;
pub mod openapi;
mod readiness;
mod routes;
mod serve;
mod state;
mod telemetry;
mod timing;
mod upload;

pub use bind::{BindError, Bound, RunError, bind, lock};
pub use config::{AgentCommand, Config, RentalConfig};
pub use timing::Timing;
