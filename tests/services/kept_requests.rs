//! A request that is sent again after an upgrade is the same request: what every operation is remembered by stands in
//! `tests/stored/requests.txt`, a line each, and is only added to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use stocktake::service::{Caller, Error};
use stocktake::sqlite::SqliteStore;
use stocktake::store::IdempotencyKey;
use stocktake::testing::Shop;
use uuid::Uuid;

use crate::bad_input::{World, operations};
use crate::document_permissions::{prepared, rows};
use crate::stores::Fresh as _;

const KEPT: &str = include_str!("../stored/requests.txt");

/// The key that each operation is asked with.
const KEY: &str = "kept";

fn keyed(shop: &Shop) -> Caller {
    Caller::of(&shop.manager).with_key(IdempotencyKey::new(KEY).unwrap())
}

/// The commands that an operation was remembered by.
fn commands(
    store: &SqliteStore,
    name: &str,
    answer: &Result<String, Error>,
) -> BTreeMap<String, Uuid> {
    let beside = rusqlite::Connection::open(store.path()).unwrap();
    let text = "SELECT id, digest FROM stk_command WHERE instr(id, ?1) > 0";
    let mut statement = beside.prepare(text).unwrap();
    let found = statement.query_map([KEY], |row| Ok((row.get(0)?, row.get(1)?)));
    let found: BTreeMap<String, Uuid> = found.unwrap().map(Result::unwrap).collect();
    assert!(
        answer.is_ok() || found.is_empty(),
        "{name}: {answer:?}: {found:?}"
    );
    found
}

#[tokio::test]
async fn every_operation_is_remembered_by_what_it_always_was() {
    let mut now = BTreeMap::new();
    for row in operations() {
        let (store, _folder) = SqliteStore::fresh();
        let shared = Arc::new(store.clone());
        let world = World::of(shared.clone(), Shop::on(shared));
        let world = row.prepare.made(world).await;
        let names = world.names(row.prepare).await;
        let answer = (row.ask)(&world, &keyed(&world.shop), &names).await;
        now.extend(commands(&store, row.name, &answer));
    }
    for row in rows() {
        let (store, _folder) = SqliteStore::fresh();
        let shop = Shop::on(Arc::new(store.clone()));
        let names = prepared(&shop, row.world).await;
        let answer = (row.ask)(&shop, &keyed(&shop), &names).await;
        now.extend(commands(&store, row.name, &answer));
    }
    assert!(now.len() > 40, "{now:?}");
    let line = |line: &'static str| {
        let (id, digest) = line.split_once(' ').unwrap();
        (id, digest.parse::<Uuid>().unwrap())
    };
    let kept: BTreeMap<&str, Uuid> = KEPT.lines().map(line).collect();
    let mut lacking = String::new();
    for (id, digest) in &now {
        match kept.get(id.as_str()) {
            Some(kept) => assert_eq!(digest, kept, "{id} is another request than it was"),
            None => writeln!(lacking, "{id} {digest}").unwrap(),
        }
    }
    assert!(
        lacking.is_empty(),
        "add to tests/stored/requests.txt:\n{lacking}"
    );
    let gone: Vec<_> = kept.keys().filter(|id| !now.contains_key(**id)).collect();
    assert!(gone.is_empty(), "no operation is remembered by {gone:?}");
}
