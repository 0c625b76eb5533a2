//! Reading records and the ledger.

use std::collections::BTreeSet;

use super::cell::{Cell, Kind, Row, Unreadable};
use super::lists::{Kept, Listing, Narrowed};
use super::query::{Lookup, Snapshot, all, blocks, first};
use super::table::{Table, key_cells, stock_key_cells, tables, versioned};
use crate::domain::{
    Code, InventoryCountId, InventoryCountItem, InventoryOrderId, InventoryOrderItem, LedgerEntry,
    OrganisationId, ProductId, Site, SiteId, StockEvent, StockEventId, StockKey, StockLevel,
    Timestamp,
};
use crate::store::codec::Stored;
use crate::store::{
    Command, CommandId, Digest, InventoryCountItemFilter, InventoryOrderItemFilter, LevelFilter,
    List, MAX_PAGE, Page, PageRequest, RecordKey, SerialMark, StoreError, Versioned,
};

/// A record by its key.
pub(crate) async fn record<S: Snapshot, T: Stored + Send>(
    s: &mut S,
    organisation: OrganisationId,
    key: &RecordKey,
) -> Result<Option<Versioned<T>>, StoreError> {
    let table = Table::of(key);
    let mut query = s.query("SELECT version, body FROM ");
    query.push(table.name).push(" WHERE organisation = ");
    query.bind(organisation.as_uuid());
    for ((column, _), cell) in table.key.iter().zip(key_cells(key)) {
        query.push(" AND ").push(column).push(" = ").bind(cell);
    }
    first(s, &query, |row| {
        versioned(row).map_err(|cause| cause.of(key))
    })
    .await
}

/// Rows by what is asked for, one answer for each, in their order.
async fn answers<S: Snapshot, T: Clone + Send>(
    s: &mut S,
    asked: Vec<Vec<Cell>>,
    (kinds, lookups): (&[Kind], &[Lookup<'_>]),
    organisation: OrganisationId,
    (columns, read): (
        &str,
        impl Fn(&mut Row) -> Result<T, Unreadable> + Send + Copy,
    ),
) -> Result<Vec<Option<T>>, StoreError> {
    let mut answers = vec![None; asked.len()];
    let rows = asked.into_iter().enumerate().map(|(nth, mut cells)| {
        cells.insert(0, nth.into());
        cells
    });
    let kinds: Vec<Kind> = std::iter::once(Kind::Int)
        .chain(kinds.iter().copied())
        .collect();
    for block in blocks(S::DIALECT, rows.collect()) {
        let mut query = s.query("SELECT w.column1, ");
        query.push(columns).push(" FROM ");
        query.table(&kinds, block);
        for lookup in lookups {
            query.find(organisation, *lookup, "");
        }
        let found = all(s, &query, |row| {
            let nth: usize = row.int()?;
            let answer = read(row).map_err(|cause| Unreadable::Answer(nth, Box::new(cause)))?;
            Ok((nth, answer))
        });
        for (nth, answer) in found.await? {
            if let Some(place) = answers.get_mut(nth) {
                *place = Some(answer);
            }
        }
    }
    Ok(answers)
}

/// What [`versioned`] reads.
const VERSIONED: &str = "t.version, t.body";

/// Records by their unique names.
pub(crate) async fn by_name<S: Snapshot, T: Stored + Clone + Send>(
    s: &mut S,
    organisation: OrganisationId,
    (table, kind): (&Table, i64),
    names: &[Code],
) -> Result<Vec<Option<Versioned<T>>>, StoreError> {
    let asked = names
        .iter()
        .map(|name| vec![name.as_str().into()])
        .collect();
    let lookups = [
        Lookup {
            table: "stk_catalogue_name",
            alias: "n",
            key: &format!("n.kind = {kind} AND n.name = w.column2"),
        },
        Lookup {
            table: table.name,
            alias: "t",
            key: "t.id = n.holder",
        },
    ];
    let what = (&[Kind::Text][..], &lookups[..]);
    let found = answers(s, asked, what, organisation, (VERSIONED, versioned)).await;
    let name = |nth: usize| Some(format!("{} of the name {}", table.name, names.get(nth)?));
    found.map_err(|error| Unreadable::named(error, name))
}

/// Article ids that are spelled like these, but not the same: for each the first one.
pub(crate) async fn articles_like<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    articles: &[Code],
) -> Result<Vec<Option<Code>>, StoreError> {
    let mut answers = vec![None; articles.len()];
    let asked = articles.iter().enumerate().map(|(nth, article)| {
        let name = article.as_str();
        vec![nth.into(), name.into(), article.likeness().into()]
    });
    for block in blocks(S::DIALECT, asked.collect()) {
        // Before it or after it, each along the index.
        let mut query = s.query("SELECT w.column1, COALESCE(");
        for (nth, side) in ["<", ">"].into_iter().enumerate() {
            query.push(if nth > 0 { ", " } else { "" });
            query.push("(SELECT n.name FROM stk_catalogue_name n WHERE n.organisation = ");
            query.bind(organisation.as_uuid());
            query.push(" AND n.kind = 1 AND n.likeness = w.column3 AND n.name ");
            query.push(side).push(" w.column2 ORDER BY n.name LIMIT 1)");
        }
        query.push(") FROM ");
        query.table(&[Kind::Int, Kind::Text, Kind::Text], block);
        let found = all(s, &query, |row| {
            Ok((row.int::<usize>()?, row.optional_text()?))
        });
        for (nth, name) in found.await? {
            let name = name.map(Code::new).transpose();
            let name = name.map_err(|_| Unreadable::Range.during("articles_like"))?;
            if let Some(place) = answers.get_mut(nth) {
                *place = name;
            }
        }
    }
    Ok(answers)
}

/// A site by its external id.
pub(crate) async fn site_by_external_id<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    external_id: Code,
) -> Result<Option<Versioned<Site>>, StoreError> {
    let found = by_name(s, organisation, (&tables::SITE, 0), &[external_id]).await?;
    Ok(found.into_iter().next().flatten())
}

