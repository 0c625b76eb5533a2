//! Packs a workbook on a thread of its own, and hands it out piece by piece: packing a million lines takes many seconds,
//! and a worker shares its thread with others.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::documents::{TableError, XlsxTable};

/// How long a piece is: what one commit keeps.
const PIECE: usize = 256 * 1024;
/// How many pieces wait at most.
const WAITING: usize = 2;

/// The pieces of a file that is being packed. Packing ends when this is dropped.
pub(super) struct Pieces(Arc<Shared>);

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Vec<u8>>,
    ended: Option<Result<(), TableError>>,
    waiting: Option<Waker>,
    is_given_up: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to pack a workbook.
///
/// # Errors
///
/// [`TableError::Unwritable`] where no thread can be had.
pub(super) fn packed(table: XlsxTable) -> Result<Pieces, TableError> {
    let shared = Arc::new(Shared::default());
    let pieces = Pieces(Arc::clone(&shared));
    let work = move || {
        let mut packer = Packer {
            shared,
            piece: Vec::with_capacity(PIECE),
        };
        let ended = table.save_to(&mut packer);
        packer.end(ended);
    };
    let thread = std::thread::Builder::new().name("stocktake-packing".to_owned());
    thread.spawn(work).map_err(unwritable)?;
    Ok(pieces)
}

impl Pieces {
    /// The next piece; nothing behind the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, TableError> {
        poll_fn(|context| {
            let mut state = self.0.state();
            if let Some(piece) = state.pieces.pop_front() {
                self.0.room.notify_one();
                return Poll::Ready(Ok(Some(piece)));
            }
            if let Some(ended) = &state.ended {
                return Poll::Ready(ended.clone().map(|()| None));
            }
            state.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.0.state().is_given_up = true;
        self.0.room.notify_one();
    }
}

/// Takes the file as it is packed, and cuts it into pieces.
struct Packer {
    shared: Arc<Shared>,
    piece: Vec<u8>,
}

impl Packer {
    /// Hands a piece over, when there is room for it.
    fn hand_over(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let mut state = self.shared.state();
        while state.pieces.len() >= WAITING && !state.is_given_up {
            state = (self.shared.room.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_given_up {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        state.pieces.push_back(piece);
        wake(state);
        Ok(())
    }

    fn end(mut self, ended: Result<(), TableError>) {
        let rest = if self.piece.is_empty() {
            Ok(())
        } else {
            self.hand_over().map_err(unwritable)
        };
        let mut state = self.shared.state();
        state.ended = Some(ended.and(rest));
        wake(state);
    }
}

impl Write for Packer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE.saturating_sub(self.piece.len()).max(1);
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.piece.extend_from_slice(taken);
        if self.piece.len() >= PIECE {
            self.hand_over()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Wakes who waits, once nobody holds the lock.
fn wake(mut state: MutexGuard<'_, State>) {
    let waiting = state.waiting.take();
    drop(state);
    if let Some(waker) = waiting {
        waker.wake();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn unwritable(error: io::Error) -> TableError {
    TableError::Unwritable(error.to_string())
}
