//! Which stock key is meant where a document names no stock place (S2, S3, S5).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{Code, OrganisationId, Product, ProductId, SiteId, StockKey};
use crate::store::{LevelFilter, MAX_PAGE, PageRequest};

use super::{Error, Stocktake};

/// How many of several keys are named.
const TOLD: usize = 10;

/// A product and, where they are known, its variant, batch and serial number. What is not named may be anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StockName {
    /// The product.
    pub product: ProductId,
    /// The variant.
    pub variant: Option<Code>,
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
            batch: None,
            serial: None,
        }
    }

    fn means(&self, key: &StockKey) -> bool {
        let fits = |named: &Option<Code>, is: &Option<Code>| named.is_none() || named == is;
        self.product == key.product
            && fits(&self.variant, &key.variant)
            && fits(&self.batch, &key.batch)
            && fits(&self.serial, &key.serial)
    }

    /// The key without a stock place.
    fn plain(&self, site: SiteId) -> StockKey {
        StockKey {
            variant: self.variant.clone(),
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
    /// The only stock at the site that has this name; when there is none, the key without a stock place.
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
    /// This key.
    One(StockKey),
    /// One of these, the first ones; which, it does not tell.
    Several(Vec<StockKey>),
}

impl Meant {
    /// The key.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] `ambiguous_stock`, naming the keys.
    pub(super) fn only(self) -> Result<StockKey, Error> {
        match self {
            Self::One(key) => Ok(key),
            Self::Several(keys) => {
                let keys: Vec<String> = keys.iter().map(described).collect();
                let message = format!("one of: {}", keys.join("; "));
                Err(Error::invalid("product", "ambiguous_stock", message))
            }
        }
    }
}

/// What tells a key from the others of its product.
fn described(key: &StockKey) -> String {
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
    /// What names mean at a site: one answer for each, in their order, by one walk over the levels of their
    /// products. Whether a key fits its product ([`StockKey::check`]) is for the caller to ask.
    pub(super) async fn resolve_keys(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        names: &[StockName],
    ) -> Result<Vec<Meant>, Error> {
        let mut found: Vec<Vec<StockKey>> = vec![Vec::new(); names.len()];
        let mut of_product: BTreeMap<ProductId, Vec<usize>> = BTreeMap::new();
        for (index, name) in names.iter().enumerate() {
            of_product.entry(name.product).or_default().push(index);
        }
        let products: BTreeSet<ProductId> = of_product.keys().copied().collect();
        // An empty set of products would mean all of them.
        let mut next = (!products.is_empty()).then(|| PageRequest::first(MAX_PAGE));
        let filter = LevelFilter {
            products,
            ..LevelFilter::default()
        };
        while let Some(page) = next {
            let levels = self
                .repository
                .levels_page(organisation, site, &filter, &page)
                .await?;
            for level in &levels.items {
                let key = level.value.key();
                for index in of_product.get(&key.product).into_iter().flatten() {
                    if let (Some(name), Some(keys)) = (names.get(*index), found.get_mut(*index))
                        && keys.len() < TOLD
                        && name.means(key)
                    {
                        keys.push(key.clone());
                    }
                }
            }
            // More of what is told already changes nothing.
            let all_told = found.iter().all(|keys| keys.len() >= TOLD);
            next = levels
                .next
                .filter(|_| !all_told)
                .map(|next| PageRequest::after(next, MAX_PAGE));
        }
        let meant = names.iter().zip(found).map(|(name, keys)| match &*keys {
            [] => Meant::One(name.plain(site)),
            [key] => Meant::One(key.clone()),
            [_, _, ..] => Meant::Several(keys),
        });
        Ok(meant.collect())
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
            StockChoice::Key(key) if key.site == site => key.clone(),
            StockChoice::Key(_) => {
                return Err(Error::invalid(
                    "key",
                    "another_site",
                    "the key is of another site",
                ));
            }
            StockChoice::Named(name) => {
                let names = std::slice::from_ref(name);
                let meant = self.resolve_keys(organisation, site, names).await?;
                let plain = || Meant::One(name.plain(site));
                meant.into_iter().next().unwrap_or_else(plain).only()?
            }
        };
        key.check(&product.value).map_err(|problem| Error::Key {
            key: Box::new(key.clone()),
            problem,
        })?;
        Ok((key, product.value))
    }
}
