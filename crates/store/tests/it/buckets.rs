//! What only buckets have: addresses that clients use without us, and servers that fail or are set wrongly.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use chrono::TimeDelta;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Client, StatusCode, header};
use sim::s3::{Options, Server};
use store::{
    BlobKey, BlobStore,
    objects::{BlobError, BucketError, S3Settings, Slot, UploadAddress, UrlOptions},
};

use crate::blobs::{TestObjects, key_of, large, settings};

async fn put(address: &UploadAddress, bytes: Vec<u8>) -> anyhow::Result<StatusCode> {
    let mut sending = Client::new().put(&address.url);
    for (name, value) in &address.headers {
        sending = sending.header(name, value);
    }
    Ok(sending.body(bytes).send().await?.status())
}

#[tokio::test]
async fn a_client_puts_and_gets_without_us() -> anyhow::Result<()> {
    for options in [Options::default(), Options::supabase()] {
        let test = TestObjects::s3(options).await?;
        let (objects, bytes) = (&test.objects, large());
        let (key, size) = (key_of(&bytes)?, bytes.len() as u64);
        let address = objects.put_url(&key, size);
        assert!(
            address.url.starts_with(&test.server().endpoint),
            "{}",
            address.url
        );
        assert!(!objects.confirm(&key, size).await?, "nothing was put yet");
        assert_eq!(put(&address, bytes.clone()).await?, StatusCode::OK);
        assert!(!objects.exists(&key).await?, "it is not confirmed yet");
        assert!(objects.confirm(&key, size).await?);
        assert!(objects.confirm(&key, size).await?, "asked again");
        assert_eq!(objects.get(&key).await?, bytes);
        assert!(objects.unfinished().await?.is_empty());

        let url = objects.get_url(&key, &UrlOptions::download("Zora é.safetensors"));
        let answer = Client::new()
            .get(&url)
            .header(header::RANGE, "bytes=3-5")
            .send()
            .await?;
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(
            answer.headers()[header::CONTENT_DISPOSITION],
            "attachment; filename=\"Zora _.safetensors\"; filename*=UTF-8''Zora%20%C3%A9.safetensors"
        );
        assert_eq!(answer.bytes().await?, bytes[3..=5]);
        let picture = Client::new()
            .get(objects.get_url(&key, &UrlOptions::picture()))
            .send()
            .await?;
        assert_eq!(picture.headers()[header::CONTENT_TYPE], "image/png");
    }
    Ok(())
}

