//! Records of every kind, by their keys: made up, and read back.

use std::sync::Arc;

use super::checks::Wrong;
use super::harness::Store;
use super::sampler::{Fixed, Sampler};
use super::samples::{
    SITE, TAKE, brand, category, code, event_id, key, product_id, search, site_id, supplier,
};
use rust_decimal::Decimal;

use crate::domain::{
    CountStatus, InventoryCountId, InventoryCountItemId, InventoryOrderId, InventoryOrderItemId,
    JobId, OrganisationId, Product, SiteId, StockAdjustmentId, StockImportId, StockKey, StockLevel,
    StockTakeItemId, SupplierId,
};
use crate::store::{
    ColumnSum, CountingView, Export, ExportChunk, ExportSubject, InventoryOrderItemFilter, Outcome,
    Record, RecordKey, RepositoryExt, SerialMark, StockTakeItemFilter, StoreError, Version,
    Versioned,
};

pub(super) const COUNT: InventoryCountId = InventoryCountId::new(uuid::Uuid::from_u128(0xC0));
pub(super) const ORDER: InventoryOrderId = InventoryOrderId::new(uuid::Uuid::from_u128(0x0D));
pub(super) const IMPORT: StockImportId = StockImportId::new(uuid::Uuid::from_u128(0x1E));
pub(super) const EXPORT: JobId = JobId::new(uuid::Uuid::from_u128(0xEC));

pub(super) fn line_id(n: u128) -> StockTakeItemId {
    StockTakeItemId::new(uuid::Uuid::from_u128(n))
}

pub(super) fn count_line_id(n: u128) -> InventoryCountItemId {
    InventoryCountItemId::new(uuid::Uuid::from_u128(n))
}

pub(super) fn order_line_id(n: u128) -> InventoryOrderItemId {
    InventoryOrderItemId::new(uuid::Uuid::from_u128(n))
}

pub(super) fn adjustment_id(n: u128) -> StockAdjustmentId {
    StockAdjustmentId::new(uuid::Uuid::from_u128(n))
}

/// A key with every part.
pub(super) fn full_key(n: u128) -> StockKey {
    key(n)
        .of_variant(code("e\u{301}"))
        .at(code("A-1/%_"))
        .in_batch(code(&"\u{fc}".repeat(128)))
        .with_serial(code("'"))
}

/// A key of each kind; lines are those of documents that are among them.
pub(super) fn keys_of_every_kind() -> Vec<RecordKey> {
    vec![
        RecordKey::Site(site_id(1)),
        RecordKey::Product(product_id(1)),
        RecordKey::Supplier(SupplierId::new(uuid::Uuid::from_u128(1))),
        RecordKey::StockTake(TAKE),
        RecordKey::StockTakeItem(TAKE, line_id(1)),
        RecordKey::InventoryCount(COUNT),
        RecordKey::OpenCount(site_id(1)),
        RecordKey::InventoryCountItem(COUNT, count_line_id(1)),
        RecordKey::StockAdjustment(adjustment_id(1)),
        RecordKey::InventoryOrder(ORDER),
        RecordKey::InventoryOrderItem(ORDER, order_line_id(1)),
        RecordKey::StockImport(IMPORT),
        RecordKey::ImportChunk(IMPORT, u32::MAX),
        RecordKey::Export(EXPORT),
        RecordKey::ExportChunk(EXPORT, u32::MAX),
        RecordKey::StockLevel(full_key(1)),
        RecordKey::SerialMark(code("e\u{301}"), None),
        RecordKey::SerialMark(
            code("e\u{301}"),
            Some(crate::domain::ProductId::new(uuid::Uuid::nil())),
        ),
    ]
}

/// Makes up the record of a key; documents are at the site that lists are asked of.
pub(super) fn record(sampler: &mut Sampler, of: &RecordKey) -> Result<Record, Wrong> {
    record_at(sampler, of, SITE)
}

