//! Hugging Face: which files a repository has, with their hashes and URLs.
//!
//! `GET /api/models/{id}/revision/{revision}?blobs=true` lists them; files with tensors are in LFS, which knows them
//! by their SHA-256. `GET /{id}/resolve/{commit}/{path}` has the bytes.

use protocol::base::is_relative;
use reqwest::StatusCode;
use serde::Deserialize;
use store::bases::File;

use super::{
    files::{self, Prefer},
    web::{Web, WebError},
};

#[derive(Deserialize)]
struct Revision {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

/// Maximum number of names in a message.
const MOST_NAMES: usize = 8;

/// What is wanted of a repository.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    /// A file; without, its only checkpoint or its diffusers folder.
    pub(crate) file: Option<&'a str>,
    /// Parts of a diffusers folder that come from elsewhere.
    pub(crate) named: &'a [&'a str],
}

/// The files of a base model in a repository, at the commit that the revision stands for now.
pub(crate) async fn files(
    web: &Web,
    repository: &str,
    revision: Option<&str>,
    wanted: Wanted<'_>,
) -> Result<Vec<File>, String> {
    let endpoint = &web.hub().endpoint;
    let named = revision.unwrap_or("main");
    let url = format!(
        "{endpoint}/api/models/{repository}/revision/{}?blobs=true",
        named.replace('/', "%2F")
    );
    let found: Revision = web.json(&url).await.map_err(|err| match err {
        WebError::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, code) => {
            let has_token = web.hub().token.is_some();
            missing(repository, named, code.as_deref(), has_token)
        }
        err => err.to_string(),
    })?;
    let paths = found.siblings.iter().map(|sibling| sibling.rfilename.as_str());
    let wanted = match wanted.file {
        Some(file) => vec![
            paths
                .clone()
                .find(|path| *path == file)
                .ok_or_else(|| format!("`{repository}` has no file `{file}`{}", has(paths)))?,
        ],
        None => choose(repository, paths, wanted.named)?,
    };
    wanted
        .into_iter()
        .map(|path| {
            let sibling = found.siblings.iter().find(|sibling| sibling.rfilename == path);
            let sibling = sibling.filter(|sibling| is_relative(&sibling.rfilename));
            let sibling = sibling.ok_or_else(|| format!("`{path}` is not a valid file name"))?;
            let lfs = sibling.lfs.as_ref();
            Ok(File {
                path: path.to_owned(),
                url: Some(format!("{endpoint}/{repository}/resolve/{}/{path}", found.sha)),
                size_bytes: lfs.map(|lfs| lfs.size).or(sibling.size).unwrap_or(0),
                sha256: lfs.map(|lfs| lfs.sha256.to_ascii_lowercase()),
                is_vae: false,
                is_object: false,
            })
        })
        .collect()
}

fn choose<'a>(
    repository: &str,
    paths: impl Iterator<Item = &'a str> + Clone,
    named: &[&str],
) -> Result<Vec<&'a str>, String> {
    if paths.clone().any(|path| path == files::INDEX) {
        return files::diffusers(paths.clone(), Prefer::Half, named).map_err(|problem| {
            format!(
                "the diffusers folder of `{repository}` has {problem}{}",
                has(paths)
            )
        });
    }
    let single: Vec<&str> = single_files(paths.clone()).collect();
    match single.as_slice() {
        [file] => Ok(vec![file]),
        _ => Err(format!(
            "`{repository}` is not a diffusers folder and has {} possible files: choose one with \
                 hf:{repository}:FILE{}",
            single.len(),
            has(paths)
        )),
    }
}

fn single_files<'a>(paths: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    paths.filter(|path| path.ends_with(files::TENSORS) && !path.contains('/'))
}

/// `; it has a, b`: single-file checkpoints that could be meant.
fn has<'a>(paths: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = single_files(paths).take(MOST_NAMES).collect();
    if names.is_empty() {
        "; it has no safetensors file at its top".into()
    } else {
        format!("; it has {}", names.join(", "))
    }
}

fn missing(repository: &str, revision: &str, code: Option<&str>, has_token: bool) -> String {
    match code {
        Some("RevisionNotFound") => format!("`{repository}` has no branch, tag or commit `{revision}`"),
        Some("GatedRepo") => format!(
            "`{repository}` requires accepting its terms: accept them on its page, and set HF_TOKEN on the server to \
                 a token of that account"
        ),
        _ if has_token => format!("Hugging Face has no `{repository}`, or HF_TOKEN gives no access to it"),
        _ => format!(
            "Hugging Face has no `{repository}`, or it is private: check the id, or set HF_TOKEN on the server"
        ),
    }
}
