use clap::Parser;
use rental::{Kind, providers::REGISTERED};
use toml::de::DeTable;

use super::{RentalFlags, RentalTables, variable};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    rentals: RentalFlags,
}

fn complete(args: &[&str], file: &str, has_key: bool) -> anyhow::Result<Vec<server::RentalConfig>> {
    let args = std::iter::once("serve").chain(args.iter().copied());
    let flags = Cli::try_parse_from(args)?.rentals;
    let mut file = DeTable::parse(file)?;
    let tables = RentalTables::take(file.get_mut())?;
    assert!(file.get_ref().is_empty(), "every table is taken");
    flags.complete(tables, |_| has_key.then(|| "key".to_owned()))
}

/// Each provider that is registered takes what every one has.
#[test]
fn flags_go_before_the_file() {
    for kind in REGISTERED {
        let name = kind.name();
        let file = format!("[{name}]\nimage = 'of the file'\nurl = 'http://127.0.0.1:2'\nmailbox = true\n");
        let flag = format!("--{name}-image");
        let rentals = complete(&[&flag, "of the flag"], &file, true).unwrap();
        let rental = rentals.iter().find(|rental| rental.name() == name).unwrap();
        assert!(rental.has_mailbox && !rental.landlord.is_real());
        let printed = format!("{:?}", rental.landlord);
        assert!(
            printed.contains("of the flag") && !printed.contains("of the file"),
            "{printed}"
        );
        let rentals = complete(&["--mailbox=false"], &file, true).unwrap();
        assert!(!rentals.iter().any(|rental| rental.has_mailbox));
    }
}

#[test]
fn nothing_is_rented_without_a_key() {
    assert_eq!(complete(&[], "", false).unwrap().len(), 0);
    let err = complete(&["--mailbox"], "", false).unwrap_err().to_string();
    assert!(
        err.starts_with("mailbox: ") && err.contains(REGISTERED[0].keys()[0]),
        "{err}"
    );
    let (name, key) = (REGISTERED[0].name(), REGISTERED[0].keys()[0]);
    let err = complete(&[&format!("--{name}-image"), "x"], "", false)
        .unwrap_err()
        .to_string();
    assert_eq!(err, format!("{name}: an image is set, but no key: set {key}"));
}

#[test]
fn what_a_table_does_not_have_is_named_with_its_line() {
    let name = REGISTERED[0].name();
    let text = format!("[{name}]\nimage = 'x'\nsize = 1\n");
    let mut file = DeTable::parse(&text).unwrap();
    let err = RentalTables::take(file.get_mut()).err().unwrap();
    assert!(err.message().contains("unknown field `size`"), "{err}");
    assert_eq!(err.span().map(|span| &text[span]), Some("size"));
}

#[test]
fn variables_are_called_as_flags_are() {
    let kind: &dyn Kind = REGISTERED[0];
    let name = kind.name().to_ascii_uppercase();
    assert_eq!(variable(kind, "min-cuda"), format!("MORPHEUS_{name}_MIN_CUDA"));
}
