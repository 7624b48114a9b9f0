//! Money as whole micro-dollars, never a float.

use std::{fmt, iter::Sum, ops};

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
}

impl ops::Add for MicroUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl ops::Sub for MicroUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
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
mod tests {
    use super::MicroUsd;

    #[test]
    fn displays_cents_and_finer() {
        assert_eq!(MicroUsd(1_500_000).to_string(), "$1.50");
        assert_eq!(MicroUsd(-125).to_string(), "-$0.000125");
        assert_eq!(MicroUsd(50_000_000).to_string(), "$50.00");
    }
}
