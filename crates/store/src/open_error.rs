//! Why a store could not be opened, and how to fix it.

use std::path::PathBuf;

use sea_orm::DbErr;

use crate::{StoreError, objects::BucketError, signals::BusError};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder could not be created or written.
    #[error("failed to create the data folder `{path}`")]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A URL of a kind that is not supported.
    #[error("{setting}: `{url}` is not supported; use {supported}")]
    UnknownScheme {
        /// The setting that holds the URL.
        setting: &'static str,
        /// The URL, without any password.
        url: String,
        /// What is supported.
        supported: &'static str,
    },
    /// The database could not be opened.
    #[error("failed to open the database `{url}`")]
    Connect {
        /// Its URL.
        url: String,
        /// Why.
        #[source]
        source: DbErr,
    },
    /// PostgreSQL cannot be used with this URL.
    #[error("cannot use the database `{url}`: {problem}; {fix}")]
    Postgres {
        /// Its URL, without any password.
        url: String,
        /// What is wrong.
        problem: String,
        /// How to fix it, with the name of the setting.
        fix: String,
        /// What the server or the connection said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The schema could not be migrated.
    #[error("failed to migrate the database `{url}`")]
    Migrate {
        /// Its URL.
        url: String,
        /// Why.
        #[source]
        source: DbErr,
    },
    /// The database was written by a newer Morpheus.
    #[error(
        "the database `{url}` has the newer schema `{found}`; this version of Morpheus knows up to `{known}`: \
         use the newer Morpheus, or set another database with --database or MORPHEUS_DATABASE"
    )]
    NewerSchema {
        /// Its URL.
        url: String,
        /// The newest migration in the database.
        found: String,
        /// The newest migration that this program has.
        known: String,
    },
    /// The queue rejects the connection, or its certificate is not trusted.
    #[error("queue: failed to use `{url}`; {}, or omit --queue", .source.fix())]
    Queue {
        /// Its URL, without any password.
        url: String,
        /// What it said.
        #[source]
        source: BusError,
    },
    /// The first rows (owner, settings) could not be read or written.
    #[error("failed to prepare the database")]
    Prepare(#[source] StoreError),
    /// The bucket cannot be used.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The object store could not be opened.
    #[error("failed to open the object store `{url}`")]
    Objects {
        /// Its URL.
        url: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
}
