//! Which stock key is meant where a document names less than all of it (S2, S3, S5): one rule for all of them.
//!
//! The name means the only stocked key at the site that fits it, whatever it does not name; with none, the key of just what
//! it names, which is made; with several, the only one of them with something on hand or reserved; with several of these,
//! none of them, and the refusal (`ambiguous_stock`) names them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::domain::{
    KeyError, NamePart, OrganisationId, Product, ProductId, SiteId, StockKey, StockLevel,
};
use crate::store::{LevelFilter, MAX_PAGE, PageRequest, RepositoryExt, Versioned};

use super::error::named;
use super::{Error, Stocktake};

/// How many of several keys are named.
const TOLD: usize = 10;

/// A product and, where they are known, its variant, stock place, batch and serial number. What is not named may be
/// anything; that there is none can be said, too ([`NamePart::Without`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct StockName {
    /// The product.
    pub product: ProductId,
    /// The variant.
    pub variant: NamePart,
    /// The stock place.
    pub place: NamePart,
    /// The batch.
    pub batch: NamePart,
    /// The serial number.
    pub serial: NamePart,
}

impl StockName {
    /// A product.
    pub const fn of(product: ProductId) -> Self {
        Self {
            product,
            variant: NamePart::Any,
            place: NamePart::Any,
            batch: NamePart::Any,
            serial: NamePart::Any,
        }
    }

    fn means(&self, key: &StockKey) -> bool {
        self.product == key.product
            && self.variant.fits(key.variant.as_ref())
            && self.place.fits(key.place.as_ref())
            && self.batch.fits(key.batch.as_ref())
            && self.serial.fits(key.serial.as_ref())
    }

    /// The key of just what is named.
    pub(super) fn plain(&self, site: SiteId) -> StockKey {
        StockKey {
            variant: self.variant.code().cloned(),
            place: self.place.code().cloned(),
            batch: self.batch.code().cloned(),
            serial: self.serial.code().cloned(),
            ..StockKey::plain(site, self.product)
        }
    }
}

/// Which stock a request is about.
///
/// # What a name means
///
/// Of the stocked keys at the site that fit a [`StockName`], it means
///
/// 1. the only one;
/// 2. of several, the only one that has something on hand (also less than nothing) or reserved: a shelf that was cleared
///    does not stand in the way of the one that has the goods;
/// 3. of several such, or several that are all empty, none: the request is refused (`ambiguous_stock`), naming them;
/// 4. where none fits, the key of just what it names, which is made.
///
/// Removing from stock (S5.3) knows no rule 2: whoever removes an article that was at two places may well mean the empty
/// one, and what the other has would be lost.
///
/// Every document that names less than a key goes by this rule: counts (S2.3), adjustments (S2.9), receipts (S3.6), what is
/// found while counting, and imports (S5). Where stock at no stock place stands beside stock at places,
/// [`NamePart::Without`] means the former.
///
/// # Example
///
/// ```
/// use stocktake::domain::{NamePart, StockKey};
/// use stocktake::service::{StockChoice, StockName};
/// # let shop = stocktake::testing::shop();
/// # let (site, product) = (shop.site.id, shop.products[0].id);
///
/// // Wherever it is kept, as long as that is one place.
/// let anywhere = StockChoice::from(product);
/// let batch = NamePart::Is("LOT-7".parse()?);
/// let batch = StockChoice::from(StockName { batch, ..StockName::of(product) });
/// // What is at no stock place, although some is on a shelf.
/// let loose = StockChoice::from(StockName { place: NamePart::Without, ..StockName::of(product) });
/// // This very shelf.
/// let shelf = StockChoice::from(StockKey::plain(site, product).at("A-01".parse()?));
/// # let _ = (anywhere, batch, loose, shelf);
/// # Ok::<(), stocktake::domain::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StockChoice {
    /// The stock that this name means.
    Named(StockName),
    /// This very key.
    Key(StockKey),
}

impl From<ProductId> for StockChoice {
    fn from(product: ProductId) -> Self {
        Self::Named(StockName::of(product))
    }
}

impl From<StockName> for StockChoice {
    fn from(name: StockName) -> Self {
        Self::Named(name)
    }
}

