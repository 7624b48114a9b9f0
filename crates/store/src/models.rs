//! Models and their versions.

use protocol::{
    ModelVersionId, OwnerId,
    model::{Model, ModelVersion},
};

use crate::{Read, Result, artifacts::Artifact};

/// An owner's models with their versions, the newest first.
pub async fn list(db: &impl Read, owner: OwnerId) -> Result<Vec<Model>> {
    let _ = (db, owner);
    todo!()
}

/// One model version.
pub async fn version(db: &impl Read, owner: OwnerId, id: ModelVersionId) -> Result<ModelVersion> {
    let _ = (db, owner, id);
    todo!()
}

/// The file of a model version.
pub async fn file(db: &impl Read, owner: OwnerId, id: ModelVersionId) -> Result<Artifact> {
    let _ = (db, owner, id);
    todo!()
}
