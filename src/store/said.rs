//! What a request says, as bytes that its digest is made of.

use std::fmt::Display;

use serde::ser::{
    self, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// What a value says: nothing if it is absent, false or without content, so that a field which is added later changes nothing
/// as long as nobody uses it. Fields have their names, and come in the order of these, so that their order in the code is of no account.
pub(super) fn said(value: &impl Serialize) -> Vec<u8> {
    value.serialize(Said).unwrap_or_else(|Unsaid(problem)| {
        let mut bytes = Vec::new();
        framed(&mut bytes, problem.as_bytes());
        bytes
    })
}

/// Bytes after their length, so that `ab` and `c` are not `a` and `bc`.
pub(super) fn framed(into: &mut Vec<u8>, bytes: &[u8]) {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    into.extend_from_slice(&length.to_le_bytes());
    into.extend_from_slice(bytes);
}

/// A value of the host's that refuses to be serialised says why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unsaid(String);

impl ser::Error for Unsaid {
    fn custom<T: Display>(problem: T) -> Self {
        Self(problem.to_string())
    }
}

struct Said;

fn text(value: impl Display) -> Vec<u8> {
    let mut bytes = Vec::new();
    framed(&mut bytes, value.to_string().as_bytes());
    bytes
}

/// A variant, by its name, and what is in it.
fn variant(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = text(name);
    bytes.extend_from_slice(content);
    bytes
}

macro_rules! said_as_text {
    ($($method:ident: $type:ty),+ $(,)?) => {$(
        fn $method(self, value: $type) -> Result<Vec<u8>, Unsaid> {
            Ok(text(value))
        }
    )+};
}

impl Serializer for Said {
    type Ok = Vec<u8>;
    type Error = Unsaid;
    type SerializeSeq = Listed;
    type SerializeTuple = Listed;
    type SerializeTupleStruct = Listed;
    type SerializeTupleVariant = Listed;
    type SerializeMap = Named;
    type SerializeStruct = Named;
    type SerializeStructVariant = Named;

    said_as_text! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64, serialize_char: char, serialize_str: &str,
    }

    fn serialize_bool(self, value: bool) -> Result<Vec<u8>, Unsaid> {
        Ok(if value { text(value) } else { Vec::new() })
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Vec<u8>, Unsaid> {
        let mut bytes = Vec::new();
        framed(&mut bytes, value);
        Ok(bytes)
    }

    fn serialize_none(self) -> Result<Vec<u8>, Unsaid> {
        Ok(Vec::new())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Vec<u8>, Unsaid> {
        let said = value.serialize(Self)?;
        // `Some(false)` is not `None`.
        Ok(variant("some", &said))
    }

    fn serialize_unit(self) -> Result<Vec<u8>, Unsaid> {
        Ok(Vec::new())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Vec<u8>, Unsaid> {
        Ok(Vec::new())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
    ) -> Result<Vec<u8>, Unsaid> {
        Ok(variant(name, &[]))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Vec<u8>, Unsaid> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<Vec<u8>, Unsaid> {
        Ok(variant(name, &value.serialize(self)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Listed, Unsaid> {
        Ok(Listed::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<Listed, Unsaid> {
        Ok(Listed::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Listed, Unsaid> {
        Ok(Listed::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Listed, Unsaid> {
        Ok(Listed(text(name)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Named, Unsaid> {
        Ok(Named::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Named, Unsaid> {
        Ok(Named::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Named, Unsaid> {
        Ok(Named {
            before: text(name),
            ..Named::default()
        })
    }
}

/// Values by their places.
#[derive(Default)]
struct Listed(Vec<u8>);

impl Listed {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsaid> {
        framed(&mut self.0, &value.serialize(Said)?);
        Ok(())
    }
}

/// Values by their names; those that say nothing are left out.
#[derive(Default)]
struct Named {
    before: Vec<u8>,
    name: Vec<u8>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Named {
    fn add<T: Serialize + ?Sized>(&mut self, name: Vec<u8>, value: &T) -> Result<(), Unsaid> {
        let said = value.serialize(Said)?;
        if !said.is_empty() {
            self.fields.push((name, said));
        }
        Ok(())
    }

    fn finish(mut self) -> Vec<u8> {
        self.fields.sort_unstable();
        for (name, said) in &self.fields {
            framed(&mut self.before, name);
            framed(&mut self.before, said);
        }
        self.before
    }
}

macro_rules! listed {
    ($($part:ident: $method:ident),+ $(,)?) => {$(
        impl $part for Listed {
            type Ok = Vec<u8>;
            type Error = Unsaid;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsaid> {
                self.add(value)
            }

            fn end(self) -> Result<Vec<u8>, Unsaid> {
                Ok(self.0)
            }
        }
    )+};
}

listed! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! named {
    ($($part:ident),+ $(,)?) => {$(
        impl $part for Named {
            type Ok = Vec<u8>;
            type Error = Unsaid;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Unsaid> {
                self.add(name.as_bytes().to_vec(), value)
            }

            fn end(self) -> Result<Vec<u8>, Unsaid> {
                Ok(self.finish())
            }
        }
    )+};
}

named!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Named {
    type Ok = Vec<u8>;
    type Error = Unsaid;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unsaid> {
        self.name = key.serialize(Said)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsaid> {
        let name = std::mem::take(&mut self.name);
        self.add(name, value)
    }

    fn end(self) -> Result<Vec<u8>, Unsaid> {
        Ok(self.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::said;

    #[derive(Serialize)]
    struct Before {
        zero_uncounted: bool,
        notes: Option<&'static str>,
    }

    #[derive(Serialize)]
    struct After {
        notes: Option<&'static str>,
        skip: bool,
        limit: Option<u32>,
        kinds: Vec<u32>,
        zero_uncounted: bool,
        inner: Option<Inner>,
    }

    #[derive(Serialize)]
    struct Inner {
        flag: Option<bool>,
    }

    const BEFORE: Before = Before {
        zero_uncounted: true,
        notes: Some("a"),
    };

    fn after() -> After {
        After {
            notes: Some("a"),
            skip: false,
            limit: None,
            kinds: Vec::new(),
            zero_uncounted: true,
            inner: None,
        }
    }

    /// DESIGN's experiment: a field that is added later, and nobody uses yet, makes no honest retry another request.
    #[test]
    fn what_nobody_says_is_of_no_account() {
        assert_eq!(said(&BEFORE), said(&after()));
    }

    #[test]
    fn what_is_said_is_told_apart() {
        let changed = [
            After {
                skip: true,
                ..after()
            },
            After {
                limit: Some(0),
                ..after()
            },
            After {
                kinds: vec![0],
                ..after()
            },
            After {
                notes: Some(""),
                ..after()
            },
            After {
                notes: None,
                ..after()
            },
            After {
                zero_uncounted: false,
                ..after()
            },
            After {
                inner: Some(Inner { flag: None }),
                ..after()
            },
            After {
                inner: Some(Inner { flag: Some(false) }),
                ..after()
            },
            After {
                inner: Some(Inner { flag: Some(true) }),
                ..after()
            },
        ];
        let mut all: Vec<Vec<u8>> = changed.iter().map(said).collect();
        all.push(said(&after()));
        all.sort_unstable();
        let many = all.len();
        all.dedup();
        assert_eq!(all.len(), many);
        assert_ne!(said(&["ab", "c"]), said(&["a", "bc"]));
        assert_ne!(said(&(1, 2)), said(&(2, 1)));
        assert_ne!(
            said(&BTreeMap::from([("a", 1)])),
            said(&BTreeMap::from([("b", 1)]))
        );
    }
}
