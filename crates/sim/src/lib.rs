//! The outside world for tests: real PostgreSQL, Redis and S3 servers, each on a free port with its own folder.
//!
//! A test asks for a shared server (`postgres::shared()`, …): the one that `cargo xtask services` has started
//! for the whole run, named by `MORPHEUS_TEST_POSTGRES`, `MORPHEUS_TEST_REDIS` or `MORPHEUS_TEST_S3`, or else
//! one of its own. A test that stops or restarts a server starts its own.
//!
//! [`runpod`] is a simulation of the provider of that name, over HTTP, and [`tally`] one of a provider that does not exist;
//! [`rented`] is what the tests of rented machines see of either. [`hub`] is a simulation of Hugging Face; [`files`] makes what an
//! agent uploads, and [`fuzz`] plays the stranger who sends damaged files. [`table`] writes what tests have seen into the documentation. Never ships.

mod clock;
mod connections;
mod every_provider;
mod faults;
pub mod files;
pub mod fuzz;
pub mod hub;
pub mod postgres;
mod process;
pub mod redis;
pub mod rented;
pub mod runpod;
pub mod s3;
pub mod table;
pub mod tally;
pub mod tls;

pub use process::free_port;
