//! Stores that don't tell all that has changed since.

use super::prelude::*;
use super::visibility::until_more;

/// Which lines were written when, by a count of the store's own making.
#[derive(Debug, Default)]
struct Marks(Mutex<BTreeMap<StockTakeItemId, u64>>);

impl Marks {
    /// Marks the lines that a commit writes.
    fn mark(&self, changes: &ChangeSet, number: u64) {
        let mut marks = locked(&self.0);
        for (key, write) in changes.parts().writes {
            if let (RecordKey::StockTakeItem(_, line), Some(_)) = (key, write.record()) {
                marks.insert(*line, number);
            }
        }
    }

    fn of(&self, line: StockTakeItemId) -> u64 {
        locked(&self.0).get(&line).copied().unwrap_or_default()
    }
}

/// A view of whole pages of which only some lines are told.
fn narrowed(
    view: StockTakeView,
    next: ChangeToken,
    is_told: impl Fn(&StockTakeItem) -> bool,
) -> StockTakeView {
    let mut items = view.items;
    items.items.retain(|row| is_told(&row.item.value));
    let mut sums = TakeSums::default();
    for row in &items.items {
        sums.add(row.item.version, &row.item.value);
    }
    let totals = view.totals.and_then(|_| sums.totals().ok());
    items.total = totals.map(|it| it.items);
    StockTakeView {
        items,
        totals,
        next,
        take: view.take,
    }
}

/// A handle that counts its own commits.
#[derive(Debug)]
struct Own {
    store: MemoryStore,
    marks: Arc<Marks>,
    commits: AtomicU64,
}

impl Own {
    fn on(store: &MemoryStore, marks: &Arc<Marks>) -> Self {
        Self {
            store: store.clone(),
            marks: Arc::clone(marks),
            commits: AtomicU64::new(0),
        }
    }
}

async fn committed(
    store: &MemoryStore,
    marks: &Marks,
    commits: &AtomicU64,
    changes: &ChangeSet,
) -> Committed {
    let outcome = store.commit(changes).await?;
    marks.mark(changes, commits.fetch_add(1, Ordering::SeqCst) + 1);
    Ok(outcome)
}

async fn marked(
    (store, marks): (&MemoryStore, &Marks),
    (organisation, take, filter, sort): (
        OrganisationId,
        StockTakeId,
        &StockTakeItemFilter,
        ArticleSort,
    ),
    (since, next): (Option<ChangeToken>, u64),
    page: &PageRequest,
) -> Read<Option<StockTakeView>> {
    let view = store
        .stock_take_view(organisation, take, filter, sort, None, page)
        .await?;
    let next = ChangeToken::new(next);
    let from = since.unwrap_or_default().within(next).get();
    Ok(view.map(|view| narrowed(view, next, |line| marks.of(line.id) >= from)))
}

#[async_trait]
impl Defect for Own {
    fn inner(&self) -> &MemoryStore {
        &self.store
    }

    async fn commit(&self, changes: &ChangeSet) -> Committed {
        committed(&self.store, &self.marks, &self.commits, changes).await
    }

    async fn stock_take_view(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        filter: &StockTakeItemFilter,
        sort: ArticleSort,
        since: Option<ChangeToken>,
        page: &PageRequest,
    ) -> Read<Option<StockTakeView>> {
        let next = self.commits.load(Ordering::SeqCst) + 1;
        marked(
            (&self.store, &self.marks),
            (organisation, take, filter, sort),
            (since, next),
            page,
        )
        .await
    }
}

