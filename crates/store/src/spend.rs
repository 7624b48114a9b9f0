//! Rented machines and their money: rows of machines, budgets, and the ledger.
//!
//! Money is in one of three accounts: available, reserved, spent. Every movement is one entry of the ledger, and
//! in the same transaction changes the sums that stand at the machine, at the job or drawing session that pays for it,
//! and at the budgets that this keeps to. So `spent + reserved <= limit` is one condition of one statement.

mod budgets;
mod instances;
mod ledger;

pub use self::{
    budgets::{Scopes, budgets, budgets_for, month_of, set_limit},
    instances::{
        Change, Instance, NewInstance, Payer, adopt, alive, change, get, gpus_of_jobs, handles, identify,
        living_of, note_bill, note_missing, of_attempt, of_payer, open, overview, reopen, settle_bill,
        unbilled,
    },
    ledger::{Accrual, Shortage, accrue, entries, release, tightest, top_up},
};
