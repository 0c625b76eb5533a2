//! A serial number is on hand in one place only, whatever brings it there (S6.7).

mod counting;
mod ways;

use std::sync::Arc;

use stocktake::domain::{
    Actor, CompletionOptions, CountType, InventoryCountDetails, MovementPolicy, PostingOptions,
    Product, ProductId, Quantity, SerialScope, Site, SiteAccess, SiteId, StockEventId, StockKey,
    StockTake, StockTakeId, StockTakeItemId, Tracking,
};
use stocktake::memory::MemoryStore;
use stocktake::service::{
    Caller, CountRequest, Difference, Error, ErrorKind, Movement, NewMovement, NewStockTake,
    Stocktake,
};
use stocktake::store::{ChangeSet, Command, CommandId, DeletableKey, Digest, Outcome, Repository};
use stocktake::testing::Shop;
use uuid::Uuid;

/// Two sites of one organisation, and two products that are told apart by serial numbers.
struct World {
    store: Arc<MemoryStore>,
    shop: Shop,
    manager: Actor,
    sites: [Site; 2],
    products: [Product; 2],
}

impl World {
    async fn open() -> Self {
        let store = Arc::new(MemoryStore::new());
        let shop = Shop::on(store.clone());
        shop.open_empty().await.unwrap();
        let manager = Actor {
            sites: SiteAccess::All,
            ..shop.manager.clone()
        };
        let there = Site {
            id: SiteId::new(Uuid::from_u128((2 << 96) | 2)),
            external_id: "store-2".parse().unwrap(),
            ..shop.site.clone()
        };
        let product = |number: u128, article: &str| Product {
            tracking: Tracking::Serial,
            unit_costs: stocktake::domain::UnitCosts::of(
                "gbp".parse().unwrap(),
                "10".parse().unwrap(),
            ),
            suppliers: shop.products[0].suppliers.clone(),
            ..Product::new(
                ProductId::new(Uuid::from_u128(number)),
                shop.site.organisation,
                article.parse().unwrap(),
                article.parse().unwrap(),
            )
        };
        let world = Self {
            store,
            manager,
            sites: [shop.site.clone(), there],
            products: [product(71, "PA"), product(72, "PB")],
            shop,
        };
        world.scope(SerialScope::Product).await;
        let products = world.products.to_vec();
        let catalogue = world.library().catalogue();
        catalogue
            .put_products(&world.caller(), products)
            .await
            .unwrap();
        world
    }

    fn library(&self) -> &Stocktake {
        &self.shop.stocktake
    }

    fn caller(&self) -> Caller {
        Caller::of(&self.manager)
    }

    /// Tells all sites among what serial numbers are unique.
    async fn scope(&self, serials: SerialScope) {
        for site in &self.sites {
            let mut site = site.clone();
            site.policy.serials = serials;
            let catalogue = self.library().catalogue();
            catalogue.put_site(&self.caller(), site).await.unwrap();
        }
    }

    fn key(&self, site: usize, product: usize, place: &str, serial: &str) -> StockKey {
        StockKey::plain(self.sites[site].id, self.products[product].id)
            .at(place.parse().unwrap())
            .with_serial(serial.parse().unwrap())
    }

    async fn record(&self, movements: &[NewMovement]) -> Result<StockEventId, Error> {
        let site = match &movements[0].movement {
            Movement::Receipt { key, .. }
            | Movement::Issue { key, .. }
            | Movement::Transfer { from: key, .. }
            | Movement::CustomerReturn { key, .. }
            | Movement::Adjust { key, .. }
            | Movement::Reset { key, .. }
            | Movement::Remove { key } => key.site,
            _ => self.sites[1].id,
        };
        let stock = self.library().stock();
        let events = stock.record(&self.caller(), site, movements).await?;
        Ok(events[0].id)
    }

    async fn receive(&self, key: &StockKey) -> Result<StockEventId, Error> {
        self.record(&[receipt(key)]).await
    }

    async fn issue(&self, key: &StockKey) -> StockEventId {
        self.record(&[issue(key)]).await.unwrap()
    }

