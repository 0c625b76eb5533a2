//! Which stock key is meant where a document names less than all of it (S2, S3, S5): one rule for all of them.
//!
//! The name means the only stocked key at the site that fits it, whatever it does not name; with none, the key of just what
//! it names, which is made; with several, none of them, and the refusal (`ambiguous_stock`) names them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{
    Code, KeyError, OrganisationId, Product, ProductId, SiteId, StockKey, StockLevel,
};
use crate::store::{LevelFilter, MAX_PAGE, PageRequest, Versioned};

use super::{Error, Stocktake};

/// How many of several keys are named.
const TOLD: usize = 10;

/// A product and, where they are known, its variant, stock place, batch and serial number. What is not named may be
/// anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StockName {
    /// The product.
    pub product: ProductId,
    /// The variant.
    pub variant: Option<Code>,
    /// The stock place.
    pub place: Option<Code>,
    /// The batch.
    pub batch: Option<Code>,
    /// The serial number.
    pub serial: Option<Code>,
}

impl StockName {
    /// A product.
    pub const fn of(product: ProductId) -> Self {
        Self {
            product,
            variant: None,
            place: None,
            batch: None,
            serial: None,
        }
    }

    fn means(&self, key: &StockKey) -> bool {
        let fits = |named: &Option<Code>, is: &Option<Code>| named.is_none() || named == is;
        self.product == key.product
            && fits(&self.variant, &key.variant)
            && fits(&self.place, &key.place)
            && fits(&self.batch, &key.batch)
            && fits(&self.serial, &key.serial)
    }

    /// The key of just what is named.
    pub(super) fn plain(&self, site: SiteId) -> StockKey {
        StockKey {
            variant: self.variant.clone(),
            place: self.place.clone(),
            batch: self.batch.clone(),
            serial: self.serial.clone(),
            ..StockKey::plain(site, self.product)
        }
    }
}

/// Which stock a request is about.
///
/// # Example
///
/// ```
/// use stocktake::domain::StockKey;
/// use stocktake::service::{StockChoice, StockName};
/// # let shop = stocktake::testing::shop();
/// # let (site, product) = (shop.site.id, shop.products[0].id);
///
/// // Wherever it is kept, as long as that is one place.
/// let anywhere = StockChoice::from(product);
/// let batch = StockChoice::from(StockName { batch: Some("LOT-7".parse()?), ..StockName::of(product) });
/// // This very shelf.
/// let shelf = StockChoice::from(StockKey::plain(site, product).at("A-01".parse()?));
/// # let _ = (anywhere, batch, shelf);
/// # Ok::<(), stocktake::domain::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StockChoice {
    /// The only stocked key at the site that fits this name; with none, the key of just what it names; with several, the
    /// request is refused (`ambiguous_stock`), naming them.
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

/// Why a name means no key.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unclear {
    /// Several keys have it.
    #[error("one of: {}", .0.iter().map(described).collect::<Vec<_>>().join("; "))]
    Several(Vec<StockKey>),
    /// The key can't hold stock of its product.
    #[error("{problem}")]
    Key {
        key: Box<StockKey>,
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
            Unclear::Key { key, problem } => Self::Key { key, problem },
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
            let key = Box::new(key);
            Err(Unclear::Key { key, problem })
        }
    }
}

/// What tells a key from the others of its product.
pub(super) fn described(key: &StockKey) -> String {
    let parts = [
        ("variant", &key.variant),
        ("stock place", &key.place),
        ("batch", &key.batch),
        ("serial", &key.serial),
    ];
    let named: Vec<String> = parts
        .iter()
        .filter_map(|(what, part)| part.as_ref().map(|part| format!("{what} {part}")))
        .collect();
    if named.is_empty() {
        "no stock place".to_owned()
    } else {
        named.join(", ")
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
        let resolved = self.resolve_levels(organisation, names).await?;
        Ok(resolved.into_iter().map(|(meant, _)| meant).collect())
    }

    /// What names mean at their sites, as [`resolve_keys`](Self::resolve_keys), each with the level of its key if that is
    /// stocked.
    pub(super) async fn resolve_levels(
        &self,
        organisation: OrganisationId,
        names: &[(SiteId, StockName)],
    ) -> Result<Vec<(Meant, Option<Versioned<StockLevel>>)>, Error> {
        let mut found: Vec<(Vec<StockKey>, Option<Versioned<StockLevel>>)> =
            vec![(Vec::new(), None); names.len()];
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
                        if let (Some((_, name)), Some((keys, only))) =
                            (names.get(*index), found.get_mut(*index))
                            && keys.len() < TOLD
                            && name.means(key)
                        {
                            *only = keys.is_empty().then(|| level.clone());
                            keys.push(key.clone());
                        }
                    }
                }
                // More of what is told already changes nothing.
                let told = |index: &usize| {
                    let found = found.get(*index);
                    found.is_some_and(|(keys, _)| keys.len() >= TOLD)
                };
                let all_told = of_product.values().flatten().all(told);
                next = levels
                    .next
                    .filter(|_| !all_told)
                    .map(|next| PageRequest::after(next, MAX_PAGE));
            }
        }
        let meant = names.iter().zip(found);
        let meant = meant.map(|((site, name), (keys, level))| match &*keys {
            [] => (Meant::New(name.plain(*site)), level),
            [key] => (Meant::One(key.clone()), level),
            [_, _, ..] => (Meant::Several(keys), level),
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
