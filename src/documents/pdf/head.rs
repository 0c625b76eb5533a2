//! What stands above the lines: what document it is, and the facts about it.

use super::block::{Block, Column, Side, columns};
use super::flow::Flow;
use super::text::Style;
use super::{PrintError, PrintedPart};
use crate::domain::{Site, Stamp, StockTake, Timestamp, UserSummary};

/// A fact: what it is, and how it is.
pub(super) struct Fact {
    name: &'static str,
    text: String,
}

impl Fact {
    pub(super) fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self {
            name,
            text: text.into(),
        }
    }

    /// When something was done, and by whom.
    pub(super) fn done(name: &'static str, at: Timestamp, by: &UserSummary) -> Self {
        Self::new(name, format!("{} by {}", minute(at), by.shown_name()))
    }

    /// That the document is printed.
    pub(super) fn printed(stamp: &Stamp) -> Self {
        Self::done("Printed", stamp.at, &stamp.actor.user)
    }

    pub(super) fn site(site: &Site) -> Self {
        Self::new("Site", format!("{} ({})", site.name, site.external_id))
    }
}

/// A moment to the minute, in UTC.
pub(super) fn minute(at: Timestamp) -> String {
    at.to_datetime().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// What a take is called.
pub(super) fn take_title(take: &StockTake) -> &str {
    let title = take.details().title();
    if title.is_empty() {
        "Stock take"
    } else {
        title
    }
}

/// The name of a take that is not its title.
pub(super) fn take_name(take: &StockTake) -> Option<Fact> {
    let details = take.details();
    let name = details
        .name
        .as_ref()
        .filter(|_| details.description.is_some());
    name.map(|name| Fact::new("Name", name.as_str()))
}

/// The kind of the document in small letters, and its title in large ones.
pub(super) fn title(flow: &mut Flow, kind: &'static str, title: &str) -> Result<Block, PrintError> {
    let part = PrintedPart::Head("Title");
    let [column] = columns(flow.width(), 0.0, [(0.0, Side::Left)]);
    let mut setter = flow.setter(&part);
    let mut block = Block::default();
    let kind = setter.line(kind, Style::bold(9.0).grey())?;
    let y = block.text(column, 0.0, vec![kind]);
    let lines = setter.wrapped(title, Style::bold(15.0), column.width)?;
    block.text(column, y, lines);
    Ok(block.with_room(8.0))
}

/// Facts in two columns within a width.
pub(super) fn facts(flow: &mut Flow, width: f32, facts: &[Fact]) -> Result<Block, PrintError> {
    let (left, right): ([Column; 2], f32) = (
        columns(
            width / 2.0 - 8.0,
            6.0,
            [(50.0, Side::Left), (0.0, Side::Left)],
        ),
        width / 2.0 + 8.0,
    );
    let mut all = Block::default();
    for pair in facts.chunks(2) {
        let mut row = Block::default();
        for (fact, x) in pair.iter().zip([0.0, right]) {
            let part = PrintedPart::Head(fact.name);
            let mut setter = flow.setter(&part);
            let [name, text] = left.map(|column| Column {
                x: column.x + x,
                ..column
            });
            let named = setter.line(fact.name, Style::regular(8.0).grey())?;
            row.text(name, 1.0, vec![named]);
            let lines = setter.wrapped(&fact.text, Style::regular(9.0), text.width)?;
            row.text(text, 0.0, lines);
        }
        all = all.below(row.with_room(2.0));
    }
    Ok(all)
}

/// Lines to sign on, side by side.
pub(super) fn signatures<const N: usize>(
    flow: &mut Flow,
    names: [&'static str; N],
) -> Result<Block, PrintError> {
    let part = PrintedPart::Head("Signature");
    let mut block = Block::default();
    let places = columns(
        flow.width(),
        24.0,
        names.map(|_| (signature_width(flow, N), Side::Left)),
    );
    for (name, column) in names.into_iter().zip(places) {
        block.area(column.x, 34.0, column.width, 0.6, 0);
        let name = flow.setter(&part).line(name, Style::regular(8.0).grey())?;
        block.text(column, 36.0, vec![name]);
    }
    Ok(block)
}

fn signature_width(flow: &Flow, count: usize) -> f32 {
    let count = f32::from(u16::try_from(count).unwrap_or(u16::MAX));
    (flow.width() - 24.0 * (count - 1.0)) / count
}
