//! Blobs: addressed by their hash, never half-written, reached by signed addresses.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use bytes::Bytes;
use futures::{TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};
use sim::s3::{self, Options, Server};
use store::{
    BlobKey, BlobStore,
    objects::{BlobError, InvalidSignature, Method, S3Settings, SignedQuery, SigningKey, UrlOptions},
};
use tempfile::TempDir;
use uuid::Uuid;

/// Objects of one test, and what they lie in.
pub(crate) struct TestObjects {
    pub(crate) objects: BlobStore,
    /// Where each object is a file.
    pub(crate) folder: PathBuf,
    pub(crate) server: Option<Server>,
    _temporary: TempDir,
}

impl TestObjects {
    fn local() -> anyhow::Result<Self> {
        let temporary = tempfile::tempdir()?;
        Ok(Self {
            objects: BlobStore::local(temporary.path(), SigningKey::random())?,
            folder: temporary.path().to_owned(),
            server: None,
            _temporary: temporary,
        })
    }

    /// A bucket on a server of its own, with a prefix.
    pub(crate) async fn s3(options: Options) -> anyhow::Result<Self> {
        let server = Server::start(options).await?;
        let bucket = server.bucket().await?;
        let url = format!("s3://{bucket}/studio/one");
        Ok(Self {
            objects: BlobStore::s3(&url, &settings(&server)).await?,
            folder: server.folder(&bucket).join("studio/one"),
            server: Some(server),
            _temporary: tempfile::tempdir()?,
        })
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("a bucket has a server")
    }

    /// Makes a blob look as if it had been written `age` ago.
    fn set_age(&self, key: &BlobKey, age: Duration) -> anyhow::Result<()> {
        let file = std::fs::File::options()
            .write(true)
            .open(self.folder.join(key.as_str()))?;
        Ok(file.set_modified(SystemTime::now() - age)?)
    }
}

pub(crate) fn settings(server: &Server) -> S3Settings {
    S3Settings {
        endpoint: Some(server.endpoint.clone()),
        region: Some(s3::REGION.to_owned()),
        access_key_id: Some(s3::ACCESS_KEY_ID.to_owned()),
        secret_access_key: Some(s3::SECRET_ACCESS_KEY.to_owned()),
        ..S3Settings::default()
    }
}

/// Every suite on local files, on an S3 server, and on one that is as lax as Supabase Storage.
macro_rules! on_every_backend {
    ($($suite:ident),* $(,)?) => {
        mod local {
            $(
                #[tokio::test]
                async fn $suite() -> anyhow::Result<()> {
                    super::$suite(super::TestObjects::local()?).await
                }
            )*
        }
        mod bucket {
            $(
                #[tokio::test]
                async fn $suite() -> anyhow::Result<()> {
                    super::$suite(super::TestObjects::s3(sim::s3::Options::default()).await?).await
                }
            )*
        }
        mod supabase {
            $(
                #[tokio::test]
                async fn $suite() -> anyhow::Result<()> {
                    super::$suite(super::TestObjects::s3(sim::s3::Options::supabase()).await?).await
                }
            )*
        }
    };
}

on_every_backend! {
    stores_under_the_hash,
    streams_with_size_and_hash_checked,
    reads_ranges,
    lists_what_is_stored,
    keeps_thumbnails_beside_blobs,
    writes_again_what_is_old,
    belongs_to_one_installation,
}

pub(crate) fn key_of(bytes: &[u8]) -> anyhow::Result<BlobKey> {
    Ok(BlobKey::from_sha256(&hex::encode(Sha256::digest(bytes)))?)
}

/// More than two parts of a multipart upload.
pub(crate) fn large() -> Vec<u8> {
    (0..12_000_000_u32).map(|n| (n % 251) as u8).collect()
}

/// Everything that is stored, and everything that was not finished.
async fn n_things(objects: &BlobStore) -> anyhow::Result<(usize, usize)> {
    let listed: Vec<_> = objects.list().try_collect().await?;
    Ok((listed.len(), objects.unfinished().await?.len()))
}

async fn keeps_thumbnails_beside_blobs(test: TestObjects) -> anyhow::Result<()> {
    let objects = &test.objects;
    let picture = objects.put(Bytes::from_static(b"picture")).await?.key;
    assert_eq!(objects.thumbnail(&picture).await?, None);
    for thumbnail in [&b"small"[..], b"smaller", b""] {
        objects.put_thumbnail(&picture, thumbnail).await?;
        assert_eq!(objects.thumbnail(&picture).await?.as_deref(), Some(thumbnail));
    }
    assert_eq!(n_things(objects).await?, (1, 0), "a thumbnail is no blob");
    let listed: Vec<_> = objects.list_thumbnails().try_collect().await?;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].key, picture);

    objects.put_thumbnail(&picture, b"small").await?;
    let sha256 = picture.sha256();
    let file = test
        .folder
        .join("thumbnails")
        .join(&sha256[..2])
        .join(&sha256[2..]);
    let whole = std::fs::read(&file)?;
    for damaged in [&whole[..whole.len() - 1], &whole[..20], b""] {
        std::fs::write(&file, damaged)?;
        assert_eq!(objects.thumbnail(&picture).await?, None);
    }
    objects.delete_thumbnail(&picture).await?;
    objects.delete_thumbnail(&picture).await?;
    assert_eq!(objects.thumbnail(&picture).await?, None);
    assert!(objects.exists(&picture).await?);
    Ok(())
}

