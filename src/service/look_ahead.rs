//! Reading the next part of a long operation while this one is written.
//!
//! What was read ahead is as old as what any other reader may hold: a commit that it no longer fits is refused by the
//! versions in it, and the part is read again.

use std::future::{Future, poll_fn};
use std::task::Poll;

/// What was read ahead, and where it begins.
#[derive(Debug)]
pub(crate) struct Ahead<At, Part>(Option<(At, Part)>);

impl<At, Part> Default for Ahead<At, Part> {
    fn default() -> Self {
        Self(None)
    }
}

impl<At: PartialEq, Part> Ahead<At, Part> {
    /// The part that begins here, if it was read. Another one is of no use any more.
    pub(super) fn take(&mut self, at: &At) -> Option<Part> {
        let (begins, part) = self.0.take()?;
        (begins == *at).then_some(part)
    }

    /// Keeps a part, if it was read.
    pub(super) fn keep(&mut self, read: Option<(At, Part)>) {
        self.0 = read;
    }
}

/// Waits for two things at once; the first one begins first. They are large, and whoever waits is moved about.
pub(super) async fn both<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> (A, B) {
    let (mut first, mut second) = (Box::pin(first), Box::pin(second));
    let (mut one, mut other) = (None, None);
    poll_fn(|context| {
        if one.is_none()
            && let Poll::Ready(value) = first.as_mut().poll(context)
        {
            one = Some(value);
        }
        if other.is_none()
            && let Poll::Ready(value) = second.as_mut().poll(context)
        {
            other = Some(value);
        }
        match (one.take(), other.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            (is_one, is_other) => {
                (one, other) = (is_one, is_other);
                Poll::Pending
            }
        }
    })
    .await
}
