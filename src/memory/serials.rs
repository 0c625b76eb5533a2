//! The marks of serial numbers that are on hand.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::table::Row;
use crate::domain::{Code, ProductId};
use crate::store::{PageRequest, SerialMark, Version, Versioned};

/// What a serial number is unique in: a product, or all of them.
pub(super) type Name = (Code, Option<ProductId>);

/// The marks of an organisation.
#[derive(Clone, Debug, Default)]
pub(super) struct Serials {
    marks: BTreeMap<Name, Row<SerialMark>>,
}

impl Serials {
    pub(super) fn get(
        &self,
        serial: &Code,
        product: Option<ProductId>,
    ) -> Option<&Row<SerialMark>> {
        self.marks.get(&(serial.clone(), product))
    }

    pub(super) fn version(&self, serial: &Code, product: Option<ProductId>) -> Option<Version> {
        self.get(serial, product).map(|mark| mark.version)
    }

    /// The marks of some numbers: of some products (of any, if none is named), and of all products.
    pub(super) fn of(
        &self,
        serials: &BTreeSet<Code>,
        products: &BTreeSet<ProductId>,
    ) -> Vec<Row<SerialMark>> {
        let marks = serials.iter().flat_map(|serial| {
            let first: Name = (serial.clone(), None);
            let marks = self.marks.range(first..);
            marks.take_while(move |((number, _), _)| number == serial)
        });
        marks
            .filter(|((_, product), _)| {
                product.is_none_or(|product| products.is_empty() || products.contains(&product))
            })
            .map(|(_, mark)| mark.clone())
            .collect()
    }

    /// All marks after one, at most so many.
    pub(super) fn after(&self, after: Option<Name>, limit: u32) -> Vec<Row<SerialMark>> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let marks = self.marks.range((begin, Bound::Unbounded));
        let limit = PageRequest::first(limit).bounded_limit();
        marks.take(limit).map(|(_, mark)| mark.clone()).collect()
    }

    pub(super) fn put(&mut self, mark: &SerialMark) {
        let name: Name = (mark.serial.clone(), mark.product);
        let before = self.marks.get(&name).map(|mark| mark.version);
        let version = before.map_or(Version::FIRST, Version::next);
        let value = Arc::new(mark.clone());
        self.marks.insert(name, Versioned { version, value });
    }

    pub(super) fn delete(&mut self, serial: &Code, product: Option<ProductId>) {
        self.marks.remove(&(serial.clone(), product));
    }
}
