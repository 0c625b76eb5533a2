//! What can come between a case and its end: the library says no, it has no such word, or the case makes no sense.
//!
//! One table maps the library's error codes onto the codes of the vocabulary. Where the vocabulary is finer or
//! coarser than the library, several codes are equivalent, and the table says so.

use stocktake::domain::{
    DecimalError, LineProblem, StockKey, StockTakeState, TextError, TransitionError,
};
use stocktake::service::{Error, ErrorKind, FieldError};

/// What the player of a case tries.
pub(crate) type Tried<T> = Result<T, Trouble>;

/// Why a step or a check did not go through.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// The library refused.
    Refused(Refusal),
    /// The library has no counterpart for a word.
    Unsupported(String),
    /// The case can't be played as it is written, or a check does not hold.
    Broken(String),
}

/// A refusal of the library.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusal {
    /// The codes of the vocabulary that it answers to.
    pub(crate) codes: Vec<&'static str>,
    /// The library's own words.
    pub(crate) told: String,
    /// Where in a request: a field or a JSON pointer, the library's code, and its words.
    pub(crate) places: Vec<(String, &'static str, String)>,
    /// The stock that it is about.
    pub(crate) keys: Vec<StockKey>,
    /// Whether a word of the step could not even be read.
    pub(crate) while_reading: bool,
}

/// The library's codes and those of the vocabulary that they answer to. What is not listed answers to the code of
/// its kind only: an invalid request is `validation`, a conflict `conflict` and `invalid_state`.
const CODES: &[(&str, &[&str])] = &[
    // The vocabulary tells what is missing from what would be below nothing; for the library they are one.
    (
        "insufficient_stock",
        &["insufficient_stock", "would_go_negative"],
    ),
    (
        "would_go_negative",
        &["would_go_negative", "insufficient_stock"],
    ),
    ("invalid_quantity", &["invalid_quantity"]),
    ("zero_quantity", &["invalid_quantity"]),
    ("negative_quantity", &["invalid_quantity"]),
    ("negative_count", &["invalid_quantity"]),
    ("more_than_left", &["invalid_quantity"]),
    ("below_received", &["invalid_quantity"]),
    ("not_a_number", &["invalid_quantity"]),
    ("too_precise", &["invalid_quantity"]),
    ("out_of_range", &["invalid_quantity"]),
    // One unit or none: a second one is a wrong quantity, a duplicate and a conflict of serials at once.
    (
        "serial_conflict",
        &["invalid_quantity", "serial_conflict", "duplicate"],
    ),
    // A second place for one number: a conflict of serials, and the number is there already.
    ("serial_elsewhere", &["serial_conflict", "duplicate"]),
    ("over_receipt", &["over_receipt"]),
    ("nothing_outstanding", &["over_receipt", "invalid_state"]),
    (
        "nothing_to_receive",
        &["over_receipt", "invalid_state", "no_lines"],
    ),
    ("batch_required", &["lot_required"]),
    ("serial_required", &["lot_required"]),
    ("unknown_location", &["not_found"]),
    ("unknown_product", &["not_found"]),
    ("duplicate_key", &["duplicate"]),
    ("taken", &["duplicate"]),
    ("already_reversed", &["invalid_state", "duplicate"]),
    ("count_in_progress", &["conflict", "invalid_state"]),
    ("idempotency_key_reused", &["conflict", "duplicate"]),
    ("expectation_failed", &["conflict"]),
    ("conflict", &["conflict"]),
    ("moved_since_count", &["conflict"]),
    ("no_lines", &["no_lines"]),
    ("last_line", &["no_lines", "invalid_state"]),
    ("period_closed", &["invalid_state", "locked"]),
    ("self_approval", &["permission_denied"]),
    ("approval_required", &["requires_approval"]),
    ("reason_required", &["reason_required"]),
];

fn listed(code: &str) -> &'static [&'static str] {
    CODES
        .iter()
        .find(|(own, _)| *own == code)
        .map_or(&[], |(_, codes)| codes)
}

/// The codes of the vocabulary that a code of the library answers to, when the request is at fault.
pub(crate) fn codes_of_request(code: &str) -> Vec<&'static str> {
    let mut codes = listed(code).to_vec();
    if !codes.contains(&"not_found") {
        codes.push("validation");
    }
    codes
}

