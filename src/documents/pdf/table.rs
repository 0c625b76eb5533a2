//! Rows of small tables: names of columns above, cells below.

use super::block::{Block, Column};
use super::flow::Flow;
use super::text::Style;
use super::{PrintError, PrintedPart};

/// The names of columns, over a rule.
pub(super) fn heading(flow: &mut Flow, columns: &[(Column, &str)]) -> Result<Block, PrintError> {
    let part = PrintedPart::Head("Columns");
    let width = flow.width();
    let mut setter = flow.setter(&part);
    let mut block = Block::default();
    for (column, name) in columns {
        let lines = setter.wrapped(name, Style::bold(8.0), column.width)?;
        block.text(*column, 0.0, lines);
    }
    let y = block.height + 2.0;
    block.area(0.0, y, width, 0.8, 0);
    Ok(block)
}

/// A light rule under a row.
pub(super) fn end_of_row(mut block: Block, width: f32) -> Block {
    let y = block.height + 4.0;
    block.area(0.0, y, width, 0.4, 190);
    block
}
