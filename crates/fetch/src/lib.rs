//! Downloads files from untrusted URLs: from a user, a hub's file list, or a redirect. Posts messages to untrusted URLs.
//!
//! Otherwise, anyone who can provide a URL could access what only this machine can reach: its services, its network, a
//! cloud's metadata. So each redirect is checked before it is followed: directly if it contains an IP address,
//! otherwise after name resolution, and the connection goes to exactly the address that was checked. Secrets are sent
//! only to the host they are for, and responses are limited in memory and time.

pub mod chat;
mod client;
mod hub;
mod pace;
mod post;
mod ranges;

pub use client::{Answer, Client, FetchError, Wanted};
pub use hub::HubOptions;
pub use post::Post;
pub use ranges::{InvalidRange, Range, Ranges};
