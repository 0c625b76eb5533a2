//! What was found while counting and is not on the take, by what can be read off it.

use serde::Serialize;

use crate::domain::{
    Code, NamePart, OrganisationId, ProductId, SiteId, Stamp, StockKey, StockTakeId,
    StockTakeItemId,
};

use super::access::Operation;
use super::article_name::shared_barcode;
use super::call::require;
use super::stock_takes::StockTakes;
use super::{Caller, Error, Pending, StockChoice, StockName, Stocktake};

/// Which product was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundProduct {
    /// The one with this id.
    Id(ProductId),
    /// The one with this article id; where none has it, with this barcode.
    Article(Code),
    /// The one with this barcode.
    Barcode(Code),
}

/// Stock that was found: what is not named may be anything, as in a [`StockName`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundStock {
    /// The product.
    pub product: FoundProduct,
    /// The variant.
    pub variant: NamePart,
    /// The stock place.
    pub place: NamePart,
    /// The batch.
    pub batch: NamePart,
    /// The serial number.
    pub serial: NamePart,
}

impl StockTakes<'_> {
    /// Adds a line for something that was found while counting, as [`add_found`](Self::add_found), by what can be read off
    /// it: the only stocked key at the site that fits, or the one of just what is named ([`StockChoice::Named`]). Returns the
    /// line's id, also when it was there already.
    ///
    /// # Errors
    ///
    /// As [`add_found`](Self::add_found); [`Error::Invalid`] for an article or a barcode that nobody has
    /// (`unknown_article`), a barcode that several articles have (`ambiguous_article`), and a name that several keys have
    /// (`ambiguous_stock`).
    #[inline(never)]
    pub fn add_found_stock<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        found: &'c FoundStock,
    ) -> Pending<'c, StockTakeItemId> {
        Box::pin(async move {
            let stamp = self.library.stamp(caller)?;
            let take = self.visible(&stamp, id).await?;
            require(&stamp, Operation::EditStockTakeItems)?;
            let site = take.value.site();
            let key = self.library.key_found(&stamp, site, found).await?;
            self.add_found(caller, id, &key).await
        })
    }
}

impl Stocktake {
    /// The key of what was found.
    pub(super) async fn key_found(
        &self,
        stamp: &Stamp,
        site: SiteId,
        found: &FoundStock,
    ) -> Result<StockKey, Error> {
        let organisation = stamp.actor.organisation;
        let (field, text, products) = match &found.product {
            FoundProduct::Id(id) => {
                return self.key_of_found(organisation, site, *id, found).await;
            }
            FoundProduct::Article(text) => {
                let meant = self.products_meant(organisation, std::slice::from_ref(text));
                (
                    "article",
                    text,
                    meant.await?.into_iter().flatten().collect(),
                )
            }
            FoundProduct::Barcode(text) => (
                "barcode",
                text,
                self.products_with(organisation, text).await?,
            ),
        };
        match products.as_slice() {
            [] => {
                let message = format!("nothing is known as {text}");
                Err(Error::invalid(field, "unknown_article", message))
            }
            [product] => {
                self.key_of_found(organisation, site, product.id, found)
                    .await
            }
            several => Err(shared_barcode(
                text,
                several.iter().map(|it| &it.article_id),
            )),
        }
    }

    async fn key_of_found(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        product: ProductId,
        found: &FoundStock,
    ) -> Result<StockKey, Error> {
        let name = StockName {
            variant: found.variant.clone(),
            place: found.place.clone(),
            batch: found.batch.clone(),
            serial: found.serial.clone(),
            ..StockName::of(product)
        };
        let choice = StockChoice::Named(name);
        let chosen = self.chosen_stock(organisation, site, &choice);
        chosen.await.map(|(key, _)| key)
    }
}
