//! Lists and totals of the in-memory store against a model that looks at everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::certain::certain;
use crate::documents::{
    adjustment, commit, count, found, id, line_of, numbered_product, order, order_line,
    site_number, text_to_find, walk,
};
use crate::shop::{ORGANISATION, at, by, note, product, site};
use proptest::prelude::*;
use stocktake::domain::{
    Beginning, BrandId, CategoryId, CompletionOptions, CountStatus, CountTotals, InitialState,
    InventoryCount, InventoryCountId, InventoryCountItem, InventoryCountState, InventoryOrder,
    InventoryOrderId, InventoryOrderItem, InventoryOrderState, JobId, MovementPolicy, Product,
    SearchText, Site, SiteId, Stamp, StockAdjustment, StockAdjustmentState, StockEvent,
    StockEventId, StockKey, StockLevel, StockTake, StockTakeDetails, StockTakeId, StockTakeItem,
    StockTakePlace, Terms, Timestamp,
};
use stocktake::memory::MemoryStore;
use stocktake::store::{
    DeletableKey, InventoryCountFilter, InventoryCountItemFilter, InventoryOrderFilter,
    InventoryOrderItemFilter, Record, RecordKey, Repository, StockAdjustmentFilter,
    StockTakeItemFilter, StockTakeTotals, Version, Versioned,
};

/// What is done to the store; numbers pick among what is there.
#[derive(Clone, Debug)]
enum Step {
    Adjust {
        site: u128,
        product: u8,
        second: i64,
    },
    Decide {
        nth: usize,
        approve: bool,
    },
    StartCount {
        site: u128,
        second: i64,
    },
    LeaveCount {
        nth: usize,
        cancel: bool,
    },
    CountLine {
        nth: usize,
        product: u8,
        counted: u8,
        significant: bool,
        second: i64,
    },
    Order {
        site: u128,
        number: Option<u8>,
        second: i64,
    },
    RemoveOrder {
        nth: usize,
    },
    AddOrderLine {
        nth: usize,
        product: u8,
    },
    DropOrderLine {
        nth: usize,
    },
    TakeLine {
        product: u8,
        counted: Option<u8>,
    },
    DropTakeLine {
        nth: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (site, product, second, nth) = (2_u128..=3, 0_u8..5, 0_i64..5, 0_usize..9);
    let step = prop_oneof![
        3 => (site.clone(), product.clone(), second.clone())
            .prop_map(|(site, product, second)| Step::Adjust { site, product, second }),
        1 => (nth.clone(), any::<bool>()).prop_map(|(nth, approve)| Step::Decide { nth, approve }),
        1 => (site.clone(), second.clone())
            .prop_map(|(site, second)| Step::StartCount { site, second }),
        1 => (nth.clone(), any::<bool>())
            .prop_map(|(nth, cancel)| Step::LeaveCount { nth, cancel }),
        5 => (nth.clone(), product.clone(), 0_u8..4, any::<bool>(), second.clone()).prop_map(
            |(nth, product, counted, significant, second)| Step::CountLine {
                nth, product, counted, significant, second
            }
        ),
        2 => (site, prop::option::of(0_u8..30), second)
            .prop_map(|(site, number, second)| Step::Order { site, number, second }),
        1 => nth.clone().prop_map(|nth| Step::RemoveOrder { nth }),
        3 => (nth.clone(), product.clone())
            .prop_map(|(nth, product)| Step::AddOrderLine { nth, product }),
        1 => nth.clone().prop_map(|nth| Step::DropOrderLine { nth }),
        4 => (product, prop::option::of(0_u8..4))
            .prop_map(|(product, counted)| Step::TakeLine { product, counted }),
        1 => nth.prop_map(|nth| Step::DropTakeLine { nth }),
    ];
    prop::collection::vec(step, 1..120)
}

/// Every record that was ever written, as it is now, and its version.
#[derive(Debug, Default)]
struct Model {
    store: MemoryStore,
    /// The highest version that a line of a take had when it was deleted.
    retired: BTreeMap<StockTakeId, Version>,
    records: BTreeMap<RecordKey, (Version, Option<Record>)>,
    created: u128,
}

/// The nth of some rows, round and round.
fn pick<T>(rows: Vec<T>, nth: usize) -> Option<T> {
    let nth = nth.checked_rem(rows.len())?;
    rows.into_iter().nth(nth)
}

impl Model {
    async fn put(&mut self, record: impl Into<Record>) {
        let record = record.into();
        let known = self.records.get(&record.key()).cloned();
        let change = record.clone();
        commit(&self.store, |it| match &known {
            Some((version, Some(_))) => it.update(*version, change),
            Some((_, None)) | None => it.insert(change),
        })
        .await;
        let version = match (known, record.key()) {
            (Some((version, Some(_))), _) => version.next(),
            (_, RecordKey::StockTakeItem(take, _)) => {
                let last = self.retired.get(&take);
                last.map_or(Version::FIRST, |last| last.next())
            }
            (_, _) => Version::FIRST,
        };
        self.records.insert(record.key(), (version, Some(record)));
    }

