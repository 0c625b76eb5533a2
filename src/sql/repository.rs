//! The repository, over an engine's way to read and to write.

/// Implements the repository of a store whose engine is one. For each store by itself, not for every engine at
/// once: what is generic over the store would be compiled again in each program that opens one.
macro_rules! keep_repository {
    ($store:ty) => {
        const _: () = {
            use $crate::sql::names::*;

            #[$crate::sql::names::async_trait]
            impl Repository for $store {
                #[inline(never)]
                async fn get(
                    &self,
                    organisation: OrganisationId,
                    keys: &[RecordKey],
                ) -> Result<Vec<Option<Versioned<Record>>>, StoreError> {
                    let keys = keys.to_owned();
                    self.read("get", move |s| {
                        Box::pin(async move { by_key::get(s, organisation, &keys).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn site_by_external_id(
                    &self,
                    organisation: OrganisationId,
                    external_id: &Code,
                ) -> Result<Option<Versioned<Site>>, StoreError> {
                    let external_id = external_id.to_owned();
                    self.read("site_by_external_id", move |s| {
                        Box::pin(async move {
                            reads::site_by_external_id(s, organisation, external_id).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn products_by_article(
                    &self,
                    organisation: OrganisationId,
                    articles: &[Code],
                ) -> Result<Vec<Option<Versioned<Arc<Product>>>>, StoreError> {
                    let articles = articles.to_owned();
                    self.read("products_by_article", move |s| {
                        Box::pin(async move {
                            reads::by_name(s, organisation, (&tables::PRODUCT, 1), &articles).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn articles_like(
                    &self,
                    organisation: OrganisationId,
                    articles: &[Code],
                ) -> Result<Vec<Option<Code>>, StoreError> {
                    let articles = articles.to_owned();
                    self.read("articles_like", move |s| {
                        Box::pin(
                            async move { reads::articles_like(s, organisation, &articles).await },
                        )
                    })
                    .await
                }

                #[inline(never)]
                async fn products_by_barcode(
                    &self,
                    organisation: OrganisationId,
                    barcodes: &[Code],
                ) -> Result<Vec<Vec<Versioned<Arc<Product>>>>, StoreError> {
                    let barcodes = barcodes.to_owned();
                    self.read("products_by_barcode", move |s| {
                        Box::pin(async move {
                            product_codes::by_barcode(s, organisation, &barcodes).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn product_ids_after(
                    &self,
                    organisation: OrganisationId,
                    after: Option<ProductId>,
                    limit: u32,
                ) -> Result<Vec<ProductId>, StoreError> {
                    self.read("product_ids_after", move |s| {
                        Box::pin(async move {
                            reads::product_ids_after(s, organisation, after, limit).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn category_sizes(
                    &self,
                    organisation: OrganisationId,
                    categories: &[CategoryId],
                ) -> Result<Vec<u64>, StoreError> {
                    let categories = categories.to_owned();
                    self.read("category_sizes", move |s| {
                        Box::pin(async move {
                            product_codes::category_sizes(s, organisation, &categories).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn serial_marks(
                    &self,
                    organisation: OrganisationId,
                    serials: &BTreeSet<Code>,
                    products: &BTreeSet<ProductId>,
                ) -> Result<Vec<Versioned<SerialMark>>, StoreError> {
                    let (serials, products) = (serials.clone(), products.clone());
                    self.read("serial_marks", move |s| {
                        Box::pin(async move {
                            reads::serial_marks(s, organisation, &serials, &products).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn serial_marks_after(
                    &self,
                    organisation: OrganisationId,
                    after: Option<(Code, Option<ProductId>)>,
                    limit: u32,
                ) -> Result<Vec<Versioned<SerialMark>>, StoreError> {
                    self.read("serial_marks_after", move |s| {
                        Box::pin(async move {
                            reads::serial_marks_after(s, organisation, after, limit).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn levels_page(
                    &self,
                    organisation: OrganisationId,
                    site: SiteId,
                    filter: &LevelFilter,
                    page: &PageRequest,
                ) -> Result<Page<Versioned<StockLevel>>, StoreError> {
                    let filter = filter.to_owned();
                    let page = page.to_owned();
                    self.read("levels_page", move |s| {
                        Box::pin(async move {
                            reads::levels_page(s, organisation, site, &filter, &page).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn articles(
                    &self,
                    organisation: OrganisationId,
                    site: SiteId,
                    filter: &ArticleFilter,
                    sort: ArticleSort,
                    page: &PageRequest,
                ) -> Result<Page<ArticleView>, StoreError> {
                    let filter = filter.to_owned();
                    let page = page.to_owned();
                    self.read("articles", move |s| {
                        Box::pin(async move {
                            articles::articles(s, organisation, site, (&filter, sort), &page).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn change_token(
                    &self,
                    organisation: OrganisationId,
                ) -> Result<ChangeToken, StoreError> {
                    self.read("change_token", move |s| {
                        Box::pin(async move { changes::next(s, organisation).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn events_after(
                    &self,
                    organisation: OrganisationId,
                    keys: &[(StockKey, u64)],
                ) -> Result<Vec<StockEvent>, StoreError> {
                    let keys = keys.to_owned();
                    self.read("events_after", move |s| {
                        Box::pin(async move { reads::events_after(s, organisation, &keys).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn events(
                    &self,
                    organisation: OrganisationId,
                    ids: &[StockEventId],
                ) -> Result<Vec<Option<LedgerEntry>>, StoreError> {
                    let ids = ids.to_owned();
                    self.read("events", move |s| {
                        Box::pin(async move { reads::events(s, organisation, &ids).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn ledger(
                    &self,
                    organisation: OrganisationId,
                    site: SiteId,
                    after: u64,
                    limit: u32,
                ) -> Result<Vec<LedgerEntry>, StoreError> {
                    self.read("ledger", move |s| {
                        Box::pin(async move {
                            reads::ledger(s, organisation, site, (after, limit)).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn ledger_back(
                    &self,
                    organisation: OrganisationId,
                    site: SiteId,
                    before: Option<u64>,
                    limit: u32,
                ) -> Result<Vec<LedgerEntry>, StoreError> {
                    self.read("ledger_back", move |s| {
                        Box::pin(async move {
                            reads::ledger_back(s, organisation, site, (before, limit)).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn ledger_by_key(
                    &self,
                    organisation: OrganisationId,
                    site: SiteId,
                    after: Option<(StockKey, u64)>,
                    limit: u32,
                ) -> Result<Vec<StockEvent>, StoreError> {
                    self.read("ledger_by_key", move |s| {
                        let page = (after, limit);
                        Box::pin(
                            async move { reads::ledger_by_key(s, organisation, site, page).await },
                        )
                    })
                    .await
                }

                #[inline(never)]
                async fn unlike(
                    &self,
                    organisation: OrganisationId,
                    keys: &[RecordKey],
                ) -> Result<Vec<Unlike>, StoreError> {
                    let keys = keys.to_owned();
                    self.read("unlike", move |s| {
                        Box::pin(async move { unlike::unlike(s, organisation, &keys).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn unlike_events(
                    &self,
                    organisation: OrganisationId,
                    site: SiteId,
                    after: u64,
                    limit: u32,
                ) -> Result<Vec<UnlikeEvent>, StoreError> {
                    self.read("unlike_events", move |s| {
                        Box::pin(async move {
                            unlike::events(s, organisation, site, (after, limit)).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn mend(
                    &self,
                    organisation: OrganisationId,
                    keys: &[RecordKey],
                ) -> Result<Vec<Unlike>, StoreError> {
                    let keys = keys.to_owned();
                    self.write("mend", move |t| {
                        let keys = keys.clone();
                        Box::pin(async move { mending::mend(t, organisation, keys).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn stock_takes(
                    &self,
                    organisation: OrganisationId,
                    site: SiteId,
                    filter: &StockTakeFilter,
                    page: &PageRequest,
                ) -> Result<Page<Versioned<StockTake>>, StoreError> {
                    let filter = filter.to_owned();
                    let page = page.to_owned();
                    self.read("stock_takes", move |s| {
                        Box::pin(async move {
                            documents::stock_takes(s, organisation, site, &filter, &page).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn stock_take_items(
                    &self,
                    organisation: OrganisationId,
                    take: StockTakeId,
                    filter: &StockTakeItemFilter,
                    sort: ArticleSort,
                    page: &PageRequest,
                ) -> Result<Page<StockTakeItemView>, StoreError> {
                    let filter = filter.to_owned();
                    let page = page.to_owned();
                    self.read("stock_take_items", move |s| {
                        Box::pin(async move {
                            let asked = ("stock_take_items", &filter, sort);
                            take_lines::page(s, organisation, take, asked, &page).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn stock_take_view(
                    &self,
                    organisation: OrganisationId,
                    take: StockTakeId,
                    filter: &StockTakeItemFilter,
                    sort: ArticleSort,
                    since: Option<ChangeToken>,
                    page: &PageRequest,
                ) -> Result<Option<StockTakeView>, StoreError> {
                    let filter = filter.to_owned();
                    let page = page.to_owned();
                    self.read("stock_take_view", move |s| {
                        Box::pin(async move {
                            let asked = (&filter, sort, since);
                            take_lines::take_view(s, organisation, take, asked, &page).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn stock_take_totals(
                    &self,
                    organisation: OrganisationId,
                    take: StockTakeId,
                    filter: &StockTakeItemFilter,
                ) -> Result<StockTakeTotals, StoreError> {
                    let filter = filter.to_owned();
                    self.read("stock_take_totals", move |s| {
                        Box::pin(
                            async move { take_lines::totals(s, organisation, take, &filter).await },
                        )
                    })
                    .await
                }

                #[inline(never)]
                async fn stock_take_item_ids(
                    &self,
                    organisation: OrganisationId,
                    take: StockTakeId,
                    ids: &[StockTakeItemId],
                ) -> Result<Vec<StockTakeItemId>, StoreError> {
                    let ids = ids.to_owned();
                    self.read("stock_take_item_ids", move |s| {
                        Box::pin(async move { take_lines::ids(s, organisation, take, &ids).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn counting_view(
                    &self,
                    organisation: OrganisationId,
                    take: StockTakeId,
                    items: &[StockTakeItemId],
                ) -> Result<Option<CountingView>, StoreError> {
                    let items = items.to_owned();
                    self.read("counting_view", move |s| {
                        Box::pin(async move {
                            take_lines::counting_view(s, organisation, take, &items).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn count_entries(
                    &self,
                    organisation: OrganisationId,
                    take: StockTakeId,
                    item: StockTakeItemId,
                ) -> Result<Vec<CountEntry>, StoreError> {
                    self.read("count_entries", move |s| {
                        Box::pin(async move {
                            let line = (take.as_uuid(), item.as_uuid());
                            reads::entries(s, organisation, "stk_count_entry", line).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn inventory_counts(
                    &self,
                    organisation: OrganisationId,
                    site: SiteId,
                    filter: &InventoryCountFilter,
                    page: &PageRequest,
                ) -> Result<Page<Versioned<InventoryCount>>, StoreError> {
                    let filter = filter.to_owned();
                    let page = page.to_owned();
                    self.read("inventory_counts", move |s| {
                        Box::pin(async move {
                            documents::inventory_counts(s, organisation, site, &filter, &page).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn inventory_count_items(
                    &self,
                    organisation: OrganisationId,
                    count: InventoryCountId,
                    filter: &InventoryCountItemFilter,
                    page: &PageRequest,
                ) -> Result<Page<Versioned<InventoryCountItem>>, StoreError> {
                    let filter = filter.to_owned();
                    let page = page.to_owned();
                    self.read("inventory_count_items", move |s| {
                        Box::pin(async move {
                            reads::count_items(s, organisation, count, filter, &page).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn inventory_count_totals(
                    &self,
                    organisation: OrganisationId,
                    count: InventoryCountId,
                ) -> Result<CountTotals, StoreError> {
                    self.read("inventory_count_totals", move |s| {
                        Box::pin(async move { totals::of_count(s, organisation, count).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn inventory_count_entries(
                    &self,
                    organisation: OrganisationId,
                    count: InventoryCountId,
                    item: InventoryCountItemId,
                ) -> Result<Vec<InventoryCountEntry>, StoreError> {
                    self.read("inventory_count_entries", move |s| {
                        Box::pin(async move {
                            let line = (count.as_uuid(), item.as_uuid());
                            reads::entries(s, organisation, "stk_inventory_count_entry", line).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn stock_adjustments(
                    &self,
                    organisation: OrganisationId,
                    site: SiteId,
                    filter: &StockAdjustmentFilter,
                    page: &PageRequest,
                ) -> Result<Page<Versioned<StockAdjustment>>, StoreError> {
                    let filter = filter.to_owned();
                    let page = page.to_owned();
                    self.read("stock_adjustments", move |s| {
                        Box::pin(async move {
                            documents::stock_adjustments(s, organisation, site, &filter, &page)
                                .await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn inventory_orders(
                    &self,
                    organisation: OrganisationId,
                    site: SiteId,
                    filter: &InventoryOrderFilter,
                    page: &PageRequest,
                ) -> Result<Page<Versioned<InventoryOrder>>, StoreError> {
                    let filter = filter.to_owned();
                    let page = page.to_owned();
                    self.read("inventory_orders", move |s| {
                        Box::pin(async move {
                            documents::inventory_orders(s, organisation, site, &filter, &page).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn inventory_order_items(
                    &self,
                    organisation: OrganisationId,
                    order: InventoryOrderId,
                    filter: &InventoryOrderItemFilter,
                    page: &PageRequest,
                ) -> Result<Page<Versioned<InventoryOrderItem>>, StoreError> {
                    let filter = filter.to_owned();
                    let page = page.to_owned();
                    self.read("inventory_order_items", move |s| {
                        Box::pin(async move {
                            reads::order_items(s, organisation, order, &filter, &page).await
                        })
                    })
                    .await
                }

                #[inline(never)]
                async fn command(
                    &self,
                    organisation: OrganisationId,
                    id: &CommandId,
                ) -> Result<Option<Command>, StoreError> {
                    let id = id.to_owned();
                    self.read("command", move |s| {
                        Box::pin(async move { reads::command(s, organisation, &id).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn commit(&self, changes: &ChangeSet) -> Result<CommitOutcome, CommitError> {
                    self.write_changes(changes).await
                }

                #[inline(never)]
                async fn settle(
                    &self,
                    organisation: OrganisationId,
                    id: &CommandId,
                    at: Timestamp,
                ) -> Result<Option<Outcome>, StoreError> {
                    let id = id.clone();
                    self.write("settle", move |t| {
                        let id = id.clone();
                        Box::pin(async move { settle(t, organisation, &id, at).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn purge(
                    &self,
                    organisation: OrganisationId,
                    what: Purge,
                    before: Timestamp,
                    limit: u32,
                ) -> Result<u64, StoreError> {
                    self.write("purge", move |t| {
                        Box::pin(async move { purge(t, organisation, what, before, limit).await })
                    })
                    .await
                }

                #[inline(never)]
                async fn organisations(
                    &self,
                    after: Option<OrganisationId>,
                    limit: u32,
                ) -> Result<Vec<OrganisationId>, StoreError> {
                    self.read("organisations", move |s| {
                        Box::pin(async move { reads::organisations(s, after, limit).await })
                    })
                    .await
                }
            }
        };
    };
}

pub(crate) use keep_repository;
