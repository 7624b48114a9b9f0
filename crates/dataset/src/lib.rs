//! Ingest, checks, captions, buckets and crops of pictures: the same code in the server and in the trainer.
