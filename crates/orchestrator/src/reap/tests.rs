use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use protocol::JobId;
use rental::{MachineName, NameForm, deployment_mark};
use uuid::Uuid;

use super::{GRACE, Judgement, Options, judge};

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(minutes * 60, 0).unwrap()
}

#[test]
fn a_machine_is_over_when_its_deadline_and_the_grace_are() {
    let options = Options::default();
    let end = at(1_000) + TimeDelta::from_std(GRACE).unwrap();
    for form in [NameForm::Long, NameForm::Short] {
        let name = MachineName::new(form, Uuid::from_u128(7), JobId::new(), 1, at(1_000)).to_string();
        assert_eq!(
            judge(&name, end - TimeDelta::milliseconds(1), &options),
            Judgement::InTime
        );
        assert_eq!(judge(&name, end, &options), Judgement::Overdue);
        let of = |deployment: u128| Options {
            deployment: Some(deployment_mark(Uuid::from_u128(deployment))),
            ..Options::default()
        };
        assert_eq!(judge(&name, end, &of(7)), Judgement::Overdue);
        assert_eq!(judge(&name, end, &of(8)), Judgement::OtherDeployment);
    }
}

proptest! {
    #[test]
    fn somebody_else_s_machine_is_never_touched(name in ".{0,80}", minutes in 0..100_000_000_i64) {
        prop_assume!(name.parse::<MachineName>().is_err());
        prop_assert_eq!(judge(&name, at(minutes), &Options::default()), Judgement::Foreign);
    }

    #[test]
    fn ours_is_ended_after_its_deadline_and_never_before(deadline in 0..2_000_000_000_i64, now in 0..2_000_000_000_i64) {
        let options = Options::default();
        let expected = if now >= deadline + 3 { Judgement::Overdue } else { Judgement::InTime };
        for form in [NameForm::Long, NameForm::Short] {
            let name = MachineName::new(form, Uuid::nil(), JobId::new(), 1, at(deadline)).to_string();
            prop_assert_eq!(judge(&name, at(now), &options), expected);
        }
    }
}
