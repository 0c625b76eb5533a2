//! Steps that import stock (S5): rows become the body of the document, and its job is run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use stocktake::domain::{ImportMode, StockImportState};
use stocktake::service::{Caller, Error};

use super::trouble::{Refusal, Tried, Trouble, codes_of_request};
use super::words::Words;
use super::world::{Imported, RowRefusal, World};

/// The steps of this file.
pub(crate) const OPS: &[&str] = &["import", "import_raw"];

/// A body, and which row each place of it comes from.
struct Body {
    text: String,
    /// JSON pointers of the rows, in the order of the body.
    places: Vec<(String, usize)>,
}

/// One row of an import.
struct Row {
    location: String,
    product: String,
    variant: Option<String>,
    quantity: Value,
}

impl World {
    pub(crate) async fn import(&mut self, op: &str, words: &Words) -> Tried<()> {
        let caller = self.actor(words)?;
        let mode = match words.text("mode")?.as_deref() {
            None | Some("absolute" | "set") => ImportMode::Absolute,
            Some("delta" | "adjustment") => ImportMode::Adjustment,
            Some("remove" | "delete") => ImportMode::Remove,
            Some(other) => return Err(Trouble::unsupported(format!("import mode {other}"))),
        };
        let skip_bad = words.flag("skip_bad")?.unwrap_or(false);
        let body = if op == "import_raw" {
            let body = words.raw("body").unwrap_or(Value::Null);
            let text = match body {
                // A text is the body itself, well formed or not.
                Value::String(text) => text,
                other => other.to_string(),
            };
            Body {
                text,
                places: Vec::new(),
            }
        } else {
            let mut rows = Vec::new();
            for row in words.need_objects("rows")? {
                rows.push(row_of(&row, mode)?);
            }
            body_of(&rows)
        };
        self.take_in(&caller, mode, skip_bad, &body).await
    }

    async fn take_in(
        &mut self,
        caller: &Caller,
        mode: ImportMode,
        skip_bad: bool,
        body: &Body,
    ) -> Tried<()> {
        let imports = self.library.stock_imports();
        let started = match imports
            .begin(caller, mode, body.text.as_bytes(), skip_bad)
            .await
        {
            Ok(started) => started,
            Err(error) => {
                let refusal = Refusal::of(&error);
                if matches!(error, Error::Invalid(_)) {
                    self.imported = Some(refused(body, &refusal));
                }
                return Err(Trouble::Refused(refusal));
            }
        };
        self.run_jobs().await?;
        let import = imports.get(&self.host(), started.import.id()).await?;
        let report = import.report();
        let mut rows: BTreeMap<usize, RowRefusal> = BTreeMap::new();
        for problem in &report.problems {
            let index = usize::try_from(problem.row).unwrap_or(usize::MAX);
            let (place, row) = body
                .places
                .get(index)
                .cloned()
                .unwrap_or((String::new(), index));
            rows.entry(row).or_default().add(
                &place,
                &problem.code,
                format!("{}: {}", problem.place, problem.message),
            );
        }
        let told = report.problems.first().map(|it| it.code.clone());
        let codes: Vec<&'static str> = rows.values().flat_map(|row| row.codes.clone()).collect();
        self.imported = Some(Imported {
            accepted: report.applied,
            rejected: report.failed,
            message: Some(started.message()),
            rows,
        });
        match import.state() {
            StockImportState::Applied => Ok(()),
            StockImportState::Rejected => Err(Trouble::Refused(Refusal {
                codes,
                told: told.unwrap_or_default(),
                ..Refusal::default()
            })),
            StockImportState::Pending => Err(Trouble::broken("the import is not over")),
        }
    }
}

fn row_of(row: &Words, mode: ImportMode) -> Tried<Row> {
    let mut product = row.text("product")?.unwrap_or_default();
    if row.flag("product_is_malformed")?.unwrap_or(false) {
        // The library takes any text for an article id that a person can read.
        product.push('\u{1}');
    }
    let quantity = match row.raw("qty") {
        Some(quantity) => quantity,
        None if mode == ImportMode::Remove => Value::from("0"),
        None => Value::Null,
    };
    Ok(Row {
        location: row.text("location")?.unwrap_or_default(),
        product,
        variant: row.text("variant")?,
        quantity,
    })
}

