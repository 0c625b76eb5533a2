//! The shop: its people, its catalogue, and the shelves with what really lies on them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::NaiveTime;
use rust_decimal::{Decimal, RoundingStrategy};
use stocktake::domain::{
    Actor, CategoryId, Code, Currency, Label, Named, OrganisationId, Price, Product, ProductId,
    Quantity, Role, Site, SiteAccess, SiteId, SitePolicy, StockKey, StockLevel, Supplier,
    SupplierId, UnitCost, UnitCosts, UserId, UserSummary, Value,
};
use stocktake::service::{Caller, Movement, NewMovement, Stocktake, TimeOrderedIds};
use stocktake::store::{IdempotencyKey, PageRequest};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use crate::clock::ShopClock;
use crate::failure::Failure;
use crate::retail::{self, Article, StaffCorrection};
use crate::storage::Opened;
use crate::till::trade;

/// The tenant.
pub(crate) const ORGANISATION: OrganisationId = OrganisationId::new(id(1, 1));
/// The site.
pub(crate) const SITE: SiteId = SiteId::new(id(2, 1));
/// How often the take is posted.
pub(crate) const POSTINGS: u32 = 2;
/// How many movements go into one batch.
pub(crate) const BATCH: usize = 1_000;
/// How many rows are read at a time.
const PAGE: u32 = 1_000;
/// How many articles lie on one shelf.
const ON_A_SHELF: usize = 20;
/// What the newer half of the opening stock cost, against the older one: the files tell of no costs, and a
/// price rise gives first in, first out something to tell apart.
const PRICE_RISE: Decimal = Decimal::from_parts(104, 0, 0, false, 2);
/// Who counts.
const COUNTERS: [&str; 8] = [
    "Ann", "Ben", "Cleo", "Dev", "Edith", "Femi", "Grace", "Hugo",
];
/// The accounts, each with the categories that it is for.
pub(crate) const ACCOUNTS: [(&str, &str, &[&str]); 4] = [
    (
        "1461",
        "seasonal goods",
        &["Christmas", "Candles", "Lights"],
    ),
    (
        "1462",
        "household goods",
        &[
            "Kitchen and table",
            "Textiles",
            "Boxes and storage",
            "Home decoration",
            "Garden",
        ],
    ),
    (
        "1463",
        "gifts",
        &["Jewellery", "Bags", "Toys", "Cards and paper"],
    ),
    ("1460", "other goods", &[]),
];

/// Everything that the story needs.
#[derive(Debug)]
pub(crate) struct GiftShop {
    /// The library.
    pub(crate) library: Stocktake,
    /// The clock that the library looks at.
    pub(crate) clock: Arc<ShopClock>,
    /// The site.
    pub(crate) site: Site,
    /// Who creates, posts and reopens takes.
    pub(crate) manager: Caller,
    /// The till, a machine: it records sales, and could not post a take.
    pub(crate) till: Caller,
    /// Who counts.
    pub(crate) counters: Vec<Caller>,
    /// What the files tell.
    pub(crate) month: retail::Shop,
    /// A bay for each article, in the articles' order.
    pub(crate) bays: Vec<Bay>,
    /// Whether an earlier run did a part of all this.
    pub(crate) is_continued: bool,
    by_code: HashMap<String, usize>,
    by_product: HashMap<ProductId, usize>,
}

/// The bay of one article on a shelf: what the book calls it, and what really lies there.
#[derive(Debug)]
pub(crate) struct Bay {
    /// The article.
    pub(crate) article: Article,
    /// Its stock key.
    pub(crate) key: StockKey,
    /// What lies there more, or less, than the book says: nobody knows before it is counted.
    pub(crate) unknown: Option<StaffCorrection>,
    /// The goods themselves. Whoever takes some, or counts them, holds this lock: nobody counts a bay
    /// while somebody else takes from it. The book has no such lock; that the two agree in the end is
    /// what the example checks.
    pub(crate) goods: Mutex<i64>,
}

impl Bay {
    /// By how much the goods differ from the book.
    pub(crate) fn unknown_delta(&self) -> i64 {
        self.unknown.as_ref().map_or(0, |found| found.delta)
    }

