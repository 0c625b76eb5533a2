//! What moves within a site, and the reversal of anything, leaves the sum of values as it was, but for what the events
//! name as a difference: random histories at two sites that are costed differently and change their method midway.

use std::collections::BTreeMap;

use stocktake::domain::{
    Actor, CostingMethod, ImportMode, MovementPolicy, PostingOptions, Quantity, Site, SiteAccess,
    SiteId, StockEvent, StockEventId, StockEventKind, StockKey, StockTakeId, StockTakeItemId,
    UnitCosts, Value,
};
use stocktake::service::{Caller, CountRequest, Error, Movement, NewMovement, NewStockTake};
use stocktake::testing::Shop;

use crate::room::{Room, amount, code, issue, receipt, reset, transfer};
use crate::stores::Kind;

const METHODS: [CostingMethod; 3] = [
    CostingMethod::Fifo,
    CostingMethod::WeightedAverage,
    CostingMethod::Standard,
];

/// How many random histories a plain test run plays on the store in memory, and how many on each other.
const HISTORIES: u64 = 120;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
const ON_DISK: u64 = 2;

#[tokio::test]
async fn fault_a_what_moves_within_leaves_the_sum() {
    let asked = std::env::var("STOCKTAKE_TEST_HISTORIES");
    let asked: Option<u64> = asked.map(|text| text.parse().expect("a number")).ok();
    for kind in Kind::ALL {
        let histories = match kind {
            Kind::Memory => asked.unwrap_or(HISTORIES),
            #[cfg(any(feature = "sqlite", feature = "postgres"))]
            _ => ON_DISK,
        };
        for seed in 0..histories {
            History::open(*kind, seed).await.play().await;
        }
    }
}

/// Two sites with three keys each, and all that happened there.
struct History {
    room: Room,
    /// Sees both sites.
    caller: Caller,
    sites: Vec<Site>,
    seed: u64,
    random: u64,
    /// Every event, as the ledgers tell it.
    events: BTreeMap<StockEventId, StockEvent>,
    /// In the order of recording.
    made: Vec<StockEventId>,
    /// How far the ledger of each site has been read, and what the site was worth then.
    read: BTreeMap<SiteId, (u64, Value)>,
    posted: Vec<StockTakeId>,
    reopened: Vec<StockTakeId>,
    log: Vec<String>,
}

impl History {
    async fn open(kind: Kind, seed: u64) -> Self {
        let mut random = seed;
        let method = METHODS[draw(&mut random, 3)];
        let below_zero = draw(&mut random, 4) == 0;
        let prepare = |shop: &mut Shop| {
            shop.site.policy.costing = method;
            shop.site.policy.allow_negative = below_zero;
        };
        let room = Room::with(kind, prepare).await;
        let caller = Caller::of(&Actor {
            sites: SiteAccess::All,
            ..room.shop.manager.clone()
        });
        let home = room.shop.site.clone();
        let mut there = Site {
            id: SiteId::new(uuid::Uuid::from_u128(77)),
            external_id: code("store-2"),
            ..home.clone()
        };
        there.policy.costing = METHODS[draw(&mut random, 3)];
        let catalogue = room.shop.stocktake.catalogue();
        let put = catalogue.put_site(&caller, there.clone()).await;
        put.expect("a site of the organisation");
        let sites = vec![home, there];
        let read = sites.iter().map(|site| (site.id, (0, Value::ZERO)));
        Self {
            read: read.collect(),
            room,
            caller,
            sites,
            seed,
            random,
            events: BTreeMap::new(),
            made: Vec::new(),
            posted: Vec::new(),
            reopened: Vec::new(),
            log: Vec::new(),
        }
    }

