//! What a call can answer instead of a result.

use std::borrow::Cow;

use crate::domain::{
    CountError, CountRefusal, DecimalError, KeyError, Product, Quantity, Refusal, Site, StockError,
    StockKey, StockTakeItemId, TextError, Timestamp, TransitionError,
};
use crate::store::{InvalidKey, StoreError, StoreErrorKind, TooManyIds};

use super::access::Operation;

/// Why a call was refused or failed. Whatever it is, nothing is half done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody is asking. Log in.
    #[error("no actor")]
    Unauthenticated,
    /// It does not exist, or not for this actor: the two are told apart by nothing.
    #[error("{what} not found")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
    },
    /// The actor can see it, but its role may not do that. Ask a manager.
    #[error("the actor may not {operation}")]
    Forbidden {
        /// What was asked.
        operation: Operation,
    },
    /// The request is wrong. Mend what is told, and ask again.
    #[error("the request is not valid: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldError>),
    /// The state of the object does not allow it. Read it again.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// Stock can't change so. Nothing of the request was applied.
    #[error("{name}: {problem}")]
    Stock {
        /// Which stock.
        key: Box<StockKey>,
        /// The same for people: article id, stock place, batch and site's name.
        name: Box<str>,
        /// Why.
        problem: StockError,
    },
    /// A serial number would come on hand that another key holds ([`SerialScope`](crate::domain::SerialScope)). Nothing
    /// of the request was applied. Move the unit from there, or mend the number.
    #[error("{}: the serial number is on hand elsewhere{}", .key.name, .at.as_ref().map_or_else(String::new, |at| format!(": {}", at.name)))]
    SerialElsewhere {
        /// Where it would come on hand.
        key: Box<NamedKey>,
        /// Which key holds it, if that is one of a site that the actor can see.
        at: Option<Box<NamedKey>>,
    },
    /// The count is not one.
    #[error(transparent)]
    Count(#[from] CountError),
    /// One of several lines was refused, and with it the whole call: nothing of it was applied. Mend or leave out that
    /// one, and ask again.
    #[error("count {} of the call{}: {problem}", index.saturating_add(1), told_name(name))]
    Line {
        /// Its place in the call, from 0.
        index: usize,
        /// Which line.
        item: StockTakeItemId,
        /// The same for people: article id, stock place, batch and serial number. Empty for a line that is not there.
        name: Box<str>,
        /// Why, as the call for this line alone would have answered. Kind, code and whether it is retryable are those of
        /// this.
        problem: Box<Error>,
    },
    /// The key can't hold stock of its product. Name what it is tracked by.
    #[error("{name}: {problem}")]
    Key {
        /// Which key.
        key: Box<StockKey>,
        /// The same for people: article id, stock place, batch and serial number.
        name: Box<str>,
        /// Why.
        problem: KeyError,
    },
    /// An absolute value was to replace another one than is there (S6.3). Read again.
    #[error("{name}: {expected} was expected, {actual} is there")]
    Expectation {
        /// Which key.
        key: Box<StockKey>,
        /// The same for people: article id, stock place, batch, serial number and site's name.
        name: Box<str>,
        /// What the request said.
        expected: Quantity,
        /// What is there.
        actual: Quantity,
    },
    /// Lines of a take can't be posted, or a posting can't be taken back. Nothing was. Mend or recount
    /// them, or post with `skip_unpostable`.
    #[error("{}", told_of(.0.total, .0.given_up_by.is_some()))]
    Refused(Box<Refusal>),
    /// Lines of an inventory count can't be posted; nothing was, and it is in progress again. Mend or recount them,
    /// or complete with `skip_unpostable`.
    #[error("{}", told_of(.0.total, .0.given_up_by.is_some()))]
    CountRefused(Box<CountRefusal>),
    /// Nobody approves their own adjustment, unless the site's policy says so. Ask another manager.
    #[error("nobody approves their own adjustment")]
    SelfApproval,
    /// Somebody else changed it meanwhile. Read it again, and ask again if it still makes sense.
    #[error("changed by somebody else meanwhile")]
    Conflict,
    /// The name (external id, article id) is taken by another one. Choose another.
    #[error("the {what} is taken")]
    Taken {
        /// Which name.
        what: &'static str,
    },
    /// The idempotency key was used for another request. Use another key.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// As many as there may be are there already. Wait for one to end.
    #[error("too many {what}: at most {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most.
        limit: u64,
    },
    /// It could be fetched for a time, which is over. Ask for a new one.
    #[error("the {what} has expired")]
    Expired {
        /// What kind of thing.
        what: &'static str,
    },
    /// More than is taken in one go. Split it.
    #[error("at most {limit} in one call")]
    TooLarge {
        /// The most.
        limit: usize,
    },
    /// Whether it was done is not known. Ask again with the same idempotency key.
    #[error("the outcome is unknown")]
    OutcomeUnknown(#[source] StoreError),
    /// The store failed. Nothing was done; if [`is_retryable`](Error::is_retryable), ask again.
    #[error("the store failed")]
    Store(#[source] StoreError),
}

/// Some stock, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// Which stock.
    pub key: StockKey,
    /// The same for people: article id, stock place, batch, serial number and site's name.
    pub name: Box<str>,
}

