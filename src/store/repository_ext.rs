//! Records of each kind, over the one read of a store.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Export, ExportChunk, ImportChunk, OpenCount, Record, RecordKey, Repository, StoreError,
    StoreErrorKind, Versioned,
};
use crate::domain::{
    InventoryCount, InventoryCountId, InventoryCountItem, InventoryCountItemId, InventoryOrder,
    InventoryOrderId, InventoryOrderItem, InventoryOrderItemId, JobId, OrganisationId, Product,
    ProductId, Site, SiteId, StockAdjustment, StockAdjustmentId, StockImport, StockImportId,
    StockKey, StockLevel, StockTake, StockTakeId, Supplier, SupplierId,
};

/// Records of each kind by their keys ([`Repository::get`]), for every store.
///
/// Each is [`None`] for what is not there, and fails only as the store does; with [`StoreErrorKind::Corrupt`] also when the
/// store answers with a record of another kind, or not once for each key.
///
/// # Example
///
/// ```
/// use stocktake::domain::{OrganisationId, SiteId};
/// use stocktake::memory::MemoryStore;
/// use stocktake::store::RepositoryExt;
/// use uuid::Uuid;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let organisation = OrganisationId::new(Uuid::from_u128(1));
/// let site = MemoryStore::new().site(organisation, SiteId::new(Uuid::from_u128(2))).await?;
/// assert!(site.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[async_trait]
pub trait RepositoryExt: Repository {
    /// A site.
    async fn site(
        &self,
        organisation: OrganisationId,
        id: SiteId,
    ) -> Result<Option<Versioned<Site>>, StoreError> {
        let found = self.get(organisation, &[RecordKey::Site(id)]).await?;
        Ok(typed(found, 1, "site")?.pop().flatten())
    }

    /// Products: one answer for each id, in their order.
    async fn products(
        &self,
        organisation: OrganisationId,
        ids: &[ProductId],
    ) -> Result<Vec<Option<Versioned<Arc<Product>>>>, StoreError> {
        let keys: Vec<_> = ids.iter().map(|id| RecordKey::Product(*id)).collect();
        typed(self.get(organisation, &keys).await?, keys.len(), "products")
    }

    /// A supplier.
    async fn supplier(
        &self,
        organisation: OrganisationId,
        id: SupplierId,
    ) -> Result<Option<Versioned<Supplier>>, StoreError> {
        let found = self.get(organisation, &[RecordKey::Supplier(id)]).await?;
        Ok(typed(found, 1, "supplier")?.pop().flatten())
    }

