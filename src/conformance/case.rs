//! A case, and what comes of it.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use super::checks::Verdict;
use super::harness::{Harness, Stage};

/// A case on its way.
pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// One thing that the contract promises, as a test.
#[derive(Clone, Copy)]
pub struct Case {
    pub(super) name: &'static str,
    pub(super) clause: &'static str,
    pub(super) play: for<'a> fn(&'a Stage<'a>) -> Running<'a>,
}

impl Case {
    /// Its name, which is also that of its test.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The clause of the contract that it holds first of all (`R3`, `Q4`).
    pub const fn clause(&self) -> &'static str {
        self.clause
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.clause, self.name)
    }
}

/// The table of cases out of their list.
macro_rules! table {
    ($($clause:literal $file:ident::$case:ident,)+) => {
        &[$(
            $crate::conformance::Case {
                name: stringify!($case),
                clause: $clause,
                play: |stage| Box::pin($file::$case(stage)),
            },
        )+]
    };
}
pub(super) use table;

/// A clause that a store broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{case} breaks {clause}: {message}")]
#[non_exhaustive]
pub struct Failure {
    /// The case.
    pub case: &'static str,
    /// Its clause.
    pub clause: &'static str,
    /// What the store did wrong.
    pub message: String,
}

/// Runs a case against a fresh store. Call it on a runtime of several threads: races are run by tasks.
///
/// # Errors
///
/// [`Failure`], also when the store panics.
///
/// # Example
///
/// ```
/// # struct InMemory;
/// # impl stocktake::conformance::Harness for InMemory {
/// #     type Store = stocktake::memory::MemoryStore;
/// #     async fn fresh(&self) -> Self::Store { Self::Store::new() }
/// #     async fn second_handle(&self, store: &Self::Store) -> Self::Store { store.clone() }
/// #     async fn reopen(&self, _: Self::Store) -> Option<Self::Store> { None }
/// # }
/// use stocktake::conformance::{cases, run};
///
/// # tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?.block_on(async {
/// for case in cases().iter().filter(|case| case.clause() == "R6") {
///     run(case, &InMemory).await?;
/// }
/// # Ok::<(), stocktake::conformance::Failure>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn run(case: &Case, harness: &impl Harness) -> Result<(), Failure> {
    let stage = Stage::new(harness);
    let mut playing = (case.play)(&stage);
    let verdict = poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| playing.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err("the store panicked".into())))
    })
    .await;
    verdict.map_err(|wrong| Failure {
        case: case.name,
        clause: case.clause,
        message: wrong.0,
    })
}
