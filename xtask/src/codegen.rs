//! `cargo xtask codegen`: what is generated from the Rust types and the manifests, made again.
//!
//! Tests keep the results fresh: one in `server` fails when its `openapi.json` differs from the routes, one in
//! `protocol` when the table of limits differs from the code, one in the dashboard when what `npm run generate` writes
//! differs from `src/api`, one here when a crate compiles a dependency with other features than the workspace.

use std::path::Path;

use anyhow::Result;

use crate::{cargo, check, features, npm};

/// Rust types → `crates/server/openapi.json` → `schema.ts` and `fields.ts` in `dashboard/src/api`; limits →
/// `docs/security.md`; manifests → `crates/unified-features/Cargo.toml`.
pub(crate) fn run(root: &Path) -> Result<()> {
    features::write(root)?;
    check(
        cargo(root)
            .args("test --quiet --workspace --lib -- openapi table_of_limits".split(' '))
            .env("UPDATE", "1"),
    )?;
    check(npm(root).args(["run", "--silent", "generate"]))
}