async fn stores_under_the_hash(test: TestObjects) -> anyhow::Result<()> {
    let objects = &test.objects;
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

async fn streams_with_size_and_hash_checked(test: TestObjects) -> anyhow::Result<()> {
    let objects = &test.objects;
    let bytes = large();
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
    assert_eq!(n_things(objects).await?, (0, 0), "nothing half-written stays");

    let stored = put(parts.clone(), bytes.len()).await?;
    assert_eq!(stored.key, key);
    assert_eq!(objects.get(&key).await?, bytes);
    // Again, as a retry would.
    put(parts, bytes.len()).await?;
    assert_eq!(n_things(objects).await?, (1, 0));

    // Few bytes take another way.
    let small = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"zora"))]);
    let refused = objects.put_stream(&key, 4, small).await;
    assert!(
        matches!(refused, Err(BlobError::HashMismatch { .. })),
        "{refused:?}"
    );
    Ok(())
}

async fn reads_ranges(test: TestObjects) -> anyhow::Result<()> {
    let objects = &test.objects;
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

async fn lists_what_is_stored(test: TestObjects) -> anyhow::Result<()> {
    let objects = &test.objects;
    assert_eq!(n_things(objects).await?, (0, 0));
    let mut keys = Vec::new();
    for n in 0..20_u8 {
        keys.push(objects.put(Bytes::from(vec![n; 100])).await?.key);
    }
    keys.sort();
    let mut listed: Vec<_> = objects.list().try_collect().await?;
    listed.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(
        listed.iter().map(|blob| blob.key.clone()).collect::<Vec<_>>(),
        keys
    );
    assert!(listed.iter().all(|blob| blob.meta.size_bytes == 100));
    Ok(())
}

async fn writes_again_what_is_old(test: TestObjects) -> anyhow::Result<()> {
    let objects = &test.objects;
    let key = objects.put(Bytes::from_static(b"zora")).await?.key;
    assert!(objects.has_fresh(&key, 4).await?);
    assert!(
        !objects.has_fresh(&key, 5).await?,
        "another size is not this blob"
    );
    for (hours, is_fresh) in [(11, true), (13, false)] {
        test.set_age(&key, Duration::from_secs(hours * 3600))?;
        assert_eq!(objects.has_fresh(&key, 4).await?, is_fresh, "{hours} h");
    }
    objects.put(Bytes::from_static(b"zora")).await?;
    assert!(objects.has_fresh(&key, 4).await?);
    Ok(())
}

async fn belongs_to_one_installation(test: TestObjects) -> anyhow::Result<()> {
    let (ours, theirs) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    test.objects.claim(&theirs, true).await?;
    test.objects.claim(&ours, false).await?;
    test.objects.claim(&ours, false).await?;
    for only_look in [true, false] {
        let refused = test.objects.claim(&theirs, only_look).await;
        assert!(matches!(refused, Err(BlobError::Foreign { .. })), "{refused:?}");
    }
    assert_eq!(n_things(&test.objects).await?, (0, 0), "the mark is no blob");
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

#[test]
fn signed_addresses_grant_what_they_say() -> anyhow::Result<()> {
    let test = TestObjects::local()?;
    let objects = &test.objects;
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

    let (_, put) = parse(&objects.put_url(&key, 4).url)?;
    assert_eq!(objects.verify(Method::Put, &key, &put), Ok(()));
    let larger = SignedQuery {
        size: Some(5),
        ..put.clone()
    };
    refuses(&key, Method::Put, &larger);

    let stranger = TestObjects::local()?;
    let foreign = stranger.objects.verify(Method::Get, &key, &query);
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

/// A pipe that nobody writes into is never opened: it would be waited for.
#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_holds_nobody_up() -> anyhow::Result<()> {
    let test = TestObjects::local()?;
    let blob = test.objects.put(Bytes::from_static(b"picture")).await?;
    let place = test.folder.join(blob.key.as_str());
    std::fs::remove_file(&place)?;
    let made = std::process::Command::new("mkfifo").arg(&place).status()?;
    assert!(made.success(), "{made}");
    let looking = async {
        assert_eq!(
            test.objects.inspect(&blob.key).await?,
            Some(protocol::damage::Damage::Damaged)
        );
        assert_eq!(test.objects.size(&blob.key).await?, None);
        assert!(matches!(
            test.objects.get(&blob.key).await,
            Err(BlobError::NotFound { .. })
        ));
        // The same bytes take its place.
        test.objects.put(Bytes::from_static(b"picture")).await?;
        anyhow::Ok(test.objects.get(&blob.key).await?)
    };
    let bytes = tokio::time::timeout(Duration::from_secs(20), looking).await??;
    assert_eq!(bytes.as_ref(), b"picture");
    Ok(())
}
