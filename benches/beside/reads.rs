//! What people ask of a take while they count it: does it get slower as the take grows? The opponent of every figure is the
//! same question to the smallest take of the run.

use std::time::{Duration, Instant};

use stocktake::domain::{BrandId, CountStatus, Entered, Quantity, SearchText, StockTakeId};
use stocktake::service::{ArticleName, Caller, InventoryRequest};
use stocktake::store::{
    ArticleColumn, ArticleFilter, ArticleSort, PageRequest, StockTakeItemFilter,
};
use stocktake::testing::Shop;
use uuid::Uuid;

use super::{Done, median, stock};

/// How many answers a figure is the median of.
const ASKED: usize = 21;

/// What was asked, and how long an answer took.
pub(crate) type Answers = Vec<(&'static str, Duration)>;

/// A take of so many lines, and what is asked of it. What has become large since the database last looked at its tables, it
/// looks at when it is told to.
pub(crate) async fn measure(
    shop: &Shop,
    lines: usize,
    look: impl AsyncFn() -> Done<()>,
) -> Done<Answers> {
    shop.open_empty().await?;
    let manager = Caller::of(&shop.manager);
    stock::stock_up(shop, &manager, lines).await?;
    let take = stock::take_of(shop).await?;
    look().await?;
    let mut answers = vec![("count one article", count(shop, take, lines).await?)];
    answers.push(("read one article", article(shop, take, lines).await?));
    for (what, filter, sort, page) in questions(shop, take, lines).await? {
        let mut samples = Vec::new();
        for _ in 0..ASKED {
            let started = Instant::now();
            let takes = shop.stocktake.stock_takes();
            takes.items(&manager, take, &filter, sort, &page).await?;
            samples.push(started.elapsed());
        }
        answers.push((what, median(samples)));
    }
    for (what, text) in [
        ("the site by article", None),
        ("a text that the site has nowhere", Some("nowhere")),
    ] {
        let filter = ArticleFilter {
            name_or_barcode: text.map(SearchText::new).transpose()?,
            ..ArticleFilter::default()
        };
        let sort = ArticleSort {
            column: ArticleColumn::Article,
            descending: false,
        };
        let mut samples = Vec::new();
        for _ in 0..ASKED {
            let started = Instant::now();
            let takes = shop.stocktake.stock_takes();
            let page = PageRequest::first(25);
            takes
                .search_articles(&manager, take, &filter, sort, &page)
                .await?;
            samples.push(started.elapsed());
        }
        answers.push((what, median(samples)));
    }
    Ok(answers)
}

/// A question: what it is called, and a page of lines.
type Question = (&'static str, StockTakeItemFilter, ArticleSort, PageRequest);

/// What is asked of the lines of a take.
async fn questions(shop: &Shop, take: StockTakeId, lines: usize) -> Done<Vec<Question>> {
    let by = |column, descending| ArticleSort { column, descending };
    let last = u32::try_from(lines / 25)?.saturating_sub(1);
    let first = PageRequest::numbered(0, 25);
    let all = StockTakeItemFilter::default;
    Ok(vec![
        (
            "first page by article",
            all(),
            by(ArticleColumn::Article, false),
            first.clone(),
        ),
        (
            "first page by article, descending",
            all(),
            by(ArticleColumn::Article, true),
            first.clone(),
        ),
        (
            "page in the middle by article",
            all(),
            by(ArticleColumn::Article, false),
            after(shop, take, lines).await?,
        ),
        (
            "first page by name",
            all(),
            by(ArticleColumn::Name, false),
            first.clone(),
        ),
        (
            "first page by stock place",
            all(),
            by(ArticleColumn::StockPlaceArticle, false),
            first.clone(),
        ),
        (
            "first page by category",
            all(),
            by(ArticleColumn::Category, false),
            first.clone(),
        ),
        (
            "last numbered page",
            all(),
            ArticleSort::default(),
            PageRequest::numbered(last, 25),
        ),
        (
            "what is counted, by article",
            StockTakeItemFilter {
                status: CountStatus::Counted,
                ..all()
            },
            by(ArticleColumn::Article, false),
            first.clone(),
        ),
        (
            "a text that stands nowhere",
            StockTakeItemFilter {
                name_or_barcode: Some(SearchText::new("nowhere")?),
                ..all()
            },
            by(ArticleColumn::Article, false),
            first.clone(),
        ),
        (
            "a text of one article",
            StockTakeItemFilter {
                name_or_barcode: Some(SearchText::new("article 777")?),
                ..all()
            },
            by(ArticleColumn::Article, false),
            first.clone(),
        ),
        (
            "a brand that nothing is of",
            StockTakeItemFilter {
                brands: [BrandId::new(Uuid::from_u128(7))].into(),
                ..all()
            },
            ArticleSort::default(),
            first.clone(),
        ),
    ])
}

/// The article of a line, from all over the take.
fn nth(number: usize, lines: usize) -> Done<ArticleName> {
    let number = number * 7_919 % lines;
    Ok(ArticleName::of(format!("BULK-{number:07}").parse()?))
}

async fn count(shop: &Shop, take: StockTakeId, lines: usize) -> Done<Duration> {
    let counter = Caller::of(&shop.counter);
    let mut samples = Vec::new();
    for number in 0..ASKED {
        let request = InventoryRequest {
            article: nth(number, lines)?,
            entered: Entered::Set(Quantity::from(39)),
            counted_at: None,
        };
        let started = Instant::now();
        let takes = shop.stocktake.stock_takes();
        takes.inventory(&counter, take, request).await?;
        samples.push(started.elapsed());
    }
    Ok(median(samples))
}

async fn article(shop: &Shop, take: StockTakeId, lines: usize) -> Done<Duration> {
    let manager = Caller::of(&shop.manager);
    let mut samples = Vec::new();
    for number in 0..ASKED {
        let name = nth(number, lines)?;
        let started = Instant::now();
        let takes = shop.stocktake.stock_takes();
        takes.article(&manager, take, name).await?;
        samples.push(started.elapsed());
    }
    Ok(median(samples))
}

/// What comes after the middle of a take, by article.
async fn after(shop: &Shop, take: StockTakeId, lines: usize) -> Done<PageRequest> {
    let manager = Caller::of(&shop.manager);
    let sort = ArticleSort {
        column: ArticleColumn::Article,
        descending: false,
    };
    let middle = PageRequest::numbered(u32::try_from(lines / 50)?, 25);
    let filter = StockTakeItemFilter::default();
    let takes = shop.stocktake.stock_takes();
    let page = takes.items(&manager, take, &filter, sort, &middle).await?;
    Ok(PageRequest::after(
        page.next.ok_or("there are lines left")?,
        25,
    ))
}

/// Prints a table of takes of some sizes.
pub(crate) fn print_table(rows: &[(usize, Answers)]) {
    let Some((smallest, small)) = rows.first() else {
        return;
    };
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "lines",
        "what",
        "time",
        &format!("ratio to {smallest} lines"),
    ]);
    for (lines, answers) in rows {
        for ((what, time), (_, opponent)) in answers.iter().zip(small) {
            let ratio = time.as_secs_f64() / opponent.as_secs_f64().max(1e-9);
            table.add_row([
                lines.to_string(),
                (*what).to_owned(),
                format!("{time:.2?}"),
                format!("{ratio:.2}"),
            ]);
        }
    }
    println!("{table}");
}