/// Makes up the record of a key; documents are at a site.
pub(super) fn record_at(
    sampler: &mut Sampler,
    of: &RecordKey,
    site: SiteId,
) -> Result<Record, Wrong> {
    // What a document must have.
    let at_site =
        |id: uuid::Uuid| -> [Fixed<'static>; 2] { [("id", id), ("site", site.as_uuid())] };
    Ok(match of {
        RecordKey::Site(id) => Record::Site(sampler.make(&[("id", id.as_uuid())])?),
        RecordKey::Product(id) => {
            let product: Product = sampler.make(&[("id", id.as_uuid())])?;
            Arc::new(product).into()
        }
        RecordKey::Supplier(id) => Record::Supplier(sampler.make(&[("id", id.as_uuid())])?),
        RecordKey::StockTake(id) => Record::StockTake(sampler.make(&at_site(id.as_uuid()))?),
        RecordKey::StockTakeItem(take, id) => {
            let ids = [("id", id.as_uuid()), ("take", take.as_uuid())];
            Record::StockTakeItem(sampler.make(&ids)?)
        }
        RecordKey::InventoryCount(id) => {
            Record::InventoryCount(sampler.make(&at_site(id.as_uuid()))?)
        }
        RecordKey::OpenCount(site) => Record::OpenCount(sampler.make(&[("site", site.as_uuid())])?),
        RecordKey::InventoryCountItem(count, id) => {
            let ids = [("id", id.as_uuid()), ("count", count.as_uuid())];
            Record::InventoryCountItem(sampler.make(&ids)?)
        }
        RecordKey::StockAdjustment(id) => {
            Record::StockAdjustment(sampler.make(&at_site(id.as_uuid()))?)
        }
        RecordKey::InventoryOrder(id) => {
            Record::InventoryOrder(sampler.make(&at_site(id.as_uuid()))?)
        }
        RecordKey::InventoryOrderItem(order, id) => {
            let ids = [("id", id.as_uuid()), ("order", order.as_uuid())];
            Record::InventoryOrderItem(sampler.make(&ids)?)
        }
        RecordKey::StockImport(id) => Record::StockImport(sampler.make(&[("id", id.as_uuid())])?),
        RecordKey::ImportChunk(import, number) => {
            let mut chunk: crate::store::ImportChunk =
                sampler.make(&[("import", import.as_uuid())])?;
            chunk.number = *number;
            chunk.into()
        }
        RecordKey::Export(job) => export(sampler, *job)?.into(),
        RecordKey::ExportChunk(job, number) => ExportChunk {
            job: *job,
            number: *number,
            bytes: (0..=u8::MAX).collect(),
            part: (number % 2 == 1).then(|| job.as_uuid()),
        }
        .into(),
        RecordKey::StockLevel(key) => {
            let level: StockLevel = sampler.make_of(key)?;
            level.into()
        }
        RecordKey::SerialMark(serial, product) => SerialMark {
            serial: serial.clone(),
            product: *product,
            key: sampler.make(&[])?,
        }
        .into(),
    })
}

fn export(sampler: &mut Sampler, job: JobId) -> Result<Export, Wrong> {
    let id = crate::domain::StockTakeId::new(uuid::Uuid::from_u128(1));
    let subject = if sampler.seed.one_in(2) {
        ExportSubject::StockTake {
            take: id,
            filter: full_filter(),
        }
    } else {
        ExportSubject::InventoryOrder {
            order: ORDER,
            filter: InventoryOrderItemFilter {
                brands: [brand(1).id, brand(2).id].into(),
                categories: [category(1).id].into(),
            },
        }
    };
    Ok(Export {
        job,
        site: sampler.make(&[])?,
        subject,
        chunks: sampler.make(&[])?,
        after: sampler.make(&[])?,
        lines: sampler.make(&[])?,
        complete: sampler.make(&[])?,
        expires_at: sampler.make(&[])?,
        form: sampler.make(&[])?,
        mail_to: Some("ann@example.com".to_owned()),
        sums: vec![
            ColumnSum::default(),
            ColumnSum(Some(Decimal::new(-1_234_567, 3))),
            ColumnSum(None),
        ],
    })
}

/// A filter with everything set.
pub(super) fn full_filter() -> StockTakeItemFilter {
    StockTakeItemFilter {
        brands: [brand(1).id, brand(2).id].into(),
        categories: [category(1).id].into(),
        suppliers: [supplier(3).id].into(),
        name: Some(search("\u{c5}%_\\'")),
        name_or_barcode: Some(search("\"")),
        status: CountStatus::Uncounted,
        place: Some(code("e\u{301}")),
        article: Some(code("\u{e9}")),
        batch: Some(code("%")),
        serial: Some(code("_")),
        left_over: true,
    }
}

/// Reads a record of any kind by its key; the version of a kind that tells none is `None`.
pub(super) async fn read(
    store: &dyn Store,
    organisation: OrganisationId,
    of: &RecordKey,
) -> Result<Option<(Option<Version>, Record)>, StoreError> {
    /// As a record of any kind.
    fn any<T: Into<Record>>(read: Option<Versioned<T>>) -> Option<(Option<Version>, Record)> {
        read.map(|read| (Some(read.version), read.value.into()))
    }
    Ok(match of {
        RecordKey::Site(id) => any(store.site(organisation, *id).await?),
        RecordKey::Product(id) => {
            let read = store.products(organisation, &[*id]).await?;
            any(read.into_iter().next().flatten())
        }
        RecordKey::Supplier(id) => any(store.supplier(organisation, *id).await?),
        RecordKey::StockTake(id) => any(store.stock_take(organisation, *id).await?),
        RecordKey::StockTakeItem(take, id) => {
            let view = store.counting_view(organisation, *take, &[*id]).await?;
            view.and_then(CountingView::into_line).map(|(_, line)| {
                let value = Arc::unwrap_or_clone(line.item.value);
                (Some(line.item.version), value.into())
            })
        }
        RecordKey::InventoryCount(id) => any(store.inventory_count(organisation, *id).await?),
        RecordKey::OpenCount(site) => any(store.open_count(organisation, *site).await?),
        RecordKey::InventoryCountItem(count, id) => any(store
            .inventory_count_item(organisation, *count, *id)
            .await?),
        RecordKey::StockAdjustment(id) => any(store.stock_adjustment(organisation, *id).await?),
        RecordKey::InventoryOrder(id) => any(store.inventory_order(organisation, *id).await?),
        RecordKey::InventoryOrderItem(order, id) => any(store
            .inventory_order_item(organisation, *order, *id)
            .await?),
        RecordKey::StockImport(id) => any(store.stock_import(organisation, *id).await?),
        RecordKey::ImportChunk(import, number) => {
            any(store.import_chunk(organisation, *import, *number).await?)
        }
        RecordKey::Export(job) => any(store.export(organisation, *job).await?),
        RecordKey::ExportChunk(job, number) => {
            any(store.export_chunk(organisation, *job, *number).await?)
        }
        RecordKey::StockLevel(key) => {
            let keys = std::slice::from_ref(key);
            let read = store.levels(organisation, keys).await?;
            any(read.into_iter().next().flatten())
        }
        RecordKey::SerialMark(serial, product) => {
            let serials = [serial.clone()].into();
            let products = product.iter().copied().collect();
            let marks = store
                .serial_marks(organisation, &serials, &products)
                .await?;
            any(marks
                .into_iter()
                .find(|mark| mark.value.product == *product))
        }
    })
}

/// An outcome of each kind.
pub(super) fn outcomes(sampler: &mut Sampler) -> Result<Vec<Outcome>, Wrong> {
    Ok(vec![
        Outcome::Done,
        Outcome::StockTake(sampler.make(&[])?),
        Outcome::StockTakeItems(sampler.make(&[])?),
        Outcome::StockTakeItems(Arc::from([])),
        Outcome::InventoryCount(sampler.make(&[])?),
        Outcome::InventoryCountItem(sampler.make(&[])?),
        Outcome::StockAdjustment(sampler.make(&[])?),
        Outcome::InventoryOrder(sampler.make(&[])?),
        Outcome::InventoryOrderItem(sampler.make(&[])?),
        Outcome::StockImport(sampler.make(&[])?),
        Outcome::Events(sampler.make(&[])?),
        Outcome::Events(Arc::from([])),
        Outcome::Number(i64::MAX.unsigned_abs()),
        Outcome::Number(0),
        Outcome::Job(event_id(7).as_uuid().into()),
    ])
}
