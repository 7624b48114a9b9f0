//! The dead-man switch: a rented machine terminates itself if its lease is not renewed, whatever else fails.
//!
//! On a rented machine (`MORPHEUS_PROVIDER` is set) `morpheus agent` is two processes.
//!
//! - The **supervisor** ([`supervise`]) is the container's first process. It starts before anything that can fail, and
//!   never exits, since a provider starts an ended container again and goes on charging. It starts the worker in a
//!   process group of its own, reaps every process that is left behind, and asks [`rental::deadman`] what to do.
//! - The **worker** is the agent as on any machine: the same program with `--supervised`. Its standard input is a
//!   socket to the supervisor ([`Link`](crate::link::Link)). It says when the server has answered and when training has
//!   moved on; it is told when to leave: to write a checkpoint, hand it in, and end.
//!
//! When the worker has ended, for whatever reason, or the decision is to terminate, the supervisor ends the machine
//! at the provider, with the key that is good for this machine alone
//! ([`ThisMachine`](rental::deadman::ThisMachine)). Where nothing can be sent to the provider, the control plane and
//! `morpheus reap` end it by the deadline in its name.

mod record;
mod stderr;
mod supervise;

pub use stderr::Stderr;
pub use supervise::{Supervised, supervise};

/// Whether this machine is rented and must terminate itself.
pub fn is_rented() -> bool {
    std::env::var_os(protocol::spend::env::PROVIDER).is_some()
}
