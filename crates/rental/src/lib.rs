//! Rented machines: the seam to those who rent them out, the providers behind it, and the dead-man switch.
//!
//! - [`Kind`] is a provider that Morpheus knows: its names, its settings, and how to get the rest. Each is registered
//!   once, in [`providers`].
//! - [`Account`] is what must work to end machines: a list, one machine, its end. `morpheus reap` needs no more.
//! - [`Landlord`] is an account that also has offers, takes orders and shows bills; the control plane rents from it.
//! - [`OwnEnd`] is how a machine ends itself, with nothing but its own environment.
//! - [`MachineName`] says whose a machine is and when it must be gone, in as many characters as its provider allows.
//! - [`deadman`] is what a rented machine decides by, and how it makes sure that it is ended.
//!
//! Control plane and data plane both use this crate, so it has no tensors, no database and no web server. Nothing here
//! is retried by a library: what must happen again and again is a loop that can be read. `providers/README.md` says how
//! to add a provider.

mod children;
pub mod deadman;
mod error;
mod machine_name;
pub mod providers;
mod seam;
mod settings;

pub use crate::{
    error::{CallError, CallFault, CreateError, CreateFault, NextStep},
    machine_name::{ForeignName, MachineName, NameForm, deployment_mark},
    seam::{
        Account, Bill, Examination, ExamineError, Kind, Landlord, Machine, Machines, Offer, Order, OwnEnd,
        Refused, TerminateAck, http_client,
    },
    settings::{Key, Setting, SettingError, Values},
};
