//! C37 to C41: rows of another organisation do not exist (R6).

use super::checks::{Verdict, applied, ensure, refused, same};
use super::everything::{Everything, Scope};
use super::harness::Stage;
use super::records::{COUNT, ORDER, count_line_id, line_id, order_line_id, read, record};
use super::sampler::{Filling, Sampler};
use super::samples::*;
use super::shelves::{fill, keys, named, shelves};
use crate::domain::{InventoryCountId, InventoryOrderId};
use crate::store::{
    ChangeSet, CommitError, CommitOutcome, Conflict, DeletableKey, Guard, JobAck, JobKind,
    JobProgress, JobState, LeaseError, LeaseToken, MAX_PAGE, Outcome, PageRequest, Progress, Purge,
    RecordKey, RepositoryExt,
};

/// Reading what belongs to somebody else is reading what never was.
pub(super) async fn c37_foreign_get_is_none_same_as_missing(stage: &Stage<'_>) -> Verdict {
    let empty = stage.bare().await;
    let scope = Scope::shop();
    let nothing = Everything::read(&*empty, STRANGER, &scope).await?;
    let store = shelves(stage, 37).await?;
    let seen = Everything::read(&*store, STRANGER, &scope).await?;
    seen.is(&nothing, "what a stranger sees")?;
    let ours = Everything::read(&*store, ORGANISATION, &scope).await?;
    ensure!(ours != nothing, "nothing of what was written is there");

    let store = shop(stage, 1).await?;
    put(&*store, |it| {
        it.event(event(1, key(1), 1));
        it.entry(entry(1, &item(1)));
        it.insert(level(key(1), "1"));
    })
    .await?;
    let found = store
        .site_by_external_id(STRANGER, &code("store-1"))
        .await?;
    same(found, None, "a foreign site by its external id")?;
    let found = store
        .products_by_article(STRANGER, &[code("SKU-1")])
        .await?;
    same(found, [None], "a foreign product by its article id")?;
    let mut coded = product(50);
    coded.barcodes = vec![crate::domain::Barcode {
        value: code("4006381333931"),
        symbology: code("EAN13"),
    }];
    coded.category = Some(category(50));
    put(&*store, |it| it.insert(std::sync::Arc::new(coded))).await?;
    let barcodes = [code("4006381333931")];
    let found = store.products_by_barcode(STRANGER, &barcodes).await?;
    let found: Vec<_> = found.iter().map(Vec::len).collect();
    same(found, [0], "foreign products of a barcode")?;
    let found = store.category_sizes(STRANGER, &[category(50).id]).await?;
    same(found, [0], "foreign products of a category")?;
    let found = store.articles_like(STRANGER, &[code("sku-1")]).await?;
    same(
        found,
        [None],
        "a foreign article id that is spelled like it",
    )?;
    let found = store.events_after(STRANGER, &[(key(1), 0)]).await?;
    same(found, [], "foreign events of a key")?;
    let found = store.levels(STRANGER, &[key(1)]).await?;
    same(found, [None], "a foreign level")?;
    let found = store
        .stock_take_item_ids(STRANGER, TAKE, &[item(1).id])
        .await?;
    same(found, [], "foreign lines")?;
    let found = store.counting_view(STRANGER, TAKE, &[item(1).id]).await?;
    same(found, None, "a foreign counting view")
}

/// What others have makes no difference to any list or total.
pub(super) async fn c38_foreign_list_and_totals_never_leak(stage: &Stage<'_>) -> Verdict {
    let scope = Scope::shelves();
    let store = shelves(stage, 38).await?;
    let ours = Everything::read(&*store, ORGANISATION, &scope).await?;
    fill(&*store, &mut Sampler::new(39, Filling::Mixed), STRANGER).await?;
    let again = Everything::read(&*store, ORGANISATION, &scope).await?;
    again.is(&ours, "what another organisation's rows changed")?;
    let alone = stage.fresh().await?;
    fill(&*alone, &mut Sampler::new(39, Filling::Mixed), STRANGER).await?;
    let expected = Everything::read(&*alone, STRANGER, &scope).await?;
    let found = Everything::read(&*store, STRANGER, &scope).await?;
    found.is(&expected, "what an organisation sees beside another one")
}