/// The marks of serial numbers, by number, those without a product first.
pub(crate) async fn serial_marks<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    serials: &BTreeSet<Code>,
    products: &BTreeSet<ProductId>,
) -> Result<Vec<Versioned<SerialMark>>, StoreError> {
    let mut marks = Vec::new();
    let rows = serials.iter().enumerate();
    let rows = rows.map(|(nth, serial)| vec![nth.into(), serial.as_str().into()]);
    for block in blocks(S::DIALECT, rows.collect()) {
        let mut query = s.query("SELECT t.version, t.body FROM ");
        query.table(&[Kind::Int, Kind::Text], block);
        let lookup = Lookup {
            table: "stk_serial_mark",
            alias: "t",
            key: "t.serial = w.column2",
        };
        query.find(organisation, lookup, "");
        query.push(" ORDER BY w.column1, t.of_product, t.product");
        let found: Vec<Versioned<SerialMark>> = all(s, &query, versioned).await?;
        marks.extend(found.into_iter().filter(|mark| {
            let product = mark.value.product;
            product.is_none_or(|product| products.is_empty() || products.contains(&product))
        }));
    }
    Ok(marks)
}

/// The ids of all products after one.
pub(crate) async fn product_ids_after<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    after: Option<ProductId>,
    limit: u32,
) -> Result<Vec<ProductId>, StoreError> {
    let mut query = s.query("SELECT id FROM stk_product WHERE organisation = ");
    query.bind(organisation.as_uuid());
    if let Some(after) = after {
        query.push(" AND id > ").bind(after.as_uuid());
    }
    query.push(" ORDER BY id LIMIT ");
    query.bind(limit.clamp(1, MAX_PAGE));
    all(s, &query, Row::id).await
}

/// All marks of serial numbers after one.
pub(crate) async fn serial_marks_after<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    after: Option<(Code, Option<ProductId>)>,
    limit: u32,
) -> Result<Vec<Versioned<SerialMark>>, StoreError> {
    const ORDER: &str = "serial, of_product, product";
    let mut query = s.query("SELECT version, body FROM stk_serial_mark WHERE organisation = ");
    query.bind(organisation.as_uuid());
    if let Some((serial, product)) = after {
        query.push(" AND (").push(ORDER).push(") > (");
        let place = key_cells(&RecordKey::SerialMark(serial, product));
        query.bind_all(place).push(")");
    }
    query.push(" ORDER BY ").push(ORDER).push(" LIMIT ");
    query.bind(limit.clamp(1, MAX_PAGE));
    all(s, &query, versioned).await
}

/// The cells of a stock key after its site.
pub(super) fn key_place(key: &StockKey) -> Vec<Cell> {
    stock_key_cells(key).into_iter().skip(1).collect()
}

pub(super) const KEY_ORDER: &[&str] = &["t.product", "t.variant", "t.place", "t.batch", "t.serial"];

