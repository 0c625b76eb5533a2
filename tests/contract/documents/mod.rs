//! Documents of the shop, and commits and walks of lists, for tests of a store.
#![allow(
    dead_code,
    reason = "compiled into each test, and each uses its own part"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::shop::{ORGANISATION, at, by, note, product, site, supplier};
use stocktake::domain::{
    AdjustmentCost, AdjustmentRequest, AdjustmentType, ApprovalPolicy, BrandId, CategoryId,
    CountMoment, CountType, Found, ImportMode, InventoryCount, InventoryCountDetails,
    InventoryCountId, InventoryCountItem, InventoryOrder, InventoryOrderDetails, InventoryOrderId,
    InventoryOrderItem, InventoryOrderItemId, JobId, MovementPolicy, NamePart, Named, Ordered,
    OrganisationId, Product, ProductId, Quantity, SearchText, Site, SiteId, StockAdjustment,
    StockAdjustmentId, StockImport, StockImportId, StockKey, Unapproved,
};
use stocktake::memory::MemoryStore;
use stocktake::store::{
    ChangeSet, Command, CommandId, CommitError, CommitOutcome, Conflict, Digest, Export,
    ExportForm, ExportSubject, ImportChunk, ImportRow, InventoryOrderItemFilter, OpenCount,
    Outcome, Page, PageRequest, Record, Repository, StoreError, Version, Versioned,
};
use uuid::Uuid;

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

// ---- commits and pages -------------------------------------------------------------------------

pub(crate) async fn try_commit(
    store: &MemoryStore,
    organisation: OrganisationId,
    build: impl FnOnce(&mut ChangeSet),
) -> Result<CommitOutcome, CommitError> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    let command = Command {
        id: CommandId::new("test", number),
        digest: Digest::of("test").field(number).finish(),
        outcome: Outcome::Done,
        at: at(0),
    };
    let mut changes = ChangeSet::new(organisation, command);
    build(&mut changes);
    store.commit(&changes).await
}

pub(crate) async fn commit(store: &MemoryStore, build: impl FnOnce(&mut ChangeSet)) {
    let outcome = try_commit(store, ORGANISATION, build).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Applied);
}

pub(crate) async fn insert(store: &MemoryStore, record: impl Into<Record>) {
    commit(store, |changes| changes.insert(record)).await;
}

pub(crate) fn conflicts(result: Result<CommitOutcome, CommitError>) -> Vec<Conflict> {
    match result {
        Err(CommitError::Conflict(conflicts)) => conflicts,
        other => panic!("no conflict: {other:?}"),
    }
}

pub(crate) async fn refused(
    store: &MemoryStore,
    build: impl FnOnce(&mut ChangeSet),
) -> Vec<Conflict> {
    conflicts(try_commit(store, ORGANISATION, build).await)
}

/// Every row of a list, page by page. The total is told on each page, and is what there is.
pub(crate) async fn walk<T, F>(limit: u32, page: impl Fn(PageRequest) -> F) -> Vec<T>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    let mut rows = Vec::new();
    let mut totals = BTreeSet::new();
    let mut request = PageRequest::first(limit).counted();
    loop {
        let page = page(request).await.unwrap();
        totals.insert(page.total.unwrap());
        let is_full = page.items.len() == usize::try_from(limit).unwrap();
        rows.extend(page.items);
        let Some(next) = page.next else { break };
        assert!(is_full, "a page before the last one is full");
        request = PageRequest::after(next, limit).counted();
    }
    assert_eq!(totals, BTreeSet::from([rows.len() as u64]));
    rows
}

pub(crate) fn first<T>(row: T) -> Versioned<T> {
    Versioned {
        version: Version::FIRST,
        value: row,
    }
}

// ---- documents ---------------------------------------------------------------------------------

/// A site in pounds; number 2 is the shop's.
pub(crate) fn site_number(number: u128) -> Site {
    Site {
        id: SiteId::new(id(number)),
        ..site()
    }
}

pub(crate) fn count(number: u128, site: &Site, second: i64) -> InventoryCount {
    let details = InventoryCountDetails {
        name: "March".parse().unwrap(),
        kind: CountType::Cycle,
        notes: Some(note("north wing")),
        movement_policy: MovementPolicy::default(),
    };
    InventoryCount::start(
        InventoryCountId::new(id(number)),
        site,
        details,
        &by(1, second),
    )
}

