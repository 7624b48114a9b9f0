//! Typed ids. All are UUIDv7: made in the application, unique without a database, ordered by time.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, ordered after every id created before it on this machine.
            #[expect(clippy::new_without_default, reason = "a default id would hide that each one is different")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// Who owns datasets, jobs and models.
    OwnerId,
    /// Uploaded pictures with captions.
    DatasetId,
    /// One picture of a dataset.
    ItemId,
    /// The frozen copy of a dataset that a job trains on.
    DatasetVersionId,
    /// One training that a user submitted.
    JobId,
    /// One try of a job (or of a generation) on one machine.
    AttemptId,
    /// The star, tags and note of a job, a model or a picture.
    LabelId,
    /// A file kept from a job.
    ArtifactId,
    /// A named LoRA; its files are its versions.
    ModelId,
    /// One trained LoRA offered for use.
    ModelVersionId,
    /// One text-to-image request.
    GenerationId,
    /// A file that is made out of others.
    EditId,
    /// A rented machine that draws pictures.
    DrawingSessionId,
    /// A token of the HTTP API, or a browser session.
    TokenId,
    /// An entry of the audit log.
    AuditId,
    /// A preset of a user's own.
    PresetId,
    /// An edit of many captions.
    CaptionEditId,
    /// An address that is told of jobs.
    WebhookId,
    /// One notice to one receiver.
    DeliveryId,
    /// An endpoint that describes pictures.
    CaptionEndpointId,
    /// Descriptions of many pictures of a dataset.
    CaptionRunId,
    /// What such a run proposes for one picture.
    CaptionProposalId,
}
