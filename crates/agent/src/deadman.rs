//! The dead-man switch: a rented machine ends itself when nobody renews its time, whatever else has failed.
//!
//! On a rented machine (`MORPHEUS_PROVIDER` is set) `morpheus agent` is two processes.
//!
//! - The **supervisor** ([`supervise`]) is the container's first process. It starts before anything that can fail, and
//!   never exits, since a provider starts an ended container again and goes on charging. It starts the worker in a
//!   process group of its own, reaps every process that is left behind, and asks the decision below what to do.
//! - The **worker** is the agent as on any machine: the same program with `--supervised`. Its standard input is a
//!   socket to the supervisor ([`Link`]). It says when the server has answered and when training has moved on; it is
//!   told when to leave: to write a checkpoint, hand it in, and end.
//! - The **decision** ([`Deadman`]) is pure. It is fed with two clocks, with the server's answers and with progress,
//!   and says [`Run`](Decision::Run), [`Leave`](Decision::Leave) or [`Terminate`](Decision::Terminate).
//!
//! When the worker has ended, for whatever reason, or the decision is to terminate, the supervisor ends the machine
//! at the provider, with the key that is good for this machine alone, in every way that is known, again and again
//! until it is gone. Where nothing can be sent to the provider, the control plane and `morpheus reap` end it by the
//! deadline in its name.
//!
//! Times from the environment and from the server pass by the provider's clock. A simulated provider's may be faster
//! than the real one; `MORPHEUS_TIME_SCALE` says by how much, and [`Scale`] is the one place that converts.

mod children;
mod clock;
mod decide;
mod environment;
mod link;
mod record;
mod stderr;
mod supervise;
mod terminate;

pub use clock::{Moment, Scale};
pub use decide::{Contact, Deadman, Decision, Progress, Reason, Start};
pub use environment::{Environment, EnvironmentError};
pub use link::{Leave, Link, LinkError};
pub use stderr::Stderr;
pub use supervise::{Supervised, supervise};

/// Whether this machine is rented, and has to end itself.
pub fn is_rented() -> bool {
    std::env::var_os(protocol::spend::env::PROVIDER).is_some()
}
