//! What cases check with.

use std::fmt::Debug;

use super::difference::{in_short, told};
use super::harness::Store;
use crate::store::{ChangeSet, CommitError, CommitOutcome, Conflict, StoreError};

/// What a case came to.
pub(super) type Verdict = Result<(), Wrong>;

/// What a store did wrong: a few lines, the first of which says in what.
#[derive(Debug)]
pub(super) struct Wrong(pub(super) String);

impl Wrong {
    /// The same, at a step of the case.
    pub(super) fn at(self, step: impl std::fmt::Display) -> Self {
        Self(format!("at {step}\n{}", self.0))
    }

    /// That two things differ, by their `Debug` texts.
    pub(super) fn unlike(what: &str, expected: &str, found: &str) -> Self {
        Self(format!("{what}\n{}", told(expected, found)))
    }
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self(message)
    }
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        Self(message.to_owned())
    }
}

/// An error that no store may give there.
macro_rules! unexpected {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Wrong {
            fn from(error: $error) -> Self {
                Self(format!("an error was not due: {error:?}"))
            }
        }
    )+};
}

unexpected!(
    StoreError,
    CommitError,
    crate::store::LeaseError,
    crate::service::Error,
    crate::domain::TransitionError,
    crate::domain::DecimalError,
    crate::domain::StockError,
    serde::de::value::Error,
    tokio::task::JoinError,
);

/// How often a store that is busy is asked again.
const PATIENCE: u32 = 100;

/// That something holds; the rest says what the store did when it does not.
macro_rules! ensure {
    ($holds:expr, $($said:tt)+) => {
        if !$holds {
            return Err($crate::conformance::checks::Wrong(format!($($said)+)));
        }
    };
}
pub(super) use ensure;

/// That two things are the same.
#[allow(
    clippy::needless_pass_by_value,
    reason = "what is compared was read for that only"
)]
pub(super) fn same<T: PartialEq<U> + Debug, U: Debug>(
    found: T,
    expected: U,
    what: &str,
) -> Verdict {
    if found == expected {
        return Ok(());
    }
    let (expected, found) = (format!("{expected:?}"), format!("{found:?}"));
    Err(Wrong::unlike(what, &expected, &found))
}

/// Commits, again while the store is busy.
pub(super) async fn commit(
    store: &dyn Store,
    changes: &ChangeSet,
) -> Result<CommitOutcome, CommitError> {
    let mut left = PATIENCE;
    loop {
        match store.commit(changes).await {
            Err(CommitError::Store(error)) if error.is_retryable() && left > 0 => left -= 1,
            Err(CommitError::OutcomeUnknown(_)) if left > 0 => left -= 1,
            outcome => return outcome,
        }
        tokio::task::yield_now().await;
    }
}

/// Commits a change set that must be applied now.
pub(super) async fn applied(store: &dyn Store, changes: &ChangeSet) -> Verdict {
    let outcome = commit(store, changes).await?;
    same(outcome, CommitOutcome::Applied, "a new command")
}

/// Commits a change set that must be refused for exactly these reasons, in any order.
pub(super) async fn refused(
    store: &dyn Store,
    changes: &ChangeSet,
    expected: &[Conflict],
    what: &str,
) -> Verdict {
    match commit(store, changes).await {
        Err(CommitError::Conflict(found)) => {
            if let Some(missing) = expected.iter().find(|it| !found.contains(it)) {
                return Err(format!(
                    "{what}\ndiffers: a conflict that is not told\nexpected: {}\nfound: {}",
                    in_short(missing),
                    in_short(&found)
                )
                .into());
            }
            if let Some(more) = found.iter().find(|it| !expected.contains(it)) {
                return Err(format!(
                    "{what}\ndiffers: a conflict that is none\nexpected: {}\nfound: {}",
                    in_short(&expected),
                    in_short(more)
                )
                .into());
            }
            Ok(())
        }
        other => Err(format!(
            "{what}\nexpected: conflicts, {}\nfound: {}",
            in_short(&expected),
            in_short(&other)
        )
        .into()),
    }
}
