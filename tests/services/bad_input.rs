//! What is refused: each bad request gets its typed error with the stable code, and changes nothing.
#![allow(
    clippy::too_many_lines,
    reason = "a test is one table of requests, read from top to bottom"
)]
#![allow(clippy::large_futures, reason = "a table asks everything of one world")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use stocktake::documents::ReportOptions;
use stocktake::domain::{
    Actor, Code, Entered, JobId, Label, LedgerEntry, MovementPolicy, NamePart, Note,
    PostingOptions, Product, ProductId, Quantity, Role, SearchText, Site, SiteAccess, SiteId,
    StockEventId, StockEventKind, StockKey, StockLevel, StockTake, StockTakeDetails, StockTakeId,
    StockTakeItemId, StockTakeState, Supplier, SupplierId, Timestamp, Tracking, UnitCost,
    UnitCosts,
};
use stocktake::memory::MemoryStore;
use stocktake::service::access::{ACCESS, Operation, allows};
use stocktake::service::{
    ArticleName, Caller, CountRequest, Error, ErrorKind, FoundProduct, FoundStock,
    InventoryRequest, Movement, NewMovement, NewStockTake, NewStockTakeList, StockTakeAmendment,
};
use stocktake::store::{
    ArticleFilter, ArticleSort, Cursor, IdempotencyKey, LevelFilter, MAX_PAGE, PageRequest,
    PageStart, Repository, RepositoryExt, StockTakeFilter, StockTakeItemFilter, StockTakeTotals,
    Version,
};
use stocktake::testing::Shop;
use uuid::Uuid;

/// A shop, and its store to look into.
pub(super) struct World {
    store: Arc<dyn Repository>,
    pub(super) shop: Shop,
}

/// Everything that a refused request must leave alone.
#[derive(Debug, PartialEq)]
struct State {
    ledger: Vec<LedgerEntry>,
    levels: Vec<StockLevel>,
    takes: Vec<StockTake>,
    totals: Vec<StockTakeTotals>,
    products: Vec<Option<Product>>,
    site: Option<Site>,
    supplier: Option<Supplier>,
}

impl World {
    /// A shop that is on a store.
    pub(super) fn of(store: Arc<dyn Repository>, shop: Shop) -> Self {
        Self { store, shop }
    }

    async fn open() -> Self {
        Prepare::Open.world().await
    }

    async fn counted() -> Self {
        Prepare::Counted.world().await
    }

    async fn posting() -> Self {
        Prepare::Posting.world().await
    }

    async fn finished() -> Self {
        Prepare::Finished.world().await
    }

    async fn left_over() -> Self {
        Prepare::LeftOver.world().await
    }

    async fn listed() -> Self {
        World::open().await.with_list().await
    }

    /// A take of ten lines, of which the first is two short.
    async fn with_count(self) -> Self {
        let takes = self.shop.stocktake.stock_takes();
        takes
            .create(&self.manager(), new_take(self.shop.site.id))
            .await
            .unwrap();
        self.shop.run_jobs().await.unwrap();
        self.shop.clock.advance_seconds(60);
        self.count(0, "38").await;
        self
    }

    /// Posting has begun, and no worker has come yet.
    async fn with_posting(self) -> Self {
        let takes = self.shop.stocktake.stock_takes();
        let options = PostingOptions::default();
        takes
            .post(&self.manager(), self.take().await, options)
            .await
            .unwrap();
        self
    }

    async fn with_what_is_posted(self) -> Self {
        self.shop.run_jobs().await.unwrap();
        self.shop.clock.advance_seconds(60);
        self
    }

    /// The take is finished, with one line that could not be posted.
    async fn with_left_over(self) -> Self {
        self.count(1, "1").await;
        self.record(&[issue(self.shop.key(1), "39")]).await;
        let takes = self.shop.stocktake.stock_takes();
        let options = PostingOptions {
            skip_unpostable: true,
            ..PostingOptions::default()
        };
        let take = takes
            .submit(&self.manager(), self.take().await, options)
            .await
            .unwrap();
        assert_eq!(take.result().unwrap().unposted, 1);
        self
    }

    /// A new list with one line.
    async fn with_list(self) -> Self {
        let takes = self.shop.stocktake.stock_takes();
        let list = takes
            .create_list(&self.manager(), new_list(self.shop.site.id))
            .await
            .unwrap();
        takes
            .add_articles(&self.manager(), list.id(), &[code("SKU-0")])
            .await
            .unwrap();
        self
    }

    fn manager(&self) -> Caller {
        Caller::of(&self.shop.manager)
    }

    fn keyed(&self, key: &str) -> Caller {
        self.manager().with_key(IdempotencyKey::new(key).unwrap())
    }

    async fn take(&self) -> StockTakeId {
        self.takes().await[0].id()
    }

    async fn item(&self, number: usize) -> StockTakeItemId {
        StockTakeItemId::for_key(self.take().await, &self.shop.key(number))
    }

    async fn count(&self, number: usize, quantity: &str) {
        let (take, item) = (self.take().await, self.item(number).await);
        let request = CountRequest::set(q(quantity));
        let takes = self.shop.stocktake.stock_takes();
        takes
            .count(&self.manager(), take, item, request)
            .await
            .unwrap();
    }

    async fn record(&self, movements: &[NewMovement]) -> StockEventId {
        let stock = self.shop.stocktake.stock();
        let (manager, site) = (self.manager(), self.shop.site.id);
        stock.record(&manager, site, movements).await.unwrap()[0].id
    }

    async fn put_product(&self, product: Product) {
        let catalogue = self.shop.stocktake.catalogue();
        catalogue
            .put_products(&self.manager(), vec![product])
            .await
            .unwrap();
    }

    async fn takes(&self) -> Vec<StockTake> {
        let states = StockTakeState::ALL.iter().copied().collect();
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let (filter, page) = (StockTakeFilter { states }, PageRequest::first(MAX_PAGE));
        let takes = self.store.stock_takes(organisation, site, &filter, &page);
        let takes = takes.await.unwrap().items.into_iter();
        takes.map(|take| take.value).collect()
    }

    async fn ledger(&self) -> Vec<LedgerEntry> {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let ledger = self.store.ledger(organisation, site, 0, u32::MAX);
        ledger.await.unwrap()
    }

    async fn event(&self, kind: StockEventKind) -> StockEventId {
        let ledger = self.ledger().await;
        let event = ledger.iter().find(|entry| entry.event.kind == kind);
        event.unwrap().event.id
    }

    async fn state(&self) -> State {
        let (organisation, site) = (self.shop.site.organisation, self.shop.site.id);
        let takes = self.takes().await;
        let (filter, page) = (
            LevelFilter {
                with_delisted: true,
                ..LevelFilter::default()
            },
            PageRequest::first(MAX_PAGE),
        );
        let levels = self.store.levels_page(organisation, site, &filter, &page);
        let levels = levels.await.unwrap().items.into_iter();
        let ids: Vec<_> = self
            .shop
            .products
            .iter()
            .map(|product| product.id)
            .collect();
        let products = self.store.products(organisation, &ids).await.unwrap();
        let mut totals = Vec::new();
        for take in &takes {
            let all = StockTakeItemFilter::default();
            let of_take = self.store.stock_take_totals(organisation, take.id(), &all);
            totals.push(of_take.await.unwrap());
        }
        let supplier = self.store.supplier(organisation, self.shop.supplier.id);
        let site = self.store.site(organisation, site);
        State {
            ledger: self.ledger().await,
            levels: levels.map(|level| level.value).collect(),
            takes,
            totals,
            products: products
                .into_iter()
                .map(|read| read.map(|read| Product::clone(&read.value)))
                .collect(),
            site: site.await.unwrap().map(|read| read.value),
            supplier: supplier.await.unwrap().map(|read| read.value),
        }
    }

    /// A request that is refused with a code, and changes nothing.
    async fn refuses<T: Debug>(&self, code: &str, request: impl Future<Output = Result<T, Error>>) {
        let before = self.state().await;
        let error = request.await.expect_err(code);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.kind().status() < 500 && !error.is_retryable() || code == "conflict");
        assert_eq!(self.state().await, before, "{code} changed something");
    }

    async fn refuses_to_record(&self, code: &str, movement: impl Into<NewMovement>) {
        let (movement, stock) = (movement.into(), self.shop.stocktake.stock());
        let (manager, site) = (self.manager(), self.shop.site.id);
        self.refuses(
            code,
            stock.record(&manager, site, std::slice::from_ref(&movement)),
        )
        .await;
        // Nor does a batch in which it stands last.
        let batch = [self.shop.receipt(9, q("1")), movement];
        self.refuses(code, stock.record(&manager, site, &batch))
            .await;
    }
}

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn code(text: &str) -> Code {
    text.parse().unwrap()
}

fn issue(key: StockKey, quantity: &str) -> NewMovement {
    Movement::Issue {
        key,
        quantity: q(quantity),
    }
    .into()
}

fn new_take(site: SiteId) -> NewStockTake {
    NewStockTake {
        site,
        description: "Quarterly".parse().unwrap(),
        movement_policy: MovementPolicy::KeepMovements,
    }
}

fn new_list(site: SiteId) -> NewStockTakeList {
    NewStockTakeList {
        site,
        name: "Annual".parse().unwrap(),
        description: None,
        due_at: None,
        annual: false,
        movement_policy: MovementPolicy::KeepMovements,
    }
}

fn details(description: &str) -> StockTakeDetails {
    StockTakeDetails {
        name: None,
        description: Some(description.parse().unwrap()),
        due_at: None,
        annual: false,
        movement_policy: MovementPolicy::KeepMovements,
    }
}

