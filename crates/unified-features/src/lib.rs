//! No code: see `Cargo.toml` and `xtask/src/features.rs`.
