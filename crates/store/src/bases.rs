//! Registered base models: their properties, and leases on the work of checking them.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{
    address::Masked,
    base::{BaseCopy, BaseFacts, BaseSource, BaseState, Measured, Prediction},
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, UpdateMany,
    sea_query::{Expr, OnConflict},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    BlobKey, Read, Result, StoreError, Tx,
    db::entities::base_model as base,
    error::Doing,
    now,
    words::{clean, from_json, json, unword, word},
};

/// The lease for checking, hashing or copying a base; renewed more often than this.
pub const LEASE: TimeDelta = TimeDelta::seconds(60);

/// A base model that was registered.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// Its id here; one that is registered anew under the same name gets another.
    pub id: Uuid,
    /// The name that jobs use.
    pub name: String,
    /// Where it comes from.
    pub source: BaseSource,
    /// What its owner says about it.
    pub said: Said,
    /// Whether it is defined in the settings.
    pub from_settings: bool,
    /// State of the registration.
    pub state: BaseState,
    /// State of the copy in the object store.
    pub copy: BaseCopy,
    /// What is wrong.
    pub problem: Option<String>,
    /// Properties from its header.
    pub facts: Option<BaseFacts>,
    /// Its resolved path on the server's machine, where local jobs read it.
    pub place: Option<String>,
    /// Resolved path of the VAE in place of its own, likewise.
    pub vae_place: Option<String>,
    /// Its files, and the VAE in place of its own.
    pub files: Vec<File>,
    /// What its U-Net was measured to do.
    pub measured: Option<Measured>,
    /// Bytes hashed or copied so far by the current operation.
    pub done_bytes: u64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// What the owner of a base model says about it, whatever its files say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// What its U-Net predicts.
    pub prediction: Option<Prediction>,
    /// Source of a VAE in place of its own.
    pub vae: Option<BaseSource>,
}

/// One file of a base model.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path within the base, with `/` between folders; the name of a single file.
    pub path: String,
    /// Where it is on the web.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Size.
    pub size_bytes: u64,
    /// SHA-256, in hexadecimal, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whether it is the VAE in place of the model's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_vae: bool,
    /// Whether the object store is where it comes from: it was made here. It is kept for as long as the base.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_object: bool,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("path", &self.path)
            .field("url", &self.url.as_deref().map(Masked))
            .field("size_bytes", &self.size_bytes)
            .field("sha256", &self.sha256)
            .field("is_vae", &self.is_vae)
            .field("is_object", &self.is_object)
            .finish()
    }
}

/// Results of checking a base model, as stored in the database.
#[derive(Serialize, Deserialize)]
struct Facts {
    #[serde(flatten)]
    facts: BaseFacts,
    #[serde(flatten)]
    located: Located,
}

/// Where a base of this machine is, with links resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    /// See [`Base::place`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// See [`Base::vae_place`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vae_place: Option<String>,
}

impl Base {
    /// Size of all files.
    pub fn size_bytes(&self) -> u64 {
        let sizes = self.files.iter().map(|file| file.size_bytes);
        sizes.fold(0, u64::saturating_add)
    }

    /// Whether it needs to be checked or copied.
    pub fn is_waiting(&self) -> bool {
        self.state == BaseState::Checking || self.copy == BaseCopy::Copying
    }

    /// Whether the hash of every file is known.
    pub fn is_hashed(&self) -> bool {
        !self.files.is_empty() && self.files.iter().all(|file| file.sha256.is_some())
    }

    /// Whether one of its files is in the object store.
    pub fn is_stored(&self, file: &File) -> bool {
        file.is_object || self.copy == BaseCopy::Stored
    }
}

/// A base model to register.
#[derive(Debug, Clone)]
pub struct NewBase {
    /// The name that jobs use.
    pub name: String,
    /// Where it comes from.
    pub source: BaseSource,
    /// What its owner says about it.
    pub said: Said,
    /// Whether it is defined in the settings.
    pub from_settings: bool,
    /// Properties from its header and its resolved paths, if already checked.
    pub looked: Option<(BaseFacts, Located)>,
    /// Its files, if they are objects of the store.
    pub files: Vec<File>,
}

