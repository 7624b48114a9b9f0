//! The dead-man switch of a rented machine: what it decides by, and how it makes sure that the machine is ended.
//!
//! - The **decision** ([`Deadman`]) is pure. It is fed with two clocks, with the server's answers and with progress,
//!   and says [`Run`](Decision::Run), [`Leave`](Decision::Leave) or [`Terminate`](Decision::Terminate).
//! - The **end** ([`ThisMachine`]) goes through the seam to the machine's provider ([`OwnEnd`](crate::OwnEnd)): every way
//!   that is known, again and again until nothing here runs any more.
//!
//! `agent::deadman` has the processes around them: the supervisor that asks, and the worker that it watches over.
//!
//! Times from the environment and from the server pass by the provider's clock. A simulated provider's may be faster
//! than the real one; `MORPHEUS_TIME_SCALE` says by how much, and [`Scale`] is the one place that converts.

mod clock;
mod decide;
mod end;
mod environment;

pub use clock::{Moment, Scale};
pub use decide::{Contact, Deadman, Decision, Progress, Reason, Start};
pub use end::{ROUND_PAUSE, ThisMachine};
pub use environment::{Environment, EnvironmentError};

pub use crate::children::{Children, Process};
