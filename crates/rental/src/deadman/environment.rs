//! The initial terms of a rented machine, from environment variables.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use protocol::{MicroUsd, spend::env};

use super::Scale;

/// Terms of a rented machine before its first contact with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Environment {
    /// Deadline, by the provider's clock.
    pub deadline: DateTime<Utc>,
    /// Time allowed until the first contact with the server.
    pub boot_grace: Duration,
    /// Time before the deadline reserved for the last checkpoint and its upload.
    pub stop: Duration,
    /// Maximum cost per hour.
    pub rate: MicroUsd,
    /// Total cost limit of the machine.
    pub budget: MicroUsd,
    /// Speed of the provider's clock.
    pub scale: Scale,
}

/// A variable that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// It is not set.
    #[error("{name} is not set; a rented machine needs it to know its deadline")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// Its value is invalid.
    #[error("{name} is `{value}`, and must be a whole number above 0")]
    Wrong {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
    },
}

impl Environment {
    /// Reads the variables through `lookup`, such as [`std::env::var`].
    ///
    /// # Errors
    /// If one is missing or not a whole number above 0.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let seconds =
            |name| Ok::<_, EnvironmentError>(Duration::from_secs(number::<u32>(&lookup, name)?.into()));
        let money = |name| number::<i64>(&lookup, name).map(MicroUsd);
        let deadline: i64 = number(&lookup, env::DEADLINE)?;
        let wrong = |name, value: i64| EnvironmentError::Wrong {
            name,
            value: value.to_string(),
        };
        Ok(Self {
            deadline: DateTime::from_timestamp_secs(deadline)
                .ok_or_else(|| wrong(env::DEADLINE, deadline))?,
            boot_grace: seconds(env::BOOT_GRACE)?,
            stop: seconds(env::STOP)?,
            rate: money(env::RATE)?,
            budget: money(env::BUDGET)?,
            scale: Self::scale(&lookup)?,
        })
    }

    /// How fast the provider's clock runs; as fast as the real one when nobody says otherwise.
    ///
    /// # Errors
    /// If the variable is set to something that is no whole number above 0.
    pub fn scale(lookup: impl Fn(&str) -> Option<String>) -> Result<Scale, EnvironmentError> {
        if lookup(env::TIME_SCALE).is_none() {
            return Ok(Scale::REAL);
        }
        let factor = number(&lookup, env::TIME_SCALE)?;
        Ok(Scale::new(factor).unwrap_or_default())
    }
}

fn number<T: FromStr + PartialOrd + From<u8>>(
    lookup: &impl Fn(&str) -> Option<String>,
    name: &'static str,
) -> Result<T, EnvironmentError> {
    let value = lookup(name).ok_or(EnvironmentError::Missing { name })?;
    let is_digits = value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse() {
        Ok(number) if is_digits && number > T::from(0) => Ok(number),
        _ => Err(EnvironmentError::Wrong { name, value }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use protocol::spend::env;

    use super::{Environment, EnvironmentError};

    fn variables() -> BTreeMap<&'static str, String> {
        let all = [
            (env::DEADLINE, "1800000000"),
            (env::BOOT_GRACE, "600"),
            (env::STOP, "300"),
            (env::RATE, "440000"),
            (env::BUDGET, "2000000"),
        ];
        all.map(|(name, value)| (name, value.to_owned())).into()
    }

    fn read(variables: &BTreeMap<&'static str, String>) -> Result<Environment, EnvironmentError> {
        Environment::read(|name| variables.get(name).cloned())
    }

    #[test]
    fn every_variable_is_needed_but_the_scale() {
        assert_eq!(read(&variables()).unwrap().deadline.timestamp(), 1_800_000_000);
        for name in variables().into_keys() {
            let mut without = variables();
            without.remove(name);
            assert_eq!(read(&without), Err(EnvironmentError::Missing { name }));
        }
    }

    #[test]
    fn what_is_no_number_above_0_is_named() {
        for name in [
            env::DEADLINE,
            env::BOOT_GRACE,
            env::STOP,
            env::RATE,
            env::BUDGET,
            env::TIME_SCALE,
        ] {
            for value in [
                "",
                "0",
                "-5",
                "+5",
                "1.5",
                " 7",
                "9999999999999999999999",
                "{{ SECRET }}",
            ] {
                let mut wrong = variables();
                wrong.insert(name, value.to_owned());
                let err = read(&wrong).unwrap_err().to_string();
                assert!(err.starts_with(name), "{err}");
            }
        }
    }
}
