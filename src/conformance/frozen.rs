//! What was written stays readable: bytes of every kind, written once, in `tests/stored`.
//!
//! A line of such a file is a kind, its bytes in base 16, and what they mean, as JSON with the names of the fields. Lines are
//! only added. A field that changes its place or its meaning reads as another value; a new field or variant has to be in a
//! line, and the test that misses it gives the line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::edges::TEXT_FIELDS;
use super::queued::tasks_of;
use super::sampler::{Filling, Sampler};
use crate::domain::{
    Actor, Beginning, Count, CountEntry, InventoryCount, InventoryCountEntry, InventoryCountItem,
    InventoryOrder, InventoryOrderItem, LinePosting, Product, Site, StockAdjustment, StockEvent,
    StockImport, StockLevel, StockTake, StockTakeItem, Supplier,
};
use crate::store::codec::{DecodeError, Stored, VERSION, decode, encode};
use crate::store::{
    Command, Entry, Export, ExportChunk, ImportChunk, Job, JobTask, NewJob, OpenCount, Outcome,
    SerialMark, TakeSums, Version,
};

/// What each form's first release wrote, and what was added later.
const FORM_1: &str = include_str!("../../tests/stored/form_1.txt");

/// How many values of each kind are made up.
const VALUES: u64 = 400;

/// What a kind does with bytes and with values that are made up.
struct Kind {
    name: &'static str,
    read: fn(&[u8]) -> Result<Read, DecodeError>,
    make: fn(&mut Sampler) -> Vec<u8>,
}

/// What bytes mean, and what they are when they are written again.
#[derive(Debug)]
struct Read {
    meaning: Value,
    again: Vec<u8>,
}

fn kind<T: Stored>(name: &'static str) -> Kind {
    Kind {
        name,
        read: read::<T>,
        make: |sampler| encoded(&of::<T>(sampler)),
    }
}

fn encoded(value: &impl Stored) -> Vec<u8> {
    encode(value).expect("what was made can be written")
}

fn of<T: DeserializeOwned>(sampler: &mut Sampler) -> T {
    sampler.make(&[]).expect("a kind that can be made up")
}

fn task(sampler: &mut Sampler) -> JobTask {
    let tasks = tasks_of(of(sampler));
    *sampler.seed.pick(&tasks).expect("one of several")
}

fn new_job(sampler: &mut Sampler) -> NewJob {
    NewJob {
        id: of(sampler),
        site: of(sampler),
        task: task(sampler),
        requested_by: of(sampler),
        run_at: of(sampler),
        max_attempts: of(sampler),
    }
}

fn job(sampler: &mut Sampler) -> Job {
    Job {
        id: of(sampler),
        organisation: of(sampler),
        site: of(sampler),
        task: task(sampler),
        requested_by: of(sampler),
        state: of(sampler),
        attempts: of(sampler),
        max_attempts: of(sampler),
        run_at: of(sampler),
        progress: of(sampler),
        last_error: of(sampler),
        created_at: of(sampler),
        finished_at: of(sampler),
    }
}

fn sums(sampler: &mut Sampler) -> TakeSums {
    let mut sums = TakeSums::default();
    for version in 1..4 {
        sums.add(Version::new(version), &of::<StockTakeItem>(sampler));
    }
    sums
}

fn read<T: Stored>(bytes: &[u8]) -> Result<Read, DecodeError> {
    let value: T = decode(bytes)?;
    let text = serde_json::to_string(&value).expect("a value has a meaning");
    Ok(Read {
        meaning: serde_json::from_str(&exact(&text)).expect("JSON that was just written"),
        again: encoded(&value),
    })
}

/// The same JSON with whole numbers that JSON readers cut as texts.
fn exact(json: &str) -> String {
    let (mut exact, mut number) = (String::new(), String::new());
    let (mut is_text, mut is_escaped) = (false, false);
    for c in json.chars() {
        if !is_text && (c.is_ascii_digit() || c == '-') {
            number.push(c);
            continue;
        }
        let quote = if number.len() > 15 { "\"" } else { "" };
        exact.extend([quote, &number, quote]);
        number.clear();
        is_text ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        exact.push(c);
    }
    exact + &number
}

