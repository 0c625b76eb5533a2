//! A small shop, written out: what cases write and expect to read.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::checks::{Verdict, applied};
use super::harness::{Handle, Stage, Store};
use crate::domain::{
    Actor, Beginning, BrandId, CategoryId, Cause, Change, Code, Count, CountEntry, CountEntryId,
    CountMoment, CountType, Entered, IncomingCost, InitialState, InventoryCount,
    InventoryCountDetails, JobId, Label, LineOutcome, LinePosting, MovementPolicy, Named,
    OrganisationId, Pick, Product, ProductId, Quantity, Role, SearchText, Site, SiteAccess, SiteId,
    SitePolicy, Stamp, StockEvent, StockEventId, StockEventKind, StockKey, StockLevel, StockTake,
    StockTakeDetails, StockTakeId, StockTakeItem, StockTakePlace, Supplier, SupplierId, Terms,
    Timestamp, UnitCost, UserId, UserSummary, Value,
};
use crate::store::{
    ChangeSet, Command, CommandId, CountingView, Digest, JobTask, NewJob, Outcome,
    StockTakeItemFilter, StockTakeTotals, StoreError, Version,
};

pub(super) const ORGANISATION: OrganisationId = OrganisationId::new(Uuid::from_u128(0xA));
pub(super) const STRANGER: OrganisationId = OrganisationId::new(Uuid::from_u128(0xB));
pub(super) const SITE: SiteId = SiteId::new(Uuid::from_u128(0x51));
pub(super) const TAKE: StockTakeId = StockTakeId::new(Uuid::from_u128(0x7A));
pub(super) const V1: Version = Version::FIRST;

/// A constant of the suite.
pub(super) fn made<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    #[allow(
        clippy::expect_used,
        reason = "constants of the suite, each used whenever it runs"
    )]
    text.parse().expect("a constant of the suite")
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.later_by(second.saturating_mul(1_000_000))
}

pub(super) fn code(text: &str) -> Code {
    made(text)
}

pub(super) fn label(text: &str) -> Label {
    made(text)
}

pub(super) fn quantity(text: &str) -> Quantity {
    made(text)
}

#[allow(
    clippy::expect_used,
    reason = "constants of the suite, each used whenever it runs"
)]
pub(super) fn search(text: &str) -> SearchText {
    SearchText::new(text).expect("a constant of the suite")
}

pub(super) fn user() -> UserSummary {
    UserSummary {
        id: UserId::new(Uuid::from_u128(0x05)),
        email: Some("dan@example.com".to_owned()),
        first_name: "Dan".to_owned(),
        last_name: "Johnson".to_owned(),
    }
}

pub(super) fn actor(organisation: OrganisationId) -> Actor {
    Actor {
        organisation,
        user: user(),
        role: Role::Manager,
        sites: SiteAccess::All,
    }
}

pub(super) fn stamp(second: i64) -> Stamp {
    Stamp {
        actor: actor(ORGANISATION),
        at: at(second),
    }
}

pub(super) fn site_id(n: u128) -> SiteId {
    SiteId::new(Uuid::from_u128(n))
}

pub(super) fn site() -> Site {
    site_of(SITE, "store-1")
}

pub(super) fn site_of(id: SiteId, external_id: &str) -> Site {
    Site {
        id,
        organisation: ORGANISATION,
        external_id: code(external_id),
        name: label("High Street"),
        currency: made("gbp"),
        policy: SitePolicy::default(),
    }
}

pub(super) fn supplier(n: u128) -> Supplier {
    Supplier {
        id: SupplierId::new(Uuid::from_u128(n)),
        organisation: ORGANISATION,
        site: SITE,
        name: label(&format!("Supplier {n}")),
        email: None,
    }
}

pub(super) fn product_id(n: u128) -> ProductId {
    ProductId::new(Uuid::from_u128(n))
}

pub(super) fn product(n: u128) -> Product {
    let article = code(&format!("SKU-{n}"));
    let name = label(&format!("Product {n}"));
    Product::new(product_id(n), ORGANISATION, article, name)
}

pub(super) fn brand(n: u128) -> Named<BrandId> {
    Named {
        id: BrandId::new(Uuid::from_u128(n)),
        name: label(&format!("Brand {n}")),
    }
}

pub(super) fn category(n: u128) -> Named<CategoryId> {
    Named {
        id: CategoryId::new(Uuid::from_u128(n)),
        name: label(&format!("Category {n}")),
    }
}

pub(super) fn key(n: u128) -> StockKey {
    StockKey::plain(SITE, product_id(n))
}

/// A level with so much on hand, after one event.
pub(super) fn level(key: StockKey, on_hand: &str) -> StockLevel {
    moved(&StockLevel::new(key, at(0)), 0xE, on_hand).0
}

/// A level after a movement, and the event of it.
#[allow(
    clippy::expect_used,
    reason = "movements of the suite, each used whenever it runs"
)]
pub(super) fn moved(level: &StockLevel, event: u128, by: &str) -> (StockLevel, StockEvent) {
    let mut site = site();
    site.policy.allow_negative = true;
    let quantity = quantity(by);
    let change = Change {
        id: event_id(event),
        kind: if quantity.is_negative() {
            StockEventKind::Issue
        } else {
            StockEventKind::Receipt
        },
        quantity,
        cost: IncomingCost::PerUnit(made("1.25")),
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
        standard: Some(made("1.25")),
        elsewhere: None,
        at: at(1),
        by: user().id,
    };
    let (next, mut events) = level
        .apply(change, &terms)
        .expect("a movement of the suite");
    (next, events.pop().expect("a movement is an event"))
}