/// Rows as a body. It is put together as text, because rows may say the same twice, and numbers stay as they are.
fn body_of(rows: &[Row]) -> Body {
    let mut body = Body {
        text: String::from("{"),
        places: Vec::new(),
    };
    let mut locations: Vec<&str> = Vec::new();
    for row in rows {
        if !locations.contains(&row.location.as_str()) {
            locations.push(&row.location);
        }
    }
    for (number, location) in locations.iter().enumerate() {
        let at = |(_, row): &(usize, &Row)| row.location == *location;
        let here: Vec<(usize, &Row)> = rows.iter().enumerate().filter(at).collect();
        let comma = if number == 0 { "" } else { "," };
        push(
            &mut body.text,
            format_args!("{comma}{}:{{", quoted(location)),
        );
        push_products(&mut body, location, &here);
        body.text.push('}');
    }
    body.text.push('}');
    body
}

fn push_products(body: &mut Body, location: &str, rows: &[(usize, &Row)]) {
    let mut done: Vec<&str> = Vec::new();
    for (index, row) in rows {
        let comma = if body.text.ends_with('{') { "" } else { "," };
        let Some(variant) = &row.variant else {
            let (name, number) = (quoted(&row.product), number_of(&row.quantity));
            push(&mut body.text, format_args!("{comma}{name}:{number}"));
            body.places
                .push((pointer(&[location, &row.product]), *index));
            continue;
        };
        if done.contains(&row.product.as_str()) {
            continue;
        }
        done.push(&row.product);
        push(
            &mut body.text,
            format_args!("{comma}{}:{{", quoted(&row.product)),
        );
        push(
            &mut body.text,
            format_args!("{}:{}", quoted(variant), number_of(&row.quantity)),
        );
        body.places
            .push((pointer(&[location, &row.product, variant]), *index));
        let others = rows
            .iter()
            .filter(|(other, it)| other != index && it.product == row.product);
        for (other, it) in others {
            if let Some(variant) = &it.variant {
                let (name, number) = (quoted(variant), number_of(&it.quantity));
                push(&mut body.text, format_args!(",{name}:{number}"));
                body.places
                    .push((pointer(&[location, &it.product, variant]), *other));
            }
        }
        body.text.push('}');
    }
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(what);
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A number as it is written; what is none stays a text.
fn number_of(value: &Value) -> String {
    match value {
        Value::String(text) if serde_json::from_str::<serde_json::Number>(text).is_ok() => {
            text.clone()
        }
        other => other.to_string(),
    }
}

/// A JSON pointer (RFC 6901).
fn pointer(path: &[&str]) -> String {
    let mut pointer = String::new();
    for key in path {
        pointer.push('/');
        pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    }
    pointer
}

impl RowRefusal {
    /// One more thing that is wrong with the row, at a place of the body.
    fn add(&mut self, place: &str, code: &str, told: String) {
        self.codes.extend(codes_of_request(code));
        self.fields.push(field_of(place, code));
        self.told.push(told);
    }
}

/// Which field of a row is meant: a number is the quantity, and a name is that of the location, the product or the
/// variant, by how deep in the body it stands.
fn field_of(place: &str, code: &str) -> &'static str {
    let is_of_a_name = ["invalid_name", "duplicate_key", "too_many_locations"];
    match (place.matches('/').count(), code) {
        (_, "unknown_location") => "location",
        (_, "unknown_product") => "product",
        (depth, code) if is_of_a_name.contains(&code) => match depth {
            0 | 1 => "location",
            2 => "product",
            _ => "variant",
        },
        _ => "qty",
    }
}

/// What a body that was refused as a whole came to.
fn refused(body: &Body, refusal: &Refusal) -> Imported {
    let mut rows: BTreeMap<usize, RowRefusal> = BTreeMap::new();
    for (place, code, told) in &refusal.places {
        let below = format!("{place}/");
        for (row_place, row) in &body.places {
            if row_place == place || row_place.starts_with(&below) {
                rows.entry(*row)
                    .or_default()
                    .add(place, code, format!("{place}: {told}"));
            }
        }
    }
    Imported {
        accepted: 0,
        rejected: u64::try_from(rows.len()).unwrap_or(u64::MAX),
        message: None,
        rows,
    }
}
