//! What a case does next, by its seed.

use stocktake::domain::{
    Actor, Code, Entered, MovementPolicy, NamePart, PostingOptions, Product, ProductId, Quantity,
    Site, SitePolicy, StockEventId, StockEventKind, StockKey, StockTakeId, StockTakeItemId,
    StockTakeState, Timestamp, Tracking, UnitCost,
};
use stocktake::service::{
    ArticleName, Caller, CountRequest, InventoryRequest, Movement, NewMovement,
};
use stocktake::store::Version;
use uuid::Uuid;

use super::super::amounts::{ONE, quantity, time};
use super::super::operation::{OfTake, Operation};
use super::super::takes::Take;
use super::{Case, told};

/// So many takes are enough: then some go.
const MANY_TAKES: usize = 14;

impl Case {
    /// Who does it: mostly somebody who may.
    pub(super) fn choose_actor(&mut self, operation: &Operation) -> (Option<Actor>, Caller) {
        let people = &self.premises.people;
        let of_take = matches!(operation, Operation::OfTake(..));
        let actor = match self.random.below(100) {
            0..3 => Some(&people.counter),
            3..5 => Some(&people.viewer),
            5..8 => Some(&people.machine),
            8..10 => Some(&people.elsewhere),
            10..12 if of_take => Some(&people.stranger),
            12 => None,
            _ => Some(&people.manager),
        };
        let caller = actor.map_or(Caller::nobody(), Caller::of);
        (actor.cloned(), caller)
    }

    pub(super) async fn choose(&mut self) -> Result<Operation, String> {
        let site = usize::try_from(self.random.below(3)).unwrap();
        let live = self
            .takes
            .values()
            .filter(|take| take.state != StockTakeState::Removed)
            .count();
        let make = if live < MANY_TAKES { 5 } else { 0 };
        Ok(
            match self.random.weighted(&[
                (42, 0),
                (2, 1),
                (1, 2),
                (make, 3),
                (make, 4),
                (50, 5),
                (1, 6),
            ]) {
                0 => {
                    let many = self.random.weighted(&[(8, 1), (1, 2), (1, 4)]);
                    let mut movements: Vec<NewMovement> = Vec::new();
                    let key = self.random.percent(50).then(|| self.good_key(site));
                    for _ in 0..many {
                        let movement = self.movement(site, key.clone());
                        let reverses =
                            |new: &NewMovement| matches!(new.movement, Movement::Reversal { .. });
                        // Whether a key is stocked that was taken back to nothing is the library's choice.
                        let removes = matches!(movement.movement, Movement::Remove { .. });
                        let another = reverses(&movement) || removes;
                        if !(another && movements.iter().any(reverses)) {
                            movements.push(movement);
                        }
                    }
                    // The model knows the layers that a batch begins with, not those on the way.
                    if movements.len() > 1 {
                        for new in &mut movements {
                            if let Movement::SupplierReturn { receipt, .. } = &mut new.movement {
                                *receipt = None;
                            }
                        }
                    }
                    Operation::Record { site, movements }
                }
                1 => Operation::Reserve {
                    site,
                    key: self.good_key(site),
                    micros: self.random.up_to(5 * ONE) - ONE,
                },
                2 => Operation::PutSite {
                    site,
                    changed: Box::new(self.changed_site(site)),
                },
                3 => Operation::CreateTake {
                    site,
                    policy: self.movement_policy(),
                    description: "Quarterly",
                },
                6 => Operation::PutProduct(Box::new(self.changed_product())),
                4 => Operation::CreateList {
                    site,
                    policy: self.movement_policy(),
                    annual: self.random.percent(50),
                    name: "List",
                },
                _ => match self.choose_take() {
                    Some(take) => {
                        let what = self.of_take(&take, live >= MANY_TAKES).await?;
                        Operation::OfTake(take.id, what)
                    }
                    None => Operation::CreateTake {
                        site,
                        policy: self.movement_policy(),
                        description: "First",
                    },
                },
            },
        )
    }

    fn movement_policy(&mut self) -> MovementPolicy {
        self.random.weighted(&[
            (3, MovementPolicy::KeepMovements),
            (1, MovementPolicy::MatchCount),
            (1, MovementPolicy::RefuseMoved),
        ])
    }

