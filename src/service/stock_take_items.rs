//! Putting a take together: adding and removing lines (S4.5), what was found while counting, and deleting
//! lines (S1.11).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::{
    Beginning, Code, Population, PopulationSource, ProductId, StockKey, StockLevel, StockTake,
    StockTakeCommand, StockTakeId, StockTakeItem, StockTakeItemId,
};
use crate::store::{
    ArticleSort, CountingView, DeletableKey, Digest, Guard, JobTask, LevelFilter, MAX_PAGE,
    Outcome, PageRequest, RepositoryExt, StockTakeItemFilter,
};

use super::access::Operation;
use super::article_name::shared_barcode;
use super::call::{Call, Once, Step};
use super::stock_key_lookup::checked;
use super::stock_take_populating::existing_line;
use super::stock_takes::{StockTakes, job_of, step_in_delay, take_of};
use super::{CHUNK, Caller, Error, Pending};

/// The most articles in one call.
const MAX_ARTICLES: usize = 1_000;

impl StockTakes<'_> {
    /// Adds articles to a new list, at every key where they are stocked (S4.5). Each is named by its article id or by a
    /// barcode. Lines that are there stay as they are. Returns how many lines were added.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] naming articles that are unknown, not
    /// stocked, or several with one barcode (`nothing_asked` without an article), [`Error::Transition`] once it was started, [`Error::TooLarge`]; failures of the store.
    #[inline(never)]
    pub fn add_articles<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        articles: &'c [Code],
    ) -> Pending<'c, u64> {
        Box::pin(async move {
            let digest = articles
                .iter()
                .fold(Digest::of("add_articles").field(id), |digest, code| {
                    digest.field(code)
                });
            let mut call = self.library.begin(caller, "add_articles", digest)?;
            let (seen, edit) = (
                self.visible(&call.stamp, id).await,
                Operation::EditStockTakeItems,
            );
            let take = match self.library.once(&call, edit, seen).await? {
                Once::First(take) => take,
                Once::Again(outcome) => return Ok(number(outcome)),
            };
            if articles.len() > MAX_ARTICLES {
                return Err(Error::TooLarge {
                    limit: MAX_ARTICLES,
                });
            }
            if articles.is_empty() {
                return Err(Error::nothing_asked("articles"));
            }
            take.value.allows(StockTakeCommand::AddItems)?;
            let keys = self.keys_of_articles(&take.value, articles).await?;
            self.add_keys(&mut call, id, StockTakeCommand::AddItems, &keys)
                .await
        })
    }

    /// The stocked keys of some articles at the take's site.
    async fn keys_of_articles(
        &self,
        take: &StockTake,
        articles: &[Code],
    ) -> Result<Vec<StockKey>, Error> {
        let repository = &self.library.repository;
        let organisation = take.organisation();
        let meant = self.library.products_meant(organisation, articles).await?;
        let mut products = Vec::with_capacity(meant.len());
        for (text, meant) in articles.iter().zip(meant) {
            if meant.len() > 1 {
                return Err(shared_barcode(text, meant.iter().map(|it| &it.article_id)));
            }
            products.push(meant.into_iter().next());
        }
        let unknown: Vec<&str> = articles
            .iter()
            .zip(&products)
            .filter(|(_, product)| product.is_none())
            .map(|(article, _)| article.as_str())
            .collect();
        if !unknown.is_empty() {
            return Err(Error::invalid(
                "articles",
                "unknown_article",
                format!("unknown: {}", unknown.join(", ")),
            ));
        }
        let ids: Vec<ProductId> = products
            .iter()
            .flatten()
            .map(|product| product.id)
            .collect();
        let filter = LevelFilter {
            products: ids.iter().copied().collect(),
            ..LevelFilter::default()
        };
        let mut keys = Vec::new();
        let mut page = PageRequest::first(CHUNK);
        while !ids.is_empty() {
            let levels = repository
                .levels_page(organisation, take.site(), &filter, &page)
                .await?;
            keys.extend(levels.items.iter().map(|level| level.value.key().clone()));
            match levels.next {
                Some(next) => page = PageRequest::after(next, CHUNK),
                None => break,
            }
        }
        let stocked: BTreeSet<ProductId> = keys.iter().map(|key| key.product).collect();
        let not_stocked: Vec<&str> = articles
            .iter()
            .zip(&ids)
            .filter(|(_, id)| !stocked.contains(id))
            .map(|(article, _)| article.as_str())
            .collect();
        if not_stocked.is_empty() {
            return Ok(keys);
        }
        let message = format!("not stocked at the site: {}", not_stocked.join(", "));
        Err(Error::invalid("articles", "not_stocked", message))
    }

    /// Adds lines for keys that have none, and tells how many. The header's version keeps line numbers
    /// unique.
    async fn add_keys(
        &self,
        call: &mut Call,
        id: StockTakeId,
        command: StockTakeCommand,
        keys: &[StockKey],
    ) -> Result<u64, Error> {
        let library = self.library;
        let products = library
            .products_of(call.organisation(), keys.iter())
            .await?;
        let unfit: Vec<StockKey> = keys
            .iter()
            .filter(|key| {
                let product = products.get(&key.product);
                product.is_some_and(|product| key.check(product).is_err())
            })
            .cloned()
            .collect();
        // What is there is counted, whatever became of its product.
        let checks = !library.is_stocked(call.organisation(), &unfit).await?;
        let mut there: BTreeSet<StockTakeItemId> = BTreeSet::new();
        loop {
            let take = self.visible(&call.stamp, id).await?;
            let levels = library.repository.levels(call.organisation(), keys).await?;
            let levels: Vec<StockLevel> = levels
                .into_iter()
                .flatten()
                .map(|level| level.value)
                .collect();
            let began = library
                .beginnings(&take.value, &levels, &call.stamp)
                .await?;
            let nothing = Beginning {
                begun: take.value.began_at().is_some(),
                clock: Some(call.stamp.at),
                ..Beginning::default()
            };
            let mut line = take.value.last_line();
            let mut items = Vec::new();
            for key in keys
                .iter()
                .filter(|key| !there.contains(&StockTakeItemId::for_key(id, key)))
            {
                let product = products
                    .get(&key.product)
                    .ok_or(Error::not_found("product"))?;
                if checks {
                    checked(key.clone(), product)?;
                }
                line = line.saturating_add(1);
                items.push(StockTakeItem::new(
                    id,
                    line,
                    key.clone(),
                    product.clone(),
                    began.get(key).copied().unwrap_or(nothing),
                    call.stamp.at,
                ));
            }
            let next = take.value.add_lines(command, line, &call.stamp)?;
            let outcome = Outcome::Number(u64::try_from(items.len()).unwrap_or(u64::MAX));
            let step = library.commit(call, outcome, |changes| {
                changes.update(take.version, next);
                for item in items {
                    changes.insert(item);
                }
            });
            match step.await? {
                Step::Done(outcome) => return Ok(number(outcome)),
                Step::Again(conflicts) => there.extend(conflicts.iter().filter_map(existing_line)),
            }
        }
    }

    /// Adds everything that is stocked at a stock place to a new list (S4.5).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also when nothing is stocked at the place, [`Error::Forbidden`], [`Error::Transition`];
    /// failures of the store.
    #[inline(never)]
    pub fn add_stock_place<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        place: Code,
    ) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let digest = Digest::of("add_stock_place").field(id).field(&place);
            let call = self.library.begin(caller, "add_stock_place", digest)?;
            self.add_from(call, id, PopulationSource::StockPlace(place))
                .await
        })
    }

    /// Adds everything that is stocked at the site to a new list (S4.5).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`]; failures of the store.
    #[inline(never)]
    pub fn add_all_articles<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
    ) -> Pending<'c, StockTake> {
        Box::pin(async move {
            let call = self.library.begin(
                caller,
                "add_all_articles",
                Digest::of("add_all_articles").field(id),
            )?;
            self.add_from(call, id, PopulationSource::Stocked).await
        })
    }

    async fn add_from(
        &self,
        mut call: Call,
        id: StockTakeId,
        source: PopulationSource,
    ) -> Result<StockTake, Error> {
        let library = self.library;
        let job = crate::domain::JobId::new(library.ids.next());
        loop {
            let seen = self.visible(&call.stamp, id).await;
            let read = match library
                .once(&call, Operation::EditStockTakeItems, seen)
                .await?
            {
                Once::First(read) => read,
                Once::Again(outcome) => {
                    return self.populated(&call.stamp, take_of(outcome)?).await;
                }
            };
            let population = Population::of(source.clone(), job);
            let next =
                read.value
                    .begin_populating(StockTakeCommand::AddItems, population, &call.stamp)?;
            if let PopulationSource::StockPlace(place) = &source {
                self.stocked_place(&read.value, place).await?;
            }
            let queued = job_of(
                &next,
                job,
                JobTask::PopulateStockTake { take: id },
                &call.stamp,
                step_in_delay(),
            );
            let outcome = Outcome::StockTake(Arc::new(next.clone()));
            let step = library.commit(&mut call, outcome, |changes| {
                changes.update(read.version, next);
                changes.job(queued);
            });
            if let Step::Done(outcome) = step.await? {
                return self.populated(&call.stamp, take_of(outcome)?).await;
            }
        }
    }

    /// Refuses a stock place at which nothing is stocked: nobody knows it.
    async fn stocked_place(&self, take: &StockTake, place: &Code) -> Result<(), Error> {
        let filter = LevelFilter {
            place: Some(place.clone()),
            ..LevelFilter::default()
        };
        let (organisation, page) = (take.organisation(), PageRequest::first(1));
        let repository = &self.library.repository;
        let levels = repository.levels_page(organisation, take.site(), &filter, &page);
        if levels.await?.items.is_empty() {
            return Err(Error::not_found("stock place"));
        }
        Ok(())
    }

    /// Removes an article from a new list, at all its keys (S4.5), by its article id or a barcode. Returns how many lines were
    /// removed.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also when it is not on the list, [`Error::Forbidden`], [`Error::Transition`],
    /// [`Error::TooLarge`] for more lines than one commit takes; failures of the store.
    #[inline(never)]
    pub fn remove_article<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        article: Code,
    ) -> Pending<'c, u64> {
        Box::pin(async move {
            let digest = Digest::of("remove_article").field(id).field(&article);
            let call = self.library.begin(caller, "remove_article", digest)?;
            let article = self
                .library
                .article_meant(call.organisation(), &article)
                .await;
            // Whoever can't see the list does not learn from a barcode that it is there.
            if article.is_err() {
                self.visible(&call.stamp, id).await?;
            }
            let article = article?;
            let filter = StockTakeItemFilter {
                article: Some(article),
                ..StockTakeItemFilter::default()
            };
            self.remove_lines(call, id, filter, "article").await
        })
    }

    /// Removes everything at a stock place from a new list (S4.5). Returns how many lines were removed.
    ///
    /// # Errors
    ///
    /// As [`remove_article`](Self::remove_article).
    #[inline(never)]
    pub fn remove_stock_place<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        place: Code,
    ) -> Pending<'c, u64> {
        Box::pin(async move {
            let digest = Digest::of("remove_stock_place").field(id).field(&place);
            let call = self.library.begin(caller, "remove_stock_place", digest)?;
            let filter = StockTakeItemFilter {
                place: Some(place),
                ..StockTakeItemFilter::default()
            };
            self.remove_lines(call, id, filter, "stock place").await
        })
    }

    async fn remove_lines(
        &self,
        mut call: Call,
        id: StockTakeId,
        filter: StockTakeItemFilter,
        what: &'static str,
    ) -> Result<u64, Error> {
        let library = self.library;
        let page = PageRequest::first(MAX_PAGE);
        loop {
            let seen = self.visible(&call.stamp, id).await;
            let take = match library
                .once(&call, Operation::EditStockTakeItems, seen)
                .await?
            {
                Once::First(take) => take,
                Once::Again(outcome) => return Ok(number(outcome)),
            };
            // The header is written, so that a start which has seen these lines notices.
            let next = take.value.remove_lines(&call.stamp)?;
            let organisation = call.organisation();
            let sort = ArticleSort::default();
            let lines = library
                .repository
                .stock_take_items(organisation, id, &filter, sort, &page)
                .await?;
            if lines.items.is_empty() {
                return Err(Error::not_found(what));
            }
            if lines.next.is_some() {
                return Err(Error::TooLarge {
                    limit: lines.items.len(),
                });
            }
            let outcome = Outcome::Number(u64::try_from(lines.items.len()).unwrap_or(u64::MAX));
            let step = library.commit(&mut call, outcome, |changes| {
                changes.update(take.version, next);
                for line in &lines.items {
                    changes.delete(
                        line.item.version,
                        DeletableKey::StockTakeItem(id, line.item.value.id),
                    );
                }
            });
            if let Step::Done(outcome) = step.await? {
                return Ok(number(outcome));
            }
        }
    }

    /// Adds a line for something that was found while counting and that the take does not have: the key may
    /// be one that the book has never seen. Returns the line's id, also when it was there already.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] also for an unknown product, [`Error::Forbidden`], [`Error::Key`],
    /// [`Error::Invalid`] for a key of another site, [`Error::Transition`] when it is not being counted;
    /// failures of the store.
    #[inline(never)]
    pub fn add_found<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        key: &'c StockKey,
    ) -> Pending<'c, StockTakeItemId> {
        Box::pin(async move {
            let digest = Digest::of("add_found").field(id).field(key);
            let mut call = self.library.begin(caller, "add_found", digest)?;
            let (seen, edit) = (
                self.visible(&call.stamp, id).await,
                Operation::EditStockTakeItems,
            );
            if let Once::First(take) = self.library.once(&call, edit, seen).await? {
                if key.site != take.value.site() {
                    return Err(Error::invalid(
                        "key",
                        "another_site",
                        "the key is of another site",
                    ));
                }
                self.add_keys(
                    &mut call,
                    id,
                    StockTakeCommand::AddFound,
                    std::slice::from_ref(key),
                )
                .await?;
            }
            Ok(StockTakeItemId::for_key(id, key))
        })
    }

    /// Deletes a line while the take is counted (S1.11).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Transition`] once posting has begun; failures of
    /// the store.
    #[inline(never)]
    pub fn delete_item<'c>(
        &'c self,
        caller: &'c Caller,
        id: StockTakeId,
        item: StockTakeItemId,
    ) -> Pending<'c, ()> {
        Box::pin(async move {
            let digest = Digest::of("delete_item").field(id).field(item);
            let call = self.library.begin(caller, "delete_item", digest)?;
            let deleted = self.delete_line(call.clone(), id, item).await;
            self.library.done_if_gone(&call, deleted).await
        })
    }

    async fn delete_line(
        &self,
        mut call: Call,
        id: StockTakeId,
        item: StockTakeItemId,
    ) -> Result<(), Error> {
        let library = self.library;
        loop {
            let take = self.visible(&call.stamp, id).await?;
            let view = library
                .repository
                .counting_view(call.organisation(), id, &[item])
                .await?;
            let (_, line) = view
                .and_then(CountingView::into_line)
                .ok_or(Error::not_found("stock take item"))?;
            call.require(Operation::DeleteStockTakeItem)?;
            if library.replay(&call).await?.is_some() {
                return Ok(());
            }
            take.value.allows(StockTakeCommand::DeleteItem)?;
            let step = library.commit(&mut call, Outcome::Done, |changes| {
                changes.guard(Guard::Epoch {
                    take: id,
                    epoch: take.value.epoch(),
                });
                changes.delete(line.item.version, DeletableKey::StockTakeItem(id, item));
            });
            if let Step::Done(_) = step.await? {
                return Ok(());
            }
        }
    }
}

fn number(outcome: Outcome) -> u64 {
    outcome.number().unwrap_or(0)
}