pub(super) fn event_id(n: u128) -> StockEventId {
    StockEventId::new(Uuid::from_u128(n))
}

pub(super) fn event(n: u128, key: StockKey, sequence: u64) -> StockEvent {
    StockEvent {
        id: event_id(n),
        key,
        sequence,
        kind: StockEventKind::Receipt,
        change: Quantity::ONE,
        before: Quantity::ZERO,
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

pub(super) const fn take_id(n: u128) -> StockTakeId {
    StockTakeId::new(Uuid::from_u128(n))
}

/// A take that is counted at once.
pub(super) fn take(id: StockTakeId, second: i64) -> StockTake {
    take_at(id, SITE, second)
}

pub(super) fn take_at(id: StockTakeId, site: SiteId, second: i64) -> StockTake {
    let place = StockTakePlace {
        organisation: ORGANISATION,
        site,
        currency: made("gbp"),
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
pub(super) fn item(n: u64) -> StockTakeItem {
    item_of(TAKE, n)
}

pub(super) fn item_of(take: StockTakeId, n: u64) -> StockTakeItem {
    let product = product(u128::from(n));
    let key = StockKey::plain(SITE, product.id);
    let began = Beginning {
        sequence: n,
        book: quantity("-2.000001"),
        begun: n.is_multiple_of(2),
        known: n / 2,
        clock: Some(at(2)),
    };
    StockTakeItem::new(take, n, key, Arc::new(product), began, at(0))
}

pub(super) fn counted(mut item: StockTakeItem, how_many: &str, minor: i64) -> StockTakeItem {
    let moment = CountMoment {
        at: at(2),
        clock: at(2),
        known: 0,
        ahead: false,
        stated: true,
        sequence: 1,
        told: 3,
        book: Quantity::ONE,
    };
    item.count = Some(Count {
        quantity: quantity(how_many),
        moment,
        first: CountMoment {
            at: at(1),
            ..moment
        },
        was_set: true,
        unit_cost: Some(made("0.335")),
        adjustment_minor: minor,
        by: user().id,
    });
    item
}

pub(super) fn posted(
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
        standard_value: made("1.0000000001"),
        fifo_value: made("-0.01"),
    });
    item
}

pub(super) fn entry(n: u128, item: &StockTakeItem) -> CountEntry {
    CountEntry {
        id: CountEntryId::new(Uuid::from_u128(n)),
        take: item.take,
        item: item.id,
        entered: Entered::Add(Quantity::ONE),
        counted: Some(Quantity::ONE),
        book: quantity("0.000001"),
        at: at(3),
        recorded_at: at(4),
        by: user().id,
        device: Some(code("till-7")),
    }
}

pub(super) fn job_id(n: u128) -> JobId {
    JobId::new(Uuid::from_u128(n))
}

pub(super) fn job(n: u128, due: i64, max_attempts: u32) -> NewJob {
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
pub(super) fn changes() -> ChangeSet {
    changes_of(ORGANISATION)
}

pub(super) fn changes_of(organisation: OrganisationId) -> ChangeSet {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    ChangeSet::new(organisation, command(&n.to_string(), "request"))
}

pub(super) fn command(key: &str, request: &str) -> Command {
    Command {
        id: CommandId::new("test", key),
        digest: Digest::of("test").field(request).finish(),
        outcome: Outcome::Done,
        at: at(10),
    }
}

/// Commits what is put into a change set, which must go well.
pub(super) async fn put(store: &dyn Store, fill: impl FnOnce(&mut ChangeSet) + Send) -> Verdict {
    let mut changes = changes();
    fill(&mut changes);
    applied(store, &changes).await
}

/// A store with the site, a take and its lines, none of them counted.
pub(super) async fn shop(stage: &Stage<'_>, lines: u64) -> Result<Handle, super::checks::Wrong> {
    let store = stage.fresh().await?;
    put(store.as_ref(), |changes| {
        changes.insert(site());
        changes.insert(take(TAKE, 1));
        for n in 1..=lines {
            changes.insert(Arc::new(product(u128::from(n))));
            changes.insert(item(n));
        }
    })
    .await?;
    Ok(store)
}

pub(super) async fn totals(store: &dyn Store) -> Result<StockTakeTotals, StoreError> {
    let all = StockTakeItemFilter::default();
    store.stock_take_totals(ORGANISATION, TAKE, &all).await
}

/// The version of the line of a product.
pub(super) async fn line_version(
    store: &dyn Store,
    line: u64,
) -> Result<Version, super::checks::Wrong> {
    let view = store
        .counting_view(ORGANISATION, TAKE, &[item(line).id])
        .await?;
    view.and_then(CountingView::into_line)
        .map(|(_, line)| line.item.version)
        .ok_or_else(|| format!("line {line} is not there").into())
}

/// An inventory count that has begun.
pub(super) fn count_in_progress() -> InventoryCount {
    let details = InventoryCountDetails {
        name: label("Aisle 3"),
        kind: CountType::Cycle,
        notes: None,
        movement_policy: MovementPolicy::KeepMovements,
    };
    InventoryCount::start(super::records::COUNT, &site(), details, &stamp(1))
}
