//! The one thread that writes: it takes what has piled up into one transaction.

use std::sync::mpsc::{Receiver, TryRecvError};

use rusqlite::Connection;

use super::place::Place;
use super::session::Session;
use crate::store::{StoreError, StoreErrorKind};

/// The most that goes into one transaction.
const GROUP: usize = 128;

/// Something to be written. It may be done more than once: what was done and not committed is undone.
pub(super) trait Task: Send {
    /// Does it; whether it is to be kept.
    fn run(&mut self, session: &mut Session<Connection>) -> bool;

    /// Tells how it ended, now that what was to be kept is.
    fn committed(self: Box<Self>);

    /// Tells that it could not be done.
    fn failed(self: Box<Self>, failure: Failure);
}

/// Why nothing was kept.
#[derive(Debug)]
pub(super) enum Failure {
    /// For sure.
    Nothing(StoreError),
    /// As far as anybody knows.
    Unknown(StoreError),
}

/// Writes until nobody can ask for it any more.
pub(super) fn write_all(
    mut session: Session<Connection>,
    place: &Place,
    tasks: &Receiver<Box<dyn Task>>,
) {
    while let Ok(first) = tasks.recv() {
        let mut group = vec![first];
        while group.len() < GROUP {
            match tasks.try_recv() {
                Ok(next) => group.push(next),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        let (group, failure) = match write_group(&mut session, place, group) {
            Ok(()) => continue,
            Err(failed) => failed,
        };
        match failure {
            Failure::Unknown(error) => tell_unknown(group, &error),
            Failure::Nothing(error) => one_by_one(&mut session, place, group, error),
        }
    }
}

/// Nobody knows of any of them.
fn tell_unknown(group: Vec<Box<dyn Task>>, error: &StoreError) {
    let operation = error.operation();
    let kind = error.kind();
    for task in group {
        task.failed(Failure::Unknown(StoreError::new(kind, operation)));
    }
}

/// What one of a group could not do must not touch the others.
fn one_by_one(
    session: &mut Session<Connection>,
    place: &Place,
    group: Vec<Box<dyn Task>>,
    error: StoreError,
) {
    let mut group = group.into_iter();
    if group.len() == 1 {
        if let Some(task) = group.next() {
            task.failed(Failure::Nothing(error));
        }
        return;
    }
    for task in group {
        if let Err((group, failure)) = write_group(session, place, vec![task]) {
            let mut failure = Some(failure);
            for task in group {
                if let Some(failure) = failure.take() {
                    task.failed(failure);
                }
            }
        }
    }
}

/// Writes a group in one transaction: each task so that it can be undone without the others.
fn write_group(
    session: &mut Session<Connection>,
    place: &Place,
    mut group: Vec<Box<dyn Task>>,
) -> Result<(), (Vec<Box<dyn Task>>, Failure)> {
    session.operation = "commit";
    session.is_alone = group.len() == 1;
    let mut write = || {
        session.say("BEGIN IMMEDIATE").map_err(Failure::Nothing)?;
        for task in &mut group {
            let result = run_one(session, task.as_mut());
            if let Err(error) = result {
                undo(session);
                return Err(Failure::Nothing(error));
            }
        }
        session.operation = "commit";
        if let Err(gone) = place.check("commit") {
            undo(session);
            return Err(Failure::Nothing(gone));
        }
        session.say("COMMIT").map_err(|error| {
            let is_undone = undo(session);
            let is_sure = error.kind() == StoreErrorKind::Busy || is_full(&error);
            if is_undone && is_sure {
                Failure::Nothing(error)
            } else {
                Failure::Unknown(error)
            }
        })
    };
    match write() {
        Ok(()) => {
            for task in group {
                task.committed();
            }
            Ok(())
        }
        Err(failure) => Err((group, failure)),
    }
}

fn run_one(session: &mut Session<Connection>, task: &mut dyn Task) -> Result<(), StoreError> {
    session.begin_part()?;
    let keep = task.run(session);
    session.operation = "commit";
    if session.connection.is_autocommit() {
        // A full disk, for one, makes SQLite undo everything by itself.
        return Err(StoreError::new(StoreErrorKind::Unavailable, "commit"));
    }
    if !keep {
        session.undo_part()?;
    }
    session.end_part()
}

/// Undoes the transaction, if SQLite has not already.
fn undo(session: &Session<Connection>) -> bool {
    session.connection.is_autocommit() || session.say("ROLLBACK").is_ok()
}

fn is_full(error: &StoreError) -> bool {
    let source = std::error::Error::source(error);
    let error = source.and_then(|it| it.downcast_ref::<rusqlite::Error>());
    error.and_then(rusqlite::Error::sqlite_error_code) == Some(rusqlite::ErrorCode::DiskFull)
}
