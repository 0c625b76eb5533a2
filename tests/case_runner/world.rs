//! What a case is played on: a library over an empty store, whose catalogue grows as words are met.
//!
//! A location is a stock place of one site, because goods move between locations and transfers are within a site.
//! Where the case imports stock, a location is a site of its own, because that is what an import names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::Value;
use stocktake::domain::{
    Code, CostingMethod, Currency, Named, OrganisationId, Product, ProductId, Quantity, Site,
    SiteId, SitePolicy, StockAdjustmentId, StockEvent, StockEventId, StockKey, StockLevel,
    Supplier, SupplierId, Timestamp, Tolerance, Tracking,
};
use stocktake::jobs::Worker;
use stocktake::service::{Clock as _, Error, Stocktake};
use stocktake::store::PageRequest;
use stocktake::testing::{ManualClock, SequentialIds};
use uuid::Uuid;

use super::calendar::{Calendar, day_of, morning, noon};
use super::count_steps::CountedAs;
use super::order_steps::OrderAs;
use super::people::Person;
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
    ("discrepancy_threshold_percent", &["*"]),
    ("count_quantity_tolerance", &["*"]),
    ("count_line_cost_threshold", &["*"]),
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
    /// Rows that were refused, and what each answers to.
    pub(crate) rows: BTreeMap<usize, RowRefusal>,
}

/// What was said about a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowRefusal {
    /// The codes of the vocabulary that it answers to.
    pub(crate) codes: Vec<&'static str>,
    /// The fields of the vocabulary that are at fault, where that can be told.
    pub(crate) fields: Vec<&'static str>,
    /// What a person reads.
    pub(crate) told: Vec<String>,
}

/// A step that has been played.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) op: String,
    /// The step as it is written.
    pub(crate) step: Value,
    /// The count that it posted.
    pub(crate) posted: Option<String>,
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
    /// Products that the case names only where nothing is found: they are not made when they are met.
    unknown: BTreeSet<String>,
    /// Products of which a case says how they are tracked.
    tracked: BTreeSet<String>,
    /// Products that a name stands for together: of the generated lines of an order.
    pub(crate) families: BTreeMap<String, Vec<String>>,
    /// What the case calls the site of all stock places, if it names sites.
    pub(crate) site_name: Option<String>,
    /// People of whom the facts say more than a name.
    pub(crate) people: BTreeMap<String, Person>,
    /// Who sells what, where the case says so.
    pub(crate) supplied: BTreeMap<String, Vec<String>>,
    pub(crate) count_policy: stocktake::domain::MovementPolicy,
    /// How far counts may be off, where the case says so.
    pub(crate) tolerance: Option<Tolerance>,
    /// Whether counts are played as inventory counts (S2): where adjustment records are asked about.
    pub(crate) counts_are_documents: bool,
    pub(crate) counts: BTreeMap<String, CountedAs>,
    pub(crate) orders: BTreeMap<String, OrderAs>,
    /// What the handles of the store have read.
    pub(crate) handles: BTreeMap<String, BTreeMap<StockKey, Quantity>>,
    pub(crate) played: Vec<Played>,
    /// The whole ledger so far.
    pub(crate) events: Vec<StockEvent>,
    /// Those of what is given.
    pub(crate) opening: BTreeSet<StockEventId>,
    positions: BTreeMap<SiteId, u64>,
    /// What the step that is being played has made.
    pub(crate) imported: Option<Imported>,
    pub(crate) adjusted: Option<StockAdjustmentId>,
    pub(crate) attempts: Vec<Result<(), Refusal>>,
    pub(crate) posted: Option<String>,
    /// Codes that a refusal of the step answers to as well, because the vocabulary is coarser there.
    pub(crate) also: Vec<&'static str>,
}

/// The id of what the case calls by a name.
pub(crate) fn id(space: &str, name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::nil(), format!("{space}/{name}").as_bytes())
}

