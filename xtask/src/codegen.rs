//! `cargo xtask codegen`: what is generated from the Rust types, made again.
//!
//! Two tests keep the results fresh: one in `server` fails when its `openapi.json` differs from the routes, one in
//! the dashboard fails when what `npm run generate` writes differs from `src/api`.

use std::path::Path;

use anyhow::Result;

use crate::{cargo, check, npm};

/// Rust types → `crates/server/openapi.json` → `schema.ts` and `fields.ts` in `dashboard/src/api`.
pub(crate) fn run(root: &Path) -> Result<()> {
    check(
        cargo(root)
            .args(["test", "--quiet", "--workspace", "--lib", "openapi"])
            .env("UPDATE", "1"),
    )?;
    check(npm(root).args(["run", "--silent", "generate"]))
}
