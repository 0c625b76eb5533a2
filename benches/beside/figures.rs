//! What was measured, and the table of it.

use std::time::Duration;

use super::{CROWD, MOST_IMPORTED, SAMPLES};

/// How long each part of a stock take took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) populate: Duration,
    pub(crate) count: Duration,
    pub(crate) crowd: Duration,
    pub(crate) batch: Duration,
    pub(crate) post: Duration,
    pub(crate) import: Duration,
    pub(crate) page: Duration,
    pub(crate) totals: Duration,
}

/// Lines from all over the take.
pub(crate) fn spread<T: Copy>(items: &[T]) -> impl Iterator<Item = T> {
    let step = (items.len() / SAMPLES).max(1);
    (0..SAMPLES).map(move |nth| items[nth * step % items.len()])
}

/// How often a take is counted in batches: one batch would not tell much.
pub(crate) fn rounds(lines: usize) -> u32 {
    (10_000_u32 / u32::try_from(lines).unwrap_or(u32::MAX)).max(1)
}

pub(crate) fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

/// Prints a table of takes of some sizes, counted in batches of so many: the library, and the work by hand.
pub(crate) fn print_table(rows: &[(usize, Figures, Figures)], batch: usize) {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "lines",
        "what",
        "library",
        "by hand",
        "ratio",
        "to 1,000 lines",
    ]);
    let Some((_, first, _)) = rows.first() else {
        return;
    };
    for (lines, ours, theirs) in rows {
        let each = |time: Duration, of: usize| time / u32::try_from(of.max(1)).unwrap_or(u32::MAX);
        let batches = format!("batches of {batch}, a count");
        let imported = (*lines).min(MOST_IMPORTED);
        let figures = [
            (
                "populate, a line",
                each(ours.populate, *lines),
                each(theirs.populate, *lines),
                None,
            ),
            (
                "one durable count",
                ours.count,
                theirs.count,
                Some(first.count),
            ),
            (
                "16 counters, a count",
                each(ours.crowd, CROWD),
                each(theirs.crowd, CROWD),
                None,
            ),
            (
                batches.as_str(),
                each(ours.batch, *lines),
                each(theirs.batch, *lines),
                None,
            ),
            (
                "post, a line",
                each(ours.post, *lines),
                each(theirs.post, *lines),
                None,
            ),
            (
                "import, a value",
                each(ours.import, imported),
                each(theirs.import, imported),
                None,
            ),
            (
                "a deep page of 100",
                ours.page,
                theirs.page,
                Some(first.page),
            ),
            ("totals", ours.totals, theirs.totals, Some(first.totals)),
        ];
        for (what, ours, theirs, small) in figures {
            let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64().max(1e-9);
            table.add_row([
                lines.to_string(),
                what.to_owned(),
                format!("{ours:.1?}"),
                format!("{theirs:.1?}"),
                format!("{:.2}", ratio(ours, theirs)),
                small.map_or_else(String::new, |small| format!("{:.2}", ratio(ours, small))),
            ]);
        }
    }
    println!("{table}");
}
