//! Histories in which devices tell their counts later than they make them, counts have parts, lines that nobody counted
//! are zeroed, and takes have any policy.

use std::fmt;

use stocktake::domain::MovementPolicy;

use super::{History, Random};

mod play;

/// One act.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Stock of one of the two places where the counter looks moves by so many (out at most what is there). `tied`: what
    /// comes next is of the same second.
    Move {
        change: i64,
        place: usize,
        told: Told,
        how: u64,
        tied: bool,
    },
    /// So many thousandths of the movements that wait to be recorded are recorded, in any order.
    Record { share: u64, order: u64 },
    /// A take of the key begins.
    Begin { policy: MovementPolicy, how: u64 },
    /// A take of which nothing was counted is counted: all of it, or one place after the other. `offline`: the device
    /// tells it later.
    Count {
        which: u64,
        parts: bool,
        offline: bool,
    },
    /// The second place of a count in parts is counted.
    CountRest { which: u64, offline: bool },
    /// A device tells the counts that it has made.
    Tell { which: u64 },
    /// A take that is counted is posted; or one that is not, when what was not counted is to be zeroed.
    Post { which: u64, zero: bool },
    /// An absolute value is recorded.
    Reset,
}

/// When a movement is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    /// At once, without a time.
    AtOnce,
    /// At once, stating the time.
    AtOnceWithTime,
    /// Later, stating the time.
    Late,
}

/// A random history.
#[derive(Clone)]
pub(super) struct ToldLate {
    /// What is at either place at the beginning.
    there: [i64; 2],
    /// What the book says then.
    book: i64,
    steps: Vec<Step>,
}

impl fmt::Display for ToldLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} are there, the book says {}", self.there, self.book)?;
        for (at, step) in (1..).zip(&self.steps) {
            writeln!(f, "{at:>4}: {step:?}")?;
        }
        Ok(())
    }
}

impl ToldLate {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random::of(seed);
        let there = [3 + random.below(13), 3 + random.below(13)];
        let book = there[0] + there[1] + random.below(9) - 4;
        let takes = 1 + random.below(4);
        let mut steps = Vec::new();
        for _ in 0..random.below(10) {
            steps.push(Step::Move {
                change: random.below(6) - 2,
                place: usize::from(random.percent(50)),
                told: match random.below(10) {
                    0..4 => Told::Late,
                    4..7 => Told::AtOnce,
                    _ => Told::AtOnceWithTime,
                },
                how: random.next(),
                tied: random.percent(25),
            });
        }
        for _ in 0..takes {
            steps.push(Step::Count {
                which: random.next(),
                parts: random.percent(30),
                offline: random.percent(50),
            });
            steps.push(Step::CountRest {
                which: random.next(),
                offline: random.percent(50),
            });
            for _ in 0..2 {
                let which = random.next();
                steps.push(Step::Tell { which });
                let (which, zero) = (random.next(), random.percent(25));
                steps.push(Step::Post { which, zero });
            }
        }
        for _ in 0..random.below(4) {
            let (share, order) = (random.below(1_001).unsigned_abs(), random.next());
            steps.push(Step::Record { share, order });
        }
        if random.percent(40) {
            steps.push(Step::Reset);
        }
        random.shuffle(&mut steps);
        // What has not begun can't be counted.
        for _ in 0..takes {
            let policy = match random.below(4) {
                0 => MovementPolicy::MatchCount,
                1 => MovementPolicy::RefuseMoved,
                _ => MovementPolicy::KeepMovements,
            };
            let how = random.next();
            let early = i64::try_from(steps.len() / 2).unwrap() + 1;
            let place = usize::try_from(random.below(early)).unwrap();
            steps.insert(place, Step::Begin { policy, how });
        }
        Self { there, book, steps }
    }
}

impl History for ToldLate {
    fn len(&self) -> usize {
        self.steps.len()
    }

    fn without(&self, index: usize) -> Self {
        let mut shorter = self.clone();
        shorter.steps.remove(index);
        shorter
    }

    fn play(&self, verify: bool) -> Result<(), String> {
        super::run(play::play(self, verify))
    }
}
