//! Values of any kind, with every field filled.
//!
//! What is stored can be deserialised, so a deserialiser that makes its input up fills every field of every kind,
//! also those that are private and those that are added one day. It tells numbers from texts by the names of the
//! fields.

use std::str::FromStr;

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use uuid::Uuid;

use super::edges::{
    DECIMALS, NEAR_TEXTS, SIGNED_DECIMALS, SIGNED_FIELDS, TEXT_FIELDS, TEXTS, VALUE_FIELDS, VALUES,
};
use super::samples::ORGANISATION;
use super::seed::Seed;
use crate::domain::{Code, DecimalError, Quantity, StockKey, Value};

/// How much is filled, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filling {
    /// Everything there is, each value at the edge of its range.
    Full,
    /// Nothing that may be missing.
    Bare,
    /// Now this, now that, out of few values, so that records meet.
    Mixed,
}

/// The id of a field that must be this one, by the field's path (`id`, `key.site`).
pub(super) type Fixed<'a> = (&'a str, Uuid);

/// Makes values up.
#[derive(Debug)]
pub(super) struct Sampler {
    pub(super) seed: Seed,
    filling: Filling,
}

impl Sampler {
    pub(super) const fn new(seed: u64, filling: Filling) -> Self {
        Self {
            seed: Seed::new(seed),
            filling,
        }
    }

    /// A value with some fields as they must be.
    ///
    /// # Errors
    ///
    /// None but that of a kind that can't be made up: the suite's own mistake.
    pub(super) fn make<T: DeserializeOwned>(&mut self, fixed: &[Fixed<'_>]) -> Result<T, Error> {
        self.made(fixed, None)
    }

    /// A value whose field `key` is this key.
    ///
    /// # Errors
    ///
    /// As [`make`](Self::make).
    pub(super) fn make_of<T: DeserializeOwned>(&mut self, key: &StockKey) -> Result<T, Error> {
        let ids = [
            ("key.site", key.site.as_uuid()),
            ("key.product", key.product.as_uuid()),
        ];
        self.made(&ids, Some(key))
    }

    fn made<T: DeserializeOwned>(
        &mut self,
        fixed: &[Fixed<'_>],
        key: Option<&StockKey>,
    ) -> Result<T, Error> {
        let mut path = Vec::new();
        T::deserialize(Source {
            sampler: self,
            fixed,
            key,
            path: &mut path,
        })
    }

    fn is_there(&mut self) -> bool {
        match self.filling {
            Filling::Full => true,
            Filling::Bare => false,
            Filling::Mixed => self.seed.one_in(2),
        }
    }

    fn one_of<T: Copy + Default>(&mut self, edges: &[T], near: &[T]) -> T {
        let from = match self.filling {
            Filling::Full | Filling::Bare => edges,
            Filling::Mixed => near,
        };
        self.seed.pick(from).copied().unwrap_or_default()
    }

    fn text(&mut self, field: &str) -> &'static str {
        if TEXT_FIELDS.contains(&field) {
            self.one_of(TEXTS, NEAR_TEXTS)
        } else if SIGNED_FIELDS.contains(&field) {
            self.one_of(SIGNED_DECIMALS, &["-2", "0", "1", "2.5"])
        } else if VALUE_FIELDS.contains(&field) {
            self.one_of(VALUES, &["-2.25", "0", "1", "7.0000000001"])
        } else {
            self.one_of(DECIMALS, &["0", "1", "2", "2.5"])
        }
    }
}

/// The input that is made up, at one place of it.
struct Source<'a, 'f> {
    sampler: &'a mut Sampler,
    fixed: &'f [Fixed<'f>],
    /// What the field `key` must be.
    key: Option<&'f StockKey>,
    path: &'a mut Vec<&'static str>,
}

