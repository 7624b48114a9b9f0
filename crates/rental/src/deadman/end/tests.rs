//! The provider's name decides who is asked; one that nobody knows decides nothing.

use protocol::spend::env;

use super::ThisMachine;
use crate::providers::REGISTERED;

#[test]
fn a_machine_is_its_provider_s() {
    let kind = REGISTERED[0];
    let machine = ThisMachine::read(|name| (name == env::PROVIDER).then(|| kind.name().to_owned()));
    assert_eq!(machine.ends.len(), 1);
    assert_eq!(machine.name(), "unknown");
}

#[test]
fn a_machine_whose_provider_is_unknown_asks_all_of_them() {
    for provider in [None, Some("nobody")] {
        let machine = ThisMachine::read(|name| {
            let provider = provider.filter(|_| name == env::PROVIDER);
            provider.map(str::to_owned)
        });
        assert_eq!(machine.ends.len(), REGISTERED.len(), "{provider:?}");
    }
}
