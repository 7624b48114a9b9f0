//! Blobs: addressed by their hash, never half-written, reached by signed addresses.

use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use futures::{TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use store::{
    BlobKey,
    objects::{BlobError, InvalidSignature, Method, SignedQuery, UrlOptions},
};

use crate::fixture::TestStore;

fn key_of(bytes: &[u8]) -> anyhow::Result<BlobKey> {
    Ok(BlobKey::from_sha256(&hex::encode(Sha256::digest(bytes)))?)
}

fn n_files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| {
            if entry.path().is_dir() {
                n_files(&entry.path())
            } else {
                1
            }
        })
        .sum()
}

pub(crate) async fn stores_under_the_hash(test: TestStore) -> anyhow::Result<()> {
    let objects = test.store.objects();
    let stored = objects.put(Bytes::from_static(b"zora")).await?;
    assert_eq!(stored.key, key_of(b"zora")?);
    assert_eq!(stored, objects.put(Bytes::from_static(b"zora")).await?);
    assert_eq!(objects.get(&stored.key).await?, "zora");
    assert_eq!(objects.size(&stored.key).await?, Some(4));
    objects.delete(&stored.key).await?;
    objects.delete(&stored.key).await?;
    assert!(!objects.exists(&stored.key).await?);
    let missing = objects.get(&stored.key).await;
    assert!(matches!(missing, Err(BlobError::NotFound { .. })), "{missing:?}");
    let empty = objects.put(Bytes::new()).await?;
    assert_eq!(objects.get(&empty.key).await?, "");
    Ok(())
}

pub(crate) async fn streams_with_size_and_hash_checked(test: TestStore) -> anyhow::Result<()> {
    let objects = test.store.objects();
    // More than two parts of a multipart upload.
    let bytes: Vec<u8> = (0..12_000_000_u32).map(|n| (n % 251) as u8).collect();
    let key = key_of(&bytes)?;
    let parts: Vec<Bytes> = bytes.chunks(70_000).map(Bytes::copy_from_slice).collect();
    let put = |parts: Vec<Bytes>, size: usize| {
        let parts = stream::iter(parts.into_iter().map(Ok::<_, std::io::Error>));
        objects.put_stream(&key, size as u64, parts)
    };

    let mut wrong = parts.clone();
    wrong[3] = Bytes::from(vec![0; 70_000]);
    let refused = put(wrong, bytes.len()).await;
    assert!(
        matches!(refused, Err(BlobError::HashMismatch { .. })),
        "{refused:?}"
    );
    let refused = put(parts[1..].to_vec(), bytes.len()).await;
    assert!(
        matches!(refused, Err(BlobError::SizeMismatch { .. })),
        "{refused:?}"
    );
    let refused = put(parts.clone(), bytes.len() - 1).await;
    assert!(
        matches!(refused, Err(BlobError::SizeMismatch { .. })),
        "{refused:?}"
    );
    let broken = stream::iter([
        Ok(parts[0].clone()),
        Err(std::io::Error::other("the agent was unplugged")),
    ]);
    let refused = objects.put_stream(&key, bytes.len() as u64, broken).await;
    assert!(matches!(refused, Err(BlobError::Broken(_))), "{refused:?}");
    assert!(!objects.exists(&key).await?);
    assert_eq!(
        n_files(&test.folder.path().join("objects")),
        0,
        "nothing half-written stays"
    );

    let stored = put(parts.clone(), bytes.len()).await?;
    assert_eq!(stored.key, key);
    assert_eq!(objects.get(&key).await?, bytes);
    // Again, as a retry would.
    put(parts, bytes.len()).await?;
    assert_eq!(n_files(&test.folder.path().join("objects")), 1);
    Ok(())
}

