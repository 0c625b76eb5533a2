//! What the host tells about sites, products and suppliers.

use std::sync::Arc;

use crate::domain::{CategoryId, Code, Product, ProductId, Site, SiteId, Supplier, SupplierId};
use crate::store::{Digest, DigestBuilder, Outcome, RepositoryExt};

use super::access::{Operation, sees_supplier_email};
use super::call::Step;
use super::error::dated;
use super::{CHUNK, Caller, Error, Pending, Stocktake};

/// Sites, products and suppliers: the host keeps its own tables and pushes here what stock needs.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue<'a> {
    stocktake: &'a Stocktake,
}

impl<'a> Catalogue<'a> {
    pub(super) const fn of(stocktake: &'a Stocktake) -> Self {
        Self { stocktake }
    }

    /// Creates or replaces a site. Its currency stays what it was first: values can't be converted. The
    /// actor must see the site, and be of its organisation.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Taken`] for an external id of another site,
    /// [`Error::Invalid`] for another currency; failures of the store.
    #[inline(never)]
    pub fn put_site<'c>(&'c self, caller: &'c Caller, site: Site) -> Pending<'c, ()> {
        Box::pin(async move {
            let library = self.stocktake;
            let digest = Digest::of("put_site").request(&site);
            let mut call = library.begin(caller, "put_site", digest)?;
            if site.organisation != call.organisation() || !call.stamp.actor.sees(site.id) {
                return Err(Error::not_found("site"));
            }
            call.require(Operation::EditCatalogue)?;
            dated("closed_until", site.policy.closed_until)?;
            loop {
                let read = library
                    .repository
                    .site(call.organisation(), site.id)
                    .await?;
                if read
                    .as_ref()
                    .is_some_and(|read| read.value.currency != site.currency)
                {
                    return Err(Error::invalid(
                        "currency",
                        "currency_changed",
                        "a site keeps its currency",
                    ));
                }
                let step = library.commit(&mut call, Outcome::Done, |changes| {
                    changes.put(read.as_ref(), site.clone());
                });
                if let Step::Done(_) = step.await? {
                    return Ok(());
                }
            }
        })
    }