impl From<StockKey> for StockChoice {
    fn from(key: StockKey) -> Self {
        Self::Key(key)
    }
}

impl StockChoice {
    const fn product(&self) -> ProductId {
        match self {
            Self::Named(name) => name.product,
            Self::Key(key) => key.product,
        }
    }
}

/// What a name means at a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// This key, which is stocked.
    One(StockKey),
    /// None that is stocked: the key of just what is named, which is made.
    New(StockKey),
    /// One of these, the first ones; which, it does not tell.
    Several(Vec<StockKey>),
}

/// What keys with nothing on hand and nothing reserved do where others fit a name, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    /// They are not meant.
    GiveWay,
    /// They may be meant as well.
    Compete,
}

/// The levels that fit a name: the first keys of those with stock and of those without, and the first level of each.
#[derive(Clone, Debug, Default)]
struct Fitting {
    holding: Vec<StockKey>,
    empty: Vec<StockKey>,
    first: [Option<Versioned<StockLevel>>; 2],
}

impl Fitting {
    fn add(&mut self, level: &Versioned<StockLevel>, empty: Empty) {
        let stock = &level.value;
        let holds = !stock.quantity().is_zero() || !stock.reserved().is_zero();
        let [holding, other] = &mut self.first;
        let (keys, first) = if holds || empty == Empty::Compete {
            (&mut self.holding, holding)
        } else {
            (&mut self.empty, other)
        };
        if keys.is_empty() {
            *first = Some(level.clone());
        }
        if keys.len() < TOLD {
            keys.push(stock.key().clone());
        }
    }

    /// Whether more levels would change nothing.
    fn is_told(&self) -> bool {
        self.holding.len() >= TOLD
    }

    /// What is meant, if anything fits.
    fn meant(self) -> Option<(Meant, Option<Versioned<StockLevel>>)> {
        let [holding, empty] = self.first;
        let (keys, level) = if self.holding.is_empty() {
            (self.empty, empty)
        } else {
            (self.holding, holding)
        };
        match &*keys {
            [] => None,
            [key] => Some((Meant::One(key.clone()), level)),
            [_, _, ..] => Some((Meant::Several(keys), None)),
        }
    }
}

/// Why a name means no key.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unclear {
    /// Several keys have it.
    #[error("one of: {}", .0.iter().map(StockKey::whereabouts).collect::<Vec<_>>().join("; "))]
    Several(Vec<StockKey>),
    /// The key can't hold stock of its product.
    #[error("{problem}")]
    Key {
        key: Box<StockKey>,
        name: Box<str>,
        problem: KeyError,
    },
}

impl Unclear {
    /// The stable code.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Several(_) => "ambiguous_stock",
            Self::Key { problem, .. } => problem.code(),
        }
    }
}

impl From<Unclear> for Error {
    fn from(unclear: Unclear) -> Self {
        match unclear {
            Unclear::Several(_) => Self::invalid("product", unclear.code(), &unclear),
            Unclear::Key { key, name, problem } => Self::Key { key, name, problem },
        }
    }
}

impl Meant {
    /// The key; a new one only if it can hold stock of its product.
    pub(super) fn of(self, product: &Product) -> Result<StockKey, Unclear> {
        match self {
            Self::One(key) => Ok(key),
            Self::New(key) => checked(key, product),
            Self::Several(keys) => Err(Unclear::Several(keys)),
        }
    }
}

/// A key, if it can hold stock of its product.
pub(super) fn checked(key: StockKey, product: &Product) -> Result<StockKey, Unclear> {
    match key.check(product) {
        Ok(()) => Ok(key),
        Err(problem) => {
            let name = named(&key, Some(product), None).into();
            let key = Box::new(key);
            Err(Unclear::Key { key, name, problem })
        }
    }
}

impl Stocktake {
    /// What names mean at their sites: one answer for each, in their order, by one walk over the levels of their products
    /// at each site, however many names there are.
    pub(super) async fn resolve_keys(
        &self,
        organisation: OrganisationId,
        names: &[(SiteId, StockName)],
    ) -> Result<Vec<Meant>, Error> {
        let resolved = self.resolve_levels(organisation, names, Empty::GiveWay);
        Ok(resolved
            .await?
            .into_iter()
            .map(|(meant, _)| meant)
            .collect())
    }