    async fn delete(&mut self, key: DeletableKey) {
        let kept = self.records.get_mut(&key.clone().into()).unwrap();
        commit(&self.store, |it| it.delete(kept.0, key.clone())).await;
        kept.1 = None;
        if let DeletableKey::StockTakeItem(take, _) = key {
            let last = self.retired.entry(take).or_insert(kept.0);
            *last = kept.0.max(*last);
        }
    }

    /// The records that are there of one kind, in the order of their keys.
    fn all<T: Clone>(&self, of_kind: impl Fn(&Record) -> Option<&T>) -> Vec<Versioned<T>> {
        let rows = self.records.values().filter_map(|(version, record)| {
            let value = of_kind(record.as_ref()?)?.clone();
            let version = *version;
            Some(Versioned { version, value })
        });
        rows.collect()
    }

    fn adjustments(&self) -> Vec<Versioned<StockAdjustment>> {
        self.all(|record| match record {
            Record::StockAdjustment(it) => Some(it.as_ref()),
            _ => None,
        })
    }

    fn counts(&self) -> Vec<Versioned<InventoryCount>> {
        self.all(|record| match record {
            Record::InventoryCount(it) => Some(it.as_ref()),
            _ => None,
        })
    }

    fn count_lines(&self, count: InventoryCountId) -> Vec<Versioned<InventoryCountItem>> {
        let mut lines = self.all(|record| match record {
            Record::InventoryCountItem(it) if it.count == count => Some(it.as_ref()),
            _ => None,
        });
        lines.sort_by_key(|row| (row.value.created_at, row.value.id));
        lines
    }

    fn orders(&self) -> Vec<Versioned<InventoryOrder>> {
        self.all(|record| match record {
            Record::InventoryOrder(it) => Some(it.as_ref()),
            _ => None,
        })
    }

    fn order_lines(&self, order: InventoryOrderId) -> Vec<Versioned<InventoryOrderItem>> {
        let mut lines = self.all(|record| match record {
            Record::InventoryOrderItem(it) if it.order() == order => Some(it.as_ref()),
            _ => None,
        });
        lines.sort_by_key(|row| (row.value.line(), row.value.id()));
        lines
    }

    fn take_lines(&self) -> Vec<Versioned<StockTakeItem>> {
        let mut lines = self.all(|record| match record {
            Record::StockTakeItem(it) => Some(it.as_ref()),
            _ => None,
        });
        lines.sort_by_key(|row| row.value.line);
        lines
    }

