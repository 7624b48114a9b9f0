//! The check of the object store: it is used as a job would use it.

use std::path::PathBuf;

use store::{BlobStore, StorageFault};

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
                "it is neither a folder nor a bucket URL",
                "use file://PATH or s3://BUCKET/PREFIX, or omit --objects",
            ));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(err) => return Some(Finding::problem(NAME, err.to_string(), "free some memory")),
    };
    // Why the database cannot say is a finding of its own.
    let mark = match &place {
        Place::Folder(_) => runtime.block_on(settings.store().objects_mark()).ok().flatten(),
        Place::Bucket(_) => None,
    };
    if let Place::Folder(path) = &place
        && !path.exists()
    {
        return mark.is_some().then(|| {
            Finding::problem(
                NAME,
                format!(
                    "`{}` is missing, and this installation stored objects there",
                    path.display()
                ),
                "mount its disk or put the folder back, or choose the right one with --objects",
            )
        });
    }
    Some(match place {
        Place::Folder(path) => match runtime.block_on(BlobStore::prove_folder(&path, mark)) {
            Ok(()) => Finding::ok(NAME, format!("`{}` is writable", path.display())),
            Err(err) if err.fault() == Some(StorageFault::Astray) => Finding::problem(
                NAME,
                format!("{:#}", anyhow::Error::from(err)),
                "mount its disk or put the right folder back, or choose it with --objects",
            ),
            Err(err) => Finding::problem(
                NAME,
                format!("{:#}", anyhow::Error::from(err)),
                "free space on its disk, make it writable, or choose another with --objects",
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
