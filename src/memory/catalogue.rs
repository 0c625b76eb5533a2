//! Sites, products and suppliers, with their unique names.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Code, Product, ProductId, Site, SiteId, Supplier, SupplierId};
use crate::store::{Record, RecordKey, Version, Versioned};

/// The catalogue of an organisation.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    sites: BTreeMap<SiteId, Versioned<Arc<Site>>>,
    external_ids: BTreeMap<Code, SiteId>,
    products: BTreeMap<ProductId, Versioned<Arc<Product>>>,
    articles: BTreeMap<Code, ProductId>,
    suppliers: BTreeMap<SupplierId, Versioned<Arc<Supplier>>>,
}

impl Catalogue {
    pub(super) fn site(&self, id: SiteId) -> Option<&Versioned<Arc<Site>>> {
        self.sites.get(&id)
    }

    pub(super) fn site_by_external_id(&self, external_id: &Code) -> Option<&Versioned<Arc<Site>>> {
        self.site(*self.external_ids.get(external_id)?)
    }

    pub(super) fn product(&self, id: ProductId) -> Option<&Versioned<Arc<Product>>> {
        self.products.get(&id)
    }

    pub(super) fn product_by_article(&self, article: &Code) -> Option<&Versioned<Arc<Product>>> {
        self.product(*self.articles.get(article)?)
    }

    pub(super) fn supplier(&self, id: SupplierId) -> Option<&Versioned<Arc<Supplier>>> {
        self.suppliers.get(&id)
    }

    /// Which record has the unique name of this one now, if it has one (R17).
    pub(super) fn holder_of_name(&self, record: &Record) -> Option<RecordKey> {
        match record {
            Record::Site(site) => self
                .external_ids
                .get(&site.external_id)
                .copied()
                .map(RecordKey::Site),
            Record::Product(product) => self
                .articles
                .get(&product.article_id)
                .copied()
                .map(RecordKey::Product),
            Record::Supplier(_)
            | Record::StockTake(_)
            | Record::StockTakeItem(_)
            | Record::StockLevel(_) => None,
        }
    }

    pub(super) fn put_site(&mut self, site: &Site) {
        let name = &site.external_id;
        let before = put(&mut self.sites, site.id, Arc::new(site.clone()));
        let before = before.as_ref().map(|site| &site.external_id);
        rename(&mut self.external_ids, before, name, site.id);
    }

    pub(super) fn put_product(&mut self, product: &Arc<Product>) {
        let name = &product.article_id;
        let before = put(&mut self.products, product.id, Arc::clone(product));
        let before = before.as_ref().map(|product| &product.article_id);
        rename(&mut self.articles, before, name, product.id);
    }

    pub(super) fn put_supplier(&mut self, supplier: &Supplier) {
        put(&mut self.suppliers, supplier.id, Arc::new(supplier.clone()));
    }
}

/// Creates or replaces a record, and gives what it was.
fn put<Id: Ord, T>(rows: &mut BTreeMap<Id, Versioned<T>>, id: Id, value: T) -> Option<T> {
    let version = rows
        .get(&id)
        .map_or(Version::FIRST, |row| row.version.next());
    rows.insert(id, Versioned { version, value })
        .map(|row| row.value)
}

/// Keeps an index of unique names. When two records swap their names in one commit, the one that comes
/// first has taken over the other's entry already.
fn rename<Id: PartialEq>(
    names: &mut BTreeMap<Code, Id>,
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
