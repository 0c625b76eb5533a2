//! A serial number is on hand in one place only (S6.7): the marks that see to it in every commit that moves one.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Actor, Code, LineProblem, OrganisationId, ProductId, Quantity, SerialScope, StockKey,
    StockLevel,
};
use crate::store::{ChangeSet, DeletableKey, RepositoryExt, SerialMark, Versioned};

use super::{Error, NamedKey, Stocktake};

/// The marks of the serial numbers that a commit may move, as they were read and as they become.
#[derive(Clone, Debug, Default)]
pub(super) struct SerialMarks {
    marks: BTreeMap<(Code, Option<ProductId>), Mark>,
}

#[derive(Clone, Debug, Default)]
struct Mark {
    read: Option<Versioned<SerialMark>>,
    holder: Option<StockKey>,
}

/// The key that holds a serial number which was to come on hand at another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    key: Box<StockKey>,
    at: Box<StockKey>,
}

impl Elsewhere {
    /// For an actor, who is not told about sites that are not for it to see.
    pub(super) fn error(self, actor: &Actor) -> Error {
        let Self { key, at } = self;
        let at = Some(at).filter(|at| actor.sees(at.site));
        let by_codes = |key: Box<StockKey>| Box::new(NamedKey::of_codes(*key));
        Error::SerialElsewhere {
            key: by_codes(key),
            at: at.map(by_codes),
        }
    }

    /// For a line of a document, whose readers may not see other sites than its own.
    pub(super) fn problem(self) -> LineProblem {
        let Self { key, at } = self;
        let at = Some(at).filter(|at| at.site == key.site);
        LineProblem::SerialElsewhere { at }
    }
}

impl Stocktake {
    /// The same failure with the names that people know, where it tells of stock by its codes only: which other key holds a
    /// serial number is found out too late to have read them.
    pub(super) async fn with_names(&self, organisation: OrganisationId, error: Error) -> Error {
        let Error::SerialElsewhere { key, at } = error else {
            return error;
        };
        let key = self.name_of(organisation, key).await;
        let at = match at {
            Some(at) => Some(self.name_of(organisation, at).await),
            None => None,
        };
        Error::SerialElsewhere { key, at }
    }

    async fn name_of(&self, organisation: OrganisationId, of: Box<NamedKey>) -> Box<NamedKey> {
        let ids = [of.key.product];
        let product = self.repository.products(organisation, &ids).await;
        let site = self.site(organisation, of.key.site).await;
        match (
            product.map(|found| found.into_iter().flatten().next()),
            site,
        ) {
            (Ok(Some(product)), Ok(site)) => {
                Box::new(NamedKey::of(of.key, &product.value, &site.value))
            }
            // The refusal is what counts, not how the stock is called.
            _ => of,
        }
    }

    /// Reads the marks of the serial numbers of some keys: one query, and none when no key has one.
    ///
    /// What is to be committed reads them after the levels: a number that has moved since has changed its level, and the
    /// commit finds that out. Read before them, they could miss the mark of a unit that has come since, and that the
    /// commit takes away.
    pub(super) async fn serial_marks(
        &self,
        organisation: OrganisationId,
        keys: impl IntoIterator<Item = &StockKey>,
        scope: SerialScope,
    ) -> Result<SerialMarks, Error> {
        let mut serials = BTreeSet::new();
        let mut products = BTreeSet::new();
        for key in keys {
            if let Some(serial) = &key.serial {
                serials.insert(serial.clone());
                products.insert(key.product);
            }
        }
        if serials.is_empty() {
            return Ok(SerialMarks::default());
        }
        if scope == SerialScope::Global {
            // No product named means any.
            products.clear();
        }
        let read = self
            .repository
            .serial_marks(organisation, &serials, &products)
            .await?;
        let marks = read.into_iter().map(|read| {
            let name = (read.value.serial.clone(), read.value.product);
            let holder = Some(read.value.key.clone());
            let read = Some(read);
            (name, Mark { read, holder })
        });
        Ok(SerialMarks {
            marks: marks.collect(),
        })
    }
}