/// Every kind, under the name that it has in the files.
fn kinds() -> Vec<Kind> {
    type Known = (Beginning, Option<Count>, Option<LinePosting>);
    vec![
        kind::<Site>("Site"),
        kind::<Product>("Product"),
        kind::<Supplier>("Supplier"),
        kind::<StockTake>("StockTake"),
        kind::<StockTakeItem>("StockTakeItem"),
        kind::<InventoryCount>("InventoryCount"),
        kind::<OpenCount>("OpenCount"),
        kind::<InventoryCountItem>("InventoryCountItem"),
        kind::<StockAdjustment>("StockAdjustment"),
        kind::<InventoryOrder>("InventoryOrder"),
        kind::<InventoryOrderItem>("InventoryOrderItem"),
        kind::<StockImport>("StockImport"),
        kind::<ImportChunk>("ImportChunk"),
        kind::<Export>("Export"),
        kind::<ExportChunk>("ExportChunk"),
        kind::<StockLevel>("StockLevel"),
        kind::<SerialMark>("SerialMark"),
        kind::<StockEvent>("StockEvent"),
        kind::<Entry>("Entry"),
        kind::<CountEntry>("CountEntry"),
        kind::<InventoryCountEntry>("InventoryCountEntry"),
        kind::<Command>("Command"),
        kind::<Outcome>("Outcome"),
        Kind {
            name: "NewJob",
            read: read::<NewJob>,
            make: |sampler| encoded(&new_job(sampler)),
        },
        Kind {
            name: "Job",
            read: read::<Job>,
            make: |sampler| encoded(&job(sampler)),
        },
        Kind {
            name: "JobTask",
            read: read::<JobTask>,
            make: |sampler| encoded(&task(sampler)),
        },
        kind::<Actor>("Actor"),
        Kind {
            name: "TakeSums",
            read: read::<TakeSums>,
            make: |sampler| encoded(&sums(sampler)),
        },
        kind::<Known>("Known"),
    ]
}

/// A line of a file.
struct Frozen<'f> {
    kind: &'f str,
    bytes: Vec<u8>,
    meaning: Value,
}

fn frozen(file: &str) -> Vec<Frozen<'_>> {
    let line = |line| -> Option<Frozen<'_>> {
        let (kind, rest) = str::split_once(line, ' ')?;
        let (hex, meaning) = rest.split_once(' ')?;
        let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        Some(Frozen {
            kind,
            bytes: (0..hex.len()).step_by(2).map(byte).collect::<Option<_>>()?,
            meaning: serde_json::from_str(meaning).ok()?,
        })
    };
    file.lines()
        .map(|text| line(text).unwrap_or_else(|| panic!("not a line of a file: {text}")))
        .collect()
}

/// Whether all that was meant is meant still. What was added since may stand beside it.
fn is_in(meant: &Value, now: &Value) -> bool {
    match (meant, now) {
        (Value::Object(meant), Value::Object(now)) => meant
            .iter()
            .all(|(name, value)| now.get(name).is_some_and(|now| is_in(value, now))),
        (Value::Array(meant), Value::Array(now)) => {
            meant.len() == now.len() && meant.iter().zip(now).all(|(meant, now)| is_in(meant, now))
        }
        _ => meant == now,
    }
}

/// Which fields and variants a value has; what is deep in it is shown where it stands by itself.
fn shape(path: &str, value: &Value, into: &mut BTreeSet<String>) {
    if path.matches('.').count() > 3 {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                shape(&format!("{path}.{name}"), value, into);
            }
        }
        Value::Array(values) => {
            into.insert(format!("{path}[{}]", values.len().min(1)));
            for value in values {
                shape(&format!("{path}[]"), value, into);
            }
        }
        Value::String(text) => {
            let field = path.rsplit('.').next().unwrap_or_default();
            let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
            let is_variant = !TEXT_FIELDS.contains(&field) && text.chars().all(is_name);
            into.insert(format!("{path}={}", if is_variant { text } else { "" }));
        }
        Value::Null => {
            into.insert(format!("{path}=null"));
        }
        Value::Bool(_) | Value::Number(_) => {
            into.insert(path.to_owned());
        }
    }
}

