//! A shop with everything in it.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::{
    Actor, Barcode, BrandId, CategoryId, Named, OrganisationId, Product, ProductId, Quantity, Role,
    Site, SiteAccess, SiteId, SitePolicy, StockKey, Supplier, SupplierId, Timestamp, UnitCosts,
    UserId, UserSummary,
};
use crate::jobs::Worker;
use crate::memory::MemoryStore;
use crate::service::{Caller, Clock as _, Movement, NewMovement, Pending, Stocktake};
use crate::store::{JobQueue, Repository};

use super::{ManualClock, SequentialIds};

/// A shop of ten products (forty of each in its first stock), with people of every role.
#[derive(Debug)]
pub struct Shop {
    /// The library over the store.
    pub stocktake: Stocktake,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Its site, in pounds.
    pub site: Site,
    /// Its products: `SKU-0` to `SKU-9`, at 1.50, 2.50 ... a unit; the even ones are of brand 0 and category 0, the
    /// odd ones of brand 1 and category 1.
    pub products: Vec<Product>,
    /// Its supplier.
    pub supplier: Supplier,
    /// A manager.
    pub manager: Actor,
    /// A counter.
    pub counter: Actor,
    /// A viewer.
    pub viewer: Actor,
    /// A machine.
    pub service: Actor,
    /// A manager of another site of the same organisation.
    pub elsewhere: Actor,
    /// A manager of another organisation.
    pub stranger: Actor,
}

/// A shop on an in-memory store of its own. Nothing is in the store before [`Shop::open`].
pub fn shop() -> Shop {
    Shop::on(Arc::new(MemoryStore::new()))
}

fn uuid(kind: u8, number: u32) -> Uuid {
    Uuid::from_u128((u128::from(kind) << 96) | u128::from(number))
}

fn actor(
    organisation: OrganisationId,
    number: u32,
    name: &str,
    role: Role,
    sites: SiteAccess,
) -> Actor {
    Actor {
        organisation,
        user: UserSummary {
            id: UserId::new(uuid(9, number)),
            email: Some(format!("{}@example.com", name.to_lowercase())),
            first_name: name.to_owned(),
            last_name: "Johnson".to_owned(),
        },
        role,
        sites,
    }
}

impl Shop {
    /// A shop on any store.
    pub fn on<S: Repository + JobQueue>(store: Arc<S>) -> Self {
        let clock = Arc::new(ManualClock::default());
        let ids = Arc::new(SequentialIds::default());
        Self::with(
            Stocktake::with(store.clone(), store, clock.clone(), ids),
            clock,
        )
    }

    /// A shop on a library of the test's own making.
    pub fn with(stocktake: Stocktake, clock: Arc<ManualClock>) -> Self {
        let organisation = OrganisationId::new(uuid(1, 1));
        let site = SiteId::new(uuid(2, 1));
        let here = || SiteAccess::Only(BTreeSet::from([site]));
        let there = SiteAccess::Only(BTreeSet::from([SiteId::new(uuid(2, 2))]));
        Self {
            clock,
            stocktake,
            site: shop_site(organisation, site),
            products: (0..10)
                .map(|number| product(organisation, number))
                .collect(),
            supplier: shop_supplier(organisation, site),
            manager: actor(organisation, 1, "Dan", Role::Manager, here()),
            counter: actor(organisation, 2, "Eve", Role::Counter, here()),
            viewer: actor(organisation, 3, "Finn", Role::Viewer, here()),
            service: actor(organisation, 4, "Till", Role::Service, here()),
            elsewhere: actor(organisation, 5, "Gus", Role::Manager, there),
            stranger: actor(
                OrganisationId::new(uuid(1, 2)),
                6,
                "Hal",
                Role::Manager,
                SiteAccess::All,
            ),
        }
    }

