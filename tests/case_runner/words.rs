//! Reading the words of a case, and remembering which were read: a field that nobody reads has no counterpart.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use stocktake::domain::{DecimalError, Quantity, UnitCost, Value as Worth};

use super::trouble::{Refusal, Tried, Trouble};

/// Fields that say something to the reader of a case, and nothing to its player.
const REMARKS: &[&str] = &[
    "op", "check", "note", "notes", "detail", "comment", "source", "derived", "requires",
];

/// One object of a case: a fact, a step, a check, or a line of one.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    object: Map<String, Value>,
    path: String,
    read: Rc<RefCell<BTreeSet<String>>>,
}

impl Words {
    pub(crate) fn of(value: &Value) -> Tried<Self> {
        let object = value
            .as_object()
            .ok_or_else(|| Trouble::Broken(format!("not an object: {value}")))?;
        Ok(Self {
            object: object.clone(),
            path: String::new(),
            read: Rc::default(),
        })
    }

    fn get(&self, field: &str) -> Option<&Value> {
        self.read
            .borrow_mut()
            .insert(format!("{}{field}", self.path));
        self.object.get(field).filter(|value| !value.is_null())
    }

    fn broken<T>(&self, field: &str, expected: &str) -> Tried<T> {
        Err(Trouble::Broken(format!(
            "`{}{field}` is not {expected}",
            self.path
        )))
    }

    /// Whether the field stands there, null or not.
    pub(crate) fn names(&self, field: &str) -> bool {
        self.object.contains_key(field)
    }

    /// Whether the field stands there and is null.
    pub(crate) fn is_null(&self, field: &str) -> bool {
        self.names(field) && self.get(field).is_none()
    }

    /// The value as it is.
    pub(crate) fn raw(&self, field: &str) -> Option<Value> {
        self.get(field).cloned()
    }