fn made(kind: &Kind) -> impl Iterator<Item = Vec<u8>> {
    let fillings = [Filling::Full, Filling::Bare].into_iter();
    let fillings = fillings.chain(std::iter::repeat(Filling::Mixed));
    let make = kind.make;
    (0..VALUES)
        .zip(fillings)
        .map(move |(seed, filling)| make(&mut Sampler::new(seed, filling)))
}

#[test]
fn what_was_written_is_read() {
    let kinds: BTreeMap<&str, Kind> = kinds().into_iter().map(|it| (it.name, it)).collect();
    for line in frozen(FORM_1) {
        let kind = kinds.get(line.kind).expect("a kind never goes");
        let read = (kind.read)(&line.bytes).unwrap_or_else(|error| {
            panic!("{}: {error:?}\n{}", line.kind, line.meaning);
        });
        assert!(
            is_in(&line.meaning, &read.meaning),
            "{} meant {}\nand reads as {}",
            line.kind,
            line.meaning,
            read.meaning
        );
        if line.meaning == read.meaning {
            assert_eq!(line.bytes, read.again, "{} is written otherwise", line.kind);
        }
    }
}

/// Fewest lines that show what no line shows yet: always the value that shows most of it.
fn lacking(kind: &Kind, mut shown: BTreeSet<String>) -> String {
    let mut values: Vec<(Vec<u8>, Value, BTreeSet<String>)> = made(kind)
        .map(|bytes| {
            let read = (kind.read)(&bytes).expect("what was written can be read");
            let mut shows = BTreeSet::new();
            shape("", &read.meaning, &mut shows);
            (bytes, read.meaning, shows)
        })
        .collect();
    let mut lines = String::new();
    loop {
        for (_, _, shows) in &mut values {
            shows.retain(|it| !shown.contains(it));
        }
        values.retain(|(_, _, shows)| !shows.is_empty());
        let most = values.iter().max_by_key(|(_, _, shows)| shows.len());
        let Some((bytes, meaning, shows)) = most else {
            return lines;
        };
        shown.extend(shows.iter().cloned());
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a text takes what is written");
            hex
        });
        writeln!(lines, "{} {hex} {meaning}", kind.name).expect("as above");
    }
}

#[test]
fn every_field_and_variant_is_in_a_line() {
    let mut shown: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for line in frozen(FORM_1) {
        shape("", &line.meaning, shown.entry(line.kind).or_default());
    }
    let lacking: String = kinds()
        .iter()
        .map(|kind| lacking(kind, shown.remove(kind.name).unwrap_or_default()))
        .collect();
    assert!(
        lacking.is_empty(),
        "add to tests/stored/form_{VERSION}.txt:\n{lacking}"
    );
}

#[test]
fn every_value_comes_back_and_nothing_else_is_taken_for_one() {
    for kind in kinds() {
        for (nth, bytes) in made(&kind).enumerate() {
            let read = (kind.read)(&bytes).expect("what was written can be read");
            assert_eq!(read.again, bytes, "{}: {}", kind.name, read.meaning);
            if nth > 4 {
                continue;
            }
            for end in 0..bytes.len() {
                let refused = (kind.read)(&bytes[..end]);
                assert!(
                    matches!(refused, Err(DecodeError::Damaged { .. })),
                    "{refused:?}"
                );
            }
            let mut longer = bytes.clone();
            longer.push(0);
            let refused = (kind.read)(&longer);
            assert!(
                matches!(refused, Err(DecodeError::LeftOver { .. })),
                "{refused:?}"
            );
            let mut newer = bytes.clone();
            newer[0] = VERSION + 1;
            let refused = (kind.read)(&newer);
            assert!(
                matches!(refused, Err(DecodeError::Newer { .. })),
                "{refused:?}"
            );
            for at in 0..bytes.len() {
                let mut other = bytes.clone();
                other[at] ^= 0xff;
                if let Ok(read) = (kind.read)(&other) {
                    assert_ne!(read.again, bytes, "{} at {at}", kind.name);
                }
            }
        }
    }
}
