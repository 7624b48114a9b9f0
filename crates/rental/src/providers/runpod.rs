//! RunPod, by its REST API version 2: a thin client, what it says, and which machine to ask for next.
//!
//! The client retries nothing that could rent a machine twice. Reads tolerate fields that they do not know. No key and no
//! environment of a pod is ever printed. Everything that has to do with this provider alone is in this folder: its
//! settings and names ([`KIND`]), and how its machines end themselves.

mod client;
mod error;
mod examine;
mod fallback;
mod kind;
mod landlord;
mod logs;
mod own_end;
mod wire;

pub use self::{
    client::{Client, DEFAULT_URL, Options},
    error::Problem,
    fallback::{Candidate, Wish, candidates},
    kind::{KIND, RunPodKind},
    landlord::{Renting, RunPod},
    logs::{LogLine, Logs},
    wire::{
        Cloud, GpuOffer, Listing, MaxCount, Pod, PodGpu, PodRuntime, PodSpec, PodStatus, Price, Stock,
        StockAt,
    },
};

/// What people call it.
const TITLE: &str = "RunPod";