/// Writing what belongs to somebody else conflicts as with an id that was never used, and changes nothing.
pub(super) async fn c39_foreign_update_delete_is_not_found_no_effect(stage: &Stage<'_>) -> Verdict {
    let scope = Scope::shelves();
    let store = shelves(stage, 40).await?;
    put(&*store, |it| it.job(job(50, 0, 9))).await?;
    let before = Everything::read(&*store, ORGANISATION, &scope).await?;
    let mut sampler = Sampler::new(41, Filling::Mixed);
    let mut all = changes_of(STRANGER);
    let mut missing = Vec::new();
    for key in keys() {
        let mut update = changes_of(STRANGER);
        update.update(V1, named(&mut sampler, &key)?);
        let conflict = [Conflict::Missing(key.clone())];
        refused(&*store, &update, &conflict, "an update of what is foreign").await?;
        all.update(V1, named(&mut sampler, &key)?);
        missing.extend(conflict);
        if let Some(deletable) = DeletableKey::of(&key) {
            let mut delete = changes_of(STRANGER);
            delete.delete(V1, deletable);
            let conflict = [Conflict::Missing(key)];
            refused(&*store, &delete, &conflict, "a delete of what is foreign").await?;
        }
    }
    for (guard, conflict) in guards_on_what_is_not_there() {
        let mut guarded = changes_of(STRANGER);
        guarded.guard(guard);
        let alone = std::slice::from_ref(&conflict);
        refused(&*store, &guarded, alone, "a guard on what is foreign").await?;
        all.guard(guard);
        missing.push(conflict);
    }
    refused(&*store, &all, &missing, "writes of all that is foreign").await?;
    for (key, document) in [
        (
            RecordKey::StockTakeItem(TAKE, line_id(99)),
            RecordKey::StockTake(TAKE),
        ),
        (
            RecordKey::InventoryCountItem(COUNT, count_line_id(99)),
            RecordKey::InventoryCount(COUNT),
        ),
        (
            RecordKey::InventoryOrderItem(ORDER, order_line_id(99)),
            RecordKey::InventoryOrder(ORDER),
        ),
    ] {
        let mut line = changes_of(STRANGER);
        line.insert(record(&mut sampler, &key)?);
        let conflict = [Conflict::Missing(document)];
        refused(&*store, &line, &conflict, "a line of a foreign document").await?;
    }
    let mut entered = changes_of(STRANGER);
    entered.entry(entry(1, &item(1)));
    let conflict = [Conflict::Missing(RecordKey::StockTake(TAKE))];
    refused(&*store, &entered, &conflict, "an entry of a foreign take").await?;
    let after = Everything::read(&*store, ORGANISATION, &scope).await?;
    after.is(&before, "what a stranger's writes changed")
}

fn guards_on_what_is_not_there() -> [(Guard, Conflict); 3] {
    [
        (
            Guard::Epoch {
                take: TAKE,
                epoch: 1,
            },
            Conflict::Epoch {
                take: TAKE,
                actual: None,
            },
        ),
        (
            Guard::CountEpoch {
                count: COUNT,
                epoch: 1,
            },
            Conflict::CountEpoch {
                count: COUNT,
                actual: None,
            },
        ),
        (
            Guard::Site {
                site: SITE,
                version: V1,
            },
            Conflict::Missing(RecordKey::Site(SITE)),
        ),
    ]
}