/// A site's levels.
pub(crate) async fn levels_page<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
    filter: &LevelFilter,
    request: &PageRequest,
) -> Result<Page<Versioned<StockLevel>>, StoreError> {
    let LevelFilter {
        place,
        products,
        with_delisted,
    } = filter;
    let list = List::new("levels_page", format!("{organisation}/{site}"), filter);
    let after = list.after::<StockKey>(request, |key| key.site == site)?;
    let mut narrowed = Narrowed::of("t", organisation).equal("t.site", site.as_uuid());
    if !with_delisted {
        narrowed = narrowed.and("t.stocked = 1");
    }
    if let Some(place) = place {
        narrowed = narrowed.equal("t.place", place.as_str());
    }
    if !products.is_empty() {
        let rows = products.iter();
        let rows = rows.map(|id| vec![site.as_uuid().into(), id.as_uuid().into()]);
        let lookup = Lookup {
            table: "stk_stock_level",
            alias: "t",
            key: "t.site = w.column1 AND t.product = w.column2",
        };
        narrowed = narrowed.led_by(vec![Kind::Uuid, Kind::Uuid], rows.collect(), lookup);
    }
    let listing = Listing {
        columns: "t.version, t.body",
        from: "stk_stock_level AS t",
        known_to: None,
        beside: None,
        order: KEY_ORDER,
        place: key_place,
        read: &|row: &mut Row| {
            let level: Versioned<StockLevel> = versioned(row)?;
            Ok((level.key().clone(), level))
        },
    };
    listing
        .page(s, list, (&narrowed, None), request, after)
        .await
}

/// Documents that stand on lists by age: what their list asks for.
pub(crate) struct Documents<'a, T> {
    pub(crate) table: &'static Table,
    pub(crate) list: List,
    pub(crate) organisation: OrganisationId,
    pub(crate) site: SiteId,
    /// In these states; in any by none.
    pub(crate) states: Vec<&'static str>,
    /// That began at or after this moment.
    pub(crate) from: Option<Timestamp>,
    /// That began before this moment.
    pub(crate) to: Option<Timestamp>,
    /// And this.
    pub(crate) equal: Option<(&'static str, uuid::Uuid)>,
    /// And of which this holds.
    pub(super) kept: Kept<'a, Versioned<T>>,
}

impl<T: Stored + Send> Documents<'_, T> {
    /// A page of them, the oldest first.
    pub(crate) async fn page<S: Snapshot, Id>(
        &self,
        s: &mut S,
        request: &PageRequest,
        age: fn(&T) -> (Timestamp, Id),
    ) -> Result<Page<Versioned<T>>, StoreError>
    where
        Id: Ord + Copy + std::fmt::Display + std::str::FromStr + Into<uuid::Uuid> + Send + Sync,
    {
        let spans = |at: Timestamp| {
            self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
        };
        let after = (self.list).after::<(Timestamp, Id)>(request, |(at, _)| spans(*at))?;
        let mut narrowed =
            Narrowed::of("t", self.organisation).equal("t.site", self.site.as_uuid());
        if let Some((column, value)) = self.equal {
            narrowed = narrowed.equal(column, value);
        }
        if !self.states.is_empty() {
            narrowed = narrowed.among(
                ("t.state", Kind::Text),
                self.states.iter().map(|it| (*it).into()),
            );
        }
        if let Some(from) = self.from {
            narrowed = narrowed.compare("t.began_at", ">=", from.micros());
        }
        if let Some(to) = self.to {
            narrowed = narrowed.compare("t.began_at", "<", to.micros());
        }
        let listing = Listing {
            columns: "t.version, t.body",
            from: &format!("{} AS t", self.table.name),
            known_to: None,
            beside: None,
            order: &["t.began_at", "t.id"],
            place: |(at, id): &(Timestamp, Id)| vec![at.micros().into(), (*id).into().into()],
            read: &|row: &mut Row| {
                let document: Versioned<T> = versioned(row)?;
                Ok((age(&document.value), document))
            },
        };
        (listing.page(s, self.list, (&narrowed, self.kept), request, after)).await
    }
}

/// The lines of a count.
pub(crate) async fn count_items<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    count: InventoryCountId,
    filter: InventoryCountItemFilter,
    request: &PageRequest,
) -> Result<Page<Versioned<InventoryCountItem>>, StoreError> {
    let scope = format!("{organisation}/{count}");
    let list = List::new("inventory_count_items", scope, &filter);
    let after = list.after(request, |_| true)?;
    let InventoryCountItemFilter {
        discrepancies,
        significant,
    } = filter;
    let mut narrowed = Narrowed::of("t", organisation).equal("t.inventory_count", count.as_uuid());
    if discrepancies {
        narrowed = narrowed.and("t.discrepancy = 1");
    }
    if significant {
        narrowed = narrowed.and("t.significant = 1");
    }
    let listing = Listing {
        columns: "t.version, t.body",
        from: "stk_inventory_count_item AS t",
        known_to: None,
        beside: None,
        order: &["t.created_at", "t.id"],
        place: |(at, id): &(Timestamp, crate::domain::InventoryCountItemId)| {
            vec![at.micros().into(), id.as_uuid().into()]
        },
        read: &|row: &mut Row| {
            let item: Versioned<InventoryCountItem> = versioned(row)?;
            Ok(((item.created_at, item.id), item))
        },
    };
    listing
        .page(s, list, (&narrowed, None), request, after)
        .await
}

