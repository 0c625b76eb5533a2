//! What is really there, and what the book has to say of it, by brute force: every movement with its time, what is known,
//! and nothing of how the library gets there.

use stocktake::domain::MovementPolicy;

/// Something that moved.
#[derive(Clone, Copy, Debug)]
struct Moved {
    at: i64,
    change: i64,
    recorded: bool,
}

/// It was known that so many were there.
#[derive(Clone, Copy, Debug)]
struct Known {
    at: i64,
    there: i64,
    /// Whether that is the truth: all was counted at once.
    exact: bool,
}

/// What was counted of a take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    /// When the first part was counted.
    pub(super) first: i64,
    /// When the last part was.
    pub(super) at: i64,
    pub(super) there: i64,
    /// Whether all was counted at once.
    pub(super) whole: bool,
}

/// What a line comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is posted.
    Posted,
    /// Newer knowledge stands.
    Superseded,
    /// The take is refused for it.
    Refused,
}

/// The truth of one key.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    /// What is at either place.
    pub(super) there: [i64; 2],
    /// What the book said in the beginning.
    book: i64,
    moves: Vec<Moved>,
    known: Option<Known>,
    /// When the book was found to be wrong, or set.
    corrected: Vec<i64>,
}

impl Truth {
    pub(super) fn new(there: [i64; 2], book: i64) -> Self {
        Self {
            there,
            book,
            moves: Vec::new(),
            known: None,
            corrected: Vec::new(),
        }
    }

    /// Stock moves, as far as it is there.
    pub(super) fn moves(&mut self, at: i64, change: i64, place: usize, recorded: bool) -> i64 {
        let change = change.max(-self.there[place]);
        if change != 0 {
            self.there[place] += change;
            self.moves.push(Moved {
                at,
                change,
                recorded,
            });
        }
        change
    }

    /// A movement is recorded that never was.
    pub(super) fn mistake(&mut self, at: i64, change: i64) {
        self.moves.push(Moved {
            at,
            change,
            recorded: true,
        });
    }

    /// The movements that wait to be recorded: of which place in the list, when, and how many.
    pub(super) fn waiting(&self) -> Vec<(usize, i64, i64)> {
        let moves = self.moves.iter().enumerate();
        let waiting = moves.filter(|(_, moved)| !moved.recorded);
        waiting
            .map(|(index, moved)| (index, moved.at, moved.change))
            .collect()
    }

    pub(super) fn recorded(&mut self, index: usize) {
        self.moves[index].recorded = true;
    }

    fn recorded_after(&self, at: i64) -> impl Iterator<Item = &Moved> {
        let recorded = self.moves.iter().filter(|moved| moved.recorded);
        recorded.filter(move |moved| moved.at > at)
    }

    /// What the book must say: what was known last, and what has moved since; or the first book and all that moved.
    pub(super) fn level(&self) -> i64 {
        let (from, since) = match self.known {
            Some(known) => (known.there, known.at),
            None => (self.book, i64::MIN),
        };
        from + self.recorded_after(since).map(|it| it.change).sum::<i64>()
    }

    /// Whether the book is right as soon as all that moved is recorded.
    pub(super) fn is_exact(&self) -> bool {
        self.known.is_some_and(|known| known.exact)
    }

    pub(super) fn reset(&mut self, at: i64) -> i64 {
        let there = self.there[0] + self.there[1];
        self.corrected.push(at);
        self.known = Some(Known {
            at,
            there,
            exact: true,
        });
        there
    }

    fn know(&mut self, at: i64, there: i64, exact: bool) {
        let before = self.level();
        self.known = Some(Known { at, there, exact });
        if self.level() != before {
            self.corrected.push(at);
        }
    }

    fn is_superseded(&self, at: i64) -> bool {
        self.known.is_some_and(|known| known.at > at)
    }

    /// Whether something moved after a moment, or the book was corrected after it, as far as it is recorded.
    fn stirred_since(&self, at: i64) -> bool {
        self.recorded_after(at).next().is_some() || self.corrected.iter().any(|it| *it > at)
    }

    /// A counted take is posted now.
    pub(super) fn post(&mut self, counted: &Counted, policy: MovementPolicy, now: i64) -> Verdict {
        let superseded = self.is_superseded(counted.at);
        match policy {
            MovementPolicy::RefuseMoved if superseded || self.stirred_since(counted.first) => {
                return Verdict::Refused;
            }
            _ if superseded => return Verdict::Superseded,
            MovementPolicy::MatchCount => self.know(now, counted.there, false),
            MovementPolicy::KeepMovements | MovementPolicy::RefuseMoved => {
                self.know(counted.at, counted.there, counted.whole);
            }
        }
        Verdict::Posted
    }

    /// A take that nobody counted is posted now, and what was not counted is zeroed: what was there when it began, and has
    /// not left since, is gone.
    pub(super) fn zero(&mut self, began: i64, policy: MovementPolicy, now: i64) -> Verdict {
        let superseded = self.is_superseded(began);
        match policy {
            MovementPolicy::RefuseMoved if superseded || self.stirred_since(began) => {
                return Verdict::Refused;
            }
            _ if superseded => return Verdict::Superseded,
            MovementPolicy::MatchCount => self.know(now, 0, false),
            MovementPolicy::KeepMovements | MovementPolicy::RefuseMoved => {
                let since: Vec<i64> = self.recorded_after(began).map(|it| it.change).collect();
                let book = self.level() - since.iter().sum::<i64>();
                let left: i64 = since.iter().map(|change| (-change).max(0)).sum();
                self.know(began, left.min(book.max(0)), false);
            }
        }
        Verdict::Posted
    }
}
