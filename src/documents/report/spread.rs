//! How far off the lines are, from nothing found to not in the book.

use crate::domain::Quantity;

/// How far a count is from what was expected.
const STEPS: [(&str, Side); 9] = [
    ("Nothing found", Side::Missing),
    ("More than half missing", Side::Missing),
    ("10 to 50 % missing", Side::Missing),
    ("Up to 10 % missing", Side::Missing),
    ("Right", Side::Right),
    ("Up to 10 % too many", Side::Excess),
    ("10 to 50 % too many", Side::Excess),
    ("More than half too many", Side::Excess),
    ("Not in the book", Side::Excess),
];
const RIGHT: usize = 4;

/// Which way a line is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Missing,
    Right,
    Excess,
}

/// Lines that are about as far off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) lines: u64,
    /// The value of what they are off by, in the minor unit.
    pub(super) net_minor: i128,
}

/// How many lines are how far off.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    steps: [Step; STEPS.len()],
}

impl Spread {
    /// Adds a line that was compared.
    pub(super) fn add(&mut self, expected: Quantity, counted: Quantity, minor: i64) {
        let Some(step) = self.steps.get_mut(step_of(expected, counted)) else {
            return;
        };
        step.lines = step.lines.saturating_add(1);
        step.net_minor = step.net_minor.saturating_add(minor.into());
    }

    /// From nothing found to not in the book.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&'static str, Side, Step)> {
        let names = STEPS.iter().copied();
        names
            .zip(self.steps)
            .map(|((name, side), step)| (name, side, step))
    }
}

/// Which step a line is on. Compared by multiplication, so that nothing is rounded.
fn step_of(expected: Quantity, counted: Quantity) -> usize {
    let expected = i128::from(expected.micros());
    let counted = i128::from(counted.micros());
    let off = counted.saturating_sub(expected);
    let is_within = |percent: i128| {
        off.saturating_abs().saturating_mul(100) <= expected.saturating_mul(percent)
    };
    let steps_away = match (off, expected) {
        (0, _) => 0,
        (_, ..=0) => 4,
        _ if counted == 0 => 4,
        _ if is_within(10) => 1,
        _ if is_within(50) => 2,
        _ => 3,
    };
    if off < 0 {
        RIGHT.saturating_sub(steps_away)
    } else {
        RIGHT.saturating_add(steps_away)
    }
}

#[cfg(test)]
mod tests {
    use super::{STEPS, step_of};

    #[test]
    fn each_line_is_on_one_step() -> Result<(), crate::domain::DecimalError> {
        for (expected, counted, step) in [
            ("40", "0", "Nothing found"),
            ("40", "19.999999", "More than half missing"),
            ("40", "20", "10 to 50 % missing"),
            ("40", "35.999999", "10 to 50 % missing"),
            ("40", "36", "Up to 10 % missing"),
            ("40", "40", "Right"),
            ("0", "0", "Right"),
            ("40", "44", "Up to 10 % too many"),
            ("40", "44.000001", "10 to 50 % too many"),
            ("40", "60", "10 to 50 % too many"),
            ("40", "60.000001", "More than half too many"),
            ("0", "0.000001", "Not in the book"),
            ("-3", "0", "Not in the book"),
        ] {
            let on = step_of(expected.parse()?, counted.parse()?);
            assert_eq!(
                STEPS.get(on).map(|(name, _)| *name),
                Some(step),
                "{expected} {counted}"
            );
        }
        Ok(())
    }
}
