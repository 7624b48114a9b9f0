//! Settings of rented machines, for each provider that is registered. Nothing is rented from one without a key.

use std::{collections::BTreeMap, fmt};

use anyhow::bail;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use rental::{Key, Kind, Setting, Values, providers::REGISTERED};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use server::RentalConfig;
use toml::de::{DeTable, ValueDeserializer};

/// Every provider has this one: how many times as fast as ours its clock runs, which a simulated one's may.
const TIME_SCALE: Setting = Setting {
    name: "time-scale",
    file_key: "",
    value: "N",
    help: "Speed of a simulated provider's clock relative to the real one",
    is_list: false,
};
const MAILBOX: &str = "mailbox";

/// The settings of each provider as flags and variables. Keys come by variables alone.
#[derive(Default)]
pub(super) struct RentalFlags {
    values: BTreeMap<&'static str, Values>,
    mailbox: Option<bool>,
}

/// The settings of each provider in a settings file: the table that is called as the provider is.
#[derive(Default)]
pub(super) struct RentalTables(BTreeMap<&'static str, Table>);

#[derive(Default)]
struct Table {
    values: Values,
    mailbox: Option<bool>,
}

/// What a setting is called as a flag, without the dashes.
fn flag(kind: &dyn Kind, setting: &str) -> String {
    format!("{}-{setting}", kind.name())
}

/// The variable of a setting.
pub(crate) fn variable(kind: &dyn Kind, setting: &str) -> String {
    let name = flag(kind, setting).replace('-', "_").to_ascii_uppercase();
    format!("MORPHEUS_{name}")
}

fn arg(kind: &dyn Kind, setting: Setting) -> Arg {
    let name = flag(kind, setting.name);
    let arg = Arg::new(name.clone())
        .long(name)
        .env(variable(kind, setting.name))
        .value_name(setting.value)
        .help(setting.help)
        .allow_hyphen_values(true)
        .hide(setting == TIME_SCALE);
    if setting.is_list {
        arg.action(ArgAction::Append).value_delimiter(',')
    } else {
        arg
    }
}

impl clap::Args for RentalFlags {
    fn augment_args(mut command: Command) -> Command {
        for kind in REGISTERED {
            for setting in kind.settings().iter().chain([&TIME_SCALE]) {
                command = command.arg(arg(*kind, *setting));
            }
        }
        command.arg(
            Arg::new(MAILBOX)
                .long(MAILBOX)
                .env("MORPHEUS_MAILBOX")
                .value_name("BOOL")
                .help("Communicate with rented machines through the bucket, for a server that they cannot reach")
                .num_args(0..=1)
                .default_missing_value("true")
                .require_equals(true)
                .value_parser(value_parser!(bool)),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for RentalFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for kind in REGISTERED {
            let values = self.values.entry(kind.name()).or_default();
            for setting in kind.settings().iter().chain([&TIME_SCALE]) {
                if let Some(given) = matches.get_many::<String>(&flag(*kind, setting.name)) {
                    let given: Vec<&str> = given.map(String::as_str).collect();
                    values.set_default(setting.name, given.join(","));
                }
            }
        }
        self.mailbox = matches.get_one(MAILBOX).copied().or(self.mailbox);
        Ok(())
    }
}

impl RentalFlags {
    /// What is rented from each provider that there is a key for. What flags and variables leave out is taken from the
    /// file.
    pub(super) fn complete(
        mut self,
        RentalTables(mut tables): RentalTables,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Vec<RentalConfig>> {
        let mut rentals = Vec::new();
        let mut wants_mailbox = self.mailbox == Some(true);
        for kind in REGISTERED {
            let name = kind.name();
            let table = tables.remove(name).unwrap_or_default();
            let mut values = self.values.remove(name).unwrap_or_default();
            values.set_defaults(table.values);
            let mailbox = self.mailbox.or(table.mailbox);
            wants_mailbox |= mailbox == Some(true);
            let key_name = kind.keys()[0];
            let key = lookup(key_name)
                .map(|key| key.trim().to_owned())
                .filter(|key| !key.is_empty());
            let Some(key) = key else {
                if values.get("image").is_some() {
                    bail!("{name}: an image is set, but no key: set {key_name}");
                }
                continue;
            };
            rentals.push(RentalConfig {
                landlord: kind.landlord(&values, Key::new(key))?,
                time_scale: values.number(name, TIME_SCALE.name)?.unwrap_or(1),
                has_mailbox: mailbox.unwrap_or(false),
            });
        }
        if wants_mailbox && rentals.is_empty() {
            let keys: Vec<&str> = REGISTERED.iter().map(|kind| kind.keys()[0]).collect();
            bail!(
                "mailbox: it is only for rented machines, and no key is set: set {}",
                keys.join(" or ")
            );
        }
        Ok(rentals)
    }
}

impl RentalTables {
    /// Takes the tables of all providers out of a settings file.
    pub(super) fn take(file: &mut DeTable<'_>) -> Result<Self, toml::de::Error> {
        let mut tables = BTreeMap::new();
        for kind in REGISTERED {
            if let Some(table) = file.remove(kind.name()) {
                let table = OfKind(*kind).deserialize(ValueDeserializer::from(table))?;
                tables.insert(kind.name(), table);
            }
        }
        Ok(Self(tables))
    }
}

/// Reads a provider's table.
#[derive(Clone, Copy)]
struct OfKind(&'static dyn Kind);

impl<'de> DeserializeSeed<'de> for OfKind {
    type Value = Table;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Table, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OfKind {
    type Value = Table;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a table with the settings of `{}`", self.0.name())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table, A::Error> {
        let mut table = Table::default();
        while let Some(name) = map.next_key_seed(Name(self.0))? {
            let Text(text) = map.next_value_seed(AnyText)?;
            match name {
                Some(name) => table.values.set_default(name, text),
                None => {
                    let wrong = |_| A::Error::custom("mailbox: must be true or false");
                    table.mailbox = Some(text.parse().map_err(wrong)?);
                }
            }
        }
        Ok(table)
    }
}

/// Reads what a setting is called in the file; `None` is the mailbox.
struct Name(&'static dyn Kind);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let Text(key) = AnyText.deserialize(deserializer)?;
        if key == MAILBOX {
            return Ok(None);
        }
        let settings = self.0.settings();
        let found = settings.iter().find(|setting| setting.file_key == key);
        found.map(|setting| Some(setting.name)).ok_or_else(|| {
            let known: Vec<&str> = settings.iter().map(|setting| setting.file_key).collect();
            D::Error::custom(format!(
                "unknown field `{key}`, expected one of `{}` or `{MAILBOX}`",
                known.join("`, `")
            ))
        })
    }
}

/// A value as a flag would have it.
struct Text(String);

/// Reads a text, a whole number, true or false, or a list of texts.
struct AnyText;

impl<'de> DeserializeSeed<'de> for AnyText {
    type Value = Text;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyText {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, true or false, or a list of texts")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Text, E> {
        Ok(Text(flag.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text, A::Error> {
        let mut texts: Vec<String> = Vec::new();
        while let Some(text) = list.next_element()? {
            texts.push(text);
        }
        Ok(Text(texts.join(",")))
    }
}

#[cfg(test)]
mod tests;
