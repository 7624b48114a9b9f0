//! What an installation knows about itself: its identity and its secrets.

use protocol::OwnerId;
use uuid::Uuid;

use crate::{Result, db::Database, objects::SigningKey};

/// Made at the first start, kept for ever.
pub(crate) struct Identity {
    pub(crate) owner: OwnerId,
    pub(crate) deployment: Uuid,
    pub(crate) signing_key: SigningKey,
}

pub(crate) async fn identity(database: &Database) -> Result<Identity> {
    let _ = database;
    todo!()
}
