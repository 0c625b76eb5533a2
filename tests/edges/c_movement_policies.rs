//! Stock that moves while it is counted: what each policy does about counts that newer knowledge supersedes, lines that
//! nobody counted, counts in parts, and counts that a device tells late.

use stocktake::domain::{
    Cause, CompletionOptions, CountType, Entered, InventoryCountDetails, InventoryCountId,
    LineOutcome, LineProblem, MovementPolicy, PostingOptions, Quantity, StockTakeId,
    StockTakeState, Timestamp,
};
use stocktake::service::{
    ArticleName, CountRequest, Error, InventoryRequest, NewCountItem, NewMovement, NewStockTake,
};
use stocktake::store::{InventoryCountItemFilter, PageRequest};

use crate::counted::{World, keyed, q};
use crate::stores::Kind;

const KEEP: MovementPolicy = MovementPolicy::KeepMovements;
const MATCH: MovementPolicy = MovementPolicy::MatchCount;
const REFUSE: MovementPolicy = MovementPolicy::RefuseMoved;

const PLAIN: PostingOptions = PostingOptions {
    zero_uncounted: false,
    skip_unpostable: false,
};
const ZERO: PostingOptions = PostingOptions {
    zero_uncounted: true,
    skip_unpostable: false,
};
const SKIP: PostingOptions = PostingOptions {
    zero_uncounted: false,
    skip_unpostable: true,
};
const APPLY: CompletionOptions = CompletionOptions {
    apply_adjustments: true,
    skip_unpostable: false,
};

fn set(quantity: &str) -> CountRequest {
    CountRequest::set(q(quantity))
}

fn add(quantity: &str) -> CountRequest {
    CountRequest::add(q(quantity))
}

/// Why the only line that a posting refused was refused.
fn only_problem(refused: Error) -> LineProblem {
    let Error::Refused(refusal) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((refusal.total, refusal.lines.len()), (1, 1));
    refusal.lines[0].problem.clone()
}

async fn started_count(world: &World, movement_policy: MovementPolicy) -> InventoryCountId {
    let details = InventoryCountDetails {
        name: "January".parse().unwrap(),
        kind: CountType::Cycle,
        notes: None,
        movement_policy,
    };
    let counts = world.shop.stocktake.inventory_counts();
    let site = world.shop.site.id;
    let count = counts.start(&world.manager(), site, details).await;
    count.unwrap().id()
}

async fn count_item(world: &World, count: InventoryCountId, new: NewCountItem) {
    let counts = world.shop.stocktake.inventory_counts();
    let counted = counts.count(&world.manager(), count, new).await;
    counted.unwrap();
}

#[tokio::test]
async fn fault_c1_a_superseded_line_is_refused_or_told() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        for policy in [KEEP, MATCH, REFUSE] {
            let take = world.started(policy, 1).await;
            world.count(take, 0, set("30")).await;
            world.shop.clock.advance_seconds(60);
            let known_at = world.shop.now();
            world.record(world.reset(0, "40")).await;
            world.shop.clock.advance_seconds(60);
            let by = Cause::Movement;
            if policy == REFUSE {
                let refused = world.submit(take, PLAIN).await.unwrap_err();
                let expected = LineProblem::Superseded { known_at, by };
                assert_eq!(only_problem(refused), expected, "{}", kind.name());
                // Leaving it behind is for whoever asks for that; it can be dismissed, or counted in another take.
                let posted = world.submit(take, SKIP).await.unwrap();
                assert_eq!(posted.result().unwrap().unposted, 1);
                assert_eq!(expected.code(), "superseded");
            } else {
                let posted = world.submit(take, PLAIN).await.unwrap();
                assert_eq!(posted.result().unwrap().superseded, 1);
                let item = world.item(take, 0).await;
                let outcome = item.posting.as_ref().unwrap().outcome.clone();
                assert_eq!(outcome, LineOutcome::Superseded { known_at, by });
                // It was neither right nor wrong.
                assert_eq!((item.variance(), item.adjustment_minor()), (None, 0));
            }
            assert_eq!(world.on_hand(0).await, q("40"));
        }
        world.assert_sound().await;
    }
}

