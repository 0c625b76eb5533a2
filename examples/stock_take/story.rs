//! The story, phase by phase: what happens, and what is told of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use stocktake::domain::{MovementPolicy, PostingOptions, StockTake, StockTakeState};
use stocktake::service::NewStockTake;
use stocktake::store::StockTakeTotals;

use crate::counting::{CARTON, Counted, count_while_selling};
use crate::failure::{Checks, Failure};
use crate::feed::{Feed, Followed};
use crate::retail::{self, Happening, Skip};
use crate::screen::{Bars, grouped, line, more, of, phase, pounds, signed};
use crate::shop::GiftShop;
use crate::till::Till;
use crate::worth::Worth;
use crate::{closing, files, report, shop, till, truth, worth};

/// The whole story, phase by phase.
pub(crate) async fn tell(shop: &Arc<GiftShop>, folder: &Path) -> Result<(), Failure> {
    let mut checks = Checks::default();
    open(shop).await?;
    let feed = Feed::follow(shop);
    let till = replay(shop, &mut checks).await?;
    let take = create(shop, &mut checks).await?;
    let to_count_with = files::to_count_with(shop, &take).await?;
    let mut counted = count(shop, &take, till).await?;
    checks.add(std::mem::take(&mut counted.checks));

    let totals = report::totals(shop, take.id()).await?;
    check_totals(&counted, &totals, &mut checks);
    let mut by_the_book = None;
    if is_reopened(&take) {
        phase("posted", Instant::now(), "by an interrupted run")?;
    } else {
        let found = report::differences(shop, take.id()).await?;
        report::print(shop, &found, &totals, &mut checks)?;
        truth::check_variances(shop, &counted, &found, &mut checks)?;
        if take.round() == 0 {
            by_the_book = Some(Worth::of_bays(shop, &counted.listed).await?);
        }
        line("")?;
        post(shop, &take, &counted, &totals, &mut checks).await?;
    }
    let posted = post_again(shop, &take, &counted, &totals, &mut checks).await?;
    let worth = posted.result().map(Worth::of_take).unwrap_or_default();
    worth::print(shop, by_the_book.as_ref(), &worth)?;
    if by_the_book.is_some() {
        line(
            "The change is what the count posted, at the cost of the layers that left, and the slip's sale.",
        )?;
    }
    worth::check(shop, &counted.listed, &worth, &mut checks).await?;
    verify(shop, &counted, feed.finish().await?, checks).await?;
    line("")?;
    files::write(shop, take.id(), folder, to_count_with).await
}

/// Tells what was read.
pub(crate) fn tell_month(month: &retail::Shop, began: Instant) -> Result<(), Failure> {
    let (mut sales, mut returns, mut corrections) = (0, 0, 0);
    for happening in &month.happenings {
        match happening {
            Happening::Sale { .. } => sales += 1,
            Happening::Return { .. } => returns += 1,
            Happening::Correction { .. } => corrections += 1,
        }
    }
    let told = format!(
        "{}, {}, {}, {}",
        of(month.articles.len(), "article", "articles"),
        of(sales, "sale", "sales"),
        of(returns, "return", "returns"),
        of(corrections, "stock correction", "stock corrections"),
    );
    phase("read", began, &told)?;
    if !month.skipped.is_empty() {
        let skipped: Vec<String> = month
            .skipped
            .iter()
            .map(|(why, lines): (&Skip, &usize)| format!("{} {why}", grouped(*lines)))
            .collect();
        more(format_args!("left out: {}", skipped.join(", ")))?;
    }
    Ok(())
}

/// Puts the catalogue and the opening stock into the store.
async fn open(shop: &GiftShop) -> Result<(), Failure> {
    let began = Instant::now();
    shop.put_catalogue().await?;
    let (pieces, worth) = shop.receive_opening_stock().await?;
    let worth = worth::told(worth, shop.currency());
    let told = format!(
        "opening stock: {} worth {worth}",
        of(pieces, "piece", "pieces")
    );
    phase("opened", began, &told)?;
    Ok(more(
        "the files tell of no costs: 60 % of an article's median price, the newer half 4 % dearer",
    )?)
}

/// Replays the month up to the take.
async fn replay(shop: &Arc<GiftShop>, checks: &mut Checks) -> Result<Till, Failure> {
    let began = Instant::now();
    let mut till = Till::of(shop);
    let bar = Bars::default().add("replaying", till::trade(shop.month.split().before).len());
    till.replay_days(&bar).await?;
    bar.finish_and_clear();
    let done = std::mem::take(&mut till.done);
    let told = format!(
        "{}, {} ({} to an earlier month), in {}",
        of(done.sales, "sale", "sales"),
        of(done.returns + done.untraced, "return", "returns"),
        grouped(done.untraced),
        of(done.batches, "batch", "batches"),
    );
    checks.add(done.checks);
    phase("replayed", began, &told)?;
    Ok(till)
}

