//! Polls what is to be disturbed: without a runtime, so that the test decides when a command is given up.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// More than any command needs that gets somewhere: it waits for somebody else.
const MANY_WAITS: usize = 100_000;

/// Whom a future wakes: the thread that polls it.
struct Poller {
    thread: Thread,
    /// It woke itself: it let others go first, and nobody else is there.
    gave_way: AtomicBool,
    /// Another thread woke it: the store has answered.
    answered: AtomicBool,
}

impl Wake for Poller {
    fn wake(self: Arc<Self>) {
        if thread::current().id() == self.thread.id() {
            self.gave_way.store(true, Ordering::SeqCst);
        } else {
            self.answered.store(true, Ordering::SeqCst);
            self.thread.unpark();
        }
    }
}

/// Polls a future until it has given way so often; `None` when it was dropped before its end, or `hangs`.
pub(super) fn within<T>(
    waits: usize,
    hangs: impl Fn() -> bool,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let poller = Arc::new(Poller {
        thread: thread::current(),
        gave_way: AtomicBool::new(false),
        answered: AtomicBool::new(false),
    });
    let waker = Waker::from(poller.clone());
    let mut left = waits;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        if poller.gave_way.swap(false, Ordering::SeqCst) {
            left = left.checked_sub(1).filter(|left| *left > 0)?;
            continue;
        }
        if hangs() {
            return None;
        }
        while !poller.answered.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}

/// What nothing disturbs ends.
pub(super) fn done<T>(future: impl Future<Output = T>) -> T {
    within(MANY_WAITS, || false, future).expect("the command ends")
}