    /// Puts the catalogue and the first stock into the store.
    ///
    /// # Errors
    ///
    /// Those of the calls it makes; none on a working store.
    #[inline(never)]
    pub fn open(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            let movements: Vec<NewMovement> = (0..self.products.len())
                .map(|number| self.receipt(number, Quantity::from(40)))
                .collect();
            self.open_empty().await?;
            self.stocktake
                .stock()
                .record(&Caller::of(&self.manager), self.site.id, &movements)
                .await
                .map(drop)
        })
    }

    /// Puts only the catalogue into the store.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    #[inline(never)]
    pub fn open_empty(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            let manager = Caller::of(&self.manager);
            let catalogue = self.stocktake.catalogue();
            catalogue.put_site(&manager, self.site.clone()).await?;
            catalogue
                .put_supplier(&manager, self.supplier.clone())
                .await?;
            catalogue
                .put_products(&manager, self.products.clone())
                .await
        })
    }

    /// A receipt of a product at its standard cost.
    pub fn receipt(&self, number: usize, quantity: Quantity) -> NewMovement {
        let unit_cost = self
            .products
            .get(number)
            .and_then(|product| product.standard_cost(self.site.currency));
        Movement::Receipt {
            key: self.key(number),
            quantity,
            unit_cost,
        }
        .into()
    }

    /// The stock key of a product.
    pub fn key(&self, number: usize) -> StockKey {
        let product = u32::try_from(number).map_or(uuid(3, u32::MAX), |number| uuid(3, number));
        StockKey::plain(self.site.id, ProductId::new(product))
    }

    /// What is on hand of a key.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::service::Error::NotFound) when it is not stocked; failures of the store.
    #[inline(never)]
    pub fn on_hand<'c>(&'c self, key: &'c StockKey) -> Pending<'c, Quantity> {
        Box::pin(async move {
            let level = self
                .stocktake
                .stock()
                .level(&Caller::of(&self.manager), key)
                .await?;
            Ok(level.quantity())
        })
    }

    /// Does all jobs that are due, as a worker would.
    ///
    /// # Errors
    ///
    /// Failures of the store.
    #[inline(never)]
    pub fn run_jobs(&self) -> Pending<'_, u64> {
        Box::pin(async move { Ok(Worker::new(&self.stocktake, "test").run_all_due().await?) })
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// A constant of this file.
fn made<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    #[allow(
        clippy::expect_used,
        reason = "constants of this file, each used by a test"
    )]
    text.parse().expect("a constant of the fixture")
}

fn shop_site(organisation: OrganisationId, id: SiteId) -> Site {
    Site {
        id,
        organisation,
        external_id: made("store-1"),
        name: made("High Street"),
        currency: made("gbp"),
        policy: SitePolicy::default(),
    }
}

fn shop_supplier(organisation: OrganisationId, site: SiteId) -> Supplier {
    let (name, email) = (made("Elemis"), Some(made("orders@example.com")));
    Supplier {
        id: SupplierId::new(uuid(4, 1)),
        organisation,
        site,
        name,
        email,
    }
}

fn product(organisation: OrganisationId, number: u32) -> Product {
    let parity = number & 1;
    let named = |kind: &str| made(&format!("{kind} {parity}"));
    let id = ProductId::new(uuid(3, number));
    let (article, name) = (
        made(&format!("SKU-{number}")),
        made(&format!("Product {number}")),
    );
    Product {
        barcodes: vec![Barcode {
            value: made(&format!("400638133393{number}")),
            symbology: made("EAN13"),
        }],
        brand: Some(Named {
            id: BrandId::new(uuid(5, parity)),
            name: named("Brand"),
        }),
        category: Some(Named {
            id: CategoryId::new(uuid(6, parity)),
            name: named("Category"),
        }),
        suppliers: vec![Named {
            id: SupplierId::new(uuid(4, 1)),
            name: made("Elemis"),
        }],
        unit_costs: UnitCosts::of(
            made("gbp"),
            made(&format!("{}.50", number.saturating_add(1))),
        ),
        account: Some(made("1460")),
        ..Product::new(id, organisation, article, name)
    }
}