/// An id that nothing has.
fn nothing() -> Uuid {
    Uuid::from_u128(0xDEAD)
}

fn text_code<const MAX: usize>(text: &str) -> Result<(), &'static str> {
    let text = stocktake::domain::Text::<MAX>::new(text);
    text.map(drop)
        .map_err(|error| Error::text("text", error).code())
}

#[test]
fn texts_are_bounded_in_characters() {
    for letter in ["a", "\u{e9}", "\u{1F4E6}", "\u{4E2D}"] {
        assert_eq!(text_code::<255>(&letter.repeat(255)), Ok(()));
        assert_eq!(text_code::<255>(&letter.repeat(256)), Err("text_too_long"));
        assert_eq!(text_code::<128>(&letter.repeat(128)), Ok(()));
        assert_eq!(text_code::<128>(&letter.repeat(129)), Err("text_too_long"));
        assert_eq!(text_code::<2000>(&letter.repeat(2000)), Ok(()));
        assert_eq!(
            text_code::<2000>(&letter.repeat(2001)),
            Err("text_too_long")
        );
    }
    for empty in ["", " ", "\t", "\n\n", "\u{a0}", "\u{3000} "] {
        assert_eq!(text_code::<255>(empty), Err("empty_text"), "{empty:?}");
        assert_eq!(text_code::<2000>(empty), Err("empty_text"), "{empty:?}");
    }
    for control in [
        "a\0",
        "a\u{7}b",
        "a\u{85}",
        "\u{202E}a",
        "a\u{2066}",
        "a\u{7f}",
    ] {
        assert_eq!(
            text_code::<255>(control),
            Err("control_character"),
            "{control:?}"
        );
        assert_eq!(
            text_code::<2000>(control),
            Err("control_character"),
            "{control:?}"
        );
    }
    assert_eq!(text_code::<255>("two\nlines"), Err("control_character"));
    assert_eq!(text_code::<2000>("two\r\nlines\tand a tab"), Ok(()));
    assert!(Label::new("\u{1F469}\u{200D}\u{1F52C} \u{0661}").is_ok());
    assert!(Note::new("x").is_ok());
    assert!(SearchText::new(" ").is_err());
    assert!(SearchText::new(&"x".repeat(129)).is_err());
}

#[test]
fn numbers_are_plain_decimals() {
    let syntax = [
        "",
        "-",
        ".",
        "-.",
        "1e5",
        "1E5",
        "1e-1",
        "1_000",
        ".5",
        "5.",
        "-.5",
        "+1",
        "--1",
        "NaN",
        "nan",
        "inf",
        "-inf",
        "Infinity",
        "1,5",
        "1'000",
        " 1",
        "1 ",
        "0x10",
        "1.5.2",
        "1.-5",
        "1.+5",
        "\u{0661}",
        "\u{ff11}",
        "\u{2212}1",
        "1\0",
        "one",
        "1.5f",
        "1/2",
        "1%",
    ];
    let precise = ["0.0000001", "1.0000000", "-0.0000001", "0.1234567890123"];
    let range = [
        "1000000000000.000001",
        "1000000000001",
        "-1000000000000.000001",
        "9999999999999",
        "10000000000000",
        "99999999999999999999999999999999",
    ];
    for (texts, code) in [
        (&syntax[..], "not_a_number"),
        (&precise, "too_precise"),
        (&range, "out_of_range"),
    ] {
        for text in texts {
            let quantity = text
                .parse::<Quantity>()
                .map_err(|error| Error::from(error).code());
            assert_eq!(quantity, Err(code), "{text:?}");
            let cost = text
                .parse::<UnitCost>()
                .map_err(|error| Error::from(error).code());
            assert_eq!(cost, Err(code), "{text:?}");
        }
    }
    assert_eq!(
        "-0.000001"
            .parse::<UnitCost>()
            .map_err(|error| Error::from(error).code()),
        Err("out_of_range")
    );
    for good in [
        "0",
        "-0",
        "007",
        "1000000000000",
        "-1000000000000",
        "0.000001",
        "1.500000",
    ] {
        assert!(good.parse::<Quantity>().is_ok(), "{good}");
    }
    assert_eq!(q("-0"), Quantity::ZERO);
    assert_eq!(q("1.500000").to_string(), "1.5");
}

#[test]
fn idempotency_keys_are_visible_ascii() {
    let long = "k".repeat(256);
    for bad in [
        "",
        " ",
        "two words",
        "a\tb",
        "a\n",
        "\u{e9}",
        "\u{1F511}",
        "a\0",
        "a\u{7f}",
        &long,
    ] {
        let error = Error::from(IdempotencyKey::new(bad).expect_err(bad));
        assert_eq!(
            (error.code(), error.kind()),
            ("invalid_idempotency_key", ErrorKind::Invalid)
        );
    }
    assert!(IdempotencyKey::new(&long[1..]).is_ok());
    assert!(IdempotencyKey::new("!~/\"'%00").is_ok());
}

#[tokio::test]
async fn a_description_of_255_characters_comes_back() {
    let world = World::open().await;
    let takes = world.shop.stocktake.stock_takes();
    let mut new = new_take(world.shop.site.id);
    new.description = "\u{1F4E6}".repeat(255).parse().unwrap();
    let take = takes.create(&world.manager(), new.clone()).await.unwrap();
    let read = takes.get(&world.manager(), take.id()).await.unwrap();
    assert_eq!(read.take.details().description, Some(new.description));
}

