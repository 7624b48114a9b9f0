//! The check of the object store: it is used as a job would use it.

use store::BlobStore;

use super::Finding;
use crate::settings::Settings;

const NAME: &str = "objects";

/// Nothing when the objects are files in the data folder, which is checked itself.
pub(super) fn check(settings: &Settings) -> Option<Finding> {
    let url = settings.objects.as_deref()?;
    if url.starts_with("file://") {
        return Some(Finding::ok(NAME, "files, on this machine"));
    }
    if !url.starts_with("s3://") {
        return Some(Finding::problem(
            NAME,
            "it is neither a folder nor a bucket",
            "use file://PATH or s3://BUCKET/PREFIX, or leave --objects out",
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(err) => return Some(Finding::problem(NAME, err.to_string(), "free some memory")),
    };
    Some(match runtime.block_on(BlobStore::probe_s3(url, &settings.s3)) {
        Ok(()) => Finding::ok(NAME, format!("`{url}` was written, read, signed and cleaned up")),
        Err(err) => Finding::problem(NAME, err.what(), err.fix()),
    })
}