    fn changed_site(&mut self, site: usize) -> Site {
        let now = self.now();
        let closed_until = self
            .random
            .percent(60)
            .then(|| time(now - self.random.up_to(200 * ONE)));
        let mut other = |now: bool| now != self.random.percent(20);
        let site = &self.premises.sites[site];
        Site {
            policy: SitePolicy {
                closed_until,
                allow_negative: other(site.policy.allow_negative),
                allow_zero_cost: other(site.policy.allow_zero_cost),
                ..site.policy.clone()
            },
            ..site.clone()
        }
    }

    /// A product is told apart by something else from now on, or no longer kept on stock, or no longer sold.
    fn changed_product(&mut self) -> Product {
        let products: Vec<ProductId> = self.products.keys().copied().collect();
        let product = self.random.pick(&products).unwrap_or(&products[0]);
        let product = self.products[product].clone();
        let tracking = self.random.weighted(&[
            (6, product.tracking),
            (2, Tracking::None),
            (1, Tracking::Batch),
            (1, Tracking::Serial),
        ]);
        Product {
            tracking,
            is_stock: self.random.percent(70),
            active: self.random.percent(80),
            ..product
        }
    }

    fn choose_take(&mut self) -> Option<Take> {
        // Now and then one that is removed.
        let removed = self.random.percent(2);
        let ids: Vec<StockTakeId> = self
            .takes
            .values()
            .filter(|take| (take.state == StockTakeState::Removed) == removed)
            .map(|take| take.id)
            .collect();
        let id = self.random.pick(&ids)?;
        self.takes.get(id).cloned()
    }

    async fn of_take(&mut self, take: &Take, enough: bool) -> Result<OfTake, String> {
        let away = if enough { 8 } else { 1 };
        let choice = match take.state {
            StockTakeState::New => self.random.weighted(&[
                (6, 4),
                (4, 5),
                (2, 6),
                (2, 7),
                (2, 8),
                (9, 2),
                (1, 1),
                (away, 3),
            ]),
            StockTakeState::Ongoing => self.random.weighted(&[
                (40, 11),
                (6, 12),
                (3, 9),
                (2, 10),
                (3, 13),
                (8, 14),
                (1, 1),
                (away, 3),
            ]),
            StockTakeState::Finished => {
                self.random
                    .weighted(&[(8, 17), (2, 15), (2, 16), (1, 0), (away, 3)])
            }
            StockTakeState::Posting | StockTakeState::Reopening | StockTakeState::Removed => {
                self.random.below(18)
            }
        };
        // Now and then something that the state does not allow.
        let choice = if self.random.percent(5) {
            self.random.below(18)
        } else {
            choice
        };
        Ok(match choice {
            0 => OfTake::Copy,
            1 => OfTake::Update("Changed"),
            2 => OfTake::Start,
            3 => OfTake::Remove,
            4 => OfTake::AddArticles(self.articles()),
            5 => OfTake::AddPlace(self.place()),
            6 => OfTake::AddAll,
            7 => OfTake::RemoveArticle(self.article()),
            8 => OfTake::RemovePlace(self.place()),
            9 => OfTake::AddFound(self.key(take.site)),
            10 => OfTake::DeleteItem(self.item(take)),
            11 => {
                let item = self.item(take);
                let entered = self.entered(take, item);
                let version = if self.random.percent(10) {
                    self.version(take.id, item).await?
                } else {
                    None
                };
                let request = CountRequest {
                    entered,
                    if_version: version,
                    device: None,
                    counted_at: self.counted_at(take),
                };
                OfTake::Count(item, request)
            }
            12 => OfTake::Inventory(self.inventory(take)),
            13 => OfTake::Post(self.options()),
            14 => OfTake::Submit(self.options()),
            15 => OfTake::PostLeftOver,
            16 => OfTake::Dismiss(self.item(take)),
            _ => OfTake::Reopen(None),
        })
    }

    fn options(&mut self) -> PostingOptions {
        PostingOptions {
            zero_uncounted: self.random.percent(30),
            skip_unpostable: self.random.percent(40),
        }
    }

    fn article(&mut self) -> Code {
        match self.random.pick(&self.premises.products) {
            Some(product) if !self.random.percent(3) => product.article_id.clone(),
            Some(_) | None => "SKU-98".parse().unwrap(),
        }
    }

    fn articles(&mut self) -> Vec<Code> {
        let many = self.random.below(4);
        let mut articles: Vec<Code> = (0..many).map(|_| self.article()).collect();
        articles.sort();
        articles.dedup();
        articles
    }

    fn place(&mut self) -> Code {
        let place = self.random.pick(&["A", "B", "C"]).unwrap_or(&"A");
        place.parse().unwrap()
    }