    /// The stock place.
    pub(crate) fn place(&self) -> &str {
        self.key.place.as_ref().map_or("", |place| place.as_str())
    }

    /// The account that its value is kept under.
    pub(crate) fn account(&self) -> &'static str {
        ACCOUNTS
            .iter()
            .find(|(_, _, categories)| categories.contains(&self.article.category))
            .map_or("1460", |(account, _, _)| account)
    }
}

const fn id(kind: u8, number: usize) -> Uuid {
    // A `usize` always fits.
    Uuid::from_u128(((kind as u128) << 96) | number as u128)
}

/// An amount with as many digits as a cost has.
fn exact(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero)
}

/// A text of the files, or what is wrong with it.
fn text<T, E: std::fmt::Display>(
    what: &str,
    text: &str,
    make: impl FnOnce(String) -> Result<T, E>,
) -> Result<T, Failure> {
    make(text.to_owned())
        .map_err(|problem| Failure::Unfit(format!("{what} {text:?} can't be used: it {problem}")))
}

/// A label of the files, or what is wrong with it.
pub(crate) fn label(what: &str, told: &str) -> Result<Label, Failure> {
    text(what, told, Label::try_from)
}

fn code(what: &str, told: &str) -> Result<Code, Failure> {
    text(what, told, Code::try_from)
}

impl GiftShop {
    /// A shop for a month, closed: nothing is in the store yet.
    pub(crate) fn of(month: retail::Shop, store: Opened) -> Result<Self, Failure> {
        let organisation = ORGANISATION;
        let site = Site {
            id: SITE,
            organisation,
            external_id: code("the site", "warehouse-1")?,
            name: label("the site", "Warehouse")?,
            currency: "gbp"
                .parse()
                .map_err(|error| Failure::Unfit(format!("gbp: {error}")))?,
            policy: SitePolicy::default(),
        };
        let person = |number: usize, name: &str, role: Role| Actor {
            organisation,
            user: UserSummary {
                id: UserId::new(id(3, number)),
                email: Some(format!("{}@example.com", name.to_lowercase())),
                first_name: name.to_owned(),
                last_name: String::new(),
            },
            role,
            sites: SiteAccess::Only(BTreeSet::from([site.id])),
        };
        let mary = person(0, "Mary", Role::Manager);
        let first_day = month
            .happenings
            .first()
            .map_or(month.split().opens_at, retail::Happening::at)
            .date_naive();
        let clock = Arc::new(ShopClock::at(first_day.and_time(NaiveTime::MIN).and_utc()));
        let bays = bays(site.id, &month)?;
        let counters = (2..).zip(COUNTERS);
        let counters: Vec<Actor> = counters
            .map(|(number, name)| person(number, name, Role::Counter))
            .collect();
        // On receipts, in reports and in files counters are shown by name.
        let shown = |actor: &Actor| (actor.user.id, actor.user.full_name());
        let names: BTreeMap<UserId, String> = counters.iter().map(shown).collect();
        Ok(Self {
            library: Stocktake::with(
                store.repository,
                store.queue,
                clock.clone(),
                Arc::new(TimeOrderedIds),
            )
            .with_people(Arc::new(names)),
            clock,
            manager: Caller::of(&mary),
            till: Caller::of(&person(1, "Till", Role::Service)),
            counters: counters.iter().map(Caller::of).collect(),
            by_code: (0..)
                .zip(&bays)
                .map(|(number, bay)| (bay.article.code.clone(), number))
                .collect(),
            by_product: (0..)
                .zip(&bays)
                .map(|(number, bay)| (bay.key.product, number))
                .collect(),
            site,
            month,
            bays,
            is_continued: store.is_continued,
        })
    }