impl<'f> Source<'_, 'f> {
    /// A part of the key that must be what it is; it may have to be missing.
    fn key_part(&self) -> Option<&'f Option<Code>> {
        let key = self.key?;
        match self.path.as_slice() {
            ["key", "variant"] => Some(&key.variant),
            ["key", "place"] => Some(&key.place),
            ["key", "batch"] => Some(&key.batch),
            ["key", "serial"] => Some(&key.serial),
            _ => None,
        }
    }

    fn again(&mut self) -> Source<'_, 'f> {
        Source {
            sampler: self.sampler,
            fixed: self.fixed,
            key: self.key,
            path: self.path,
        }
    }

    fn field(&self) -> &'static str {
        self.path.last().copied().unwrap_or_default()
    }

    fn id(&mut self) -> Uuid {
        if self.field() == "organisation" {
            return ORGANISATION.as_uuid();
        }
        let path = self.path.join(".");
        let fixed = self.fixed.iter().find(|(of, _)| *of == path);
        match (fixed, self.sampler.filling) {
            (Some((_, id)), _) => *id,
            (None, Filling::Mixed) => Uuid::from_u128(u128::from(1 + self.sampler.seed.below(4))),
            (None, Filling::Full | Filling::Bare) => {
                let high = u128::from(self.sampler.seed.below(u64::MAX));
                Uuid::from_u128((high << 64) | u128::from(self.sampler.seed.below(u64::MAX)))
            }
        }
    }

    fn count(&mut self) -> u32 {
        match self.sampler.filling {
            Filling::Full => 2,
            Filling::Bare => 0,
            Filling::Mixed => u32::from(self.sampler.seed.one_in(2)),
        }
    }

    fn integer(&mut self) -> i64 {
        if self.field().ends_with("minor") {
            let edges = [i64::MIN, -1, 0, 1, i64::MAX];
            return self.sampler.one_of(&edges, &[-250, -1, 0, 1, 99]);
        }
        // A moment, in microseconds: years -262142, 1, 1969, 1970, 2026 and 262142.
        let edges = [
            -8_334_600_000_000_000_000,
            -62_135_596_800_000_000,
            -1,
            0,
            1,
            1_767_603_600_000_001,
            8_210_260_000_000_000_000,
        ];
        let near = [-1, 0, 1, 1_000_000, 2_000_000];
        self.sampler.one_of(&edges, &near)
    }
}

fn read<T: FromStr<Err = DecimalError>>(decimal: &str) -> Result<T, Error> {
    decimal.parse().map_err(Error::custom)
}

/// Forwards what is the same for numbers of several widths.
macro_rules! numbers {
    ($($method:ident $visit:ident: $type:ty, $edges:expr, $near:expr;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let edges: &[$type] = &$edges;
            let near: &[$type] = &$near;
            visitor.$visit(self.sampler.one_of(edges, near))
        }
    )+};
}

impl<'de> Deserializer<'de> for Source<'_, '_> {
    type Error = Error;

