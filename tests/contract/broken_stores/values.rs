//! Stores that do not give back what they were given.

use super::prelude::*;

/// A quantity that went through a floating-point number.
fn floated(quantity: Quantity) -> Quantity {
    let float: f64 = quantity.to_string().parse().unwrap_or(0.0);
    format!("{float:.6}").parse().unwrap_or(quantity)
}

fn failure(operation: &'static str) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, operation)
}

defects! {
    /// M38: quantities are kept as floating-point numbers.
    FloatQuantity {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            for event in &mut draft.events {
                event.change = floated(event.change);
                event.before = floated(event.before);
                event.after = floated(event.after);
            }
            self.store.commit(&draft.build()).await
        }
    }

    /// M39: times are kept in milliseconds.
    MillisClock {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            for event in &mut draft.events {
                let beyond = event.occurred_at.micros().rem_euclid(1_000);
                event.occurred_at = event.occurred_at.later_by(-beyond);
            }
            self.store.commit(&draft.build()).await
        }
    }

    /// M45: forgets one optional field.
    DropField {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            for record in draft.records() {
                if let Record::Supplier(supplier) = record {
                    supplier.email = None;
                }
            }
            self.store.commit(&draft.build()).await
        }
    }

    /// M79: forgets one optional field of events.
    DropEventField {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            draft.events.iter_mut().for_each(|event| event.reference = None);
            self.store.commit(&draft.build()).await
        }
    }

    /// M117: takes records for unlike what is kept of them.
    AllUnlike {} => {
        async fn unlike(&self, _: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Unlike>> {
            let unlike = |key: &RecordKey| Unlike { record: key.clone(), what: "quantity", kept: String::new(), due: String::new() };
            Ok(keys.iter().map(unlike).collect())
        }
    }

    /// M118: takes events for unlike what is kept of them.
    AllEventsUnlike {} => {
        async fn unlike_events(&self, organisation: OrganisationId, site: SiteId, after: u64, limit: u32) -> Read<Vec<UnlikeEvent>> {
            let events = self.store.ledger(organisation, site, after, limit).await?;
            let unlike = |entry: LedgerEntry| UnlikeEvent { position: entry.position, what: "on_hand", kept: String::new(), due: String::new() };
            Ok(events.into_iter().map(unlike).collect())
        }
    }

    /// M119: tells of everything that it was mended.
    AllMended {} => {
        async fn mend(&self, _: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Unlike>> {
            let mended = |key: &RecordKey| Unlike { record: key.clone(), what: "totals", kept: String::new(), due: String::new() };
            Ok(keys.iter().map(mended).collect())
        }
    }

    /// M120: mends levels by writing them again, so that their versions go on.
    MendsByWriting { mends: AtomicU64 } => {
        async fn mend(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Unlike>> {
            let levels: Vec<StockKey> = keys.iter().filter_map(|key| match key {
                RecordKey::StockLevel(key) => Some(key.clone()),
                _ => None,
            }).collect();
            for level in self.store.levels(organisation, &levels).await?.into_iter().flatten() {
                let command = Command {
                    id: CommandId::new("mend", self.mends.fetch_add(1, Ordering::AcqRel)),
                    digest: Digest::of("mend").finish(),
                    outcome: Outcome::Done,
                    at: Timestamp::EPOCH,
                };
                let mut changes = ChangeSet::new(organisation, command);
                changes.update(level.version, level.value);
                let _ = self.store.commit(&changes).await;
            }
            Ok(Vec::new())
        }
    }

    /// M121: adds to totals what was counted since it began to add them up, a second time.
    MendsInParts { mended: Mutex<i64> } => {
        async fn mend(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Unlike>> {
            let RecordKey::StockTake(take) = keys.iter().find(|key| matches!(key, RecordKey::StockTake(_))).cloned().unwrap_or(RecordKey::StockTake(StockTakeId::new(uuid::Uuid::nil()))) else {
                return Ok(Vec::new());
            };
            let all = StockTakeItemFilter::default();
            let before = self.store.stock_take_totals(organisation, take, &all).await?.versions;
            tokio::task::yield_now().await;
            let after = self.store.stock_take_totals(organisation, take, &all).await?.versions;
            *locked(&self.mended) += i64::try_from(after - before).unwrap_or(0);
            Ok(Vec::new())
        }

        async fn stock_take_totals(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter) -> Read<StockTakeTotals> {
            let mut totals = self.store.stock_take_totals(organisation, take, filter).await?;
            totals.versions = totals.versions.saturating_add_signed(*locked(&self.mended));
            Ok(totals)
        }
    }

    /// M122: begins with the mark that it is to go on after.
    MarksFrom {} => {
        async fn serial_marks_after(&self, organisation: OrganisationId, after: Option<(Code, Option<ProductId>)>, limit: u32) -> Read<Vec<Versioned<SerialMark>>> {
            let Some((serial, product)) = after else {
                return self.store.serial_marks_after(organisation, None, limit).await;
            };
            let last = self.store.serial_marks(organisation, &BTreeSet::from([serial.clone()]), &BTreeSet::new()).await?;
            let mut marks: Vec<_> = last.into_iter().filter(|mark| mark.value.product == product).collect();
            marks.extend(self.store.serial_marks_after(organisation, Some((serial, product)), limit).await?);
            marks.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(marks)
        }
    }

    /// M201: a product is known by its first barcode only.
    FirstBarcode {} => {
        async fn products_by_barcode(
            &self,
            organisation: OrganisationId,
            barcodes: &[Code],
        ) -> Read<Vec<Vec<Versioned<Arc<Product>>>>> {
            let mut found = self.store.products_by_barcode(organisation, barcodes).await?;
            for (barcode, products) in barcodes.iter().zip(&mut found) {
                products.retain(|it| it.barcodes.first().is_some_and(|first| first.value == *barcode));
            }
            Ok(found)
        }
    }

    /// M202: a category has what was ever in it.
    GrowingCategory { sizes: Mutex<BTreeMap<CategoryId, u64>> } => {
        async fn category_sizes(&self, organisation: OrganisationId, categories: &[CategoryId]) -> Read<Vec<u64>> {
            let found = self.store.category_sizes(organisation, categories).await?;
            let mut most = locked(&self.sizes);
            let grown = categories.iter().zip(found).map(|(category, size)| {
                let known = most.entry(*category).or_default();
                *known = size.max(*known);
                *known
            });
            Ok(grown.collect())
        }
    }

    /// M204: begins with the product that it is to go on after.
    ProductsFrom {} => {
        async fn product_ids_after(&self, organisation: OrganisationId, after: Option<ProductId>, limit: u32) -> Read<Vec<ProductId>> {
            let mut ids: Vec<ProductId> = after.into_iter().collect();
            ids.extend(self.store.product_ids_after(organisation, after, limit).await?);
            ids.truncate(usize::try_from(limit.max(1)).unwrap_or(usize::MAX));
            Ok(ids)
        }
    }

    /// M205: tells a page of products from its end.
    ProductsBackwards {} => {
        async fn product_ids_after(&self, organisation: OrganisationId, after: Option<ProductId>, limit: u32) -> Read<Vec<ProductId>> {
            let mut ids = self.store.product_ids_after(organisation, after, limit).await?;
            ids.reverse();
            Ok(ids)
        }
    }

    /// M206: takes the barcodes that a product had first for those that it should have.
    FirstCodes { first: Mutex<BTreeMap<ProductId, Vec<Code>>> } => {
        async fn unlike(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Unlike>> {
            let mut unlike = self.store.unlike(organisation, keys).await?;
            let ids: Vec<ProductId> = keys.iter().filter_map(|key| match key {
                RecordKey::Product(id) => Some(*id),
                _ => None,
            }).collect();
            for product in self.store.products(organisation, &ids).await?.into_iter().flatten() {
                let due: Vec<Code> = product.barcodes.iter().map(|it| it.value.clone()).collect();
                let mut first = locked(&self.first);
                let kept = first.entry(product.id).or_insert_with(|| due.clone());
                if *kept != due {
                    unlike.push(Unlike { record: RecordKey::Product(product.id), what: "barcodes", kept: format!("{kept:?}"), due: format!("{due:?}") });
                }
            }
            Ok(unlike)
        }
    }

    /// M46: what is not there is an error.
    ErrOnMissing {} => {
        async fn get(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Option<Versioned<Record>>>> {
            let found = self.store.get(organisation, keys).await?;
            if found.contains(&None) {
                return Err(failure("get"));
            }
            Ok(found)
        }
    }

    /// M62: a text is cut at the width of its column. The list's mutant cuts the payload of a job; here a job holds
    /// ids only, and who asked for it.
    TruncatedPayload {} => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let mut draft = Draft::of(changes);
            for job in &mut draft.jobs {
                let end = job.requested_by.user.first_name.floor_char_boundary(16);
                job.requested_by.user.first_name.truncate(end);
            }
            self.store.commit(&draft.build()).await
        }
    }

    /// M80: leaves out of an answer what is not there, so that answers and questions do not match.
    CompactAnswers {} => {
        async fn get(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Option<Versioned<Record>>>> {
            let mut found = self.store.get(organisation, keys).await?;
            found.retain(Option::is_some);
            Ok(found)
        }
    }

    /// M114: the marks of serial numbers come backwards.
    BackwardMarks {} => {
        async fn serial_marks(&self, organisation: OrganisationId, serials: &BTreeSet<Code>, products: &BTreeSet<ProductId>) -> Read<Vec<Versioned<SerialMark>>> {
            let mut marks = self.store.serial_marks(organisation, serials, products).await?;
            marks.reverse();
            Ok(marks)
        }
    }

    /// M81: acts of counting come newest first.
    NewestEntriesFirst {} => {
        async fn count_entries(&self, organisation: OrganisationId, take: StockTakeId, item: StockTakeItemId) -> Read<Vec<CountEntry>> {
            let mut entries = self.store.count_entries(organisation, take, item).await?;
            entries.reverse();
            Ok(entries)
        }
    }
}
