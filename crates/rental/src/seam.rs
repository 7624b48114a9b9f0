//! The seam to those who rent machines out: what a provider must do, whichever it is.

mod kind;
mod landlord;
mod own_end;

pub(crate) use self::own_end::ANSWER_TIMEOUT;
pub use self::{
    kind::Kind,
    landlord::{
        Account, Bill, Examination, ExamineError, Landlord, Machine, Machines, Offer, Order, TerminateAck,
    },
    own_end::{OwnEnd, Refused, http_client},
};
