//! s3s-fs with what it lacks (the list of unfinished uploads), and without what other stores lack.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use anyhow::Context as _;
use async_trait::async_trait;
use hyper::StatusCode;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto::*};
use s3s_fs::FileSystem;

use super::Options;

pub(super) struct Files {
    inner: FileSystem,
    options: Options,
    unfinished: Mutex<BTreeMap<String, Unfinished>>,
}

struct Unfinished {
    bucket: String,
    key: String,
    since: SystemTime,
    n_bytes: u64,
}

impl Files {
    pub(super) fn new(folder: &Path, options: Options) -> anyhow::Result<Self> {
        let inner = FileSystem::new(folder)
            .map_err(|err| anyhow::anyhow!("{err:?}"))
            .context("failed to open the folder of the S3 server")?;
        Ok(Self {
            inner,
            options,
            unfinished: Mutex::default(),
        })
    }

    fn unfinished(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Unfinished>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_size(&self, n_bytes: u64) -> S3Result<()> {
        if self.options.max_object_bytes.is_none_or(|max| n_bytes <= max) {
            return Ok(());
        }
        // Amazon answers 400, Supabase Storage 413.
        let mut error = S3Error::with_message(
            S3ErrorCode::EntityTooLarge,
            "The object exceeded the maximum allowed size",
        );
        error.set_status_code(StatusCode::PAYLOAD_TOO_LARGE);
        Err(error)
    }
}

fn to_bytes(length: Option<i64>) -> u64 {
    length.map_or(0, i64::unsigned_abs)
}

/// Operations that s3s-fs does as they should be.
macro_rules! pass_on {
    ($($operation:ident: $input:ty => $output:ty,)*) => {
        #[async_trait]
        impl S3 for Files {
            $(
                async fn $operation(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    self.inner.$operation(request).await
                }
            )*

            async fn put_object(
                &self,
                mut request: S3Request<PutObjectInput>,
            ) -> S3Result<S3Response<PutObjectOutput>> {
                self.check_size(to_bytes(request.input.content_length))?;
                if !self.options.conditional_writes {
                    request.input.if_match = None;
                    request.input.if_none_match = None;
                }
                if !self.options.checksums {
                    request.input.checksum_sha256 = None;
                }
                self.inner.put_object(request).await
            }

            async fn create_multipart_upload(
                &self,
                request: S3Request<CreateMultipartUploadInput>,
            ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
                let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
                let response = self.inner.create_multipart_upload(request).await?;
                if let Some(id) = response.output.upload_id.clone() {
                    let since = SystemTime::now();
                    let unfinished = Unfinished { bucket, key, since, n_bytes: 0 };
                    self.unfinished().insert(id, unfinished);
                }
                Ok(response)
            }

            async fn upload_part(
                &self,
                request: S3Request<UploadPartInput>,
            ) -> S3Result<S3Response<UploadPartOutput>> {
                let n_bytes = to_bytes(request.input.content_length);
                let total = match self.unfinished().get_mut(&request.input.upload_id) {
                    Some(unfinished) => {
                        unfinished.n_bytes += n_bytes;
                        unfinished.n_bytes
                    }
                    None => n_bytes,
                };
                self.check_size(total)?;
                self.inner.upload_part(request).await
            }

            async fn complete_multipart_upload(
                &self,
                mut request: S3Request<CompleteMultipartUploadInput>,
            ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
                if !self.options.conditional_writes {
                    request.input.if_match = None;
                    request.input.if_none_match = None;
                }
                let id = request.input.upload_id.clone();
                let response = self.inner.complete_multipart_upload(request).await?;
                self.unfinished().remove(&id);
                Ok(response)
            }

            async fn abort_multipart_upload(
                &self,
                request: S3Request<AbortMultipartUploadInput>,
            ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
                let id = request.input.upload_id.clone();
                if !self.unfinished().contains_key(&id) {
                    // s3s-fs says that access is denied.
                    return Err(S3ErrorCode::NoSuchUpload.into());
                }
                let response = self.inner.abort_multipart_upload(request).await?;
                self.unfinished().remove(&id);
                Ok(response)
            }

            async fn list_multipart_uploads(
                &self,
                request: S3Request<ListMultipartUploadsInput>,
            ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
                let input = request.input;
                let prefix = input.prefix.unwrap_or_default();
                let uploads = self
                    .unfinished()
                    .iter()
                    .filter(|(_, upload)| upload.bucket == input.bucket && upload.key.starts_with(&prefix))
                    .map(|(id, upload)| MultipartUpload {
                        key: Some(upload.key.clone()),
                        upload_id: Some(id.clone()),
                        initiated: Some(Timestamp::from(upload.since)),
                        ..MultipartUpload::default()
                    })
                    .collect();
                Ok(S3Response::new(ListMultipartUploadsOutput {
                    bucket: Some(input.bucket),
                    is_truncated: Some(false),
                    uploads: Some(uploads),
                    ..ListMultipartUploadsOutput::default()
                }))
            }
        }
    };
}

pass_on! {
    copy_object: CopyObjectInput => CopyObjectOutput,
    delete_object: DeleteObjectInput => DeleteObjectOutput,
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput,
    get_object: GetObjectInput => GetObjectOutput,
    head_bucket: HeadBucketInput => HeadBucketOutput,
    head_object: HeadObjectInput => HeadObjectOutput,
    list_objects: ListObjectsInput => ListObjectsOutput,
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output,
    list_parts: ListPartsInput => ListPartsOutput,
}
