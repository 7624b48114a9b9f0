//! A small `argparse`, made from sd-scripts' table of options: name, type, default, choices, help.

use std::{collections::BTreeMap, path::PathBuf};

/// Values by option, without dashes.
pub(super) type Parsed = BTreeMap<String, Vec<String>>;

/// What options there are, with type and choices.
pub(super) struct Table(BTreeMap<String, (String, Vec<String>)>);

impl Table {
    /// Reads the table from the folder that `MORPHEUS_REFERENCE` names, or from beside the repository. Says that the
    /// test is skipped if there is none.
    pub(super) fn read() -> Option<Self> {
        let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference");
        let folder = std::env::var_os("MORPHEUS_REFERENCE").map_or(beside, PathBuf::from);
        let Ok(text) = std::fs::read_to_string(folder.join("kohya-sdxl-args.tsv")) else {
            eprintln!("skipped: MORPHEUS_REFERENCE names no folder with kohya-sdxl-args.tsv");
            return None;
        };
        let rows = text.lines().filter_map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let name = columns.first()?.strip_prefix("--")?.to_owned();
            let choices = columns.get(3)?.trim_matches(['[', ']']).split(", ");
            let choices = choices.filter(|choice| !choice.is_empty() && *choice != "None");
            let choices = choices
                .map(|choice| choice.trim_matches('\'').to_owned())
                .collect();
            Some((name, ((*columns.get(1)?).to_owned(), choices)))
        });
        let table = Self(rows.collect());
        assert!(table.0.len() > 190, "{} options", table.0.len());
        Some(table)
    }

    /// Parses a command line as `argparse` would.
    pub(super) fn parse(&self, args: &[String]) -> Result<Parsed, String> {
        let mut parsed = Parsed::new();
        let mut args = args.iter().peekable();
        while let Some(arg) = args.next() {
            let (name, attached) = match arg
                .strip_prefix("--")
                .ok_or(format!("unrecognized: {arg}"))?
                .split_once('=')
            {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (arg.trim_start_matches('-'), None),
            };
            let (kind, choices) = self.0.get(name).ok_or(format!("unrecognized: {arg}"))?;
            let is_list = kind.ends_with("nargs=*");
            let mut values = Vec::from_iter(attached);
            if kind != "flag" {
                while (is_list || values.is_empty()) && args.peek().is_some_and(|next| !next.starts_with('-'))
                {
                    values.extend(args.next().cloned());
                }
                if values.is_empty() && !is_list {
                    return Err(format!("--{name} expects a value"));
                }
            }
            for value in &values {
                check(name, kind.trim_end_matches(" nargs=*"), choices, value)?;
            }
            if parsed.insert(name.to_owned(), values).is_some() {
                return Err(format!("--{name} is given twice"));
            }
        }
        Ok(parsed)
    }
}

fn check(name: &str, kind: &str, choices: &[String], value: &str) -> Result<(), String> {
    let is_right = match kind {
        "int" => value.parse::<i64>().is_ok(),
        "float" => value.parse::<f64>().is_ok_and(f64::is_finite),
        "int_or_float" => value.parse::<i64>().is_ok() || value.parse::<f64>().is_ok_and(|value| value < 1.0),
        "str" | "Path" => true,
        _ => return Err(format!("--{name} takes no value, not even `{value}`")),
    };
    if !is_right {
        return Err(format!("--{name}: `{value}` is not an {kind}"));
    }
    if !choices.is_empty() && !choices.iter().any(|choice| choice == value) {
        return Err(format!("--{name}: `{value}`, choose from {choices:?}"));
    }
    Ok(())
}
