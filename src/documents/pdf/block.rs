//! Things that stay together on a page: a row, a heading, the head of a document.

use super::bars::{BarSize, Bars};
use super::text::Line;

/// What is drawn, from the top left corner of its block.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// A line of text; `y` is where its letters stand.
    Text { x: f32, y: f32, line: Line },
    /// A filled rectangle.
    Area {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        shade: u8,
    },
    /// The bars of a code, with what stays white on both sides.
    Bars {
        x: f32,
        y: f32,
        bars: Bars,
        size: BarSize,
    },
}

/// A rectangle of a page, as wide as what is printed on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) marks: Vec<Mark>,
    pub(super) height: f32,
}

/// On which side of its column a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Middle,
    Right,
}

/// A column of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) x: f32,
    pub(super) width: f32,
    pub(super) side: Side,
}

impl Block {
    /// Text in a column, from `y` down; where the next line would begin.
    pub(super) fn text(&mut self, column: Column, mut y: f32, lines: Vec<Line>) -> f32 {
        for line in lines {
            let free = column.width - line.width;
            let x = column.x
                + match column.side {
                    Side::Left => 0.0,
                    Side::Middle => free / 2.0,
                    Side::Right => free,
                };
            let style = line.style;
            self.marks.push(Mark::Text {
                x,
                y: y + style.baseline(),
                line,
            });
            y += style.line_height();
        }
        self.height = self.height.max(y);
        y
    }

    /// A filled rectangle.
    pub(super) fn area(&mut self, x: f32, y: f32, width: f32, height: f32, shade: u8) {
        self.marks.push(Mark::Area {
            x,
            y,
            width,
            height,
            shade,
        });
        self.height = self.height.max(y + height);
    }

    /// A rectangle to write in.
    pub(super) fn frame(&mut self, x: f32, y: f32, width: f32, height: f32) {
        const LINE: f32 = 0.72;
        let (right, bottom) = (x + width - LINE, y + height - LINE);
        let inner = height - LINE - LINE;
        for (x, y, width, height) in [
            (x, y, width, LINE),
            (x, bottom, width, LINE),
            (x, y + LINE, LINE, inner),
            (right, y + LINE, LINE, inner),
        ] {
            self.area(x, y, width, height, 60);
        }
    }

    /// Bars in the middle of a column.
    pub(super) fn bars(&mut self, column: Column, y: f32, bars: &Bars, size: BarSize) -> f32 {
        let x = match column.side {
            Side::Left => column.x,
            Side::Middle => column.x + (column.width - size.width) / 2.0,
            Side::Right => column.x + column.width - size.width,
        };
        let end = y + size.height;
        let bars = bars.clone();
        self.marks.push(Mark::Bars { x, y, bars, size });
        self.height = self.height.max(end);
        end
    }

    /// Another block below this one.
    pub(super) fn below(mut self, other: Self) -> Self {
        let down = self.height;
        self.marks.extend(other.marks.into_iter().map(|mut mark| {
            match &mut mark {
                Mark::Text { y, .. } | Mark::Area { y, .. } | Mark::Bars { y, .. } => *y += down,
            }
            mark
        }));
        self.height += other.height;
        self
    }

    /// The same with room below.
    pub(super) fn with_room(mut self, below: f32) -> Self {
        self.height += below;
        self
    }
}

/// Columns side by side: each with its width, the one of width zero taking what is left.
pub(super) fn columns<const N: usize>(
    whole: f32,
    gap: f32,
    widths: [(f32, Side); N],
) -> [Column; N] {
    let gaps = widths.iter().skip(1).count();
    let gaps: f32 = std::iter::repeat_n(gap, gaps).sum();
    let taken: f32 = widths.iter().map(|(width, _)| width).sum();
    let left = whole - taken - gaps;
    let mut x = 0.0;
    widths.map(|(width, side)| {
        let width = if width > 0.0 { width } else { left };
        let column = Column { x, width, side };
        x += width + gap;
        column
    })
}