/// A line is found only under its own document.
pub(super) async fn c40_item_under_wrong_parent_is_none(stage: &Stage<'_>) -> Verdict {
    let store = shelves(stage, 44).await?;
    let count = InventoryCountId::new(uuid::Uuid::from_u128(0xC01));
    let order = InventoryOrderId::new(uuid::Uuid::from_u128(0xD01));
    let mut sampler = Sampler::new(45, Filling::Mixed);
    for (right, wrong) in [
        (
            RecordKey::StockTakeItem(TAKE, line_id(1)),
            RecordKey::StockTakeItem(take_id(1), line_id(1)),
        ),
        (
            RecordKey::InventoryCountItem(COUNT, count_line_id(1)),
            RecordKey::InventoryCountItem(count, count_line_id(1)),
        ),
        (
            RecordKey::InventoryOrderItem(ORDER, order_line_id(1)),
            RecordKey::InventoryOrderItem(order, order_line_id(1)),
        ),
    ] {
        let found = read(&*store, ORGANISATION, &right).await?;
        ensure!(found.is_some(), "{right:?} is not there");
        let found = read(&*store, ORGANISATION, &wrong).await?;
        same(found, None, "a line under another document")?;
        let conflict = [Conflict::Missing(wrong.clone())];
        let mut update = changes();
        update.update(V1, record(&mut sampler, &wrong)?);
        refused(
            &*store,
            &update,
            &conflict,
            "an update of a line of another document",
        )
        .await?;
        if let Some(deletable) = DeletableKey::of(&wrong) {
            let mut delete = changes();
            delete.delete(V1, deletable);
            refused(
                &*store,
                &delete,
                &conflict,
                "a delete of a line of another document",
            )
            .await?;
        }
        // Under the other document the id is free, and the line there is another one.
        let other = record(&mut sampler, &wrong)?;
        put(&*store, |it| it.insert(other.clone())).await?;
        let found = read(&*store, ORGANISATION, &wrong).await?;
        same(
            found.map(|it| it.1),
            Some(other),
            "a line of the same id elsewhere",
        )?;
        let found = read(&*store, ORGANISATION, &right).await?;
        same(
            found.and_then(|it| it.0),
            Some(V1),
            "the line that has the id as well",
        )?;
    }
    let ids = [item(1).id];
    let found = store
        .stock_take_item_ids(ORGANISATION, take_id(2), &ids)
        .await?;
    same(found, [], "a line's id asked of another take")?;
    let found = store
        .count_entries(ORGANISATION, take_id(2), item(1).id)
        .await?;
    same(found, [], "the entries of a line asked of another take")
}

/// Two organisations may use the same ids, names, commands and jobs.
pub(super) async fn c41_same_id_in_two_orgs_coexist_and_keys_isolated(
    stage: &Stage<'_>,
) -> Verdict {
    let store = shop(stage, 2).await?;
    let id = command("k", "x");
    let mut ours = ChangeSet::new(ORGANISATION, id.clone());
    let mut theirs = changes_of(STRANGER);
    theirs.insert(site());
    theirs.insert(take(TAKE, 3));
    theirs.insert(counted(item(1), "1", 5));
    theirs.insert(std::sync::Arc::new(product(1)));
    for changes in [&mut ours, &mut theirs] {
        changes.event(event(1, key(1), 1));
        changes.job(job(1, 0, 9));
    }
    applied(&*store, &ours).await?;
    applied(&*store, &theirs).await?;
    let mut same_command = ChangeSet::new(STRANGER, command("k", "something else"));
    same_command.insert(supplier(1));
    applied(&*store, &same_command).await?;
    let all = crate::store::StockTakeItemFilter::default();
    let found = store.stock_take_totals(STRANGER, TAKE, &all).await?;
    same(
        (found.items, found.counted),
        (1, 1),
        "lines and counted lines of theirs",
    )?;
    let found = totals(&*store).await?;
    same(
        (found.items, found.counted),
        (2, 0),
        "lines and counted lines of ours",
    )?;
    let found = super::checks::commit(&*store, &ours).await?;
    let first = CommitOutcome::AlreadyApplied(Outcome::Done);
    same(found, first, "our command, which they have used as well")?;
    let forgotten = store
        .purge(STRANGER, Purge::Commands, at(1_000), MAX_PAGE)
        .await?;
    ensure!(forgotten >= 2, "of two commands {forgotten} were forgotten");
    let known = store.command(ORGANISATION, &id.id).await?;
    same(known, Some(id), "our command after theirs were forgotten")?;
    jobs_are_apart(&*store).await
}

