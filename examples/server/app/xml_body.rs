//! Bodies in XML, as answers are written in it ([`xml`](super::xml)): the root is the resource's class, fields are elements,
//! entries of a list are named by the singular, and an element without content is null. It becomes the JSON that says the same.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};
use serde_json::{Map, Value};

use super::xml::singular;

/// How deep elements nest in any class of the document, and a few more.
const DEEPEST: usize = 8;

/// The lists of the document's classes.
const LISTS: [&str; 2] = ["articles", "accounts"];

/// The fields of the document that are no texts: XML does not tell, so their names do.
const NO_TEXTS: [&str; 9] = [
    "addToExisting",
    "addedAmount",
    "annualAccount",
    "countedAt",
    "dueDate",
    "itemsLeft",
    "itemsTotal",
    "stockValue",
    "stockValueFIFO",
];

/// An element that is being read.
struct Open {
    name: String,
    text: String,
    inside: Vec<(String, Value)>,
}

/// Reads a body as the JSON that says the same.
///
/// # Errors
///
/// What is wrong with it, in words.
pub(super) fn as_json(body: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        let closed = match event {
            Event::Start(start) => {
                if open.len() >= DEEPEST {
                    return Err(format!("elements nest at most {DEEPEST} deep"));
                }
                open.push(Open {
                    name: start.name().0.to_owned(),
                    text: String::new(),
                    inside: Vec::new(),
                });
                None
            }
            Event::Empty(empty) => Some((empty.name().0.to_owned(), Value::Null)),
            Event::End(_) => open.pop().map(closed).transpose()?,
            Event::Text(text) => {
                add(&mut open, &text)?;
                None
            }
            Event::CData(text) => {
                add(&mut open, &text)?;
                None
            }
            Event::GeneralRef(reference) => {
                add(&mut open, &meant(&reference)?)?;
                None
            }
            Event::DocType(_) => return Err("a document type is not read".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => None,
            Event::Eof => break,
        };
        match (closed, open.last_mut()) {
            (Some(field), Some(parent)) => parent.inside.push(field),
            (Some((_, value)), None) if root.is_none() => root = Some(value),
            (Some(_), None) => return Err("there are two roots".to_owned()),
            (None, _) => (),
        }
    }
    match root {
        Some(Value::Null) => Ok("{}".to_owned()),
        Some(object @ Value::Object(_)) if open.is_empty() => Ok(object.to_string()),
        Some(_) | None => Err("one element with fields is expected".to_owned()),
    }
}

fn add(open: &mut [Open], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => (),
        None => return Err("there is text outside of the root".to_owned()),
    }
    Ok(())
}

/// The text that a reference stands for.
fn meant(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = reference
        .resolve_char_ref()
        .map_err(|error| error.to_string())?
    {
        return Ok(character.to_string());
    }
    let text = match &**reference {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        other => return Err(format!("&{other}; stands for nothing")),
    };
    Ok(text.to_owned())
}

/// What an element comes to.
fn closed(element: Open) -> Result<(String, Value), String> {
    let Open { name, text, inside } = element;
    if LISTS.contains(&name.as_str()) {
        let entries = inside.into_iter().map(|(of, entry)| {
            if of == singular(&name) {
                Ok(entry)
            } else {
                Err(format!("{name} has entries {}, not {of}", singular(&name)))
            }
        });
        return Ok((
            name.clone(),
            Value::Array(entries.collect::<Result<_, _>>()?),
        ));
    }
    if inside.is_empty() {
        // What is no number or flag stays a text, and is refused as one.
        let literal = NO_TEXTS.contains(&name.as_str());
        let literal = literal.then(|| serde_json::from_str(text.trim()).ok());
        return Ok((name, literal.flatten().unwrap_or(Value::String(text))));
    }
    if !text.trim().is_empty() {
        return Err(format!("{name} has text beside its fields"));
    }
    let mut fields = Map::new();
    for (field, value) in inside {
        if fields.insert(field.clone(), value).is_some() {
            return Err(format!("{field} stands there twice"));
        }
    }
    Ok((name, Value::Object(fields)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let json = r#"{"addedAmount":7.5,"annualAccount":true,"articles":["SKU-1","a<b & \"c\""],"description":"","dueDate":null,"name":"7"}"#;
        let xml = super::super::xml::written("Stocktake", json).unwrap();
        let read: Value = serde_json::from_str(&as_json(xml.as_bytes()).unwrap()).unwrap();
        assert_eq!(read, serde_json::from_str::<Value>(json).unwrap());
    }

    #[test]
    fn what_is_no_such_body_is_refused() {
        for wrong in [
            "",
            "7",
            "<a>",
            "<a></b>",
            "<a/><a/>",
            "<a>text</a>",
            "<a><b>1</b><b>2</b></a>",
            "<a><b>1</b>text</a>",
            "<a>&unknown;</a>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "<a><articles><other>1</other></articles></a>",
            &"<a>".repeat(5_000),
        ] {
            assert!(as_json(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
