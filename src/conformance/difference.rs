//! Where two things differ, in few words: found in what their `Debug` texts say.

use std::fmt::Debug;

/// How much of a text is shown.
const MOST: usize = 170;

/// Where a text differs, this much of what comes before is shown.
const BEFORE: usize = 40;

/// A `Debug` text, taken apart: `Name { field: value }`, `Name(value)`, `[value]` and `{value}`; anything else as it is.
#[derive(Clone, Copy, Debug)]
struct Text<'a>(&'a str);

/// What a text is made of: its name and its bracket, and the parts, each with the name of its field, if it has one.
struct Parts<'a> {
    head: &'a str,
    parts: Vec<(&'a str, Text<'a>)>,
}

impl<'a> Text<'a> {
    /// The parts; none of a text that is not made of any.
    fn parts(self) -> Option<Parts<'a>> {
        let begin = self.0.find(['{', '(', '['])?;
        if self.0.starts_with(['"', '\'']) || !self.0.ends_with(['}', ')', ']']) {
            return None;
        }
        let inner = self.0.get(begin + 1..self.0.len() - 1)?;
        let parts = split(inner, ",").into_iter().filter(|it| !it.is_empty());
        let named = parts.map(|part| match split(part, ": ").as_slice() {
            [name, _, ..] => (*name, Text(part[name.len() + 1..].trim())),
            _ => ("", Text(part)),
        });
        Some(Parts {
            head: &self.0[..=begin],
            parts: named.collect(),
        })
    }
}

/// Splits a text where brackets and quotes are closed.
fn split<'a>(text: &'a str, by: &str) -> Vec<&'a str> {
    let (mut depth, mut quote, mut escaped) = (0_u32, None, false);
    let (mut all, mut begin) = (Vec::new(), 0);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (None, '"') => quote = Some(character),
            (None, '{' | '(' | '[') => depth += 1,
            (None, '}' | ')' | ']') => depth = depth.saturating_sub(1),
            (None, _) if depth == 0 && at >= begin && text[at..].starts_with(by) => {
                all.push(text[begin..at].trim());
                begin = at + by.len();
            }
            (_, _) => {}
        }
    }
    all.push(text[begin..].trim());
    all
}

/// Where the first difference is, what was expected there and what was found.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    path: String,
    expected: String,
    found: String,
}

impl Difference {
    /// Between two texts that differ.
    fn of(expected: Text<'_>, found: Text<'_>) -> Self {
        let (Some(one), Some(other)) = (expected.parts(), found.parts()) else {
            return Self::here(expected, found);
        };
        if one.head != other.head {
            return Self::here(expected, found);
        }
        let is_list = one.head.starts_with(['[', '{']);
        let nothing = |parts: &Parts<'_>| format!("nothing ({} in all)", parts.parts.len());
        let most = one.parts.len().max(other.parts.len());
        for nth in 0..most {
            let mut deeper = match (one.parts.get(nth), other.parts.get(nth)) {
                (Some((name, due)), Some((found_name, was))) => {
                    if name != found_name {
                        return Self::here(expected, found);
                    }
                    if due.0 == was.0 {
                        continue;
                    }
                    Self::of(*due, *was)
                }
                (Some((_, due)), None) => Self {
                    path: String::new(),
                    expected: cropped(due.0, 0),
                    found: nothing(&other),
                },
                (None, Some((_, was))) => Self {
                    path: String::new(),
                    expected: nothing(&one),
                    found: cropped(was.0, 0),
                },
                (None, None) => continue,
            };
            let name = one.parts.get(nth).map_or("", |(name, _)| *name);
            let step = match name {
                "" if is_list || most > 1 => format!("[{nth}]"),
                "" => String::new(),
                name => format!(".{name}"),
            };
            deeper.path.insert_str(0, &step);
            return deeper;
        }
        Self::here(expected, found)
    }

    fn here(expected: Text<'_>, found: Text<'_>) -> Self {
        let mut pairs = expected.0.char_indices().zip(found.0.chars());
        let differs = pairs
            .find(|((_, due), was)| due != was)
            .map_or(expected.0.len().min(found.0.len()), |((at, _), _)| at);
        Self {
            path: String::new(),
            expected: cropped(expected.0, differs),
            found: cropped(found.0, differs),
        }
    }
}