#[tokio::test]
async fn fault_c1_an_inventory_count_reports_what_it_posted() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        for (policy, first) in [(KEEP, 0), (MATCH, 2), (REFUSE, 4)] {
            let counts = world.shop.stocktake.inventory_counts();
            let manager = world.manager();
            let count = started_count(&world, policy).await;
            for (number, quantity) in [(first, "30"), (first + 1, "38")] {
                world.shop.clock.advance_seconds(1);
                let new = NewCountItem::of(world.shop.products[number].id, q(quantity));
                count_item(&world, count, new).await;
            }
            world.shop.clock.advance_seconds(60);
            world.record(world.reset(first, "40")).await;
            let options = CompletionOptions {
                skip_unpostable: policy == REFUSE,
                ..APPLY
            };
            if policy == REFUSE {
                let refused = counts.complete(&manager, count, APPLY, None).await;
                let Err(Error::CountRefused(refusal)) = refused else {
                    panic!("{refused:?}");
                };
                assert_eq!((refusal.total, refusal.items.len()), (1, 1));
                let problem = &refusal.items[0].problem;
                assert!(matches!(problem, LineProblem::Superseded { .. }));
            }
            let done = counts.complete(&manager, count, options, None).await;
            let done = done.unwrap();
            let result = done.count.result().unwrap();
            let left = (result.superseded, result.unposted);
            let expected = if policy == REFUSE { (0, 1) } else { (1, 0) };
            assert_eq!((result.adjusted, left), (1, expected));
            // Two of the second are missing: what was posted.
            let totals = done.totals;
            assert_eq!(totals, result.totals);
            assert_eq!(
                (totals.items(), totals.discrepancies(), totals.accuracy()),
                (2, 1, Some("0.5".parse().unwrap()))
            );
            let filter = InventoryCountItemFilter {
                discrepancies: true,
                ..InventoryCountItemFilter::default()
            };
            let page = PageRequest::first(10);
            let off = counts.items(&manager, count, &filter, &page).await.unwrap();
            let off: Vec<_> = off.items.iter().map(|item| item.key.clone()).collect();
            assert_eq!(off, [world.shop.key(first + 1)], "{}", kind.name());
            let all = InventoryCountItemFilter::default();
            let all = counts.items(&manager, count, &all, &page).await.unwrap();
            for item in all.items {
                let posting = item.posting.as_ref().unwrap();
                assert_eq!(item.variance.quantity(), posting.change);
                assert_eq!(item.variance.minor(), posting.adjustment_minor);
            }
            world.assert_sound().await;
        }
    }
}

/// Under *match* a count reports what it posted as well: the difference to the level as it was then.
#[tokio::test]
async fn fault_c1_an_inventory_count_that_matches_reports_what_it_posted() {
    let world = World::open(Kind::Memory).await;
    let count = started_count(&world, MATCH).await;
    let new = NewCountItem::of(world.shop.products[1].id, q("30"));
    count_item(&world, count, new).await;
    world.shop.clock.advance_seconds(60);
    world.record(world.sale(1, "4")).await;
    let counts = world.shop.stocktake.inventory_counts();
    let done = counts
        .complete(&world.manager(), count, APPLY, None)
        .await
        .unwrap();
    assert_eq!(world.on_hand(1).await, q("30"));
    // Six at 2.50, not ten.
    let missing = done.totals.missing_minor();
    assert_eq!(missing, 1_500);
}

/// What happens to a line that nobody counts, in seconds since the take began; the take is finished after 600.
struct Uncounted {
    what: &'static str,
    /// Told at this second, dated at that one (or not), so many more or less.
    moves: &'static [(i64, Option<i64>, i64)],
    /// The level under *keep*, after posting.
    keeps: i64,
    /// Whether *refuse* refuses it.
    is_refused: bool,
}

