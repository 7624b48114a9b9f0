use std::path::Path;

use super::{Place, PostgresPlace};

fn parse(url: &str) -> Result<PostgresPlace, String> {
    match Place::parse(Some(url), Path::new("/data")) {
        Ok(Place::Postgres(place)) => Ok(place),
        Ok(Place::Sqlite(path)) => panic!("{} is no server", path.display()),
        Err(err) => Err(err.to_string()),
    }
}

#[test]
fn shows_everything_but_the_password() {
    let place =
        parse("postgresql://me:p%40ss%3F@db.example:5433/art?sslmode=require&max_connections=5").unwrap();
    assert_eq!(place.shown(), "postgres://…@db.example:5433/art");
    assert_eq!(place.n_connections, 5);
    assert!(matches!(
        place.options.get_ssl_mode(),
        sqlx::postgres::PgSslMode::Require
    ));
    let place = parse("postgres://me@db.example/art?password=secret").unwrap();
    assert_eq!(place.shown(), "postgres://…@db.example:5432/art");
    assert_eq!(place.n_connections, 12);
}

#[test]
fn a_url_that_cannot_be_read_shows_nothing() {
    for url in [
        "postgres://me:se?cret@host/db",
        "postgres://me:se#cret@host/db",
        "postgres://me:12/cret@host/db",
        "postgres://me:12?cret@host/db",
        "postgres://me:secret@host:port/db",
    ] {
        let refused = parse(url).unwrap_err();
        assert!(
            refused.contains("MORPHEUS_DATABASE") && refused.contains("postgres://…"),
            "{refused}"
        );
        assert!(!refused.contains("cret"), "{refused}");
    }
    let refused = parse("postgres://me:secret@host/db?max_connections=1").unwrap_err();
    assert!(
        refused.contains("`max_connections`") && !refused.contains("secret"),
        "{refused}"
    );
}

#[test]
fn the_transaction_pooler_of_supabase_is_refused() {
    let user = "postgres.abcdefghijklmnop:secret";
    let refused = parse(&format!(
        "postgres://{user}@aws-0-eu-central-1.pooler.supabase.com:6543/postgres"
    ));
    let refused = refused.unwrap_err();
    assert!(
        refused.contains("session pooler") && refused.contains("5432"),
        "{refused}"
    );
    let place = parse(&format!(
        "postgres://{user}@aws-0-eu-central-1.pooler.supabase.com:5432/postgres"
    ))
    .unwrap();
    assert_eq!(place.options.get_username(), "postgres.abcdefghijklmnop");
    assert!(parse("postgres://me:secret@localhost:6543/db").is_ok());
}

#[test]
fn other_kinds_are_refused() {
    let refused = Place::parse(Some("mysql://me:secret@host/db"), Path::new("/data")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "database: `mysql://…@host/db` is not supported; use sqlite://PATH or \
         postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    );
}