pub(crate) async fn reads_ranges(test: TestStore) -> anyhow::Result<()> {
    let objects = test.store.objects();
    let key = objects.put(Bytes::from_static(b"0123456789")).await?.key;
    let reader = objects.read(&key, Some(3..6)).await?;
    assert_eq!((reader.size_bytes, reader.range), (10, 3..6));
    let parts: Result<Vec<Bytes>, BlobError> = reader.stream.try_collect().await;
    assert_eq!(parts?.concat(), b"345");
    let reader = objects.read(&key, Some(8..100)).await?;
    assert_eq!(reader.range, 8..10);
    assert!(objects.read(&key, Some(20..30)).await.is_err());
    Ok(())
}

/// The parts of `/blob/{key}?…`, decoded as a server's router does it.
fn parse(url: &str) -> anyhow::Result<(BlobKey, SignedQuery)> {
    let (path, query) = url.split_once('?').context("an address with a query")?;
    let mut signed = SignedQuery::default();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').context("a parameter with a value")?;
        let value = value
            .replace("%20", " ")
            .replace("%2F", "/")
            .replace("%C3%A9", "é");
        match name {
            "exp" => signed.exp = value.parse()?,
            "sig" => signed.sig = value,
            "size" => signed.size = Some(value.parse()?),
            "type" => signed.content_type = Some(value),
            "name" => signed.name = Some(value),
            _ => anyhow::bail!("unknown parameter {name}"),
        }
    }
    let key = path.strip_prefix("/blob/").context("an address of a blob")?;
    Ok((key.parse()?, signed))
}

pub(crate) async fn signed_addresses_grant_what_they_say(test: TestStore) -> anyhow::Result<()> {
    let objects = test.store.objects();
    let key = key_of(b"zora")?;
    let (found, query) = parse(&objects.get_url(&key, &UrlOptions::download("Zora é.safetensors")))?;
    assert_eq!(found, key);
    assert_eq!(query.name.as_deref(), Some("Zora é.safetensors"));
    assert_eq!(objects.verify(Method::Get, &key, &query), Ok(()));

    let refuses = |key: &BlobKey, method, query: &SignedQuery| {
        assert_eq!(
            objects.verify(method, key, query),
            Err(InvalidSignature::Mismatch),
            "{query:?}"
        );
    };
    refuses(&key_of(b"another")?, Method::Get, &query);
    refuses(&key, Method::Put, &query);
    let changes: [fn(&mut SignedQuery); 6] = [
        |query| query.exp += 1,
        |query| query.name = None,
        |query| query.name = Some("Zora.exe".to_owned()),
        |query| query.content_type = Some("text/html".to_owned()),
        |query| query.size = Some(4),
        |query| {
            query
                .sig
                .replace_range(0..1, if query.sig.starts_with('A') { "B" } else { "A" })
        },
    ];
    for change in changes {
        let mut changed = query.clone();
        change(&mut changed);
        refuses(&key, Method::Get, &changed);
    }
    let nonsense = SignedQuery {
        sig: "?".to_owned(),
        ..query.clone()
    };
    refuses(&key, Method::Get, &nonsense);

    let (_, put) = parse(&objects.put_url(&key, 4))?;
    assert_eq!(objects.verify(Method::Put, &key, &put), Ok(()));
    let larger = SignedQuery {
        size: Some(5),
        ..put.clone()
    };
    refuses(&key, Method::Put, &larger);

    let stranger = TestStore::sqlite().await?;
    let foreign = stranger.store.objects().verify(Method::Get, &key, &query);
    assert_eq!(foreign, Err(InvalidSignature::Mismatch), "another secret");
    Ok(())
}

#[test]
fn keys_point_nowhere_else() {
    for text in [
        "",
        "sha256/",
        "../../etc/passwd",
        "sha256/../secret",
        "sha256/ab",
        "sha256/AB/CDEF",
    ] {
        assert!(text.parse::<BlobKey>().is_err(), "{text}");
    }
    let good = format!("sha256/ab/{}", "c".repeat(62));
    assert_eq!(
        good.parse::<BlobKey>().map(|key| key.sha256()),
        Ok(format!("ab{}", "c".repeat(62)))
    );
    assert!(format!("{good}/../x").parse::<BlobKey>().is_err());
}
