//! One module per subcommand.

pub(crate) mod dataset;
pub(crate) mod version;
