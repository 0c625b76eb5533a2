//! C26, C28 to C31: the ledger and its two orders (R7, R10).

use super::checks::{Verdict, Wrong, applied, ensure, refused, same};
use super::harness::{Stage, Store};
use super::samples::*;
use crate::domain::{LedgerEntry, Quantity, SiteId, StockEventKind, StockKey, StockLevel};
use crate::store::{
    ArticleFilter, ArticleSort, Conflict, CountingView, DeletableKey, LevelFilter, MAX_PAGE,
    PageRequest, RepositoryExt, StockTakeItemFilter,
};

async fn positions(
    store: &dyn Store,
    site: SiteId,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, u128)>, Wrong> {
    let ledger = store.ledger(ORGANISATION, site, after, limit).await?;
    Ok(ledger.iter().map(place).collect())
}

fn place(entry: &LedgerEntry) -> (u64, u128) {
    (entry.position, entry.event.id.as_uuid().as_u128())
}

/// Positions go by commit, whatever the events say of time.
pub(super) async fn c26_backdated_event_does_not_reorder_seq(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    for (n, second) in [(1, 5), (2, -1_000), (3, 9_999), (4, 0), (5, 5)] {
        let mut late = event(n, key(n % 2), u64::try_from(n).unwrap_or(0));
        late.occurred_at = at(second);
        late.recorded_at = at(second);
        let mut changes = changes();
        changes.event(late);
        applied(&*store, &changes).await?;
    }
    let found = positions(&*store, SITE, 0, 9).await?;
    same(
        found,
        [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)],
        "the ledger",
    )
}

/// Each site counts its own events without a gap; a refused commit uses up no position; limits are those of pages, from the
/// beginning on and from the end back.
pub(super) async fn r10_positions_are_gap_free_for_each_site(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    let other = site_id(0x52);
    let there = |n: u128| StockKey::plain(other, product_id(n));
    put(&*store, |it| {
        it.event(event(1, key(1), 1));
        it.event(event(2, there(1), 1));
        it.event(event(3, key(2), 1));
    })
    .await?;
    let mut late = changes();
    late.event(event(9, key(3), 1));
    late.event(event(3, key(3), 2));
    let exists = [Conflict::EventExists(event_id(3))];
    refused(
        &*store,
        &late,
        &exists,
        "a batch with an event that is there",
    )
    .await?;
    put(&*store, |it| {
        it.event(event(5, key(1), 2));
        it.event(event(4, there(2), 1));
    })
    .await?;
    let store = &*store;
    let here = [(1, 1), (2, 3), (3, 5)];
    same(
        positions(store, SITE, 0, 9).await?,
        here,
        "the ledger of a site",
    )?;
    let found = positions(store, other, 0, 9).await?;
    same(found, [(1, 2), (2, 4)], "the ledger of another site")?;
    for (after, limit, expected) in [
        (0, 0, &here[..1]),
        (0, 1, &here[..1]),
        (0, 2, &here[..2]),
        (1, 9, &here[1..]),
        (2, u32::MAX, &here[2..]),
        (3, 9, &[]),
        (u64::MAX, u32::MAX, &[]),
    ] {
        let found = positions(store, SITE, after, limit).await?;
        same(
            found,
            expected,
            &format!("at most {limit} entries after {after}"),
        )?;
    }
    for before in [
        None,
        Some(0),
        Some(1),
        Some(2),
        Some(3),
        Some(4),
        Some(u64::MAX),
    ] {
        for limit in [0, 1, 2, 3, u32::MAX] {
            let found = store.ledger_back(ORGANISATION, SITE, before, limit).await?;
            let is_before = |position: u64| before.is_none_or(|before| position < before);
            let expected = here
                .iter()
                .rev()
                .filter(|(position, _)| is_before(*position));
            let most = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
            same(
                found.iter().map(place).collect::<Vec<_>>(),
                expected.take(most).copied().collect::<Vec<_>>(),
                &format!("at most {limit} entries before {before:?}"),
            )?;
        }
    }
    let mut stranger = changes_of(STRANGER);
    stranger.event(event(1, key(1), 1));
    applied(store, &stranger).await?;
    let found = store.ledger(STRANGER, SITE, 0, 9).await?;
    let found: Vec<_> = found.iter().map(|it| it.position).collect();
    same(
        found,
        [1],
        "the ledger of the same site of another organisation",
    )?;
    let found = store.ledger_back(STRANGER, SITE, None, 9).await?;
    same(found.len(), 1, "the same from its end back")?;
    let found = store.ledger_back(STRANGER, other, None, 9).await?;
    same(found, [], "the ledger of a site that is not theirs")?;
    let mut many = changes();
    for n in 1..=u64::from(MAX_PAGE) + 1 {
        let key = StockKey::plain(site_id(0x53), product_id(u128::from(n)));
        many.event(event(u128::from(n) << 64, key, 1));
    }
    applied(store, &many).await?;
    let found = positions(store, site_id(0x53), 0, u32::MAX).await?;
    let most = usize::try_from(MAX_PAGE).unwrap_or(0);
    same(found.len(), most, "entries of the largest answer")?;
    let found = store.ledger_back(ORGANISATION, site_id(0x53), None, u32::MAX);
    let found: Vec<_> = found.await?.iter().map(|it| it.position).collect();
    let last = u64::from(MAX_PAGE) + 1;
    let expected: Vec<_> = (2..=last).rev().collect();
    same(found, expected, "the largest answer from the end back")
}

