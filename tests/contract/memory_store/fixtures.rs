//! A small shop, written out with plain constructors.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stocktake::domain::{
    Actor, Barcode, Beginning, BrandId, CategoryId, Cause, Change, Code, Count, CountEntry,
    CountEntryId, CountMoment, Entered, IncomingCost, InitialState, JobId, Label, LineOutcome,
    LinePosting, LineProblem, MovementPolicy, Named, OrganisationId, Pick, Product, ProductId,
    Quantity, Role, Site, SiteAccess, SiteId, SitePolicy, Stamp, StockEvent, StockEventId,
    StockEventKind, StockKey, StockLevel, StockTake, StockTakeDetails, StockTakeId, StockTakeItem,
    StockTakePlace, Supplier, SupplierId, Terms, Timestamp, UnitCost, UserId, UserSummary, Value,
};
use stocktake::memory::MemoryStore;
use stocktake::store::{
    ChangeSet, Command, CommandId, CommitError, CommitOutcome, Conflict, Digest, JobTask, NewJob,
    Outcome, PageRequest, Repository, StockTakeItemFilter, StockTakeTotals, Version,
};
use uuid::Uuid;

pub(crate) const ORGANISATION: OrganisationId = OrganisationId::new(Uuid::from_u128(0xA));
pub(crate) const STRANGER: OrganisationId = OrganisationId::new(Uuid::from_u128(0xB));
pub(crate) const SITE: SiteId = SiteId::new(Uuid::from_u128(0x51));
pub(crate) const TAKE: StockTakeId = StockTakeId::new(Uuid::from_u128(0x7A));

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.later_by(second.saturating_mul(1_000_000))
}

pub(crate) fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub(crate) fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

pub(crate) fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(crate) fn user() -> UserSummary {
    UserSummary {
        id: UserId::new(Uuid::from_u128(0x05)),
        email: Some("dan@example.com".to_owned()),
        first_name: "Dan".to_owned(),
        last_name: "Johnson".to_owned(),
    }
}

pub(crate) fn actor(organisation: OrganisationId) -> Actor {
    Actor {
        organisation,
        user: user(),
        role: Role::Manager,
        sites: SiteAccess::All,
    }
}

pub(crate) fn stamp(second: i64) -> Stamp {
    Stamp {
        actor: actor(ORGANISATION),
        at: at(second),
    }
}

pub(crate) fn site() -> Site {
    Site {
        id: SITE,
        organisation: ORGANISATION,
        external_id: code("store-1"),
        name: label("High Street"),
        currency: "gbp".parse().unwrap(),
        policy: SitePolicy::default(),
    }
}

pub(crate) fn supplier(n: u128) -> Supplier {
    Supplier {
        id: SupplierId::new(Uuid::from_u128(n)),
        organisation: ORGANISATION,
        site: SITE,
        name: label(&format!("Supplier {n}")),
        email: None,
    }
}

pub(crate) fn product_id(n: u128) -> ProductId {
    ProductId::new(Uuid::from_u128(n))
}

pub(crate) fn product(n: u128) -> Product {
    let article = code(&format!("SKU-{n}"));
    let name = label(&format!("Product {n}"));
    Product::new(product_id(n), ORGANISATION, article, name)
}

pub(crate) fn brand(n: u128) -> Named<BrandId> {
    Named {
        id: BrandId::new(Uuid::from_u128(n)),
        name: label(&format!("Brand {n}")),
    }
}

pub(crate) fn category(n: u128) -> Named<CategoryId> {
    Named {
        id: CategoryId::new(Uuid::from_u128(n)),
        name: label(&format!("Category {n}")),
    }
}

pub(crate) fn sold_by(n: u128) -> Named<SupplierId> {
    let supplier = supplier(n);
    Named {
        id: supplier.id,
        name: supplier.name,
    }
}

pub(crate) fn barcode(value: &str) -> Barcode {
    Barcode {
        value: code(value),
        symbology: code("EAN13"),
    }
}

pub(crate) fn key(n: u128) -> StockKey {
    StockKey::plain(SITE, product_id(n))
}

/// A level with so much on hand, after one event.
pub(crate) fn level(key: StockKey, on_hand: &str) -> StockLevel {
    let site = site();
    let change = Change {
        id: StockEventId::new(Uuid::from_u128(0xE)),
        kind: StockEventKind::Receipt,
        quantity: quantity(on_hand),
        cost: IncomingCost::PerUnit("1.25".parse().unwrap()),
        pick: Pick::Oldest,
        occurred_at: None,
        reason: None,
        reference: None,
        cause: Cause::Movement,
        of: None,
        reverses: None,
    };
    let terms = Terms {
        site: &site,
        standard: None,
        elsewhere: None,
        at: at(1),
        by: user().id,
    };
    let new = StockLevel::new(key, at(0));
    new.apply(change, &terms).unwrap().0
}

pub(crate) fn event_id(n: u128) -> StockEventId {
    StockEventId::new(Uuid::from_u128(n))
}

pub(crate) fn event(n: u128, key: StockKey, sequence: u64) -> StockEvent {
    StockEvent {
        id: event_id(n),
        key,
        sequence,
        kind: StockEventKind::Receipt,
        change: Quantity::ONE,
        before: quantity("0"),
        after: Quantity::ONE,
        unit_cost: UnitCost::ZERO,
        value_change: Value::ZERO,
        difference: Value::ZERO,
        parts: Vec::new(),
        occurred_at: at(1),
        timed: false,
        recorded_at: at(1),
        recorded_by: user().id,
        reason: None,
        reference: None,
        cause: Cause::Movement,
        of: None,
        reverses: None,
        absorbs: None,
        within_tolerance: false,
        learned: None,
    }
}