    async fn take(&mut self, step: Step) {
        self.created += 1;
        let number = 1_000 + self.created;
        match step {
            Step::Adjust {
                site,
                product,
                second,
            } => {
                let (site, product) = (site_number(site), numbered_product(product));
                let adjustment = adjustment(number, &site, &product, second);
                self.put(adjustment).await;
            }
            Step::Decide { nth, approve } => {
                let Some(row) = pick(self.adjustments(), nth) else {
                    return;
                };
                let stamp = by(2, 9);
                let decided = if approve {
                    let event = event_of(&row.value, number, &stamp);
                    row.value.approve(&event, None, &stamp)
                } else {
                    row.value.reject(note("no"), &stamp)
                };
                // The same again when it was decided already.
                self.put(decided.unwrap_or(row.value)).await;
            }
            Step::StartCount { site, second } => {
                self.put(count(number, &site_number(site), second)).await;
            }
            Step::LeaveCount { nth, cancel } => {
                let Some(row) = pick(self.counts(), nth) else {
                    return;
                };
                let stamp = by(1, 9);
                let next = if cancel {
                    row.value.cancel(&stamp)
                } else {
                    let options = CompletionOptions::default();
                    let job = JobId::new(id(1));
                    row.value.begin_completing(options, None, job, &stamp)
                };
                self.put(next.unwrap_or(row.value)).await;
            }
            Step::CountLine {
                nth,
                product,
                counted,
                significant,
                second,
            } => {
                let Some(row) = pick(self.counts(), nth) else {
                    return;
                };
                let found = found(&counted.to_string(), "2");
                let product = numbered_product(product);
                let mut line = line_of(&row.value, product, found, second);
                line.significant = significant;
                self.put(line).await;
            }
            Step::Order {
                site,
                number: purchase_order,
                second,
            } => {
                let text = purchase_order.map(|number| format!("PO-{number}"));
                let order = order(number, &site_number(site), text.as_deref(), second);
                self.put(order).await;
            }
            Step::RemoveOrder { nth } => {
                let Some(row) = pick(self.orders(), nth) else {
                    return;
                };
                let removed = row.value.remove(&by(1, 9));
                self.put(removed.unwrap_or(row.value)).await;
            }
            Step::AddOrderLine { nth, product } => self.add_order_line(number, nth, product).await,
            Step::DropOrderLine { nth } => self.drop_order_line(nth).await,
            Step::TakeLine { product, counted } => self.put_take_line(product, counted).await,
            Step::DropTakeLine { nth } => {
                let Some(row) = pick(self.take_lines(), nth) else {
                    return;
                };
                let item = row.value;
                self.delete(DeletableKey::StockTakeItem(item.take, item.id))
                    .await;
            }
        }
    }

    async fn add_order_line(&mut self, number: u128, nth: usize, product: u8) {
        let Some(row) = pick(self.orders(), nth) else {
            return;
        };
        let line = order_line(&row.value, number, numbered_product(product));
        if let Ok(order) = row.value.add_item(&line, &by(1, 9)) {
            self.put(order).await;
            self.put(line).await;
        }
    }

    async fn drop_order_line(&mut self, nth: usize) {
        let rows = self.all(|record| match record {
            Record::InventoryOrderItem(it) => Some(it.as_ref()),
            _ => None,
        });
        let Some(row) = pick(rows, nth) else { return };
        let line = row.value;
        self.delete(DeletableKey::InventoryOrderItem(line.order(), line.id()))
            .await;
        // Every other one comes back.
        if nth.is_multiple_of(2) {
            self.put(line).await;
        }
    }

    async fn put_take_line(&mut self, product: u8, counted: Option<u8>) {
        let take = stock_take();
        let product = numbered_product(product);
        let key = StockKey::plain(take.site(), product.id);
        let line = u64::try_from(self.created).unwrap();
        let mut item =
            StockTakeItem::new(take.id(), line, key, product, Beginning::default(), at(0));
        let before = self
            .take_lines()
            .into_iter()
            .find(|row| row.value.id == item.id);
        if let Some(before) = before {
            item = before.value;
        }
        item.count = counted.map(|counted| {
            let found = found(&counted.to_string(), "2");
            line_of(&count(1, &site(), 0), product_of(&item), found, 0).counted
        });
        self.put(item).await;
    }

    /// Every list, with every filter worth asking for.
    async fn check(&self) {
        for number in [2, 3] {
            let site = site_number(number).id;
            self.check_adjustments(site).await;
            self.check_counts(site).await;
            self.check_orders(site).await;
        }
        for row in self.counts() {
            self.check_count_lines(row.value.id()).await;
        }
        for row in self.orders() {
            self.check_order_lines(row.value.id()).await;
        }
        self.check_take_totals().await;
    }

    async fn check_adjustments(&self, site: SiteId) {
        let of_product = spans()
            .into_iter()
            .map(|span| (span, Some(numbered_product(0).id)));
        let of_any = spans().into_iter().map(|span| (span, None));
        let narrowed: Vec<_> = of_any.chain(of_product).collect();
        let mut expected = self.adjustments();
        expected.retain(|row| row.value.site() == site);
        expected.sort_by_key(|row| (row.value.created_at(), row.value.id()));
        for states in subsets(StockAdjustmentState::ALL) {
            for &((from, to), product) in &narrowed {
                let filter = &StockAdjustmentFilter {
                    states: states.clone(),
                    from,
                    to,
                    product,
                };
                let wanted = |it: &StockAdjustment| {
                    (states.is_empty() || states.contains(&it.state()))
                        && is_within(it.created_at(), from, to)
                        && product.is_none_or(|product| it.key().product == product)
                };
                let mut expected = expected.clone();
                expected.retain(|row| wanted(&row.value));
                let found = walk(3, |page| async move {
                    let store = &self.store;
                    store
                        .stock_adjustments(ORGANISATION, site, filter, &page)
                        .await
                });
                assert_eq!(found.await, expected, "{filter:?}");
            }
        }
    }