/// Creates the take, and lets a worker add its lines.
async fn create(shop: &Arc<GiftShop>, checks: &mut Checks) -> Result<StockTake, Failure> {
    let began = Instant::now();
    let opens_at = shop.month.split().opens_at;
    shop.clock.move_on_to(opens_at);
    shop.let_goods_go_astray().await;
    let takes = shop.library.stock_takes();
    let description = format!("Count of {}", opens_at.format("%B %Y"));
    let new = NewStockTake {
        site: shop.site.id,
        description: shop::label("description", &description)?,
        movement_policy: MovementPolicy::default(),
    };
    let manager = shop.manager_with_key("take")?;
    let take = takes.create(&manager, new).await?;
    let take = closing::add_lines(shop, take.id()).await?;
    checks.hold(take.items_added(), || {
        "the worker did not add all lines".to_owned()
    });
    let told = format!(
        "\"{}\", {}: {} added by a worker",
        take.details().title(),
        opens_at.format("opened on %-d %B"),
        of(take.last_line(), "line", "lines"),
    );
    phase("listed", began, &told)?;
    Ok(take)
}

/// Counts while the till sells.
async fn count(shop: &Arc<GiftShop>, take: &StockTake, till: Till) -> Result<Counted, Failure> {
    let began = Instant::now();
    let bars = Bars::default();
    let (till, mut counted) = count_while_selling(shop, take.id(), till, &bars).await?;
    let Till { done, .. } = till;
    let told = format!(
        "{} by {} people, while {} lines were sold and {} came back",
        of(counted.entries, "count", "counts"),
        shop.counters.len(),
        grouped(done.sales),
        grouped(done.returns + done.untraced),
    );
    phase("counted", began, &told)?;
    if counted.done_before > 0 {
        more(format_args!(
            "{} had been done by an interrupted run",
            of(counted.done_before, "line", "lines"),
        ))?;
    }
    more(format_args!(
        "{} counted twice, {} taken back, {} left out on purpose, {} found that the book did not know",
        of(counted.repeated, "line", "lines"),
        of(counted.taken_back, "count", "counts"),
        grouped(counted.left_out),
        grouped(counted.found),
    ))?;
    more(format_args!(
        "{}, {} of them sent twice by a nervous till and booked once",
        of(done.batches, "invoice", "invoices"),
        grouped(done.sent_twice),
    ))?;
    counted.checks.add(done.checks);
    Ok(counted)
}

/// Whether a take has been posted once and begun to be corrected.
fn is_reopened(take: &StockTake) -> bool {
    let is_open = [StockTakeState::Reopening, StockTakeState::Ongoing].contains(&take.state());
    take.round() > 1 || take.round() == 1 && is_open
}

/// Checks the library's totals against what the counters know to have done.
fn check_totals(counted: &Counted, totals: &StockTakeTotals, checks: &mut Checks) {
    let (lines, done) = (counted.listed.len(), counted.lines.len());
    checks.hold(usize::try_from(totals.items) == Ok(lines), || {
        format!(
            "the take has {} lines, the counters' list {lines}",
            totals.items
        )
    });
    checks.hold(usize::try_from(totals.counted) == Ok(done), || {
        format!(
            "the take has {} counted lines, the counters {done}",
            totals.counted
        )
    });
    let left = counted.left_out + counted.taken_back;
    checks.hold(usize::try_from(totals.uncounted()) == Ok(left), || {
        format!(
            "{left} lines were left uncounted, the take has {}",
            totals.uncounted()
        )
    });
}

/// Posts through the queue. Counting is refused from the moment on at which posting is asked for.
async fn post(
    shop: &Arc<GiftShop>,
    take: &StockTake,
    counted: &Counted,
    totals: &StockTakeTotals,
    checks: &mut Checks,
) -> Result<(), Failure> {
    let began = Instant::now();
    let takes = shop.library.stock_takes();
    let options = PostingOptions::default();
    let manager = shop.manager_with_key("post")?;
    let job = takes.post(&manager, take.id(), options).await?;
    let refused = match counted.lines.values().next() {
        Some(item) => closing::count_too_late(shop, take.id(), *item, checks).await?,
        None => "nothing was counted".to_owned(),
    };
    let bar = Bars::default().add("posting", usize::try_from(totals.items).unwrap_or(0));
    let watched = closing::watch_posting(shop, take.id(), job, &bar).await?;
    closing::check_job(&watched.job, checks);
    let posted = takes.get(&shop.manager, take.id()).await?.take;
    closing::check_posted(&posted, totals, checks);
    phase("posted", began, &told_posting(&posted))?;
    let progress = watched.job.progress;
    more(format_args!(
        "by a worker; its job has done {} of {} lines",
        grouped(progress.done),
        grouped(progress.total),
    ))?;
    if !watched.seen.is_empty() {
        more(format_args!(
            "on the way the take told: {}",
            watched.seen.join(", ")
        ))?;
    }
    more(format_args!(
        "{} moved after they were counted, by {}: what moved stays moved",
        of(watched.moved_lines, "line", "lines"),
        of(watched.moves, "movement", "movements"),
    ))?;
    Ok(more(format_args!(
        "a count meanwhile was refused: {refused}"
    ))?)
}