impl World {
    pub(crate) async fn open(
        stores: &Stores,
        currency: &str,
        layout: Layout,
        counts_are_documents: bool,
        unknown: BTreeSet<String>,
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
            unknown,
            tracked: BTreeSet::new(),
            families: BTreeMap::new(),
            site_name: None,
            people: BTreeMap::new(),
            supplied: BTreeMap::new(),
            count_policy: stocktake::domain::MovementPolicy::default(),
            tolerance: None,
            counts_are_documents,
            counts: BTreeMap::new(),
            orders: BTreeMap::new(),
            handles: BTreeMap::new(),
            played: Vec::new(),
            events: Vec::new(),
            opening: BTreeSet::new(),
            positions: BTreeMap::new(),
            imported: None,
            adjusted: None,
            attempts: Vec::new(),
            posted: None,
            also: Vec::new(),
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

    /// The site of a name. Where locations are stock places, the facts' name is that of the site of all of them.
    pub(crate) fn site_named(&self, name: &str) -> SiteId {
        let of_all_places = self.site_name.as_deref().is_none_or(|own| own == name);
        match self.layout {
            Layout::Places if of_all_places => SiteId::new(id("site", SHELVES)),
            Layout::Places | Layout::Sites(_) => SiteId::new(id("site", name)),
        }
    }

    /// A site of a name, made when it is met.
    pub(crate) async fn open_site(&mut self, name: &str) -> Tried<SiteId> {
        let site = self.site_named(name);
        if !self.sites.values().any(|known| *known == site) {
            self.sites.insert(name.to_owned(), site);
            self.keep_policy().await?;
        }
        Ok(site)
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

    /// Whether the catalogue has no product of a name, because the case expects that it is not found.
    pub(crate) fn is_unknown(&self, name: &str) -> bool {
        self.unknown.contains(name)
    }

    /// Asks the library for the product of a name.
    pub(crate) async fn look_up(&self, name: &str) -> Tried<ProductId> {
        let catalogue = self.library.catalogue();
        let (host, article) = (self.host(), name.parse()?);
        Ok(catalogue.product_by_article(&host, &article).await?.id)
    }

    /// The product of a name, made when it is met first.
    pub(crate) async fn product(&mut self, name: &str) -> Tried<ProductId> {
        match self.find_product(name).await? {
            Some(product) => Ok(product),
            None if self.unknown.contains(name) => Ok(ProductId::new(id("product", name))),
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
        let name = product.as_deref().unwrap_or("P");
        self.track(name, batch.is_some(), serial.is_some()).await?;
        let product = self.product(name).await?;
        Ok(StockKey {
            variant,
            place: self.place(location)?,
            batch,
            serial,
            ..StockKey::plain(self.site(location)?, product)
        })
    }

    /// Many cases have lots without saying that their product is tracked by them, some beside stock of none: where they do
    /// not say, the product is tracked as the stock is that they name.
    async fn track(&mut self, name: &str, by_lot: bool, by_serial: bool) -> Tried<()> {
        if self.tracked.contains(name) || self.unknown.contains(name) {
            return Ok(());
        }
        let wanted = match (by_lot, by_serial) {
            (_, true) => Tracking::Serial,
            (true, false) => Tracking::Batch,
            (false, false) => Tracking::None,
        };
        let known = self.products.get(name);
        if known.map_or(Tracking::None, |product| product.tracking) != wanted {
            self.change_product(name, |product| product.tracking = wanted)
                .await?;
        }
        Ok(())
    }

    /// Says how a product is tracked, whatever stock of it is named.
    pub(crate) fn is_tracked(&mut self, name: &str) {
        self.tracked.insert(name.to_owned());
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

    /// What has been done so far is given: it is none of the case's steps.
    pub(crate) async fn begin_here(&mut self) -> Tried<()> {
        let opening = self.read_ledger().await?;
        self.opening.extend(opening.iter().map(|event| event.id));
        Ok(())
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
            ("valuation_scope", "location" | "lot" | "product") => {}
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
            ("discrepancy_threshold_percent", percent) => {
                let percent = Some(percent.parse().map_err(Trouble::unreadable)?);
                self.tolerance.get_or_insert_default().percent = percent;
            }
            ("count_quantity_tolerance", part) => {
                // A tenth is ten percent.
                let part: Quantity = part.parse().map_err(Trouble::unreadable)?;
                let percent = part.to_decimal() * rust_decimal::Decimal::ONE_HUNDRED;
                let percent = Quantity::from_decimal(percent).map_err(Trouble::unreadable)?;
                self.tolerance.get_or_insert_default().percent = Some(percent);
            }
            ("count_line_cost_threshold", value) => {
                let value = value.parse().map_err(Trouble::unreadable)?;
                self.tolerance.get_or_insert_default().value = Some(value);
            }
            (_, _) => {
                return Err(Trouble::unsupported(format!("policy {policy}={value}")));
            }
        }
        self.keep_policy().await
    }
}
