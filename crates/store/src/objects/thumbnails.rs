//! Thumbnails: what is drawn of a stored picture once, and kept to be shown often.
//!
//! A thumbnail lies beside the blobs, under the hash of its picture. It is no blob: no row refers to it, no backup has
//! it, and one that is lost or damaged is made again.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{ObjectStore, ObjectStoreExt, path::Path as ObjectPath};
use sha2::{Digest as _, Sha256};

use super::{BlobError, BlobKey, BlobMeta, BlobStore, Listed, Result, failed};

const THUMBNAILS: &str = "thumbnails";

/// A file begins with the SHA-256 of the rest.
const HASH_BYTES: usize = 32;

impl BlobStore {
    /// Keeps the thumbnail of a picture, in place of the one that was kept.
    pub async fn put_thumbnail(&self, picture: &BlobKey, thumbnail: &[u8]) -> Result<()> {
        let file = [&Sha256::digest(thumbnail)[..], thumbnail].concat();
        self.put_at(&path(picture), picture, file.into()).await
    }

    /// The thumbnail of a picture; `None` if none is kept, or it was damaged.
    pub async fn thumbnail(&self, picture: &BlobKey) -> Result<Option<Bytes>> {
        let found = match self.backend.get(&path(picture)).await {
            Ok(found) => found.bytes().await,
            Err(err) => Err(err),
        };
        let mut file = match found {
            Ok(file) => file,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(err) => return Err(failed("read the thumbnail of", picture, err)),
        };
        if file.len() < HASH_BYTES {
            return Ok(None);
        }
        let hash = file.split_to(HASH_BYTES);
        Ok((Sha256::digest(&file)[..] == hash[..]).then_some(file))
    }

    /// All thumbnails, page by page, each with the key of its picture.
    pub fn list_thumbnails(&self) -> BoxStream<'static, Result<Listed>> {
        let prefix = ObjectPath::from(THUMBNAILS);
        let listed = self.backend.list(Some(&prefix)).map_err(BlobError::List);
        let thumbnails = listed.try_filter_map(async |object| {
            let meta = BlobMeta {
                size_bytes: object.size,
                modified_at: object.last_modified,
            };
            Ok(picture_of(&object.location).map(|key| Listed { key, meta }))
        });
        thumbnails.boxed()
    }

    /// Deletes the thumbnail of a picture; succeeds if there is none.
    pub async fn delete_thumbnail(&self, picture: &BlobKey) -> Result<()> {
        self.delete_at(&path(picture), picture).await
    }
}

/// `thumbnails/ab/cdef…`, with folders as small as those of blobs.
fn path(picture: &BlobKey) -> ObjectPath {
    let sha256 = picture.sha256();
    let (folder, rest) = sha256.split_at(2);
    ObjectPath::from(format!("{THUMBNAILS}/{folder}/{rest}"))
}

fn picture_of(path: &ObjectPath) -> Option<BlobKey> {
    let hash = path.as_ref().strip_prefix(THUMBNAILS)?.replace('/', "");
    BlobKey::from_sha256(&hash).ok()
}
