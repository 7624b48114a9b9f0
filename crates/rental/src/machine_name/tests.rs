use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use protocol::JobId;
use uuid::Uuid;

use super::{ForeignName, MachineName, NameForm, deployment_mark};

const FORMS: [NameForm; 2] = [NameForm::Long, NameForm::Short];

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

#[test]
fn a_name_says_everything() {
    let (deployment, job) = (Uuid::from_u128(35), JobId(Uuid::from_u128(36)));
    for (form, begins) in FORMS
        .into_iter()
        .zip(["mph-00000z-00000010-a3-", "mph-00000z0ht7uj00001003"])
    {
        let name = MachineName::new(form, deployment, job, 3, at(1_795_000_001)).to_string();
        assert!(name.starts_with(begins), "{name}");
        let name: MachineName = name.parse().unwrap();
        assert_eq!(name.deployment(), deployment_mark(deployment));
        assert!(name.is_for(job) && !name.is_for(JobId::new()));
        assert_eq!(name.attempt(), 3);
        assert_eq!(name.deadline(), at(1_795_000_020));
    }
}

#[test]
fn the_form_is_the_longest_that_a_provider_allows() {
    assert_eq!(NameForm::within(191), NameForm::Long);
    assert_eq!(NameForm::within(46), NameForm::Long);
    assert_eq!(NameForm::within(45), NameForm::Short);
    assert_eq!(NameForm::within(32), NameForm::Short);
    assert!(std::panic::catch_unwind(|| NameForm::within(31)).is_err());
}

#[test]
fn a_short_name_with_one_other_letter_is_foreign() {
    let name = MachineName::new(
        NameForm::Short,
        Uuid::from_u128(7),
        JobId::new(),
        1,
        at(1_795_000_000),
    )
    .to_string();
    assert_eq!(name.len(), 32);
    for place in 4..name.len() {
        let mut other = name.clone().into_bytes();
        other[place] = if other[place] == b'x' { b'y' } else { b'x' };
        let other = String::from_utf8(other).unwrap();
        assert_eq!(other.parse::<MachineName>(), Err(ForeignName), "{other}");
    }
}

#[test]
fn what_is_not_exactly_a_name_is_foreign() {
    let right = "mph-00000z-00000010-a3-abc123-dhroqq";
    assert!(right.parse::<MachineName>().is_ok());
    for wrong in [
        "",
        "mph-",
        "mph-abcdefghijklmnopqrstuvwxyz01",
        "mph-00000z0ht7uj00001003abc12300",
        "mph-my-own-pod",
        "Mph-00000z-00000010-a3-abc123-dhroqq",
        "mph-00000z-00000010-a3-abc123-dHROQQ",
        "mph-00000z-00000010-a03-abc123-dhroqq",
        "mph-00000z-00000010-a+3-abc123-dhroqq",
        "mph-00000z-00000010-a3-abc123-d0hroqq",
        "mph-00000z-00000010-a3-abc123-d+hroq",
        "mph-00000z-00000010-a3-abc123-dzzzzzzz",
        "mph-00000z-00000010-a99999999999-abc123-dhroqq",
        "mph-00000-00000010-a3-abc123-dhroqq",
        "mph-00000z-00000010-a3-abc12ä-dhroqq",
        "mph-00000z-00000010-a3-abc123-dhroqq-x",
        " mph-00000z-00000010-a3-abc123-dhroqq",
    ] {
        assert!(wrong.parse::<MachineName>().is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn names_are_read_as_they_were_written(
        deployment: u128,
        job: u128,
        attempt: u32,
        seconds in 0..60_000_000_000_i64,
    ) {
        for (form, most) in FORMS.into_iter().zip([46, 32]) {
            let job = JobId(Uuid::from_u128(job));
            let name = MachineName::new(form, Uuid::from_u128(deployment), job, attempt, at(seconds));
            let text = name.to_string();
            prop_assert!(text.len() <= most);
            prop_assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert_eq!(text.parse::<MachineName>(), Ok(name.clone()));
            prop_assert!(name.is_for(job));
            prop_assert_eq!(name.deployment(), deployment_mark(Uuid::from_u128(deployment)));
            prop_assert!(name.deadline() >= at(seconds));
            prop_assert!(name.deadline() < at(seconds) + TimeDelta::minutes(1));
        }
    }

    #[test]
    fn any_text_is_a_name_or_foreign(text in "(mph-)?[a-z0-9-]{0,60}") {
        if let Ok(name) = text.parse::<MachineName>() {
            prop_assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn two_names_for_the_same_attempt_differ(seed: u128) {
        let job = JobId(Uuid::from_u128(seed));
        for form in FORMS {
            let name = || MachineName::new(form, Uuid::from_u128(seed), job, 1, at(0)).to_string();
            prop_assert_ne!(name(), name());
        }
    }
}