    /// A line of a take; of one without lines, or now and then, one that does not exist.
    fn item(&mut self, take: &Take) -> StockTakeItemId {
        let lines: Vec<StockTakeItemId> = take.lines.keys().copied().collect();
        match self.random.pick(&lines) {
            Some(item) if !self.random.percent(2) => *item,
            Some(_) | None => StockTakeItemId::new(Uuid::from_u128(7)),
        }
    }

    /// Mostly what is there by the book, or near it.
    fn entered(&mut self, take: &Take, item: StockTakeItemId) -> Entered {
        let key = take.lines.get(&item).map(|line| line.key.clone());
        let serial = key.as_ref().is_some_and(|key| key.serial.is_some());
        let book = key.map_or(0, |key| self.stock[take.site].key(&key).level());
        match self.random.below(20) {
            0 => Entered::Clear,
            1..4 => Entered::Add(self.amount(serial)),
            4..9 => Entered::Set(quantity(book.max(0))),
            9..18 => {
                let off = if serial { ONE } else { 3 * ONE };
                let there = book.max(0) + self.random.up_to(2) * off - off;
                Entered::Set(quantity(there.max(0)))
            }
            18 => Entered::Set(quantity(0)),
            _ => Entered::Set(quantity(self.random.up_to(20 * ONE) - ONE)),
        }
    }

    /// A part of a key as people name it; that there is none mostly goes without saying.
    fn said(&mut self, part: Option<Code>) -> NamePart {
        match part {
            Some(code) if self.random.percent(80) => NamePart::Is(code),
            None if self.random.percent(20) => NamePart::Without,
            Some(_) | None => NamePart::Any,
        }
    }

    fn inventory(&mut self, take: &Take) -> InventoryRequest {
        let lines: Vec<StockKey> = take.lines.values().map(|line| line.key.clone()).collect();
        let key = self.random.pick(&lines).cloned();
        let key = key.unwrap_or_else(|| self.good_key(take.site));
        let serial = key.serial.is_some();
        let article = ArticleName {
            batch: self.said(key.batch),
            serial: self.said(key.serial),
            ..ArticleName::of(self.products[&key.product].article_id.clone())
        };
        let amount = self.amount(serial);
        InventoryRequest {
            article,
            entered: if self.random.percent(50) {
                Entered::Add(amount)
            } else {
                Entered::Set(amount)
            },
            counted_at: self.counted_at(take),
        }
    }

    /// When a device says that it counted, which tells its counts later: mostly since the take began.
    fn counted_at(&mut self, take: &Take) -> Option<Timestamp> {
        let now = self.now();
        let since = take.began_at.map_or(ONE, |began_at| now - began_at);
        let ago = match self.random.below(100) {
            0..75 => return None,
            75..95 => self.random.up_to(since.clamp(ONE, 2_000 * ONE) / ONE) * ONE,
            95..97 => 0,
            97..99 => since + self.random.up_to(10) * ONE,
            _ => -self.random.up_to(600) * ONE,
        };
        Some(time(now - ago))
    }

    /// The version of a line, or one that it no longer has.
    async fn version(
        &mut self,
        take: StockTakeId,
        item: StockTakeItemId,
    ) -> Result<Option<Version>, String> {
        let takes = self.premises.library.stock_takes();
        match takes.item(&self.manager(), take, item).await {
            Ok(view) if self.random.percent(70) => Ok(Some(view.item.version)),
            Ok(view) => Ok(Some(view.item.version.next())),
            Err(error) if error.code() == "not_found" => Ok(None),
            Err(error) => Err(told(error)),
        }
    }

    pub(super) fn key(&mut self, site: usize) -> StockKey {
        if self.random.percent(2)
            && let Some(bad) = self.random.pick(&self.premises.bad_keys)
        {
            return bad.clone();
        }
        self.good_key(site)
    }

    fn good_key(&mut self, site: usize) -> StockKey {
        let keys = &self.premises.keys[site];
        self.random.pick(keys).unwrap_or(&keys[0]).clone()
    }

    /// Mostly a few, now and then a fraction, or something that is no amount.
    fn amount(&mut self, serial: bool) -> Quantity {
        let few = (1 + self.random.up_to(5)) * ONE;
        quantity(match self.random.below(20) {
            0 => 0,
            1 => -ONE,
            2..5 => 1 + self.random.up_to(3 * ONE),
            5 => ONE / 3,
            _ if serial => ONE,
            _ => few,
        })
    }

    fn cost(&mut self) -> Option<UnitCost> {
        let text = *self
            .random
            .pick(&["", "", "1.333333", "0.01", "7.5", "0", "99.999999"])?;
        text.parse().ok()
    }