    /// Tells the library about the site, the supplier and the products.
    pub(crate) async fn put_catalogue(&self) -> Result<(), Failure> {
        let organisation = self.site.organisation;
        let supplier = Supplier {
            id: SupplierId::new(id(4, 1)),
            organisation,
            site: self.site.id,
            name: label("the supplier", "Gifts & Sundries Ltd")?,
            email: Some(label("the supplier", "orders@example.com")?),
        };
        let categories: BTreeSet<&str> = self.bays.iter().map(|s| s.article.category).collect();
        let categories = (1..)
            .zip(categories)
            .map(|(number, name)| {
                let id = CategoryId::new(id(5, number));
                let name = label("category", name)?;
                Ok((name.to_string(), Named { id, name }))
            })
            .collect::<Result<BTreeMap<_, _>, Failure>>()?;
        let products = self
            .bays
            .iter()
            .map(|bay| {
                let article = &bay.article;
                Ok(Product {
                    category: categories.get(article.category).cloned(),
                    suppliers: vec![Named {
                        id: supplier.id,
                        name: supplier.name.clone(),
                    }],
                    unit_costs: UnitCosts::of(
                        self.site.currency,
                        UnitCost::from_decimal(article.unit_cost)?,
                    ),
                    price: Some(Price {
                        amount: UnitCost::from_decimal(exact(article.median_price))?,
                        currency: self.site.currency,
                    }),
                    account: Some(code("account", bay.account())?),
                    ..Product::new(
                        bay.key.product,
                        organisation,
                        code("article", &article.code)?,
                        label(
                            &format!("the name of article {}", article.code),
                            &article.name,
                        )?,
                    )
                })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let catalogue = self.library.catalogue();
        let manager = |what| self.manager_with_key(what);
        catalogue
            .put_site(&manager("site")?, self.site.clone())
            .await?;
        catalogue
            .put_supplier(&manager("supplier")?, supplier)
            .await?;
        catalogue
            .put_products(&manager("products")?, products)
            .await?;
        Ok(())
    }

    /// Receives what lay on the shelves when the month began, of each article in two deliveries: how many
    /// pieces, and what they cost.
    pub(crate) async fn receive_opening_stock(&self) -> Result<(u64, Value), Failure> {
        let (mut older, mut newer) = (Vec::new(), Vec::new());
        let (mut pieces, mut worth) = (0_u64, Value::ZERO);
        for bay in &self.bays {
            let opening = self.month.opening.get(&bay.article.code);
            let Some(quantity) = opening.copied().filter(|quantity| *quantity > 0) else {
                // Nothing is no stock: the article has no level until some of it arrives.
                continue;
            };
            *bay.goods.lock().await = quantity;
            pieces = pieces.saturating_add(quantity.unsigned_abs());
            let cost = bay.article.unit_cost;
            let deliveries = [
                (&mut older, quantity - quantity / 2, cost),
                (&mut newer, quantity / 2, cost * PRICE_RISE),
            ];
            for (delivery, quantity, cost) in deliveries {
                if quantity == 0 {
                    continue;
                }
                let quantity = Quantity::try_from(quantity)?;
                let cost = UnitCost::from_decimal(exact(cost))?;
                worth = Value::of(quantity, cost, self.site.currency)
                    .and_then(|delivered| worth.checked_add(delivered))
                    .map_err(|error| {
                        let code = &bay.article.code;
                        let told = format!("article {code}: {quantity} pieces at {cost}: {error}");
                        Failure::Unfit(told)
                    })?;
                delivery.push(NewMovement::from(Movement::Receipt {
                    key: bay.key.clone(),
                    quantity,
                    unit_cost: Some(cost),
                }));
            }
        }
        let batches = older.chunks(BATCH).chain(newer.chunks(BATCH));
        for (number, batch) in batches.enumerate() {
            let manager = self.manager_with_key(&format!("opening-stock/{number}"))?;
            self.library
                .stock()
                .record(&manager, self.site.id, batch)
                .await?;
        }
        Ok((pieces, worth))
    }

    /// What the staff's corrections tell happens to the goods, and to the goods only: the book does not
    /// know, until the bay is counted.
    pub(crate) async fn let_goods_go_astray(&self) {
        for bay in &self.bays {
            *bay.goods.lock().await += bay.unknown_delta();
        }
    }

    /// The manager, with the key of a command: whoever asks again, in this run or the next, is told what came of it.
    pub(crate) fn manager_with_key(&self, key: &str) -> Result<Caller, Failure> {
        let key = IdempotencyKey::new(key).map_err(stocktake::service::Error::from)?;
        Ok(self.manager.clone().with_key(key))
    }

    /// The numbers of the bays that the book knew of when the take was opened.
    pub(crate) fn known_bays(&self) -> BTreeSet<usize> {
        let moved = trade(self.month.split().before);
        let opening = self.month.opening.iter();
        opening
            .filter(|(_, quantity)| **quantity > 0)
            .map(|(code, _)| code.as_str())
            .chain(moved.into_iter().map(retail::Happening::code))
            .filter_map(|code| self.by_code.get(code).copied())
            .collect()
    }

    /// How many of the till's movements are in the ledger.
    pub(crate) async fn booked_by_till(&self) -> Result<usize, Failure> {
        let stock = self.library.stock();
        let till = self.till.actor().map(|actor| actor.user.id);
        let (mut booked, mut last) = (0, 0);
        loop {
            let entries = stock
                .ledger(&self.manager, self.site.id, last, PAGE)
                .await?;
            let Some(entry) = entries.last() else {
                return Ok(booked);
            };
            last = entry.position;
            booked += entries
                .iter()
                .filter(|entry| Some(entry.event.recorded_by) == till)
                .count();
        }
    }

    /// The currency of everything.
    pub(crate) const fn currency(&self) -> Currency {
        self.site.currency
    }

    /// The number of an article's bay, by its code.
    pub(crate) fn number_of(&self, code: &str) -> Result<usize, Failure> {
        self.by_code
            .get(code)
            .copied()
            .ok_or_else(|| Failure::Unfit(format!("article {code} is not in the list of articles")))
    }

    /// The bay of a key, and its number.
    pub(crate) fn bay_of(&self, key: &StockKey) -> Option<(usize, &Bay)> {
        let number = *self.by_product.get(&key.product)?;
        self.bays.get(number).map(|bay| (number, bay))
    }

    /// Takes hold of the goods of some articles, always in the same order, so that no two wait for each
    /// other.
    pub(crate) async fn goods_of(
        &self,
        codes: impl Iterator<Item = &str>,
    ) -> Result<BTreeMap<usize, MutexGuard<'_, i64>>, Failure> {
        let numbers = codes
            .map(|code| self.number_of(code))
            .collect::<Result<BTreeSet<usize>, Failure>>()?;
        let mut goods = BTreeMap::new();
        for number in numbers {
            if let Some(bay) = self.bays.get(number) {
                goods.insert(number, bay.goods.lock().await);
            }
        }
        Ok(goods)
    }

    /// Every level of the site.
    pub(crate) async fn levels(&self) -> Result<Vec<StockLevel>, Failure> {
        let mut levels = Vec::new();
        let mut page = PageRequest::first(PAGE);
        loop {
            let stock = self.library.stock();
            let read = stock
                .levels(&self.manager, self.site.id, None, None, &page)
                .await?;
            levels.extend(read.items);
            match read.next {
                Some(next) => page = PageRequest::after(next, PAGE),
                None => return Ok(levels),
            }
        }
    }
}

/// The articles on their shelves: an aisle for each category, twenty articles a shelf.
fn bays(site: SiteId, month: &retail::Shop) -> Result<Vec<Bay>, Failure> {
    let mut unknown: HashMap<String, StaffCorrection> = month
        .corrections()
        .into_iter()
        .map(|found| (found.code.clone(), found))
        .collect();
    let categories: BTreeSet<&str> = month.articles.iter().map(|a| a.category).collect();
    let mut aisles: BTreeMap<&str, (char, usize)> = categories
        .into_iter()
        .zip(('A'..='Z').map(|letter| (letter, 0)))
        .collect();
    (0..)
        .zip(&month.articles)
        .map(|(number, article)| {
            let (aisle, articles) = aisles.entry(article.category).or_insert(('Z', 0));
            let place = format!("{aisle}-{:02}", *articles / ON_A_SHELF + 1);
            *articles += 1;
            let product = ProductId::new(id(6, number));
            Ok(Bay {
                key: StockKey::plain(site, product).at(code("shelf", &place)?),
                unknown: unknown.remove(&article.code),
                article: article.clone(),
                goods: Mutex::new(0),
            })
        })
        .collect()
}
