//! The time, as the store keeps it.

use chrono::{DateTime, SubsecRound as _, Utc};

/// The time, in the precision that every database keeps.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
