//! Answers that are written page by page as they are read from the store: none is ever held as a whole.

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use stocktake::service::Error;
use stocktake::store::{Page, PageRequest};

use super::failure::Failure;
use super::query::Order;

/// Rows that are held at once.
const ROWS: u32 = 500;

/// Some rows, and where the next ones begin.
#[derive(Debug)]
pub(super) struct Part<C> {
    /// As JSON, with commas between them.
    rows: String,
    count: u64,
    next: Option<C>,
}

impl<C> Part<C> {
    /// These rows.
    ///
    /// # Errors
    ///
    /// 500 for a row that can't be written.
    pub(super) fn of<T: Serialize>(
        found: impl IntoIterator<Item = T>,
        next: Option<C>,
    ) -> Result<Self, Failure> {
        let (mut rows, mut count) = (String::new(), 0_u64);
        for row in found {
            if count > 0 {
                rows.push(',');
            }
            rows.push_str(&serde_json::to_string(&row).map_err(|_| Failure::internal())?);
            count = count.saturating_add(1);
        }
        Ok(Self { rows, count, next })
    }
}

/// How far an answer is.
struct State<C> {
    next: Option<C>,
    count: u64,
    is_over: bool,
}

/// Rows of JSON between what stands before them and what stands behind them, which may tell how many they were. What
/// goes wrong with the first part is answered like any failure; later the answer breaks off.
///
/// # Errors
///
/// Those of the first part.
pub(super) async fn rows<C, F, A>(
    first: C,
    before: &str,
    read: F,
    behind: impl FnOnce(u64) -> String + Clone + Send + 'static,
) -> Result<Response, Failure>
where
    C: Send + 'static,
    F: Fn(C) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Part<C>, Failure>> + Send + 'static,
{
    let part = read(first).await?;
    let head = format!("{before}{}", part.rows);
    let state = State {
        next: part.next,
        count: part.count,
        is_over: false,
    };
    let rest = stream::try_unfold(state, move |state| {
        let (read, behind) = (read.clone(), behind.clone());
        async move {
            if state.is_over {
                return Ok(None);
            }
            let Some(next) = state.next else {
                let over = State {
                    next: None,
                    is_over: true,
                    ..state
                };
                return Ok(Some((behind(state.count), over)));
            };
            let part = read(next).await.map_err(broken)?;
            let comma = if state.count > 0 && part.count > 0 {
                ","
            } else {
                ""
            };
            let state = State {
                next: part.next,
                count: state.count.saturating_add(part.count),
                is_over: false,
            };
            Ok(Some((format!("{comma}{}", part.rows), state)))
        }
    });
    let head = stream::iter([Ok::<String, std::io::Error>(head)]);
    let kind = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )];
    Ok((kind, Body::from_stream(head.chain(rest))).into_response())
}

/// A list of pages as one list, this way round: `shown` is how a row looks.
///
/// # Errors
///
/// Those of the first page.
pub(super) async fn pages<T, V, F, A>(
    before: &str,
    order: Order,
    list: F,
    shown: impl Fn(&T) -> V + Clone + Send + Sync + 'static,
    behind: impl FnOnce(u64) -> String + Clone + Send + 'static,
) -> Result<Response, Failure>
where
    T: Send + 'static,
    V: Serialize,
    F: Fn(PageRequest) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Page<T>, Error>> + Send + 'static,
{
    let read = move |page: PageRequest| {
        let (list, shown) = (list.clone(), shown.clone());
        async move {
            let found = list(page).await?;
            let next = found
                .next
                .map(|next| order.of(PageRequest::after(next, ROWS)));
            Part::of(found.items.iter().map(shown), next)
        }
    };
    rows(order.of(PageRequest::first(ROWS)), before, read, behind).await
}

/// So many rows of the ledger are read at once.
pub(super) const fn rows_at_once() -> u32 {
    ROWS
}

/// The parts of a file.
///
/// # Errors
///
/// Those of the first part.
pub(super) async fn file<F, A>(read: F) -> Result<Body, Failure>
where
    F: Fn(u32) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Option<Arc<[u8]>>, Error>> + Send + 'static,
{
    let first = read(0).await?;
    let begin = stream::iter(first.map(|bytes| Ok::<_, std::io::Error>(bytes.to_vec())));
    let rest = stream::try_unfold(1_u32, move |number| {
        let read = read.clone();
        async move {
            let part = read(number).await.map_err(|error| broken(error.into()))?;
            Ok(part.map(|bytes| (bytes.to_vec(), number.saturating_add(1))))
        }
    });
    Ok(Body::from_stream(begin.chain(rest)))
}

fn broken(failure: Failure) -> std::io::Error {
    std::io::Error::other(failure.message)
}
