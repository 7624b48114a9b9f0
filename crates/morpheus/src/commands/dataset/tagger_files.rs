//! The files of a tagger: a folder, or a repository on Hugging Face that is downloaded once.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use fetch::{Client, HubOptions, Ranges, Wanted};
use protocol::limits::MAX_BASE_FILE_BYTES;

use super::AGENT;
use crate::{output, paths};

/// The largest comes last, so that a name of something else is found out before it is downloaded.
const FILES: [&str; 3] = ["config.json", "selected_tags.csv", "model.safetensors"];

/// The folder of a tagger.
pub(super) fn find(name: &str) -> anyhow::Result<PathBuf> {
    if Path::new(name).is_dir() {
        return Ok(name.into());
    }
    let Some(repository) = repository(name) else {
        bail!("--tagger: `{name}` is neither a folder nor a repository such as SmilingWolf/wd-vit-tagger-v3");
    };
    let folder = paths::work_dir()
        .join("taggers")
        .join(repository.replace('/', "--"));
    fs::create_dir_all(&folder).with_context(|| format!("failed to create `{}`", folder.display()))?;
    let missing = FILES.iter().filter(|file| !folder.join(file).is_file());
    let missing: Vec<&str> = missing.copied().collect();
    if missing.is_empty() {
        return Ok(folder);
    }
    let hub = HubOptions::read(|name| std::env::var(name).ok());
    let client = Client::new(AGENT, hub, Ranges::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for file in missing {
        output::note(format_args!("downloading {file} of {repository}"));
        let downloaded = runtime.block_on(download(&client, repository, file, &folder));
        downloaded.with_context(|| format!("--tagger: failed to download {file} of {repository}"))?;
    }
    Ok(folder)
}

/// A name `owner/name` as Hugging Face has them, which names no other place.
fn repository(name: &str) -> Option<&str> {
    let (owner, rest) = name.split_once('/')?;
    let is_plain = |part: &str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !part.is_empty() && !part.starts_with('.') && part.len() <= 96 && part.chars().all(is_allowed)
    };
    (is_plain(owner) && is_plain(rest)).then_some(name)
}

/// A file gets its name when all of it is there.
async fn download(client: &Client, repository: &str, file: &str, folder: &Path) -> anyhow::Result<()> {
    let endpoint = &client.hub().endpoint;
    let address = format!("{endpoint}/{repository}/resolve/main/{file}");
    let mut answer = client.get(&address, &Wanted::default()).await?;
    match answer.status().as_u16() {
        200 => {}
        401 | 403 => bail!("it is not public: set HF_TOKEN to a token that may read it"),
        404 => bail!("there is no such file"),
        status => bail!("the server answered {status}"),
    }
    let part = folder.join(format!("{file}.part"));
    let mut to = File::create(&part).with_context(|| format!("failed to write `{}`", part.display()))?;
    let mut n_bytes = 0;
    while let Some(chunk) = answer.chunk().await? {
        n_bytes += chunk.len() as u64;
        if n_bytes > MAX_BASE_FILE_BYTES {
            bail!("it is too large for a tagger");
        }
        to.write_all(&chunk)?;
    }
    to.sync_all()?;
    fs::rename(&part, folder.join(file))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::repository;

    #[test]
    fn names_of_repositories_name_no_other_place() {
        assert!(repository("SmilingWolf/wd-vit-tagger-v3").is_some());
        for other in [
            "wd-vit-tagger-v3",
            "../taggers",
            "a/../b",
            "a/b/c",
            "/etc",
            "a/",
            "a/b?c",
            "a/.b",
        ] {
            assert_eq!(repository(other), None, "{other}");
        }
    }
}
