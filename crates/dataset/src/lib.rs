//! Ingest, checks, captions, buckets and crops of pictures: the same code in the server and in the trainer.
//!
//! A picture passes through here once, at upload ([`ingest`]), and comes out as plain sRGB pixels in a PNG
//! that every engine then trains on. What strangers sent is decoded in processes of its own ([`decoder`]). [`split`] freezes pictures into a dataset version, [`buckets`] and
//! [`crop`] say which pixels of it an engine sees, and [`check`] is the preflight that shows all of it.
//!
//! No async, no HTTP and no tensors live here.

pub mod buckets;
pub mod caption;
pub mod check;
pub mod crop;
pub mod decoder;
pub mod ingest;
pub mod picture;
pub mod split;

mod sniff;