    async fn check_counts(&self, site: SiteId) {
        let mut expected = self.counts();
        expected.retain(|row| row.value.site() == site);
        expected.sort_by_key(|row| (row.value.started_at(), row.value.id()));
        for states in subsets(InventoryCountState::ALL) {
            for (from, to) in spans() {
                let filter = &InventoryCountFilter {
                    states: states.clone(),
                    from,
                    to,
                };
                let wanted = |it: &InventoryCount| {
                    (states.is_empty() || states.contains(&it.state()))
                        && is_within(it.started_at(), from, to)
                };
                let mut expected = expected.clone();
                expected.retain(|row| wanted(&row.value));
                let found = walk(2, |page| async move {
                    let store = &self.store;
                    store
                        .inventory_counts(ORGANISATION, site, filter, &page)
                        .await
                });
                assert_eq!(found.await, expected, "{filter:?}");
            }
        }
    }

    async fn check_orders(&self, site: SiteId) {
        let mut expected = self.orders();
        expected.retain(|row| row.value.site() == site);
        expected.sort_by_key(|row| (row.value.created_at(), row.value.id()));
        for states in subsets(InventoryOrderState::ALL) {
            for text in [None, Some(text_to_find("1")), Some(text_to_find("po-2"))] {
                let wanted = |it: &InventoryOrder| {
                    let is_listed = if states.is_empty() {
                        it.state() != InventoryOrderState::Removed
                    } else {
                        states.contains(&it.state())
                    };
                    let number = it.purchase_order_number();
                    let has_text = |text: &SearchText| {
                        number.is_some_and(|number| text.is_in(number.as_str()))
                    };
                    is_listed && text.as_ref().is_none_or(has_text)
                };
                let mut expected = expected.clone();
                expected.retain(|row| wanted(&row.value));
                let filter = &InventoryOrderFilter {
                    states: states.clone(),
                    purchase_order_number: text,
                };
                let found = walk(2, |page| async move {
                    let store = &self.store;
                    store
                        .inventory_orders(ORGANISATION, site, filter, &page)
                        .await
                });
                assert_eq!(found.await, expected, "{filter:?}");
            }
        }
    }

    async fn check_count_lines(&self, count: InventoryCountId) {
        let lines = self.count_lines(count);
        for (discrepancies, significant) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let filter = &InventoryCountItemFilter {
                discrepancies,
                significant,
            };
            let mut expected = lines.clone();
            expected.retain(|row| {
                (!discrepancies || row.value.variance.is_discrepancy())
                    && (!significant || row.value.significant)
            });
            let found = walk(2, |page| async move {
                let store = &self.store;
                store
                    .inventory_count_items(ORGANISATION, count, filter, &page)
                    .await
            });
            assert_eq!(found.await, expected, "{filter:?}");
        }
        let expected = lines.iter().fold(CountTotals::default(), |totals, row| {
            totals.with(&row.value.variance)
        });
        let totals = self.store.inventory_count_totals(ORGANISATION, count).await;
        assert_eq!(totals.unwrap(), expected);
    }

    async fn check_order_lines(&self, order: InventoryOrderId) {
        let brands = [BrandId::new(id(0)), BrandId::new(id(1))];
        let categories = [CategoryId::new(id(1)), CategoryId::new(id(2))];
        for brands in subsets(&brands) {
            for categories in subsets(&categories) {
                let wanted = |product: &Product| {
                    let brand = product.brand.as_ref().map(|it| it.id);
                    let category = product.category.as_ref().map(|it| it.id);
                    (brands.is_empty() || brand.is_some_and(|it| brands.contains(&it)))
                        && (categories.is_empty()
                            || category.is_some_and(|it| categories.contains(&it)))
                };
                let mut expected = self.order_lines(order);
                expected.retain(|row| wanted(row.value.product()));
                let filter = &InventoryOrderItemFilter {
                    brands: brands.clone(),
                    categories,
                };
                let found = walk(2, |page| async move {
                    let store = &self.store;
                    store
                        .inventory_order_items(ORGANISATION, order, filter, &page)
                        .await
                });
                assert_eq!(found.await, expected, "{filter:?}");
            }
        }
    }