impl SerialMarks {
    /// The other key that holds the unit of a key's serial number.
    pub(super) fn elsewhere<'a>(
        &'a self,
        key: &StockKey,
        scope: SerialScope,
    ) -> Option<&'a StockKey> {
        let serial = key.serial.as_ref()?;
        self.holders(serial)
            .find(|at| *at != key && (scope == SerialScope::Global || at.product == key.product))
    }

    fn holders<'a>(&'a self, serial: &Code) -> impl Iterator<Item = &'a StockKey> {
        self.marks
            .range((serial.clone(), None)..)
            .take_while(move |((number, _), _)| number == serial)
            .filter_map(|(_, mark)| mark.holder.as_ref())
    }

    /// The key that holds a product's unit of a serial number.
    pub(super) fn holder(&self, serial: &Code, product: ProductId) -> Option<&StockKey> {
        let mark = self.marks.get(&(serial.clone(), Some(product)))?;
        mark.holder.as_ref()
    }

    /// Whether any mark says that a key holds the unit of its serial number.
    pub(super) fn names(&self, key: &StockKey) -> bool {
        let serial = key.serial.as_ref();
        serial.is_some_and(|serial| self.holders(serial).any(|holder| holder == key))
    }

    /// Takes note of what has become of a level. Levels of a commit are to be told in the order in which they change,
    /// so that a unit that moves leaves before it comes.
    pub(super) fn moved(
        &mut self,
        before: Quantity,
        level: &StockLevel,
        scope: SerialScope,
    ) -> Result<(), Elsewhere> {
        let key = level.key();
        let Some(serial) = &key.serial else {
            return Ok(());
        };
        match (before.is_positive(), level.quantity().is_positive()) {
            (false, true) => {
                if let Some(at) = self.elsewhere(key, scope) {
                    let (key, at) = (Box::new(key.clone()), Box::new(at.clone()));
                    return Err(Elsewhere { key, at });
                }
                let everywhere = (scope == SerialScope::Global).then_some(None);
                for product in [Some(Some(key.product)), everywhere].into_iter().flatten() {
                    let mark = self.marks.entry((serial.clone(), product)).or_default();
                    mark.holder = Some(key.clone());
                }
            }
            (true, false) => {
                for (_, mark) in self
                    .marks
                    .range_mut((serial.clone(), None)..)
                    .take_while(|((number, _), _)| number == serial)
                {
                    mark.holder.take_if(|holder| holder == key);
                }
            }
            (true, true) | (false, false) => {}
        }
        Ok(())
    }

    /// Says that a key holds the unit of its serial number, whatever was said before; in the scope of the site also of all
    /// products, unless another key holds that.
    pub(super) fn mark(&mut self, key: &StockKey, scope: SerialScope) {
        let Some(serial) = &key.serial else {
            return;
        };
        let of_product = self.marks.entry((serial.clone(), Some(key.product)));
        of_product.or_default().holder = Some(key.clone());
        if scope == SerialScope::Global {
            let everywhere = self.marks.entry((serial.clone(), None)).or_default();
            everywhere.holder.get_or_insert_with(|| key.clone());
        }
    }

    /// Takes back every mark that says that a key holds the unit of its serial number.
    pub(super) fn unmark(&mut self, key: &StockKey) {
        for mark in self.marks.values_mut() {
            mark.holder.take_if(|holder| holder == key);
        }
    }

    /// Puts the marks that changed into a change set.
    pub(super) fn write(self, changes: &mut ChangeSet) {
        for ((serial, product), Mark { read, holder }) in self.marks {
            match (read, holder) {
                (Some(read), None) => {
                    changes.delete(read.version, DeletableKey::SerialMark(serial, product));
                }
                (read, Some(key)) => {
                    if read.as_ref().is_none_or(|read| read.value.key != key) {
                        let mark = SerialMark {
                            serial,
                            product,
                            key,
                        };
                        changes.put(read.as_ref(), mark);
                    }
                }
                (None, None) => {}
            }
        }
    }
}