/// Forty were there when the take began.
const UNCOUNTED: &[Uncounted] = &[
    Uncounted {
        what: "nothing moved",
        moves: &[],
        keeps: 0,
        is_refused: false,
    },
    Uncounted {
        what: "twenty-four arrived",
        moves: &[(60, None, 24)],
        keeps: 24,
        is_refused: true,
    },
    Uncounted {
        what: "five were sold",
        moves: &[(60, None, -5)],
        keeps: 0,
        is_refused: true,
    },
    Uncounted {
        what: "some came and some left",
        moves: &[(60, None, 24), (70, None, -5), (80, Some(75), 2)],
        keeps: 26,
        is_refused: true,
    },
    Uncounted {
        what: "more left than was there",
        moves: &[(60, None, 24), (70, None, -50)],
        keeps: 14,
        is_refused: true,
    },
    Uncounted {
        what: "what arrived before the take began was told late",
        moves: &[(60, Some(-30), 24)],
        keeps: 0,
        is_refused: false,
    },
    Uncounted {
        what: "what was sold before the take began was told late",
        moves: &[(60, Some(-30), -24)],
        keeps: 0,
        is_refused: false,
    },
    Uncounted {
        what: "told late of before and of since",
        moves: &[(60, Some(-30), 24), (90, Some(30), 6), (95, Some(-20), -4)],
        keeps: 6,
        is_refused: true,
    },
];

fn change(world: &World, number: usize, change: i64) -> NewMovement {
    let quantity = change.abs().to_string();
    if change > 0 {
        world.receipt(number, &quantity)
    } else {
        world.sale(number, &quantity)
    }
}

fn seconds(at: Timestamp, seconds: i64) -> Timestamp {
    at.later_by(seconds * 1_000_000)
}

#[tokio::test]
async fn fault_c2_an_uncounted_line_loses_only_what_was_there_when_the_take_began() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        world.shop.clock.advance_seconds(3_600);
        let most = if *kind == Kind::Memory { 8 } else { 5 };
        for (policy, case) in [KEEP, MATCH, REFUSE]
            .into_iter()
            .flat_map(|policy| UNCOUNTED[..most].iter().map(move |case| (policy, case)))
        {
            let told = format!("{}, {policy:?} on {}", case.what, kind.name());
            world.record(world.reset(9, "40")).await;
            world.shop.clock.advance_seconds(60);
            let take = world.started(policy, 10).await;
            let began = world.shop.now();
            for number in 0..9 {
                let on_hand = world.on_hand(number).await;
                world.count(take, number, CountRequest::set(on_hand)).await;
            }
            for (at, dated, by) in case.moves {
                world.shop.clock.set(seconds(began, *at));
                let movement = change(&world, 9, *by);
                let movement = match dated {
                    Some(dated) => movement.at(seconds(began, *dated)),
                    None => movement,
                };
                world.record(movement).await;
            }
            world.shop.clock.set(seconds(began, 600));
            let before = world.on_hand(9).await;
            let posted = world.submit(take, ZERO).await;
            if policy == REFUSE && case.is_refused {
                let problem = only_problem(posted.unwrap_err());
                assert!(matches!(problem, LineProblem::Moved { .. }), "{told}");
                assert_eq!(world.on_hand(9).await, before, "{told}");
                continue;
            }
            let posted = posted.unwrap_or_else(|error| panic!("{told}: {error:?}"));
            let keeps = if policy == MATCH { 0 } else { case.keeps };
            let keeps = Quantity::try_from(keeps).unwrap();
            assert_eq!(world.on_hand(9).await, keeps, "{told}");
            let item = world.item(take, 9).await;
            let lost = keeps.checked_sub(before).unwrap();
            assert_eq!(item.variance(), Some(lost), "{told}");
            let result = posted.result().unwrap();
            assert_eq!((result.uncounted, result.superseded), (0, 0), "{told}");
        }
        world.assert_sound().await;
    }
}

