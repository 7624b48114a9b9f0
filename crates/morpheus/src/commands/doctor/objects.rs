//! The check of the object store: it is used as a job would use it.

use std::path::PathBuf;

use store::BlobStore;

use super::Finding;
use crate::settings::Settings;

const NAME: &str = "objects";

/// Nothing when the objects will be files in a folder that is not there yet.
pub(super) fn check(settings: &Settings) -> Option<Finding> {
    let url = settings.objects.as_deref();
    let place = match url.map(|url| (url, url.split_once("://"))) {
        None => Place::Folder(settings.data.join("objects")),
        Some((_, Some(("file", path)))) => Place::Folder(PathBuf::from(path)),
        Some((url, Some(("s3", _)))) => Place::Bucket(url),
        Some(_) => {
            return Some(Finding::problem(
                NAME,
                "it is neither a folder nor a bucket",
                "use file://PATH or s3://BUCKET/PREFIX, or leave --objects out",
            ));
        }
    };
    if matches!(&place, Place::Folder(path) if !path.exists()) {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(err) => return Some(Finding::problem(NAME, err.to_string(), "free some memory")),
    };
    Some(match place {
        Place::Folder(path) => match runtime.block_on(BlobStore::prove_folder(&path)) {
            Ok(()) => Finding::ok(NAME, format!("`{}` keeps what is written", path.display())),
            Err(err) => Finding::problem(
                NAME,
                format!("{:#}", anyhow::Error::from(err)),
                "make room on its disk, make it writable, or choose another with --objects",
            ),
        },
        Place::Bucket(url) => match runtime.block_on(BlobStore::probe_s3(url, &settings.s3)) {
            Ok(()) => Finding::ok(NAME, format!("`{url}` was written, read, signed and cleaned up")),
            Err(err) => Finding::problem(NAME, err.what(), err.fix()),
        },
    })
}

/// Where objects are kept.
enum Place<'a> {
    Folder(PathBuf),
    Bucket(&'a str),
}
