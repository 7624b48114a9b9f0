//! The table of hyperparameters, in parts: each part is a macro that adds its entries and hands on to the next.

mod captions;
mod loss;
mod network;
mod optimizer;
mod pictures;
mod schedule;

pub(super) use captions::captions;
pub(super) use loss::loss;
pub(super) use network::network;
pub(super) use optimizer::optimizer;
pub(super) use pictures::pictures;
pub(super) use schedule::schedule;
