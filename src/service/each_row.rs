//! Reading a whole list without holding it.

use std::future::Future;

use crate::store::{Page, PageRequest, PageStart, StoreError};

use super::{CHUNK, Error};

/// Reads a list page by page and does something with each row. Tells how many there were.
pub(super) async fn each_row<T, F: Future<Output = Result<Page<T>, StoreError>>>(
    read: impl Fn(PageRequest) -> F,
    mut each: impl FnMut(T) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut request = PageRequest {
        with_total: false,
        ..PageRequest::first(CHUNK)
    };
    let mut rows = 0_u64;
    loop {
        let page = read(request.clone()).await?;
        for row in page.items {
            each(row)?;
            rows = rows.saturating_add(1);
        }
        match page.next {
            Some(next) => request.start = PageStart::After(next),
            None => return Ok(rows),
        }
    }
}