async fn jobs_are_apart(store: &dyn super::harness::Store) -> Verdict {
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let lease = store.lease("w", JobKind::ALL, at(1), at(5)).await?;
        tokens.push(
            lease
                .ok_or("of two jobs with one id only one is leased")?
                .token,
        );
    }
    tokens.sort_by_key(|token| token.organisation);
    let [ours, theirs] = [ORGANISATION, STRANGER].map(|organisation| LeaseToken {
        organisation,
        job: job_id(1),
        attempt: 1,
    });
    same(tokens, [ours, theirs], "the leases of two jobs with one id")?;
    let mut touch = changes_of(STRANGER);
    touch.progress(JobProgress {
        job: job_id(1),
        progress: Progress { done: 1, total: 2 },
    });
    touch.ack(JobAck::Settled(job_id(1)));
    touch.ack(JobAck::Refused(job_id(77)));
    applied(store, &touch).await?;
    let job = store.job(ORGANISATION, job_id(1)).await?;
    let job = job.ok_or("our job is gone")?;
    let running = matches!(job.state, JobState::Running { .. });
    ensure!(running, "their settling ended our job: {job:?}");
    same(job.progress, Progress::default(), "our job's progress")?;
    let mut stolen = changes_of(STRANGER);
    stolen.ack(JobAck::Leased(ours));
    match store.commit(&stolen).await {
        Err(CommitError::LeaseLost(job)) => same(job, job_id(1), "the job of a foreign ack")?,
        other => return Err(format!("a commit with a foreign lease: {other:?}").into()),
    }
    match store.ack(theirs, at(2)).await {
        Err(LeaseError::Lost) => {}
        other => return Err(format!("a lease of a settled job: {other:?}").into()),
    }
    store.fail(ours, "x", at(2), None).await?;
    let page = PageRequest::first(9).counted();
    let dead = store.dead_jobs(STRANGER, &page).await?;
    same(dead.total, Some(0), "our dead jobs on their list")?;
    let requeued = store.requeue(STRANGER, job_id(1), at(9)).await?;
    same(requeued, false, "our dead job queued again by them")
}

/// Who has a site is listed by id, a page at a time; who has none is not.
pub(super) async fn r06_organisations_that_have_a_site(stage: &Stage<'_>) -> Verdict {
    let store = stage.bare().await;
    let all = async |after, limit| store.organisations(after, limit).await;
    same(all(None, 9).await?, [], "organisations with sites")?;
    put(&*store, |it| it.insert(supplier(1))).await?;
    same(all(None, 9).await?, [], "organisations without a site")?;
    put(&*store, |it| {
        it.insert(site());
        it.insert(site_of(site_id(2), "another"));
    })
    .await?;
    same(
        all(None, 9).await?,
        [ORGANISATION],
        "organisations with sites",
    )?;
    let mut theirs = changes_of(STRANGER);
    theirs.insert(site());
    applied(&*store, &theirs).await?;
    let mut both = [ORGANISATION, STRANGER];
    both.sort_unstable();
    let [one, other] = both;
    same(all(None, 9).await?, both, "organisations with sites")?;
    for limit in [0, 1] {
        let found = all(None, limit).await?;
        same(found, [one], "the first organisation")?;
    }
    same(all(Some(one), 9).await?, [other], "those after the first")?;
    same(all(Some(other), 9).await?, [], "those after the last")
}
