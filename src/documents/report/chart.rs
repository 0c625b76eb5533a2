//! Drawings. Lengths are shares of the width that there is, so that words keep their size on every screen; each drawing
//! has a title that says the same, and tells by place and pattern what it also tells by colour.

use super::amount::{along, length};
use super::hours::Column;
use super::markup::Markup;

/// The whole width, in hundredths of a percent.
const ALL: u32 = 10_000;
/// What is there at all can be seen.
const LEAST: u32 = 30;
/// How high the columns are, in pixels.
const HEIGHT: u32 = 180;
/// The room above the columns.
const ABOVE: u32 = 20;
/// More lines across than these are in the way.
const MOST_TICKS: u64 = 5;

/// A bar in a row of a table.
#[derive(Clone, Debug)]
pub(super) enum Bar {
    /// From a line of zero, what is missing to the left and what is too much to the right; the net stands between.
    Balance {
        missing: i128,
        excess: i128,
        scale: Scale,
    },
    /// What was expected above what was counted.
    Pair {
        expected: i128,
        counted: i128,
        most: i128,
    },
    /// A part.
    Part {
        part: i128,
        most: i128,
        class: &'static str,
    },
}

/// How far bars of one table go to both sides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scale {
    missing: i128,
    excess: i128,
}

impl Scale {
    /// Wide enough for this, too.
    pub(super) fn with(self, missing: i128, excess: i128) -> Self {
        Self {
            missing: self.missing.max(missing),
            excess: self.excess.max(excess),
        }
    }

    const fn whole(self) -> i128 {
        self.missing.saturating_add(self.excess)
    }

    fn zero(self) -> u32 {
        along(self.missing, self.whole())
    }
}

fn seen(part: i128, whole: i128) -> u32 {
    if part > 0 {
        along(part, whole).max(LEAST)
    } else {
        0
    }
}

/// Draws a bar, so many pixels high.
pub(super) fn bar(page: &mut Markup, bar: &Bar, title: &str, height: u32) {
    let high = height.to_string();
    let attributes = [
        ("class", "bar"),
        ("role", "img"),
        ("width", "100%"),
        ("height", &high),
    ];
    page.within("svg", &attributes, |page| {
        page.leaf("title", &[], title);
        match *bar {
            Bar::Balance {
                missing,
                excess,
                scale,
            } => balance(page, missing, excess, scale, height),
            Bar::Pair {
                expected,
                counted,
                most,
            } => {
                let half = height.saturating_sub(2).checked_div(2).unwrap_or(1);
                let below = half.saturating_add(2);
                rectangle(page, "expected", (0, seen(expected, most)), (0, half));
                rectangle(page, "counted", (0, seen(counted, most)), (below, half));
            }
            Bar::Part { part, most, class } => {
                rectangle(
                    page,
                    class,
                    (0, seen(part, most)),
                    (1, height.saturating_sub(2)),
                );
            }
        }
    });
}

fn balance(page: &mut Markup, missing: i128, excess: i128, scale: Scale, height: u32) {
    let (zero, whole) = (scale.zero(), scale.whole());
    let (left, right) = (seen(missing, whole).min(zero), seen(excess, whole));
    let band = (1, height.saturating_sub(2));
    rectangle(page, "missing", (zero.saturating_sub(left), left), band);
    rectangle(page, "excess", (zero, right), band);
    let net = excess.saturating_sub(missing);
    let away = along(net.saturating_abs(), whole);
    let at = if net < 0 {
        zero.saturating_sub(away)
    } else {
        zero.saturating_add(away).min(ALL)
    };
    upright(page, "zero", zero, height);
    if missing > 0 && excess > 0 {
        upright(page, "net", at, height);
    }
}

fn upright(page: &mut Markup, class: &'static str, at: u32, height: u32) {
    let (x, y) = (length(at), height.to_string());
    let attributes = [
        ("class", class),
        ("x1", &x),
        ("x2", &x),
        ("y1", "0"),
        ("y2", &y),
    ];
    page.void("line", &attributes);
}

/// A rectangle that begins at a share of the width and is a share of it wide, in a band of so many pixels.
fn rectangle(
    page: &mut Markup,
    class: &'static str,
    (x, width): (u32, u32),
    (y, height): (u32, u32),
) {
    if width == 0 || height == 0 {
        return;
    }
    let (x, width) = (length(x), length(width));
    let (y, height) = (y.to_string(), height.to_string());
    let attributes = [
        ("class", class),
        ("x", &x),
        ("y", &y),
        ("width", &width),
        ("height", &height),
    ];
    page.void("rect", &attributes);
}

/// What the pattern of bars of missing stock is made of. It is defined once for the whole page.
pub(super) fn patterns(page: &mut Markup) {
    let hidden = [
        ("class", "patterns"),
        ("width", "0"),
        ("height", "0"),
        ("aria-hidden", "true"),
    ];
    page.within("svg", &hidden, |page| {
        page.within("defs", &[], |page| {
            let attributes = [
                ("id", "hatch"),
                ("width", "6"),
                ("height", "6"),
                ("patternUnits", "userSpaceOnUse"),
                ("patternTransform", "rotate(45)"),
            ];
            page.within("pattern", &attributes, |page| {
                let ground = [("class", "hatch-ground"), ("width", "6"), ("height", "6")];
                page.void("rect", &ground);
                let line = [("class", "hatch-line"), ("width", "2"), ("height", "6")];
                page.void("rect", &line);
            });
        });
    });
}

