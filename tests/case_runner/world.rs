//! What a case is played on: a library over an empty store, whose catalogue grows as words are met.
//!
//! A location is a stock place of one site, because goods move between locations and transfers are within a site.
//! Where the case imports stock, a location is a site of its own, because that is what an import names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use stocktake::domain::{
    Actor, Code, CostingMethod, Currency, Named, OrganisationId, Product, ProductId, Quantity,
    Role, Site, SiteAccess, SiteId, SitePolicy, StockAdjustmentId, StockEvent, StockKey,
    StockLevel, Supplier, SupplierId, Timestamp, UserId, UserSummary,
};
use stocktake::jobs::Worker;
use stocktake::service::{Caller, Clock as _, Error, Stocktake};
use stocktake::store::PageRequest;
use stocktake::testing::{ManualClock, SequentialIds};
use uuid::Uuid;

use super::calendar::{Calendar, day_of, morning, noon};
use super::count_steps::CountedAs;
use super::order_steps::OrderAs;
use super::trouble::{Refusal, Tried, Trouble};
use super::words::Words;
use crate::stores::{Store, Stores};

/// More levels or events than any case has.
const ALL: u32 = 10_000;
/// The site of all stock places.
const SHELVES: &str = "case";
/// Who sells what the case says nothing about.
const ANY_SUPPLIER: &str = "S";

/// The policies of the vocabulary that the library has, and their values; `*` is any.
const POLICIES: &[(&str, &[&str])] = &[
    ("valuation", &["fifo", "average"]),
    ("valuation_scope", &["location", "lot"]),
    ("negative_stock", &["allow", "forbid"]),
    ("count_conflict", &["refresh", "block"]),
    ("over_receipt_allowance_percent", &["*"]),
    ("serial_scope", &["global", "product"]),
];

/// Whether the library has a counterpart for a policy.
pub(crate) fn is_policy(policy: &str, value: &str) -> bool {
    POLICIES.iter().any(|(known, values)| {
        *known == policy && (values.contains(&value) || values.contains(&"*"))
    })
}

/// What a location is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A stock place of one site.
    Places,
    /// A site; these exist.
    Sites(BTreeSet<String>),
}

/// What an import came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Imported {
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) message: Option<String>,
    /// Rows that were refused, and the codes that each answers to.
    pub(crate) rows: BTreeMap<usize, Vec<&'static str>>,
}

/// A step that has been played.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) op: String,
    pub(crate) outcome: Result<(), Refusal>,
    /// What its tasks came to, when it was several at once.
    pub(crate) attempts: Vec<Result<(), Refusal>>,
    /// The ledger events of the step.
    pub(crate) events: Vec<StockEvent>,
    pub(crate) import: Option<Imported>,
    pub(crate) adjustment: Option<StockAdjustmentId>,
    /// What was there before and after.
    pub(crate) before: Picture,
    pub(crate) after: Picture,
}

/// Everything that a refused step must leave as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// How many events there are.
    events: usize,
    levels: Vec<StockLevel>,
    /// The state of each document.
    documents: BTreeMap<String, String>,
}

/// The stage of one case.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) library: Stocktake,
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) calendar: Calendar,
    pub(crate) organisation: OrganisationId,
    pub(crate) currency: Currency,
    pub(crate) policy: SitePolicy,
    pub(crate) layout: Layout,
    sites: BTreeMap<String, SiteId>,
    products: BTreeMap<String, Product>,
    /// Who sells what, where the case says so.
    pub(crate) supplied: BTreeMap<String, Vec<String>>,
    pub(crate) count_policy: stocktake::domain::MovementPolicy,
    /// Whether counts are played as inventory counts (S2): where adjustment records are asked about.
    pub(crate) counts_are_documents: bool,
    pub(crate) counts: BTreeMap<String, CountedAs>,
    pub(crate) orders: BTreeMap<String, OrderAs>,
    /// What the handles of the store have read.
    pub(crate) handles: BTreeMap<String, BTreeMap<StockKey, Quantity>>,
    pub(crate) played: Vec<Played>,
    /// The whole ledger so far.
    pub(crate) events: Vec<StockEvent>,
    positions: BTreeMap<SiteId, u64>,
    /// What the step that is being played has made.
    pub(crate) imported: Option<Imported>,
    pub(crate) adjusted: Option<StockAdjustmentId>,
    pub(crate) attempts: Vec<Result<(), Refusal>>,
}

fn id(space: &str, name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::nil(), format!("{space}/{name}").as_bytes())
}

