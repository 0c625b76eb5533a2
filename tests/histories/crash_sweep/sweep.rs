//! Each fault at each call of a command.

use stocktake::service::Error;
use stocktake::testing::Fault;

use super::super::EVERY;
use super::poll::{done, within};
use super::state::State;
use super::world::{Kept, Work, World};

/// Every way to fail at a call. What hangs is dropped, and a dropped command makes no more calls. Nothing ever ends
/// on a store whose reads are stale for good.
pub(super) const FAULTS: [(Fault, bool); 15] = [
    (Fault::Before, false),
    (Fault::Before, true),
    (Fault::After, false),
    (Fault::After, true),
    (Fault::Unknown, false),
    (Fault::Unknown, true),
    (Fault::Late, false),
    (Fault::Late, true),
    (Fault::Stale, false),
    (Fault::Busy, false),
    (Fault::Busy, true),
    (Fault::Conflict, false),
    (Fault::Conflict, true),
    (Fault::HangBefore, false),
    (Fault::HangAfter, false),
];

/// The methods that write; no answer of theirs is stale.
pub(super) const WRITES: [&str; 8] = [
    "commit", "settle", "lease", "extend", "ack", "fail", "requeue", "enqueue",
];

/// Whether a fault at one call of a method does something of its own. Where nothing is unknown, losing the request
/// is being unreachable.
pub(super) fn matters(fault: Fault, method: &str) -> bool {
    match fault {
        Fault::Conflict | Fault::Taken | Fault::Unknown | Fault::Late => method == "commit",
        Fault::Stale => !WRITES.contains(&method),
        Fault::Before
        | Fault::After
        | Fault::Busy
        | Fault::HangBefore
        | Fault::HangAfter
        | Fault::Yield => true,
    }
}

/// Enough for a long command: the store is gone, before or after, somebody else is always faster, or the
/// process dies.
pub(super) const LONG_FAULTS: [(Fault, bool); 5] = [
    (Fault::Before, true),
    (Fault::After, true),
    (Fault::Late, true),
    (Fault::Conflict, true),
    (Fault::HangAfter, false),
];

/// Which crashes are tried: all, or a share of them.
#[derive(Default)]
pub(super) struct Share(u64);

impl Share {
    fn is_due(&mut self) -> bool {
        let every = std::env::var("STOCKTAKE_TEST_EVERY_CRASH");
        let every = every.map_or(EVERY, |text| text.parse().unwrap());
        self.0 += 1;
        (self.0 - 1).is_multiple_of(every)
    }
}

/// A command with its key; what it tells, without ids.
pub(super) type Commanded = fn(&World) -> Work<'_, Result<String, Error>>;

/// A command that is to survive a crash at every storage call.
pub(super) struct Sweep {
    name: &'static str,
    /// A fresh shop, up to the command.
    prepare: Box<dyn Fn() -> World>,
    command: Commanded,
    /// After so many waits the command is dropped: it meets nothing but conflicts.
    patience: usize,
    /// Whether every fault is tried, or only those that differ for a long command.
    faults: &'static [(Fault, bool)],
    /// Whether it decides by something that it does not expect to stay so: what it leaves out, or compares with, is
    /// decided as of the moment that it was read. Then a stale read may change what comes out, and breaks nothing all
    /// the same.
    decides_once: bool,
    /// Whether it is of the moment that its job comes to it, not of the one that it was asked for.
    whenever: bool,
}

impl Sweep {
    pub(super) fn of(
        name: &'static str,
        prepare: impl Fn() -> World + 'static,
        command: Commanded,
    ) -> Self {
        Self {
            name,
            prepare: Box::new(prepare),
            command,
            patience: 250,
            faults: &FAULTS,
            decides_once: false,
            whenever: false,
        }
    }

    /// The same for a command that leaves something out by what it reads, or compares with it.
    pub(super) fn deciding_once(mut self) -> Self {
        self.decides_once = true;
        self
    }

    /// The same for a command that is done when its job comes to it: the worker that comes after a crash comes later.
    pub(super) fn whenever(mut self) -> Self {
        self.whenever = true;
        self
    }

    fn state(&self, world: &World) -> State {
        let state = State::of(world);
        if self.whenever {
            state.whenever()
        } else {
            state
        }
    }

    /// The same for a command that takes long: fewer faults, and given up soon when it meets but conflicts.
    pub(super) fn long(mut self) -> Self {
        self.patience = 4;
        self.faults = &LONG_FAULTS;
        self
    }

    /// Runs the command undisturbed: what it told, where it ended, and the calls that it made.
    fn clean(&self, kept: &Kept) -> (String, State, Vec<&'static str>) {
        let world = World::again(kept);
        let told = told(done((self.command)(&world)));
        let log = world.store.log();
        world.drain();
        assert_sound(&world);
        let state = self.state(&world);
        assert!(state.is_done(), "{}: {state:?}", self.name);
        (told, state, log)
    }

