//! What is peculiar to the store in a SQLite file: files that can't be opened, full and locked ones, damaged rows,
//! a host's own tables and transactions, several handles, and how many statements a commit takes. What every store
//! must do is in the conformance suite. What a process that is killed leaves behind is in `killed`.
#![cfg(feature = "sqlite")]

mod commit_in;
mod damage;
mod full;
mod handles;
mod killed;
mod locked;
mod opening;
mod script;
mod state;
mod statements;

use std::path::{Path, PathBuf};

use stocktake::domain::{Code, OrganisationId, Site, SiteId, SitePolicy, Timestamp};
use stocktake::sqlite::rusqlite::Connection;
use stocktake::sqlite::{Durability, SqliteOptions, SqliteStore};
use stocktake::store::{ChangeSet, Command, CommandId, Digest, Outcome};
use tempfile::TempDir;
use uuid::Uuid;

const ORGANISATION: OrganisationId = OrganisationId::new(Uuid::from_u128(0xA));

/// A folder, and a file in it that is not there yet. In memory where the system has such a folder: a disk that others
/// keep busy takes seconds for what is synced, and several handles of one file then wait longer than they are told to.
fn nowhere() -> (TempDir, PathBuf) {
    let folder = TempDir::new_in("/dev/shm")
        .or_else(|_| TempDir::new())
        .unwrap();
    let path = folder.path().join("stock.db");
    (folder, path)
}

/// Quick: no power is lost in these tests.
fn quick() -> SqliteOptions {
    let mut options = SqliteOptions::default();
    options.durability = Durability::Deferred;
    options.readers = 1;
    options
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open_with(path, &quick()).unwrap()
}

fn raw(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

fn site(number: u128) -> Site {
    Site {
        id: SiteId::new(Uuid::from_u128(number)),
        organisation: ORGANISATION,
        external_id: Code::new(format!("S-{number}").as_str()).unwrap(),
        name: "Harbour Street".parse().unwrap(),
        currency: "gbp".parse().unwrap(),
        policy: SitePolicy::default(),
    }
}

/// A change set of a command that has not been given before.
fn changes(command: impl std::fmt::Display) -> ChangeSet {
    let command = command.to_string();
    ChangeSet::new(
        ORGANISATION,
        Command {
            id: CommandId::new("test", &command),
            digest: Digest::of("test").field(&command).finish(),
            outcome: Outcome::Done,
            at: Timestamp::EPOCH,
        },
    )
}

/// That a new site is added.
fn added(number: u128) -> ChangeSet {
    let mut changes = changes(format!("site {number}"));
    changes.insert(site(number));
    changes
}

fn assert_intact(file: &Path) {
    let told: String = raw(file)
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(told, "ok");
}
