//! Fetches files from addresses that somebody else named: a user, a hub's list of files, a redirect.
//!
//! Whoever may name an address would otherwise reach what only this machine reaches: its own services, its network, a
//! cloud's metadata. So each hop is checked before it is taken: by its spelling if it names an IP address, and else by
//! what its name stands for, and the connection goes to exactly the address that was checked. Secrets go to the host
//! that they are for, and no answer may take more memory or time than it needs.

mod client;
mod hub;
mod pace;
mod ranges;

pub use client::{Answer, Client, FetchError, Wanted};
pub use hub::HubOptions;
pub use ranges::{InvalidRange, Range, Ranges};
