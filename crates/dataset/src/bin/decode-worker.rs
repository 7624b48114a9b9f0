//! Decodes pictures from standard input, as `morpheus decode-worker` does: for the tests of this crate.

fn main() -> std::io::Result<()> {
    dataset::decoder::worker::serve()
}
