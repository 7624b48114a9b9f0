//! An S3 server: s3s-fs, and a variant that ignores conditional writes as Supabase Storage does.
