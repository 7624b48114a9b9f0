use std::collections::BTreeSet;

use protocol::environment::of_machine;

use super::{REGISTERED, find};

#[test]
fn names_are_unique_and_can_stand_in_flags_and_variables() {
    let mut seen = BTreeSet::new();
    for kind in REGISTERED {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        assert!(kind.name().bytes().all(is_name), "{kind:?}");
        assert!(seen.insert(kind.name()), "{kind:?}");
        assert!(
            !["local", "agent"].contains(&kind.name()),
            "{kind:?} has the name of machines that cost nothing"
        );
        assert_eq!(find(kind.name()).unwrap().title(), kind.title());
        for setting in kind.settings() {
            let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            assert!(setting.name.bytes().all(is_name), "{setting:?}");
        }
    }
}

#[test]
fn no_program_that_we_start_gets_a_key() {
    for kind in REGISTERED {
        assert!(
            !kind.keys().is_empty() && !kind.machine_secrets().is_empty(),
            "{kind:?}"
        );
        for name in kind.keys().iter().chain(kind.machine_secrets()) {
            let variables = [(name.into(), "secret".into())];
            assert_eq!(of_machine(variables.into_iter(), &[]).count(), 0, "{name}");
        }
    }
}