#[tokio::test]
async fn counts_are_zero_or_more() {
    let world = World::counted().await;
    let (take, item, takes, manager) = (
        world.take().await,
        world.item(0).await,
        world.shop.stocktake.stock_takes(),
        world.manager(),
    );
    let count = |request| takes.count(&manager, take, item, request);
    world
        .refuses("negative_count", count(CountRequest::set(q("-0.000001"))))
        .await;
    world
        .refuses(
            "negative_count",
            count(CountRequest::set(q("-1000000000000"))),
        )
        .await;
    world
        .refuses("negative_count", count(CountRequest::add(q("-38.000001"))))
        .await;
    world
        .refuses("out_of_range", count(CountRequest::add(Quantity::MAX)))
        .await;
    world
        .refuses(
            "conflict",
            count(CountRequest {
                if_version: Some(Version::FIRST),
                ..CountRequest::clear()
            }),
        )
        .await;
    // These are counts.
    for (request, becomes) in [
        (CountRequest::add(q("-38")), "0"),
        (CountRequest::set(q("-0")), "0"),
        (CountRequest::set(q("1000000000000")), "1000000000000"),
        (CountRequest::set(q("0.000001")), "0.000001"),
    ] {
        let item = count(request).await.unwrap();
        assert_eq!(item.count.unwrap().quantity, q(becomes));
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let world = World::counted().await;
    let (takes, stock, catalogue) = (
        world.shop.stocktake.stock_takes(),
        world.shop.stocktake.stock(),
        world.shop.stocktake.catalogue(),
    );
    let (manager, take, item) = (world.manager(), world.take().await, world.item(0).await);
    let (no_take, no_item) = (StockTakeId::new(nothing()), StockTakeItemId::new(nothing()));
    let no_key = StockKey::plain(world.shop.site.id, ProductId::new(nothing()));
    let options = PostingOptions::default();
    let request = || CountRequest::set(q("1"));
    world
        .refuses("not_found", takes.get(&manager, no_take))
        .await;
    world
        .refuses("not_found", takes.count(&manager, no_take, item, request()))
        .await;
    world
        .refuses("not_found", takes.count(&manager, take, no_item, request()))
        .await;
    world
        .refuses("not_found", takes.item(&manager, take, no_item))
        .await;
    world
        .refuses("not_found", takes.delete_item(&manager, take, no_item))
        .await;
    world
        .refuses("not_found", takes.submit(&manager, no_take, options))
        .await;
    world
        .refuses("not_found", takes.add_found(&manager, take, &no_key))
        .await;
    world
        .refuses(
            "not_found",
            takes.create(&manager, new_take(SiteId::new(nothing()))),
        )
        .await;
    world
        .refuses(
            "not_found",
            takes.article(&manager, take, ArticleName::of(code("SKU-99"))),
        )
        .await;
    let by_article = InventoryRequest {
        article: ArticleName::of(code("SKU-99")),
        entered: Entered::Add(q("1")),
        counted_at: None,
    };
    world
        .refuses("not_found", takes.inventory(&manager, take, by_article))
        .await;
    world
        .refuses("not_found", stock.level(&manager, &no_key))
        .await;
    world
        .refuses("not_found", stock.set_reserved(&manager, &no_key, q("1")))
        .await;
    world
        .refuses("not_found", catalogue.product(&manager, no_key.product))
        .await;
    world
        .refuses(
            "not_found",
            catalogue.product_by_article(&manager, &code("SKU-99")),
        )
        .await;
    world
        .refuses(
            "not_found",
            catalogue.supplier(&manager, SupplierId::new(nothing())),
        )
        .await;
    world
        .refuses(
            "not_found",
            catalogue.site_by_external_id(&manager, &code("store-99")),
        )
        .await;
    world
        .refuses(
            "not_found",
            world.shop.stocktake.job(&manager, JobId::new(nothing())),
        )
        .await;
    world
        .refuses(
            "not_found",
            world
                .shop
                .stocktake
                .requeue_job(&manager, JobId::new(nothing())),
        )
        .await;
    // A line is found only under its own take.
    let other = takes
        .create_list(&manager, new_list(world.shop.site.id))
        .await
        .unwrap()
        .id();
    world
        .refuses("not_found", takes.count(&manager, other, item, request()))
        .await;
    world
        .refuses("not_found", takes.item(&manager, other, item))
        .await;
    world
        .refuses("not_found", takes.delete_item(&manager, other, item))
        .await;
    world
        .refuses("not_found", takes.dismiss(&manager, other, item))
        .await;
}

#[tokio::test]
async fn what_was_removed_is_not_found() {
    let world = World::finished().await;
    let (takes, manager) = (world.shop.stocktake.stock_takes(), world.manager());
    let (take, item) = (world.take().await, world.item(0).await);
    takes.remove(&manager, take).await.unwrap();
    let options = PostingOptions::default();
    world.refuses("not_found", takes.get(&manager, take)).await;
    world
        .refuses("not_found", takes.remove(&manager, take))
        .await;
    world.refuses("not_found", takes.copy(&manager, take)).await;
    world
        .refuses("not_found", takes.reopen(&manager, take, None))
        .await;
    world
        .refuses("not_found", takes.submit(&manager, take, options))
        .await;
    world
        .refuses("not_found", takes.post_left_over(&manager, take))
        .await;
    world
        .refuses("not_found", takes.update(&manager, take, details("x")))
        .await;
    world
        .refuses(
            "not_found",
            takes.count(&manager, take, item, CountRequest::clear()),
        )
        .await;
    world
        .refuses("not_found", takes.delete_item(&manager, take, item))
        .await;
    world
        .refuses("not_found", takes.item(&manager, take, item))
        .await;
    // Who counted what is told for ever.
    let entries = takes.count_entries(&manager, take, item).await;
    assert_eq!(entries.unwrap().len(), 1);
}

/// Tries all that a state refuses, and that what it allows is not among it.
async fn refused_by_state(world: &World, allowed: &[&str]) {
    let (takes, manager) = (world.shop.stocktake.stock_takes(), world.manager());
    let (take, item) = (world.take().await, world.item(0).await);
    let options = PostingOptions::default();
    let found = world.shop.key(0).at(code("B-1"));
    let inventory = || InventoryRequest {
        article: ArticleName::of(code("SKU-0")),
        entered: Entered::Add(q("1")),
        counted_at: None,
    };
    let refuses = |name: &str| !allowed.contains(&name);
    if refuses("count") {
        world
            .refuses(
                "invalid_state",
                takes.count(&manager, take, item, CountRequest::set(q("1"))),
            )
            .await;
        world
            .refuses(
                "invalid_state",
                takes.count(&manager, take, item, CountRequest::clear()),
            )
            .await;
        world
            .refuses(
                "invalid_state",
                takes.inventory(&manager, take, inventory()),
            )
            .await;
        world
            .refuses("invalid_state", takes.add_found(&manager, take, &found))
            .await;
        world
            .refuses("invalid_state", takes.delete_item(&manager, take, item))
            .await;
    }
    if refuses("edit") {
        world
            .refuses(
                "invalid_state",
                takes.add_articles(&manager, take, &[code("SKU-1")]),
            )
            .await;
        world
            .refuses("invalid_state", takes.add_all_articles(&manager, take))
            .await;
        world
            .refuses(
                "invalid_state",
                takes.add_stock_place(&manager, take, code("A-1")),
            )
            .await;
        world
            .refuses(
                "invalid_state",
                takes.remove_article(&manager, take, code("SKU-0")),
            )
            .await;
        world
            .refuses(
                "invalid_state",
                takes.remove_stock_place(&manager, take, code("A-1")),
            )
            .await;
        world
            .refuses("invalid_state", takes.start(&manager, take))
            .await;
    }
    if refuses("update") {
        world
            .refuses(
                "invalid_state",
                takes.update(&manager, take, details("Other")),
            )
            .await;
    }
    if refuses("post") {
        world
            .refuses("invalid_state", takes.post(&manager, take, options))
            .await;
        world
            .refuses("invalid_state", takes.submit(&manager, take, options))
            .await;
    }
    if refuses("remove") {
        world
            .refuses("invalid_state", takes.remove(&manager, take))
            .await;
    }
    if refuses("reopen") {
        world
            .refuses("invalid_state", takes.reopen(&manager, take, None))
            .await;
        world
            .refuses("invalid_state", takes.post_left_over(&manager, take))
            .await;
        world
            .refuses("invalid_state", takes.dismiss(&manager, take, item))
            .await;
    }
}

#[tokio::test]
async fn a_new_take_is_not_counted_or_posted() {
    refused_by_state(&World::listed().await, &["edit", "update", "remove"]).await;
}

#[tokio::test]
async fn a_take_that_is_counted_is_not_put_together_or_reopened() {
    let world = World::counted().await;
    refused_by_state(&world, &["count", "update", "post", "remove"]).await;
}

#[tokio::test]
async fn a_take_that_is_posting_is_locked() {
    refused_by_state(&World::posting().await, &[]).await;
}

#[tokio::test]
async fn a_finished_take_is_removed_or_reopened_and_nothing_else() {
    refused_by_state(&World::finished().await, &["remove", "reopen"]).await;
    refused_by_state(&World::left_over().await, &["remove", "reopen"]).await;
}

#[tokio::test]
async fn what_is_not_there_to_be_started_or_left_over() {
    let world = World::open().await;
    let (takes, manager) = (world.shop.stocktake.stock_takes(), world.manager());
    let list = takes
        .create_list(&manager, new_list(world.shop.site.id))
        .await
        .unwrap()
        .id();
    world.refuses("no_lines", takes.start(&manager, list)).await;
    world
        .refuses(
            "not_found",
            takes.remove_article(&manager, list, code("SKU-0")),
        )
        .await;
    world
        .refuses(
            "not_found",
            takes.remove_stock_place(&manager, list, code("A-1")),
        )
        .await;

    let world = World::finished().await;
    let (takes, take, item) = (
        world.shop.stocktake.stock_takes(),
        world.take().await,
        world.item(0).await,
    );
    world
        .refuses(
            "nothing_left_over",
            takes.post_left_over(&world.manager(), take),
        )
        .await;
    world
        .refuses(
            "nothing_left_over",
            takes.dismiss(&world.manager(), take, item),
        )
        .await;
    let world = World::left_over().await;
    let (takes, take, item) = (
        world.shop.stocktake.stock_takes(),
        world.take().await,
        world.item(0).await,
    );
    world
        .refuses("not_found", takes.dismiss(&world.manager(), take, item))
        .await;
}

#[tokio::test]
async fn lines_are_not_asked_for_twice_at_once() {
    let world = World::open().await;
    let (takes, manager) = (world.shop.stocktake.stock_takes(), world.manager());
    takes
        .create(&manager, new_take(world.shop.site.id))
        .await
        .unwrap();
    let take = world.take().await;
    // A take that is counted is not put together, whether its lines are on their way or not.
    world
        .refuses("invalid_state", takes.add_all_articles(&manager, take))
        .await;
}

#[tokio::test]
async fn articles_are_known_and_stocked() {
    let world = World::listed().await;
    let (takes, manager, take) = (
        world.shop.stocktake.stock_takes(),
        world.manager(),
        world.take().await,
    );
    let add = |articles: &[&str]| {
        let articles: Vec<Code> = articles.iter().map(|article| code(article)).collect();
        let manager = world.manager();
        async move { takes.add_articles(&manager, take, &articles).await }
    };
    world
        .refuses("unknown_article", add(&["SKU-1", "SKU-98", "SKU-99"]))
        .await;
    let mut product = world.shop.products[3].clone();
    (product.id, product.article_id) = (ProductId::new(nothing()), code("SKU-X"));
    world.put_product(product).await;
    world.refuses("not_stocked", add(&["SKU-1", "SKU-X"])).await;
    let many: Vec<Code> = (0..1_001)
        .map(|number| code(&format!("SKU-{number}")))
        .collect();
    world
        .refuses("too_large", takes.add_articles(&manager, take, &many))
        .await;
    let elsewhere = StockKey {
        site: SiteId::new(nothing()),
        ..world.shop.key(1)
    };
    let world = World::counted().await;
    let (takes, take) = (world.shop.stocktake.stock_takes(), world.take().await);
    world
        .refuses("another_site", takes.add_found(&manager, take, &elsewhere))
        .await;
    // The same article at two places, and nobody says which.
    takes
        .add_found(&manager, take, &world.shop.key(1).at(code("A-1")))
        .await
        .unwrap();
    let request = InventoryRequest {
        article: ArticleName::of(code("SKU-1")),
        entered: Entered::Set(q("1")),
        counted_at: None,
    };
    world
        .refuses(
            "ambiguous_article",
            takes.inventory(&manager, take, request),
        )
        .await;
}

#[tokio::test]
async fn movements_that_are_none() {
    let world = World::open().await;
    let (key, other) = (world.shop.key(0), world.shop.key(0).at(code("A-1")));
    let receipt = |quantity| Movement::Receipt {
        key: key.clone(),
        quantity,
        unit_cost: None,
    };
    let transfer = |to: &StockKey, quantity| Movement::Transfer {
        from: key.clone(),
        to: to.clone(),
        quantity,
    };
    let of = world.event(StockEventKind::Receipt).await;
    for quantity in [Quantity::ZERO, q("-1"), q("-0.000001")] {
        world
            .refuses_to_record("invalid_quantity", receipt(quantity))
            .await;
        world
            .refuses_to_record(
                "invalid_quantity",
                Movement::Issue {
                    key: key.clone(),
                    quantity,
                },
            )
            .await;
        world
            .refuses_to_record("invalid_quantity", transfer(&other, quantity))
            .await;
        world
            .refuses_to_record(
                "invalid_quantity",
                Movement::SupplierReturn {
                    key: key.clone(),
                    quantity,
                    receipt: None,
                },
            )
            .await;
        world
            .refuses_to_record(
                "invalid_quantity",
                Movement::CustomerReturn {
                    key: key.clone(),
                    quantity,
                    of,
                },
            )
            .await;
    }
    world
        .refuses_to_record("same_key", transfer(&key, q("1")))
        .await;
    world
        .refuses_to_record(
            "zero_quantity",
            Movement::Adjust {
                key: key.clone(),
                change: Quantity::ZERO,
                unit_cost: None,
            },
        )
        .await;
    let reset = |key: &StockKey, quantity| Movement::Reset {
        key: key.clone(),
        quantity,
        unit_cost: None,
        expected: None,
    };
    world
        .refuses_to_record("negative_quantity", reset(&key, q("-1")))
        .await;
    let now = world.shop.now();
    world
        .refuses_to_record(
            "time_not_allowed",
            NewMovement::from(reset(&key, q("1"))).at(now),
        )
        .await;
    world
        .refuses_to_record(
            "time_not_allowed",
            NewMovement::from(Movement::Remove { key: key.clone() }).at(now),
        )
        .await;
    world
        .refuses_to_record(
            "time_not_allowed",
            NewMovement::from(Movement::Reversal { of }).at(now),
        )
        .await;
    world
        .refuses_to_record("out_of_range", receipt(Quantity::MAX))
        .await;
    world
        .refuses_to_record("not_found", Movement::Remove { key: other.clone() })
        .await;
    let negative = world.shop.stocktake.stock();
    world
        .refuses(
            "negative_quantity",
            negative.set_reserved(&world.manager(), &key, q("-1")),
        )
        .await;
    world
        .refuses(
            "not_found",
            negative.set_reserved(&world.manager(), &other, q("1")),
        )
        .await;
    let too_many = vec![issue(key.clone(), "0.001"); 10_001];
    world
        .refuses(
            "too_large",
            negative.record(&world.manager(), world.shop.site.id, &too_many),
        )
        .await;
    world
        .refuses(
            "nothing_asked",
            negative.record(&world.manager(), world.shop.site.id, &[]),
        )
        .await;
}

#[tokio::test]
async fn stock_does_not_fall_below_zero() {
    let world = World::open().await;
    let (key, other) = (world.shop.key(0), world.shop.key(0).at(code("A-1")));
    let short = "insufficient_stock";
    world
        .refuses_to_record(short, issue(key.clone(), "40.000001"))
        .await;
    world
        .refuses_to_record(short, issue(other.clone(), "0.000001"))
        .await;
    world
        .refuses_to_record(
            short,
            Movement::Transfer {
                from: key.clone(),
                to: other.clone(),
                quantity: q("41"),
            },
        )
        .await;
    world
        .refuses_to_record(
            short,
            Movement::Adjust {
                key: key.clone(),
                change: q("-41"),
                unit_cost: None,
            },
        )
        .await;
    world
        .refuses_to_record(
            short,
            Movement::SupplierReturn {
                key: key.clone(),
                quantity: q("41"),
                receipt: None,
            },
        )
        .await;
    // Each alone would do, together they are too many.
    let both = [issue(key.clone(), "30"), issue(key.clone(), "11")];
    let stock = world.shop.stocktake.stock();
    world
        .refuses(
            short,
            stock.record(&world.manager(), world.shop.site.id, &both),
        )
        .await;
    // What came in and was used can't be taken back.
    let of = world.event(StockEventKind::Receipt).await;
    world.record(&[issue(key, "1")]).await;
    world
        .refuses_to_record(short, Movement::Reversal { of })
        .await;
}

#[tokio::test]
async fn keys_that_hold_no_stock() {
    let world = World::open().await;
    let site = world.shop.site.id;
    let receipt = |key: StockKey, quantity: &str| Movement::Receipt {
        key,
        quantity: q(quantity),
        unit_cost: None,
    };
    let unknown = StockKey::plain(site, ProductId::new(nothing()));
    world
        .refuses_to_record("not_found", receipt(unknown, "1"))
        .await;
    let elsewhere = StockKey {
        site: SiteId::new(nothing()),
        ..world.shop.key(0)
    };
    world
        .refuses_to_record("another_site", receipt(elsewhere.clone(), "1"))
        .await;
    world
        .refuses_to_record(
            "another_site",
            Movement::Transfer {
                from: world.shop.key(0),
                to: elsewhere,
                quantity: q("1"),
            },
        )
        .await;

    let product = |number: usize, tracking, is_stock| Product {
        tracking,
        is_stock,
        ..world.shop.products[number].clone()
    };
    world.put_product(product(1, Tracking::Batch, true)).await;
    world.put_product(product(2, Tracking::Serial, true)).await;
    world.put_product(product(3, Tracking::None, false)).await;
    let mut free = product(4, Tracking::None, true);
    free.unit_costs = UnitCosts::default();
    world.put_product(free).await;
    world
        .refuses_to_record("batch_required", receipt(world.shop.key(1), "1"))
        .await;
    world
        .refuses_to_record(
            "batch_required",
            receipt(world.shop.key(1).with_serial(code("S")), "1"),
        )
        .await;
    world
        .refuses_to_record("serial_required", receipt(world.shop.key(2), "1"))
        .await;
    world
        .refuses_to_record("not_stocked", receipt(world.shop.key(3), "1"))
        .await;
    let serial = world.shop.key(2).with_serial(code("S-1"));
    world
        .refuses_to_record("serial_conflict", receipt(serial.clone(), "2"))
        .await;
    world
        .refuses_to_record("serial_conflict", receipt(serial.clone(), "0.5"))
        .await;
    // The goods of its other keys would tell what one costs.
    let key = world.shop.key(4);
    world.record(&[Movement::Remove { key }.into()]).await;
    world
        .refuses_to_record(
            "cost_unknown",
            receipt(world.shop.key(4).at(code("A-1")), "1"),
        )
        .await;
    world.record(&[receipt(serial.clone(), "1").into()]).await;
    world
        .refuses_to_record("serial_conflict", receipt(serial.clone(), "1"))
        .await;

    // Nor are they found or counted, unless something is there.
    let unseen = |number: usize| world.shop.key(number).at(code("A-9"));
    let takes = world.shop.stocktake.stock_takes();
    let take = takes
        .create(&world.manager(), new_take(site))
        .await
        .unwrap()
        .id();
    world
        .refuses(
            "batch_required",
            takes.add_found(&world.manager(), take, &unseen(1)),
        )
        .await;
    world
        .refuses(
            "serial_required",
            takes.add_found(&world.manager(), take, &unseen(2)),
        )
        .await;
    world
        .refuses(
            "not_stocked",
            takes.add_found(&world.manager(), take, &unseen(3)),
        )
        .await;
    let item = takes
        .add_found(&world.manager(), take, &serial)
        .await
        .unwrap();
    for (quantity, add) in [("2", false), ("0.5", false), ("1", true)] {
        let request = if add {
            CountRequest::add(q(quantity))
        } else {
            CountRequest::set(q(quantity))
        };
        if add {
            takes
                .count(&world.manager(), take, item, CountRequest::set(q("1")))
                .await
                .unwrap();
        }
        world
            .refuses(
                "serial_conflict",
                takes.count(&world.manager(), take, item, request),
            )
            .await;
    }
}

#[tokio::test]
async fn times_that_are_closed_or_to_come() {
    let world = World::open().await;
    let now = world.shop.now();
    let sale = || issue(world.shop.key(0), "1");
    world
        .refuses_to_record(
            "future_dated",
            sale().at(now.later_by(5 * 60 * 1_000_000 + 1)),
        )
        .await;
    let mut site = world.shop.site.clone();
    site.policy.closed_until = Some(now.later_by(-60_000_000));
    let catalogue = world.shop.stocktake.catalogue();
    catalogue.put_site(&world.manager(), site).await.unwrap();
    world
        .refuses_to_record("period_closed", sale().at(now.later_by(-60_000_001)))
        .await;
    world
        .refuses_to_record("period_closed", sale().at(Timestamp::EPOCH))
        .await;
    // These are open.
    world
        .record(&[
            sale().at(now.later_by(-60_000_000)),
            sale().at(now.later_by(5 * 60 * 1_000_000)),
        ])
        .await;
}

#[tokio::test]
async fn what_can_not_be_taken_back_or_returned() {
    let world = World::finished().await;
    let (key, other) = (world.shop.key(1), world.shop.key(1).at(code("A-1")));
    let posted = world.event(StockEventKind::CountVariance).await;
    world
        .refuses_to_record("posted_by_document", Movement::Reversal { of: posted })
        .await;
    world
        .refuses_to_record(
            "not_found",
            Movement::Reversal {
                of: StockEventId::new(nothing()),
            },
        )
        .await;

    let sale = world.record(&[issue(key.clone(), "5")]).await;
    let back = |key: &StockKey, quantity: &str, of| Movement::CustomerReturn {
        key: key.clone(),
        quantity: q(quantity),
        of,
    };
    world
        .refuses_to_record("more_than_left", back(&key, "5.000001", sale))
        .await;
    world
        .refuses_to_record("not_an_issue", back(&world.shop.key(2), "1", sale))
        .await;
    let receipt = world.event(StockEventKind::Receipt).await;
    world
        .refuses_to_record("not_an_issue", back(&world.shop.key(0), "1", receipt))
        .await;
    world
        .refuses_to_record("not_found", back(&key, "1", StockEventId::new(nothing())))
        .await;

    let reversal = world
        .record(&[Movement::Reversal { of: sale }.into()])
        .await;
    world
        .refuses_to_record("already_reversed", Movement::Reversal { of: sale })
        .await;
    world
        .refuses_to_record("not_reversible", Movement::Reversal { of: reversal })
        .await;
    let out = world
        .record(&[Movement::Transfer {
            from: key.clone(),
            to: other,
            quantity: q("3"),
        }
        .into()])
        .await;
    let into = world.event(StockEventKind::TransferIn).await;
    world
        .refuses_to_record("not_reversible", Movement::Reversal { of: into })
        .await;
    world.record(&[Movement::Reversal { of: out }.into()]).await;
    world
        .refuses_to_record("already_reversed", Movement::Reversal { of: out })
        .await;
    // Twice in one batch.
    let sale = world.record(&[issue(key, "5")]).await;
    let twice = [
        Movement::Reversal { of: sale }.into(),
        Movement::Reversal { of: sale }.into(),
    ];
    let stock = world.shop.stocktake.stock();
    world
        .refuses(
            "already_reversed",
            stock.record(&world.manager(), world.shop.site.id, &twice),
        )
        .await;
}

#[tokio::test]
async fn no_more_comes_back_than_left() {
    let world = World::open().await;
    let (key, stock) = (world.shop.key(1), world.shop.stocktake.stock());
    let of = world.record(&[issue(key.clone(), "5")]).await;
    let back = |quantity: &str| Movement::CustomerReturn {
        key: key.clone(),
        quantity: q(quantity),
        of,
    };
    // Twice three of five.
    let twice = [back("3").into(), back("3").into()];
    world
        .refuses(
            "more_than_left",
            stock.record(&world.manager(), world.shop.site.id, &twice),
        )
        .await;
    world.record(&[back("3").into()]).await;
    world
        .refuses_to_record("more_than_left", back("2.000001"))
        .await;
    world.record(&[back("2").into()]).await;
    world
        .refuses_to_record("more_than_left", back("0.000001"))
        .await;
}

#[tokio::test]
async fn what_was_taken_back_does_not_come_back_again() {
    let world = World::open().await;
    let key = world.shop.key(1);
    let of = world.record(&[issue(key.clone(), "5")]).await;
    world.record(&[Movement::Reversal { of }.into()]).await;
    // The sale never was: nobody can return what it sold.
    world
        .refuses_to_record(
            "more_than_left",
            Movement::CustomerReturn {
                key,
                quantity: q("5"),
                of,
            },
        )
        .await;
}

#[tokio::test]
async fn what_came_back_is_not_taken_back_again() {
    let world = World::open().await;
    let key = world.shop.key(1);
    let of = world.record(&[issue(key.clone(), "5")]).await;
    let back = Movement::CustomerReturn {
        key: key.clone(),
        quantity: q("5"),
        of,
    };
    world.record(&[back.into()]).await;
    let stock = world.shop.stocktake.stock();
    let reversal = [Movement::Reversal { of }.into()];
    let taken_back = stock
        .record(&world.manager(), world.shop.site.id, &reversal)
        .await;
    assert!(
        taken_back.is_err(),
        "five left, and ten are back: {taken_back:?}"
    );
}

#[tokio::test]
async fn an_expectation_that_fails() {
    let world = World::open().await;
    let key = world.shop.key(0);
    let reset = |expected: &str| Movement::Reset {
        key: key.clone(),
        quantity: q("7"),
        unit_cost: None,
        expected: Some(q(expected)),
    };
    world
        .refuses_to_record("expectation_failed", reset("39.999999"))
        .await;
    world
        .refuses_to_record("expectation_failed", reset("0"))
        .await;
    world.record(&[reset("40").into()]).await;
    world
        .refuses_to_record("expectation_failed", reset("40"))
        .await;
}

#[tokio::test]
async fn a_posting_that_is_refused_posts_nothing() {
    let world = World::counted().await;
    world.count(1, "1").await;
    world.record(&[issue(world.shop.key(1), "39")]).await;
    let (takes, take, before) = (
        world.shop.stocktake.stock_takes(),
        world.take().await,
        world.ledger().await,
    );
    let refused = takes
        .submit(&world.manager(), take, PostingOptions::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "lines_refused");
    let Error::Refused(refusal) = refused else {
        panic!("{refused}")
    };
    assert_eq!(refusal.total, 1);
    assert_eq!(refusal.lines[0].problem.code(), "would_go_negative");
    assert_eq!(world.ledger().await, before);
    assert_eq!(world.takes().await[0].state(), StockTakeState::Ongoing);
}

#[tokio::test]
async fn a_catalogue_that_contradicts_itself() {
    let world = World::open().await;
    let (catalogue, manager) = (world.shop.stocktake.catalogue(), world.manager());
    let mut site = world.shop.site.clone();
    site.currency = "eur".parse().unwrap();
    world
        .refuses("currency_changed", catalogue.put_site(&manager, site))
        .await;
    let mut product = world.shop.products[0].clone();
    product.article_id = code("SKU-1");
    world
        .refuses("taken", catalogue.put_products(&manager, vec![product]))
        .await;
    let mut product = world.shop.products[0].clone();
    product.organisation = world.shop.stranger.organisation;
    world
        .refuses("not_found", catalogue.put_products(&manager, vec![product]))
        .await;
    let everywhere = Actor {
        sites: SiteAccess::All,
        ..world.shop.manager.clone()
    };
    let mut site = world.shop.site.clone();
    site.id = SiteId::new(nothing());
    world
        .refuses("taken", catalogue.put_site(&Caller::of(&everywhere), site))
        .await;
}

#[tokio::test]
async fn a_supplier_of_a_site_that_one_can_not_see_is_left_alone() {
    let world = World::open().await;
    let catalogue = world.shop.stocktake.catalogue();
    // Gus has a site of his own, and names the id of a supplier of ours.
    let elsewhere = Caller::of(&world.shop.elsewhere);
    let SiteAccess::Only(sites) = &world.shop.elsewhere.sites else {
        panic!()
    };
    let mut site = world.shop.site.clone();
    (site.id, site.external_id) = (*sites.first().unwrap(), code("store-2"));
    catalogue.put_site(&elsewhere, site.clone()).await.unwrap();
    let supplier = Supplier {
        site: site.id,
        ..world.shop.supplier.clone()
    };
    world
        .refuses("not_found", catalogue.put_supplier(&elsewhere, supplier))
        .await;
}

#[tokio::test]
async fn pages_are_bounded_and_cursors_belong_to_their_lists() {
    let world = World::counted().await;
    let (takes, stock, manager) = (
        world.shop.stocktake.stock_takes(),
        world.shop.stocktake.stock(),
        world.manager(),
    );
    let (take, site, sort) = (
        world.take().await,
        world.shop.site.id,
        ArticleSort::default(),
    );
    let all = StockTakeItemFilter::default();
    let items = |page: PageRequest| {
        let (manager, all) = (world.manager(), all.clone());
        async move { takes.items(&manager, take, &all, sort, &page).await }
    };
    for (limit, rows) in [(0, 1), (1, 1), (9, 9), (10, 10), (u32::MAX, 10)] {
        assert_eq!(
            items(PageRequest::first(limit)).await.unwrap().items.len(),
            rows
        );
        let levels = stock
            .levels(&manager, site, None, None, &PageRequest::first(limit))
            .await
            .unwrap();
        assert_eq!(levels.items.len(), rows);
    }
    for page in [
        PageRequest::numbered(u32::MAX, u32::MAX),
        PageRequest::numbered(1, 10),
    ] {
        let page = items(page).await.unwrap();
        assert_eq!(
            (page.items.len(), page.total, page.next),
            (0, Some(10), None)
        );
    }
    for (after, limit, rows) in [
        (0, 0, 1),
        (0, u32::MAX, 10),
        (9, u32::MAX, 1),
        (10, 5, 0),
        (u64::MAX, u32::MAX, 0),
    ] {
        assert_eq!(
            stock
                .ledger(&manager, site, after, limit)
                .await
                .unwrap()
                .len(),
            rows,
            "after {after}"
        );
    }
    // A cursor is good for its own list only.
    let of_items = items(PageRequest::first(1)).await.unwrap().next.unwrap();
    let of_levels = stock
        .levels(&manager, site, None, None, &PageRequest::first(1))
        .await
        .unwrap()
        .next
        .unwrap();
    let list = PageRequest::first(1);
    let of_articles = takes
        .search_articles(&manager, take, &ArticleFilter::default(), sort, &list)
        .await
        .unwrap();
    let of_articles = of_articles.page.next.unwrap();
    let bad = "invalid_cursor";
    let after = |cursor: &Cursor| PageRequest::after(cursor.clone(), 5);
    for foreign in [&of_levels, &of_articles] {
        world.refuses(bad, items(after(foreign))).await;
        world
            .refuses(bad, takes.list(&manager, site, &[], &after(foreign)))
            .await;
    }
    let page = after(&of_items);
    world
        .refuses(bad, stock.levels(&manager, site, None, None, &page))
        .await;
    world
        .refuses(
            bad,
            takes.search_articles(&manager, take, &ArticleFilter::default(), sort, &page),
        )
        .await;
    world
        .refuses(bad, world.shop.stocktake.dead_jobs(&manager, &page))
        .await;
    let filter = StockTakeItemFilter {
        article: Some(code("SKU-1")),
        ..all.clone()
    };
    world
        .refuses(bad, takes.items(&manager, take, &filter, sort, &page))
        .await;
    let descending = ArticleSort {
        column: stocktake::store::ArticleColumn::Name,
        descending: true,
    };
    world
        .refuses(bad, takes.items(&manager, take, &all, descending, &page))
        .await;
    let product = Some(world.shop.products[0].id);
    world
        .refuses(
            bad,
            stock.levels(&manager, site, product, None, &after(&of_levels)),
        )
        .await;
    let other = takes.copy(&manager, take).await.unwrap().id();
    world
        .refuses(bad, takes.items(&manager, other, &all, sort, &page))
        .await;
    // Nor is one that somebody wrote, or altered.
    let genuine = of_items.as_str().to_owned();
    let (digest, mark) = genuine.split_once('.').unwrap();
    for altered in [
        String::new(),
        ".".to_owned(),
        "\u{1F4E6}.\0".to_owned(),
        digest.to_owned(),
        format!("{digest}."),
        format!("{digest}.x"),
        format!("{digest}.99999999999999999999999999.{mark}"),
        format!("{genuine}.1"),
        format!("0{genuine}"),
        "9".repeat(100_000),
    ] {
        let page = PageRequest::after(Cursor::from(altered.clone()), 5);
        world.refuses(bad, items(page)).await;
    }
}

#[tokio::test]
async fn a_key_is_good_for_one_request() {
    let world = World::counted().await;
    let (takes, stock) = (
        world.shop.stocktake.stock_takes(),
        world.shop.stocktake.stock(),
    );
    let (take, item, other, site) = (
        world.take().await,
        world.item(0).await,
        world.item(1).await,
        world.shop.site.id,
    );
    let (caller, reused) = (world.keyed("one"), "idempotency_key_reused");
    let set = |quantity: &str| CountRequest::set(q(quantity));

    takes.count(&caller, take, item, set("3")).await.unwrap();
    world
        .refuses(reused, takes.count(&caller, take, item, set("4")))
        .await;
    world
        .refuses(
            reused,
            takes.count(&caller, take, item, CountRequest::add(q("3"))),
        )
        .await;
    world
        .refuses(
            reused,
            takes.count(&caller, take, item, CountRequest::clear()),
        )
        .await;
    world
        .refuses(reused, takes.count(&caller, take, other, set("3")))
        .await;
    let with_device = CountRequest {
        device: Some(code("d")),
        ..set("3")
    };
    world
        .refuses(reused, takes.count(&caller, take, item, with_device))
        .await;
    let with_version = CountRequest {
        if_version: Some(Version::FIRST),
        ..set("3")
    };
    world
        .refuses(reused, takes.count(&caller, take, item, with_version))
        .await;
    // Somebody else's key is not one's own.
    let somebody_else =
        Caller::of(&world.shop.counter).with_key(IdempotencyKey::new("one").unwrap());
    world
        .refuses(reused, takes.count(&somebody_else, take, item, set("3")))
        .await;

    let sale = [issue(world.shop.key(0), "1")];
    stock.record(&caller, site, &sale).await.unwrap();
    world
        .refuses(
            reused,
            stock.record(&caller, site, &[issue(world.shop.key(0), "2")]),
        )
        .await;
    world
        .refuses(
            reused,
            stock.record(&caller, site, &[issue(world.shop.key(1), "1")]),
        )
        .await;
    world
        .refuses(reused, stock.record(&caller, site, &[]))
        .await;
    world
        .refuses(
            reused,
            stock.record(&caller, site, &[sale[0].clone(), sale[0].clone()]),
        )
        .await;
    let noted = sale[0].clone().because("Because".parse().unwrap());
    world
        .refuses(reused, stock.record(&caller, site, &[noted]))
        .await;
    world
        .refuses(
            reused,
            stock.record(&caller, site, &[sale[0].clone().at(world.shop.now())]),
        )
        .await;

    takes.create(&caller, new_take(site)).await.unwrap();
    let renamed = NewStockTake {
        description: "Other".parse().unwrap(),
        ..new_take(site)
    };
    world.refuses(reused, takes.create(&caller, renamed)).await;
    let policy = NewStockTake {
        movement_policy: MovementPolicy::MatchCount,
        ..new_take(site)
    };
    world.refuses(reused, takes.create(&caller, policy)).await;
    takes.create_list(&caller, new_list(site)).await.unwrap();
    world
        .refuses(
            reused,
            takes.create_list(
                &caller,
                NewStockTakeList {
                    annual: true,
                    ..new_list(site)
                },
            ),
        )
        .await;
    takes
        .update(&caller, take, details("New words"))
        .await
        .unwrap();
    world
        .refuses(reused, takes.update(&caller, take, details("Newer words")))
        .await;
    stock
        .set_reserved(&caller, &world.shop.key(0), q("1"))
        .await
        .unwrap();
    world
        .refuses(
            reused,
            stock.set_reserved(&caller, &world.shop.key(0), q("2")),
        )
        .await;
    takes.delete_item(&caller, take, other).await.unwrap();
    world
        .refuses(reused, takes.delete_item(&caller, take, item))
        .await;
    takes
        .add_found(&caller, take, &world.shop.key(1))
        .await
        .unwrap();
    world
        .refuses(
            reused,
            takes.add_found(&caller, take, &world.shop.key(2).at(code("A-1"))),
        )
        .await;
    takes
        .submit(&caller, take, PostingOptions::default())
        .await
        .unwrap();
    let skip = PostingOptions {
        skip_unpostable: true,
        ..PostingOptions::default()
    };
    world
        .refuses(reused, takes.submit(&caller, take, skip))
        .await;
    takes.reopen(&caller, take, None).await.unwrap();
    world
        .refuses(
            reused,
            takes.reopen(&caller, take, Some("Again".parse().unwrap())),
        )
        .await;
    let mut supplier = world.shop.supplier.clone();
    let catalogue = world.shop.stocktake.catalogue();
    catalogue
        .put_supplier(&caller, supplier.clone())
        .await
        .unwrap();
    supplier.email = None;
    world
        .refuses(reused, catalogue.put_supplier(&caller, supplier))
        .await;
    let mut site = world.shop.site.clone();
    catalogue.put_site(&caller, site.clone()).await.unwrap();
    site.name = "Low Street".parse().unwrap();
    world
        .refuses(reused, catalogue.put_site(&caller, site))
        .await;
    catalogue
        .put_products(&caller, world.shop.products.clone())
        .await
        .unwrap();
    world
        .refuses(
            reused,
            catalogue.put_products(&caller, world.shop.products[1..].to_vec()),
        )
        .await;
}

#[tokio::test]
async fn a_request_that_failed_keeps_no_key() {
    let world = World::counted().await;
    let (takes, stock, site) = (
        world.shop.stocktake.stock_takes(),
        world.shop.stocktake.stock(),
        world.shop.site.id,
    );
    let (take, item, caller) = (world.take().await, world.item(0).await, world.keyed("one"));
    world
        .refuses(
            "insufficient_stock",
            stock.record(&caller, site, &[issue(world.shop.key(0), "41")]),
        )
        .await;
    stock
        .record(&caller, site, &[issue(world.shop.key(0), "1")])
        .await
        .unwrap();
    world
        .refuses(
            "negative_count",
            takes.count(&caller, take, item, CountRequest::set(q("-1"))),
        )
        .await;
    takes
        .count(&caller, take, item, CountRequest::set(q("1")))
        .await
        .unwrap();
    world
        .refuses("invalid_state", takes.reopen(&caller, take, None))
        .await;
    takes
        .submit(&world.manager(), take, PostingOptions::default())
        .await
        .unwrap();
    takes
        .reopen(&caller, take, Some("Wrong".parse().unwrap()))
        .await
        .unwrap();
}

#[test]
fn a_numbered_page_begins_where_the_one_before_ended() {
    for limit in [0, 1, 25, MAX_PAGE, MAX_PAGE + 1, u32::MAX] {
        let third = PageRequest::numbered(2, limit);
        let rows = u64::try_from(third.bounded_limit()).unwrap();
        assert_eq!(third.start, PageStart::Skip(2 * rows), "limit {limit}");
    }
}

#[tokio::test]
async fn a_reopening_that_was_refused_keeps_no_key() {
    let world = World::counted().await;
    world.count(1, "41").await;
    let (takes, take) = (world.shop.stocktake.stock_takes(), world.take().await);
    let options = PostingOptions::default();
    takes.submit(&world.manager(), take, options).await.unwrap();
    // What was found has been sold: the finding can't be taken back.
    world.record(&[issue(world.shop.key(1), "41")]).await;
    let refused = takes.reopen(&world.keyed("one"), take, None).await;
    assert_eq!(refused.unwrap_err().code(), "lines_refused");
    // Mended, and asked again.
    world.record(&[world.shop.receipt(1, q("5"))]).await;
    let reopened = takes.reopen(&world.keyed("one"), take, None).await.unwrap();
    assert_eq!(reopened.state(), StockTakeState::Ongoing);
}

#[tokio::test]
async fn the_role_is_asked_before_the_request() {
    let world = World::counted().await;
    let (takes, stock) = (
        world.shop.stocktake.stock_takes(),
        world.shop.stocktake.stock(),
    );
    let (take, item, site) = (world.take().await, world.item(0).await, world.shop.site.id);
    takes
        .add_found(&world.manager(), take, &world.shop.key(1).at(code("A-1")))
        .await
        .unwrap();
    takes
        .delete_item(&world.keyed("one"), take, world.item(5).await)
        .await
        .unwrap();
    let (viewer, counter) = (
        Caller::of(&world.shop.viewer),
        Caller::of(&world.shop.counter),
    );
    let (no, elsewhere) = (
        "forbidden",
        StockKey::plain(SiteId::new(nothing()), world.shop.products[0].id),
    );
    world
        .refuses(
            no,
            takes.count(&viewer, take, item, CountRequest::set(q("-1"))),
        )
        .await;
    let ambiguous = InventoryRequest {
        article: ArticleName::of(code("SKU-1")),
        entered: Entered::Add(q("1")),
        counted_at: None,
    };
    world
        .refuses(no, takes.inventory(&viewer, take, ambiguous))
        .await;
    world
        .refuses(no, takes.add_found(&viewer, take, &elsewhere))
        .await;
    world
        .refuses(no, takes.add_articles(&viewer, take, &[code("SKU-99")]))
        .await;
    world.refuses(no, takes.start(&counter, take)).await;
    world.refuses(no, takes.reopen(&counter, take, None)).await;
    world.refuses(no, takes.dismiss(&counter, take, item)).await;
    world
        .refuses(
            no,
            stock.record(&counter, site, &[issue(world.shop.key(0), "-1")]),
        )
        .await;
    world
        .refuses(
            no,
            stock.set_reserved(&counter, &world.shop.key(0), q("-1")),
        )
        .await;
    // Also when somebody else's key comes along.
    let counter = counter.with_key(IdempotencyKey::new("one").unwrap());
    world
        .refuses(no, takes.delete_item(&counter, take, item))
        .await;
}

/// What is asked of the library: the answer as it reads.
pub(super) type Asked<'a> = Pin<Box<dyn Future<Output = Result<String, Error>> + 'a>>;

/// What a request names.
pub(super) struct Names {
    site: Site,
    take: StockTakeId,
    item: StockTakeItemId,
    key: StockKey,
    product: Product,
    supplier: Supplier,
    job: JobId,
}

/// A public operation of the service.
pub(super) struct Row {
    pub(super) name: &'static str,
    operation: Operation,
    pub(super) prepare: Prepare,
    scope: Scope,
    pub(super) ask: for<'a> fn(&'a World, &'a Caller, &'a Names) -> Asked<'a>,
}

