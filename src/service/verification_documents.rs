//! Verifying what is kept beside the documents of a site: columns, totals, subtotals (S6.10).

use crate::domain::{
    InventoryCountId, InventoryOrder, InventoryOrderState, Site, StockTakeId, StockTakeState,
};
use crate::store::{
    ArticleSort, Cursor, InventoryCountFilter, InventoryCountItemFilter, InventoryOrderFilter,
    InventoryOrderItemFilter, PageRequest, RecordKey, StockAdjustmentFilter, StockTakeFilter,
    StockTakeItemFilter, Versioned,
};

use super::verification::{Difference, LOOKS, Verification};
use super::{CHUNK, Error, Stocktake};

fn page_after(cursor: Option<Cursor>) -> PageRequest {
    cursor.map_or(PageRequest::first(CHUNK), |cursor| {
        PageRequest::after(cursor, CHUNK)
    })
}

impl Stocktake {
    /// Asks the store what it keeps beside some records that is unlike them.
    pub(super) async fn verify_beside(
        &self,
        site: &Site,
        keys: &[RecordKey],
        result: &mut Verification,
    ) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
        let found = self.repository.unlike(site.organisation, keys).await?;
        for unlike in found {
            let (record, what) = (unlike.record, unlike.what);
            result.tell(Difference::Beside { record, what });
        }
        Ok(())
    }

    /// Verifies a site's documents, removed ones among them, and their lines.
    pub(super) async fn verify_documents(
        &self,
        site: &Site,
        result: &mut Verification,
    ) -> Result<(), Error> {
        self.verify_beside(site, &[RecordKey::Site(site.id)], result)
            .await?;
        self.verify_takes(site, result).await?;
        self.verify_counts(site, result).await?;
        self.verify_adjustments(site, result).await?;
        self.verify_orders(site, result).await
    }

    async fn verify_takes(&self, site: &Site, result: &mut Verification) -> Result<(), Error> {
        let filter = StockTakeFilter {
            states: StockTakeState::ALL.iter().copied().collect(),
        };
        let mut after = None;
        loop {
            let takes = self
                .repository
                .stock_takes(site.organisation, site.id, &filter, &page_after(after))
                .await?;
            for take in takes.items {
                let id = take.value.id();
                self.verify_beside(site, &[RecordKey::StockTake(id)], result)
                    .await?;
                self.verify_take_lines(site, id, result).await?;
            }
            after = takes.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_take_lines(
        &self,
        site: &Site,
        take: StockTakeId,
        result: &mut Verification,
    ) -> Result<(), Error> {
        let (all, sort) = (StockTakeItemFilter::default(), ArticleSort::default());
        let mut after = None;
        loop {
            let page = page_after(after);
            let lines = self
                .repository
                .stock_take_items(site.organisation, take, &all, sort, &page)
                .await?;
            let key = |id| RecordKey::StockTakeItem(take, id);
            let lines_of = lines.items.iter().map(|line| key(line.item.value.id));
            let keys: Vec<RecordKey> = lines_of.collect();
            self.verify_beside(site, &keys, result).await?;
            after = lines.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_counts(&self, site: &Site, result: &mut Verification) -> Result<(), Error> {
        let all = InventoryCountFilter::default();
        let mut after = None;
        loop {
            let counts = self
                .repository
                .inventory_counts(site.organisation, site.id, &all, &page_after(after))
                .await?;
            for count in counts.items {
                let id = count.value.id();
                self.verify_beside(site, &[RecordKey::InventoryCount(id)], result)
                    .await?;
                self.verify_count_lines(site, id, result).await?;
            }
            after = counts.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_count_lines(
        &self,
        site: &Site,
        count: InventoryCountId,
        result: &mut Verification,
    ) -> Result<(), Error> {
        let all = InventoryCountItemFilter::default();
        let mut after = None;
        loop {
            let page = page_after(after);
            let lines = self
                .repository
                .inventory_count_items(site.organisation, count, &all, &page)
                .await?;
            let key = |id| RecordKey::InventoryCountItem(count, id);
            let keys: Vec<RecordKey> = lines.items.iter().map(|line| key(line.value.id)).collect();
            self.verify_beside(site, &keys, result).await?;
            after = lines.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_adjustments(
        &self,
        site: &Site,
        result: &mut Verification,
    ) -> Result<(), Error> {
        let all = StockAdjustmentFilter::default();
        let mut after = None;
        loop {
            let page = page_after(after);
            let found = self
                .repository
                .stock_adjustments(site.organisation, site.id, &all, &page)
                .await?;
            let ids = found.items.iter().map(|found| found.value.id());
            let keys: Vec<RecordKey> = ids.map(RecordKey::StockAdjustment).collect();
            self.verify_beside(site, &keys, result).await?;
            after = found.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn verify_orders(&self, site: &Site, result: &mut Verification) -> Result<(), Error> {
        let filter = InventoryOrderFilter {
            states: InventoryOrderState::ALL.iter().copied().collect(),
            ..InventoryOrderFilter::default()
        };
        let mut after = None;
        loop {
            let page = page_after(after);
            let orders = self
                .repository
                .inventory_orders(site.organisation, site.id, &filter, &page)
                .await?;
            for order in orders.items {
                let id = order.value.id();
                self.verify_beside(site, &[RecordKey::InventoryOrder(id)], result)
                    .await?;
                self.verify_order(site, order, result).await?;
            }
            after = orders.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Verifies an order's lines and their sums. Lines land together with their order, so the sums are compared when the
    /// order has stood still while its lines were read.
    async fn verify_order(
        &self,
        site: &Site,
        order: Versioned<InventoryOrder>,
        result: &mut Verification,
    ) -> Result<(), Error> {
        let mut order = order;
        for look in 0..LOOKS {
            let id = order.value.id();
            let (mut items, mut subtotal) = (0_u64, 0_i128);
            let mut after = None;
            loop {
                let all = InventoryOrderItemFilter::default();
                let page = page_after(after);
                let lines = self
                    .repository
                    .inventory_order_items(site.organisation, id, &all, &page)
                    .await?;
                if look == 0 {
                    let key = |line| RecordKey::InventoryOrderItem(id, line);
                    let ids = lines.items.iter().map(|line| line.value.id());
                    let keys: Vec<RecordKey> = ids.map(key).collect();
                    self.verify_beside(site, &keys, result).await?;
                }
                for line in &lines.items {
                    items = items.saturating_add(1);
                    subtotal = subtotal.saturating_add(line.value.total_minor().into());
                }
                after = lines.next;
                if after.is_none() {
                    break;
                }
            }
            if (order.value.item_count(), order.value.subtotal_minor()) == (items, subtotal) {
                return Ok(());
            }
            let again = self
                .repository
                .inventory_order(site.organisation, id)
                .await?;
            match again {
                Some(again) if again.version != order.version => order = again,
                Some(_) => {
                    result.tell(Difference::Subtotal { order: id });
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }
}
