//! A page as it is kept until the number of pages is known: small, because there may be thousands.

use super::bars::{BarSize, DOT};
use super::block::{Block, Mark};
use super::fonts::Weight;
use super::text::{Line, Style};

/// What stands on a page, from its top left corner, in points.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    /// The texts of all items, one after the other.
    letters: String,
}

/// A part of [`Page::letters`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    start: u32,
    length: u32,
}

/// One thing on a page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item {
    Text {
        x: f32,
        y: f32,
        size: f32,
        weight: Weight,
        shade: u8,
        right_to_left: bool,
        text: Part,
    },
    Area {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        shade: u8,
    },
    /// The first bar begins at `x`, a whole number of dots from the edge of the page.
    Bars {
        x: f32,
        y: f32,
        height: f32,
        module: u16,
        widths: Part,
    },
}

impl Page {
    /// The text of an item.
    pub(super) fn text(&self, part: Part) -> &str {
        let range = usize::try_from(part.start).ok().and_then(|start| {
            let end = start.checked_add(usize::try_from(part.length).ok()?)?;
            Some(start..end)
        });
        range
            .and_then(|range| self.letters.get(range))
            .unwrap_or_default()
    }

    /// Keeps a text. A page holds a few thousand letters; one of four billion could not be made.
    fn keep(&mut self, text: &str) -> Part {
        let start = u32::try_from(self.letters.len()).unwrap_or(u32::MAX);
        self.letters.push_str(text);
        Part {
            start,
            length: u32::try_from(text.len()).unwrap_or(u32::MAX),
        }
    }

    /// Puts a line of text; `y` is where its letters stand.
    pub(super) fn put_line(&mut self, x: f32, y: f32, line: &Line) {
        let text = self.keep(&line.text);
        let Style {
            size,
            weight,
            shade,
        } = line.style;
        self.items.push(Item::Text {
            x,
            y,
            size,
            weight,
            shade,
            right_to_left: line.right_to_left,
            text,
        });
    }

    /// Puts a block with its top left corner at a point.
    pub(super) fn put(&mut self, left: f32, top: f32, block: &Block) {
        for mark in &block.marks {
            match mark {
                Mark::Text { x, y, line } => self.put_line(left + x, top + y, line),
                Mark::Area {
                    x,
                    y,
                    width,
                    height,
                    shade,
                } => self.items.push(Item::Area {
                    x: left + x,
                    y: top + y,
                    width: *width,
                    height: *height,
                    shade: *shade,
                }),
                Mark::Bars { x, y, bars, size } => {
                    let widths = self.keep(&bars.widths);
                    let BarSize {
                        module,
                        inset,
                        height,
                        ..
                    } = *size;
                    self.items.push(Item::Bars {
                        x: ((left + x + inset) / DOT).round() * DOT,
                        y: top + y,
                        height,
                        module,
                        widths,
                    });
                }
            }
        }
    }

    /// Gives back what was reserved and is not needed, once the page is full.
    pub(super) fn close(&mut self) {
        self.items.shrink_to_fit();
        self.letters.shrink_to_fit();
    }
}
