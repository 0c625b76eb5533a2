//! Takes and their lines are made, once.

use std::sync::Arc;

use stocktake::domain::StockTakeState;

use super::callers::{add_articles, delete_item, remove, remove_article, start, worker};
use super::race::{INVALID, Race, Task, assert_same, caller, how_many};
use super::world::{World, assert_lines_once, counted, created, listed, new_list, new_take};

#[test]
fn one_creation_sent_twice_creates_once() {
    fn create(world: &Arc<World>) -> Task {
        caller(world, |world| async move {
            let takes = world.shop.stocktake.stock_takes();
            let take = takes.create(&world.keyed("one"), new_take(&world)).await?;
            Ok(format!("created {} {:?}", take.id(), take.state()))
        })
    }
    Race {
        prepare: World::open,
        callers: |world| vec![create(world), create(world)],
        check: |world, told| {
            assert_same(told);
            assert_eq!(world.takes().len(), 1);
            assert_lines_once(world, 10);
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn one_annual_list_sent_twice_is_created_once() {
    fn create(world: &Arc<World>) -> Task {
        caller(world, |world| async move {
            let takes = world.shop.stocktake.stock_takes();
            let take = takes
                .create_list(&world.keyed("one"), new_list(&world, true))
                .await?;
            Ok(format!(
                "created {} {:?} {}",
                take.id(),
                take.state(),
                take.items_added()
            ))
        })
    }
    Race {
        prepare: World::open,
        callers: |world| vec![create(world), create(world)],
        check: |world, told| {
            assert_same(told);
            assert_eq!(world.takes().len(), 1);
            assert_lines_once(world, 10);
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn one_removal_sent_twice_tells_both_the_same() {
    Race {
        prepare: counted,
        callers: |world| vec![remove(world, "one"), remove(world, "one")],
        check: |world, told| {
            assert_same(told);
            assert_eq!(world.take().state(), StockTakeState::Removed);
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn one_deletion_of_a_line_sent_twice_tells_both_the_same() {
    Race {
        prepare: counted,
        callers: |world| vec![delete_item(world, 0, "one"), delete_item(world, 0, "one")],
        check: |world, told| {
            assert_same(told);
            assert_eq!(world.lines().len(), 9);
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn one_addition_of_articles_sent_twice_adds_once() {
    Race {
        prepare: listed,
        callers: |world| {
            let articles = &["SKU-0", "SKU-1", "SKU-2"];
            vec![
                add_articles(world, articles, "one"),
                add_articles(world, articles, "one"),
            ]
        },
        check: |world, told| {
            assert_same(told);
            assert_eq!(told[0], "added 2");
            assert_lines_once(world, 3);
        },
        preemptions: 4,
    }
    .run();
}

#[test]
fn additions_of_articles_that_overlap_add_each_once() {
    Race {
        prepare: listed,
        callers: |world| {
            vec![
                add_articles(world, &["SKU-1", "SKU-2"], "one"),
                add_articles(world, &["SKU-2", "SKU-3"], "two"),
            ]
        },
        check: |world, told| {
            assert_eq!(how_many(told, "error"), 0, "{told:?}");
            assert_lines_once(world, 4);
        },
        preemptions: 4,
    }
    .run();
}

#[test]
fn starting_and_adding_articles() {
    Race {
        prepare: listed,
        callers: |world| vec![start(world, "one"), add_articles(world, &["SKU-1"], "two")],
        check: |world, told| {
            assert_eq!(told[0], "started Ongoing");
            match told[1].as_str() {
                "added 1" => assert_lines_once(world, 2),
                INVALID => assert_lines_once(world, 1),
                other => panic!("{other}"),
            }
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn starting_and_removing_the_last_line() {
    Race {
        prepare: listed,
        callers: |world| vec![start(world, "one"), remove_article(world, "SKU-0", "two")],
        check: |world, told| {
            let lines = world.lines().len();
            match world.take().state() {
                StockTakeState::New => assert_eq!((lines, told[0].as_str()), (0, "error no_lines")),
                // S4.6: what is started has a line.
                state => assert_eq!((state, lines), (StockTakeState::Ongoing, 1), "{told:?}"),
            }
        },
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn one_start_sent_twice_starts_once() {
    Race {
        prepare: listed,
        callers: |world| vec![start(world, "one"), start(world, "one")],
        check: |_, told| assert_same(told),
        preemptions: usize::MAX,
    }
    .run();
}

#[test]
fn two_workers_add_each_line_once() {
    Race {
        prepare: created,
        callers: |world| vec![worker(world, "one", 0), worker(world, "two", 61)],
        check: |world, told| {
            assert_eq!(told, ["worked", "worked"]);
            assert_lines_once(world, 10);
        },
        preemptions: 3,
    }
    .run();
}

#[test]
fn what_is_found_while_lines_are_added_is_there_once() {
    fn find(world: &Arc<World>, number: usize, key: &'static str) -> Task {
        let (take, found) = (world.id(), world.shop.key(number));
        caller(world, move |world| async move {
            let takes = world.shop.stocktake.stock_takes();
            takes.add_found(&world.keyed(key), take, &found).await?;
            Ok("found".to_owned())
        })
    }
    Race {
        prepare: created,
        callers: |world| {
            vec![
                worker(world, "one", 0),
                find(world, 3, "one"),
                find(world, 3, "two"),
            ]
        },
        check: |world, told| {
            assert_eq!(how_many(told, "error"), 0, "{told:?}");
            assert_lines_once(world, 10);
        },
        preemptions: 2,
    }
    .run();
}