    /// A field that a request can't do without. The library's types demand it, so that a host which has none refuses
    /// the request itself.
    fn missing<T>(&self, field: &str, codes: &[&'static str]) -> Tried<T> {
        Err(Trouble::Refused(Refusal {
            codes: codes.to_vec(),
            told: format!("`{}{field}` is missing", self.path),
            while_reading: true,
            ..Refusal::default()
        }))
    }

    /// A text; numbers and flags are texts too.
    pub(crate) fn text(&self, field: &str) -> Tried<Option<String>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(_) => self.broken(field, "a text"),
        }
    }

    /// A text that must be there.
    pub(crate) fn need(&self, field: &str) -> Tried<String> {
        match self.text(field)? {
            Some(text) => Ok(text),
            None => self.missing(field, &["validation"]),
        }
    }

    /// A text under one of several names.
    pub(crate) fn either(&self, fields: &[&str]) -> Tried<Option<String>> {
        for field in fields {
            if self.names(field) {
                return self.text(field);
            }
        }
        Ok(None)
    }

    /// Anything that the library reads from text. What it can't read it refuses.
    fn parsed<T: std::str::FromStr<Err = DecimalError>>(&self, field: &str) -> Tried<Option<T>> {
        match self.text(field)? {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(Trouble::unreadable),
        }
    }

    pub(crate) fn quantity(&self, field: &str) -> Tried<Option<Quantity>> {
        self.parsed(field)
    }

    pub(crate) fn need_quantity(&self, field: &str) -> Tried<Quantity> {
        match self.quantity(field)? {
            Some(quantity) => Ok(quantity),
            None => self.missing(field, &["validation", "invalid_quantity"]),
        }
    }

    pub(crate) fn cost(&self, field: &str) -> Tried<Option<UnitCost>> {
        self.parsed(field)
    }

    /// What goods are worth together, under one of several names.
    pub(crate) fn worth(&self, fields: &[&str]) -> Tried<Option<Worth>> {
        match fields.iter().find(|field| self.names(field)) {
            Some(field) => self.parsed(field),
            None => Ok(None),
        }
    }

    /// A number to compare with, which the library never sees.
    pub(crate) fn decimal(&self, field: &str) -> Tried<Option<Decimal>> {
        match self.text(field)?.map(|text| text.parse::<Decimal>()) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => self.broken(field, "a number"),
        }
    }

    pub(crate) fn need_decimal(&self, field: &str) -> Tried<Decimal> {
        match self.decimal(field)? {
            Some(number) => Ok(number),
            None => self.broken(field, "there"),
        }
    }

    pub(crate) fn whole(&self, field: &str) -> Tried<Option<i64>> {
        match self.text(field)?.map(|text| text.parse::<i64>()) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => self.broken(field, "a whole number"),
        }
    }

    /// The number of a step.
    pub(crate) fn step(&self, field: &str) -> Tried<Option<usize>> {
        match self.whole(field)?.map(usize::try_from) {
            None => Ok(None),
            Some(Ok(step)) => Ok(Some(step)),
            Some(Err(_)) => self.broken(field, "a step"),
        }
    }

    pub(crate) fn need_step(&self, field: &str) -> Tried<usize> {
        match self.step(field)? {
            Some(step) => Ok(step),
            None => self.broken(field, "there"),
        }
    }

    pub(crate) fn flag(&self, field: &str) -> Tried<Option<bool>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => self.broken(field, "a flag"),
        }
    }

    pub(crate) fn list(&self, field: &str) -> Tried<Option<Vec<Value>>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list.clone())),
            Some(_) => self.broken(field, "a list"),
        }
    }

    pub(crate) fn texts(&self, field: &str) -> Tried<Option<Vec<String>>> {
        let Some(list) = self.list(field)? else {
            return Ok(None);
        };
        let texts: Option<Vec<String>> = list
            .iter()
            .map(|value| match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
            .collect();
        match texts {
            Some(texts) => Ok(Some(texts)),
            None => self.broken(field, "a list of texts"),
        }
    }

    /// A list of objects, whose fields are watched too.
    pub(crate) fn objects(&self, field: &str) -> Tried<Option<Vec<Self>>> {
        let Some(list) = self.list(field)? else {
            return Ok(None);
        };
        let mut objects = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let path = format!("{field}[{index}].");
            match value {
                Value::Object(object) => objects.push(self.below(&path, object)),
                // An entry that is null lacks every field.
                Value::Null => objects.push(self.below(&path, &Map::new())),
                _ => return self.broken(field, "a list of objects"),
            }
        }
        Ok(Some(objects))
    }

    pub(crate) fn need_objects(&self, field: &str) -> Tried<Vec<Self>> {
        match self.objects(field)? {
            Some(objects) => Ok(objects),
            None => self.missing(field, &["validation"]),
        }
    }

    /// An object inside this one.
    pub(crate) fn inner(&self, field: &str) -> Tried<Self> {
        match self.get(field) {
            Some(Value::Object(object)) => Ok(self.below(&format!("{field}."), object)),
            _ => self.broken(field, "an object"),
        }
    }

    fn below(&self, prefix: &str, object: &Map<String, Value>) -> Self {
        let path = format!("{}{prefix}", self.path);
        self.read.borrow_mut().insert(path.clone());
        Self {
            object: object.clone(),
            path,
            read: self.read.clone(),
        }
    }

    /// The same words with one more, unless it is there: for what a line inherits from its step.
    pub(crate) fn with_default(&self, field: &str, value: Option<String>) -> Self {
        let mut words = self.clone();
        if let Some(value) = value
            && !words.object.contains_key(field)
        {
            words.object.insert(field.to_owned(), Value::String(value));
        }
        words
    }

    /// The same words with another one in a field.
    pub(crate) fn with(&self, field: &str, value: String) -> Self {
        let mut words = self.clone();
        words.object.insert(field.to_owned(), Value::String(value));
        words
    }

    /// The fields that nobody has read, as far as their object was opened.
    pub(crate) fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        let mut unread = Vec::new();
        collect_unread(&self.object, &self.path, &read, &mut unread);
        unread
    }
}

