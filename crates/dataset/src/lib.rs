//! Ingest, checks, captions, buckets and crops of pictures: the same code in the server and in the trainer.
//!
//! A picture passes through here once, at upload ([`ingest`]), and comes out as plain sRGB pixels in a PNG
//! that every engine then trains on. Untrusted input is decoded in sandboxed processes ([`decoder`]). [`split`]
//! freezes pictures into a dataset version, [`buckets`] and
//! [`crop`] define the pixels that an engine sees, [`augment`] changes of their colors, and [`findings`] are the problems that anybody is told of beforehand; [`check`] reads a folder for them.
//! [`captioning`] writes captions that a program proposes. [`export`] lays pictures out for other trainers. [`comic`] finds
//! the panels of comic pages, and [`split_pages`] splits a folder of them.
//!
//! This crate has no async code, no HTTP and no tensors.

pub mod augment;
pub mod buckets;
pub mod caption;
pub mod captioning;
pub mod check;
pub mod comic;
pub mod crop;
pub mod decoder;
pub mod demo;
pub mod epoch;
pub mod export;
pub mod findings;
pub mod folder;
pub mod ingest;
pub mod picture;
pub mod split;
pub mod split_pages;

mod sniff;
