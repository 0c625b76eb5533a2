//! The same resource in XML: the root is its class, fields are elements, entries of a list are named by the singular.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Writes a JSON text as XML. Numbers keep their digits.
pub(super) fn written(class: &str, json: &str) -> Option<String> {
    let mut writer = Writer::new(Vec::new());
    let declaration = BytesDecl::new("1.0", Some("UTF-8"), None);
    writer.write_event(Event::Decl(declaration)).ok()?;
    element(&mut writer, class, json)?;
    String::from_utf8(writer.into_inner()).ok()
}

fn element(writer: &mut Writer<Vec<u8>>, name: &str, json: &str) -> Option<()> {
    let json = json.trim();
    match json.as_bytes().first()? {
        b'{' => {
            let Fields(fields) = serde_json::from_str(json).ok()?;
            let inside = |writer: &mut Writer<Vec<u8>>| {
                fields
                    .iter()
                    .try_for_each(|(name, value)| element(writer, name, value.get()))
            };
            wrapped(writer, name, inside)
        }
        b'[' => {
            let entries: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            let singular = singular(name);
            wrapped(writer, name, |writer| {
                entries
                    .iter()
                    .try_for_each(|entry| element(writer, singular, entry.get()))
            })
        }
        b'"' => {
            let text: String = serde_json::from_str(json).ok()?;
            let text: String = text.chars().filter(|c| is_allowed(*c)).collect();
            let text = BytesText::new(&text);
            writer.create_element(name).write_text_content(text).ok()?;
            Some(())
        }
        b'n' => {
            writer.create_element(name).write_empty().ok()?;
            Some(())
        }
        _ => {
            let text = BytesText::new(json);
            writer.create_element(name).write_text_content(text).ok()?;
            Some(())
        }
    }
}

fn wrapped(
    writer: &mut Writer<Vec<u8>>,
    name: &str,
    inside: impl FnOnce(&mut Writer<Vec<u8>>) -> Option<()>,
) -> Option<()> {
    let mut whole = true;
    writer
        .create_element(name)
        .write_inner_content(|writer| {
            whole = inside(writer).is_some();
            Ok(())
        })
        .ok()?;
    whole.then_some(())
}

/// Whether XML 1.0 can hold a character at all.
const fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// What an entry of a list is called.
pub(super) fn singular(name: &str) -> &str {
    name.strip_suffix('s').unwrap_or(name)
}

/// The fields of an object in their order.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