impl NamedKey {
    /// A key whose product and site are not known: its codes are its name.
    pub(super) fn of_codes(key: StockKey) -> Self {
        let name = named(&key, None, None).into();
        Self { key, name }
    }

    pub(super) fn of(key: StockKey, product: &Product, site: &Site) -> Self {
        let name = named(&key, Some(product), Some(site)).into();
        Self { key, name }
    }
}

/// Why a posting was not made.
fn told_of(lines: u64, given_up: bool) -> String {
    if given_up {
        return "it was given up; nothing was posted".to_owned();
    }
    format!("{lines} lines can't be posted")
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// The field, as the Rust API names it; of a body, the path inside it.
    pub field: Cow<'static, str>,
    /// The stable code.
    pub code: &'static str,
    /// The same in words.
    pub message: String,
}

/// What a failure means to a caller, mapped onto HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// 401.
    Unauthenticated,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409: the state, a version or a key.
    Conflict,
    /// 413.
    TooLarge,
    /// 429: ask again later.
    TooMany,
    /// 422: the request itself.
    Invalid,
    /// 503: ask again with the same key.
    Unavailable,
    /// 500.
    Internal,
}

impl ErrorKind {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::TooMany => 429,
            Self::Invalid => 422,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}

impl Error {
    /// One wrong field.
    pub fn invalid(
        field: impl Into<Cow<'static, str>>,
        code: &'static str,
        message: impl std::fmt::Display,
    ) -> Self {
        Self::Invalid(vec![FieldError {
            field: field.into(),
            code,
            message: message.to_string(),
        }])
    }

    /// A command that names nothing to be done: there is nothing to record.
    pub(crate) fn nothing_asked(field: &'static str) -> Self {
        Self::invalid(field, "nothing_asked", "it is empty: name at least one")
    }

    pub(crate) const fn not_found(what: &'static str) -> Self {
        Self::NotFound { what }
    }

    pub(crate) fn stock(
        key: &StockKey,
        product: Option<&Product>,
        site: &Site,
        problem: StockError,
    ) -> Self {
        Self::Stock {
            key: Box::new(key.clone()),
            name: named(key, product, product.map(|_| site)).into(),
            problem,
        }
    }

    /// A text that was refused, under the name that it has where it was asked for: host code that takes texts from
    /// people names its own fields.
    ///
    /// # Example
    ///
    /// ```
    /// use stocktake::domain::Label;
    /// use stocktake::service::Error;
    ///
    /// let refused = Label::new("").map_err(|error| Error::text("description", error));
    /// let told = refused.unwrap_err().to_string();
    /// assert_eq!(told, "the request is not valid: description: must not be empty");
    /// ```
    pub fn text(field: impl Into<Cow<'static, str>>, error: TextError) -> Self {
        let code = match error {
            TextError::Empty => "empty_text",
            TextError::TooLong { .. } => "text_too_long",
            TextError::Control => "control_character",
        };
        Self::invalid(field, code, error)
    }