    /// What names mean at their sites, as [`resolve_keys`](Self::resolve_keys), each with the level of its key if that is
    /// stocked.
    pub(super) async fn resolve_levels(
        &self,
        organisation: OrganisationId,
        names: &[(SiteId, StockName)],
        empty: Empty,
    ) -> Result<Vec<(Meant, Option<Versioned<StockLevel>>)>, Error> {
        let mut found: Vec<Fitting> = vec![Fitting::default(); names.len()];
        let mut of_site: BTreeMap<SiteId, BTreeMap<ProductId, Vec<usize>>> = BTreeMap::new();
        for (index, (site, name)) in names.iter().enumerate() {
            let of_product = of_site.entry(*site).or_default();
            of_product.entry(name.product).or_default().push(index);
        }
        for (site, of_product) in &of_site {
            let filter = LevelFilter {
                products: of_product.keys().copied().collect(),
                ..LevelFilter::default()
            };
            let mut next = Some(PageRequest::first(MAX_PAGE));
            while let Some(page) = next {
                let levels = self
                    .repository
                    .levels_page(organisation, *site, &filter, &page)
                    .await?;
                for level in &levels.items {
                    let key = level.value.key();
                    for index in of_product.get(&key.product).into_iter().flatten() {
                        if let (Some((_, name)), Some(found)) =
                            (names.get(*index), found.get_mut(*index))
                            && name.means(key)
                        {
                            found.add(level, empty);
                        }
                    }
                }
                // More of what is told already changes nothing.
                let told = |index: &usize| found.get(*index).is_some_and(Fitting::is_told);
                let all_told = of_product.values().flatten().all(told);
                next = levels
                    .next
                    .filter(|_| !all_told)
                    .map(|next| PageRequest::after(next, MAX_PAGE));
            }
        }
        let meant = names.iter().zip(found);
        let meant = meant.map(|((site, name), found)| {
            found
                .meant()
                .unwrap_or_else(|| (Meant::New(name.plain(*site)), None))
        });
        Ok(meant.collect())
    }

    /// Whether all of some keys are stocked.
    pub(super) async fn is_stocked(
        &self,
        organisation: OrganisationId,
        keys: &[StockKey],
    ) -> Result<bool, Error> {
        if keys.is_empty() {
            return Ok(true);
        }
        let levels = self.repository.levels(organisation, keys).await?;
        let stocked = |level: &Option<Versioned<StockLevel>>| {
            let level = level.as_ref();
            level.is_some_and(|level| level.value.is_stocked())
        };
        Ok(levels.iter().all(stocked))
    }

    /// The key that a request is about, and its product.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for an unknown product, a key of another site, and a name that several keys have;
    /// [`Error::Key`].
    pub(super) async fn chosen_stock(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        choice: &StockChoice,
    ) -> Result<(StockKey, Arc<Product>), Error> {
        let ids = [choice.product()];
        let products = self.repository.products(organisation, &ids).await?;
        let product = products.into_iter().flatten().next().ok_or_else(|| {
            Error::invalid("product", "unknown_product", "there is no such product")
        })?;
        let key = match choice {
            StockChoice::Key(key) if key.site == site => {
                let there = std::slice::from_ref(key);
                // What is there stays reachable, whatever became of its product.
                match checked(key.clone(), &product.value) {
                    Ok(key) => key,
                    Err(_) if self.is_stocked(organisation, there).await? => key.clone(),
                    Err(unclear) => return Err(unclear.into()),
                }
            }
            StockChoice::Key(_) => {
                return Err(Error::invalid(
                    "key",
                    "another_site",
                    "the key is of another site",
                ));
            }
            StockChoice::Named(name) => {
                let names = [(site, name.clone())];
                let meant = self.resolve_keys(organisation, &names).await?;
                let meant = meant.into_iter().next();
                meant
                    .unwrap_or_else(|| Meant::New(name.plain(site)))
                    .of(&product.value)?
            }
        };
        Ok((key, product.value))
    }
}
