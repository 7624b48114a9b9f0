use std::time::Duration;

use proptest::prelude::*;

use super::MicroUsd;

#[test]
fn displays_cents_and_finer() {
    assert_eq!(MicroUsd(1_500_000).to_string(), "$1.50");
    assert_eq!(MicroUsd(-125).to_string(), "-$0.000125");
    assert_eq!(MicroUsd(50_000_000).to_string(), "$50.00");
}

#[test]
fn reads_what_a_provider_writes() {
    let micro = |text: &str| MicroUsd::parse_usd_up(text).map(|amount| amount.0).ok();
    assert_eq!(micro("0.44"), Some(440_000));
    assert_eq!(micro("0.1"), Some(100_000));
    assert_eq!(micro("3"), Some(3_000_000));
    assert_eq!(micro("0.0000001"), Some(1));
    assert_eq!(micro("0.07333333333333333"), Some(73_334));
    assert_eq!(micro("1e-5"), Some(10));
    assert_eq!(micro("2.5E+1"), Some(25_000_000));
    assert_eq!(micro("1e-400"), Some(1));
    assert_eq!(micro("0e99"), Some(0));
    assert_eq!(micro("-0.0000015"), Some(-1));
    for wrong in [
        "",
        "-",
        ".",
        ".5",
        "1e",
        "0x1",
        "NaN",
        "1e99",
        "99999999999999",
        "1 ",
        "+1",
        "1.-5",
    ] {
        assert_eq!(micro(wrong), None, "{wrong}");
    }
}

#[test]
fn what_cannot_be_written_down_is_refused() {
    let most = MicroUsd(i64::MAX);
    assert_eq!(most.checked_add(MicroUsd(1)), None);
    assert_eq!(MicroUsd(i64::MIN).checked_sub(MicroUsd(1)), None);
    assert_eq!(most.checked_mul(2), None);
    assert_eq!(most.checked_percent(101), None);
    assert_eq!(most.checked_cost(Duration::from_secs(3_601)), None);
    assert_eq!(most.checked_cost(Duration::MAX), None);
    assert_eq!(most + most, most);
}

proptest! {
    #[test]
    fn micro_dollars_survive_being_written_as_decimals(micro in 0..i64::MAX) {
        let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
        prop_assert_eq!(MicroUsd::parse_usd_up(&text), Ok(MicroUsd(micro)));
    }

    #[test]
    fn an_exponent_moves_the_point(micro in 0..1_000_000_000_i64, exponent in -12..4_i32) {
        let expected = if exponent >= 0 {
            i128::from(micro) * 10_i128.pow(exponent.unsigned_abs())
        } else {
            let divisor = 10_i128.pow(exponent.unsigned_abs());
            (i128::from(micro) + divisor - 1) / divisor
        };
        let text = format!("{micro}e{}", exponent - 6);
        prop_assert_eq!(MicroUsd::parse_usd_up(&text).map(|amount| i128::from(amount.0)), Ok(expected));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "-?[0-9.eE+-]{0,40}") {
        let _ = MicroUsd::parse_usd_up(&text);
    }

    #[test]
    fn a_cost_is_never_too_low_and_never_a_micro_dollar_too_high(
        rate in 0..1_000_000_000_i64,
        milliseconds in 0..10_000_000_000_u64,
    ) {
        let cost = MicroUsd(rate).checked_cost(Duration::from_millis(milliseconds)).unwrap();
        let exact = i128::from(rate) * i128::from(milliseconds);
        let charged = i128::from(cost.0) * 3_600_000;
        prop_assert!(charged >= exact && charged - exact < 3_600_000);
    }

    #[test]
    fn parts_never_cost_less_than_the_whole(
        rate in 0..1_000_000_000_i64,
        first in 0..1_000_000_000_u64,
        second in 0..1_000_000_000_u64,
    ) {
        let cost = |milliseconds| MicroUsd(rate).checked_cost(Duration::from_millis(milliseconds)).unwrap();
        prop_assert!(cost(first) + cost(second) >= cost(first + second));
    }

    #[test]
    fn a_percentage_rounds_up(micro in 0..i64::MAX / 200, percent in 0..200_u32) {
        let part = i128::from(MicroUsd(micro).checked_percent(percent).unwrap().0) * 100;
        let exact = i128::from(micro) * i128::from(percent);
        prop_assert!(part >= exact && part - exact < 100);
    }
}
