//! The server as a client sees it: over HTTP and WebSockets, with a pretended provider and agent.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod access;
mod agent;
mod app;
mod audit;
mod bad_input;
mod captions;
mod characters;
mod checks;
mod connections;
mod copies;
mod damage;
mod demo_dataset;
mod disk;
mod edits;
mod events;
mod exports;
mod groups;
mod hostile;
mod idempotency;
mod imports;
mod library;
mod main_path;
mod masks;
mod openai;
mod own_presets;
mod panels;
mod pictures;
mod platform;
mod previews;
mod seen;
mod sessions;
mod sign_ins;
mod storage;
mod thumbnails;
mod trash;
mod work;
