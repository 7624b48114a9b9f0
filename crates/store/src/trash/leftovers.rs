//! What rules for cleaning up may name: old pictures, and old jobs without a result.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use protocol::{OwnerId, phase::Phase};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use uuid::Uuid;

use crate::{
    Read, Result,
    db::entities::{
        artifact::{self, STORED},
        generation, job, model,
    },
    error::Doing,
};

/// Something old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its id.
    pub id: Uuid,
    /// Its name; of a generation, its prompt.
    pub name: String,
    /// Size of its files.
    pub size_bytes: u64,
}

/// An owner's generations that ended before this time, the oldest first.
pub async fn pictures(db: &impl Read, owner: OwnerId, before: DateTime<Utc>) -> Result<Vec<Leftover>> {
    let rows: Vec<(Uuid, String)> = generation::Entity::find()
        .select_only()
        .column(generation::Column::Id)
        .column(generation::Column::Prompt)
        .filter(generation::Column::OwnerId.eq(owner.0))
        .filter(generation::Column::DeletedAt.is_null())
        .filter(generation::Column::EndedAt.lt(before))
        .order_by_asc(generation::Column::Id)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("list old generations")?;
    with_sizes(db, artifact::Column::GenerationId, rows).await
}

/// An owner's jobs without a model version that ended before this time, the oldest first.
pub async fn jobs_without_version(
    db: &impl Read,
    owner: OwnerId,
    before: DateTime<Utc>,
) -> Result<Vec<Leftover>> {
    /// One that was resumed after its version was deleted has another one besides that which it shows.
    const IS_WITHOUT: &str = "NOT EXISTS (SELECT 1 FROM model_versions v WHERE v.job_id = training_jobs.id AND \
                              v.deleted_at IS NULL)";
    let ended = Phase::ALL
        .into_iter()
        .filter(|phase| phase.is_ended())
        .map(Phase::as_str);
    let rows: Vec<(Uuid, String)> = job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .column(job::Column::Name)
        .filter(job::Column::OwnerId.eq(owner.0))
        .filter(job::Column::DeletedAt.is_null())
        .filter(job::Column::ModelVersionId.is_null())
        .filter(Condition::all().add(Expr::cust(IS_WITHOUT)))
        .filter(job::Column::Phase.is_in(ended))
        .filter(job::Column::EndedAt.lt(before))
        .order_by_asc(job::Column::Id)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("list old jobs")?;
    with_sizes(db, artifact::Column::JobId, rows).await
}

/// The jobs and generations of which a picture is the cover of a model.
pub async fn covers(db: &impl Read, owner: OwnerId) -> Result<BTreeSet<Uuid>> {
    let covers: Vec<Uuid> = model::Entity::find()
        .select_only()
        .column(model::Column::CoverArtifactId)
        .filter(model::Column::OwnerId.eq(owner.0))
        .filter(model::Column::DeletedAt.is_null())
        .filter(model::Column::CoverArtifactId.is_not_null())
        .into_tuple()
        .all(db.connection())
        .await
        .doing("list the covers of models")?;
    let mut subjects = BTreeSet::new();
    for part in covers.chunks(AT_ONCE) {
        let found: Vec<(Option<Uuid>, Option<Uuid>)> = artifact::Entity::find()
            .select_only()
            .column(artifact::Column::JobId)
            .column(artifact::Column::GenerationId)
            .filter(artifact::Column::Id.is_in(part.iter().copied()))
            .into_tuple()
            .all(db.connection())
            .await
            .doing("look for the files of covers")?;
        subjects.extend(
            found
                .into_iter()
                .flat_map(|(job, picture)| [job, picture])
                .flatten(),
        );
    }
    Ok(subjects)
}

/// Ids in one statement; SQLite takes some thousand.
const AT_ONCE: usize = 500;

async fn with_sizes(
    db: &impl Read,
    column: artifact::Column,
    rows: Vec<(Uuid, String)>,
) -> Result<Vec<Leftover>> {
    let mut sizes: BTreeMap<Uuid, u64> = BTreeMap::new();
    for part in rows.chunks(AT_ONCE) {
        let files: Vec<(Option<Uuid>, i64)> = artifact::Entity::find()
            .select_only()
            .column(column)
            .column(artifact::Column::SizeBytes)
            .filter(column.is_in(part.iter().map(|(id, _)| *id)))
            .filter(artifact::Column::State.eq(STORED))
            .into_tuple()
            .all(db.connection())
            .await
            .doing("read the sizes of files")?;
        for (subject, size) in files {
            if let Some(subject) = subject {
                *sizes.entry(subject).or_default() += size.unsigned_abs();
            }
        }
    }
    Ok(rows
        .into_iter()
        .map(|(id, name)| Leftover {
            id,
            name,
            size_bytes: sizes.get(&id).copied().unwrap_or_default(),
        })
        .collect())
}
