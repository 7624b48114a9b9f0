//! The provider `local`: agents as child processes of the server, on its own machine.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use async_trait::async_trait;
use uuid::Uuid;

use super::{Instance, LaunchRequest, Provider, ProviderError};

/// How to start agents on this machine.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The program: `morpheus` itself.
    pub program: PathBuf,
    /// Arguments before ours (`agent --server URL …`); empty for `morpheus`.
    pub first_args: Vec<OsString>,
    /// The address at which agents reach the server.
    pub server_url: String,
    /// Where their logs go, one file each.
    pub log_dir: PathBuf,
    /// Tells our instances from those of another installation on this machine: `Store::deployment`.
    pub deployment: Uuid,
    /// Jobs that train at the same time.
    pub capacity: usize,
    /// Time between the request to end and the kill.
    pub grace: Duration,
}

/// Starts agents as child processes.
#[derive(Debug)]
pub struct Local {
    options: LocalOptions,
}

impl Local {
    /// A provider for this machine.
    pub fn new(options: LocalOptions) -> Self {
        Self { options }
    }
}

#[async_trait]
impl Provider for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn capacity(&self) -> usize {
        self.options.capacity
    }

    async fn launch(&self, request: &LaunchRequest) -> Result<Instance, ProviderError> {
        let _ = request;
        todo!()
    }

    async fn list(&self) -> Result<Vec<Instance>, ProviderError> {
        todo!()
    }

    async fn terminate(&self, instance: &Instance) -> Result<(), ProviderError> {
        let _ = instance;
        todo!()
    }

    async fn last_words(&self, id: Uuid) -> Option<String> {
        let _ = id;
        todo!()
    }
}
