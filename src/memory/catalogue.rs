//! Sites, products and suppliers, with their unique names.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::table::{Row, Table};
use crate::domain::{CategoryId, Code, Product, ProductId, Site, SiteId, Supplier, SupplierId};
use crate::store::{PageRequest, RecordKey, UniqueName};

/// The catalogue of an organisation.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalogue {
    sites: Table<SiteId, Site>,
    external_ids: HashMap<Code, SiteId>,
    products: Table<ProductId, Product>,
    /// The number of the commit that wrote a product last (R19), of all products in the order of their ids.
    products_changed: BTreeMap<ProductId, u64>,
    articles: HashMap<Code, ProductId>,
    /// Article ids by their likeness.
    alike: HashMap<String, BTreeSet<Code>>,
    barcodes: HashMap<Code, BTreeSet<ProductId>>,
    /// How many products are of a category.
    categories: HashMap<CategoryId, u64>,
    suppliers: Table<SupplierId, Supplier>,
}

impl Catalogue {
    pub(super) fn has_sites(&self) -> bool {
        !self.external_ids.is_empty()
    }

    pub(super) fn site(&self, id: SiteId) -> Option<&Row<Site>> {
        self.sites.get(id)
    }

    pub(super) fn site_by_external_id(&self, external_id: &Code) -> Option<&Row<Site>> {
        self.site(*self.external_ids.get(external_id)?)
    }

    pub(super) fn product(&self, id: ProductId) -> Option<&Row<Product>> {
        self.products.get(id)
    }

    pub(super) fn product_by_article(&self, article: &Code) -> Option<&Row<Product>> {
        self.product(*self.articles.get(article)?)
    }

    /// The first article id that is spelled like this one, but not the same.
    pub(super) fn article_like(&self, article: &Code) -> Option<&Code> {
        let alike = self.alike.get(&article.likeness())?;
        alike.iter().find(|other| *other != article)
    }

    /// The products that have a barcode, by id.
    pub(super) fn products_by_barcode(
        &self,
        barcode: &Code,
    ) -> impl Iterator<Item = &Row<Product>> {
        let ids = self.barcodes.get(barcode).into_iter().flatten();
        ids.filter_map(|id| self.product(*id))
    }

    /// The ids of all products after one, at most so many.
    pub(super) fn product_ids_after(&self, after: Option<ProductId>, limit: u32) -> Vec<ProductId> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = self.products_changed.range((begin, Bound::Unbounded));
        let limit = PageRequest::first(limit).bounded_limit();
        ids.take(limit).map(|(id, _)| *id).collect()
    }

    /// How many products are of a category.
    pub(super) fn category_size(&self, category: CategoryId) -> u64 {
        self.categories.get(&category).copied().unwrap_or_default()
    }

    pub(super) fn supplier(&self, id: SupplierId) -> Option<&Row<Supplier>> {
        self.suppliers.get(id)
    }

    /// Which record has a unique name now.
    pub(super) fn holder_of_name(&self, name: UniqueName<'_>) -> Option<RecordKey> {
        match name {
            UniqueName::Site(name) => self.external_ids.get(name).copied().map(RecordKey::Site),
            UniqueName::Product(name) => self.articles.get(name).copied().map(RecordKey::Product),
        }
    }

    pub(super) fn put_site(&mut self, site: &Site) {
        let name = &site.external_id;
        let before = self.sites.put(site.id, Arc::new(site.clone()));
        let before = before.as_ref().map(|site| &site.external_id);
        rename(&mut self.external_ids, before, name, site.id);
    }

    /// The number of the commit that wrote a product last.
    pub(super) fn product_changed(&self, id: ProductId) -> u64 {
        self.products_changed.get(&id).copied().unwrap_or_default()
    }

    /// Creates or replaces a product, in the commit of a number.
    pub(super) fn put_product(&mut self, commit: u64, product: &Arc<Product>) {
        self.products_changed.insert(product.id, commit);
        let name = &product.article_id;
        let before = self.products.put(product.id, Arc::clone(product));
        if let Some(before) = &before {
            self.forget_codes(before);
        }
        for barcode in &product.barcodes {
            let holders = self.barcodes.entry(barcode.value.clone()).or_default();
            holders.insert(product.id);
        }
        if let Some(category) = &product.category {
            let size = self.categories.entry(category.id).or_default();
            *size = size.saturating_add(1);
        }
        let before = before.as_ref().map(|product| &product.article_id);
        if before == Some(name) {
            return;
        }
        rename(&mut self.articles, before, name, product.id);
        // Two that swap their names in one commit keep both.
        if let Some(before) = before.filter(|before| !self.articles.contains_key(*before))
            && let Some(alike) = self.alike.get_mut(&before.likeness())
        {
            alike.remove(before);
        }
        let alike = self.alike.entry(name.likeness()).or_default();
        alike.insert(name.clone());
    }

    /// Takes a product as it was out of what it is found by.
    fn forget_codes(&mut self, product: &Product) {
        for barcode in &product.barcodes {
            if let Some(holders) = self.barcodes.get_mut(&barcode.value) {
                holders.remove(&product.id);
                if holders.is_empty() {
                    self.barcodes.remove(&barcode.value);
                }
            }
        }
        if let Some(category) = &product.category
            && let Some(size) = self.categories.get_mut(&category.id)
        {
            *size = size.saturating_sub(1);
            if *size == 0 {
                self.categories.remove(&category.id);
            }
        }
    }

    pub(super) fn put_supplier(&mut self, supplier: &Supplier) {
        self.suppliers.put(supplier.id, Arc::new(supplier.clone()));
    }
}

/// Keeps an index of unique names. When two records swap their names in one commit, the one that comes
/// first has taken over the other's entry already.
fn rename<Id: PartialEq>(
    names: &mut HashMap<Code, Id>,
    before: Option<&Code>,
    name: &Code,
    id: Id,
) {
    if before == Some(name) {
        return;
    }
    if let Some(before) = before
        && names.get(before) == Some(&id)
    {
        names.remove(before);
    }
    names.insert(name.clone(), id);
}
