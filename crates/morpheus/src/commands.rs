//! One module per subcommand.

pub(crate) mod agent;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod dataset;
pub(crate) mod db;
pub(crate) mod decode_worker;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod generate;
pub(crate) mod lora;
pub(crate) mod measure_base;
pub(crate) mod objects;
pub(crate) mod reap;
pub(crate) mod recipe;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod train;
pub(crate) mod version;
