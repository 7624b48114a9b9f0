//! The types that a hyperparameter may have.

use super::{Range, Value};

/// A type of hyperparameters.
pub trait Hyperparameter: Sized {
    /// As a person may write it, before anything is checked.
    type Raw;
    /// As a default is written in the table.
    type Constant;

    /// The value of a default.
    fn of(constant: Self::Constant) -> Self;

    /// Takes a value that is within the range.
    ///
    /// # Errors
    /// With what would be right.
    fn parse(raw: Self::Raw, range: &Range) -> Result<Self, String>;

    /// The value without its type.
    fn value(&self) -> Value<'_>;
}

/// An enum whose values are words in a recipe.
pub trait Words: Copy + 'static {
    /// All of them.
    const WORDS: &'static [&'static str];
    /// All values, in the same order.
    const ALL: &'static [Self];

    /// The word of a value.
    fn word(self) -> &'static str;
}

impl<T: Words> Hyperparameter for T {
    type Raw = Self;
    type Constant = Self;

    fn of(constant: Self) -> Self {
        constant
    }

    fn parse(raw: Self, range: &Range) -> Result<Self, String> {
        range.check(raw.value())?;
        Ok(raw)
    }

    fn value(&self) -> Value<'_> {
        Value::Text(self.word())
    }
}

macro_rules! whole {
    ($($Type:ty),+) => { $(
        impl Hyperparameter for $Type {
            // Wide enough to say what is wrong with a number that does not fit.
            type Raw = i64;
            type Constant = Self;

            fn of(constant: Self) -> Self {
                constant
            }

            fn parse(raw: i64, range: &Range) -> Result<Self, String> {
                range.check(Value::Whole(raw))?;
                Self::try_from(raw).map_err(|_| format!("must be from {} to {}, not {raw}", Self::MIN, Self::MAX))
            }

            fn value(&self) -> Value<'_> {
                Value::Whole(i64::from(*self))
            }
        }
    )+ };
}

whole!(u16, u32);

impl Hyperparameter for f64 {
    type Raw = Self;
    type Constant = Self;

    fn of(constant: Self) -> Self {
        constant
    }

    fn parse(raw: Self, range: &Range) -> Result<Self, String> {
        range.check(Value::Number(raw))?;
        Ok(raw)
    }

    fn value(&self) -> Value<'_> {
        Value::Number(*self)
    }
}

impl Hyperparameter for bool {
    type Raw = Self;
    type Constant = Self;

    fn of(constant: Self) -> Self {
        constant
    }

    fn parse(raw: Self, range: &Range) -> Result<Self, String> {
        range.check(Value::Switch(raw))?;
        Ok(raw)
    }

    fn value(&self) -> Value<'_> {
        Value::Switch(*self)
    }
}

impl Hyperparameter for String {
    type Raw = Self;
    type Constant = &'static str;

    fn of(constant: &'static str) -> Self {
        constant.to_owned()
    }

    fn parse(raw: Self, range: &Range) -> Result<Self, String> {
        range.check(Value::Text(&raw))?;
        Ok(raw)
    }

    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Hyperparameter for Vec<String> {
    type Raw = Self;
    type Constant = &'static [&'static str];

    fn of(constant: &'static [&'static str]) -> Self {
        constant.iter().map(|&text| text.to_owned()).collect()
    }

    fn parse(raw: Self, range: &Range) -> Result<Self, String> {
        range.check(Value::List(&raw))?;
        Ok(raw)
    }

    fn value(&self) -> Value<'_> {
        Value::List(self)
    }
}