/// Records the late slip, reopens the take, corrects it, and posts it again.
async fn post_again(
    shop: &GiftShop,
    take: &StockTake,
    counted: &Counted,
    totals: &StockTakeTotals,
    checks: &mut Checks,
) -> Result<StockTake, Failure> {
    let began = Instant::now();
    let slip = closing::slip(shop, counted);
    if let Some(slip) = &slip {
        slip.record(shop, checks).await?;
        let code = shop.bays.get(slip.bay).map_or("", |s| &s.article.code);
        let told = format!(
            "a forgotten sales slip of {}: {} of article {code}",
            slip.at.to_datetime().format("%-d %B, %H:%M"),
            grouped(slip.pieces),
        );
        phase("late", began, &told)?;
        more("booked on its date; the level stays what was counted, which was after the sale")?;
    }
    let began = Instant::now();
    let posted = closing::correct(shop, take.id(), counted.mistaken, checks).await?;
    closing::check_posted(&posted, totals, checks);
    phase("reopened", began, &told_posting(&posted))?;
    let now = report::differences(shop, take.id()).await?;
    if let Some(slip) = &slip {
        let variance = slip.check(&now, checks)?;
        more(format_args!(
            "with the slip the variance of that article is {}, no longer {}",
            signed(variance),
            signed(slip.variance),
        ))?;
    }
    if let Some((bay, _)) = counted.mistaken {
        let code = shop.bays.get(bay).map_or("", |s| &s.article.code);
        checks.hold(now.iter().all(|found| found.bay != bay), || {
            format!("{code}: counted again, and it still differs")
        });
        more(format_args!(
            "{code} was counted again: the carton of {CARTON} was on the list twice",
        ))?;
    }
    Ok(posted)
}

/// What a posting came to.
fn told_posting(take: &StockTake) -> String {
    let result = take.result().cloned().unwrap_or_default();
    format!(
        "{} adjusted, {} confirmed, {} uncounted and left alone; net {}",
        grouped(result.adjusted),
        grouped(result.confirmed),
        grouped(result.uncounted),
        pounds(result.adjustment_minor),
    )
}

/// Compares everything, and says what was compared.
async fn verify(
    shop: &GiftShop,
    counted: &Counted,
    feed: Followed,
    mut checks: Checks,
) -> Result<(), Failure> {
    let began = Instant::now();
    let stock = shop.library.stock();
    let ledger = stock.verify(&shop.manager, shop.site.id).await?;
    for difference in &ledger.differences {
        checks.hold(false, || format!("ledger: {difference:?}"));
    }
    let truth = truth::check_levels(shop, counted, &feed, &mut checks).await?;
    checks.hold(feed.last == ledger.events, || {
        format!(
            "the feed had {} events, the ledger {}",
            feed.last, ledger.events
        )
    });
    let kinds: Vec<String> = feed
        .kinds
        .iter()
        .map(|(kind, events)| format!("{} {kind}", grouped(*events)))
        .collect();
    checks.add(feed.checks);
    let made = checks.all_hold()?;
    line("")?;
    phase(
        "verified",
        began,
        &format!("{} checks, no difference", grouped(made)),
    )?;
    more(format_args!(
        "{} and {} agree with each other: sequences, quantities, values, cost layers",
        of(ledger.levels, "level", "levels"),
        of(ledger.events, "event", "events"),
    ))?;
    more(format_args!(
        "{} that were counted are the {} on their shelves, to the piece",
        of(truth.counted, "level", "levels"),
        of(truth.pieces, "piece", "pieces"),
    ))?;
    more(format_args!(
        "{} that nobody counted keep the {} of the book: uncounted is not zero",
        of(truth.uncounted, "level", "levels"),
        of(truth.kept, "piece", "pieces"),
    ))?;
    more(format_args!(
        "the change feed, read while all this went on, had positions 1 to {} without a gap:",
        grouped(feed.last),
    ))?;
    Ok(more(kinds.join(", "))?)
}