/// What is written under a column.
pub(super) struct Label {
    /// The time of the day, where columns are narrower than a day.
    pub(super) time: Option<String>,
    /// The day.
    pub(super) day: String,
}

/// Draws columns of counted lines: those that are off stand on those that are right.
pub(super) fn columns(
    page: &mut Markup,
    title: &str,
    description: &str,
    columns: &[Column],
    label: impl Fn(usize) -> Label,
) {
    let most = columns.iter().map(|column| column.lines).max().unwrap_or(0);
    let step = tick(most);
    let top = most.div_ceil(step).saturating_mul(step).max(1);
    let number = u32::try_from(columns.len()).unwrap_or(u32::MAX).max(1);
    // A few columns are no wider than in a day.
    let slots = number.max(8);
    let slot = ALL.checked_div(slots).unwrap_or(ALL);
    let wide = slot.saturating_mul(4).checked_div(5).unwrap_or(slot);
    let foot = ABOVE.saturating_add(HEIGHT);
    let high = foot.saturating_add(40).to_string();
    let tall = |lines: u64| pixels(lines, top);
    let attributes = [
        ("class", "columns"),
        ("role", "img"),
        ("width", "100%"),
        ("height", high.as_str()),
        ("aria-labelledby", "columns-title columns-desc"),
    ];
    page.within("svg", &attributes, |page| {
        page.leaf("title", &[("id", "columns-title")], title);
        page.leaf("desc", &[("id", "columns-desc")], description);
        for number in 0..=MOST_TICKS {
            let at = step.saturating_mul(number);
            if at > top {
                break;
            }
            let y = foot.saturating_sub(tall(at));
            let class = if at == 0 { "zero" } else { "grid" };
            level(page, class, y);
            if at > 0 {
                let told = super::amount::Figure::number(at).shown;
                written(page, "tick", ("0", "start"), y.saturating_sub(4), &told);
            }
        }
        for (index, column) in (0_u32..).zip(columns) {
            let begin = slot.saturating_mul(index);
            let (all, off) = (tall(column.lines), tall(column.off));
            let off = if column.off > 0 { off.max(2) } else { 0 };
            let right = all.saturating_sub(off);
            rectangle(
                page,
                "right",
                (begin, wide),
                (foot.saturating_sub(right), right),
            );
            let above = foot.saturating_sub(right).saturating_sub(off);
            rectangle(page, "missing", (begin, wide), (above, off));
        }
        labels(page, columns.len(), slot, foot, label);
    });
}

/// Writes as many labels as fit on a phone, so that they overlap nowhere.
fn labels(page: &mut Markup, number: usize, slot: u32, foot: u32, label: impl Fn(usize) -> Label) {
    const MOST: u32 = 5;
    let between = ALL.checked_div(MOST).unwrap_or(ALL);
    let every = between.div_ceil(slot.max(1)).max(1);
    let mut last_day = String::new();
    for (index, place) in (0..number).zip(0_u32..) {
        if place.checked_rem(every) != Some(0) {
            continue;
        }
        let begin = length(slot.saturating_mul(place));
        let Label { time, day } = label(index);
        let mut y = foot.saturating_add(16);
        if let Some(time) = time {
            written(page, "label", (&begin, "start"), y, &time);
            y = y.saturating_add(16);
        }
        if day != last_day {
            written(page, "label", (&begin, "start"), y, &day);
            last_day = day;
        }
    }
}

fn written(page: &mut Markup, class: &'static str, (x, anchor): (&str, &str), y: u32, text: &str) {
    let y = y.to_string();
    let attributes = [
        ("class", class),
        ("x", x),
        ("y", &y),
        ("text-anchor", anchor),
    ];
    page.leaf("text", &attributes, text);
}

fn level(page: &mut Markup, class: &'static str, y: u32) {
    let y = y.to_string();
    let attributes = [
        ("class", class),
        ("x1", "0"),
        ("x2", "100%"),
        ("y1", &y),
        ("y2", &y),
    ];
    page.void("line", &attributes);
}

fn pixels(lines: u64, top: u64) -> u32 {
    let tall = u128::from(lines)
        .saturating_mul(HEIGHT.into())
        .checked_div(top.into());
    tall.and_then(|tall| u32::try_from(tall).ok()).unwrap_or(0)
}

/// A round step, so that up to five of them reach what is most.
fn tick(most: u64) -> u64 {
    let mut round = 1_u64;
    loop {
        for step in [1, 2, 5] {
            let step = round.saturating_mul(step);
            if step.saturating_mul(MOST_TICKS) >= most || step == u64::MAX {
                return step;
            }
        }
        round = round.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::tick;

    #[test]
    fn ticks_are_round_and_few() {
        for (most, step) in [
            (0, 1),
            (5, 1),
            (6, 2),
            (11, 5),
            (30, 10),
            (260, 100),
            (1_000_000, 200_000),
        ] {
            assert_eq!(tick(most), step, "{most}");
        }
        assert!(tick(u64::MAX) > u64::MAX / 10);
    }
}
