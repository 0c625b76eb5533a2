//! Serial numbers that are counted where the book does not have them.

use stocktake::domain::{LineProblem, PostingOptions, Quantity, StockKey};
use stocktake::service::{Error, NewCountItem, NewMovement};

use super::{World, applied, details, receipt, transfer};

/// Other lines between two, more than one commit takes.
const FILLERS: u32 = 1_100;

/// A unit is at one key and is found at another: both of them stocked, and many other lines between them.
async fn found_elsewhere(forth: bool, far: bool) -> (World, StockKey, StockKey) {
    let world = World::open().await;
    let (first, last) = (world.key(0, 0, "A", "X"), world.key(0, 0, "Z", "X"));
    let (from, to) = if forth { (first, last) } else { (last, first) };
    world.receive(&to).await.unwrap();
    world.record(&[transfer(&to, &from)]).await.unwrap();
    if far {
        let fillers: Vec<NewMovement> = fillers(&world).iter().map(receipt).collect();
        world.record(&fillers).await.unwrap();
    }
    (world, from, to)
}

fn fillers(world: &World) -> Vec<StockKey> {
    let key = |number| world.key(0, 0, "M", &format!("{number:04}"));
    (0..FILLERS).map(key).collect()
}

const LAYOUTS: [(bool, bool); 4] = [(true, false), (false, false), (true, true), (false, true)];

#[tokio::test]
async fn a_take_moves_what_it_misses_here_and_finds_there() {
    for (forth, far) in LAYOUTS {
        let (world, from, to) = found_elsewhere(forth, far).await;
        let take = world.take(0).await;
        world.count(take, &to, 1).await;
        // While nobody has looked where the book has it, the two contradict each other.
        let Err(Error::Refused(refusal)) = world.submit(take).await else {
            panic!("{forth} {far}: posted");
        };
        let at = Some(Box::new(from.clone()));
        assert_eq!(
            refusal.lines[0].problem,
            LineProblem::SerialElsewhere { at }
        );
        assert_eq!((refusal.total, &refusal.lines[0].key), (1, &to));
        world.count(take, &from, 0).await;
        let posted = world.submit(take).await.unwrap();
        assert_eq!(posted.result().unwrap().adjusted, 2, "{forth} {far}");
        assert_eq!(world.on_hand(&from).await, Quantity::ZERO);
        assert_eq!(world.on_hand(&to).await, Quantity::ONE);
        world.assert_sound().await;
        // And back.
        let takes = world.library().stock_takes();
        takes.reopen(&world.caller(), take, None).await.unwrap();
        assert_eq!(world.on_hand(&from).await, Quantity::ONE);
        assert_eq!(world.on_hand(&to).await, Quantity::ZERO);
        world.assert_sound().await;
        let posted = world.submit(take).await.unwrap();
        assert_eq!(posted.result().unwrap().adjusted, 2, "{forth} {far}");
        assert_eq!(world.on_hand(&to).await, Quantity::ONE);
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn an_inventory_count_moves_what_it_misses_here_and_finds_there() {
    for (forth, far) in LAYOUTS {
        let (world, from, to) = found_elsewhere(forth, far).await;
        let counts = world.library().inventory_counts();
        let caller = world.caller();
        let site = world.sites[0].id;
        let count = counts.start(&caller, site, details()).await.unwrap().id();
        let [first, last] = [(&from, 0_u32), (&to, 1)];
        let (first, last) = if forth { (first, last) } else { (last, first) };
        let between = if far { fillers(&world) } else { Vec::new() };
        let between = between.iter().map(|key| (key, 1));
        for (key, there) in [first].into_iter().chain(between).chain([last]) {
            world.shop.clock.advance_seconds(1);
            let item = NewCountItem::of(key.clone(), there.into());
            counts.count(&caller, count, item).await.unwrap();
        }
        let completed = counts.complete(&caller, count, applied(), None).await;
        let completed = completed.unwrap();
        let result = completed.count.result().unwrap();
        let confirmed = if far { u64::from(FILLERS) } else { 0 };
        assert_eq!((result.adjusted, result.unposted), (2, 0), "{forth} {far}");
        assert_eq!(result.totals.items(), confirmed + 2, "{forth} {far}");
        assert_eq!(world.on_hand(&from).await, Quantity::ZERO);
        assert_eq!(world.on_hand(&to).await, Quantity::ONE);
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn a_number_that_is_counted_twice_in_a_document_is_told() {
    let world = World::open().await;
    let (here, there) = (world.key(0, 0, "A", "X"), world.key(0, 0, "B", "X"));
    for key in [&here, &there] {
        world.receive(key).await.unwrap();
        world.issue(key).await;
    }
    let take = world.take(0).await;
    world.count(take, &here, 1).await;
    world.count(take, &there, 1).await;
    let Err(Error::Refused(refusal)) = world.submit(take).await else {
        panic!("posted");
    };
    let at = Some(Box::new(here.clone()));
    assert_eq!((refusal.total, &refusal.lines[0].key), (1, &there));
    assert_eq!(
        refusal.lines[0].problem,
        LineProblem::SerialElsewhere { at }
    );
    // The rest is posted when that is asked; the line is left over until the number is free.
    let options = PostingOptions {
        skip_unpostable: true,
        ..PostingOptions::default()
    };
    let takes = world.library().stock_takes();
    let posted = takes.submit(&world.caller(), take, options).await.unwrap();
    let result = posted.result().unwrap();
    assert_eq!((result.adjusted, result.unposted), (1, 1));
    world.assert_sound().await;
    world.issue(&here).await;
    let posted = takes.post_left_over(&world.caller(), take).await.unwrap();
    assert_eq!(posted.result().unwrap().unposted, 0);
    assert_eq!(world.on_hand(&there).await, Quantity::ONE);
    world.assert_sound().await;
}

#[tokio::test]
async fn a_posting_is_not_taken_back_into_a_number_that_is_elsewhere() {
    let world = World::open().await;
    let (here, there) = (world.key(0, 0, "A", "X"), world.key(1, 0, "A", "X"));
    world.receive(&here).await.unwrap();
    let take = world.take(0).await;
    world.count(take, &here, 0).await;
    world.submit(take).await.unwrap();
    world.receive(&there).await.unwrap();
    let takes = world.library().stock_takes();
    let Err(Error::Refused(refusal)) = takes.reopen(&world.caller(), take, None).await else {
        panic!("reopened");
    };
    // The take's readers may not see the other site.
    assert_eq!(
        refusal.lines[0].problem,
        LineProblem::SerialElsewhere { at: None }
    );
    world.assert_sound().await;
    world.issue(&there).await;
    takes.reopen(&world.caller(), take, None).await.unwrap();
    assert_eq!(world.on_hand(&here).await, Quantity::ONE);
    world.assert_sound().await;
}
