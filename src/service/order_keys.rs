//! Where goods go that come without a stock place: the product's only key at the site.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Code, InventoryOrderItem, KeyError, OrganisationId, Product, ProductId, SiteId, StockKey,
    Tracking,
};
use crate::store::{LevelFilter, PageRequest};

use super::{CHUNK, Error, Stocktake};

/// The stocked keys of some products at a site.
#[derive(Debug)]
pub(super) struct OrderKeys {
    site: SiteId,
    stocked: BTreeMap<(ProductId, Option<Code>), Vec<StockKey>>,
}

impl Stocktake {
    /// Reads the stocked keys of some products.
    pub(super) async fn order_keys(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        products: BTreeSet<ProductId>,
    ) -> Result<OrderKeys, Error> {
        let mut stocked: BTreeMap<_, Vec<StockKey>> = BTreeMap::new();
        // No product named would mean every product.
        let mut page = (!products.is_empty()).then(|| PageRequest::first(CHUNK));
        let filter = LevelFilter {
            products,
            ..LevelFilter::default()
        };
        while let Some(request) = page {
            let levels = self
                .repository
                .levels_page(organisation, site, &filter, &request)
                .await?;
            for level in levels.items {
                let key = level.value.key().clone();
                stocked
                    .entry((key.product, key.variant.clone()))
                    .or_default()
                    .push(key);
            }
            page = levels.next.map(|next| PageRequest::after(next, CHUNK));
        }
        Ok(OrderKeys { site, stocked })
    }
}

impl OrderKeys {
    /// The key that a line means: the only one of its product (and variant), or the plain one when there is
    /// none. What is tracked by batch or serial number must be named.
    pub(super) fn of(
        &self,
        item: &InventoryOrderItem,
        product: &Product,
    ) -> Result<StockKey, Error> {
        let plain = StockKey {
            variant: item.variant().cloned(),
            ..StockKey::plain(self.site, product.id)
        };
        let required = match product.tracking {
            Tracking::None => None,
            Tracking::Batch => Some(KeyError::BatchRequired),
            Tracking::Serial => Some(KeyError::SerialRequired),
        };
        if let Some(problem) = required {
            return Err(Error::Key {
                key: Box::new(plain),
                problem,
            });
        }
        let stocked = self.stocked.get(&(product.id, plain.variant.clone()));
        match stocked.map_or(&[][..], Vec::as_slice) {
            [] => Ok(plain),
            [only] => Ok(only.clone()),
            several => {
                let keys: Vec<String> = several.iter().map(ToString::to_string).collect();
                Err(Error::invalid(
                    "key",
                    "ambiguous_stock",
                    format_args!("name one of: {}", keys.join(", ")),
                ))
            }
        }
    }
}