/// The lines of an order.
pub(crate) async fn order_items<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    order: InventoryOrderId,
    filter: &InventoryOrderItemFilter,
    request: &PageRequest,
) -> Result<Page<Versioned<InventoryOrderItem>>, StoreError> {
    let scope = format!("{organisation}/{order}");
    let list = List::new("inventory_order_items", scope, filter);
    let after = list.after(request, |_| true)?;
    let narrowed = Narrowed::of("t", organisation).equal("t.inventory_order", order.as_uuid());
    let listing = Listing {
        columns: "t.version, t.body",
        from: "stk_inventory_order_item AS t",
        known_to: None,
        beside: None,
        order: &["t.line", "t.id"],
        place: |(line, id): &(u64, crate::domain::InventoryOrderItemId)| {
            vec![(*line).into(), id.as_uuid().into()]
        },
        read: &|row: &mut Row| {
            let item: Versioned<InventoryOrderItem> = versioned(row)?;
            Ok(((item.line(), item.id()), item))
        },
    };
    let keep = |item: &Versioned<InventoryOrderItem>| filter.matches(item);
    let is_looked_at = *filter != InventoryOrderItemFilter::default();
    let kept =
        is_looked_at.then_some(&keep as &(dyn Fn(&Versioned<InventoryOrderItem>) -> bool + Sync));
    listing
        .page(s, list, (&narrowed, kept), request, after)
        .await
}

/// The acts of counting a line, the oldest first.
pub(crate) async fn entries<S: Snapshot, T: Stored + Send>(
    s: &mut S,
    organisation: OrganisationId,
    table: &str,
    (document, item): (uuid::Uuid, uuid::Uuid),
) -> Result<Vec<T>, StoreError> {
    let mut query = s.query("SELECT body FROM ");
    query.push(table).push(" WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND document = ").bind(document);
    query.push(" AND item = ").bind(item);
    query.push(" ORDER BY number");
    all(s, &query, Row::body).await
}

/// The events of some keys, each after a sequence, by key and sequence.
pub(crate) async fn events_after<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    keys: &[(StockKey, u64)],
) -> Result<Vec<StockEvent>, StoreError> {
    let mut wanted: Vec<&(StockKey, u64)> = keys.iter().collect();
    wanted.sort_unstable();
    // Of a key that is asked for twice, the longer answer holds the shorter one.
    wanted.dedup_by(|later, earlier| later.0 == earlier.0);
    let rows = wanted
        .into_iter()
        .enumerate()
        .map(|(nth, (key, sequence))| {
            let mut cells = vec![nth.into()];
            cells.append(&mut stock_key_cells(key));
            cells.push((*sequence).into());
            cells
        });
    let mut kinds = vec![Kind::Int];
    kinds.extend(tables::STOCK_LEVEL.key.iter().map(|(_, kind)| *kind));
    kinds.push(Kind::Int);
    let mut events = Vec::new();
    for block in blocks(S::DIALECT, rows.collect()) {
        let mut query = s.query("SELECT e.body FROM ");
        query.table(&kinds, block);
        let lookup = Lookup {
            table: "stk_stock_event",
            alias: "e",
            key: "e.site = w.column2 AND e.product = w.column3 AND e.variant = w.column4 \
                  AND e.place = w.column5 AND e.batch = w.column6 AND e.serial = w.column7 \
                  AND e.sequence > w.column8",
        };
        query.find(organisation, lookup, "");
        query.push(" ORDER BY w.column1, e.sequence");
        events.append(&mut all(s, &query, Row::body).await?);
    }
    Ok(events)
}

fn ledger_entry(row: &mut Row) -> Result<LedgerEntry, Unreadable> {
    Ok(LedgerEntry {
        position: row.int()?,
        event: row.body()?,
    })
}

