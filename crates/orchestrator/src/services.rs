//! What the server calls, one file for each group of callers.

mod agents;
mod artifacts;
mod finish;
mod generations;
mod jobs;
mod models;