    /// Reads a site.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn site<'c>(&'c self, caller: &'c Caller, id: SiteId) -> Pending<'c, Site> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            self.stocktake
                .visible_site(&stamp, id)
                .await
                .map(|read| read.value)
        })
    }

    /// The site with an external id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn site_by_external_id<'c>(
        &'c self,
        caller: &'c Caller,
        external_id: &'c Code,
    ) -> Pending<'c, Site> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            let site = self
                .stocktake
                .repository
                .site_by_external_id(stamp.actor.organisation, external_id)
                .await?;
            site.map(|site| site.value)
                .filter(|site| stamp.actor.sees(site.id))
                .ok_or(Error::not_found("site"))
        })
    }

    /// Creates or replaces products, in commits of a thousand: with an idempotency key nothing is written
    /// twice. Lines of takes keep the product as it was when they were added.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for a product of another organisation, [`Error::Forbidden`], [`Error::Invalid`]
    /// (`nothing_asked`) without a product, [`Error::Taken`] for an article id of another product; failures of the store.
    #[inline(never)]
    pub fn put_products<'c>(
        &'c self,
        caller: &'c Caller,
        products: Vec<Product>,
    ) -> Pending<'c, ()> {
        Box::pin(async move {
            let library = self.stocktake;
            let stamp = library.stamp(caller)?;
            if products
                .iter()
                .any(|product| product.organisation != stamp.actor.organisation)
            {
                return Err(Error::not_found("product"));
            }
            super::call::require(&stamp, Operation::EditCatalogue)?;
            if products.is_empty() {
                return Err(Error::nothing_asked("products"));
            }
            let chunk_size = usize::try_from(CHUNK).unwrap_or(1);
            for (number, chunk) in products.chunks(chunk_size).enumerate() {
                let digest = chunk.iter().fold(
                    Digest::of("put_products").field(number),
                    DigestBuilder::request,
                );
                let operation = format!("put_products/{number}");
                let mut call = library.begin(caller, &operation, digest)?;
                let ids: Vec<ProductId> = chunk.iter().map(|product| product.id).collect();
                loop {
                    let read = library
                        .repository
                        .products(call.organisation(), &ids)
                        .await?;
                    let step = library.commit(&mut call, Outcome::Done, |changes| {
                        for (product, read) in chunk.iter().zip(&read) {
                            changes.put(read.as_ref(), Arc::new(product.clone()));
                        }
                    });
                    if let Step::Done(_) = step.await? {
                        break;
                    }
                }
            }
            Ok(())
        })
    }

    /// Reads a product.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn product<'c>(&'c self, caller: &'c Caller, id: ProductId) -> Pending<'c, Arc<Product>> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            let found = self
                .stocktake
                .repository
                .products(stamp.actor.organisation, &[id])
                .await?;
            found
                .into_iter()
                .flatten()
                .next()
                .map(|read| read.value)
                .ok_or(Error::not_found("product"))
        })
    }

    /// The product with an article id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn product_by_article<'c>(
        &'c self,
        caller: &'c Caller,
        article: &'c Code,
    ) -> Pending<'c, Arc<Product>> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            let articles = std::slice::from_ref(article);
            let found = self
                .stocktake
                .repository
                .products_by_article(stamp.actor.organisation, articles)
                .await?;
            found
                .into_iter()
                .flatten()
                .next()
                .map(|read| read.value)
                .ok_or(Error::not_found("product"))
        })
    }

    /// How many products of the organisation are of each category, in the order of these.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthenticated`]; failures of the store.
    #[inline(never)]
    pub fn category_sizes<'c>(
        &'c self,
        caller: &'c Caller,
        categories: &'c [CategoryId],
    ) -> Pending<'c, Vec<u64>> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            let repository = &self.stocktake.repository;
            let sizes = repository.category_sizes(stamp.actor.organisation, categories);
            Ok(sizes.await?)
        })
    }

    /// Creates or replaces a supplier of a site.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for another organisation or an unknown site, [`Error::Forbidden`]; failures of the
    /// store.
    #[inline(never)]
    pub fn put_supplier<'c>(&'c self, caller: &'c Caller, supplier: Supplier) -> Pending<'c, ()> {
        Box::pin(async move {
            let library = self.stocktake;
            let digest = Digest::of("put_supplier").request(&supplier);
            let mut call = library.begin(caller, "put_supplier", digest)?;
            if supplier.organisation != call.organisation() {
                return Err(Error::not_found("supplier"));
            }
            library.visible_site(&call.stamp, supplier.site).await?;
            call.require(Operation::EditCatalogue)?;
            loop {
                let read = library
                    .repository
                    .supplier(call.organisation(), supplier.id)
                    .await?;
                if read
                    .as_ref()
                    .is_some_and(|read| !call.stamp.actor.sees(read.value.site))
                {
                    return Err(Error::not_found("supplier"));
                }
                let step = library.commit(&mut call, Outcome::Done, |changes| {
                    changes.put(read.as_ref(), supplier.clone());
                });
                if let Step::Done(_) = step.await? {
                    return Ok(());
                }
            }
        })
    }

    /// Reads a supplier of a site that the actor can see; without its e-mail address, if the site shows viewers none.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; failures of the store.
    #[inline(never)]
    pub fn supplier<'c>(&'c self, caller: &'c Caller, id: SupplierId) -> Pending<'c, Supplier> {
        Box::pin(async move {
            let stamp = self.stocktake.stamp(caller)?;
            let supplier = self
                .stocktake
                .repository
                .supplier(stamp.actor.organisation, id)
                .await?;
            let mut supplier = supplier
                .map(|read| read.value)
                .filter(|supplier| stamp.actor.sees(supplier.site))
                .ok_or(Error::not_found("supplier"))?;
            let site = self
                .stocktake
                .site(supplier.organisation, supplier.site)
                .await?;
            if !sees_supplier_email(stamp.actor.role, &site.policy) {
                supplier.email = None;
            }
            Ok(supplier)
        })
    }
}
