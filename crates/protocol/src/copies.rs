//! Copies of approved LoRAs in a folder of another program, such as ComfyUI's.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ModelVersionId;

/// The folder that a setting of the server names, and what was copied there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoraCopies {
    /// The folder, on the machine of the server that answers; absent if no setting names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Why nothing can be copied there for now; the server tries again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Approved versions and their copies.
    #[schema(max_items = 100_000)]
    pub copies: Vec<LoraCopy>,
}

/// The copy of one approved version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoraCopy {
    /// The version.
    pub model_version_id: ModelVersionId,
    /// Name of its file in the folder.
    pub file_name: String,
    /// Why it is not there for now; the server tries again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