/// Current properties of a base.
#[derive(Debug)]
pub struct Learned<'a> {
    /// Properties from its header.
    pub facts: BaseFacts,
    /// Where it is on this machine.
    pub located: Located,
    /// See [`Base::files`].
    pub files: &'a [File],
}

/// Every base that was registered, by name.
pub async fn list(db: &impl Read) -> Result<Vec<Base>> {
    let rows = base::Entity::find()
        .order_by_asc(base::Column::Name)
        .all(db.connection())
        .await
        .doing("list base models")?;
    rows.into_iter().map(to_base).collect()
}

/// The base of this name.
pub async fn get(db: &impl Read, name: &str) -> Result<Base> {
    let row = db
        .hold(base::Entity::find())
        .filter(base::Column::Name.eq(name))
        .one(db.connection())
        .await
        .doing("read a base model")?;
    row.map_or_else(|| Err(StoreError::not_found("base model", name)), to_base)
}

/// Registers a base; `false` if the name exists.
pub async fn insert(tx: &Tx, new: NewBase) -> Result<bool> {
    let row = base::Model {
        id: Uuid::now_v7(),
        name: new.name,
        source: clean(&new.source.to_string()),
        from_settings: new.from_settings,
        state: word(&BaseState::Checking),
        copy: word(&BaseCopy::None),
        problem: None,
        facts: new.looked.map(|(facts, located)| described(facts, located)),
        files: json(&new.files),
        done_bytes: 0,
        leased_until: None,
        created_at: now(),
        prediction: new.said.prediction.as_ref().map(word),
        vae: new.said.vae.map(|vae| clean(&vae.to_string())),
        measured: None,
    };
    let row: base::ActiveModel = row.into();
    let n_inserted = base::Entity::insert(row)
        .on_conflict(OnConflict::column(base::Column::Name).do_nothing().to_owned())
        .exec_without_returning(tx.connection())
        .await
        .doing("register a base model")?;
    tx.wake_on_commit();
    Ok(n_inserted > 0)
}

/// Removes a base. Files in the object store are deleted later.
pub async fn delete(tx: &Tx, name: &str) -> Result<()> {
    let done = base::Entity::delete_many()
        .filter(base::Column::Name.eq(name))
        .exec(tx.connection())
        .await
        .doing("forget a base model")?;
    if done.rows_affected == 0 {
        return Err(StoreError::not_found("base model", name));
    }
    tx.wake_on_commit();
    Ok(())
}

/// Synchronizes the bases from the settings. Properties of one with the same source
/// are kept; one that failed is checked again.
pub async fn declare(tx: &Tx, wanted: Vec<NewBase>) -> Result<()> {
    for known in list(tx).await? {
        let same = wanted
            .iter()
            .find(|new| new.name == known.name && new.source == known.source);
        match same {
            Some(new) => {
                let mut change = update(known.id).col_expr(base::Column::FromSettings, Expr::value(true));
                if known.state == BaseState::Failed || known.said != new.said {
                    change = again(change);
                }
                if known.said != new.said {
                    change = saying(change, &new.said);
                    if new.looked.is_none() {
                        change = unlooked(change);
                    }
                }
                if let Some((facts, located)) = new.looked.clone() {
                    let facts = described(facts, located);
                    change = change.col_expr(base::Column::Facts, Expr::value(facts));
                }
                run(tx, change, "keep a base model").await?;
            }
            // Settings count more than what somebody registered by hand under their name.
            None if known.from_settings || wanted.iter().any(|new| new.name == known.name) => {
                delete(tx, &known.name).await?;
            }
            None => {}
        }
    }
    for new in wanted {
        insert(tx, new).await?;
    }
    Ok(())
}

/// Requests another check of a base: its files may have changed.
pub async fn check_again(tx: &Tx, id: Uuid) -> Result<()> {
    run(tx, again(update(id)), "have a base model checked again").await
}

/// Changes what the owner of a base says about it, and requests another check. Until it is looked at again, nobody works
/// with it: what is known of it may be of another VAE.
pub async fn say(tx: &Tx, id: Uuid, said: &Said) -> Result<()> {
    let change = saying(again(update(id)), said);
    run(tx, unlooked(change), "change what is said of a base model").await
}

