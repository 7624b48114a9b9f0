//! Network volumes: kept by name, size and place. Their storage is not billed here.

use serde::Deserialize;
use serde_json::{Value, json};

/// A network volume.
#[derive(Debug, Clone)]
pub(super) struct Volume {
    pub(super) id: String,
    pub(super) account: usize,
    pub(super) name: String,
    pub(super) size_gb: u32,
    pub(super) data_center: String,
    pub(super) tier: String,
}

/// `POST /v2/network-volumes`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WantedVolume {
    pub(super) name: String,
    pub(super) size: u32,
    pub(super) data_center: String,
    #[serde(rename = "type", default = "standard")]
    pub(super) tier: String,
}

/// `PATCH /v2/network-volumes/{id}`
#[derive(Deserialize)]
pub(super) struct VolumeChange {
    pub(super) name: Option<String>,
    pub(super) size: Option<u32>,
}

fn standard() -> String {
    "STANDARD".to_owned()
}

impl Volume {
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "size": self.size_gb,
            "dataCenter": self.data_center,
            "type": self.tier,
        })
    }
}