pub(crate) fn found(counted: &str, book: &str) -> Found {
    Found {
        quantity: counted.parse().unwrap(),
        moment: CountMoment {
            at: at(1),
            clock: at(1),
            known: 0,
            ahead: false,
            stated: false,
            sequence: 1,
            told: 1,
            book: book.parse().unwrap(),
        },
        unit_cost: product().standard_cost("gbp".parse().unwrap()),
        reason: Some(note("mixed up")),
        notes: None,
    }
}

pub(crate) fn line_of(
    count: &InventoryCount,
    product: Arc<Product>,
    found: Found,
    second: i64,
) -> InventoryCountItem {
    let key = StockKey::plain(count.site(), product.id);
    let policy = ApprovalPolicy::default();
    InventoryCountItem::new(count, key, product, found, &policy, &by(5, second)).unwrap()
}

pub(crate) fn adjustment(
    number: u128,
    site: &Site,
    product: &Product,
    second: i64,
) -> StockAdjustment {
    let request = AdjustmentRequest {
        key: StockKey::plain(site.id, product.id),
        kind: AdjustmentType::Found,
        change: Quantity::ONE,
        reason: note("behind the shelf"),
        notes: None,
        reference: None,
        cost: AdjustmentCost {
            book: product.standard_cost("gbp".parse().unwrap()),
            ..AdjustmentCost::default()
        },
        unapproved: Unapproved::default(),
    };
    let adjustment_id = StockAdjustmentId::new(id(number));
    let policy = ApprovalPolicy::default();
    StockAdjustment::request(adjustment_id, site, request, &policy, &by(1, second)).unwrap()
}

pub(crate) fn order(
    number: u128,
    site: &Site,
    purchase_order: Option<&str>,
    second: i64,
) -> InventoryOrder {
    let details = InventoryOrderDetails {
        purchase_order_number: purchase_order.map(|number| number.parse().unwrap()),
        supplier_email: None,
    };
    let mut supplier = supplier();
    supplier.site = site.id;
    let order_id = InventoryOrderId::new(id(number));
    InventoryOrder::create(order_id, site, &supplier, details, &by(1, second)).unwrap()
}

pub(crate) fn order_line(
    order: &InventoryOrder,
    number: u128,
    product: Arc<Product>,
) -> InventoryOrderItem {
    let ordered = Ordered {
        quantity: Quantity::from(10),
        unit_price_minor: 200,
    };
    let item_id = InventoryOrderItemId::new(id(number));
    InventoryOrderItem::new(item_id, order, product, None, ordered, at(1)).unwrap()
}

pub(crate) fn import(number: u128) -> StockImport {
    let import_id = StockImportId::new(id(number));
    StockImport::create(import_id, ORGANISATION, ImportMode::Absolute, 2, &by(1, 0))
}

pub(crate) fn chunk(import: &StockImport, number: u32) -> ImportChunk {
    ImportChunk {
        import: import.id(),
        number,
        rows: vec![ImportRow {
            site: site().id,
            article: "SKU-1".parse().unwrap(),
            variant: NamePart::Is("L".parse().unwrap()),
            value: "2.5".parse().unwrap(),
            place: NamePart::Without,
        }],
    }
}

pub(crate) fn export(job: JobId) -> Export {
    Export {
        job,
        site: site().id,
        subject: ExportSubject::InventoryOrder {
            order: InventoryOrderId::new(id(6)),
            filter: InventoryOrderItemFilter::default(),
        },
        chunks: 1,
        after: Some("here".to_owned()),
        lines: 10,
        complete: false,
        expires_at: stocktake::domain::Timestamp::EPOCH,
        form: ExportForm::default(),
        mail_to: None,
        sums: Vec::new(),
    }
}

pub(crate) fn open(count: &InventoryCount) -> OpenCount {
    OpenCount {
        site: count.site(),
        count: count.id(),
    }
}

pub(crate) fn text_to_find(text: &str) -> SearchText {
    SearchText::new(text).unwrap()
}

/// A product of the supplier; its brand and category follow from its number.
pub(crate) fn numbered_product(number: u8) -> Arc<Product> {
    let mut numbered = Product::clone(&product());
    numbered.id = ProductId::new(id(400 + u128::from(number)));
    numbered.article_id = format!("SKU-{number}").parse().unwrap();
    numbered.brand = Some(Named {
        id: BrandId::new(id(u128::from(number % 2))),
        name: "Brand".parse().unwrap(),
    });
    numbered.category = (!number.is_multiple_of(3)).then(|| Named {
        id: CategoryId::new(id(u128::from(number % 3))),
        name: "Category".parse().unwrap(),
    });
    Arc::new(numbered)
}
