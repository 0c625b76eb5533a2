//! A shop on a store whose calls can be made to give way, and what races begin with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stocktake::domain::{
    Code, CountEntry, LedgerEntry, LineOutcome, MovementPolicy, PostingOptions, Quantity,
    StockEvent, StockEventKind, StockKey, StockTake, StockTakeId, StockTakeItem, StockTakeItemId,
    StockTakeState, ValueSum,
};
use stocktake::memory::MemoryStore;
use stocktake::service::{
    Caller, CountRequest, Movement, NewMovement, NewStockTake, NewStockTakeList,
};
use stocktake::store::{
    ArticleSort, IdempotencyKey, MAX_PAGE, PageRequest, Repository as _, RepositoryExt,
    StockTakeFilter, StockTakeItemFilter,
};
use stocktake::testing::{Fault, FaultStore, Shop};

use super::race::done;

/// A shop on a store whose calls can be made to give way.
pub(super) struct World {
    pub(super) store: FaultStore<MemoryStore>,
    pub(super) shop: Shop,
}

impl World {
    /// With the catalogue and forty of each product.
    pub(super) fn open() -> Arc<Self> {
        let store = FaultStore::new(MemoryStore::new());
        let shop = Shop::on(Arc::new(store.clone()));
        done(shop.open()).unwrap();
        Arc::new(Self { store, shop })
    }

    /// From now on every storage call lets the others run first.
    pub(super) fn give_way(&self) {
        self.store.heal();
        self.store.fail_from(1, Fault::Yield);
    }

    pub(super) fn manager(&self) -> Caller {
        Caller::of(&self.shop.manager)
    }

    pub(super) fn keyed(&self, key: &str) -> Caller {
        self.manager().with_key(IdempotencyKey::new(key).unwrap())
    }

    pub(super) fn inner(&self) -> &MemoryStore {
        self.store.inner()
    }

    pub(super) fn takes(&self) -> Vec<StockTake> {
        let states = StockTakeState::ALL.iter().copied().collect();
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let (filter, page) = (StockTakeFilter { states }, PageRequest::first(MAX_PAGE));
        let takes = done(self.inner().stock_takes(organisation, site, &filter, &page)).unwrap();
        takes.items.into_iter().map(|take| take.value).collect()
    }

    pub(super) fn take(&self) -> StockTake {
        self.takes().swap_remove(0)
    }

    pub(super) fn id(&self) -> StockTakeId {
        self.take().id()
    }

    pub(super) fn item(&self, number: usize) -> StockTakeItemId {
        StockTakeItemId::for_key(self.id(), &self.shop.key(number))
    }

