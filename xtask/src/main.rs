//! Project automation: `cargo xtask tidy` and `cargo xtask codegen`.

fn main() {}