/// A take that is counted at once gets its lines from a job, and some while it is counted: they lose what was there when
/// the take began too.
#[tokio::test]
async fn fault_c2_a_line_that_is_added_later_loses_what_was_there_when_the_take_began() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        let (takes, manager) = (world.takes(), world.manager());
        let elsewhere = world.shop.key(0).at("A-1".parse().unwrap());
        let stocked = stocktake::service::Movement::Receipt {
            key: elsewhere.clone(),
            quantity: q("10"),
            unit_cost: None,
        };
        let new = NewStockTake {
            site: world.shop.site.id,
            description: "All of it".parse().unwrap(),
            movement_policy: KEEP,
        };
        let take = takes.create(&manager, new).await.unwrap().id();
        world.shop.clock.advance_seconds(10);
        // Before its line is added.
        world.record(world.receipt(9, "24")).await;
        world.record(world.sale(8, "4")).await;
        world.shop.run_jobs().await.unwrap();
        world.shop.clock.advance_seconds(10);
        world.record(world.receipt(8, "3")).await;
        world.record(stocked).await;
        world.shop.clock.advance_seconds(10);
        let found = takes.add_found(&manager, take, &elsewhere).await;
        found.unwrap();
        let posted = world.submit(take, ZERO).await.unwrap();
        assert_eq!(world.on_hand(9).await, q("24"), "{}", kind.name());
        assert_eq!(world.on_hand(8).await, q("3"), "{}", kind.name());
        assert_eq!(world.on_hand(0).await, q("0"), "{}", kind.name());
        let there = world.shop.on_hand(&elsewhere).await.unwrap();
        assert_eq!(there, q("10"), "it came after the take began");
        let result = posted.result().unwrap();
        assert_eq!((result.adjusted, result.confirmed), (10, 1));
        world.assert_sound().await;
    }
}

/// Nothing is moved on the clock: what is recorded after the start is after it all the same.
#[tokio::test]
async fn fault_c2_at_one_instant_the_order_of_recording_decides() {
    let world = World::open(Kind::Memory).await;
    let take = world.started(KEEP, 2).await;
    world.record(world.receipt(0, "24")).await;
    world.record(world.sale(1, "5")).await;
    world.submit(take, ZERO).await.unwrap();
    assert_eq!(world.on_hand(0).await, q("24"));
    assert_eq!(world.on_hand(1).await, q("0"));
}

/// A receipt that is taken back after a count knew of it, and that count is taken back as well: nothing has left.
#[tokio::test]
async fn fault_c2_an_absorption_that_was_taken_back_has_taken_nothing() {
    let world = World::open(Kind::Memory).await;
    let there = world.on_hand(0).await;
    let take = world.started(KEEP, 1).await;
    let other = world.started(KEEP, 1).await;
    world.shop.clock.advance_seconds(60);
    let receipt = world.record(world.receipt(0, "1")).await;
    world.shop.clock.advance_seconds(60);
    world.count(other, 0, set("3")).await;
    world.submit(other, PLAIN).await.unwrap();
    world.shop.clock.advance_seconds(60);
    let taken_back = stocktake::service::Movement::Reversal { of: receipt };
    world.record(taken_back).await;
    assert_eq!(world.on_hand(0).await, q("3"), "it is absorbed");
    let reopened = world.takes().reopen(&world.manager(), other, None).await;
    reopened.unwrap();
    assert_eq!(world.on_hand(0).await, there);
    world.submit(take, ZERO).await.unwrap();
    assert_eq!(world.on_hand(0).await, q("0"));
    world.assert_sound().await;
}

