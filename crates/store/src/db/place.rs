//! Location of the database, from its URL.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use protocol::address::masked;
use sqlx::postgres::PgConnectOptions;

use super::postgres;
use crate::OpenError;

/// Supported forms of a database URL.
const SUPPORTED: &str = "sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE";

/// What the URL of PostgreSQL may say beside what PostgreSQL's own programs know: connections of one server.
const MAX_CONNECTIONS: &str = "max_connections";

/// Connections of one server when the URL does not say; three servers fit into Supabase's smallest pooler.
const DEFAULT_N_CONNECTIONS: u32 = 12;

/// Location of the database.
#[derive(Clone)]
pub(crate) enum Place {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A server.
    Postgres(PostgresPlace),
}

/// A PostgreSQL server and what to connect to it with. Not printed: it holds the password.
#[derive(Clone)]
pub(crate) struct PostgresPlace {
    pub(crate) options: PgConnectOptions,
    pub(crate) n_connections: u32,
}

impl fmt::Debug for PostgresPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Place {
    /// Parses a URL; without one, the database is a file in the data folder.
    pub(crate) fn parse(url: Option<&str>, data_dir: &Path) -> Result<Self, OpenError> {
        let Some(url) = url else {
            return Ok(Self::Sqlite(data_dir.join("morpheus.db")));
        };
        match url.split_once("://") {
            Some(("postgres" | "postgresql", _)) => PostgresPlace::parse(url).map(Self::Postgres),
            _ => local_path("database", url, "sqlite", SUPPORTED).map(Self::Sqlite),
        }
    }

    /// Checks it and returns its kind: `SQLite`, `PostgreSQL 15.18`. Does not wait for a starting server.
    pub(crate) async fn look(&self) -> Result<String, OpenError> {
        match self {
            Self::Sqlite(_) => Ok("SQLite".to_owned()),
            Self::Postgres(place) => {
                let version = postgres::probe(place, Duration::ZERO).await?;
                Ok(format!("PostgreSQL {version}"))
            }
        }
    }

    /// The URL as it can be shown, without a password.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(place) => place.shown(),
        }
    }
}

impl PostgresPlace {
    fn parse(url: &str) -> Result<Self, OpenError> {
        // Nothing of a URL that cannot be read is shown: any of it may be the password.
        let refused = |problem: &str, fix: &str, source| OpenError::Postgres {
            url: "postgres://…".to_owned(),
            problem: problem.to_owned(),
            fix: fix.to_owned(),
            source,
        };
        let (url, n_connections) = take_max_connections(url);
        let n_connections = match n_connections.map(str::parse) {
            None => DEFAULT_N_CONNECTIONS,
            Some(Ok(n)) if n >= 2 => n,
            Some(_) => {
                let fix =
                    "write `max_connections=12` in the URL of --database or MORPHEUS_DATABASE, or omit it";
                return Err(refused("`max_connections` must be a number from 2", fix, None));
            }
        };
        let unreadable = |source| {
            let fix = "set --database or MORPHEUS_DATABASE to postgres://USER:PASSWORD@HOST:5432/DATABASE, with \
                 special characters in the password percent-encoded (such as %40)";
            refused("this is not a valid URL", fix, source)
        };
        if password_is_cut(&url) {
            return Err(unreadable(None));
        }
        let options: PgConnectOptions = url
            .parse()
            .map_err(|source: sqlx::Error| unreadable(Some(source.into())))?;
        let place = Self {
            options: options.application_name("morpheus"),
            n_connections,
        };
        place.refuse_transaction_pooler()?;
        Ok(place)
    }

    /// The URL as it can be shown, without user and password.
    pub(crate) fn shown(&self) -> String {
        let options = &self.options;
        let (user, port) = (options.get_username(), options.get_port());
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let database = options.get_database().unwrap_or(user);
        masked(&format!("postgres://{user}@{host}:{port}/{database}"))
    }

    /// A transaction pooler gives each transaction another session, which breaks prepared statements and LISTEN.
    fn refuse_transaction_pooler(&self) -> Result<(), OpenError> {
        const PORT: u16 = 6543;
        if self.options.get_port() != PORT {
            return Ok(());
        }
        let host = self.options.get_host();
        if host.ends_with(".supabase.com") || host.ends_with(".supabase.co") {
            return Err(OpenError::Postgres {
                url: self.shown(),
                problem: "port 6543 is Supabase's transaction pooler, which does not keep sessions"
                    .to_owned(),
                fix: "use the session pooler: the same host and user with port 5432 in --database or \
                      MORPHEUS_DATABASE"
                    .to_owned(),
                source: None,
            });
        }
        tracing::warn!(
            database.url = self.shown(),
            "port 6543 is often a transaction pooler, which breaks prepared statements and LISTEN: use one that \
                 keeps sessions"
        );
        Ok(())
    }
}

/// Whether user and password reach beyond the part of the URL that holds them, by a `/`, `?` or `#`.
fn password_is_cut(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    rest.contains('@') && !authority.contains('@')
}

/// The URL without our own parameter, and its value.
fn take_max_connections(url: &str) -> (String, Option<&str>) {
    let Some((url, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let mut n_connections = None;
    let mut others = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((MAX_CONNECTIONS, value)) => n_connections = Some(value),
            _ => others.push(pair),
        }
    }
    (format!("{url}?{}", others.join("&")), n_connections)
}

/// The absolute form of a path.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, OpenError> {
    std::path::absolute(path).map_err(|source| OpenError::DataFolder {
        path: path.to_owned(),
        source,
    })
}

/// The path of `scheme://PATH`.
pub(crate) fn local_path(
    setting: &'static str,
    url: &str,
    scheme: &str,
    supported: &'static str,
) -> Result<PathBuf, OpenError> {
    match url.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")) {
        Some(path) if !path.is_empty() => absolute(Path::new(path)),
        _ => Err(OpenError::UnknownScheme {
            setting,
            url: masked(url),
            supported,
        }),
    }
}

#[cfg(test)]
mod tests;