defects! {
    /// M190: lines bear the number that was drawn when their commit began.
    TokenAtStart { marks: Marks, begun: AtomicU64 } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            if changes.parts().writes.keys().any(|key| matches!(key, RecordKey::StockTakeItem(..))) {
                until_more(&self.begun).await;
            }
            let outcome = self.store.commit(changes).await?;
            self.marks.mark(changes, number);
            Ok(outcome)
        }

        async fn stock_take_view(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Read<Option<StockTakeView>> {
            let next = self.begun.load(Ordering::SeqCst) + 1;
            marked((&self.store, &self.marks), (organisation, take, filter, sort), (since, next), page).await
        }
    }

    /// M191: the token is one too high.
    TokenOffByOne { } => {
        async fn stock_take_view(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Read<Option<StockTakeView>> {
            let view = self.store.stock_take_view(organisation, take, filter, sort, since, page).await?;
            Ok(view.map(|view| StockTakeView { next: ChangeToken::new(view.next.get() + 1), ..view }))
        }
    }

    /// M192: each handle counts its own commits.
    TokenOfHandle { marks: Arc<Marks>, commits: AtomicU64 } => {
        fn second_handle(&self) -> Option<Arc<dyn Defect>> {
            Some(Arc::new(Own::on(&self.store, &self.marks)))
        }

        async fn commit(&self, changes: &ChangeSet) -> Committed {
            committed(&self.store, &self.marks, &self.commits, changes).await
        }

        async fn stock_take_view(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Read<Option<StockTakeView>> {
            let next = self.commits.load(Ordering::SeqCst) + 1;
            marked((&self.store, &self.marks), (organisation, take, filter, sort), (since, next), page).await
        }
    }

    /// M193: what changed is told by the time that the lines bear.
    TokenOfClock { } => {
        async fn stock_take_view(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Read<Option<StockTakeView>> {
            let view = self.store.stock_take_view(organisation, take, filter, sort, None, page).await?;
            let time = |line: &StockTakeItem| u64::try_from(line.updated_at.micros()).unwrap_or_default();
            Ok(view.map(|view| {
                let last = view.items.items.iter().map(|row| time(&row.item.value)).max();
                let next = ChangeToken::new(last.unwrap_or_default() + 1);
                let from = since.unwrap_or_default().within(next).get();
                narrowed(view, next, |line| time(line) >= from)
            }))
        }
    }

    /// M194: only counts are changes.
    OnlyCounts { } => {
        async fn stock_take_view(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Read<Option<StockTakeView>> {
            let view = self.store.stock_take_view(organisation, take, filter, sort, since, page).await?;
            Ok(view.map(|view| {
                let next = view.next;
                narrowed(view, next, |line| since.is_none() || line.count.is_some())
            }))
        }
    }

    /// M195: who comes with a token from elsewhere is told nothing.
    AheadIsNothing { } => {
        async fn stock_take_view(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Read<Option<StockTakeView>> {
            let view = self.store.stock_take_view(organisation, take, filter, sort, since, page).await?;
            Ok(view.map(|view| {
                let next = view.next;
                narrowed(view, next, |_| since.is_none_or(|since| since <= next))
            }))
        }
    }

    /// M196: each page tells from its own token on.
    CursorOfAnyToken { } => {
        async fn stock_take_view(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Read<Option<StockTakeView>> {
            let view = self.store.stock_take_view(organisation, take, filter, sort, since, page).await;
            let Err(error) = view else { return view };
            let PageStart::After(_) = &page.start else { return Err(error) };
            let page = PageRequest { start: PageStart::First, ..page.clone() };
            self.store.stock_take_view(organisation, take, filter, sort, since, &page).await
        }
    }

    /// M197: the totals of a view are of all lines.
    ViewTotalsOfAll { } => {
        async fn stock_take_view(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Read<Option<StockTakeView>> {
            let all = self.store.stock_take_totals(organisation, take, &StockTakeItemFilter::default()).await?;
            let view = self.store.stock_take_view(organisation, take, filter, sort, since, page).await?;
            Ok(view.map(|view| StockTakeView { totals: view.totals.map(|_| all), ..view }))
        }
    }

    /// M198: the lines of a view and their totals are read one after the other.
    ViewInParts { commits: AtomicU64 } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = self.store.commit(changes).await;
            self.commits.fetch_add(1, Ordering::SeqCst);
            outcome
        }

        async fn stock_take_view(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter, sort: ArticleSort, since: Option<ChangeToken>, page: &PageRequest) -> Read<Option<StockTakeView>> {
            let first = self.store.stock_take_view(organisation, take, filter, sort, since, page).await?;
            until_more(&self.commits).await;
            let second = self.store.stock_take_view(organisation, take, filter, sort, since, page).await?;
            Ok(first.zip(second).map(|(first, second)| StockTakeView { totals: second.totals, ..first }))
        }
    }

    /// M199: a product that changed changes no article.
    OnlyLevels { products: Mutex<BTreeSet<ProductId>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let outcome = self.store.commit(changes).await?;
            for (key, write) in changes.parts().writes {
                if let (RecordKey::Product(id), Some(_)) = (key, write.expected()) {
                    locked(&self.products).insert(*id);
                }
            }
            Ok(outcome)
        }

        async fn articles(&self, organisation: OrganisationId, site: SiteId, filter: &ArticleFilter, sort: ArticleSort, page: &PageRequest) -> Read<Page<ArticleView>> {
            let mut found = self.store.articles(organisation, site, filter, sort, page).await?;
            if filter.changed_since.is_some() {
                found.items.retain(|row| !locked(&self.products).contains(&row.product.id));
            }
            Ok(found)
        }
    }
}
