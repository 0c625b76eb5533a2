//! Callers that meet: through every schedule, and as real tasks.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use stocktake::service::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;

use super::world::World;

/// A caller; what it was told, without ids.
pub(super) type Task<T = String> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs a future that waits for nobody.
pub(super) fn done<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the future does not end");
}

pub(super) fn rounds() -> u32 {
    let rounds = std::env::var("STOCKTAKE_RACE_ROUNDS");
    rounds.map_or(20, |rounds| rounds.parse().unwrap())
}

pub(super) fn threads() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap()
}

/// Lets all tasks go at once, and waits for all of them.
pub(super) async fn together<T: Send + 'static>(tasks: Vec<Task<T>>) -> Vec<T> {
    let barrier = Arc::new(Barrier::new(tasks.len()));
    let started: Vec<_> = tasks
        .into_iter()
        .map(|task| {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                task.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in started {
        results.push(task.await.unwrap());
    }
    results
}

/// Callers that meet.
pub(super) struct Race {
    pub(super) prepare: fn() -> Arc<World>,
    pub(super) callers: fn(&Arc<World>) -> Vec<Task>,
    /// What must hold afterwards, and of what the callers were told.
    pub(super) check: fn(&World, &[String]),
    /// How often a schedule may take the turn from a caller that could go on.
    pub(super) preemptions: usize,
}

/// One schedule after another, depth first.
#[derive(Default)]
struct Schedules {
    /// What is chosen at each step: the index among the callers that could go on.
    chosen: Vec<(usize, usize)>,
}

impl Schedules {
    /// Drives callers to their ends by the current schedule; beyond it, whoever has the turn goes on.
    fn drive(&mut self, mut callers: Vec<Task>, preemptions: usize) -> Vec<String> {
        let mut context = Context::from_waker(Waker::noop());
        let mut results: Vec<Option<String>> = callers.iter().map(|_| None).collect();
        let (mut turn, mut left, mut step) = (None::<usize>, preemptions, 0);
        loop {
            let mut options: Vec<usize> = (0..callers.len())
                .filter(|at| results[*at].is_none())
                .collect();
            if options.is_empty() {
                return results.into_iter().flatten().collect();
            }
            let goes_on = turn.filter(|turn| options.contains(turn));
            if let Some(turn) = goes_on {
                options.retain(|at| *at != turn && left > 0);
                options.insert(0, turn);
            }
            if step == self.chosen.len() {
                self.chosen.push((0, options.len()));
            }
            let (choice, of) = self.chosen[step];
            assert_eq!(of, options.len(), "the callers are deterministic");
            let next = options[choice];
            if goes_on.is_some_and(|turn| turn != next) {
                left -= 1;
            }
            if let Poll::Ready(told) = callers[next].as_mut().poll(&mut context) {
                results[next] = Some(told);
            }
            (turn, step) = (Some(next), step + 1);
            assert!(step < 10_000, "the callers do not end");
        }
    }

    /// The next schedule, unless this was the last.
    fn next(&mut self) -> bool {
        while let Some((choice, of)) = self.chosen.pop() {
            if choice + 1 < of {
                self.chosen.push((choice + 1, of));
                return true;
            }
        }
        false
    }
}

impl Race {
    /// Every schedule; how many there were.
    pub(super) fn explore(&self) -> u32 {
        let mut schedules = Schedules::default();
        let mut run = 0;
        loop {
            let world = (self.prepare)();
            let callers = (self.callers)(&world);
            world.give_way();
            let told = schedules.drive(callers, self.preemptions);
            let check = std::panic::AssertUnwindSafe(|| {
                world.settle();
                (self.check)(&world, &told);
            });
            if let Err(failure) = std::panic::catch_unwind(check) {
                eprintln!("schedule {run}: {:?}, told {told:?}", schedules.chosen);
                std::panic::resume_unwind(failure);
            }
            run += 1;
            if !schedules.next() {
                return run;
            }
        }
    }

    /// Real tasks.
    pub(super) fn parallel(&self) {
        let threads = threads();
        for round in 0..rounds() {
            let world = (self.prepare)();
            let callers = (self.callers)(&world);
            if round % 2 == 0 {
                world.give_way();
            }
            let told = threads.block_on(together(callers));
            world.settle();
            (self.check)(&world, &told);
        }
    }

    pub(super) fn run(&self) {
        self.explore();
        self.parallel();
    }
}

pub(super) fn told(result: Result<String, Error>) -> String {
    result.unwrap_or_else(|error| format!("error {}", error.code()))
}

/// A caller that does one thing.
pub(super) fn caller<F, R>(world: &Arc<World>, work: F) -> Task
where
    F: FnOnce(Arc<World>) -> R,
    R: Future<Output = Result<String, Error>> + Send + 'static,
{
    let work = work(Arc::clone(world));
    Box::pin(async move { told(work.await) })
}

/// How many were told something that begins so.
pub(super) fn how_many(told: &[String], begin: &str) -> usize {
    told.iter().filter(|told| told.starts_with(begin)).count()
}

/// Exactly one was told `ok`, and all others one of the refusals.
pub(super) fn assert_one(told: &[String], ok: &str, refusals: &[&str]) {
    assert_eq!(how_many(told, ok), 1, "{told:?}");
    for one in told {
        assert!(
            one.starts_with(ok) || refusals.contains(&one.as_str()),
            "{told:?}"
        );
    }
}

pub(super) fn assert_same(told: &[String]) {
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    assert_eq!(how_many(told, "error"), 0, "{told:?}");
}

pub(super) const INVALID: &str = "error invalid_state";
pub(super) const NOT_FOUND: &str = "error not_found";
