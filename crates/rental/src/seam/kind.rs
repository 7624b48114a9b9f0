//! A provider that Morpheus knows.

use std::{fmt, sync::Arc};

use super::{
    landlord::{Account, Landlord},
    own_end::OwnEnd,
};
use crate::{Key, NameForm, Setting, SettingError, Values};

/// Everything about a provider that is known before it is asked anything. Its names stand in settings, in the database,
/// in the API, and in the environment of its machines, so that they must not change.
pub trait Kind: fmt::Debug + Send + Sync {
    /// What jobs choose it by: lower-case letters and digits.
    fn name(&self) -> &'static str;

    /// What people call it.
    fn title(&self) -> &'static str;

    /// The names that fit into what it allows.
    fn names(&self) -> NameForm;

    /// Variables that may hold an account's key; the server reads the first alone. Arguments can be read by everybody on
    /// the machine, so there is no flag for it.
    fn keys(&self) -> &'static [&'static str];

    /// Variables of a rented machine that only whoever ends it may know.
    fn machine_secrets(&self) -> &'static [&'static str];

    /// What can be set, beside the key.
    fn settings(&self) -> &'static [Setting];

    /// An account, to see and to end its machines.
    ///
    /// # Errors
    /// If a setting is wrong.
    fn account(&self, values: &Values, key: Key) -> Result<Arc<dyn Account>, SettingError>;

    /// The same account, to rent from.
    ///
    /// # Errors
    /// If a setting is missing or wrong.
    fn landlord(&self, values: &Values, key: Key) -> Result<Arc<dyn Landlord>, SettingError>;

    /// How the machine with this environment ends itself. Whatever is wrong with the environment, there is a machine to
    /// end, so that this cannot fail.
    fn own_end(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Box<dyn OwnEnd>;
}