#[tokio::test]
async fn addresses_grant_nothing_else() -> anyhow::Result<()> {
    let test = TestObjects::s3(Options::default()).await?;
    let (objects, http) = (&test.objects, Client::new());
    let key = objects.put(Bytes::from_static(b"zora")).await?.key;
    let url = objects.get_url(&key, &UrlOptions::fetch(chrono::TimeDelta::hours(1)));
    assert_eq!(http.get(&url).send().await?.text().await?, "zora");
    assert_eq!(
        url,
        objects.get_url(&key, &UrlOptions::fetch(chrono::TimeDelta::hours(1)))
    );
    assert_eq!(
        http.put(&url).body("x").send().await?.status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(http.delete(&url).send().await?.status(), StatusCode::FORBIDDEN);
    let other = url.replace(key.as_str(), key_of(b"other")?.as_str());
    assert_eq!(http.get(&other).send().await?.status(), StatusCode::FORBIDDEN);
    let longer = url.replace("X-Amz-Expires=7200", "X-Amz-Expires=72000");
    assert_ne!(longer, url);
    assert_eq!(http.get(&longer).send().await?.status(), StatusCode::FORBIDDEN);
    Ok(())
}

#[tokio::test]
async fn wrong_bytes_get_no_key() -> anyhow::Result<()> {
    // One store checks while it takes them; of the other we read them back.
    for (options, answer) in [
        (Options::default(), StatusCode::BAD_REQUEST),
        (Options::supabase(), StatusCode::OK),
    ] {
        let test = TestObjects::s3(options).await?;
        let (objects, key) = (&test.objects, key_of(b"right")?);
        assert_eq!(put(&objects.put_url(&key, 5), b"wrong".to_vec()).await?, answer);
        match objects.confirm(&key, 5).await {
            Ok(is_there) => assert!(!is_there && answer == StatusCode::BAD_REQUEST),
            Err(err) => assert!(matches!(err, BlobError::HashMismatch { .. }), "{err:?}"),
        }
        assert!(!objects.exists(&key).await?);
        assert!(objects.unfinished().await?.is_empty(), "nothing wrong is kept");
        // The size is signed too.
        let mut longer = objects.put_url(&key, 5);
        longer.headers.remove("content-length");
        assert_eq!(
            put(&longer, b"right and more".to_vec()).await?,
            StatusCode::FORBIDDEN
        );
    }
    Ok(())
}

#[tokio::test]
async fn broken_connections_and_busy_servers_are_tried_again() -> anyhow::Result<()> {
    let test = TestObjects::s3(Options::default()).await?;
    let (objects, bytes) = (&test.objects, large());
    let (key, faults) = (key_of(&bytes)?, test.server().faults());
    faults.slow_down(2);
    faults.cut_uploads(2);
    let parts: Vec<_> = bytes
        .chunks(70_000)
        .map(|part| Ok::<_, std::io::Error>(Bytes::copy_from_slice(part)))
        .collect();
    objects
        .put_stream(&key, bytes.len() as u64, stream::iter(parts))
        .await?;
    assert_eq!(faults.n_left(), 0, "they did happen");
    faults.cut_downloads(1);
    assert_eq!(objects.get(&key).await?, bytes);
    assert_eq!(faults.n_left(), 0);
    faults.slow_down(2);
    let settings = settings(test.server());
    BlobStore::probe_s3(&format!("s3://{}", bucket_of(objects, &key)), &settings).await?;
    Ok(())
}

fn bucket_of(objects: &BlobStore, key: &BlobKey) -> String {
    let location = objects.location(key);
    let place = location.trim_start_matches("s3://");
    place.split('/').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn uploads_that_nobody_finished_are_thrown_away() -> anyhow::Result<()> {
    let test = TestObjects::s3(Options::default()).await?;
    let bytes = large();
    let (key, size) = (key_of(&bytes)?, bytes.len() as u64);
    let objects = test.objects.clone();
    let begun = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&begun);
    let uploading = tokio::spawn(async move {
        let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from(bytes))]);
        let waits = stream::once(async move {
            told.notify_one();
            std::future::pending().await
        });
        objects.put_stream(&key, size, first.chain(waits)).await
    });
    begun.notified().await;
    // As if this server were killed now.
    uploading.abort();
    let left = test.objects.unfinished().await?;
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].name.starts_with("studio/one/sha256/"), "{left:?}");
    // What a client put and nobody confirmed is unfinished as well.
    let key = key_of(b"zora")?;
    put(&test.objects.put_url(&key, 4), b"zora".to_vec()).await?;
    let left = test.objects.unfinished().await?;
    assert_eq!(left.len(), 2, "{left:?}");
    for unfinished in &left {
        test.objects.discard(unfinished).await?;
        test.objects.discard(unfinished).await?;
    }
    assert!(test.objects.unfinished().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_limit_of_the_store_is_named() -> anyhow::Result<()> {
    let options = Options {
        max_object_bytes: Some(1_000_000),
        ..Options::supabase()
    };
    let test = TestObjects::s3(options).await?;
    let bytes = large();
    let key = key_of(&bytes)?;
    let whole = stream::iter([Ok::<_, std::io::Error>(Bytes::from(bytes.clone()))]);
    let streamed = test.objects.put_stream(&key, bytes.len() as u64, whole).await;
    let put_whole = test.objects.put(Bytes::from(bytes.clone())).await;
    for refused in [streamed, put_whole] {
        let Err(err @ BlobError::TooLarge { .. }) = refused else {
            panic!("{refused:?}");
        };
        let text = err.to_string();
        assert!(
            text.contains("Upload file size limit") && text.contains(key.as_str()),
            "{text}"
        );
    }
    assert!(
        test.objects.unfinished().await?.is_empty(),
        "nothing half-written stays"
    );
    let size = bytes.len() as u64;
    let address = test.objects.put_url(&key, size);
    assert_eq!(put(&address, bytes).await?, StatusCode::PAYLOAD_TOO_LARGE);
    Ok(())
}

#[tokio::test]
async fn prefixes_are_apart() -> anyhow::Result<()> {
    let server = Server::start(Options::default()).await?;
    let bucket = server.bucket().await?;
    let one = BlobStore::s3(&format!("s3://{bucket}/one"), &settings(&server)).await?;
    let two = BlobStore::s3(&format!("s3://{bucket}/two/"), &settings(&server)).await?;
    let key = one.put(Bytes::from_static(b"zora")).await?.key;
    assert!(!two.exists(&key).await?);
    assert_eq!(two.list().count().await, 0);
    let listed: Vec<_> = one.list().try_collect().await?;
    assert_eq!(listed.len(), 1);
    assert_eq!(one.location(&key), format!("s3://{bucket}/one/{key}"));
    Ok(())
}

/// The address of something that answers once, and is no S3 server.
async fn web_server() -> anyhow::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await?;
        let mut request = [0; 4096];
        let _ = socket.read(&mut request).await?;
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nwelcome")
            .await
    });
    Ok(address)
}