/// In what state an operation is possible.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Prepare {
    Open,
    Listed,
    Counted,
    Posting,
    Finished,
    LeftOver,
}

/// For whom the objects of an operation exist.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    /// For who sees the site.
    Site,
    /// The same, and the request holds the record itself, which says whose it is.
    Record,
    /// For everybody of the organisation; naming one that does not exist makes it.
    Catalogue,
    /// For everybody of the organisation.
    Organisation,
    /// The question itself is about the asker's own organisation.
    Anybody,
}

macro_rules! rows {
    ($($operation:ident $prepare:ident $scope:ident $name:literal |$world:ident, $caller:ident, $names:ident| $call:expr;)+) => {
        [$(Row {
            name: $name,
            operation: Operation::$operation,
            prepare: Prepare::$prepare,
            scope: Scope::$scope,
            ask: |$world, $caller, $names| Box::pin(async move { $call.await.map(|answer| format!("{answer:?}")) }),
        }),+]
    };
}

/// Every public operation that names an actor.
pub(super) fn operations() -> Vec<Row> {
    let mut rows = Vec::from(rows! {
        Read Open Site "catalogue.site" |w, c, n| w.shop.stocktake.catalogue().site(c, n.site.id);
        Read Open Site "catalogue.site_by_external_id" |w, c, n| w.shop.stocktake.catalogue().site_by_external_id(c, &n.site.external_id);
        Read Open Organisation "catalogue.product" |w, c, n| w.shop.stocktake.catalogue().product(c, n.product.id);
        Read Open Organisation "catalogue.product_by_article" |w, c, n| w.shop.stocktake.catalogue().product_by_article(c, &n.product.article_id);
        Read Open Anybody "catalogue.category_sizes" |w, c, _n| async { w.shop.stocktake.catalogue().category_sizes(c, &[]).await };
        Read Open Site "catalogue.supplier" |w, c, n| w.shop.stocktake.catalogue().supplier(c, n.supplier.id);
        EditCatalogue Open Record "catalogue.put_site" |w, c, n| w.shop.stocktake.catalogue().put_site(c, n.site.clone());
        EditCatalogue Open Catalogue "catalogue.put_products" |w, c, n| w.shop.stocktake.catalogue().put_products(c, vec![n.product.clone()]);
        EditCatalogue Open Record "catalogue.put_supplier" |w, c, n| w.shop.stocktake.catalogue().put_supplier(c, n.supplier.clone());
        Read Open Site "stock.level" |w, c, n| w.shop.stocktake.stock().level(c, &n.key);
        Read Open Site "stock.levels" |w, c, n| async { w.shop.stocktake.stock().levels(c, n.site.id, None, None, &PageRequest::first(5)).await };
        Read Open Site "stock.key_events" |w, c, n| w.shop.stocktake.stock().key_events(c, &n.key, 0);
        Read Open Site "stock.ledger" |w, c, n| w.shop.stocktake.stock().ledger(c, n.site.id, 0, 5);
        Read Open Site "stock.ledger_back" |w, c, n| w.shop.stocktake.stock().ledger_back(c, n.site.id, None, 5);
        MoveStock Open Site "stock.record" |w, c, n| async { w.shop.stocktake.stock().record(c, n.site.id, &[issue(n.key.clone(), "1")]).await };
        MoveStock Open Site "stock.set_reserved" |w, c, n| w.shop.stocktake.stock().set_reserved(c, &n.key, q("1"));
        MoveStock Open Site "stock.state_cost" |w, c, n| async {
            let stock = FoundStock { product: FoundProduct::Id(n.key.product), variant: NamePart::Any, place: NamePart::Any, batch: NamePart::Any, serial: NamePart::Any };
            w.shop.stocktake.stock().state_cost(c, n.site.id, &stock, "2".parse().unwrap()).await
        };
        VerifyLedger Open Site "stock.verify" |w, c, n| w.shop.stocktake.stock().verify(c, n.site.id);
        RebuildStock Open Site "stock.rebuild" |w, c, n| w.shop.stocktake.stock().rebuild(c, n.site.id);
        Read Posting Site "job" |w, c, n| w.shop.stocktake.job(c, n.job);
        ManageJobs Posting Anybody "dead_jobs" |w, c, _n| async { w.shop.stocktake.dead_jobs(c, &PageRequest::first(5)).await };
        ManageJobs Posting Anybody "over_jobs" |w, c, _n| async { w.shop.stocktake.over_jobs(c, &PageRequest::first(5)).await };
        ManageJobs Posting Anybody "open_jobs" |w, c, _n| async { w.shop.stocktake.open_jobs(c, &PageRequest::first(5)).await };
        ManageJobs Posting Site "requeue_job" |w, c, n| w.shop.stocktake.requeue_job(c, n.job);
    });
    rows.extend(rows! {
        CreateStockTake Open Site "create" |w, c, n| w.shop.stocktake.stock_takes().create(c, new_take(n.site.id));
        CreateStockTake Open Site "create_list" |w, c, n| w.shop.stocktake.stock_takes().create_list(c, new_list(n.site.id));
        CopyStockTake Counted Site "copy" |w, c, n| w.shop.stocktake.stock_takes().copy(c, n.take);
        Read Counted Site "get" |w, c, n| w.shop.stocktake.stock_takes().get(c, n.take);
        Read Counted Site "list" |w, c, n| async { w.shop.stocktake.stock_takes().list(c, n.site.id, &[], &PageRequest::first(5)).await };
        UpdateStockTake Counted Site "update" |w, c, n| w.shop.stocktake.stock_takes().update(c, n.take, details("Words"));
        UpdateStockTake Counted Site "amend" |w, c, n| w.shop.stocktake.stock_takes().amend(c, n.take, StockTakeAmendment::default());
        RemoveStockTake Counted Site "remove" |w, c, n| w.shop.stocktake.stock_takes().remove(c, n.take);
        StartStockTake Listed Site "start" |w, c, n| w.shop.stocktake.stock_takes().start(c, n.take);
        EditStockTakeItems Listed Site "add_articles" |w, c, n| async { w.shop.stocktake.stock_takes().add_articles(c, n.take, &[code("SKU-1")]).await };
        EditStockTakeItems Listed Site "add_stock_place" |w, c, n| w.shop.stocktake.stock_takes().add_stock_place(c, n.take, code("A-1"));
        EditStockTakeItems Listed Site "add_all_articles" |w, c, n| w.shop.stocktake.stock_takes().add_all_articles(c, n.take);
        EditStockTakeItems Listed Site "remove_article" |w, c, n| w.shop.stocktake.stock_takes().remove_article(c, n.take, code("SKU-0"));
        EditStockTakeItems Listed Site "remove_stock_place" |w, c, n| async {
            w.shop.stocktake.stock_takes().add_stock_place(c, n.take, code("A-1")).await?;
            w.shop.stocktake.stock_takes().remove_stock_place(c, n.take, code("A-1")).await
        };
        EditStockTakeItems Counted Site "add_found" |w, c, n| w.shop.stocktake.stock_takes().add_found(c, n.take, &n.key);
        EditStockTakeItems Counted Site "add_found_stock" |w, c, n| async {
            let found = FoundStock { product: FoundProduct::Id(n.key.product), variant: NamePart::Any, place: NamePart::Any, batch: NamePart::Any, serial: NamePart::Any };
            w.shop.stocktake.stock_takes().add_found_stock(c, n.take, &found).await
        };
        CountItem Counted Site "count" |w, c, n| w.shop.stocktake.stock_takes().count(c, n.take, n.item, CountRequest::set(q("1")));
        CountItem Counted Site "count_lines" |w, c, n| async { w.shop.stocktake.stock_takes().count_lines(c, n.take, &[(n.item, CountRequest::set(q("1")))]).await };
        CountItem Counted Site "inventory" |w, c, n| w.shop.stocktake.stock_takes().inventory(c, n.take, InventoryRequest { article: ArticleName::of(code("SKU-0")), entered: Entered::Add(q("1")), counted_at: None, });
        Read Counted Site "count_entries" |w, c, n| w.shop.stocktake.stock_takes().count_entries(c, n.take, n.item);
        DeleteStockTakeItem Counted Site "delete_item" |w, c, n| w.shop.stocktake.stock_takes().delete_item(c, n.take, n.item);
        Read Counted Site "items" |w, c, n| async {
            let (filter, page) = (StockTakeItemFilter::default(), PageRequest::first(5));
            w.shop.stocktake.stock_takes().items(c, n.take, &filter, ArticleSort::default(), &page).await
        };
        Read Counted Site "view" |w, c, n| async {
            let (filter, page) = (StockTakeItemFilter::default(), PageRequest::first(5));
            w.shop.stocktake.stock_takes().view(c, n.take, &filter, ArticleSort::default(), None, &page).await
        };
        Read Counted Site "variance_report" |w, c, n| w.shop.stocktake.stock_takes().variance_report(c, n.take, ReportOptions::default());
        Read Counted Site "totals" |w, c, n| async { w.shop.stocktake.stock_takes().totals(c, n.take, &StockTakeItemFilter::default()).await };
        Read Counted Site "item" |w, c, n| w.shop.stocktake.stock_takes().item(c, n.take, n.item);
        Read Counted Site "article" |w, c, n| w.shop.stocktake.stock_takes().article(c, n.take, ArticleName::of(code("SKU-0")));
        Read Counted Site "search_articles" |w, c, n| async {
            let (filter, page) = (ArticleFilter::default(), PageRequest::first(5));
            w.shop.stocktake.stock_takes().search_articles(c, n.take, &filter, ArticleSort::default(), &page).await
        };
        PostStockTake Counted Site "post" |w, c, n| w.shop.stocktake.stock_takes().post(c, n.take, PostingOptions::default());
        PostStockTake Counted Site "submit" |w, c, n| w.shop.stocktake.stock_takes().submit(c, n.take, PostingOptions::default());
        PostStockTake LeftOver Site "post_left_over" |w, c, n| w.shop.stocktake.stock_takes().post_left_over(c, n.take);
        PostStockTake Posting Site "give_up" |w, c, n| w.shop.stocktake.stock_takes().give_up(c, n.take);
        PostStockTake LeftOver Site "dismiss" |w, c, n| w.shop.stocktake.stock_takes().dismiss(c, n.take, n.item);
        ReopenStockTake Finished Site "reopen" |w, c, n| w.shop.stocktake.stock_takes().reopen(c, n.take, None);
    });
    rows
}

