//! The control plane without HTTP: life cycle of jobs, reconcilers, providers, and what the server calls.
//!
//! [`Orchestrator`] holds it together. Its `run` drives the reconcilers; its other methods are the services
//! behind the API: they take validated input, change the database in one transaction, and wake the
//! reconcilers. Each group stands in its own file under `services/`.

mod bases;
mod captioner;
mod copies;
pub mod disk;
mod error;
mod failpoint;
pub mod lifecycle;
mod lora_file;
mod notices;
mod orchestrator;
mod previews;
pub mod providers;
pub mod reap;
mod reconcile;
pub mod rentals;
mod rules;
mod services;
mod time;
mod watches;

pub use crate::{
    bases::{
        Base, Beside, HubOptions, Inspect, InvalidRange, Measure, Places, Range, Ranges, Unmeasured,
        look_at_base,
    },
    copies::check_lora_folder,
    error::{ServiceError, ServiceResult},
    lora_file::{Incoming, ReadLora},
    notices::{InvalidMail, MailOptions, NoticeOptions},
    orchestrator::{Options, Orchestrator},
    previews::Newest,
    reconcile::objects::{Collected, Collection, Pass},
    rules::{Reason, Rules},
    services::{
        DamagedObject, Export, ExportError, ImportedVersion, TakenPictures, UnmeasuredPicture, UnreadObject,
        Verification, import_recipe,
    },
};