    /// Runs the command into faults, asks again, and tells what is not as in the undisturbed run.
    fn disturbed(
        &self,
        faults: &[(u64, Fault, bool)],
        kept: &Kept,
        clean: &(String, State, Vec<&str>),
    ) -> Option<String> {
        let is_stale = faults.iter().any(|(_, fault, _)| *fault == Fault::Stale);
        let world = if is_stale {
            // What was read before the command is what it is told.
            (self.prepare)()
        } else {
            World::again(kept)
        };
        world.store.heal();
        for (call, fault, on) in faults {
            if *on {
                world.store.fail_from(*call, *fault);
            } else {
                world.store.fail_at(*call, *fault);
            }
        }
        let hangs = || world.store.is_hanging();
        let first = within(self.patience, hangs, (self.command)(&world)).map(told);
        world.store.heal();
        let again = told(done((self.command)(&world)));
        world.drain();
        assert_sound(&world);
        if self.decides_once && is_stale {
            return None;
        }
        let (expected, state, _) = clean;
        if again != *expected {
            return Some(format!(
                "asked again (first: {first:?}) it told {again:?}, not {expected:?}"
            ));
        }
        state.difference(&self.state(&world))
    }

    /// Runs the command into each fault at each of its calls.
    pub(super) fn run(&self) {
        let kept = (self.prepare)().kept();
        let clean = self.clean(&kept);
        let mut failures = Vec::new();
        let mut share = Share::default();
        for (call, method) in (1..).zip(&clean.2) {
            for (fault, on) in self.faults {
                if (!on && !matters(*fault, method)) || !share.is_due() {
                    continue;
                }
                if let Some(failure) = self.disturbed(&[(call, *fault, *on)], &kept, &clean) {
                    let on = if *on { " and on" } else { "" };
                    failures.push(format!(
                        "{fault:?} at call {call}{on} ({method}): {failure}"
                    ));
                }
            }
        }
        self.report(&failures);
    }

    /// Runs the command into each fault at each of its calls, and never asks again: its job does it, or it was
    /// never begun.
    pub(super) fn run_abandoned(&self) {
        let kept = (self.prepare)().kept();
        let (_, state, log) = self.clean(&kept);
        let untouched = World::again(&kept);
        untouched.drain();
        let untouched = self.state(&untouched);
        let (mut failures, mut done_by_job) = (Vec::new(), 0);
        let mut share = Share::default();
        for (call, method) in (1..).zip(&log) {
            for (fault, on) in self.faults {
                if *fault == Fault::Stale || (!on && !matters(*fault, method)) || !share.is_due() {
                    continue;
                }
                let world = World::again(&kept);
                if *on {
                    world.store.fail_from(call, *fault);
                } else {
                    world.store.fail_at(call, *fault);
                }
                let hangs = || world.store.is_hanging();
                drop(within(self.patience, hangs, (self.command)(&world)));
                world.store.heal();
                world.drain();
                assert_sound(&world);
                let end = self.state(&world);
                match (state.difference(&end), untouched.difference(&end)) {
                    (None, _) => done_by_job += 1,
                    (Some(_), None) => {}
                    (Some(failure), Some(_)) => {
                        failures.push(format!("{fault:?} at call {call} ({method}): {failure}"));
                    }
                }
            }
        }
        self.report(&failures);
        assert!(done_by_job > 0, "{}", self.name);
    }

    /// Runs the command into pairs of faults: at each call, and at each of the calls soon after it.
    pub(super) fn run_pairs(&self) {
        let kept = (self.prepare)().kept();
        let clean = self.clean(&kept);
        let calls = u64::try_from(clean.2.len()).unwrap();
        let mut failures = Vec::new();
        let once = [Fault::Before, Fault::After, Fault::Late, Fault::HangAfter];
        let mut share = Share::default();
        for first in 1..=calls {
            for second in first + 1..=first + 6 {
                for one in once {
                    for two in once {
                        if !share.is_due() {
                            continue;
                        }
                        let faults = [(first, one, false), (second, two, false)];
                        if let Some(failure) = self.disturbed(&faults, &kept, &clean) {
                            failures.push(format!("{faults:?}: {failure}"));
                        }
                    }
                }
            }
        }
        self.report(&failures);
    }

    fn report(&self, failures: &[String]) {
        let first = &failures[..failures.len().min(6)];
        assert!(
            failures.is_empty(),
            "{}: {} failures:\n{}",
            self.name,
            failures.len(),
            first.join("\n")
        );
    }
}

pub(super) fn told(result: Result<String, Error>) -> String {
    match result {
        Ok(told) => told,
        Err(error) => format!("error {}", error.code()),
    }
}

pub(super) fn assert_sound(world: &World) {
    let verified = done(
        world
            .shop
            .stocktake
            .stock()
            .verify(&world.manager(), world.shop.site.id),
    );
    let verified = verified.unwrap();
    assert!(verified.is_sound(), "{verified:?}");
}