impl Prepare {
    async fn world(self) -> World {
        let store = Arc::new(MemoryStore::new());
        self.made(World::of(store.clone(), Shop::on(store))).await
    }

    /// Forty of each of ten products, and what the state is of.
    pub(super) async fn made(self, world: World) -> World {
        world.shop.open().await.unwrap();
        match self {
            Self::Open => world,
            Self::Listed => {
                let world = world.with_list().await;
                let key = world.shop.key(1).at(code("A-1"));
                let receipt = Movement::Receipt {
                    key,
                    quantity: q("1"),
                    unit_cost: None,
                };
                world.record(&[receipt.into()]).await;
                world
            }
            Self::Counted => world.with_count().await,
            Self::Posting => world.with_count().await.with_posting().await,
            Self::Finished => {
                let world = world.with_count().await.with_posting().await;
                world.with_what_is_posted().await
            }
            Self::LeftOver => world.with_count().await.with_left_over().await,
        }
    }
}

impl World {
    /// What is there.
    pub(super) async fn names(&self, prepare: Prepare) -> Names {
        let takes = self.takes().await;
        let take = takes
            .first()
            .map_or(StockTakeId::new(nothing()), StockTake::id);
        let number = usize::from(matches!(prepare, Prepare::LeftOver));
        let key = self.shop.key(number);
        Names {
            site: self.shop.site.clone(),
            take,
            item: StockTakeItemId::for_key(take, &key),
            key,
            product: self.shop.products[0].clone(),
            supplier: self.shop.supplier.clone(),
            job: takes
                .first()
                .and_then(StockTake::run)
                .map_or(JobId::new(nothing()), |run| run.job),
        }
    }
}

