//! Bases come once, go on where they were cut off, and make room for each other.

use std::{path::Path, sync::Mutex, time::Duration};

use diffusion::base::BaseOptions;
use protocol::{
    agent::{BaseFile, BaseLocation, KnownOfBase, StoredFile},
    base::Prediction,
};
use sha2::{Digest as _, Sha256};

use super::{BaseError, Bases, Located, key};
use crate::{
    client::Patience,
    fake_server::{FakeServer, Request},
    job::Base,
};

const PATIENCE: Patience = Patience(Duration::from_secs(20));

/// Goes to these ranges beside the public addresses.
fn web(ranges: &[&str]) -> fetch::Client {
    let ranges = ranges.iter().map(|range| range.parse::<fetch::Range>().unwrap());
    fetch::Client::new("test", fetch::HubOptions::default(), ranges.collect()).unwrap()
}

fn file(path: &str, content: &[u8]) -> BaseFile {
    BaseFile {
        path: path.into(),
        is_foreign: false,
        file: StoredFile {
            url: format!("/files/{path}"),
            sha256: hex::encode(Sha256::digest(content)),
            size_bytes: content.len() as u64,
        },
    }
}

/// Serves these files, from wherever they are wanted on.
async fn server(files: Vec<(&'static str, Vec<u8>)>) -> FakeServer {
    FakeServer::start_raw(move |_, request| {
        let wanted = request.line.split([' ', '?']).nth(1).unwrap();
        let (_, content) = files.iter().find(|(path, _)| wanted.ends_with(path)).unwrap();
        let first = first_byte(request).unwrap_or(0);
        let mut answer = match first {
            0 => "HTTP/1.1 200 -\r\n".to_owned(),
            first => format!(
                "HTTP/1.1 206 -\r\ncontent-range: bytes {first}-{}/{}\r\n",
                content.len() - 1,
                content.len()
            ),
        }
        .into_bytes();
        answer.extend(
            format!(
                "content-length: {}\r\nconnection: close\r\n\r\n",
                content.len() - first
            )
            .bytes(),
        );
        answer.extend(&content[first..]);
        answer
    })
    .await
}

fn first_byte(request: &Request) -> Option<usize> {
    let range = request.headers.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("range").then_some(value)
    })?;
    range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

async fn locate(bases: &Bases, server: &FakeServer, files: &[BaseFile]) -> Result<Located, BaseError> {
    let location = BaseLocation::Files {
        files: files.to_vec(),
    };
    bases
        .locate(&server.client(), &location, PATIENCE, &|_, _| {})
        .await
}

fn path(located: &Located) -> &Path {
    match &located.base {
        Base::Path(path) => path,
        Base::BuiltIn(name) => panic!("`{name}` is no file"),
    }
}

