use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use protocol::JobId;
use uuid::Uuid;

use super::{MachineName, deployment_mark};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

#[test]
fn a_name_says_everything() {
    let (deployment, job) = (Uuid::from_u128(35), JobId(Uuid::from_u128(36)));
    let name = MachineName::new(deployment, job, 3, at(1_795_000_001)).to_string();
    assert!(name.starts_with("mph-00000z-00000010-a3-"), "{name}");
    let name: MachineName = name.parse().unwrap();
    assert_eq!(name.deployment(), deployment_mark(deployment));
    assert!(name.is_for(job) && !name.is_for(JobId::new()));
    assert_eq!(name.attempt(), 3);
    assert_eq!(name.deadline(), at(1_795_000_020));
}

#[test]
fn what_is_not_exactly_a_name_is_foreign() {
    let right = "mph-00000z-00000010-a3-abc123-dhroqq";
    assert!(right.parse::<MachineName>().is_ok());
    for wrong in [
        "",
        "mph-",
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
        let name = MachineName::new(Uuid::from_u128(deployment), JobId(Uuid::from_u128(job)), attempt, at(seconds));
        let text = name.to_string();
        prop_assert!(text.len() <= 60);
        prop_assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        prop_assert_eq!(text.parse::<MachineName>(), Ok(name.clone()));
        prop_assert!(name.deadline() >= at(seconds));
        prop_assert!(name.deadline() < at(seconds) + TimeDelta::minutes(1));
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
        let name = || MachineName::new(Uuid::from_u128(seed), job, 1, at(0)).to_string();
        prop_assert_ne!(name(), name());
    }
}