/// So much of a text as is shown, around a place of it.
fn cropped(text: &str, around: usize) -> String {
    if text.len() <= MOST {
        return text.to_owned();
    }
    let begin = text.floor_char_boundary(around.saturating_sub(BEFORE));
    let end = text.floor_char_boundary((begin + MOST).min(text.len()));
    let before = if begin > 0 { "\u{2026}" } else { "" };
    let after = if end < text.len() { "\u{2026}" } else { "" };
    format!("{before}{}{after}", &text[begin..end])
}

/// What differs between two `Debug` texts, on three lines; on two if they are not made of parts.
pub(super) fn told(expected: &str, found: &str) -> String {
    let it = Difference::of(Text(expected), Text(found));
    let path = it.path.trim_start_matches('.');
    let place = if path.is_empty() {
        String::new()
    } else {
        format!("differs: {}\n", cropped(path, path.len()))
    };
    format!("{place}expected: {}\nfound: {}", it.expected, it.found)
}

/// A thing in short: without fields that are empty, and without the zeros that the suite's ids begin with.
pub(super) fn in_short(thing: &impl Debug) -> String {
    abridged(Text(&format!("{thing:?}")))
}

fn abridged(text: Text<'_>) -> String {
    const ZEROS: &str = "00000000-0000-0000-0000-";
    let Some(Parts { head, parts }) = text.parts() else {
        return match text.0.strip_prefix(ZEROS) {
            Some(id) => format!("\u{2026}{}", id.trim_start_matches('0')),
            None => text.0.to_owned(),
        };
    };
    let is_empty = |text: &str| matches!(text, "None" | "{}" | "[]" | "false");
    let parts = parts.iter().filter(|(_, part)| !is_empty(part.0));
    let shown: Vec<String> = parts
        .map(|(name, part)| match *name {
            "" => abridged(*part),
            name => format!("{name}: {}", abridged(*part)),
        })
        .collect();
    let end = &text.0[text.0.len() - 1..];
    format!("{head}{}{end}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by its text")]
    struct Line {
        name: Option<&'static str>,
        tags: BTreeSet<&'static str>,
        price: (i64, Option<i64>),
    }

    fn line(name: &'static str, price: i64) -> Line {
        Line {
            name: Some(name),
            tags: BTreeSet::new(),
            price: (price, None),
        }
    }

    #[test]
    fn the_field_that_differs_is_named() {
        let text = |lines: &[Line]| format!("{:?}", Some(lines));
        let tea = || line("tea, {loose} \"a\": b", 5);
        for (expected, found, told_so) in [
            (
                text(&[tea(), line("oil", 2)]),
                text(&[tea(), line("oil", 3)]),
                "differs: [1].price[0]\nexpected: 2\nfound: 3",
            ),
            (
                text(&[tea()]),
                text(&[line("ink", 5)]),
                "differs: [0].name\nexpected: \"tea, {loose} \\\"a\\\": b\"\nfound: \"ink\"",
            ),
            (
                text(&[tea(), line("x", 1)]),
                text(&[tea()]),
                "differs: [1]\nexpected: Line { name: Some(\"x\"), tags: {}, price: (1, None) }\nfound: nothing (1 in all)",
            ),
            (
                "Some(1)".into(),
                "None".into(),
                "expected: Some(1)\nfound: None",
            ),
            ("1".into(), "2".into(), "expected: 1\nfound: 2"),
            (String::new(), "(".into(), "expected: \nfound: ("),
        ] {
            assert_eq!(told(&expected, &found), told_so);
        }
        let map = |n| format!("{:?}", BTreeMap::from([("a", 1), ("b", n)]));
        assert_eq!(
            told(&map(2), &map(3)),
            "differs: \"b\"\nexpected: 2\nfound: 3"
        );
    }

    #[test]
    fn long_texts_are_shown_where_they_differ() {
        let long = |end: &str| format!("\"{}{end}{}\"", "\u{e9}".repeat(900), "z".repeat(900));
        let told = told(&long("yes"), &long("no"));
        assert!(told.contains("yes") && told.contains("no"), "{told}");
        assert!(told.len() < 450, "{}", told.len());
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let id = uuid::Uuid::from_u128(0x7A);
        let text = in_short(&(id, line("a", 1)));
        assert_eq!(text, "(\u{2026}7a, Line {name: Some(\"a\"), price: (1)})");
    }
}
