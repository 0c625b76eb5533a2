//! JSON numbers that never pass through a float.

use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use stocktake::documents::read_number;
use stocktake::domain::{Currency, DecimalError, Money, Quantity, UnitCost, Value, ValueSum};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// An exact number on its way out: its digits, of which there may be more than any number type has.
#[derive(Clone, Debug)]
pub(super) struct Number(String);

impl Number {
    /// An amount in major units, rounded once to the currency's minor unit.
    pub(super) fn rounded(value: ValueSum, currency: Currency) -> Self {
        value.to_money(currency).into()
    }

    /// So many minor units, in major units.
    pub(super) fn major(minor: impl Into<i128>, currency: Currency) -> Self {
        Money::new(minor.into(), currency).into()
    }

    /// A cost in minor units, exactly.
    pub(super) fn minor(cost: UnitCost, currency: Currency) -> Self {
        cost.in_minor_units(currency).into()
    }
}

/// Names what is written as a number.
macro_rules! numbers {
    ($($type:ty),+ $(,)?) => {$(
        impl From<$type> for Number {
            fn from(value: $type) -> Self {
                value.to_decimal().into()
            }
        }
    )+};
}

numbers!(Quantity, UnitCost, Value);

impl From<Money> for Number {
    fn from(money: Money) -> Self {
        let major = money.major();
        if major.contains('.') {
            Self(major.trim_end_matches('0').trim_end_matches('.').to_owned())
        } else {
            Self(major)
        }
    }
}

impl From<Decimal> for Number {
    fn from(value: Decimal) -> Self {
        Self(value.normalize().to_string())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.clone())
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

/// A quantity on its way in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given(pub(super) Quantity);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match read_number(raw.get()) {
            Ok(quantity) => Ok(Self(quantity)),
            Err(DecimalError::Syntax) => Err(D::Error::custom("a number is expected")),
            Err(error) => Err(D::Error::custom(error)),
        }
    }
}

/// A whole number on its way in; at most 10^12.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole(pub(super) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Given(quantity) = Given::deserialize(deserializer)?;
        i64::try_from(quantity.to_decimal())
            .ok()
            .filter(|_| quantity.is_whole())
            .map(Self)
            .ok_or_else(|| D::Error::custom("a whole number is expected"))
    }
}

/// The most, either way, of what comes in.
const MOST: f64 = 1e12;

/// How a number is described; with bounds, when it comes in.
fn schema_of(kind: Type, most: Option<f64>) -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(kind);
    let schema = schema.minimum(most.map(|most| -most)).maximum(most);
    schema.build().into()
}

/// Names what is described as a plain number.
macro_rules! described {
    ($($type:ty: $kind:expr, $most:expr;)+) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                schema_of($kind, $most)
            }
        }

        impl ToSchema for $type {}
    )+};
}

described! {
    Number: Type::Number, None;
    Given: Type::Number, Some(MOST);
    Whole: Type::Integer, Some(MOST);
}