/// What an actor of the vocabulary may do. People who keep the stock but count no takes are the library's service
/// role, which moves stock and never approves or posts; everybody else who is no manager counts.
fn role_of(actor: &str) -> Option<Role> {
    let has = |words: &[&str]| words.iter().any(|word| actor.contains(word));
    if has(&["nobody", "anonymous", "unauthenticated"]) {
        None
    } else if has(&["manager", "admin", "owner", "supervisor", "approver"]) {
        Some(Role::Manager)
    } else if has(&["stock_user", "service", "system", "machine"]) {
        Some(Role::Service)
    } else if has(&["viewer", "reader", "guest", "auditor"]) {
        Some(Role::Viewer)
    } else {
        Some(Role::Counter)
    }
}

impl World {
    pub(crate) async fn open(
        stores: &Stores,
        currency: &str,
        layout: Layout,
        counts_are_documents: bool,
    ) -> Tried<Self> {
        let store = stores.fresh().await;
        let clock = Arc::new(ManualClock::default());
        let ids = Arc::new(SequentialIds::default());
        let currency = currency
            .parse()
            .map_err(|_| Trouble::unsupported(format!("currency {currency}")))?;
        let mut world = Self {
            library: Stocktake::with(
                store.repository.clone(),
                store.queue.clone(),
                clock.clone(),
                ids,
            ),
            store,
            calendar: Calendar::from(clock.now()),
            clock,
            organisation: OrganisationId::new(id("organisation", "case")),
            currency,
            // A case that states no cost speaks of quantities: what comes in without any is free.
            policy: SitePolicy {
                allow_zero_cost: true,
                ..SitePolicy::default()
            },
            layout,
            sites: BTreeMap::new(),
            products: BTreeMap::new(),
            supplied: BTreeMap::new(),
            count_policy: stocktake::domain::MovementPolicy::default(),
            counts_are_documents,
            counts: BTreeMap::new(),
            orders: BTreeMap::new(),
            handles: BTreeMap::new(),
            played: Vec::new(),
            events: Vec::new(),
            positions: BTreeMap::new(),
            imported: None,
            adjusted: None,
            attempts: Vec::new(),
        };
        let sites: Vec<String> = match &world.layout {
            Layout::Places => vec![SHELVES.to_owned()],
            Layout::Sites(names) => names.iter().cloned().collect(),
        };
        for name in sites {
            let site = SiteId::new(id("site", &name));
            world.sites.insert(name, site);
        }
        world.keep_policy().await?;
        Ok(world)
    }

    /// Tells the library what the site's policy is now.
    pub(crate) async fn keep_policy(&mut self) -> Tried<()> {
        let host = self.host();
        for (name, site) in &self.sites {
            let site = Site {
                id: *site,
                organisation: self.organisation,
                external_id: name.parse()?,
                name: name.parse()?,
                currency: self.currency,
                policy: self.policy.clone(),
            };
            self.library.catalogue().put_site(&host, site).await?;
        }
        Ok(())
    }

    /// Who does what the case says nothing about.
    pub(crate) fn host(&self) -> Caller {
        self.caller(Some("host_manager"))
    }

    pub(crate) fn caller(&self, actor: Option<&str>) -> Caller {
        let name = actor.unwrap_or("host_manager");
        let Some(role) = role_of(name) else {
            return Caller::nobody();
        };
        Caller::of(&Actor {
            organisation: self.organisation,
            user: UserSummary {
                id: UserId::new(id("user", name)),
                email: None,
                first_name: name.to_owned(),
                last_name: String::new(),
            },
            role,
            sites: SiteAccess::All,
        })
    }

    /// Who a step names.
    pub(crate) fn actor(&self, words: &Words) -> Tried<Caller> {
        Ok(self.caller(words.either(&["actor", "by", "user"])?.as_deref()))
    }

    // ---- the catalogue ---------------------------------------------------------------------------