    async fn on_hand(&self, key: &StockKey) -> Quantity {
        let level = self.library().stock().level(&self.caller(), key).await;
        level.map_or(Quantity::ZERO, |level| level.quantity())
    }

    /// The ledgers are sound, and the marks say where the numbers are.
    async fn assert_sound(&self) {
        for site in &self.sites {
            let stock = self.library().stock();
            let verified = stock.verify(&self.caller(), site.id).await.unwrap();
            assert!(verified.is_sound(), "{:?}", verified.differences);
        }
    }

    async fn take(&self, site: usize) -> StockTakeId {
        let new = NewStockTake {
            site: self.sites[site].id,
            description: "serials".parse().unwrap(),
            movement_policy: MovementPolicy::default(),
        };
        let takes = self.library().stock_takes();
        let take = takes.create(&self.caller(), new).await.unwrap();
        self.shop.run_jobs().await.unwrap();
        take.id()
    }

    async fn count(&self, take: StockTakeId, key: &StockKey, there: u32) {
        let takes = self.library().stock_takes();
        let request = CountRequest::set(there.into());
        let item = StockTakeItemId::for_key(take, key);
        takes
            .count(&self.caller(), take, item, request)
            .await
            .unwrap();
    }

    async fn submit(&self, take: StockTakeId) -> Result<StockTake, Error> {
        let takes = self.library().stock_takes();
        let options = PostingOptions::default();
        takes.submit(&self.caller(), take, options).await
    }
}

fn receipt(key: &StockKey) -> NewMovement {
    Movement::Receipt {
        key: key.clone(),
        quantity: Quantity::ONE,
        unit_cost: None,
    }
    .into()
}

fn issue(key: &StockKey) -> NewMovement {
    Movement::Issue {
        key: key.clone(),
        quantity: Quantity::ONE,
    }
    .into()
}

fn transfer(from: &StockKey, to: &StockKey) -> NewMovement {
    Movement::Transfer {
        from: from.clone(),
        to: to.clone(),
        quantity: Quantity::ONE,
    }
    .into()
}

fn details() -> InventoryCountDetails {
    InventoryCountDetails {
        name: "serials".parse().unwrap(),
        kind: CountType::Full,
        notes: None,
        movement_policy: MovementPolicy::default(),
    }
}

fn applied() -> CompletionOptions {
    CompletionOptions {
        apply_adjustments: true,
        ..CompletionOptions::default()
    }
}

#[tokio::test]
async fn a_unit_moves_within_one_commit() {
    let world = World::open().await;
    let (here, there) = (world.key(0, 0, "A", "X"), world.key(0, 0, "B", "X"));
    world.receive(&here).await.unwrap();
    world.record(&[transfer(&here, &there)]).await.unwrap();
    assert_eq!(world.on_hand(&there).await, Quantity::ONE);
    world.assert_sound().await;
    // Back by a batch of two movements, in the order in which they happen.
    world
        .record(&[issue(&there), receipt(&here)])
        .await
        .unwrap();
    let twice = world.record(&[receipt(&there), issue(&here)]).await;
    assert_eq!(twice.unwrap_err().code(), "serial_elsewhere");
    let moved = world.record(&[transfer(&here, &there)]).await.unwrap();
    // What is taken back goes through the same gate: the unit leaves where it came to before it comes back.
    let stock = world.library().stock();
    let back: NewMovement = Movement::Reversal { of: moved }.into();
    let taken_back = stock.record(&world.caller(), here.site, &[back]).await;
    assert_eq!(taken_back.unwrap().len(), 2);
    assert_eq!(world.on_hand(&here).await, Quantity::ONE);
    // Removing a key frees its number.
    let removal = Movement::Remove { key: here.clone() };
    world.record(&[removal.into()]).await.unwrap();
    world.receive(&there).await.unwrap();
    world.assert_sound().await;
}