pub(crate) fn take_id(n: u128) -> StockTakeId {
    StockTakeId::new(Uuid::from_u128(n))
}

/// A take that is counted at once.
pub(crate) fn take(id: StockTakeId, second: i64) -> StockTake {
    let place = StockTakePlace {
        organisation: ORGANISATION,
        site: SITE,
        currency: "gbp".parse().unwrap(),
    };
    let details = StockTakeDetails {
        name: None,
        description: Some(label("January")),
        due_at: None,
        annual: false,
        movement_policy: MovementPolicy::KeepMovements,
    };
    StockTake::create(id, place, details, InitialState::Ongoing, &stamp(second))
}

/// The line of a product, with its number.
pub(crate) fn item(n: u64) -> StockTakeItem {
    let product = product(u128::from(n));
    let key = StockKey::plain(SITE, product.id);
    StockTakeItem::new(TAKE, n, key, Arc::new(product), Beginning::default(), at(0))
}

pub(crate) fn counted(mut item: StockTakeItem, how_many: &str, minor: i64) -> StockTakeItem {
    let moment = CountMoment {
        at: at(2),
        clock: at(2),
        known: 0,
        ahead: false,
        stated: false,
        sequence: 1,
        told: 1,
        book: Quantity::ONE,
    };
    item.count = Some(Count {
        quantity: quantity(how_many),
        moment,
        first: moment,
        was_set: false,
        unit_cost: Some("0.335".parse().unwrap()),
        adjustment_minor: minor,
        by: user().id,
    });
    item
}

pub(crate) fn posted(
    mut item: StockTakeItem,
    outcome: LineOutcome,
    minor: i64,
    on_hand: &str,
) -> StockTakeItem {
    item.posting = Some(LinePosting {
        outcome,
        learned: None,
        zeroed: false,
        expected: quantity("2"),
        change: quantity("-1"),
        adjustment_minor: minor,
        event: Some(event_id(0xF)),
        moves: Vec::new(),
        sequence: 1,
        on_hand: quantity(on_hand),
        reserved: quantity("0.5"),
        layers: Vec::new(),
        standard_value: "1.0000000001".parse().unwrap(),
        fifo_value: "-0.01".parse().unwrap(),
    });
    item
}

pub(crate) fn unposted() -> LineOutcome {
    LineOutcome::Unposted {
        problem: LineProblem::CostUnknown,
    }
}

pub(crate) fn entry(n: u128, item: &StockTakeItem) -> CountEntry {
    CountEntry {
        id: CountEntryId::new(Uuid::from_u128(n)),
        take: item.take,
        item: item.id,
        entered: Entered::Add(Quantity::ONE),
        counted: Some(Quantity::ONE),
        book: quantity("0.000001"),
        at: at(3),
        recorded_at: at(3),
        by: user().id,
        device: Some(code("till-7")),
    }
}

pub(crate) fn job_id(n: u128) -> JobId {
    JobId::new(Uuid::from_u128(n))
}

pub(crate) fn job(n: u128, due: i64, max_attempts: u32) -> NewJob {
    NewJob {
        id: job_id(n),
        site: SITE,
        task: JobTask::PostStockTake { take: TAKE },
        requested_by: actor(ORGANISATION),
        run_at: at(due),
        max_attempts,
    }
}

/// An empty change set with a command of its own.
pub(crate) fn changes() -> ChangeSet {
    changes_of(ORGANISATION)
}

pub(crate) fn changes_of(organisation: OrganisationId) -> ChangeSet {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    ChangeSet::new(organisation, command(&n.to_string(), "request"))
}

pub(crate) fn command(key: &str, request: &str) -> Command {
    Command {
        id: CommandId::new("test", key),
        digest: Digest::of("test").field(request).finish(),
        outcome: Outcome::Done,
        at: at(10),
    }
}

/// Commits what is put into a change set, which must go well.
pub(crate) async fn commit(store: &MemoryStore, fill: impl FnOnce(&mut ChangeSet)) {
    let mut changes = changes();
    fill(&mut changes);
    let outcome = store.commit(&changes).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Applied);
}

/// The conflicts of a change set that must be refused.
pub(crate) async fn conflicts(store: &MemoryStore, changes: &ChangeSet) -> Vec<Conflict> {
    match store.commit(changes).await {
        Err(CommitError::Conflict(conflicts)) => conflicts,
        other => panic!("a conflict was due, not {other:?}"),
    }
}

/// A store with the site, a take and its lines, none of them counted.
pub(crate) async fn shop(lines: u64) -> MemoryStore {
    let store = MemoryStore::new();
    commit(&store, |changes| {
        changes.insert(site());
        changes.insert(take(TAKE, 1));
        for n in 1..=lines {
            changes.insert(Arc::new(product(u128::from(n))));
            changes.insert(item(n));
        }
    })
    .await;
    store
}

pub(crate) async fn totals(store: &MemoryStore) -> StockTakeTotals {
    let all = StockTakeItemFilter::default();
    store
        .stock_take_totals(ORGANISATION, TAKE, &all)
        .await
        .unwrap()
}

/// The numbers of a take's lines that a filter lets through, in their order.
pub(crate) async fn line_numbers(store: &MemoryStore, filter: &StockTakeItemFilter) -> Vec<u64> {
    let page = PageRequest::first(10_000);
    let sort = stocktake::store::ArticleSort::default();
    let page = store
        .stock_take_items(ORGANISATION, TAKE, filter, sort, &page)
        .await
        .unwrap();
    page.items.iter().map(|row| row.item.value.line).collect()
}

pub(crate) const V1: Version = Version::FIRST;