    pub(super) fn lines(&self) -> Vec<StockTakeItem> {
        let (filter, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
        let (organisation, page) = (self.shop.site.organisation, PageRequest::first(MAX_PAGE));
        let (store, take) = (self.inner(), self.id());
        let lines = done(store.stock_take_items(organisation, take, &filter, sort, &page)).unwrap();
        let lines = lines.items.into_iter();
        lines
            .map(|line| Arc::unwrap_or_clone(line.item.value))
            .collect()
    }

    pub(super) fn entries(&self, item: StockTakeItemId) -> Vec<CountEntry> {
        let organisation = self.shop.site.organisation;
        done(self.inner().count_entries(organisation, self.id(), item)).unwrap()
    }

    pub(super) fn ledger(&self) -> Vec<LedgerEntry> {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        done(self.inner().ledger(organisation, site, 0, u32::MAX)).unwrap()
    }

    pub(super) fn events(&self, kind: StockEventKind) -> Vec<StockEvent> {
        let events = self.ledger().into_iter().map(|entry| entry.event);
        events.filter(|event| event.kind == kind).collect()
    }

    pub(super) fn on_hand(&self, key: &StockKey) -> Quantity {
        let keys = std::slice::from_ref(key);
        let levels = done(self.inner().levels(self.shop.site.organisation, keys)).unwrap();
        levels[0]
            .as_ref()
            .map_or(Quantity::ZERO, |level| level.value.quantity())
    }

    /// Lets leases expire and does what is due; then nothing is dead, and the ledger is sound.
    pub(super) fn settle(&self) {
        self.store.heal();
        for _ in 0..3 {
            self.shop.clock.advance_seconds(2 * 60 * 60);
            done(self.shop.run_jobs()).unwrap();
        }
        let page = PageRequest::first(10);
        let dead =
            stocktake::store::JobQueue::dead_jobs(self.inner(), self.shop.site.organisation, &page);
        assert_eq!(done(dead).unwrap().items, []);
        let verified = done(
            self.shop
                .stocktake
                .stock()
                .verify(&self.manager(), self.shop.site.id),
        );
        let verified = verified.unwrap();
        assert!(verified.is_sound(), "{verified:?}");
    }
}

pub(super) fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(super) fn code(text: &str) -> Code {
    text.parse().unwrap()
}

pub(super) fn sum(quantities: impl Iterator<Item = Quantity>) -> Quantity {
    quantities.fold(Quantity::ZERO, |sum, more| sum.checked_add(more).unwrap())
}

pub(super) fn new_take(world: &World) -> NewStockTake {
    NewStockTake {
        site: world.shop.site.id,
        description: "Quarterly".parse().unwrap(),
        movement_policy: MovementPolicy::KeepMovements,
    }
}

pub(super) fn new_list(world: &World, annual: bool) -> NewStockTakeList {
    NewStockTakeList {
        site: world.shop.site.id,
        name: "Annual".parse().unwrap(),
        description: None,
        due_at: None,
        annual,
        movement_policy: MovementPolicy::KeepMovements,
    }
}

pub(super) fn issue(key: StockKey, quantity: &str) -> NewMovement {
    Movement::Issue {
        key,
        quantity: q(quantity),
    }
    .into()
}

pub(super) fn record(world: &World, movements: &[NewMovement]) -> Vec<StockEvent> {
    let site = world.shop.site.id;
    done(
        world
            .shop
            .stocktake
            .stock()
            .record(&world.manager(), site, movements),
    )
    .unwrap()
}

/// A take whose lines are on their way.
pub(super) fn created() -> Arc<World> {
    let world = World::open();
    done(
        world
            .shop
            .stocktake
            .stock_takes()
            .create(&world.manager(), new_take(&world)),
    )
    .unwrap();
    world
}

/// A take with ten lines.
pub(super) fn populated() -> Arc<World> {
    let world = created();
    done(world.shop.run_jobs()).unwrap();
    world.shop.clock.advance_seconds(60);
    world
}

pub(super) fn count(world: &World, number: usize, quantity: &str) {
    let takes = world.shop.stocktake.stock_takes();
    let request = CountRequest::set(q(quantity));
    done(takes.count(&world.manager(), world.id(), world.item(number), request)).unwrap();
}

/// Two short, one too many, one right.
pub(super) fn counted() -> Arc<World> {
    let world = populated();
    for (number, quantity) in [(0, "38"), (1, "41"), (2, "40")] {
        count(&world, number, quantity);
    }
    world.shop.clock.advance_seconds(60);
    world
}

pub(super) fn submitted() -> Arc<World> {
    let world = counted();
    let takes = world.shop.stocktake.stock_takes();
    done(takes.submit(&world.manager(), world.id(), PostingOptions::default())).unwrap();
    world.shop.clock.advance_seconds(60);
    world
}

/// Posting has begun, and nobody has done anything about it.
pub(super) fn posting() -> Arc<World> {
    let world = counted();
    let takes = world.shop.stocktake.stock_takes();
    done(takes.post(&world.manager(), world.id(), PostingOptions::default())).unwrap();
    world
}

/// A new list with one line.
pub(super) fn listed() -> Arc<World> {
    let world = World::open();
    let takes = world.shop.stocktake.stock_takes();
    let list = done(takes.create_list(&world.manager(), new_list(&world, false))).unwrap();
    done(takes.add_articles(&world.manager(), list.id(), &[code("SKU-0")])).unwrap();
    world
}

/// A posted take that left two lines behind, of which one can be posted by now.
pub(super) fn left_over() -> Arc<World> {
    let world = populated();
    count(&world, 0, "10");
    count(&world, 1, "10");
    record(
        &world,
        &[
            issue(world.shop.key(0), "39"),
            issue(world.shop.key(1), "39"),
        ],
    );
    let options = PostingOptions {
        skip_unpostable: true,
        ..PostingOptions::default()
    };
    let takes = world.shop.stocktake.stock_takes();
    let take = done(takes.submit(&world.manager(), world.id(), options)).unwrap();
    assert_eq!(take.result().unwrap().unposted, 2);
    record(&world, &[world.shop.receipt(0, q("50"))]);
    world
}

/// The header's numbers are those of the lines.
pub(super) fn assert_result_is_of_the_lines(world: &World) {
    let (take, lines) = (world.take(), world.lines());
    let result = take.result().unwrap();
    let number = |is: fn(&LineOutcome) -> bool| {
        let postings = lines.iter().filter_map(|line| line.posting.as_ref());
        u64::try_from(postings.filter(|posting| is(&posting.outcome)).count()).unwrap()
    };
    assert_eq!(
        result.unposted,
        number(|outcome| matches!(outcome, LineOutcome::Unposted { .. }))
    );
    assert_eq!(
        result.adjusted,
        number(|outcome| matches!(outcome, LineOutcome::Adjusted))
    );
    assert_eq!(
        result.confirmed,
        number(|outcome| matches!(outcome, LineOutcome::Confirmed))
    );
    assert_eq!(
        result.uncounted,
        number(|outcome| matches!(outcome, LineOutcome::Uncounted))
    );
    assert_eq!(
        result.dismissed,
        number(|outcome| matches!(outcome, LineOutcome::Dismissed))
    );
    let minor: i64 = lines.iter().map(StockTakeItem::adjustment_minor).sum();
    assert_eq!(result.adjustment_minor, i128::from(minor));
    let sum_of = |value: fn(&stocktake::domain::LinePosting) -> ValueSum| {
        let postings = lines.iter().filter_map(|line| line.posting.as_ref());
        postings.fold(ValueSum::ZERO, |sum, posting| sum.plus(value(posting)))
    };
    assert_eq!(
        result.fifo_value,
        sum_of(|posting| posting.fifo_value.into())
    );
    assert_eq!(
        result.standard_value,
        sum_of(|posting| posting.standard_value)
    );
}

/// A take that was posted, once: every counted line has its variance in the ledger, and nothing else has.
pub(super) fn assert_posted_once(world: &World) {
    let take = world.take();
    assert_eq!((take.state(), take.round()), (StockTakeState::Finished, 1));
    assert!(take.posted_at().is_some() && take.run().is_none());
    let variances = world.events(StockEventKind::CountVariance);
    let posted: BTreeMap<_, _> = variances
        .iter()
        .map(|event| (event.key.clone(), event.change))
        .collect();
    assert_eq!(variances.len(), posted.len(), "each line once");
    let mut adjusted = 0;
    for line in world.lines() {
        let posting = line.posting.as_ref().expect("every line is done with");
        let change = posted.get(&line.key).copied().unwrap_or_default();
        assert_eq!(posting.change, change);
        if let Some(count) = &line.count {
            let variance = count.quantity.checked_sub(posting.expected).unwrap();
            assert!(matches!(
                posting.outcome,
                LineOutcome::Adjusted | LineOutcome::Confirmed
            ));
            assert_eq!(posting.change, variance);
        }
        adjusted += u64::from(posting.outcome == LineOutcome::Adjusted);
    }
    assert_eq!(take.result().unwrap().adjusted, adjusted);
    assert_eq!(variances.len(), usize::try_from(adjusted).unwrap());
}

/// Each key once, in lines 1, 2, 3 ...
pub(super) fn assert_lines_once(world: &World, lines: usize) {
    let all = world.lines();
    let keys: BTreeSet<_> = all.iter().map(|line| line.key.clone()).collect();
    let numbers: BTreeSet<_> = all.iter().map(|line| line.line).collect();
    assert_eq!(
        (all.len(), keys.len(), numbers.len()),
        (lines, lines, lines)
    );
    let take = world.take();
    assert!(take.items_added());
    assert_eq!(take.last_line(), u64::try_from(lines).unwrap());
}
