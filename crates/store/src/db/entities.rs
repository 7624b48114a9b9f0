//! The tables as Rust types; their columns, keys and checks are made in `migrations`.
#![expect(
    unreachable_pub,
    reason = "the derives of sea-orm write `pub`, in a module that is not"
)]

pub(crate) mod api_token;
pub(crate) mod artifact;
pub(crate) mod attempt;
pub(crate) mod audit_entry;
pub(crate) mod base_model;
pub(crate) mod budget;
pub(crate) mod caption_change;
pub(crate) mod caption_edit;
pub(crate) mod caption_endpoint;
pub(crate) mod caption_proposal;
pub(crate) mod caption_run;
pub(crate) mod damaged_object;
pub(crate) mod dataset;
pub(crate) mod dataset_item;
pub(crate) mod dataset_version;
pub(crate) mod delivery;
pub(crate) mod drawing_session;
pub(crate) mod edit;
pub(crate) mod finding_acknowledgement;
pub(crate) mod generation;
pub(crate) mod idempotency_key;
pub(crate) mod job;
pub(crate) mod job_event;
pub(crate) mod job_metric;
pub(crate) mod job_metric_tile;
pub(crate) mod label;
pub(crate) mod ledger_entry;
pub(crate) mod model;
pub(crate) mod model_version;
pub(crate) mod own_preset;
pub(crate) mod owner;
pub(crate) mod pool_machine;
pub(crate) mod rented_instance;
pub(crate) mod setting;
pub(crate) mod webhook;