/// What was known since the take began supersedes a line that nobody counted, and what was known before does not.
#[tokio::test]
async fn fault_c2_what_was_known_since_the_take_began_stands() {
    for policy in [KEEP, MATCH, REFUSE] {
        let world = World::open(Kind::Memory).await;
        world.record(world.reset(1, "12")).await;
        world.shop.clock.advance_seconds(60);
        let take = world.started(policy, 2).await;
        let other = world.started(KEEP, 1).await;
        world.shop.clock.advance_seconds(60);
        world.count(other, 0, set("33")).await;
        world.submit(other, PLAIN).await.unwrap();
        world.shop.clock.advance_seconds(60);
        let posted = world.submit(take, ZERO).await;
        if policy == REFUSE {
            let problem = only_problem(posted.unwrap_err());
            let LineProblem::Superseded { by, .. } = problem else {
                panic!("{problem:?}");
            };
            assert!(matches!(by, Cause::StockTake { take, .. } if take == other));
            continue;
        }
        let result = posted.unwrap().result().unwrap().clone();
        assert_eq!((result.superseded, result.adjusted), (1, 1));
        assert_eq!(world.on_hand(0).await, q("33"));
        assert_eq!(world.on_hand(1).await, q("0"));
    }
}

/// What is told after the posting goes where it belongs: what came before the take began was lost with the rest, what
/// came after it is there.
#[tokio::test]
async fn fault_c2_what_is_told_after_the_posting_belongs_before_or_after_the_beginning() {
    let world = World::open(Kind::Memory).await;
    world.shop.clock.advance_seconds(3_600);
    let take = world.started(KEEP, 1).await;
    let began = world.shop.now();
    world.shop.clock.advance_seconds(600);
    world.submit(take, ZERO).await.unwrap();
    let before = world.receipt(0, "7").at(seconds(began, -60));
    world.record(before).await;
    assert_eq!(world.on_hand(0).await, q("0"));
    let after = world.receipt(0, "24").at(seconds(began, 60));
    world.record(after).await;
    assert_eq!(world.on_hand(0).await, q("24"));
    // Taken back, all of it is there.
    let reopened = world.takes().reopen(&world.manager(), take, None).await;
    reopened.unwrap();
    assert_eq!(world.on_hand(0).await, q("71"));
    // And posted again, what was there at the beginning is lost again.
    world.submit(take, ZERO).await.unwrap();
    assert_eq!(world.on_hand(0).await, q("24"));
    world.assert_sound().await;
}

#[tokio::test]
async fn fault_c3_a_count_in_parts_is_judged_from_its_first_part_on() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        for (policy, first) in [(KEEP, 0), (MATCH, 3), (REFUSE, 6)] {
            let take = world.started_with(policy, first..first + 3).await;
            for number in first..first + 3 {
                world.count(take, number, add("15")).await;
            }
            world.shop.clock.advance_seconds(60);
            for number in first..first + 2 {
                world.record(world.sale(number, "5")).await;
            }
            world.shop.clock.advance_seconds(60);
            world.count(take, first, add("25")).await;
            // What is set begins anew, and the third line did not move.
            world.count(take, first + 1, set("35")).await;
            world.count(take, first + 2, add("25")).await;
            world.shop.clock.advance_seconds(60);
            let posted = world.submit(take, PLAIN).await;
            if policy == REFUSE {
                let problem = only_problem(posted.unwrap_err());
                let LineProblem::Moved { moves } = problem else {
                    panic!("{problem:?}");
                };
                let told: Vec<_> = moves
                    .iter()
                    .map(|it| (it.change, it.before_count, it.between_parts))
                    .collect();
                assert_eq!(told, [(q("-5"), true, true)], "{}", kind.name());
                world.count(take, first, set("35")).await;
                world.submit(take, PLAIN).await.unwrap();
            } else {
                posted.unwrap();
                let line = world.item(take, first).await.posting.unwrap();
                assert!(line.moved_between_parts(), "{policy:?}");
                assert_eq!(line.change, q("5"));
            }
            for number in [first + 1, first + 2] {
                let line = world.item(take, number).await.posting.unwrap();
                assert!(!line.moved_between_parts(), "{policy:?} {number}");
                assert_eq!(line.outcome, LineOutcome::Confirmed);
            }
            world.assert_sound().await;
        }
    }
}

