//! Stock adjustments.

use super::documents::{Document, Documents, Wanted, states_asked_for};
use super::table::Row;
use crate::domain::{
    OrganisationId, ProductId, SiteId, StockAdjustment, StockAdjustmentId, StockAdjustmentState,
    Timestamp,
};
use crate::store::{List, Page, PageRequest, StockAdjustmentFilter, StoreError};

/// The adjustments of an organisation.
pub(super) type Adjustments = Documents<StockAdjustment>;

impl Document for StockAdjustment {
    type Id = StockAdjustmentId;
    /// A product's adjustments stand on a list of their own as well.
    type Scope = (SiteId, Option<ProductId>, StockAdjustmentState);

    fn id(&self) -> StockAdjustmentId {
        Self::id(self)
    }

    fn began_at(&self) -> Timestamp {
        self.created_at()
    }

    fn scopes(&self) -> impl Iterator<Item = Self::Scope> {
        let products = [None, Some(self.key().product)];
        products
            .into_iter()
            .map(|product| (self.site(), product, self.state()))
    }
}

impl Adjustments {
    /// A page of a site's adjustments.
    pub(super) fn of_site(
        &self,
        organisation: OrganisationId,
        site: SiteId,
        filter: &StockAdjustmentFilter,
        request: &PageRequest,
    ) -> Result<Page<Row<StockAdjustment>>, StoreError> {
        let scope = format_args!("{organisation}/{site}");
        let list = List::new("stock_adjustments", scope, filter);
        let StockAdjustmentFilter {
            states,
            from,
            to,
            product,
        } = filter;
        let states = states_asked_for(states, StockAdjustmentState::ALL, |_| false);
        let wanted = Wanted {
            scopes: states
                .into_iter()
                .map(|state| (site, *product, state))
                .collect(),
            from: *from,
            to: *to,
            keep: None,
        };
        self.page(list, &wanted, request)
    }
}