    /// Ids come as bytes, so that they are told from texts.
    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a kind that describes itself"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.sampler.seed.one_in(2))
    }

    fn deserialize_i64<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(self.integer())
    }

    numbers! {
        deserialize_i8 visit_i8: i8, [i8::MIN, 0, i8::MAX], [0, 1];
        deserialize_i16 visit_i16: i16, [i16::MIN, 0, i16::MAX], [0, 1];
        deserialize_i32 visit_i32: i32, [i32::MIN, -1, 0, i32::MAX], [-1, 0, 1];
        deserialize_i128 visit_i128: i128, [-(1 << 100) - 1, -(1 << 63), 0, 1 << 64, 1 << 100], [-250, -1, 0, 1, 99];
        deserialize_u8 visit_u8: u8, [0, 1, u8::MAX], [0, 1];
        deserialize_u16 visit_u16: u16, [0, 1, u16::MAX], [0, 1];
        deserialize_u32 visit_u32: u32, [0, 1, u32::MAX], [0, 1, 2];
        // Counters go up to what a signed number holds.
        deserialize_u64 visit_u64: u64, [0, 1, 1 << 53 | 1, i64::MAX.unsigned_abs()], [0, 1, 2, 3];
    }

    fn deserialize_f32<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("nothing is kept in floating point"))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("nothing is kept in floating point"))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_char('x')
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(Some(part)) = self.key_part() {
            return visitor.visit_str(part.as_str());
        }
        let field = self.field();
        // The only texts among unit costs are the currencies that they are in.
        if field == "currency" || field == "unit_costs" {
            let currency = self.sampler.one_of(&["gbp", "jpy", "kwd"], &["gbp"]);
            return visitor.visit_str(currency);
        }
        visitor.visit_str(self.sampler.text(field))
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let id = self.id();
        visitor.visit_bytes(id.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let is_there = match self.key_part() {
            Some(part) => part.is_some(),
            None => self.sampler.is_there(),
        };
        if is_there {
            visitor.visit_some(self)
        } else {
            visitor.visit_none()
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    /// Decimals are whole numbers under the names of their types.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let field = self.field();
        match name {
            "Quantity" | "UnitCost" => {
                let number: Quantity = read(self.sampler.text(field))?;
                visitor.visit_newtype_struct(number.micros().into_deserializer())
            }
            "Value" => {
                let value: Value = read(self.sampler.text(field))?;
                visitor.visit_newtype_struct(value.units().into_deserializer())
            }
            "ValueSum" => {
                let value: Value = read(self.sampler.text(field))?;
                visitor.visit_newtype_struct(value.to_string().into_deserializer())
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let left = self.count();
        visitor.visit_seq(Several { source: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let left = u32::try_from(length).map_err(Error::custom)?;
        visitor.visit_seq(Several { source: self, left })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let left = self.count();
        visitor.visit_map(Several { source: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Fields {
            source: self,
            fields,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let variant = self.sampler.seed.pick(variants).copied();
        let variant = variant.ok_or_else(|| Error::custom("an enum without variants"))?;
        visitor.visit_enum(Chosen {
            source: self,
            variant,
        })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a name where a value is due"))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// The elements of a list, or the entries of a map.
struct Several<'a, 'f> {
    source: Source<'a, 'f>,
    left: u32,
}

impl Several<'_, '_> {
    fn is_more(&mut self) -> bool {
        let is_more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_more
    }
}

impl<'de> SeqAccess<'de> for Several<'_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let is_more = self.is_more();
        is_more
            .then(|| seed.deserialize(self.source.again()))
            .transpose()
    }
}

impl<'de> MapAccess<'de> for Several<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        // Unit costs by currency are costs; whatever else is kept by a name is a value.
        if self.source.field() == "unit_costs" {
            return seed.deserialize(self.source.again());
        }
        self.source.path.push("value_change");
        let value = seed.deserialize(self.source.again());
        self.source.path.pop();
        value
    }
}

/// The fields of a record, in their order.
struct Fields<'a, 'f> {
    source: Source<'a, 'f>,
    fields: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((field, rest)) = self.fields.split_first() else {
            return Ok(None);
        };
        self.fields = rest;
        self.source.path.push(field);
        let name: StrDeserializer<'_, Error> = (*field).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = seed.deserialize(self.source.again());
        self.source.path.pop();
        value
    }
}

/// A variant and what is in it.
struct Chosen<'a, 'f> {
    source: Source<'a, 'f>,
    variant: &'static str,
}

impl<'de, 'a, 'f> EnumAccess<'de> for Chosen<'a, 'f> {
    type Error = Error;
    type Variant = Inside<'a, 'f>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Inside<'a, 'f>), Error> {
        let name: StrDeserializer<'_, Error> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, Inside(self.source)))
    }
}

struct Inside<'a, 'f>(Source<'a, 'f>);

impl<'de> VariantAccess<'de> for Inside<'_, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_struct("", fields, visitor)
    }
}