    /// When it is said to have happened.
    fn stated(&mut self) -> Option<Timestamp> {
        let now = self.now();
        let ago = match self.random.below(100) {
            0..55 => return None,
            55..70 => 0,
            70..90 => self.random.up_to(30) * ONE,
            90..96 => self.random.up_to(900) * ONE,
            96..99 => -self.random.up_to(120) * ONE,
            _ => -400 * ONE,
        };
        Some(time(now - ago))
    }

    /// An event of the key, mostly, and mostly one of the last.
    fn event_of(&mut self, site: usize, key: &StockKey) -> StockEventId {
        let ledger = self.stock[site].ledger.iter().rev();
        let of_key = ledger.filter(|event| event.key == *key).take(8);
        let ids: Vec<StockEventId> = of_key.map(|event| event.id).collect();
        match self.random.pick(&ids) {
            Some(id) if self.random.percent(70) => *id,
            Some(_) | None => self.event(site, None),
        }
    }

    /// An event of the site, mostly one of the last; or one that does not exist.
    fn event(&mut self, site: usize, kind: Option<StockEventKind>) -> StockEventId {
        let ledger = &self.stock[site].ledger;
        let recent = &ledger[ledger.len().saturating_sub(40)..];
        let fitting: Vec<StockEventId> = recent
            .iter()
            .filter(|event| kind.is_none_or(|kind| event.kind == kind))
            .map(|event| event.id)
            .collect();
        match self.random.pick(&fitting) {
            Some(id) if !self.random.percent(2) => *id,
            Some(_) | None => StockEventId::new(Uuid::from_u128(9)),
        }
    }

    /// A movement, of a key or of any.
    fn movement(&mut self, site: usize, key: Option<StockKey>) -> NewMovement {
        let key = key.unwrap_or_else(|| self.key(site));
        let amount = self.amount(key.serial.is_some());
        let choice = self.random.weighted(&[
            (24, 0),
            (24, 1),
            (8, 2),
            (6, 3),
            (6, 4),
            (9, 5),
            (6, 6),
            (10, 7),
            (2, 8),
        ]);
        let movement = match choice {
            0 => Movement::Receipt {
                key,
                quantity: amount,
                unit_cost: self.cost(),
            },
            1 => Movement::Issue {
                key,
                quantity: amount,
            },
            2 => {
                let keys: Vec<StockKey> = self.premises.keys[site]
                    .iter()
                    .filter(|other| other.product == key.product)
                    .cloned()
                    .collect();
                let other = self.random.pick(&keys).cloned();
                let to = match other {
                    Some(other) if self.random.percent(80) => other,
                    Some(_) | None => self.key(site),
                };
                Movement::Transfer {
                    from: key,
                    to,
                    quantity: amount,
                }
            }
            3 => {
                let of = self.event(site, Some(StockEventKind::Issue));
                let key = match self.stock[site].event(of) {
                    Some(issue) if self.random.percent(90) => issue.key.clone(),
                    Some(_) | None => key,
                };
                Movement::CustomerReturn {
                    key,
                    quantity: amount,
                    of,
                }
            }
            4 => {
                let named = self.random.percent(60);
                let receipt = named.then(|| self.event(site, Some(StockEventKind::Receipt)));
                let event = receipt.and_then(|receipt| self.stock[site].event(receipt));
                let (key, quantity) = match event {
                    Some(event) if self.random.percent(90) => {
                        (event.key.clone(), amount.min(event.change))
                    }
                    Some(_) | None => (key, amount),
                };
                Movement::SupplierReturn {
                    key,
                    quantity,
                    receipt,
                }
            }
            5 => Movement::Reversal {
                of: self.event_of(site, &key),
            },
            6 => Movement::Reset {
                expected: self
                    .random
                    .percent(20)
                    .then(|| quantity(self.stock[site].key(&key).level())),
                key,
                quantity: amount,
                unit_cost: self.cost(),
            },
            7 => Movement::Adjust {
                key,
                change: if self.random.percent(50) {
                    amount
                } else {
                    amount.negated()
                },
                unit_cost: self.cost(),
            },
            _ => Movement::Remove { key },
        };
        let dateable = !matches!(
            movement,
            Movement::Reset { .. } | Movement::Remove { .. } | Movement::Reversal { .. }
        );
        let new = NewMovement::from(movement);
        match self.stated() {
            Some(at) if dateable || self.random.percent(2) => new.at(at),
            Some(_) | None => new,
        }
    }
}