fn unlooked(change: UpdateMany<base::Entity>) -> UpdateMany<base::Entity> {
    change.col_expr(base::Column::Facts, Expr::value(None::<serde_json::Value>))
}

/// Keeps what the U-Net of a base was measured to do.
pub async fn measured(tx: &Tx, id: Uuid, measured: &Measured) -> Result<()> {
    let change = update(id).col_expr(base::Column::Measured, Expr::value(json(measured)));
    run(tx, change, "keep what a base model was measured to do").await
}

/// Requests a copy of a base's files in the object store.
pub async fn ask_for_copy(tx: &Tx, id: Uuid) -> Result<()> {
    let change = update(id)
        .col_expr(base::Column::Copy, Expr::value(word(&BaseCopy::Copying)))
        .col_expr(base::Column::DoneBytes, Expr::value(0))
        .col_expr(base::Column::Problem, Expr::value(None::<String>));
    run(tx, change, "have a base model copied").await
}

/// Claims one base that needs to be checked or copied.
pub async fn claim(tx: &Tx) -> Result<Option<Base>> {
    let now = now();
    let row = base::Entity::find()
        .filter(
            Condition::any()
                .add(base::Column::State.eq(word(&BaseState::Checking)))
                .add(base::Column::Copy.eq(word(&BaseCopy::Copying))),
        )
        .filter(is_free(now))
        .order_by_asc(base::Column::CreatedAt)
        .one(tx.connection())
        .await
        .doing("look for base models to check")?;
    let Some(row) = row else { return Ok(None) };
    let taken = update(row.id)
        .col_expr(base::Column::LeasedUntil, Expr::value(now + LEASE))
        .filter(is_free(now))
        .exec(tx.connection())
        .await
        .doing("take a base model")?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    to_base(row).map(Some)
}

fn is_free(now: DateTime<Utc>) -> Condition {
    Condition::any()
        .add(base::Column::LeasedUntil.is_null())
        .add(base::Column::LeasedUntil.lt(now))
}

/// Records the progress on a base; `false` if it was removed in the meantime.
pub async fn progress(tx: &Tx, id: Uuid, done_bytes: u64) -> Result<bool> {
    let done = update(id)
        .col_expr(base::Column::LeasedUntil, Expr::value(now() + LEASE))
        .col_expr(base::Column::DoneBytes, Expr::value(signed(done_bytes)))
        .exec(tx.connection())
        .await
        .doing("note how far a base model is")?;
    Ok(done.rows_affected > 0)
}

/// Stores the current properties of a base. A copy of other files is discarded, and so is what other weights were
/// measured to do.
pub async fn learn(tx: &Tx, base: &Base, learned: Learned<'_>) -> Result<()> {
    let Learned {
        facts,
        located,
        files,
    } = learned;
    let mut change = update(base.id)
        .col_expr(base::Column::Facts, Expr::value(described(facts, located)))
        .col_expr(base::Column::Files, Expr::value(json(&files)));
    if base.files != files {
        change = change.col_expr(base::Column::Copy, Expr::value(word(&BaseCopy::None)));
    }
    if !is_same_weights(&base.files, files) {
        change = change.col_expr(base::Column::Measured, Expr::value(None::<serde_json::Value>));
    }
    run(tx, change, "describe a base model").await
}

/// Ends a check.
pub async fn checked(tx: &Tx, id: Uuid, problem: Option<String>) -> Result<()> {
    let state = if problem.is_some() {
        BaseState::Failed
    } else {
        BaseState::Ready
    };
    let change = ended(id, problem).col_expr(base::Column::State, Expr::value(word(&state)));
    run(tx, change, "end the check of a base model").await
}

/// Ends a copy.
pub async fn copied(tx: &Tx, id: Uuid, problem: Option<String>) -> Result<()> {
    let copy = if problem.is_some() {
        BaseCopy::Failed
    } else {
        BaseCopy::Stored
    };
    let change = ended(id, problem).col_expr(base::Column::Copy, Expr::value(word(&copy)));
    run(tx, change, "end the copy of a base model").await
}