#[tokio::test]
async fn a_refusal_says_where_the_number_is_to_who_may_see_that() {
    let world = World::open().await;
    let (here, there) = (world.key(0, 0, "A", "X"), world.key(1, 0, "A", "X"));
    world.receive(&here).await.unwrap();
    let told = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(!error.is_retryable());
        match error {
            Error::SerialElsewhere { key, at } => (key.key, at.map(|at| at.key)),
            other => panic!("{other:?}"),
        }
    };
    let refused = world.receive(&there).await.unwrap_err();
    // People read codes, programs the key of it.
    assert!(
        refused
            .to_string()
            .ends_with("on hand elsewhere: PA, stock place A, serial number X at High Street"),
        "{refused}"
    );
    assert_eq!(told(refused), (there.clone(), Some(here)));
    let stock = world.library().stock();
    let gus = Caller::of(&world.shop.elsewhere);
    let refused = stock.record(&gus, there.site, &[receipt(&there)]).await;
    assert_eq!(told(refused.unwrap_err()), (there, None));
}

#[tokio::test]
async fn a_number_is_unique_in_its_product_or_in_all_of_them() {
    let world = World::open().await;
    let [a, b] = [0, 1].map(|product| world.key(0, product, "A", "X"));
    // In its product.
    world.receive(&a).await.unwrap();
    world.receive(&b).await.unwrap();
    world.assert_sound().await;
    // What is on hand stays when the rule gets stricter, and stands in the way of what comes.
    world.scope(SerialScope::Global).await;
    world.assert_sound().await;
    world.issue(&b).await;
    let refused = world.receive(&b).await.unwrap_err();
    assert_eq!(refused.code(), "serial_elsewhere");
    world.issue(&a).await;
    world.receive(&b).await.unwrap();
    let refused = world.receive(&world.key(1, 0, "A", "X")).await.unwrap_err();
    assert_eq!(refused.code(), "serial_elsewhere");
    // A unit moves among products within one commit, too.
    world.record(&[issue(&b), receipt(&a)]).await.unwrap();
    world.assert_sound().await;
    // What came in under the strict rule is no hindrance under the other one, and leaves without a trace.
    world.scope(SerialScope::Product).await;
    world.receive(&b).await.unwrap();
    world.issue(&a).await;
    world.issue(&b).await;
    world.assert_sound().await;
    let (serials, any) = ([a.serial.clone().unwrap()].into(), [].into());
    let organisation = world.shop.site.organisation;
    let marks = world.store.serial_marks(organisation, &serials, &any).await;
    assert_eq!(marks.unwrap(), []);
}

#[tokio::test]
async fn verifying_tells_a_mark_that_is_missing_or_stale() {
    let world = World::open().await;
    let (here, there) = (world.key(0, 0, "A", "X"), world.key(0, 0, "B", "X"));
    world.receive(&here).await.unwrap();
    world.issue(&here).await;
    world.receive(&there).await.unwrap();
    let organisation = world.shop.site.organisation;
    let (serial, product) = (here.serial.clone().unwrap(), Some(here.product));
    let read = || async {
        let (serials, any) = ([serial.clone()].into(), [].into());
        let marks = world.store.serial_marks(organisation, &serials, &any).await;
        marks.unwrap().swap_remove(0)
    };
    let changes = |name: &str| {
        let command = Command {
            id: CommandId::new("tamper", name),
            digest: Digest::of(name).finish(),
            outcome: Outcome::Done,
            at: world.shop.now(),
        };
        ChangeSet::new(organisation, command)
    };
    let differences = || async {
        let stock = world.library().stock();
        let site = world.sites[0].id;
        let verified = stock.verify(&world.caller(), site).await.unwrap();
        verified.differences
    };
    let difference = |key: &StockKey, marked: Option<&StockKey>| Difference::Serial {
        key: key.clone(),
        marked: marked.cloned(),
    };
    assert_eq!(differences().await, []);
    let mark = read().await;
    let mut stale = changes("stale");
    let mut moved = mark.value.clone();
    moved.key = here.clone();
    stale.update(mark.version, moved);
    world.store.commit(&stale).await.unwrap();
    let both = [&here, &there].map(|key| difference(key, Some(&here)));
    assert_eq!(differences().await, both);
    let mut missing = changes("missing");
    missing.delete(
        read().await.version,
        DeletableKey::SerialMark(serial.clone(), product),
    );
    world.store.commit(&missing).await.unwrap();
    assert_eq!(differences().await, [difference(&there, None)]);
}