    pub(crate) fn sites(&self) -> impl Iterator<Item = SiteId> + '_ {
        self.sites.values().copied()
    }

    /// The site of a location.
    pub(crate) fn site(&self, location: &str) -> Tried<SiteId> {
        let name = match self.layout {
            Layout::Places => SHELVES,
            Layout::Sites(_) => location,
        };
        self.sites
            .get(name)
            .copied()
            .ok_or_else(|| Trouble::broken(format!("there is no location {location}")))
    }

    /// The stock place of a location, where locations are stock places.
    pub(crate) fn place(&self, location: &str) -> Tried<Option<Code>> {
        match self.layout {
            Layout::Places => Ok(Some(location.parse()?)),
            Layout::Sites(_) => Ok(None),
        }
    }

    /// Whether a key is at a location.
    pub(crate) fn is_at(&self, key: &StockKey, location: &str) -> bool {
        match self.layout {
            Layout::Places => key.place.as_ref().is_some_and(|at| at.as_str() == location),
            Layout::Sites(_) => self.sites.get(location) == Some(&key.site),
        }
    }

    /// The name of the location of a key.
    pub(crate) fn location_of(&self, key: &StockKey) -> String {
        match self.layout {
            Layout::Places => key
                .place
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            Layout::Sites(_) => self
                .sites
                .iter()
                .find(|(_, site)| **site == key.site)
                .map(|(name, _)| name.clone())
                .unwrap_or_default(),
        }
    }

    /// The product of a name, if there is one: an import may have made it.
    pub(crate) async fn find_product(&self, name: &str) -> Tried<Option<ProductId>> {
        if let Some(product) = self.products.get(name) {
            return Ok(Some(product.id));
        }
        let Ok(article) = name.parse() else {
            return Ok(None);
        };
        let catalogue = self.library.catalogue();
        match catalogue.product_by_article(&self.host(), &article).await {
            Ok(product) => Ok(Some(product.id)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The product of a name, made when it is met first.
    pub(crate) async fn product(&mut self, name: &str) -> Tried<ProductId> {
        match self.find_product(name).await? {
            Some(product) => Ok(product),
            None => self.change_product(name, |_| ()).await,
        }
    }

    /// Changes a product, and makes it when it is met first.
    pub(crate) async fn change_product(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Product),
    ) -> Tried<ProductId> {
        let mut product = match self.products.get(name) {
            Some(product) => product.clone(),
            None => Product {
                suppliers: self.suppliers_of(name)?,
                ..Product::new(
                    ProductId::new(id("product", name)),
                    self.organisation,
                    name.parse()?,
                    name.parse()?,
                )
            },
        };
        change(&mut product);
        let id = product.id;
        self.library
            .catalogue()
            .put_products(&self.host(), vec![product.clone()])
            .await?;
        self.products.insert(name.to_owned(), product);
        Ok(id)
    }

    fn suppliers_of(&self, product: &str) -> Tried<Vec<Named<SupplierId>>> {
        let sellers: Vec<&str> = if self.supplied.is_empty() {
            vec![ANY_SUPPLIER]
        } else {
            self.supplied
                .iter()
                .filter(|(_, products)| products.iter().any(|it| it == product))
                .map(|(supplier, _)| supplier.as_str())
                .collect()
        };
        sellers
            .into_iter()
            .map(|name| {
                Ok(Named {
                    id: SupplierId::new(id("supplier", name)),
                    name: name.parse()?,
                })
            })
            .collect()
    }

    /// A supplier of a site, made when it is met; without a name the first that the case knows.
    pub(crate) async fn supplier(&mut self, name: Option<&str>, site: SiteId) -> Tried<SupplierId> {
        let known = self.supplied.keys().next().cloned();
        let name = name.map(str::to_owned).or(known);
        let name = name.as_deref().unwrap_or(ANY_SUPPLIER);
        let supplier = Supplier {
            id: SupplierId::new(id("supplier", name)),
            organisation: self.organisation,
            site,
            name: name.parse()?,
            email: Some(format!("{name}@example.com").parse()?),
        };
        let id = supplier.id;
        self.library
            .catalogue()
            .put_supplier(&self.host(), supplier)
            .await?;
        Ok(id)
    }

    /// The name of a product.
    pub(crate) async fn name_of(&self, product: ProductId) -> Tried<String> {
        let product = self
            .library
            .catalogue()
            .product(&self.host(), product)
            .await?;
        Ok(product.article_id.to_string())
    }

    // ---- stock -----------------------------------------------------------------------------------

    /// The key that some words name.
    pub(crate) async fn key(&mut self, words: &Words) -> Tried<StockKey> {
        let location = words.text("location")?;
        self.key_at(words, location.as_deref().unwrap_or("A")).await
    }

    /// The key that some words name, at a location.
    pub(crate) async fn key_at(&mut self, words: &Words, location: &str) -> Tried<StockKey> {
        let product = words.text("product")?;
        let code = |text: Option<String>| text.map(|text| text.parse::<Code>()).transpose();
        let (variant, batch, serial) = (
            code(words.text("variant")?)?,
            code(words.either(&["lot", "batch"])?)?,
            code(words.text("serial")?)?,
        );
        let product = self.product(product.as_deref().unwrap_or("P")).await?;
        Ok(StockKey {
            variant,
            place: self.place(location)?,
            batch,
            serial,
            ..StockKey::plain(self.site(location)?, product)
        })
    }

    /// All levels, or those of one product.
    pub(crate) async fn levels(&self, product: Option<ProductId>) -> Tried<Vec<StockLevel>> {
        let mut levels = Vec::new();
        for site in self.sites.values() {
            let page = PageRequest::first(ALL);
            let stock = self.library.stock();
            let found = stock
                .levels(&self.host(), *site, product, None, &page)
                .await?;
            levels.extend(found.items);
        }
        Ok(levels)
    }

    /// The level of a key, if it is stocked.
    pub(crate) async fn level(&self, key: &StockKey) -> Tried<Option<StockLevel>> {
        match self.library.stock().level(&self.host(), key).await {
            Ok(level) => Ok(Some(level)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what the ledger has had since it was read last.
    pub(crate) async fn read_ledger(&mut self) -> Tried<Vec<StockEvent>> {
        let mut new = Vec::new();
        for site in self.sites.values() {
            let after = self.positions.get(site).copied().unwrap_or(0);
            let stock = self.library.stock();
            let entries = stock.ledger(&self.host(), *site, after, ALL).await?;
            if let Some(last) = entries.last() {
                self.positions.insert(*site, last.position);
            }
            new.extend(entries.into_iter().map(|entry| entry.event));
        }
        self.events.extend(new.clone());
        Ok(new)
    }

    /// What is there now.
    pub(crate) async fn picture(&mut self) -> Tried<Picture> {
        self.read_ledger().await?;
        let mut documents = BTreeMap::new();
        for name in self.counts.keys().cloned().collect::<Vec<_>>() {
            let state = self.count_state(&name).await?;
            documents.insert(format!("count:{name}"), state);
        }
        for name in self.orders.keys().cloned().collect::<Vec<_>>() {
            let state = self.order_picture(&name).await?;
            documents.insert(format!("order:{name}"), state);
        }
        Ok(Picture {
            events: self.events.len(),
            levels: self.levels(None).await?,
            documents,
        })
    }

    /// What of the levels does not follow from the ledger.
    pub(crate) async fn verify(&self) -> Tried<Vec<String>> {
        let mut told = Vec::new();
        for site in self.sites.values() {
            let found = self.library.stock().verify(&self.host(), *site).await?;
            let differences = found.differences.iter();
            told.extend(differences.map(|it| format!("the ledger does not verify: {it:?}")));
        }
        Ok(told)
    }

    /// Does the jobs that are due, as a worker would.
    pub(crate) async fn run_jobs(&self) -> Tried<()> {
        let worker = Worker::new(&self.library, "case");
        worker
            .run_all_due()
            .await
            .map(drop)
            .map_err(|error| Trouble::broken(format!("the worker failed: {error}")))
    }

    // ---- time ------------------------------------------------------------------------------------

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn today(&self) -> NaiveDate {
        day_of(self.now())
    }

    /// The time that some words state. A date ahead moves the clock there, if `moves` allows it and the case does not
    /// say which day it is; a date behind is stated; today is now.
    pub(crate) fn stated_time(&mut self, words: &Words, moves: bool) -> Tried<Option<Timestamp>> {
        if let Some(instant) = words.text("at")? {
            let now = self.now();
            return self.calendar.instant(&instant, now).map(Some);
        }
        let Some(date) = words.text("date")? else {
            return Ok(None);
        };
        let (day, today) = (self.calendar.day(&date)?, self.today());
        if day == today {
            return Ok(None);
        }
        if day > today && moves && !self.calendar.is_fixed {
            self.clock.set(morning(day));
            return Ok(None);
        }
        let second = i64::try_from(self.played.len() + self.events.len()).unwrap_or(0);
        Ok(Some(noon(day).later_by(second * 1_000_000)))
    }

    /// Sets a policy of the vocabulary.
    pub(crate) async fn set_policy(&mut self, policy: &str, value: &str) -> Tried<()> {
        use stocktake::domain::{MovementPolicy, SerialScope};
        match (policy, value) {
            ("valuation", "fifo") => self.policy.costing = CostingMethod::Fifo,
            ("valuation", "average") => self.policy.costing = CostingMethod::WeightedAverage,
            // A stock key of the library is a location and a lot at once: it is valued on its own.
            ("valuation_scope", "location" | "lot") => {}
            ("negative_stock", "allow") => self.policy.allow_negative = true,
            ("negative_stock", "forbid") => self.policy.allow_negative = false,
            ("count_conflict", "refresh") => self.count_policy = MovementPolicy::MatchCount,
            ("count_conflict", "block") => self.count_policy = MovementPolicy::RefuseMoved,
            ("over_receipt_allowance_percent", percent) => {
                self.policy.receipts.over_receipt_percent =
                    percent.parse().map_err(Trouble::unreadable)?;
            }
            ("serial_scope", "global") => self.policy.serials = SerialScope::Global,
            ("serial_scope", "product") => self.policy.serials = SerialScope::Product,
            (_, _) => {
                return Err(Trouble::unsupported(format!("policy {policy}={value}")));
            }
        }
        self.keep_policy().await
    }
}