#[tokio::test]
async fn a_base_is_fetched_once_whether_a_file_or_a_folder() {
    let served = vec![
        ("one.safetensors", b"single".to_vec()),
        ("unet/a.safetensors", b"unet".to_vec()),
        ("model_index.json", b"{}".to_vec()),
    ];
    let server = server(served).await;
    let folder = tempfile::tempdir().unwrap();
    let bases = Bases::new(folder.path().join("bases"), 1000, web(&[]));
    let single = [file("one.safetensors", b"single")];
    let several = [
        file("model_index.json", b"{}"),
        file("unet/a.safetensors", b"unet"),
    ];
    for _ in 0..2 {
        let located = locate(&bases, &server, &single).await.unwrap();
        assert!(path(&located).ends_with("one.safetensors"));
        assert_eq!(std::fs::read(path(&located)).unwrap(), b"single");
        let located = locate(&bases, &server, &several).await.unwrap();
        let unet = path(&located).join("unet/a.safetensors");
        assert_eq!(std::fs::read(unet).unwrap(), b"unet");
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn what_an_agent_fetched_before_it_was_killed_is_not_fetched_again() {
    let content: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    let wanted = file("a.safetensors", &content);
    let server = server(vec![("a.safetensors", content.clone())]).await;
    let folder = tempfile::tempdir().unwrap();
    let kept = folder
        .path()
        .join("bases")
        .join(key(std::slice::from_ref(&wanted)));
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join("a.safetensors.part"), &content[..60_000]).unwrap();
    let bases = Bases::new(folder.path().join("bases"), 1_000_000, web(&[]));
    let heard = Mutex::new(Vec::new());
    let location = BaseLocation::Files {
        files: vec![wanted.clone()],
    };
    let located = bases
        .locate(&server.client(), &location, PATIENCE, &|done, total| {
            heard.lock().unwrap().push((done, total));
        })
        .await
        .unwrap();
    assert!(std::fs::read(path(&located)).unwrap() == content);
    let requests = server.requests();
    assert_eq!(
        requests.iter().map(first_byte).collect::<Vec<_>>(),
        [Some(60_000)]
    );
    let heard = heard.into_inner().unwrap();
    assert!(heard.iter().skip(1).all(|(done, _)| *done > 60_000), "{heard:?}");
    assert_eq!(heard.last(), Some(&(100_000, 100_000)));

    // What lies there may also be of something else.
    drop(located);
    std::fs::remove_file(kept.join("a.safetensors")).unwrap();
    std::fs::write(kept.join("a.safetensors.part"), vec![7; 50_000]).unwrap();
    let located = locate(&bases, &server, &[wanted]).await.unwrap();
    assert!(std::fs::read(path(&located)).unwrap() == content);
}

#[tokio::test]
async fn the_one_not_used_for_longest_makes_room_and_one_in_use_stays() {
    let contents = [vec![1_u8; 400], vec![2; 400], vec![3; 400]];
    let names = ["a.safetensors", "b.safetensors", "c.safetensors"];
    let server = server(names.into_iter().zip(contents.clone()).collect()).await;
    let files: Vec<BaseFile> = names
        .iter()
        .zip(&contents)
        .map(|(name, content)| file(name, content))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let bases = Bases::new(folder.path().to_owned(), 900, web(&[]));
    let is_there = |n: usize| {
        let key = key(&files[n..=n]);
        folder.path().join(key).join(names[n]).exists()
    };
    drop(locate(&bases, &server, &files[0..1]).await.unwrap());
    drop(locate(&bases, &server, &files[1..2]).await.unwrap());
    let first = locate(&bases, &server, &files[0..1]).await.unwrap();
    drop(locate(&bases, &server, &files[2..3]).await.unwrap());
    assert_eq!([0, 1, 2].map(is_there), [true, false, true]);

    // Now the oldest is in use.
    drop(locate(&bases, &server, &files[1..2]).await.unwrap());
    assert!(is_there(0), "{}", path(&first).display());

    let too_large = Bases::new(folder.path().to_owned(), 300, web(&[]));
    let err = locate(&too_large, &server, &files[1..2]).await.unwrap_err();
    assert!(err.to_string().contains("--base-cache-gb"), "{err}");
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_and_other_content_are_refused() {
    let server = server(vec![("a.safetensors", b"other".to_vec())]).await;
    let folder = tempfile::tempdir().unwrap();
    let bases = Bases::new(folder.path().join("bases"), 1000, web(&[]));
    let outside = [file("../a.safetensors", b"x")];
    let err = locate(&bases, &server, &outside).await.unwrap_err();
    assert!(matches!(err, BaseError::BadName(_)), "{err}");
    let wrong = [file("a.safetensors", b"these")];
    let err = locate(&bases, &server, &wrong).await.unwrap_err();
    assert!(protocol::problem::chain(&err).contains("SHA-256"), "{err}");
    let again = locate(&bases, &server, &wrong).await.unwrap_err();
    assert!(matches!(again, BaseError::Transfer(_)));
}

#[tokio::test]
async fn what_a_user_named_is_not_fetched_from_private_addresses() {
    let server = server(vec![("a.safetensors", b"these".to_vec())]).await;
    let folder = tempfile::tempdir().unwrap();
    let mut foreign = file("a.safetensors", b"these");
    foreign.is_foreign = true;
    for host in ["127.0.0.1", "localhost", "0x7f.1"] {
        let port = server.url.port().unwrap();
        foreign.file.url = format!("http://user:SECRET@{host}:{port}/a.safetensors?token=SECRET");
        let strict = Bases::new(folder.path().join("bases"), 1000, web(&["10.0.0.0/8"]));
        let err = locate(&strict, &server, std::slice::from_ref(&foreign))
            .await
            .unwrap_err();
        let said = protocol::problem::chain(&err);
        assert!(
            said.contains("--allow-fetch-from") && !said.contains("SECRET"),
            "{said}"
        );
    }
    assert_eq!(server.requests().len(), 0);

    let open = Bases::new(folder.path().join("bases"), 1000, web(&["127.0.0.0/8"]));
    locate(&open, &server, &[foreign]).await.unwrap();
    // The agent's own server and its store may be anywhere.
    let strict = Bases::new(folder.path().join("store"), 1000, web(&[]));
    locate(&strict, &server, &[file("a.safetensors", b"these")])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_file_with_more_than_was_announced_is_not_kept() {
    let server = server(vec![("a.safetensors", vec![7; 5000])]).await;
    let folder = tempfile::tempdir().unwrap();
    let bases = Bases::new(folder.path().join("bases"), 1000, web(&[]));
    let err = locate(&bases, &server, &[file("a.safetensors", b"these")])
        .await
        .unwrap_err();
    let said = protocol::problem::chain(&err);
    assert!(said.contains("more than the announced 5 bytes"), "{said}");
    let kept = folder
        .path()
        .join("bases")
        .join(key(&[file("a.safetensors", b"these")]));
    assert_eq!(
        std::fs::metadata(kept.join("a.safetensors.part")).unwrap().len(),
        0
    );
}

#[tokio::test]
async fn a_vae_is_fetched_beside_its_base_and_both_are_kept() {
    let served = vec![
        ("one.safetensors", b"single".to_vec()),
        ("vae.safetensors", b"codec".to_vec()),
    ];
    let server = server(served).await;
    let folder = tempfile::tempdir().unwrap();
    let bases = Bases::new(folder.path().join("bases"), 1000, web(&[]));
    let at = |path: &str, content: &[u8]| BaseLocation::Files {
        files: vec![file(path, content)],
    };
    let base = at("one.safetensors", b"single");
    let known = KnownOfBase {
        prediction: Some(Prediction::V),
        vae: Some(at("vae.safetensors", b"codec")),
        measured: None,
    };
    let client = server.client();
    let furnished = bases.furnish(&client, (&base, &known), PATIENCE, &|_, _| {});
    let furnished = furnished.await.unwrap();
    let Base::Path(path) = &furnished.base else {
        panic!("{:?}", furnished.base)
    };
    assert_eq!(std::fs::read(path).unwrap(), b"single");
    assert_eq!(furnished.options.prediction, Some(Prediction::V));
    let vae = furnished.options.vae.as_deref().unwrap();
    assert_eq!(std::fs::read(vae).unwrap(), b"codec");

    // Of a base that nothing is said about, there is nothing else.
    let nothing = KnownOfBase::default();
    let plain = bases.furnish(&client, (&base, &nothing), PATIENCE, &|_, _| {});
    assert_eq!(plain.await.unwrap().options, BaseOptions::default());
    assert_eq!(server.requests().len(), 2);
}