/// What is not there.
fn missing(names: &Names) -> Names {
    let site = Site {
        id: SiteId::new(nothing()),
        external_id: code("store-99"),
        ..names.site.clone()
    };
    Names {
        take: StockTakeId::new(nothing()),
        item: StockTakeItemId::new(nothing()),
        key: StockKey::plain(site.id, ProductId::new(nothing())),
        product: Product {
            id: ProductId::new(nothing()),
            article_id: code("SKU-99"),
            ..names.product.clone()
        },
        supplier: Supplier {
            id: SupplierId::new(nothing()),
            site: site.id,
            ..names.supplier.clone()
        },
        job: JobId::new(nothing()),
        site,
    }
}

/// One cell of the table: who asks for what, and what the answer must be. `None` is: done.
async fn cell(
    row: &Row,
    actor: impl Fn(&Shop) -> Actor,
    is_missing: bool,
    expected: Option<&str>,
) -> String {
    let world = row.prepare.world().await;
    let mut names = world.names(row.prepare).await;
    if is_missing {
        names = missing(&names);
    }
    let before = world.state().await;
    let actor = actor(&world.shop);
    let who = format!("{}: {:?} of {}", row.name, actor.role, actor.organisation);
    let caller = Caller::of(&actor);
    match ((row.ask)(&world, &caller, &names).await, expected) {
        (Ok(_), None) => String::new(),
        (Err(error), Some(code)) => {
            assert_eq!(error.code(), code, "{who}: {error}");
            assert_eq!(world.state().await, before, "{who} changed something");
            error.to_string()
        }
        (answer, expected) => panic!("{who} (missing: {is_missing}): {answer:?}, not {expected:?}"),
    }
}

