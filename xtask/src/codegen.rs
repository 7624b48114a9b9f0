//! `cargo xtask codegen`: what is generated from the Rust types, made again.
//!
//! Two tests keep the results fresh: one in `server` fails when `openapi.json` differs from its routes, one in
//! the dashboard fails when `schema.ts` differs from `openapi.json`.

use std::path::Path;

use anyhow::Result;

use crate::{cargo, check, npm};

/// Rust types → `openapi.json` → `dashboard/src/api/schema.ts`.
pub(crate) fn run(root: &Path) -> Result<()> {
    check(
        cargo(root)
            .args(["test", "--quiet", "--package", "server", "openapi"])
            .env("UPDATE", "1"),
    )?;
    check(npm(root).args(["run", "--silent", "generate"]))
}
