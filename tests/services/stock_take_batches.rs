//! Counting in batches (S1.10): the same as counting one by one, or nothing at all.

use std::future::Future;

use crate::certain::certain;
use proptest::prelude::*;
use stocktake::domain::{
    Code, CountEntry, Entered, MovementPolicy, PostingOptions, Product, ProductId, Quantity,
    StockKey, StockTakeId, StockTakeItem, StockTakeItemId, Tracking,
};
use stocktake::service::{Caller, Clock as _, CountRequest, Error, ErrorKind, NewStockTake};
use stocktake::store::{
    ArticleSort, IdempotencyKey, MAX_PAGE, PageRequest, StockTakeItemFilter, Version,
};
use stocktake::testing::{ManualClock, Shop, shop};
use uuid::Uuid;

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn set(quantity: &str) -> CountRequest {
    CountRequest::set(q(quantity))
}

fn add(quantity: &str) -> CountRequest {
    CountRequest::add(q(quantity))
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// A take of ten lines, and of an eleventh for a serial number.
struct World {
    shop: Shop,
    take: StockTakeId,
}

/// The line of the serial number, and one that there is not.
const SERIAL: usize = 10;
const UNKNOWN: usize = 11;

/// Everything that a line keeps, without the ids that come from the id source.
type Kept = (StockTakeItem, Vec<CountEntry>);

impl World {
    async fn open() -> Self {
        let shop = shop();
        shop.open().await.unwrap();
        let manager = Caller::of(&shop.manager);
        let product = Product {
            tracking: Tracking::Serial,
            ..Product::new(
                ProductId::new(Uuid::from_u128(99)),
                shop.site.organisation,
                "SERIAL".parse().unwrap(),
                "Told apart".parse().unwrap(),
            )
        };
        let catalogue = shop.stocktake.catalogue();
        catalogue
            .put_products(&manager, vec![product])
            .await
            .unwrap();
        let takes = shop.stocktake.stock_takes();
        let new = NewStockTake {
            site: shop.site.id,
            description: "Quarterly".parse().unwrap(),
            movement_policy: MovementPolicy::default(),
        };
        let take = takes.create(&manager, new).await.unwrap().id();
        shop.run_jobs().await.unwrap();
        let world = Self { shop, take };
        let takes = world.shop.stocktake.stock_takes();
        takes
            .add_found(&manager, take, &world.key(SERIAL))
            .await
            .unwrap();
        world
    }

    fn key(&self, line: usize) -> StockKey {
        if line < SERIAL {
            return self.shop.key(line);
        }
        let serial = format!("{line}").parse().unwrap();
        StockKey::plain(self.shop.site.id, ProductId::new(Uuid::from_u128(99))).with_serial(serial)
    }

    fn item(&self, line: usize) -> StockTakeItemId {
        StockTakeItemId::for_key(self.take, &self.key(line))
    }

    fn counter(&self) -> Caller {
        Caller::of(&self.shop.counter)
    }

    fn keyed(&self) -> Caller {
        let key = IdempotencyKey::new("the-batch").unwrap();
        self.counter().with_key(key)
    }

    fn batch(&self, counts: &[(usize, CountRequest)]) -> Vec<(StockTakeItemId, CountRequest)> {
        let counts = counts.iter();
        counts
            .map(|(line, request)| (self.item(*line), request.clone()))
            .collect()
    }

    async fn count_lines(
        &self,
        caller: &Caller,
        counts: &[(usize, CountRequest)],
    ) -> Result<Vec<StockTakeItem>, Error> {
        let takes = self.shop.stocktake.stock_takes();
        takes
            .count_lines(caller, self.take, &self.batch(counts))
            .await
    }

    async fn count(&self, line: usize, request: CountRequest) -> Result<StockTakeItem, Error> {
        let takes = self.shop.stocktake.stock_takes();
        takes
            .count(&self.counter(), self.take, self.item(line), request)
            .await
    }

    async fn kept(&self) -> Vec<Kept> {
        let takes = self.shop.stocktake.stock_takes();
        let (caller, page) = (self.counter(), PageRequest::first(MAX_PAGE));
        let (filter, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
        let lines = takes
            .items(&caller, self.take, &filter, sort, &page)
            .await
            .unwrap();
        let mut kept = Vec::new();
        for line in lines.items {
            let item = (*line.item.value).clone();
            let entries = takes
                .count_entries(&caller, self.take, item.id)
                .await
                .unwrap();
            kept.push((item, entries));
        }
        kept
    }

    async fn version(&self, line: usize) -> Version {
        let takes = self.shop.stocktake.stock_takes();
        let (caller, item) = (self.counter(), self.item(line));
        let view = takes.item(&caller, self.take, item).await.unwrap();
        view.item.version
    }
}

/// The same with the same ids of entries.
fn without_ids(kept: Vec<Kept>) -> Vec<Kept> {
    kept.into_iter()
        .map(|(item, mut entries)| {
            for entry in &mut entries {
                entry.id = Uuid::nil().into();
            }
            (item, entries)
        })
        .collect()
}

fn counts() -> impl Strategy<Value = Vec<(usize, CountRequest)>> {
    let quantity = prop_oneof![
        12 => (0_i64..4_000_000).prop_map(|micros| Quantity::from_micros(micros).unwrap()),
        6 => Just(Quantity::ONE),
        1 => Just(q("-0.5")),
        1 => Just(Quantity::MAX),
    ];
    let entered = (0..5, quantity).prop_map(|(kind, quantity)| match kind {
        0 | 1 => Entered::Set(quantity),
        2 | 3 => Entered::Add(quantity),
        _ => Entered::Clear,
    });
    let device = prop::option::of(Just("till-7".parse::<Code>().unwrap()));
    // Some say when they were made: so many seconds from when the take began, which is now.
    let began = ManualClock::default().now();
    let seconds = prop::option::weighted(0.3, prop_oneof![-1_i64..4, 299_i64..302]);
    let counted_at =
        seconds.prop_map(move |seconds| seconds.map(|it| began.later_by(it * 1_000_000)));
    let request =
        (entered, device, counted_at).prop_map(|(entered, device, counted_at)| CountRequest {
            entered,
            if_version: None,
            device,
            counted_at,
        });
    let line = prop_oneof![20 => 0_usize..4, 3 => Just(SERIAL), 1 => Just(UNKNOWN)];
    prop::collection::vec((line, request), 1..12)
}

proptest! {
    #![proptest_config(certain(96))]

    /// A batch keeps what the same counts keep one by one, and tells the same; it is refused at the count that would be
    /// refused first, and then keeps nothing.
    #[test]
    fn s1_10_a_batch_is_its_counts_one_by_one(counts in counts()) {
        now(async {
            let (world, model) = (World::open().await, World::open().await);
            let before = world.kept().await;
            let mut told = Vec::new();
            let mut refused = None;
            for (index, (line, request)) in counts.iter().enumerate() {
                match model.count(*line, request.clone()).await {
                    Ok(item) => told.push(item),
                    Err(error) => {
                        refused = Some((index, model.item(*line), error.code()));
                        break;
                    }
                }
            }
            match (world.count_lines(&world.counter(), &counts).await, refused) {
                (Ok(items), None) => {
                    assert_eq!(items, told);
                    let (kept, expected) = (world.kept().await, model.kept().await);
                    assert_eq!(without_ids(kept), without_ids(expected));
                }
                (
                    Err(Error::Line {
                        index,
                        item,
                        problem,
                        ..
                    }),
                    Some(refused),
                ) => {
                    assert_eq!((index, item, problem.code()), refused);
                    assert_eq!(world.kept().await, before);
                }
                (result, refused) => panic!("{result:?}, one by one: {refused:?}"),
            }
        });
    }
}

/// Each bad count refuses the whole batch, whatever stands around it.
#[tokio::test]
async fn s1_10_a_refused_line_refuses_the_whole_batch() {
    let world = World::open().await;
    world.count(1, set("1")).await.unwrap();
    let stale = CountRequest {
        if_version: Some(world.version(1).await.next()),
        ..add("1")
    };
    let before = world.kept().await;
    for (line, request, code, kind) in [
        (UNKNOWN, set("1"), "not_found", ErrorKind::NotFound),
        (1, set("-1"), "negative_count", ErrorKind::Invalid),
        (1, add("-1.000001"), "negative_count", ErrorKind::Invalid),
        (SERIAL, set("2"), "serial_conflict", ErrorKind::Invalid),
        (SERIAL, add("0.5"), "serial_conflict", ErrorKind::Invalid),
        (
            1,
            CountRequest::add(Quantity::MAX),
            "out_of_range",
            ErrorKind::Invalid,
        ),
        (1, stale, "conflict", ErrorKind::Conflict),
    ] {
        let bad = (line, request);
        for batch in [
            vec![bad.clone(), (0, set("3"))],
            vec![(0, set("3")), (1, set("1")), bad.clone(), (2, set("3"))],
        ] {
            let at = batch.iter().position(|count| *count == bad).unwrap();
            let refused = world.count_lines(&world.keyed(), &batch).await;
            let refused = refused.unwrap_err();
            let answer = (refused.code(), refused.kind());
            assert_eq!(answer, (code, kind), "{batch:?}");
            assert_eq!(refused.is_retryable(), code == "conflict");
            let Error::Line { index, item, .. } = &refused else {
                panic!("{refused:?} names no line");
            };
            assert_eq!((*index, *item), (at, world.item(line)));
            let article = format!("count {} of the call, ", at + 1);
            let told = refused.to_string();
            assert_eq!(told.starts_with(&article), line != UNKNOWN, "{told}");
            assert_eq!(world.kept().await, before);
        }
    }
    // What was refused has not used its key up.
    let counted = world.count_lines(&world.keyed(), &[(0, set("3"))]).await;
    assert_eq!(counted.unwrap().len(), 1);
}

/// What is wrong with the call, or with the take, is told without a line.
#[tokio::test]
async fn s1_10_a_batch_is_of_up_to_a_thousand_counts_of_one_take_that_is_counted() {
    let world = World::open().await;
    let takes = world.shop.stocktake.stock_takes();
    let before = world.kept().await;
    let nobody = Caller::nobody();
    let viewer = Caller::of(&world.shop.viewer);
    let elsewhere = Caller::of(&world.shop.elsewhere);
    let stranger = Caller::of(&world.shop.stranger);
    let unknown = StockTakeId::new(Uuid::from_u128(1));
    for batch in [vec![], vec![(0, set("1"))], vec![(UNKNOWN, set("-1"))]] {
        for (caller, expected) in [
            (&nobody, "unauthenticated"),
            (&viewer, "forbidden"),
            (&elsewhere, "not_found"),
            (&stranger, "not_found"),
        ] {
            let refused = world.count_lines(caller, &batch).await.unwrap_err();
            assert_eq!(refused.code(), expected);
            assert!(!matches!(refused, Error::Line { .. }), "{refused:?}");
        }
        let counter = world.counter();
        let batch = world.batch(&batch);
        let refused = takes.count_lines(&counter, unknown, &batch).await;
        assert_eq!(refused.unwrap_err().code(), "not_found");
    }
    let too_many = vec![(0, add("1")); 1_001];
    let refused = world.count_lines(&world.keyed(), &too_many).await;
    assert!(matches!(refused, Err(Error::TooLarge { limit: 1_000 })));
    let nothing = world.count_lines(&world.keyed(), &[]).await;
    assert_eq!(nothing.unwrap_err().code(), "nothing_asked");
    assert_eq!(world.kept().await, before);

    let counted = world.count_lines(&world.counter(), &too_many[1..]).await;
    let last = counted.unwrap().pop().unwrap();
    assert_eq!(last.count.unwrap().quantity, q("1000"));
    assert_eq!(world.kept().await[0].1.len(), 1_000);

    let manager = Caller::of(&world.shop.manager);
    let options = PostingOptions::default();
    takes.post(&manager, world.take, options).await.unwrap();
    let batch = [(0, set("-1")), (UNKNOWN, set("1"))];
    let refused = world.count_lines(&world.counter(), &batch).await;
    assert!(matches!(refused, Err(Error::Transition(_))), "{refused:?}");
}

/// One key for the batch: sent again it tells the same, whatever has happened since; a batch of one is a count.
#[tokio::test]
async fn s6_3_a_batch_has_one_idempotency_key() {
    let world = World::open().await;
    let batch = [(0, set("3")), (1, add("2")), (0, add("1"))];
    let first = world.count_lines(&world.keyed(), &batch).await.unwrap();
    let counted = first
        .iter()
        .map(|item| item.count.as_ref().unwrap().quantity);
    assert_eq!(counted.collect::<Vec<_>>(), [q("3"), q("2"), q("4")]);
    world.count(0, set("9")).await.unwrap();
    let takes = world.shop.stocktake.stock_takes();
    takes
        .delete_item(&Caller::of(&world.shop.manager), world.take, world.item(1))
        .await
        .unwrap();
    let before = world.kept().await;
    let again = world.count_lines(&world.keyed(), &batch).await.unwrap();
    assert_eq!(again, first);
    let [a, b, c] = batch;
    for other in [
        vec![a.clone(), b.clone()],
        vec![b.clone(), a.clone(), c.clone()],
        vec![a.clone(), b.clone(), c.clone(), c.clone()],
        vec![(0, set("3.5")), b.clone(), c.clone()],
        vec![(2, set("3")), b, c],
        vec![a],
        vec![],
    ] {
        let refused = world.count_lines(&world.keyed(), &other).await;
        assert!(matches!(refused, Err(Error::KeyReused)), "{other:?}");
    }
    assert_eq!(world.kept().await, before);

    let world = World::open().await;
    let of_one = world.count_lines(&world.keyed(), &[(0, add("2"))]).await;
    let takes = world.shop.stocktake.stock_takes();
    let single = takes
        .count(&world.keyed(), world.take, world.item(0), add("2"))
        .await;
    assert_eq!(of_one.unwrap(), [single.unwrap()]);
    assert_eq!(world.kept().await[0].1.len(), 1);
}

/// The version that a count names is that before the batch, and the batch makes it one higher.
#[tokio::test]
async fn s1_10_a_batch_compares_with_the_versions_before_it() {
    let world = World::open().await;
    let seen = |version, request| CountRequest {
        if_version: Some(version),
        ..request
    };
    let version = world.version(0).await;
    let batch = [
        (0, seen(version, set("3"))),
        (0, add("1")),
        (0, seen(version, add("1"))),
    ];
    let counted = world.count_lines(&world.counter(), &batch).await.unwrap();
    assert_eq!(counted[2].count.as_ref().unwrap().quantity, q("5"));
    assert_eq!(world.version(0).await, version.next());
    let again = world.count_lines(&world.counter(), &batch[2..]).await;
    assert_eq!(again.unwrap_err().code(), "conflict");
    let next = [(0, seen(version.next(), CountRequest::clear()))];
    let counted = world.count_lines(&world.counter(), &next).await.unwrap();
    assert_eq!(counted[0].count, None);
}
