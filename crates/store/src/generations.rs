//! Text-to-image requests and their pictures.

use protocol::{GenerationId, OwnerId, generation::Generation};

use crate::{Read, Result};

/// An owner's generations, the newest first.
pub async fn list(db: &impl Read, owner: OwnerId, limit: u64) -> Result<Vec<Generation>> {
    let _ = (db, owner, limit);
    todo!()
}

/// One generation.
pub async fn get(db: &impl Read, owner: OwnerId, id: GenerationId) -> Result<Generation> {
    let _ = (db, owner, id);
    todo!()
}