/// What moves before the first part, or after the last, is not between them, however late it is told.
#[tokio::test]
async fn fault_c3_what_moves_outside_of_the_parts_is_not_between_them() {
    let world = World::open(Kind::Memory).await;
    world.shop.clock.advance_seconds(3_600);
    let take = world.started(KEEP, 1).await;
    let began = world.shop.now();
    world.shop.clock.set(seconds(began, 100));
    world.count(take, 0, add("15")).await;
    world.shop.clock.set(seconds(began, 200));
    let before = world.sale(0, "2").at(seconds(began, 50));
    world.record(before).await;
    world.shop.clock.set(seconds(began, 300));
    world.count(take, 0, add("23")).await;
    world.shop.clock.set(seconds(began, 400));
    world.record(world.sale(0, "3")).await;
    world.submit(take, PLAIN).await.unwrap();
    let line = world.item(take, 0).await.posting.unwrap();
    assert!(!line.moved_between_parts());
    assert_eq!(world.on_hand(0).await, q("35"));
}

/// Forty at ten, five sold at eleven, told at twelve: the sale stays, and the count was right.
#[tokio::test]
async fn fault_c4_a_count_may_say_when_it_was_made() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        world.shop.clock.advance_seconds(3_600);
        let take = world.started(KEEP, 4).await;
        let count = started_count(&world, KEEP).await;
        world.shop.clock.advance_seconds(3_600);
        let ten = world.shop.now();
        let eleven = seconds(ten, 3_600);
        world.shop.clock.set(eleven);
        for number in 0..5 {
            world.record(world.sale(number, "5")).await;
        }
        world.shop.clock.set(seconds(ten, 7_200));
        // One by one, in a batch, by article, and on an inventory count.
        world.count(take, 0, set("40").at(ten)).await;
        let batch = [
            (world.line(take, 1), set("38").at(ten)),
            (world.line(take, 2), set("35")),
        ];
        let (takes, manager) = (world.takes(), world.manager());
        let counted = takes.count_lines(&manager, take, &batch).await.unwrap();
        let shown: Vec<_> = counted.iter().map(|it| it.variance().unwrap()).collect();
        assert_eq!(shown, [q("-2"), q("0")], "{}", kind.name());
        let article = InventoryRequest {
            article: ArticleName::of(world.shop.products[3].article_id.clone()),
            entered: Entered::Add(q("41")),
            counted_at: Some(ten),
        };
        let by_article = takes.inventory(&world.manager(), take, article).await;
        assert_eq!(by_article.unwrap().variance(), Some(q("1")));
        let item = NewCountItem::of(world.shop.products[4].id, q("39")).at(ten);
        count_item(&world, count, item).await;
        // What had happened by ten is told only now.
        let early = world.sale(0, "1").at(seconds(ten, -60));
        world.record(early).await;

        let line = world.line(take, 0);
        let entries = takes.count_entries(&world.manager(), take, line).await;
        let entry = &entries.unwrap()[0];
        assert_eq!((entry.at, entry.recorded_at), (ten, world.shop.now()));
        assert_eq!(entry.book, q("40"));

        world.submit(take, PLAIN).await.unwrap();
        let counts = world.shop.stocktake.inventory_counts();
        let done = counts.complete(&world.manager(), count, APPLY, None).await;
        assert_eq!(done.unwrap().totals.discrepancies(), 1);
        // Ten o'clock's 40 are one more than the book with the late sale; five were sold since.
        for (number, left) in ["35", "33", "35", "36", "34"].into_iter().enumerate() {
            assert_eq!(world.on_hand(number).await, q(left), "{number}");
        }
        let stock = world.shop.stocktake.stock();
        let key = world.shop.key(1);
        let events = stock.key_events(&world.manager(), &key, 0).await.unwrap();
        assert_eq!(events.last().unwrap().occurred_at, ten);
        world.assert_sound().await;
    }
}