/// Replayed from the beginning, the ledger gives each level.
pub(super) async fn c29_level_at_seq_matches_replay(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    let mut levels = vec![
        StockLevel::new(key(1), at(0)),
        StockLevel::new(key(2), at(0)),
    ];
    let mut version = V1;
    for (n, by) in (1..).zip(["5", "-2", "0.000001", "-3", "1000000", "-0.5"]) {
        let mut changes = changes();
        for (nth, level) in (0..).zip(&mut levels) {
            let (next, event) = moved(level, n * 10 + nth, by);
            changes.event(event);
            if n == 1 {
                changes.insert(next.clone());
            } else {
                changes.update(version, next.clone());
            }
            *level = next;
        }
        applied(&*store, &changes).await?;
        if n > 1 {
            version = version.next();
        }
        let keys = [key(1), key(2)];
        let found = store.levels(ORGANISATION, &keys).await?;
        let found: Vec<_> = found.into_iter().flatten().map(|it| it.value).collect();
        same(&found, &levels, "the levels")?;
        for level in &levels {
            let events = store
                .events_after(ORGANISATION, &[(level.key().clone(), 0)])
                .await?;
            let mut sum = Quantity::ZERO;
            for event in &events {
                same(event.before, sum, "what was there before an event")?;
                sum = sum.checked_add(event.change)?;
                same(event.after, sum, "what was there after it")?;
            }
            same(sum, level.quantity(), "the sum of a key's events")?;
        }
    }
    Ok(())
}

/// A site's ledger key by key: every event once, by key and sequence, whatever was recorded first, in pages of any size.
async fn keys_of_a_site_stand_in_order(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    let elsewhere = StockKey {
        site: site_id(2),
        ..key(1)
    };
    let keys = [
        key(2).at(code("b")),
        key(1),
        elsewhere,
        key(2).of_variant(code("a")),
        key(1).at(code("\u{e9}")),
        key(2),
        key(1).at(code("Z")),
    ];
    for sequence in [2, 1, 3] {
        for (nth, key) in (0_u128..).zip(&keys) {
            let id = 10 * nth + u128::from(sequence);
            put(&*store, |it| it.event(event(id, key.clone(), sequence))).await?;
        }
    }
    let mut expected: Vec<(StockKey, u64)> = keys
        .into_iter()
        .filter(|key| key.site == SITE)
        .flat_map(|key| (1..=3).map(move |sequence| (key.clone(), sequence)))
        .collect();
    expected.sort_unstable();
    for limit in [1, 2, 5, u32::MAX] {
        let mut found: Vec<(StockKey, u64)> = Vec::new();
        loop {
            let after = found.last().cloned();
            let page = store
                .ledger_by_key(ORGANISATION, SITE, after, limit)
                .await?;
            ensure!(
                page.len() <= usize::try_from(limit).unwrap_or(usize::MAX),
                "more events than were asked for"
            );
            if page.is_empty() || found.len() > expected.len() {
                break;
            }
            found.extend(page.into_iter().map(|event| (event.key, event.sequence)));
        }
        same(&found, &expected, "a ledger by its keys")?;
    }
    let behind = Some((key(1), u64::MAX));
    let page = store.ledger_by_key(ORGANISATION, SITE, behind, 1).await?;
    let next = page
        .first()
        .map(|event| (event.key.clone(), event.sequence));
    same(
        next,
        Some((key(1).at(code("Z")), 1)),
        "the event behind all of a key",
    )?;
    let page = store.ledger_by_key(STRANGER, SITE, None, u32::MAX).await?;
    same(page, [], "the ledger of somebody else")
}

/// The events of keys: by key, then by sequence, whatever came first and however it is asked.
pub(super) async fn r07_events_of_a_key_stand_by_sequence(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    for sequence in [2, 4, 1, 3] {
        put(&*store, |it| {
            it.event(event(u128::from(sequence), key(1), sequence));
            it.event(event(100 + u128::from(sequence), key(2), sequence));
        })
        .await?;
    }
    let asked = async |keys: &[(StockKey, u64)]| -> Result<Vec<u128>, Wrong> {
        let found = store.events_after(ORGANISATION, keys).await?;
        Ok(found.iter().map(|it| it.id.as_uuid().as_u128()).collect())
    };
    same(
        asked(&[(key(1), 1)]).await?,
        [2, 3, 4],
        "events after the first",
    )?;
    same(asked(&[(key(1), 4)]).await?, [], "events after the last")?;
    same(asked(&[(key(1), u64::MAX)]).await?, [], "events after any")?;
    same(asked(&[]).await?, [], "events of no key")?;
    let both = [(key(2), 2), (key(1), 3), (key(9), 0)];
    same(
        asked(&both).await?,
        [4, 103, 104],
        "events of two keys, by key",
    )?;
    let twice = [(key(1), 3), (key(1), 1), (key(1), 2)];
    same(
        asked(&twice).await?,
        [2, 3, 4],
        "events of a key that is asked for twice",
    )?;
    let ids = [event_id(3), event_id(99), event_id(101), event_id(3)];
    let found = store.events(ORGANISATION, &ids).await?;
    let found: Vec<_> = found
        .iter()
        .map(|it| it.as_ref().map(|it| it.position))
        .collect();
    same(
        found,
        [Some(7), None, Some(6), Some(7)],
        "positions of events by id",
    )?;
    keys_of_a_site_stand_in_order(stage).await
}