    /// Levels, delisted ones included: one answer for each key, in their order.
    async fn levels(
        &self,
        organisation: OrganisationId,
        keys: &[StockKey],
    ) -> Result<Vec<Option<Versioned<StockLevel>>>, StoreError> {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| RecordKey::StockLevel(key.clone()))
            .collect();
        typed(self.get(organisation, &keys).await?, keys.len(), "levels")
    }

    /// A stock take.
    async fn stock_take(
        &self,
        organisation: OrganisationId,
        id: StockTakeId,
    ) -> Result<Option<Versioned<StockTake>>, StoreError> {
        let found = self.get(organisation, &[RecordKey::StockTake(id)]).await?;
        Ok(typed(found, 1, "stock_take")?.pop().flatten())
    }

    /// An inventory count.
    async fn inventory_count(
        &self,
        organisation: OrganisationId,
        id: InventoryCountId,
    ) -> Result<Option<Versioned<InventoryCount>>, StoreError> {
        let found = self
            .get(organisation, &[RecordKey::InventoryCount(id)])
            .await?;
        Ok(typed(found, 1, "inventory_count")?.pop().flatten())
    }

    /// The mark of a site's count in progress.
    async fn open_count(
        &self,
        organisation: OrganisationId,
        site: SiteId,
    ) -> Result<Option<Versioned<OpenCount>>, StoreError> {
        let found = self
            .get(organisation, &[RecordKey::OpenCount(site)])
            .await?;
        Ok(typed(found, 1, "open_count")?.pop().flatten())
    }

    /// A line of an inventory count.
    async fn inventory_count_item(
        &self,
        organisation: OrganisationId,
        count: InventoryCountId,
        item: InventoryCountItemId,
    ) -> Result<Option<Versioned<InventoryCountItem>>, StoreError> {
        let found = self
            .get(organisation, &[RecordKey::InventoryCountItem(count, item)])
            .await?;
        Ok(typed(found, 1, "inventory_count_item")?.pop().flatten())
    }

    /// A stock adjustment.
    async fn stock_adjustment(
        &self,
        organisation: OrganisationId,
        id: StockAdjustmentId,
    ) -> Result<Option<Versioned<StockAdjustment>>, StoreError> {
        let found = self
            .get(organisation, &[RecordKey::StockAdjustment(id)])
            .await?;
        Ok(typed(found, 1, "stock_adjustment")?.pop().flatten())
    }

    /// An inventory order.
    async fn inventory_order(
        &self,
        organisation: OrganisationId,
        id: InventoryOrderId,
    ) -> Result<Option<Versioned<InventoryOrder>>, StoreError> {
        let found = self
            .get(organisation, &[RecordKey::InventoryOrder(id)])
            .await?;
        Ok(typed(found, 1, "inventory_order")?.pop().flatten())
    }

    /// A line of an inventory order.
    async fn inventory_order_item(
        &self,
        organisation: OrganisationId,
        order: InventoryOrderId,
        item: InventoryOrderItemId,
    ) -> Result<Option<Versioned<InventoryOrderItem>>, StoreError> {
        let found = self
            .get(organisation, &[RecordKey::InventoryOrderItem(order, item)])
            .await?;
        Ok(typed(found, 1, "inventory_order_item")?.pop().flatten())
    }

    /// A stock import.
    async fn stock_import(
        &self,
        organisation: OrganisationId,
        id: StockImportId,
    ) -> Result<Option<Versioned<StockImport>>, StoreError> {
        let found = self
            .get(organisation, &[RecordKey::StockImport(id)])
            .await?;
        Ok(typed(found, 1, "stock_import")?.pop().flatten())
    }

    /// A part of an import's values.
    async fn import_chunk(
        &self,
        organisation: OrganisationId,
        import: StockImportId,
        number: u32,
    ) -> Result<Option<Versioned<ImportChunk>>, StoreError> {
        let found = self
            .get(organisation, &[RecordKey::ImportChunk(import, number)])
            .await?;
        Ok(typed(found, 1, "import_chunk")?.pop().flatten())
    }

    /// What an export is of, and how far it is.
    async fn export(
        &self,
        organisation: OrganisationId,
        job: JobId,
    ) -> Result<Option<Versioned<Export>>, StoreError> {
        let found = self.get(organisation, &[RecordKey::Export(job)]).await?;
        Ok(typed(found, 1, "export")?.pop().flatten())
    }

    /// A part of an export's file.
    async fn export_chunk(
        &self,
        organisation: OrganisationId,
        job: JobId,
        number: u32,
    ) -> Result<Option<Versioned<ExportChunk>>, StoreError> {
        let found = self
            .get(organisation, &[RecordKey::ExportChunk(job, number)])
            .await?;
        Ok(typed(found, 1, "export_chunk")?.pop().flatten())
    }
}

impl<R: Repository + ?Sized> RepositoryExt for R {}

/// Records of one kind, as many as were asked for.
fn typed<T: TryFrom<Record>>(
    found: Vec<Option<Versioned<Record>>>,
    asked: usize,
    operation: &'static str,
) -> Result<Vec<Option<Versioned<T>>>, StoreError> {
    let corrupt = || StoreError::new(StoreErrorKind::Corrupt, operation);
    if found.len() != asked {
        return Err(corrupt());
    }
    let typed = |record: Versioned<Record>| {
        let Versioned { version, value } = record;
        let value = T::try_from(value).map_err(|_| corrupt())?;
        Ok(Versioned { version, value })
    };
    found
        .into_iter()
        .map(|it| it.map(typed).transpose())
        .collect()
}
