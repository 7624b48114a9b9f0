//! Services that speak TLS by a certificate of an authority of one's own.

use std::path::PathBuf;

use protocol::problem::chain;
use sim::{postgres, redis::Redis, tls::Authority};
use store::{Store, queue_url};

use crate::signals::{Servers, reach_every_server};

async fn refused(url: &str, ca: Option<PathBuf>) -> anyhow::Result<String> {
    let checked = queue_url::check(url, ca.as_deref()).await;
    let folder = tempfile::tempdir()?;
    let builder = Store::builder(folder.path())
        .queue(Some(url.to_owned()))
        .queue_ca(ca);
    let opened = builder.open().await;
    let (checked, opened) = (
        chain(&checked.expect_err("it must be refused")),
        chain(&opened.expect_err("it must be refused")),
    );
    assert_eq!(checked, opened, "the doctor says what the start-up says");
    Ok(opened)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_is_trusted_by_its_authority_alone() -> anyhow::Result<()> {
    let (authority, other) = (Authority::new()?, Authority::new()?);
    let redis = Redis::start_with_tls(&authority)?;
    let url = redis.tls_url().unwrap_or_default();
    reach_every_server(Servers::over_tls(&url, authority.certificate()).await?).await?;

    // Without the setting only public authorities count; then another one; then a name that the certificate lacks.
    let by_name = url.replace("127.0.0.1", "localhost");
    for (url, ca) in [
        (&url, None),
        (&url, Some(other.certificate())),
        (&by_name, Some(authority.certificate())),
    ] {
        let message = refused(url, ca).await?;
        for part in [
            "queue: failed to use `rediss://",
            "--queue-ca or MORPHEUS_QUEUE_CA",
            "certificate",
        ] {
            assert!(message.contains(part), "no `{part}` in {message}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_certificate_is_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (missing, text) = (folder.path().join("missing.pem"), folder.path().join("text.pem"));
    std::fs::write(&text, "this is text")?;
    for (file, what) in [(missing, "No such file"), (text, "contains no PEM certificate")] {
        let name = file.display().to_string();
        let message = refused("rediss://127.0.0.1:9", Some(file)).await?;
        for part in [name.as_str(), what, "--queue-ca or MORPHEUS_QUEUE_CA"] {
            assert!(message.contains(part), "no `{part}` in {message}");
        }
    }
    let authority = Authority::new()?;
    let message = refused("redis://127.0.0.1:9", Some(authority.certificate())).await?;
    assert!(message.contains("only rediss:// connections"), "{message}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_is_trusted_by_its_authority_alone() -> anyhow::Result<()> {
    let (authority, other) = (Authority::new()?, Authority::new()?);
    let server = postgres::Server::start_with_tls(&authority)?;
    let database = server.database()?;
    let url = |mode: &str, ca: &Authority| {
        let ca = ca.certificate();
        format!("{}?sslmode={mode}&sslrootcert={}", database.url(), ca.display())
    };
    let folder = tempfile::tempdir()?;
    let open = |url: String| Store::builder(folder.path()).database(Some(url)).open();
    let store = open(url("verify-full", &authority)).await?;
    store.ping().await?;
    let encrypted = database.sql(
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'morpheus'",
    )?;
    assert_eq!(
        encrypted.trim(),
        "t",
        "every connection of ours, the listener's too, is encrypted"
    );
    drop(store);

    let by_name = url("verify-full", &authority).replace("127.0.0.1", "localhost");
    for url in [url("verify-full", &other), url("verify-ca", &other), by_name] {
        let message = chain(&open(url).await.expect_err("it must be refused"));
        for part in [
            "sslrootcert=FILE",
            "--database or MORPHEUS_DATABASE",
            "certificate",
        ] {
            assert!(message.contains(part), "no `{part}` in {message}");
        }
        assert!(!message.contains(postgres::PASSWORD), "{message}");
    }
    // As a queue beside another database.
    let url = url("verify-full", &other);
    let message = chain(
        &queue_url::check(&url, None)
            .await
            .expect_err("it must be refused"),
    );
    assert!(
        message.contains("sslrootcert=FILE") && message.contains("--queue"),
        "{message}"
    );
    Ok(())
}