/// Events by id.
pub(crate) async fn events<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    ids: &[StockEventId],
) -> Result<Vec<Option<LedgerEntry>>, StoreError> {
    let asked = ids.iter().map(|id| vec![id.as_uuid().into()]).collect();
    let lookup = Lookup {
        table: "stk_stock_event",
        alias: "t",
        key: "t.id = w.column2",
    };
    let what = (&[Kind::Uuid][..], &[lookup][..]);
    let columns = "t.position, t.body";
    answers(s, asked, what, organisation, (columns, ledger_entry)).await
}

/// The ledger of a site after a position.
pub(crate) async fn ledger<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
    (after, limit): (u64, u32),
) -> Result<Vec<LedgerEntry>, StoreError> {
    let mut query = s.query("SELECT position, body FROM stk_stock_event WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND site = ").bind(site.as_uuid());
    query.push(" AND position > ").bind(after);
    query
        .push(" ORDER BY position LIMIT ")
        .bind(limit.clamp(1, MAX_PAGE));
    all(s, &query, ledger_entry).await
}

/// The ledger of a site before a position, from its end back.
pub(crate) async fn ledger_back<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
    (before, limit): (Option<u64>, u32),
) -> Result<Vec<LedgerEntry>, StoreError> {
    let mut query = s.query("SELECT position, body FROM stk_stock_event WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND site = ").bind(site.as_uuid());
    if let Some(before) = before {
        query.push(" AND position < ").bind(before);
    }
    query
        .push(" ORDER BY position DESC LIMIT ")
        .bind(limit.clamp(1, MAX_PAGE));
    all(s, &query, ledger_entry).await
}

/// A site's events in the order of their keys, after one of them.
pub(crate) async fn ledger_by_key<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    site: SiteId,
    (after, limit): (Option<(StockKey, u64)>, u32),
) -> Result<Vec<StockEvent>, StoreError> {
    const ORDER: &str = "product, variant, place, batch, serial, sequence";
    let mut query = s.query("SELECT body FROM stk_stock_event WHERE organisation = ");
    query.bind(organisation.as_uuid());
    // The index in this order has the rows whose product is not null, which all are.
    query
        .push(" AND site = ")
        .bind(site.as_uuid())
        .push(" AND product IS NOT NULL");
    if let Some((key, sequence)) = after {
        let mut place = stock_key_cells(&StockKey { site, ..key });
        place.push(sequence.into());
        query.push(" AND (").push(ORDER).push(") > (");
        query.bind_all(place.into_iter().skip(1)).push(")");
    }
    query.push(" ORDER BY ").push(ORDER).push(" LIMIT ");
    query.bind(limit.clamp(1, MAX_PAGE));
    all(s, &query, Row::body).await
}

/// What is remembered of a command.
pub(crate) async fn command<S: Snapshot>(
    s: &mut S,
    organisation: OrganisationId,
    id: &CommandId,
) -> Result<Option<Command>, StoreError> {
    let mut query = s.query("SELECT digest, outcome, at FROM stk_command WHERE organisation = ");
    query.bind(organisation.as_uuid());
    query.push(" AND id = ").bind(id.as_str());
    query.push(" AND digest IS NOT NULL");
    first(s, &query, |row| {
        let digest = Digest::from_uuid(row.id()?);
        let outcome = row.body()?;
        Ok(Command {
            id: id.clone(),
            digest,
            outcome,
            at: super::table::timestamp(row)?,
        })
    })
    .await
}

/// The states that a list asks for, by name; none for every state.
pub(crate) fn states<S: Copy + Ord + Into<&'static str>>(
    asked: &std::collections::BTreeSet<S>,
    all: &[S],
    off_lists: Option<S>,
) -> Vec<&'static str> {
    if !asked.is_empty() {
        return asked.iter().map(|state| (*state).into()).collect();
    }
    let Some(off_lists) = off_lists else {
        return Vec::new();
    };
    let on_lists = all.iter().filter(|state| **state != off_lists);
    on_lists.map(|state| (*state).into()).collect()
}

/// The organisations that have a site, in the order of their ids, after one.
pub(crate) async fn organisations<S: Snapshot>(
    s: &mut S,
    after: Option<OrganisationId>,
    limit: u32,
) -> Result<Vec<OrganisationId>, StoreError> {
    let mut query = s.query("SELECT t.organisation FROM stk_site AS t");
    if let Some(after) = after {
        query.push(" WHERE t.organisation > ").bind(after.as_uuid());
    }
    query.push(" GROUP BY t.organisation ORDER BY t.organisation LIMIT ");
    query.bind(i64::from(limit.clamp(1, MAX_PAGE)));
    all(s, &query, Row::id).await
}
