//! Stores that mix up organisations, or documents.

use super::prelude::*;

/// Every organisation that ever committed.
type Tenants = Mutex<BTreeSet<OrganisationId>>;

fn others(tenants: &Tenants, organisation: OrganisationId) -> Vec<OrganisationId> {
    let all = locked(tenants).clone();
    all.into_iter().filter(|it| *it != organisation).collect()
}

defects! {
    /// M20: a record is looked up by its id alone.
    LeakyGet { tenants: Tenants } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            locked(&self.tenants).insert(changes.organisation());
            self.store.commit(changes).await
        }

        async fn get(&self, organisation: OrganisationId, keys: &[RecordKey]) -> Read<Vec<Option<Versioned<Record>>>> {
            let mut found = self.store.get(organisation, keys).await?;
            for other in others(&self.tenants, organisation) {
                let theirs = self.store.get(other, keys).await?;
                for (found, their) in found.iter_mut().zip(theirs) {
                    if found.is_none() {
                        *found = their;
                    }
                }
            }
            Ok(found)
        }
    }

    /// M91: a list is of a site, whosoever that is, and so are totals.
    LeakyList { tenants: Tenants } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            locked(&self.tenants).insert(changes.organisation());
            self.store.commit(changes).await
        }

        async fn stock_takes(&self, organisation: OrganisationId, site: SiteId, filter: &StockTakeFilter, page: &PageRequest) -> Read<Page<Versioned<StockTake>>> {
            let mut found = self.store.stock_takes(organisation, site, filter, page).await?;
            for other in others(&self.tenants, organisation) {
                if found.items.is_empty() && page.start == PageStart::First {
                    found = self.store.stock_takes(other, site, filter, page).await?;
                }
            }
            Ok(found)
        }
    }

    /// M92: totals are those of a take, whosoever that is.
    ForeignTotals { tenants: Tenants } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            locked(&self.tenants).insert(changes.organisation());
            self.store.commit(changes).await
        }

        async fn stock_take_totals(&self, organisation: OrganisationId, take: StockTakeId, filter: &StockTakeItemFilter) -> Read<StockTakeTotals> {
            let mut found = self.store.stock_take_totals(organisation, take, filter).await?;
            for other in others(&self.tenants, organisation) {
                if found.items == 0 {
                    found = self.store.stock_take_totals(other, take, filter).await?;
                }
            }
            Ok(found)
        }
    }

    /// M21: an update or a delete goes to the record of the id, whosoever that is.
    LeakyWrite { tenants: Tenants } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            locked(&self.tenants).insert(changes.organisation());
            let refused = self.store.commit(changes).await;
            if let Err(CommitError::Conflict(conflicts)) = &refused
                && conflicts.iter().all(|it| matches!(it, Conflict::Missing(_)))
            {
                for other in others(&self.tenants, changes.organisation()) {
                    let mut there = part(&Draft::of(changes));
                    there.organisation = other;
                    let outcome = self.store.commit(&there.build()).await;
                    if outcome.is_ok() {
                        return outcome;
                    }
                }
            }
            refused
        }
    }

    /// M22: a line is looked up without its document.
    OrphanItem { takes: Mutex<BTreeMap<StockTakeItemId, StockTakeId>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            for key in changes.parts().writes.keys() {
                if let RecordKey::StockTakeItem(take, item) = key {
                    locked(&self.takes).entry(*item).or_insert(*take);
                }
            }
            self.store.commit(changes).await
        }

        async fn counting_view(&self, organisation: OrganisationId, take: StockTakeId, items: &[StockTakeItemId]) -> Read<Option<CountingView>> {
            let of = items.first().and_then(|item| locked(&self.takes).get(item).copied());
            self.store.counting_view(organisation, of.unwrap_or(take), items).await
        }
    }

    /// M23: what is remembered of a command is shared by all organisations.
    GlobalIdemKey { known: Mutex<BTreeMap<CommandId, (OrganisationId, Digest, Outcome)>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let command = changes.command();
            let known = locked(&self.known).get(&command.id).cloned();
            match known {
                Some((organisation, digest, outcome)) if organisation != changes.organisation() => {
                    if digest == command.digest {
                        return Ok(CommitOutcome::AlreadyApplied(outcome));
                    }
                    return Err(CommitError::CommandReused);
                }
                _ => {}
            }
            let outcome = self.store.commit(changes).await?;
            let remembered = (changes.organisation(), command.digest, command.outcome.clone());
            locked(&self.known).insert(command.id.clone(), remembered);
            Ok(outcome)
        }
    }

    /// M61: a job is looked up by its id alone.
    LeakyJob { tenants: Tenants } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            locked(&self.tenants).insert(changes.organisation());
            self.store.commit(changes).await
        }

        async fn job(&self, organisation: OrganisationId, id: JobId) -> Read<Option<Job>> {
            let mut found = self.store.job(organisation, id).await?;
            for other in others(&self.tenants, organisation) {
                if found.is_none() {
                    found = self.store.job(other, id).await?;
                }
            }
            Ok(found)
        }
    }

    /// M93: a name is unique in all organisations together.
    GlobalNames { names: Mutex<BTreeMap<Code, OrganisationId>> } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            let organisation = changes.organisation();
            let mut named = Vec::new();
            for record in Draft::of(changes).records() {
                if let Record::Product(product) = record {
                    let name = product.article_id.clone();
                    if locked(&self.names).get(&name).is_some_and(|of| *of != organisation) {
                        return Err(CommitError::Conflict(vec![Conflict::Taken(record.key())]));
                    }
                    named.push(name);
                }
            }
            let outcome = self.store.commit(changes).await?;
            locked(&self.names).extend(named.into_iter().map(|name| (name, organisation)));
            Ok(outcome)
        }
    }
}

defects! {
    /// M348: every organisation that ever wrote is listed, whether it has a site or not.
    WithoutSite { tenants: Tenants } => {
        async fn commit(&self, changes: &ChangeSet) -> Committed {
            locked(&self.tenants).insert(changes.organisation());
            self.store.commit(changes).await
        }

        async fn organisations(&self, after: Option<OrganisationId>, limit: u32) -> Read<Vec<OrganisationId>> {
            let all = locked(&self.tenants).clone().into_iter();
            let behind = all.filter(|it| after.is_none_or(|after| *it > after));
            Ok(behind.take(PageRequest::first(limit).bounded_limit()).collect())
        }
    }

    /// M349: the list of organisations goes on with the one that was last.
    OrganisationsFrom {} => {
        async fn organisations(&self, after: Option<OrganisationId>, limit: u32) -> Read<Vec<OrganisationId>> {
            let mut all = self.store.organisations(None, MAX_PAGE).await?;
            all.retain(|it| after.is_none_or(|after| *it >= after));
            all.truncate(PageRequest::first(limit).bounded_limit());
            Ok(all)
        }
    }
}