fn with_role(actor: &Actor, role: Role) -> Actor {
    Actor {
        role,
        ..actor.clone()
    }
}

#[tokio::test]
async fn every_operation_is_for_the_roles_and_sites_of_the_table() {
    let rows = operations();
    for row in &rows {
        for role in Role::ALL {
            let allowed = allows(role, row.operation);
            let own = if allowed { None } else { Some("forbidden") };
            cell(row, |shop| with_role(&shop.manager, role), false, own).await;
            let everywhere = |shop: &Shop| Actor {
                sites: SiteAccess::All,
                ..with_role(&shop.manager, role)
            };
            cell(row, everywhere, false, own).await;

            // Whatever the role: what one can't see does not exist.
            let of_a_site = matches!(row.scope, Scope::Site | Scope::Record);
            let elsewhere = if of_a_site { Some("not_found") } else { own };
            let elsewhere = cell(
                row,
                |shop| with_role(&shop.elsewhere, role),
                false,
                elsewhere,
            )
            .await;
            let foreign = if row.scope == Scope::Anybody {
                own
            } else {
                Some("not_found")
            };
            let foreign = cell(row, |shop| with_role(&shop.stranger, role), false, foreign).await;
            if of_a_site || row.scope == Scope::Organisation {
                let absent = cell(
                    row,
                    |shop| with_role(&shop.manager, role),
                    true,
                    Some("not_found"),
                )
                .await;
                // By the very words.
                if row.scope != Scope::Record {
                    assert_eq!(absent, foreign, "{}", row.name);
                }
                if of_a_site {
                    assert_eq!(absent, elsewhere, "{}", row.name);
                }
            }
        }
    }
    // Every right of the table is asked for by some operation, and every operation is in the table.
    let asked: BTreeSet<Operation> = rows.iter().map(|row| row.operation).collect();
    let listed: BTreeSet<Operation> = ACCESS.iter().map(|(operation, _)| *operation).collect();
    assert_eq!(ACCESS.len(), listed.len());
    // Those of counts, adjustments, orders, imports and exports are in `document_permissions.rs`, those of printing in
    // `printing.rs`.
    let of_documents = Operation::RunCount..=Operation::PrintExpected;
    let here: BTreeSet<Operation> = listed
        .into_iter()
        .filter(|operation| !of_documents.contains(operation))
        .collect();
    assert_eq!(asked, here);
}

#[tokio::test]
async fn nobody_is_told_anything() {
    for row in operations() {
        let world = row.prepare.world().await;
        let names = world.names(row.prepare).await;
        let (before, nobody) = (world.state().await, Caller::nobody());
        for names in [missing(&names), names] {
            let error = (row.ask)(&world, &nobody, &names)
                .await
                .expect_err(row.name);
            assert_eq!(
                (error.code(), error.kind()),
                ("unauthenticated", ErrorKind::Unauthenticated),
                "{}",
                row.name
            );
        }
        assert_eq!(world.state().await, before, "{}", row.name);
    }
}