/// A bucket that cannot be used, with the setting that its message must name.
async fn check(url: &str, settings: &S3Settings, expected: &str) -> BucketError {
    let refused = BlobStore::s3(url, settings).await;
    let Err(err) = refused else {
        panic!("{url} was opened");
    };
    let text = err.to_string();
    assert!(text.contains(expected), "`{text}` does not name `{expected}`");
    assert!(
        !text.contains("not-a-secret") && !text.contains("X-Amz-"),
        "{text}"
    );
    err
}

#[tokio::test]
async fn wrong_settings_are_named() -> anyhow::Result<()> {
    let server = Server::start(Options::default()).await?;
    let url = format!("s3://{}", server.bucket().await?);
    let right = settings(&server);
    let with = |change: fn(&mut S3Settings)| {
        let mut settings = right.clone();
        change(&mut settings);
        settings
    };
    let err = check("s3://nowhere", &right, "--objects").await;
    assert!(matches!(err, BucketError::NoBucket { .. }), "{err:?}");
    for url in ["s3://", "s3:///x", "s3://a b", "s3://bucket?x=y"] {
        check(url, &right, "s3://BUCKET").await;
    }
    let wrong = with(|it| it.secret_access_key = Some("wrong".into()));
    let err = check(&url, &wrong, "MORPHEUS_S3_SECRET_ACCESS_KEY").await;
    assert!(matches!(err, BucketError::WrongSecret { .. }), "{err:?}");
    let wrong = with(|it| it.access_key_id = Some("NOBODY".into()));
    check(&url, &wrong, "MORPHEUS_S3_ACCESS_KEY_ID").await;
    let wrong = with(|it| it.secret_access_key = None);
    check(&url, &wrong, "MORPHEUS_S3_SECRET_ACCESS_KEY").await;
    let wrong = with(|it| it.access_key_id = Some(String::new()));
    check(&url, &wrong, "MORPHEUS_S3_ACCESS_KEY_ID").await;
    // Nobody listens on the discard port.
    let wrong = with(|it| it.endpoint = Some("http://127.0.0.1:9".into()));
    let started = std::time::Instant::now();
    check(&url, &wrong, "MORPHEUS_S3_ENDPOINT").await;
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    let wrong = with(|it| it.region = Some("eu-central-1".into()));
    let err = check(&url, &wrong, "MORPHEUS_S3_REGION").await;
    assert!(err.fix().contains("`us-east-1`"), "{err}");
    let mut wrong = right.clone();
    wrong.endpoint = Some(web_server().await?);
    let err = check(&url, &wrong, "MORPHEUS_S3_ENDPOINT").await;
    assert!(matches!(err, BucketError::NoS3 { .. }), "{err:?}");
    let wrong = with(|it| it.endpoint = Some("127.0.0.1".into()));
    check(&url, &wrong, "--s3-endpoint").await;
    let wrong = with(|it| it.public_endpoint = Some("ftp://x".into()));
    check(&url, &wrong, "--s3-public-endpoint").await;

    BlobStore::probe_s3(&url, &right).await?;
    let wrong = with(|it| it.public_endpoint = Some("http://127.0.0.1:9".into()));
    let refused = BlobStore::probe_s3(&url, &wrong).await;
    let Err(err) = refused else {
        panic!("it was reached");
    };
    assert!(err.fix().contains("--s3-public-endpoint"), "{err}");
    Ok(())
}