fn collect_unread(
    object: &Map<String, Value>,
    path: &str,
    read: &BTreeSet<String>,
    unread: &mut Vec<String>,
) {
    for (field, value) in object {
        let name = format!("{path}{field}");
        if REMARKS.contains(&field.as_str()) {
            continue;
        }
        if !read.contains(&name) {
            unread.push(name);
            continue;
        }
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let inner = list
            .iter()
            .enumerate()
            .map(|(index, value)| (format!("{name}[{index}]."), value))
            .chain([(format!("{name}."), value)]);
        for (path, value) in inner {
            if let Some(object) = value.as_object()
                && read.contains(&path)
            {
                collect_unread(object, &path, read, unread);
            }
        }
    }
}

/// A number that follows from the number of a line: `1000+i for i in 0..249`, `2*(i+1)`. Lines are counted from the
/// beginning of the range, else from 0.
pub(crate) fn formula(text: &str, line: usize) -> Tried<String> {
    let (sum, range) = text.split_once(" for ").unwrap_or((text, ""));
    let begin = range.rsplit(' ').next().and_then(|it| it.split_once(".."));
    let begin: usize = begin.map_or(Ok(0), |(first, _)| first.parse()).unwrap_or(0);
    let mut rest: Vec<char> = sum.chars().filter(|it| !it.is_whitespace()).rev().collect();
    let value = sum_of(&mut rest, Decimal::from(begin + line));
    match (value, rest.as_slice()) {
        (Some(value), []) => Ok(value.normalize().to_string()),
        _ => Err(Trouble::broken(format!("`{text}` is no formula"))),
    }
}

fn sum_of(rest: &mut Vec<char>, i: Decimal) -> Option<Decimal> {
    let mut sum = product_of(rest, i)?;
    while let Some(sign @ ('+' | '-')) = rest.last().copied() {
        rest.pop();
        let next = product_of(rest, i)?;
        sum = if sign == '+' { sum + next } else { sum - next };
    }
    Some(sum)
}

fn product_of(rest: &mut Vec<char>, i: Decimal) -> Option<Decimal> {
    let mut product = factor_of(rest, i)?;
    while let Some(sign @ ('*' | '/' | '%')) = rest.last().copied() {
        rest.pop();
        let next = factor_of(rest, i)?;
        product = match sign {
            '*' => product.checked_mul(next)?,
            '/' => product.checked_div(next)?,
            _ => product.checked_rem(next)?,
        };
    }
    Some(product)
}

fn factor_of(rest: &mut Vec<char>, i: Decimal) -> Option<Decimal> {
    match rest.pop()? {
        'i' => Some(i),
        '-' => factor_of(rest, i).map(|it| -it),
        '(' => {
            let inner = sum_of(rest, i)?;
            (rest.pop()? == ')').then_some(inner)
        }
        digit if digit.is_ascii_digit() => {
            let mut number = String::from(digit);
            while let Some(next) = rest.last().filter(|it| it.is_ascii_digit() || **it == '.') {
                number.push(*next);
                rest.pop();
            }
            number.parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::formula;

    #[test]
    fn formulas_follow_from_the_number_of_the_line() {
        for (text, line, expected) in [
            ("1000+i for i in 0..249", 249, "1249"),
            ("i for i in 1..10", 0, "1"),
            ("2*(i+1)", 3, "8"),
            ("10 - i/2", 5, "7.5"),
            ("1.5", 7, "1.5"),
        ] {
            assert_eq!(
                formula(text, line).ok().as_deref(),
                Some(expected),
                "{text}"
            );
        }
        for text in ["", "i+", "(i", "i i", "x", "1/0"] {
            assert!(formula(text, 0).is_err(), "{text}");
        }
    }
}
