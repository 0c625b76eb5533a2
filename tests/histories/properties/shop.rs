//! What a case begins with: an organisation of three sites, one for each way of costing, and a stranger whose
//! organisation has the same ids.

use std::collections::BTreeSet;
use std::sync::Arc;

use stocktake::domain::{
    Actor, CostingMethod, Product, ProductId, Role, Site, SiteAccess, SiteId, SitePolicy, StockKey,
    Tracking, UnitCosts,
};
use stocktake::service::{Caller, Error, Stocktake};
use stocktake::testing::{ManualClock, SequentialIds, Shop, shop};
use uuid::Uuid;

use super::random::Random;
use crate::stores::{Store, Stores};

pub(crate) struct Premises {
    pub(crate) library: Stocktake,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) sites: Vec<Site>,
    pub(crate) products: Vec<Product>,
    /// Keys that can hold stock, site by site.
    pub(crate) keys: Vec<Vec<StockKey>>,
    /// Keys that can't.
    pub(crate) bad_keys: Vec<StockKey>,
    pub(crate) people: People,
    /// What it all is kept in.
    _store: Store,
}

/// Who acts.
pub(crate) struct People {
    pub(crate) manager: Actor,
    pub(crate) counter: Actor,
    pub(crate) viewer: Actor,
    pub(crate) machine: Actor,
    /// A manager of the third site only.
    pub(crate) elsewhere: Actor,
    /// A manager of another organisation, that has the same sites and products.
    pub(crate) stranger: Actor,
}

/// A product of each kind: tracked by batch, by serial number, not kept on stock, without a standard cost.
const BATCHES: usize = 5;
const SERIALS: usize = 6;
const SERVICE: usize = 7;
const WITHOUT_COST: usize = 4;
const PRODUCTS: usize = 8;

impl Premises {
    pub(crate) async fn open(stores: &Stores, random: &mut Random) -> Result<Self, Error> {
        let store = stores.fresh().await;
        let clock = Arc::new(ManualClock::default());
        let ids = Arc::new(SequentialIds::default());
        let (repository, queue) = (store.repository.clone(), store.queue.clone());
        let library = Stocktake::with(repository, queue, clock.clone(), ids);
        let shop = shop();
        let products = products(&shop);
        let sites: Vec<Site> = [
            CostingMethod::Fifo,
            CostingMethod::WeightedAverage,
            CostingMethod::Standard,
        ]
        .into_iter()
        .zip(1..)
        .map(|(costing, number)| site(&shop.site, costing, number, random))
        .collect();
        let people = people(&shop, sites[2].id);
        let keys = sites
            .iter()
            .map(|site| keys(site.id, &products))
            .collect::<Vec<_>>();
        let plain = |number: usize| StockKey::plain(sites[0].id, products[number].id);
        let bad_keys = vec![
            plain(BATCHES),
            plain(SERIALS),
            plain(SERVICE),
            StockKey::plain(sites[0].id, ProductId::new(Uuid::from_u128(77))),
            keys[1][0].clone(),
        ];
        let premises = Self {
            library,
            clock,
            sites,
            products,
            keys,
            bad_keys,
            people,
            _store: store,
        };
        for actor in [&premises.people.manager, &premises.people.stranger] {
            premises.fill(actor).await?;
        }
        Ok(premises)
    }

    /// Puts sites and products into the actor's organisation.
    async fn fill(&self, actor: &Actor) -> Result<(), Error> {
        let (caller, catalogue) = (Caller::of(actor), self.library.catalogue());
        for site in &self.sites {
            let organisation = actor.organisation;
            let site = Site {
                organisation,
                ..site.clone()
            };
            catalogue.put_site(&caller, site).await?;
        }
        let organisation = actor.organisation;
        let products = self.products.iter().map(|product| Product {
            organisation,
            ..product.clone()
        });
        catalogue.put_products(&caller, products.collect()).await
    }
}

fn products(shop: &Shop) -> Vec<Product> {
    let mut products = shop.products[..PRODUCTS].to_vec();
    products[BATCHES].tracking = Tracking::Batch;
    products[SERIALS].tracking = Tracking::Serial;
    products[SERVICE].is_stock = false;
    products[WITHOUT_COST].unit_costs = UnitCosts::default();
    // A cost that does not divide: rounding is part of the game.
    products[1].unit_costs = UnitCosts::of("gbp".parse().unwrap(), "0.333333".parse().unwrap());
    products
}

fn site(like: &Site, costing: CostingMethod, number: u32, random: &mut Random) -> Site {
    Site {
        id: SiteId::new(Uuid::from_u128(u128::from(number))),
        external_id: format!("store-{number}").parse().unwrap(),
        policy: SitePolicy {
            costing,
            allow_negative: random.percent(40),
            allow_zero_cost: random.percent(40),
            closed_until: None,
            ..SitePolicy::default()
        },
        ..like.clone()
    }
}

fn people(shop: &Shop, third: SiteId) -> People {
    let everywhere = |actor: &Actor, role| Actor {
        role,
        sites: SiteAccess::All,
        ..actor.clone()
    };
    People {
        manager: everywhere(&shop.manager, Role::Manager),
        counter: everywhere(&shop.counter, Role::Counter),
        viewer: everywhere(&shop.viewer, Role::Viewer),
        machine: everywhere(&shop.service, Role::Service),
        elsewhere: Actor {
            sites: SiteAccess::Only(BTreeSet::from([third])),
            ..shop.elsewhere.clone()
        },
        stranger: shop.stranger.clone(),
    }
}

fn keys(site: SiteId, products: &[Product]) -> Vec<StockKey> {
    let plain = |number: usize| StockKey::plain(site, products[number].id);
    let code = |text: &str| text.parse().unwrap();
    vec![
        plain(0),
        plain(0).at(code("A")),
        plain(1),
        plain(1).at(code("B")),
        plain(2),
        plain(3).of_variant(code("V")),
        plain(WITHOUT_COST),
        plain(WITHOUT_COST).at(code("A")),
        plain(BATCHES).in_batch(code("L1")),
        plain(BATCHES).in_batch(code("L2")).at(code("A")),
        plain(SERIALS).with_serial(code("S1")),
        plain(SERIALS).with_serial(code("S2")),
        plain(SERIALS).at(code("A")).with_serial(code("S1")),
    ]
}
