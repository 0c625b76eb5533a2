//! What handlers answer instead, when something is wrong.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use stocktake::domain::{CountError, KeyError, LineProblem, TextError};
use stocktake::service::{Error, ErrorKind};
use stocktake::store::ArticleColumn;
use utoipa::ToSchema;

/// How much of what was sent is ever repeated in an answer.
const SHOWN: usize = 200;

/// A failure, before it is written in the words of a document.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) fields: Vec<FieldProblem>,
    /// When to ask again, in seconds.
    pub(super) retry_after: Option<u64>,
    kind: Kind,
}

/// What some documents tell apart beyond the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    State,
    Other,
}

/// What is wrong with one field.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct FieldProblem {
    /// The field, or the path inside the body.
    pub(super) field: String,
    /// What is wrong with it.
    pub(super) message: String,
}

impl Failure {
    /// A failure with nothing to say about fields.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let kind = match status {
            StatusCode::UNPROCESSABLE_ENTITY => Kind::Request,
            _ => Kind::Other,
        };
        Self {
            status,
            code,
            message: message.into(),
            fields: Vec::new(),
            retry_after: None,
            kind,
        }
    }

    /// 401.
    pub(super) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "credentials are missing or don't match",
        )
    }

    /// 404.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("{what} not found"),
        )
    }

    /// 422, because of one field.
    pub(super) fn invalid(
        field: impl Into<String>,
        code: &'static str,
        message: impl std::fmt::Display,
    ) -> Self {
        let problem = FieldProblem {
            field: shown(&field.into()),
            message: shown(&message.to_string()),
        };
        let told = match problem.field.as_str() {
            "" => problem.message.clone(),
            field => format!("{field}: {}", problem.message),
        };
        Self {
            fields: vec![problem],
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, told)
        }
    }

    /// 422, for what can't be read; a field that is missing, unknown or there twice is named.
    pub(super) fn unreadable(path: &str, code: &'static str, problem: &str) -> Self {
        // The whole body, or a place that nothing could be read at.
        let path = if path == "." { "" } else { path };
        let path = path.trim_end_matches('?').trim_end_matches('.');
        let named = ["missing field", "unknown field", "duplicate field"]
            .iter()
            .find_map(|begun| problem.strip_prefix(begun)?.split('`').nth(1))
            .filter(|name| path.rsplit('.').next() != Some(name));
        let field = [Some(path), named];
        let field: Vec<&str> = field
            .into_iter()
            .flatten()
            .filter(|it| !it.is_empty())
            .collect();
        Self::invalid(field.join("."), code, in_words(problem))
    }

    /// 500.
    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong on the server",
        )
    }

    /// Whether the request itself is wrong.
    pub(super) fn is_of_request(&self) -> bool {
        self.kind == Kind::Request
    }

    /// Whether a list, and not something of it, is not there.
    pub(super) fn is_of_list(&self) -> bool {
        self.message == Self::not_found("stock take").message
    }

    /// Whether the state does not allow it.
    pub(super) fn is_of_state(&self) -> bool {
        self.kind == Kind::State
    }
}

/// What readers of bodies call what they expect, and what people do.
const EXPECTED: &[(&str, &str)] = &[
    ("i8", "a whole number"),
    ("i16", "a whole number"),
    ("i32", "a whole number"),
    ("i64", "a whole number"),
    ("i128", "a whole number"),
    ("isize", "a whole number"),
    ("u8", "a whole number, zero or more"),
    ("u16", "a whole number, zero or more"),
    ("u32", "a whole number, zero or more"),
    ("u64", "a whole number, zero or more"),
    ("u128", "a whole number, zero or more"),
    ("usize", "a whole number, zero or more"),
    ("f32", "a number"),
    ("f64", "a number"),
    ("a boolean", "true or false"),
    ("a string", "a text"),
    ("a borrowed string", "a text"),
    ("a sequence", "a list"),
    ("a map", "an object"),
    ("any valid JSON value", "a value"),
    ("a UUID string", "an id (UUID)"),
    ("a formatted UUID string", "an id (UUID)"),
];

