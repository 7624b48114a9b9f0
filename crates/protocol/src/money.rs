//! Money as whole micro-dollars, never a float. All rounding is up.

use std::{fmt, iter::Sum, ops, time::Duration};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount of money in millionths of a US dollar.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = i64)]
pub struct MicroUsd(pub i64);

impl MicroUsd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// The sum, or `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` on overflow.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// `count` times this amount, or `None` on overflow.
    pub fn checked_mul(self, count: u32) -> Option<Self> {
        self.0.checked_mul(i64::from(count)).map(Self)
    }

    /// This amount times `percent`/100, rounded up: 110 adds a margin of a tenth.
    pub fn checked_percent(self, percent: u32) -> Option<Self> {
        ceil_div(i128::from(self.0) * i128::from(percent), 100)
    }

    /// The cost of `time` if this amount is the cost per hour, rounded up.
    pub fn checked_cost(self, time: Duration) -> Option<Self> {
        let nanoseconds = i128::try_from(time.as_nanos()).ok()?;
        ceil_div(
            i128::from(self.0).checked_mul(nanoseconds)?,
            3_600 * 1_000_000_000,
        )
    }

    /// Dollars as a decimal number, as JSON writes it (`0.44`, `1e-5`), rounded up to the next micro-dollar.
    pub fn parse_usd_up(text: &str) -> Result<Self, NotMoney> {
        parse_up(text).ok_or_else(|| NotMoney(text.chars().take(40).collect()))
    }
}

/// A text that is not a valid amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount of dollars")]
pub struct NotMoney(String);

/// Up means toward more money: `-1.5` becomes `-1`.
fn ceil_div(amount: i128, divisor: i128) -> Option<MicroUsd> {
    let up = i128::from(amount.rem_euclid(divisor) != 0);
    i64::try_from(amount.div_euclid(divisor) + up).ok().map(MicroUsd)
}

/// Parses digits without a float: 0.1 dollars are exactly 100,000 micro-dollars.
fn parse_up(text: &str) -> Option<MicroUsd> {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = whole.to_owned() + fraction;
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The decimal point stands after this many digits, counted in micro-dollars.
    let point = i32::try_from(whole.len())
        .ok()?
        .checked_add(exponent)?
        .checked_add(6)?;
    let kept = usize::try_from(point.max(0)).ok()?;
    let digits_start = digits
        .bytes()
        .position(|byte| byte != b'0')
        .unwrap_or(digits.len());
    if digits_start == digits.len() {
        return Some(MicroUsd::ZERO);
    }
    if kept.saturating_sub(digits_start) > 19 {
        return None;
    }
    while digits.len() < kept {
        digits.push('0');
    }
    let (amount, rest) = digits.split_at(kept);
    let amount: i128 = if amount.is_empty() {
        0
    } else {
        amount.parse().ok()?
    };
    let has_rest = rest.bytes().any(|byte| byte != b'0');
    let amount = match (is_negative, has_rest) {
        (true, _) => -amount,
        (false, has_rest) => amount + i128::from(has_rest),
    };
    i64::try_from(amount).ok().map(MicroUsd)
}

/// A sum that overflows becomes the largest amount: above any budget, instead of small or negative.
impl ops::Add for MicroUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl ops::Sub for MicroUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |total, amount| total + amount)
    }
}

impl fmt::Display for MicroUsd {
    /// Dollars with at least two and at most six decimals: `$1.50`, `-$0.000125`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        let decimals = format!("{:06}", amount % 1_000_000);
        let decimals = decimals.trim_end_matches('0');
        write!(f, "{sign}${}.{decimals:0<2}", amount / 1_000_000)
    }
}

#[cfg(test)]
mod tests;
