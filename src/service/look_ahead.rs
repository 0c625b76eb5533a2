//! Reading the next part of a long operation while this one is written.
//!
//! What was read ahead is for the header's next version: if anybody else has changed the header since, it is of no use. It
//! is as old as what any other reader may hold: a commit that it no longer fits is refused by the versions in it, and the
//! part is read again.

use std::future::{Future, poll_fn};
use std::task::Poll;

use crate::store::Version;

/// What was read ahead, and the version of the header that it is for.
#[derive(Debug)]
pub(crate) struct Ahead<Part>(Option<(Version, Part)>);

impl<Part> Default for Ahead<Part> {
    fn default() -> Self {
        Self(None)
    }
}

impl<Part> Ahead<Part> {
    /// The part that is for this version, if it was read. Another one is of no use any more.
    pub(super) fn take(&mut self, header: Version) -> Option<Part> {
        let (version, part) = self.0.take()?;
        (version == header).then_some(part)
    }

    /// Keeps the part, if it was read, for the header after this version.
    pub(super) fn keep(&mut self, header: Version, read: Option<Part>) {
        self.0 = read.map(|part| (header.next(), part));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_for_one_version_of_its_header() {
        let first = Version::FIRST;
        let mut ahead = Ahead::default();
        assert_eq!(ahead.take(first), None);
        ahead.keep(first, Some("part"));
        assert_eq!(ahead.take(first.next()), Some("part"));
        assert_eq!(ahead.take(first.next()), None, "it was taken");
        ahead.keep(first, Some("part"));
        assert_eq!(ahead.take(first.next().next()), None, "the header changed");
        ahead.keep(first, None);
        assert_eq!(ahead.take(first.next()), None);
    }
}