/// A problem of reading in people's words: names of types say nothing to them.
fn in_words(problem: &str) -> String {
    const EXPECTS: &str = "expected ";
    let Some((before, expected)) = problem.rsplit_once(EXPECTS) else {
        return problem.to_owned();
    };
    let (what, place) = match expected.find(" at line ") {
        Some(at) => expected.split_at(at),
        None => (expected, ""),
    };
    let known = EXPECTED.iter().find(|(name, _)| *name == what);
    let is_type = what.starts_with("struct ") || what.starts_with("internally tagged enum ");
    match known {
        Some((_, words)) => format!("{before}{EXPECTS}{words}{place}"),
        None if is_type => format!("{before}{EXPECTS}an object{place}"),
        None if what.starts_with("enum ") => format!("{before}{EXPECTS}one of its words{place}"),
        None => problem.to_owned(),
    }
}

/// As much of a text as is repeated.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = StatusCode::from_u16(error.kind().status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let state = matches!(
            error,
            Error::Transition(_)
                | Error::Stock { .. }
                | Error::Expectation { .. }
                | Error::Refused(_)
                | Error::CountRefused(_)
        );
        let kind = match (status, state) {
            (StatusCode::UNPROCESSABLE_ENTITY, _) => Kind::Request,
            (StatusCode::CONFLICT, true) => Kind::State,
            (_, _) => Kind::Other,
        };
        let unavailable = error.kind() == ErrorKind::Unavailable;
        Self {
            status,
            code: error.code(),
            message: error.to_string(),
            fields: fields_of(&error),
            retry_after: unavailable.then_some(1),
            kind,
        }
    }
}

/// What an error says about fields, or about lines.
fn fields_of(error: &Error) -> Vec<FieldProblem> {
    let problem = |field: String, message: String| FieldProblem { field, message };
    let line = |item: String, error: &LineProblem, name: &str| {
        problem(item, format!("{}: {error} ({name})", error.code()))
    };
    match error {
        Error::Invalid(fields) => fields
            .iter()
            .map(|it| problem(it.field.to_string(), it.message.clone()))
            .collect(),
        Error::Refused(refusal) => refusal
            .lines
            .iter()
            .map(|it| line(it.item.to_string(), &it.problem, &it.name))
            .collect(),
        Error::CountRefused(refusal) => refusal
            .items
            .iter()
            .map(|it| line(it.item.to_string(), &it.problem, &it.name))
            .collect(),
        Error::Taken { what } => vec![problem((*what).to_owned(), error.to_string())],
        Error::Count(count) => {
            let field = match count {
                CountError::FutureDated { .. }
                | CountError::PeriodClosed { .. }
                | CountError::BeforeStart { .. }
                | CountError::CountedSince { .. } => "counted_at",
                _ => "quantity",
            };
            vec![problem(field.to_owned(), count.to_string())]
        }
        Error::Key { problem: wrong, .. } => {
            let field = match wrong {
                KeyError::BatchRequired | KeyError::BatchUntracked => "batch",
                KeyError::SerialRequired | KeyError::SerialUntracked => "serial",
                _ => "product",
            };
            vec![problem(field.to_owned(), wrong.to_string())]
        }
        _ => Vec::new(),
    }
}

/// 422, because lines are not sorted by that; it tells by what they are.
pub(super) fn no_such_column() -> Failure {
    let names: Vec<&str> = ArticleColumn::NAMES.iter().map(|(name, _)| *name).collect();
    let message = format!("no such column; there are {}", names.join(", "));
    Failure::invalid("sort_column", "invalid_parameter", message)
}

/// 422, because a text is none of ours.
pub(super) fn text(field: &'static str) -> impl FnOnce(TextError) -> Failure {
    move |error| Failure::invalid(field, "invalid_text", error)
}

impl IntoResponse for Failure {
    /// The failure goes along as it is; the outermost layer writes it.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