/// Those of the blobs that hold a base's files, also while they are being copied.
pub(crate) async fn referred(db: &impl Read, keys: &[BlobKey]) -> Result<Vec<String>> {
    let bases = list(db).await?;
    let hashes = bases
        .into_iter()
        .flat_map(|base| {
            let is_copied = matches!(base.copy, BaseCopy::Copying | BaseCopy::Stored);
            base.files
                .into_iter()
                .filter(move |file| file.is_object || is_copied)
        })
        .filter_map(|file| file.sha256);
    Ok(hashes
        .filter(|hash| keys.iter().any(|key| key.sha256() == *hash))
        .collect())
}

fn described(facts: BaseFacts, located: Located) -> serde_json::Value {
    json(&Facts { facts, located })
}

/// Whether the model's own files are the same. One whose hash is not known yet may be.
fn is_same_weights(before: &[File], now: &[File]) -> bool {
    let own = |files: &[File]| {
        files
            .iter()
            .filter(|file| !file.is_vae)
            .cloned()
            .collect::<Vec<_>>()
    };
    let (before, now) = (own(before), own(now));
    before.len() == now.len()
        && before.iter().zip(&now).all(|(before, now)| {
            let is_same_hash = match (&before.sha256, &now.sha256) {
                (Some(before), Some(now)) => before == now,
                _ => true,
            };
            before.path == now.path && before.size_bytes == now.size_bytes && is_same_hash
        })
}

fn saying(change: UpdateMany<base::Entity>, said: &Said) -> UpdateMany<base::Entity> {
    let vae = said.vae.as_ref().map(|vae| clean(&vae.to_string()));
    change
        .col_expr(
            base::Column::Prediction,
            Expr::value(said.prediction.as_ref().map(word)),
        )
        .col_expr(base::Column::Vae, Expr::value(vae))
}

fn update(id: Uuid) -> UpdateMany<base::Entity> {
    base::Entity::update_many().filter(base::Column::Id.eq(id))
}

fn again(change: UpdateMany<base::Entity>) -> UpdateMany<base::Entity> {
    change
        .col_expr(base::Column::State, Expr::value(word(&BaseState::Checking)))
        .col_expr(base::Column::Problem, Expr::value(None::<String>))
        .col_expr(base::Column::DoneBytes, Expr::value(0))
}

fn ended(id: Uuid, problem: Option<String>) -> UpdateMany<base::Entity> {
    let problem = problem.as_deref().map(clean);
    update(id)
        .col_expr(base::Column::Problem, Expr::value(problem))
        .col_expr(base::Column::LeasedUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(base::Column::DoneBytes, Expr::value(0))
}

async fn run(tx: &Tx, change: UpdateMany<base::Entity>, doing: &'static str) -> Result<()> {
    change.exec(tx.connection()).await.doing(doing)?;
    tx.wake_on_commit();
    Ok(())
}

fn to_base(row: base::Model) -> Result<Base> {
    let facts: Option<Facts> = row
        .facts
        .map(|facts| from_json("base_models.facts", facts))
        .transpose()?;
    let (facts, located) = facts.map(|found| (found.facts, found.located)).unzip();
    let Located { place, vae_place } = located.unwrap_or_default();
    let prediction = row.prediction.as_deref();
    let vae = row.vae.map(serde_json::Value::from);
    Ok(Base {
        id: row.id,
        name: row.name,
        source: from_json("base_models.source", row.source.into())?,
        said: Said {
            prediction: prediction
                .map(|word| unword("base_models.prediction", word))
                .transpose()?,
            vae: vae.map(|vae| from_json("base_models.vae", vae)).transpose()?,
        },
        from_settings: row.from_settings,
        state: unword("base_models.state", &row.state)?,
        copy: unword("base_models.copy", &row.copy)?,
        problem: row.problem,
        facts,
        place,
        vae_place,
        measured: row
            .measured
            .map(|measured| from_json("base_models.measured", measured))
            .transpose()?,
        files: from_json("base_models.files", row.files)?,
        done_bytes: row.done_bytes.unsigned_abs(),
        created_at: row.created_at,
    })
}

fn signed(n_bytes: u64) -> i64 {
    i64::try_from(n_bytes).unwrap_or(i64::MAX)
}