fn of_field(field: &FieldError) -> Vec<&'static str> {
    let mut codes = codes_of_request(field.code);
    if field.field == "reason" && field.code == "empty_text" {
        codes.push("reason_required");
    }
    codes
}

/// A take, a count or an order that is being worked on is locked, and in the wrong state besides.
fn is_locked(state: &str) -> bool {
    state == StockTakeState::Posting.as_str()
        || state == StockTakeState::Reopening.as_str()
        || state == "COMPLETING"
}

fn of_lines<'a>(problems: impl Iterator<Item = &'a LineProblem>) -> Vec<&'static str> {
    problems
        .flat_map(|problem| match listed(problem.code()) {
            [] => &["validation"],
            codes => codes,
        })
        .copied()
        .collect()
}

fn of_kind(kind: ErrorKind) -> &'static [&'static str] {
    match kind {
        ErrorKind::Unauthenticated | ErrorKind::Forbidden => &["permission_denied"],
        ErrorKind::NotFound => &["not_found"],
        ErrorKind::Invalid | ErrorKind::TooLarge => &["validation"],
        ErrorKind::Conflict => &["conflict", "invalid_state"],
        _ => &[],
    }
}

impl Refusal {
    pub(crate) fn of(error: &Error) -> Self {
        let codes = match error {
            Error::Invalid(fields) => fields.iter().flat_map(of_field).collect(),
            Error::Refused(refusal) => of_lines(refusal.lines.iter().map(|line| &line.problem)),
            Error::CountRefused(refusal) => {
                of_lines(refusal.items.iter().map(|line| &line.problem))
            }
            Error::Transition(TransitionError::State { state, .. }) if is_locked(state) => {
                vec!["locked", "invalid_state"]
            }
            Error::Transition(TransitionError::State { .. }) => vec!["invalid_state"],
            other => match (listed(other.code()), other.kind()) {
                ([], kind) => of_kind(kind).to_vec(),
                (codes, ErrorKind::Invalid) => [codes, &["validation"]].concat(),
                (codes, _) => codes.to_vec(),
            },
        };
        let places = match error {
            Error::Invalid(fields) => fields
                .iter()
                .map(|field| {
                    let message = field.message.clone();
                    (field.field.to_string(), field.code, message)
                })
                .collect(),
            _ => Vec::new(),
        };
        let keys = match error {
            Error::Stock { key, .. } | Error::Key { key, .. } => {
                vec![StockKey::clone(key)]
            }
            Error::SerialElsewhere { key, .. } => vec![key.key.clone()],
            Error::Refused(refusal) => refusal.lines.iter().map(|it| it.key.clone()).collect(),
            Error::CountRefused(refusal) => refusal.items.iter().map(|it| it.key.clone()).collect(),
            _ => Vec::new(),
        };
        Self {
            codes,
            told: format!("{}: {error}", error.code()),
            places,
            keys,
            while_reading: false,
        }
    }

    pub(crate) fn answers_to(&self, code: &str) -> bool {
        self.codes.contains(&code)
    }
}

impl Trouble {
    /// A number that the library can't read.
    pub(crate) fn unreadable(error: DecimalError) -> Self {
        let refusal = Refusal::of(&Error::from(error));
        Self::Refused(Refusal {
            while_reading: true,
            ..refusal
        })
    }

    /// A reason that is missing where the library wants one.
    pub(crate) fn no_reason(error: TextError) -> Self {
        let mut refusal = Refusal::of(&Error::text("reason", error));
        refusal.codes.push("reason_required");
        Self::Refused(refusal)
    }

    pub(crate) fn unsupported(word: impl Into<String>) -> Self {
        Self::Unsupported(word.into())
    }

    pub(crate) fn broken(what: impl Into<String>) -> Self {
        Self::Broken(what.into())
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Refused(Refusal::of(&error))
    }
}

impl From<TextError> for Trouble {
    fn from(error: TextError) -> Self {
        Error::text("a text of the step", error).into()
    }
}

impl From<DecimalError> for Trouble {
    fn from(error: DecimalError) -> Self {
        Error::from(error).into()
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "refused: {}", refusal.told),
            Self::Unsupported(word) => write!(f, "unsupported: {word}"),
            Self::Broken(what) => f.write_str(what),
        }
    }
}
