//! What products cost at a site, over all their keys: what a key goes by that knows no cost itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{
    CostingMethod, OrganisationId, Product, ProductId, Quantity, Site, SiteId, StockKey,
    StockLevel, UnitCost, Value,
};
use crate::store::{LevelFilter, MAX_PAGE, PageRequest};

use super::{Error, Stocktake};

/// The averages of products at sites. A key that knows no cost has no part in them, so to such a key they are the
/// averages of the others.
///
/// They are as they were read, together with what was told since: nobody waits for another key's goods.
#[derive(Clone, Debug, Default)]
pub(super) struct SiteCosts {
    of: BTreeMap<(SiteId, ProductId), Costed>,
    /// Products as they are now, where that matters.
    products: BTreeMap<ProductId, Arc<Product>>,
}

/// Goods of known cost.
#[derive(Clone, Copy, Debug, Default)]
struct Costed {
    quantity: Quantity,
    value: Value,
}

impl SiteCosts {
    /// What one unit of a product costs on average at a site, if any key of it was asked for and knows.
    pub(super) fn unit_cost(&self, site: SiteId, product: ProductId) -> Option<UnitCost> {
        let costed = self.of.get(&(site, product))?;
        let there = costed.quantity.is_positive();
        there.then(|| costed.value.per_unit(costed.quantity).ok())?
    }

    /// What one unit of a key costs: as it knows itself, else as its product's other keys do, else the standard cost. So it
    /// is shown when a line is counted, and so it is posted.
    pub(super) fn of_key(
        &self,
        key: &StockKey,
        level: Option<&StockLevel>,
        standard: Option<UnitCost>,
    ) -> Option<UnitCost> {
        let otherwise = self.unit_cost(key.site, key.product).or(standard);
        match level {
            Some(level) => level.valuation().current_cost(level.quantity(), otherwise),
            None => otherwise,
        }
    }

    /// The standard cost of a product of which a line keeps a snapshot: what it is now, if that decides on a value.
    pub(super) fn standard(&self, snapshot: &Product, site: &Site) -> Option<UnitCost> {
        let now = self.products.get(&snapshot.id);
        let product = now.map_or(snapshot, |product| &**product);
        product.standard_cost(site.currency)
    }

    /// A level changed; only of products that were asked for.
    pub(super) fn changed(&mut self, before: &StockLevel, after: &StockLevel) {
        let key = after.key();
        if let Some(costed) = self.of.get_mut(&(key.site, key.product)) {
            let change = |costed: &Costed| {
                let (less, more) = (before.of_known_cost()?, after.of_known_cost()?);
                let quantity = costed.quantity.checked_sub(less.0)?.checked_add(more.0)?;
                let value = costed.value.checked_sub(less.1)?.checked_add(more.1)?;
                Ok::<_, crate::domain::DecimalError>(Costed { quantity, value })
            };
            // An average of amounts beyond all ranges is none.
            *costed = change(costed).unwrap_or_default();
        }
    }
}

impl Stocktake {
    /// What the posting of some keys goes by: what their products cost at the site, of those that are `unknown`, and their
    /// standard costs as they are now, if they decide on a value.
    pub(super) async fn posting_costs(
        &self,
        site: &Site,
        unknown: BTreeSet<ProductId>,
        keys: impl Iterator<Item = &StockKey>,
    ) -> Result<SiteCosts, Error> {
        let mut costs = SiteCosts::default();
        let policy = &site.policy;
        if policy.costing == CostingMethod::Standard
            || policy.revalue_unknown
            || !unknown.is_empty()
        {
            costs.products = self.products_of(site.organisation, keys).await?;
        }
        let place = (site.organisation, site.id);
        self.add_site_costs(&mut costs, place, unknown).await?;
        Ok(costs)
    }

    /// What lines that are counted go by: what their products cost at the site, of those whose own keys don't know.
    pub(super) async fn counting_costs<'l>(
        &self,
        place: (OrganisationId, SiteId),
        lines: impl Iterator<Item = (&'l StockKey, Option<&'l StockLevel>)>,
    ) -> Result<SiteCosts, Error> {
        let unknown = lines.filter(|(_, level)| !level.is_some_and(StockLevel::knows_cost));
        let unknown = unknown.map(|(key, _)| key.product).collect();
        let mut costs = SiteCosts::default();
        self.add_site_costs(&mut costs, place, unknown).await?;
        Ok(costs)
    }

    /// Adds what some products cost at a site: one walk over their levels, however many there are; none of nothing.
    pub(super) async fn add_site_costs(
        &self,
        costs: &mut SiteCosts,
        (organisation, site): (OrganisationId, SiteId),
        products: BTreeSet<ProductId>,
    ) -> Result<(), Error> {
        if products.is_empty() {
            return Ok(());
        }
        for product in &products {
            costs.of.insert((site, *product), Costed::default());
        }
        let filter = LevelFilter {
            products: products.into_iter().collect(),
            ..LevelFilter::default()
        };
        let mut next = Some(PageRequest::first(MAX_PAGE));
        while let Some(page) = next {
            let levels = self
                .repository
                .levels_page(organisation, site, &filter, &page)
                .await?;
            for level in &levels.items {
                let nothing = StockLevel::new(level.value.key().clone(), level.value.updated_at());
                costs.changed(&nothing, &level.value);
            }
            next = levels.next.map(|next| PageRequest::after(next, MAX_PAGE));
        }
        Ok(())
    }
}
