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
    pub(super) clauses: &'static str,
    pub(super) play: for<'a> fn(&'a Stage<'a>) -> Running<'a>,
}

impl Case {
    /// Its name, which is also that of its test.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The clause of the contract that it holds first of all (`R3`, `Q4`).
    pub fn clause(&self) -> &'static str {
        self.clauses().next().unwrap_or_default()
    }

    /// The clauses of the contract that it holds, the first of all first.
    pub fn clauses(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.clauses.split(' ')
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.clauses, self.name)
    }
}

/// The table of cases out of their list.
macro_rules! table {
    ($($clause:literal $file:ident::$case:ident,)+) => {
        &[$(
            $crate::conformance::Case {
                name: stringify!($case),
                clauses: $clause,
                play: |stage| Box::pin($file::$case(stage)),
            },
        )+]
    };
}
pub(super) use table;

/// A clause that a store broke. Its text is a few lines: the clause and the case; at which step, if there are several; what was
/// looked at; the field that differs, what was expected there and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{clause} is broken, by {case}\n{message}")]
#[non_exhaustive]
pub struct Failure {
    /// The case.
    pub case: &'static str,
    /// Its clause.
    pub clause: &'static str,
    /// What the store did wrong, on a few lines.
    pub message: String,
}

/// How long a message is at most, about.
const MOST: usize = 800;

/// The same lines, those cut that are too long.
fn readable(message: &str) -> String {
    let each = MOST.checked_div(message.lines().count()).unwrap_or(MOST);
    let lines = message.lines().map(|line| {
        let end = line.floor_char_boundary(each);
        let more = if end < line.len() { "\u{2026}" } else { "" };
        format!("{}{more}", &line[..end])
    });
    lines.collect::<Vec<_>>().join("\n")
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
/// #     async fn crash_image(&self, _: &Self::Store) -> Option<Self::Store> { None }
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
        clause: case.clause(),
        message: readable(&wrong.0),
    })
}