    /// What it means to the caller.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Unauthenticated => ErrorKind::Unauthenticated,
            Self::Line { problem, .. } => problem.kind(),
            Self::NotFound { .. } | Self::Expired { .. } => ErrorKind::NotFound,
            Self::Forbidden { .. } | Self::SelfApproval => ErrorKind::Forbidden,
            Self::Invalid(_) | Self::Key { .. } | Self::Taken { .. } => ErrorKind::Invalid,
            Self::Count(problem) => match problem {
                CountError::PeriodClosed { .. } | CountError::CountedSince { .. } => {
                    ErrorKind::Conflict
                }
                CountError::Negative { .. }
                | CountError::Serial { .. }
                | CountError::FutureDated { .. }
                | CountError::BeforeStart { .. }
                | CountError::OutOfRange => ErrorKind::Invalid,
            },
            Self::Stock { problem, .. } => match problem {
                StockError::BelowZero { .. } | StockError::PeriodClosed { .. } => {
                    ErrorKind::Conflict
                }
                StockError::CostUnknown
                | StockError::SerialQuantity { .. }
                | StockError::FutureDated { .. }
                | StockError::OutOfRange => ErrorKind::Invalid,
            },
            Self::Transition(_)
            | Self::SerialElsewhere { .. }
            | Self::Expectation { .. }
            | Self::Refused(_)
            | Self::CountRefused(_)
            | Self::Conflict
            | Self::KeyReused => ErrorKind::Conflict,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::TooMany { .. } => ErrorKind::TooMany,
            Self::OutcomeUnknown(_) => ErrorKind::Unavailable,
            Self::Store(error) => match error.kind() {
                StoreErrorKind::Unavailable | StoreErrorKind::Busy => ErrorKind::Unavailable,
                StoreErrorKind::Corrupt | StoreErrorKind::Misconfigured => ErrorKind::Internal,
                StoreErrorKind::InvalidCursor => ErrorKind::Invalid,
            },
        }
    }

    /// The stable, machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::NotFound { .. } => "not_found",
            Self::Forbidden { .. } => "forbidden",
            Self::Invalid(fields) => match fields.as_slice() {
                [only] => only.code,
                _ => "invalid",
            },
            Self::Transition(error) => match error {
                TransitionError::State { .. } => "invalid_state",
                TransitionError::ItemsBeingAdded => "items_being_added",
                TransitionError::NoLines { .. } => "no_lines",
                TransitionError::Rule { code, .. } => code,
            },
            Self::Stock { problem, .. } => match problem {
                StockError::BelowZero { .. } => "insufficient_stock",
                StockError::CostUnknown => "cost_unknown",
                StockError::SerialQuantity { .. } => "serial_conflict",
                StockError::PeriodClosed { .. } => "period_closed",
                StockError::FutureDated { .. } => "future_dated",
                StockError::OutOfRange => "out_of_range",
            },
            Self::SerialElsewhere { .. } => "serial_elsewhere",
            Self::Line { problem, .. } => problem.code(),
            Self::Count(error) => match error {
                CountError::Negative { .. } => "negative_count",
                CountError::Serial { .. } => "serial_conflict",
                CountError::FutureDated { .. } => "future_dated",
                CountError::PeriodClosed { .. } => "period_closed",
                CountError::BeforeStart { .. } => "before_start",
                CountError::CountedSince { .. } => "counted_since",
                CountError::OutOfRange => "out_of_range",
            },
            Self::Key { problem, .. } => problem.code(),
            Self::Expectation { .. } => "expectation_failed",
            Self::Refused(_) | Self::CountRefused(_) => "lines_refused",
            Self::SelfApproval => "self_approval",
            Self::Conflict => "conflict",
            Self::Taken { .. } => "taken",
            Self::KeyReused => "idempotency_key_reused",
            Self::TooLarge { .. } => "too_large",
            Self::TooMany { .. } => "too_many",
            Self::Expired { .. } => "expired",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            Self::Store(error) => match error.kind() {
                StoreErrorKind::Unavailable => "store_unavailable",
                StoreErrorKind::Busy => "store_busy",
                StoreErrorKind::Corrupt => "store_corrupt",
                StoreErrorKind::InvalidCursor => "invalid_cursor",
                StoreErrorKind::Misconfigured => "store_misconfigured",
            },
        }
    }

    /// Whether the same call may succeed when it is made again (with the same idempotency key).
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::OutcomeUnknown(_) | Self::Conflict | Self::TooMany { .. } => true,
            Self::Store(error) => error.is_retryable(),
            Self::Line { problem, .. } => problem.is_retryable(),
            Self::Unauthenticated
            | Self::NotFound { .. }
            | Self::Forbidden { .. }
            | Self::Invalid(_)
            | Self::Transition(_)
            | Self::Stock { .. }
            | Self::SerialElsewhere { .. }
            | Self::Count(_)
            | Self::Key { .. }
            | Self::Expectation { .. }
            | Self::Refused(_)
            | Self::CountRefused(_)
            | Self::SelfApproval
            | Self::Taken { .. }
            | Self::KeyReused
            | Self::Expired { .. }
            | Self::TooLarge { .. } => false,
        }
    }
}

impl From<StoreError> for Error {
    /// A bad cursor is a mistake of who asks, not of the store.
    fn from(error: StoreError) -> Self {
        if error.kind() == StoreErrorKind::InvalidCursor {
            Self::invalid("cursor", "invalid_cursor", error.kind())
        } else {
            Self::Store(error)
        }
    }
}

/// What a line is called, behind what it is a part of.
fn told_name(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!(", {name}")
    }
}

/// Stock, for people: what they read on shelves and labels, and no ids.
pub(super) fn named(key: &StockKey, product: Option<&Product>, site: Option<&Site>) -> String {
    let mut name = product.map_or_else(|| "stock".to_owned(), |it| it.article_id.to_string());
    for (what, code) in key.codes() {
        name.extend([", ", what, " ", code.as_str()]);
    }
    if let Some(site) = site {
        name.extend([" at ", site.name.as_str()]);
    }
    name
}

impl From<TooManyIds> for Error {
    fn from(error: TooManyIds) -> Self {
        Self::invalid(error.condition, "too_many_ids", error)
    }
}

/// Refuses a date that no request means ([`Timestamp::is_plausible`]).
pub(super) fn dated(
    field: &'static str,
    at: impl IntoIterator<Item = Timestamp>,
) -> Result<(), Error> {
    if at.into_iter().all(Timestamp::is_plausible) {
        Ok(())
    } else {
        let message = "a date is of the years 1900 to 2200";
        Err(Error::invalid(field, "date_out_of_range", message))
    }
}

impl From<DecimalError> for Error {
    fn from(error: DecimalError) -> Self {
        let code = match error {
            DecimalError::Syntax => "not_a_number",
            DecimalError::TooPrecise => "too_precise",
            DecimalError::OutOfRange => "out_of_range",
        };
        Self::invalid("number", code, error)
    }
}

impl From<InvalidKey> for Error {
    fn from(error: InvalidKey) -> Self {
        Self::invalid("idempotency_key", "invalid_idempotency_key", error)
    }
}