    /// Totals, versions included, are those of the lines, whichever index they come from.
    async fn check_take_totals(&self) {
        let lines = self.take_lines();
        let brand = BTreeSet::from([BrandId::new(id(1))]);
        let category = BTreeSet::from([CategoryId::new(id(1))]);
        for status in [
            CountStatus::All,
            CountStatus::Counted,
            CountStatus::Uncounted,
        ] {
            let plain = StockTakeItemFilter {
                status,
                ..StockTakeItemFilter::default()
            };
            let by_brand = StockTakeItemFilter {
                brands: brand.clone(),
                ..plain.clone()
            };
            let by_both = StockTakeItemFilter {
                categories: category.clone(),
                ..by_brand.clone()
            };
            for filter in [plain, by_brand, by_both] {
                let wanted = |item: &StockTakeItem| {
                    let product = &item.product;
                    let of_brand = product
                        .brand
                        .as_ref()
                        .is_some_and(|it| brand.contains(&it.id));
                    let of_category = product
                        .category
                        .as_ref()
                        .is_some_and(|it| category.contains(&it.id));
                    (match status {
                        CountStatus::All => true,
                        CountStatus::Counted => item.count.is_some(),
                        CountStatus::Uncounted => item.count.is_none(),
                    }) && (filter.brands.is_empty() || of_brand)
                        && (filter.categories.is_empty() || of_category)
                };
                let mut expected = StockTakeTotals::default();
                for row in lines.iter().filter(|row| wanted(&row.value)) {
                    expected.items += 1;
                    expected.counted += u64::from(row.value.count.is_some());
                    expected.adjustment_minor += i128::from(row.value.adjustment_minor());
                    expected.versions += row.version.get();
                }
                let totals = self
                    .store
                    .stock_take_totals(ORGANISATION, stock_take().id(), &filter)
                    .await;
                assert_eq!(totals.unwrap(), expected, "{filter:?}");
            }
        }
    }
}

fn product_of(item: &StockTakeItem) -> Arc<Product> {
    Arc::clone(&item.product)
}

/// Puts an adjustment through an empty level, as a service does.
fn event_of(adjustment: &StockAdjustment, number: u128, stamp: &Stamp) -> StockEvent {
    let site = Site {
        id: adjustment.site(),
        ..site()
    };
    let terms = Terms {
        site: &site,
        standard: product().standard_cost("gbp".parse().unwrap()),
        elsewhere: None,
        at: stamp.at,
        by: stamp.actor.user.id,
    };
    let change = adjustment.ledger_change(StockEventId::new(id(number)));
    let level = StockLevel::new(adjustment.key().clone(), at(0));
    let (_, events) = level.apply(change, &terms).unwrap();
    events.into_iter().next().unwrap()
}

fn stock_take() -> StockTake {
    let site = site();
    let place = StockTakePlace {
        organisation: site.organisation,
        site: site.id,
        currency: site.currency,
    };
    let details = StockTakeDetails {
        name: None,
        description: Some("Spring".parse().unwrap()),
        due_at: None,
        annual: false,
        movement_policy: MovementPolicy::default(),
    };
    let take_id = StockTakeId::new(id(9));
    StockTake::create(take_id, place, details, InitialState::Ongoing, &by(1, 0))
}

/// Nothing, each of a set, and every pair of neighbours.
fn subsets<T: Copy + Ord>(all: &[T]) -> Vec<BTreeSet<T>> {
    let single = all.chunks(1);
    let pairs = all.windows(2);
    let some = single
        .chain(pairs)
        .map(|some| some.iter().copied().collect());
    std::iter::once(BTreeSet::new()).chain(some).collect()
}

fn spans() -> Vec<(Option<Timestamp>, Option<Timestamp>)> {
    let moment = |second: i64| Some(at(second));
    vec![
        (None, None),
        (moment(2), None),
        (None, moment(2)),
        (moment(1), moment(4)),
        (moment(4), moment(1)),
    ]
}

fn is_within(moment: Timestamp, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
    from.is_none_or(|from| from <= moment) && to.is_none_or(|to| moment < to)
}

proptest! {
    #![proptest_config(certain(32))]

    #[test]
    fn r11_lists_and_totals_are_those_of_a_store_that_looks_at_everything(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::default();
            model.put(stock_take()).await;
            for step in steps {
                model.take(step).await;
            }
            model.check().await;
        });
    }
}