/// A key that has moved a thousand times since is read further back.
#[tokio::test]
async fn fault_c4_the_book_of_a_busy_key_is_found() {
    let world = World::open(Kind::Memory).await;
    let take = world.started(KEEP, 1).await;
    world.shop.clock.advance_seconds(3_600);
    let counted_at = world.shop.now();
    world.shop.clock.advance_seconds(600);
    let sales = vec![world.sale(0, "0.02"); 1_500];
    let stock = world.shop.stocktake.stock();
    stock
        .record(&world.manager(), world.shop.site.id, &sales)
        .await
        .unwrap();
    world.shop.clock.advance_seconds(600);
    world.count(take, 0, set("39").at(counted_at)).await;
    assert_eq!(world.item(take, 0).await.variance(), Some(q("-1")));
    world.submit(take, PLAIN).await.unwrap();
    assert_eq!(world.on_hand(0).await, q("9"));
}

#[tokio::test]
async fn fault_c4_a_count_is_not_of_the_future_nor_of_a_closed_period_nor_of_before_the_take() {
    let world = World::open(Kind::Memory).await;
    let (takes, manager) = (world.takes(), world.manager());
    world.shop.clock.advance_seconds(3_600);
    let take = world.started(KEEP, 1).await;
    let count = started_count(&world, KEEP).await;
    let began = world.shop.now();
    world.shop.clock.advance_seconds(7_200);
    let now = world.shop.now();
    let mut site = world.shop.site.clone();
    site.policy.closed_until = Some(seconds(began, 3_600));
    let catalogue = world.shop.stocktake.catalogue();
    catalogue.put_site(&manager, site).await.unwrap();
    let line = world.line(take, 0);
    for (at, expected) in [
        (seconds(now, 301), Some(("future_dated", 422))),
        (seconds(now, 300), None),
        (seconds(began, 3_599), Some(("period_closed", 409))),
        (seconds(began, 3_600), None),
        (seconds(began, -1), Some(("period_closed", 409))),
    ] {
        // A line without a count takes any moment that is allowed.
        let cleared = takes.count(&manager, take, line, CountRequest::clear());
        cleared.await.unwrap();
        let counted = takes.count(&manager, take, line, set("40").at(at)).await;
        let told = counted.map_err(|error| (error.code(), error.kind().status()));
        assert_eq!(told.err(), expected);
        let counts = world.shop.stocktake.inventory_counts();
        let new = NewCountItem::of(world.shop.products[0].id, q("40")).at(at);
        let counted = counts.count(&manager, count, new).await;
        if let Some((code, _)) = expected {
            assert_eq!(counted.unwrap_err().code(), code);
        }
    }
    let site = world.shop.site.clone();
    catalogue.put_site(&manager, site).await.unwrap();
    for (at, expected) in [(-1, Some("before_start")), (0, None)] {
        let cleared = takes.count(&manager, take, line, CountRequest::clear());
        cleared.await.unwrap();
        let at = seconds(began, at);
        let counted = takes.count(&manager, take, line, set("40").at(at)).await;
        assert_eq!(counted.map_err(|error| error.code()).err(), expected);
    }
    let counts = world.shop.stocktake.inventory_counts();
    let before = NewCountItem::of(world.shop.products[1].id, q("40")).at(seconds(began, -1));
    let refused = counts.count(&manager, count, before).await;
    assert_eq!(refused.unwrap_err().code(), "before_start");
}