    fn below(&mut self, bound: u64) -> usize {
        draw(&mut self.random, bound)
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    /// One of the three keys of a site: variants of one product, so that an import can name each.
    fn key(&mut self, site: usize) -> StockKey {
        let variant = code(["A", "B", "C"][self.below(3)]);
        StockKey {
            site: self.sites[site].id,
            ..self.room.key(0).of_variant(variant)
        }
    }

    fn quantity(&mut self) -> String {
        format!("{}.{}", 1 + self.below(6), self.below(10))
    }

    fn cost(&mut self) -> String {
        format!("{}.{:02}", self.below(1_000), self.below(100))
    }

    /// One of some events, if there are any.
    fn one_of(&mut self, ids: &[StockEventId]) -> Option<StockEvent> {
        let many = u64::try_from(ids.len()).expect("few");
        let which = (many > 0).then(|| self.below(many))?;
        Some(self.events[&ids[which]].clone())
    }

    async fn play(mut self) {
        for _ in 0..60 {
            self.room.shop.clock.advance_seconds(60);
            let site = self.below(2);
            // What is not possible is refused, and changes nothing.
            let done = match self.below(20) {
                0 => self.change_policy(site).await,
                1 => self.change_standard_cost().await,
                2 | 3 => self.take(site).await,
                4 | 5 => self.post_again_or_reopen().await,
                6 | 7 => self.import(site).await,
                _ => self.movement(site).await,
            };
            match done {
                Ok(()) => {}
                Err(Error::Store(error)) => panic!("{}: {error}", self.told()),
                Err(error) => self.note(format!("    refused: {error}")),
            }
            self.look().await;
        }
        for site in &self.sites {
            let stock = self.room.shop.stocktake.stock();
            let verified = stock.verify(&self.caller, site.id).await;
            let verified = verified.expect("the site can be verified");
            let told = self.told();
            assert!(verified.is_sound(), "{told}: {:?}", verified.differences);
        }
    }

    fn note(&mut self, what: String) {
        self.log.push(what);
    }

    fn told(&self) -> String {
        format!("history {}:\n{}", self.seed, self.log.join("\n"))
    }

    async fn change_policy(&mut self, site: usize) -> Result<(), Error> {
        let method = METHODS[self.below(3)];
        let revalue_unknown = self.one_in(2);
        let policy = &mut self.sites[site].policy;
        policy.costing = method;
        policy.revalue_unknown = revalue_unknown;
        self.note(format!("site {site}: {method:?}, {revalue_unknown}"));
        let catalogue = self.room.shop.stocktake.catalogue();
        let site = self.sites[site].clone();
        catalogue.put_site(&self.caller, site).await
    }

    async fn change_standard_cost(&mut self) -> Result<(), Error> {
        let mut product = self.room.shop.products[0].clone();
        let cost = (!self.one_in(3)).then(|| self.cost());
        self.note(format!("standard cost {cost:?}"));
        product.unit_costs = cost.map_or_else(UnitCosts::default, |cost| {
            UnitCosts::of(self.sites[0].currency, cost.parse().expect("a cost"))
        });
        let catalogue = self.room.shop.stocktake.catalogue();
        catalogue.put_products(&self.caller, vec![product]).await
    }

    /// A take in which some keys are counted, something may move, and that is posted.
    async fn take(&mut self, site: usize) -> Result<(), Error> {
        let policies = [
            MovementPolicy::KeepMovements,
            MovementPolicy::MatchCount,
            MovementPolicy::RefuseMoved,
        ];
        let movement_policy = policies[self.below(3)];
        let counted: Vec<(StockKey, String)> = (0..=self.below(3))
            .map(|_| (self.key(site), self.quantity()))
            .collect();
        let moves = self.one_in(2);
        let options = PostingOptions {
            zero_uncounted: self.one_in(3),
            skip_unpostable: self.one_in(2),
        };
        self.note(format!("take {movement_policy:?} {counted:?} {options:?}"));
        let new = NewStockTake {
            site: self.sites[site].id,
            description: "Count".parse().expect("a description"),
            movement_policy,
        };
        let caller = self.caller.clone();
        let take = {
            let takes = self.room.shop.stocktake.stock_takes();
            let take = takes.create(&caller, new).await?.id();
            self.room.shop.run_jobs().await?;
            for (key, quantity) in &counted {
                let item = StockTakeItemId::for_key(take, key);
                let request = CountRequest::set(amount(quantity));
                match takes.count(&caller, take, item, request).await {
                    // What has never been there has no line.
                    Ok(_) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            take
        };
        if moves {
            self.room.shop.clock.advance_seconds(60);
            if let Err(error) = self.movement(site).await {
                self.note(format!("    refused: {error}"));
            }
            self.room.shop.clock.advance_seconds(60);
        }
        let takes = self.room.shop.stocktake.stock_takes();
        takes.submit(&caller, take, options).await?;
        self.posted.push(take);
        Ok(())
    }

    async fn post_again_or_reopen(&mut self) -> Result<(), Error> {
        let (from, again) = if self.one_in(3) {
            (self.reopened.clone(), true)
        } else {
            (self.posted.clone(), false)
        };
        let many = u64::try_from(from.len()).expect("few");
        if many == 0 {
            return Ok(());
        }
        let take = from[self.below(many)];
        let takes = self.room.shop.stocktake.stock_takes();
        if again {
            takes
                .submit(&self.caller, take, PostingOptions::default())
                .await?;
            self.reopened.retain(|other| *other != take);
            self.posted.push(take);
            self.note(format!("posted again: {take}"));
        } else {
            takes.reopen(&self.caller, take, None).await?;
            self.posted.retain(|other| *other != take);
            self.reopened.push(take);
            self.note(format!("reopened: {take}"));
        }
        Ok(())
    }

    async fn import(&mut self, site: usize) -> Result<(), Error> {
        let mode = [
            ImportMode::Absolute,
            ImportMode::Adjustment,
            ImportMode::Remove,
        ][self.below(3)];
        let less = mode == ImportMode::Adjustment && self.one_in(2);
        let sign = if less { "-" } else { "" };
        let variant = ["A", "B", "C"][self.below(3)];
        let (quantity, place) = (self.quantity(), self.sites[site].external_id.clone());
        let body = format!(r#"{{"{place}": {{"SKU-0": {{"{variant}": {sign}{quantity}}}}}}}"#);
        self.note(format!("import {mode:?} {body}"));
        let imports = self.room.shop.stocktake.stock_imports();
        imports
            .begin(&self.caller, mode, body.as_bytes(), false)
            .await?;
        self.room.shop.run_jobs().await.map(drop)
    }

    /// A movement of a site's keys, sometimes at a time that has passed.
    async fn movement(&mut self, site: usize) -> Result<(), Error> {
        let (key, other) = (self.key(site), self.key(site));
        let (quantity, cost) = (self.quantity(), self.cost());
        let unit_cost = |cost: &str| Some(cost.parse().expect("a cost"));
        let movement = match self.below(16) {
            0..=2 => receipt(&key, &quantity, &cost),
            3 => Movement::ReceiptAtTotal {
                key,
                quantity: amount(&quantity),
                total: format!("{cost}7").parse().expect("a value"),
            },
            4 | 5 => issue(&key, &quantity),
            6 | 7 => transfer(&key, &other, &quantity),
            8 => reset(&key, &quantity, self.one_in(2).then_some(&*cost)),
            9 => Movement::Adjust {
                change: if self.one_in(2) {
                    amount(&quantity)
                } else {
                    amount(&quantity).negated()
                },
                unit_cost: if self.one_in(2) {
                    unit_cost(&cost)
                } else {
                    None
                },
                key,
            },
            10 => match self.below(3) {
                0 => Movement::Remove { key },
                _ => Movement::Revalue {
                    key,
                    unit_cost: cost.parse().expect("a cost"),
                },
            },
            11 => match self.claimed(StockEventKind::Issue) {
                Some((key, quantity, of)) => Movement::CustomerReturn { key, quantity, of },
                None => return Ok(()),
            },
            12 => match self.claimed(StockEventKind::Receipt) {
                Some((key, quantity, of)) => Movement::SupplierReturn {
                    key,
                    quantity,
                    receipt: (!self.one_in(3)).then_some(of),
                },
                None => return Ok(()),
            },
            _ => match self.one_of(&self.made.clone()) {
                Some(event) => Movement::Reversal { of: event.id },
                None => return Ok(()),
            },
        };
        let of_site = match &movement {
            Movement::Reversal { of } => self.events[of].key.site,
            Movement::CustomerReturn { key, .. } | Movement::SupplierReturn { key, .. } => key.site,
            _ => self.sites[site].id,
        };
        let may_be_late = !matches!(
            movement,
            Movement::Reset { .. }
                | Movement::Remove { .. }
                | Movement::Revalue { .. }
                | Movement::Reversal { .. }
        );
        let mut new = NewMovement::from(movement);
        if may_be_late && self.one_in(4) {
            let earlier = i64::try_from(self.below(600)).expect("small");
            let now = self.room.shop.now();
            new = new.at(now.later_by(earlier * -1_000_000));
        }
        self.note(format!("{new:?}"));
        let stock = self.room.shop.stocktake.stock();
        stock.record(&self.caller, of_site, &[new]).await.map(drop)
    }

    /// Some of what an event of the past moved, at its key.
    fn claimed(&mut self, kind: StockEventKind) -> Option<(StockKey, Quantity, StockEventId)> {
        let of_kind = self.made.iter().filter(|id| self.events[id].kind == kind);
        let of_kind: Vec<StockEventId> = of_kind.copied().collect();
        let event = self.one_of(&of_kind)?;
        let whole = self.one_in(2);
        let some = if whole {
            event.change.abs()
        } else {
            amount(&self.quantity()).min(event.change.abs())
        };
        Some((event.key, some, event.id))
    }

    /// Reads what is new in the ledgers, and holds the rules to it.
    async fn look(&mut self) {
        let stock = self.room.shop.stocktake.stock();
        for site in self.sites.clone() {
            let (position, worth) = self.read[&site.id];
            let entries = stock.ledger(&self.caller, site.id, position, 1_000).await;
            let entries = entries.expect("the ledger can be read");
            let last = entries.last().map_or(position, |entry| entry.position);
            let new: Vec<StockEvent> = entries.into_iter().map(|entry| entry.event).collect();
            for event in &new {
                self.events.insert(event.id, event.clone());
                self.made.push(event.id);
                self.log.push(format!(
                    "    {} {:?} {} -> {} worth {} difference {}",
                    event.kind.as_str(),
                    event.key.variant,
                    event.change,
                    event.after,
                    event.value_change,
                    event.difference
                ));
            }
            let changed = sum(new.iter().map(|event| event.value_change));
            let now = self.worth(&site).await;
            assert_eq!(add(worth, changed), now, "{}", self.told());
            self.read.insert(site.id, (last, now));
            self.hold(&new, site.policy.allow_negative);
        }
    }

    /// What a site is worth. What is not there is worth nothing, and what is there is not worth less.
    async fn worth(&self, site: &Site) -> Value {
        let stock = self.room.shop.stocktake.stock();
        let page = stocktake::store::PageRequest::first(1_000);
        let levels = stock.levels(&self.caller, site.id, None, None, &page).await;
        let levels = levels.expect("the levels can be read").items;
        for level in &levels {
            let (quantity, value) = (level.quantity(), level.valuation().value());
            let told = || format!("{quantity} worth {value}: {}", self.told());
            if quantity.is_zero() {
                assert!(value.is_zero(), "{}", told());
            } else if quantity.is_positive() {
                assert!(!value.is_negative(), "{}", told());
            } else {
                assert!(!value.negated().is_negative(), "{}", told());
            }
        }
        sum(levels.iter().map(|level| level.valuation().value()))
    }

    /// The rules, of the events that one operation made.
    fn hold(&self, new: &[StockEvent], below_zero: bool) {
        let mut within = Value::ZERO;
        // What is balanced where it came to, because a count knew better, did not come from there.
        let absorbed = new.iter().any(|event| event.absorbs.is_some());
        for event in new {
            match event.kind {
                StockEventKind::TransferOut | StockEventKind::TransferIn => {
                    let moved = less(event.value_change, event.difference);
                    within = add(within, moved);
                }
                StockEventKind::Absorption => {
                    let late = event.absorbs.expect("it names the late movement");
                    let late = &self.events[&late.event];
                    let both = add(event.value_change, late.value_change);
                    assert!(both.is_zero(), "{}", self.told());
                }
                StockEventKind::Reversal => {
                    let of = event.reverses.expect("it names what it takes back");
                    let of = &self.events[&of.event];
                    let both = add(event.value_change, of.value_change);
                    assert_eq!(both, event.difference, "{}", self.told());
                    assert_eq!(event.change, of.change.negated(), "{}", self.told());
                    // Straight after it, nothing of it has gone yet.
                    let at_once = of.sequence + 1 == event.sequence;
                    if at_once && !below_zero {
                        assert!(event.difference.is_zero(), "{}", self.told());
                    }
                    let of_transfer = matches!(
                        of.kind,
                        StockEventKind::TransferOut | StockEventKind::TransferIn
                    );
                    if of_transfer && !below_zero && !absorbed {
                        within = add(within, event.value_change);
                    }
                }
                _ => {}
            }
        }
        assert!(within.is_zero(), "{within}: {}", self.told());
    }
}

/// Splitmix64, below a bound.
fn draw(state: &mut u64, below: u64) -> usize {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((z ^ (z >> 31)) % below).expect("small")
}

fn add(one: Value, other: Value) -> Value {
    one.checked_add(other).expect("in range")
}

fn less(one: Value, other: Value) -> Value {
    one.checked_sub(other).expect("in range")
}

fn sum(values: impl Iterator<Item = Value>) -> Value {
    values.fold(Value::ZERO, add)
}
