//! Database, job queue and objects: the only crate that names sea-orm and object_store.
