//! The `morpheus` binary: every role of the product in one program.

fn main() {}