/// A count that is told late does not replace one that was made after it; its parts come in any order.
#[tokio::test]
async fn fault_c4_counts_of_a_line_are_in_the_order_in_which_they_were_made() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        let (takes, manager) = (world.takes(), world.manager());
        world.shop.clock.advance_seconds(3_600);
        let take = world.started(REFUSE, 3).await;
        let began = world.shop.now();
        let at = |minutes: i64| seconds(began, minutes * 60);
        world.shop.clock.set(at(20));
        world.count(take, 0, set("38")).await;
        world.count(take, 1, add("10")).await;
        world.shop.clock.set(at(60));
        for late in [set("30"), add("3"), CountRequest::clear()] {
            let line = world.line(take, 0);
            let refused = takes.count(&manager, take, line, late.at(at(10))).await;
            let refused = refused.unwrap_err();
            assert_eq!(
                (refused.code(), refused.kind().status()),
                ("counted_since", 409)
            );
        }
        // Parts that were made at five, ten and forty, told in another order.
        world.count(take, 1, add("9").at(at(40))).await;
        world.count(take, 1, add("11").at(at(5))).await;
        world.count(take, 1, add("10").at(at(10))).await;
        let counted = world.item(take, 1).await.count.unwrap();
        assert_eq!(counted.quantity, q("40"));
        assert_eq!((counted.first.at, counted.moment.at), (at(5), at(40)));
        // What moved between the first and the last of them, as it is told now.
        world.record(world.sale(1, "1").at(at(7))).await;
        let refused = world.submit(take, PLAIN).await.unwrap_err();
        let problem = only_problem(refused);
        assert!(matches!(problem, LineProblem::Moved { .. }), "{problem:?}");
    }
}

/// The book of a count that was told late is that of its moment, whatever else is counted, known and taken back.
#[tokio::test]
async fn fault_c4_a_late_count_meets_what_is_known() {
    for kind in Kind::ALL {
        let world = World::open(*kind).await;
        world.shop.clock.advance_seconds(3_600);
        let takes: Vec<StockTakeId> = {
            let mut takes = Vec::new();
            for _ in 0..3 {
                takes.push(world.started(KEEP, 1).await);
            }
            takes
        };
        let began = world.shop.now();
        let at = |minutes: i64| seconds(began, minutes * 60);
        // Counted at ten, twenty and thirty: 39, 34 (five were sold at fifteen) and 34. That of twenty is told last.
        world.shop.clock.set(at(10));
        world.count(takes[0], 0, set("39")).await;
        world.shop.clock.set(at(15));
        world.record(world.sale(0, "5")).await;
        world.shop.clock.set(at(30));
        world.count(takes[2], 0, set("34")).await;
        world.submit(takes[0], PLAIN).await.unwrap();
        assert_eq!(world.on_hand(0).await, q("34"));
        world.shop.clock.set(at(40));
        world.count(takes[1], 0, set("34").at(at(20))).await;
        assert_eq!(world.item(takes[1], 0).await.variance(), Some(q("0")));
        world.submit(takes[2], PLAIN).await.unwrap();
        let posted = world.submit(takes[1], PLAIN).await.unwrap();
        assert_eq!(posted.result().unwrap().superseded, 1);
        assert_eq!(world.on_hand(0).await, q("34"));
        // Without the newer one it is what is known.
        let reopened = world.takes().reopen(&world.manager(), takes[2], None).await;
        reopened.unwrap();
        world
            .takes()
            .reopen(&world.manager(), takes[1], None)
            .await
            .unwrap();
        let posted = world.submit(takes[1], PLAIN).await.unwrap();
        assert_eq!(posted.state(), StockTakeState::Finished);
        assert_eq!(posted.result().unwrap().confirmed, 1);
        let late = world.sale(0, "2").at(at(18));
        world.record(late).await;
        assert_eq!(world.on_hand(0).await, q("34"), "it had left by twenty");
        let since = world.sale(0, "2").at(at(25));
        world.record(since).await;
        assert_eq!(world.on_hand(0).await, q("32"));
        // The same request with its key is the same count, whenever it is sent.
        let once = keyed(&world.manager(), "offline-1");
        let take = world.started(KEEP, 1).await;
        let request = set("32").at(world.shop.now());
        let line = world.line(take, 0);
        let first = world
            .takes()
            .count(&once, take, line, request.clone())
            .await;
        world.shop.clock.advance_seconds(60);
        let again = world.takes().count(&once, take, line, request).await;
        assert_eq!(first.unwrap(), again.unwrap());
        world.assert_sound().await;
    }
}
