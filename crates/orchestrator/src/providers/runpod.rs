//! RunPod, by its REST API version 2: a thin client, what it says, and which machine to ask for next.
//!
//! The client retries nothing that could rent a machine twice. A creation has one of the outcomes of
//! [`CreateError`], or a pod; `Ambiguous` means that a pod may exist, and is resolved by its name. Reads tolerate
//! fields that they do not know. No key and no environment of a pod is ever printed.

mod client;
mod error;
mod fallback;
mod landlord;
mod logs;
mod wire;

pub use self::{
    client::{Client, DEFAULT_URL, Key, Options, TerminateAck},
    error::{CallError, CreateError, NextStep, Problem},
    fallback::{Candidate, Wish, candidates},
    landlord::{NAME, Renting, RunPod},
    logs::{LogLine, Logs},
    wire::{
        Bill, Cloud, GpuOffer, Listing, MaxCount, Pod, PodGpu, PodRuntime, PodSpec, PodStatus, Price, Stock,
        StockAt,
    },
};