#[tokio::test]
async fn tests_share_a_server_and_no_bucket() -> anyhow::Result<()> {
    let shared = sim::s3::shared().await?;
    let buckets = [shared.bucket().await?, shared.bucket().await?];
    assert_ne!(buckets[0], buckets[1]);
    let settings = S3Settings {
        endpoint: Some(shared.endpoint.clone()),
        access_key_id: Some(sim::s3::ACCESS_KEY_ID.into()),
        secret_access_key: Some(sim::s3::SECRET_ACCESS_KEY.into()),
        ..S3Settings::default()
    };
    for bucket in &buckets {
        BlobStore::probe_s3(&format!("s3://{bucket}"), &settings).await?;
    }
    Ok(())
}

/// A machine writes and reads by its addresses alone, and only what is meant for it.
#[tokio::test]
async fn a_mailbox_is_two_objects_with_an_address_each() -> anyhow::Result<()> {
    let test = TestObjects::s3(Options::default()).await?;
    let (objects, http) = (&test.objects, Client::new());
    let urls = objects
        .mailbox_urls("mph-a", TimeDelta::days(30))
        .context("a bucket has mailboxes")?;
    assert!(
        urls.requests.contains("X-Amz-Expires=604800&"),
        "S3 takes a week at most"
    );
    assert!(!objects.mailboxes().await?.contains("mph-a"));
    assert_eq!(objects.read_slot("mph-a", Slot::Requests, 10).await?, None);
    let status = http.get(&urls.answers).send().await?.status();
    assert_eq!(status, StatusCode::NOT_FOUND);

    for text in ["first", "second"] {
        let put = http.put(&urls.requests).body(text).send().await?;
        assert_eq!(put.status(), StatusCode::OK);
    }
    let read = objects.read_slot("mph-a", Slot::Requests, 6).await?;
    assert_eq!(read.as_deref(), Some(&b"second"[..]));
    let full = objects.read_slot("mph-a", Slot::Requests, 5).await;
    assert!(matches!(full, Err(BlobError::FullSlot { .. })), "{full:?}");
    objects
        .write_slot("mph-a", Slot::Answers, Bytes::from_static(b"answer"))
        .await?;
    assert_eq!(http.get(&urls.answers).send().await?.bytes().await?, "answer");
    let put = http.put(&urls.answers).body("mine").send().await?;
    assert_eq!(put.status(), StatusCode::FORBIDDEN);
    let read = http.get(&urls.requests).send().await?;
    assert_eq!(read.status(), StatusCode::FORBIDDEN);

    assert_eq!(objects.mailboxes().await?.len(), 1);
    objects.remove_mailbox("mph-a").await?;
    objects.remove_mailbox("mph-a").await?;
    assert!(objects.mailboxes().await?.is_empty());
    Ok(())
}
