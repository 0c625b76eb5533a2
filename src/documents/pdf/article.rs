//! What a line says of its article.

use super::PrintError;
use super::block::{Block, Column};
use super::text::{Setter, Style};
use crate::domain::{Code, Product, StockKey};

/// How an article id looks.
pub(super) const ID: Style = Style::bold(9.0);
/// How its name looks.
const NAME: Style = Style::regular(8.5);
/// How what tells its units apart looks.
const DETAIL: Style = Style::regular(7.5);

/// Article id, name and details in a column, from `y` down; where the next line would begin.
pub(super) fn describe(
    block: &mut Block,
    setter: &mut Setter<'_>,
    column: Column,
    y: f32,
    product: &Product,
    details: &[(&str, &str)],
) -> Result<f32, PrintError> {
    let id = setter.wrapped(product.article_id.as_str(), ID, column.width)?;
    let y = block.text(column, y, id);
    let name = setter.wrapped(product.name.as_str(), NAME, column.width)?;
    let y = block.text(column, y, name);
    let details: Vec<String> = details
        .iter()
        .map(|(what, text)| format!("{what} {text}"))
        .collect();
    let lines = setter.wrapped(&details.join(" · "), DETAIL, column.width)?;
    Ok(block.text(column, y, lines))
}

/// What a key has beyond its product; its place only where that is not said otherwise.
pub(super) fn details(key: &StockKey, with_place: bool) -> Vec<(&'static str, &str)> {
    let place = key.place.as_ref().filter(|_| with_place);
    [
        ("Variant", key.variant.as_ref()),
        ("Place", place),
        ("Batch", key.batch.as_ref()),
        ("Serial", key.serial.as_ref()),
    ]
    .into_iter()
    .filter_map(|(what, text): (_, Option<&Code>)| Some((what, text?.as_str())))
    .collect()
}
