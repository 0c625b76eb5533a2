//! Histories in which the clock is ahead for a while, and then put right: from then on what moves at its right time
//! always moves the level, and counting again always heals. Takes begin before, meanwhile and after; what was not counted
//! of them is zeroed, whatever the clock said when they began.
//!
//! The level is compared with the truth after each step. Where nobody can tell whether the key was counted before a take
//! began or after that, because one of both clocks was ahead and nothing moved between, the level is left as it is.
//!
//! A clock that was ahead is found out by what is recorded at an earlier time than it had said. When that time has passed
//! before anything is, nobody can tell: a take may as well have begun by a right clock, that was put forward since. So the
//! histories record something before that time passes, or are over. And a list that began by such a clock is not zeroed after it has.

use std::fmt;

use stocktake::domain::MovementPolicy;

use super::{History, Random};

mod play;

/// One act.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Stock moves by so many (out at most what is there). `late`: once the clock is right, it may be told later.
    Move {
        change: i64,
        timed: bool,
        late: bool,
        how: u64,
    },
    /// What waits to be recorded is, in its order or the other way round.
    Record { backwards: bool },
    /// A take of the key begins.
    Begin { policy: MovementPolicy, list: bool },
    /// A take of which nothing was counted is counted, or one that is made for it. `offline`: once the clock is right and
    /// something was recorded since, by a device that tells it later.
    Count { which: u64, offline: bool },
    /// A count is told, if it waits for it, and its take posted; or one that is not counted, when what was not counted is
    /// to be zeroed.
    Post { which: u64, zero: bool },
    /// An absolute value is recorded.
    Reset,
    /// Nothing happens for so many seconds.
    Wait { seconds: i64 },
}

/// A random history.
#[derive(Clone)]
pub(super) struct Mended {
    there: i64,
    book: i64,
    /// By how many seconds the clock is ahead for a while.
    ahead: i64,
    /// What happens before, meanwhile, and after.
    phases: [Vec<Step>; 3],
    /// Whether the last count, which heals, is told by a device.
    heals_offline: bool,
}

impl fmt::Display for Mended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} are there, the book says {}", self.there, self.book)?;
        for (phase, steps) in self.phases.iter().enumerate() {
            let ahead = if phase == 1 { self.ahead } else { 0 };
            writeln!(f, "  the clock is {ahead} s ahead:")?;
            for step in steps {
                writeln!(f, "    {step:?}")?;
            }
        }
        Ok(())
    }
}

impl Mended {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random::of(seed);
        let there = 5 + random.below(26);
        let mut phase = |least: i64| {
            let many = least + random.below(8);
            let steps = (0..many).map(|_| match random.below(24) {
                0..8 => Step::Move {
                    change: random.below(6) - 2,
                    timed: random.percent(50),
                    late: random.percent(40),
                    how: random.next(),
                },
                8..10 => Step::Record {
                    backwards: random.percent(50),
                },
                10..13 => Step::Begin {
                    policy: match random.below(4) {
                        0 => MovementPolicy::MatchCount,
                        1 => MovementPolicy::RefuseMoved,
                        _ => MovementPolicy::KeepMovements,
                    },
                    list: random.percent(50),
                },
                13..16 => Step::Count {
                    which: random.next(),
                    offline: random.percent(40),
                },
                16..21 => Step::Post {
                    which: random.next(),
                    zero: random.percent(50),
                },
                21..23 => Step::Reset,
                _ => Step::Wait {
                    seconds: random.below(2_000),
                },
            });
            steps.collect()
        };
        Self {
            phases: [phase(0), phase(2), phase(3)],
            there,
            book: there + random.below(9) - 4,
            ahead: 30 + random.below(4_000),
            heals_offline: random.percent(50),
        }
    }
}

impl History for Mended {
    fn len(&self) -> usize {
        self.phases.iter().map(Vec::len).sum()
    }

    fn without(&self, index: usize) -> Self {
        let mut shorter = self.clone();
        let mut index = index;
        for steps in &mut shorter.phases {
            if index < steps.len() {
                steps.remove(index);
                break;
            }
            index -= steps.len();
        }
        shorter
    }

    fn play(&self, verify: bool) -> Result<(), String> {
        super::run(play::play(self, verify))
    }
}
