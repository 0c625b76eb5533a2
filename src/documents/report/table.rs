//! Tables that screen readers read, that fit on a phone, and whose numbers stand under each other.

use super::amount::Figure;
use super::chart::{self, Bar};
use super::markup::Markup;

/// How high a bar in a row is, in pixels.
const BAR: u32 = 14;

/// A table with a caption, names over the columns, and a name before each row.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// A row under the others, which sums them up.
    pub(super) foot: Option<Vec<Cell>>,
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    name: String,
    class: &'static str,
}

impl Column {
    /// Of texts.
    pub(super) fn text(name: impl Into<String>) -> Self {
        let (name, class) = (name.into(), "text");
        Self { name, class }
    }

    /// Of numbers.
    pub(super) fn number(name: impl Into<String>) -> Self {
        let (name, class) = (name.into(), "number");
        Self { name, class }
    }

    /// Of bars.
    pub(super) fn bar(name: impl Into<String>) -> Self {
        let (name, class) = (name.into(), "drawn");
        Self { name, class }
    }
}

/// What stands in a cell.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// The report's own words.
    Text(String),
    /// Somebody's.
    Words(String),
    /// An article: its id, its name, and where it is.
    Article {
        id: String,
        name: String,
        whereabouts: Vec<(&'static str, String)>,
    },
    /// A number.
    Number(Figure),
    /// A number, or none.
    Maybe(Option<Figure>),
    /// A drawing of the row, and the same in words.
    Drawn(Bar, String),
}

impl Table {
    pub(super) fn write(&self, page: &mut Markup) {
        page.within("table", &[("role", "table")], |page| {
            page.leaf("caption", &[], &self.caption);
            page.within("thead", &[("role", "rowgroup")], |page| {
                page.within("tr", &[("role", "row")], |page| {
                    for column in &self.columns {
                        let attributes = [
                            ("role", "columnheader"),
                            ("scope", "col"),
                            ("class", column.class),
                        ];
                        page.leaf("th", &attributes, &column.name);
                    }
                });
            });
            page.within("tbody", &[("role", "rowgroup")], |page| {
                for row in &self.rows {
                    self.row(page, row);
                }
            });
            if let Some(foot) = &self.foot {
                page.within("tfoot", &[("role", "rowgroup")], |page| {
                    self.row(page, foot);
                });
            }
        });
    }

    fn row(&self, page: &mut Markup, cells: &[Cell]) {
        page.within("tr", &[("role", "row")], |page| {
            for (index, (column, cell)) in self.columns.iter().zip(cells).enumerate() {
                if index == 0 {
                    let attributes = [
                        ("role", "rowheader"),
                        ("scope", "row"),
                        ("class", column.class),
                    ];
                    page.within("th", &attributes, |page| cell.write(page));
                } else {
                    let attributes = [
                        ("role", "cell"),
                        ("class", column.class),
                        ("data-label", column.name.as_str()),
                    ];
                    page.within("td", &attributes, |page| cell.write(page));
                }
            }
        });
    }
}

impl Cell {
    fn write(&self, page: &mut Markup) {
        match self {
            Self::Text(text) => page.text(text),
            Self::Words(words) => page.words(words),
            Self::Article {
                id,
                name,
                whereabouts,
            } => {
                page.within("span", &[("class", "name")], |page| page.words(name));
                page.within("span", &[("class", "code")], |page| {
                    page.words(id);
                    for (what, code) in whereabouts {
                        page.text(" \u{b7} ");
                        page.text(what);
                        page.text(" ");
                        page.words(code);
                    }
                });
            }
            Self::Number(figure) | Self::Maybe(Some(figure)) => number(page, figure),
            Self::Maybe(None) => page.text("\u{2013}"),
            Self::Drawn(bar, title) => chart::bar(page, bar, title, BAR),
        }
    }
}

/// Writes a number as people read it, with the exact one beside it for machines.
pub(super) fn number(page: &mut Markup, figure: &Figure) {
    let is_nothing = figure
        .exact
        .bytes()
        .all(|digit| matches!(digit, b'0' | b'.'));
    let value = ("value", figure.exact.as_str());
    if is_nothing {
        page.leaf("data", &[value, ("class", "nil")], &figure.shown);
    } else {
        page.leaf("data", &[value], &figure.shown);
    }
}
