//! Providers of machines. A provider starts, lists and terminates instances, and keeps no state of its own.
//!
//! A [`Provider`] has machines that cost nothing; a [`rental::Landlord`] has machines that cost money, which
//! [`crate::rentals`] manages. `README.md` beside this file says how to add one of either kind.

pub mod local;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use protocol::recipe::Engine;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What an instance is started for: an attempt of a job, or a worker that claims generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// One attempt of a job.
    Train,
    /// A worker for generations, one after the other, until there have been none for a while.
    Generate,
}

/// Asks for an instance.
#[derive(Clone)]
pub struct LaunchRequest {
    /// Id of the attempt or of the worker; the instance carries it, so that it can be found by it.
    pub id: Uuid,
    /// What it is for.
    pub purpose: Purpose,
    /// The agent's token.
    pub token: String,
}

impl fmt::Debug for LaunchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchRequest")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

/// A machine (or process) that a provider started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// See [`LaunchRequest::id`].
    pub id: Uuid,
    /// See [`LaunchRequest::purpose`].
    pub purpose: Purpose,
    /// The provider's id of it; for `local`, the process id.
    pub handle: String,
    /// When it was started. Only handle and start together are unique, since handles are reused.
    pub started_at: DateTime<Utc>,
}

/// An operation of a provider that failed.
#[derive(Debug, thiserror::Error)]
#[error("provider `{provider}` failed to {doing}")]
pub struct ProviderError {
    /// Its name.
    pub provider: &'static str,
    /// The operation.
    pub doing: String,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Leases machines. Every method may be called again at any time.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync {
    /// The name that jobs choose it by.
    fn name(&self) -> &'static str;

    /// How many jobs it trains at the same time.
    fn capacity(&self) -> usize;

    /// Engines that its machines have.
    fn engines(&self) -> &[Engine] {
        &[Engine::Native]
    }

    /// Starts an instance.
    async fn launch(&self, request: &LaunchRequest) -> Result<Instance, ProviderError>;

    /// Every running instance of this installation, whichever of its processes started it.
    async fn list(&self) -> Result<Vec<Instance>, ProviderError>;

    /// Ends an instance, and returns when it is gone. One that is gone already is fine.
    async fn terminate(&self, instance: &Instance) -> Result<(), ProviderError>;

    /// The end of an instance's log, for a person.
    async fn last_words(&self, id: Uuid) -> Option<String>;
}