/// What is in the ledger stays as it is, and its id is good for nothing else in its organisation.
pub(super) async fn c30_event_immutable_and_id_unique(stage: &Stage<'_>) -> Verdict {
    let store = stage.fresh().await?;
    put(&*store, |it| it.event(event(1, key(1), 1))).await?;
    let mut elsewhere = event(1, StockKey::plain(site_id(0x52), product_id(1)), 1);
    elsewhere.kind = StockEventKind::Issue;
    for other in [event(1, key(1), 1), event(1, key(1), 2), elsewhere] {
        let mut again = changes();
        again.event(other);
        let exists = [Conflict::EventExists(event_id(1))];
        refused(&*store, &again, &exists, "another event of the same id").await?;
    }
    let mut place = changes();
    place.event(event(2, key(1), 1));
    let exists = [Conflict::EventExists(event_id(2))];
    refused(&*store, &place, &exists, "another event in the same place").await?;
    let found = store.events(ORGANISATION, &[event_id(1)]).await?;
    let found: Vec<_> = found.into_iter().flatten().map(|it| it.event).collect();
    same(
        found,
        [event(1, key(1), 1)],
        "an event after others like it were refused",
    )?;
    let mut stranger = changes_of(STRANGER);
    stranger.event(event(1, key(1), 1));
    applied(&*store, &stranger).await?;
    // Nor does what was counted go with the line that it belongs to.
    put(&*store, |it| {
        it.insert(take(TAKE, 1));
        it.insert(item(1));
        it.entry(entry(1, &item(1)));
    })
    .await?;
    let gone = DeletableKey::StockTakeItem(TAKE, item(1).id);
    put(&*store, |it| it.delete(V1, gone)).await?;
    let kept = store.count_entries(ORGANISATION, TAKE, item(1).id).await?;
    same(
        kept,
        [entry(1, &item(1))],
        "the acts of counting a line that was deleted",
    )
}

/// A key that nothing is left of is still stocked; a delisted one is not, but keeps its record.
pub(super) async fn c31_removed_is_not_zero(stage: &Stage<'_>) -> Verdict {
    let store = shop(stage, 3).await?;
    let delisted = StockLevel::new(key(2), at(1));
    put(&*store, |it| {
        it.insert(level(key(1), "0"));
        it.insert(delisted);
    })
    .await?;
    let keys = [key(3), key(1), key(2)];
    let found = store.levels(ORGANISATION, &keys).await?;
    let found: Vec<_> = found
        .iter()
        .map(|it| it.as_ref().map(|it| it.is_stocked()))
        .collect();
    same(
        found,
        [None, Some(true), Some(false)],
        "whether keys are stocked",
    )?;
    for (with_delisted, expected) in [(false, 1), (true, 2)] {
        let filter = LevelFilter {
            with_delisted,
            ..LevelFilter::default()
        };
        let page = PageRequest::first(9).counted();
        let page = store
            .levels_page(ORGANISATION, SITE, &filter, &page)
            .await?;
        same(
            page.total,
            Some(expected),
            &format!("levels, by {filter:?}"),
        )?;
    }
    let page = PageRequest::first(9);
    let filter = StockTakeItemFilter::default();
    let sort = ArticleSort::default();
    let lines = store
        .stock_take_items(ORGANISATION, TAKE, &filter, sort, &page)
        .await?;
    let on_hand: Vec<_> = lines.items.iter().map(|row| row.on_hand).collect();
    let expected = [Some(Quantity::ZERO), None, None];
    same(
        on_hand,
        expected,
        "what is on hand of a stocked, a delisted and an unknown key",
    )?;
    let filter = ArticleFilter::default();
    let articles = store
        .articles(ORGANISATION, SITE, &filter, sort, &page)
        .await?;
    same(articles.items.len(), 1, "articles that are stocked")?;
    let view = store
        .counting_view(ORGANISATION, TAKE, &[item(2).id])
        .await?;
    let level = view
        .and_then(CountingView::into_line)
        .and_then(|(_, line)| line.level);
    same(
        level.map(|it| it.is_stocked()),
        Some(false),
        "a delisted key's level in a view",
    )
}
