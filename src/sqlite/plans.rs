//! Along which index the questions go that people ask while they count: none looks through a whole take or catalogue.

use std::error::Error;
use std::future::{Future, ready};

use rusqlite::Connection;
use uuid::Uuid;

use super::schema::migrate;
use super::session::{Session, finished};
use crate::domain::{CountStatus, OrganisationId, SiteId, StockTakeId};
use crate::sql::{Dialect, Query, Row, Snapshot, articles, take_lines};
use crate::store::{
    ArticleColumn, ArticleFilter, ArticleSort, PageRequest, StockTakeItemFilter, StoreError,
};

/// A file, and how each of its questions was answered.
struct Planned {
    session: Session<Connection>,
    plans: Vec<String>,
}

impl Snapshot for Planned {
    const DIALECT: Dialect = Dialect::Sqlite;

    fn operation(&self) -> &'static str {
        "plan"
    }

    fn rows(&mut self, query: &Query) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send {
        let mut explained = query.clone();
        explained.text.insert_str(0, "EXPLAIN QUERY PLAN ");
        let answer = finished("plan", self.session.rows(&explained)).and_then(|plan| {
            for mut row in plan {
                let read = |row: &mut Row| {
                    let _: (i64, i64, i64) = (row.int()?, row.int()?, row.int()?);
                    row.text()
                };
                let step = read(&mut row).map_err(|cause| cause.during("plan"))?;
                self.plans.push(step);
            }
            finished("plan", self.session.rows(query))
        });
        ready(answer)
    }
}

impl Planned {
    fn new() -> Result<Self, Box<dyn Error>> {
        let mut connection = Connection::open_in_memory()?;
        migrate(&mut connection, std::path::Path::new("memory"))?;
        Ok(Self {
            session: Session::new(connection),
            plans: Vec::new(),
        })
    }

    /// That a step of the last plans searches an index by these columns, and that none sorts.
    fn goes_along(&mut self, index: &str, what: &str) {
        let plans = std::mem::take(&mut self.plans);
        let sorts = plans.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(!sorts, "{what} sorts: {plans:#?}");
        let is_used = plans.iter().any(|step| step.contains(index));
        assert!(is_used, "{what} does not go along {index}: {plans:#?}");
    }
}

const ORGANISATION: OrganisationId = OrganisationId::new(Uuid::from_u128(1));
const TAKE: StockTakeId = StockTakeId::new(Uuid::from_u128(2));
const SITE: SiteId = SiteId::new(Uuid::from_u128(3));

fn by(column: ArticleColumn, descending: bool) -> ArticleSort {
    ArticleSort { column, descending }
}

#[test]
fn fault_r_lines_are_sorted_and_found_along_an_index() -> Result<(), Box<dyn Error>> {
    let all = StockTakeItemFilter::default;
    let line = ArticleColumn::Line;
    let status = |status| StockTakeItemFilter { status, ..all() };
    let mut planned = Planned::new()?;
    for (filter, column, index) in [
        (all(), line, "PRIMARY KEY (organisation=? AND take=?"),
        (
            all(),
            ArticleColumn::Article,
            "item_article_order (organisation=? AND take=?",
        ),
        (
            all(),
            ArticleColumn::Name,
            "item_name_order (organisation=? AND take=?",
        ),
        (
            all(),
            ArticleColumn::StockPlace,
            "item_place_order (organisation=? AND take=?",
        ),
        (
            all(),
            ArticleColumn::StockPlaceArticle,
            "item_place_order (organisation=? AND take=?",
        ),
        (
            status(CountStatus::Counted),
            line,
            "item_counted (organisation=? AND take=?",
        ),
        (
            status(CountStatus::Uncounted),
            line,
            "item_uncounted (organisation=? AND take=?",
        ),
        (
            StockTakeItemFilter {
                article: Some("A-1".parse()?),
                ..all()
            },
            line,
            "item_article_order (organisation=? AND take=? AND article_order=?",
        ),
        (
            StockTakeItemFilter {
                batch: Some("B".parse()?),
                ..all()
            },
            ArticleColumn::Article,
            "item_batch (organisation=? AND take=? AND batch=?",
        ),
        (
            StockTakeItemFilter {
                serial: Some("S".parse()?),
                ..all()
            },
            ArticleColumn::Article,
            "item_serial (organisation=? AND take=? AND serial=?",
        ),
        (
            StockTakeItemFilter {
                left_over: true,
                ..all()
            },
            line,
            "item_left_over (organisation=? AND take=?",
        ),
    ] {
        for descending in [false, true] {
            let what = format!("{filter:?} by {column:?}, descending: {descending}");
            let asked = ("stock_take_items", &filter, by(column, descending));
            let first = PageRequest::first(25);
            let page = take_lines::page(&mut planned, ORGANISATION, TAKE, asked, &first);
            finished("plan", page)?;
            planned.goes_along(index, &what);
        }
    }
    Ok(())
}

/// Where a site stocks little of a large catalogue, what it stocks is read and sorted.
#[test]
fn fault_r_a_small_site_looks_through_no_catalogue() -> Result<(), Box<dyn Error>> {
    let mut planned = Planned::new()?;
    let asked = (&ArticleFilter::default(), by(ArticleColumn::Article, false));
    let first = PageRequest::first(25);
    let page = articles::articles(&mut planned, ORGANISATION, SITE, asked, &first);
    finished("plan", page)?;
    planned.goes_along(
        "t USING PRIMARY KEY (organisation=? AND site=?",
        "a small site",
    );
    Ok(())
}

#[test]
fn fault_r_a_site_is_sorted_along_an_index() -> Result<(), Box<dyn Error>> {
    let mut planned = Planned::new()?;
    // More levels than are few; their products are not known, so nobody reads them.
    let levels = format!(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n <= 1001) \
         INSERT INTO stk_stock_level SELECT x'{organisation}', x'{site}', CAST(printf('%016d', n) AS BLOB), '', '', '', '', \
         1, 0, 0, 1, 0, x'00', 1 FROM n",
        organisation = ORGANISATION.as_uuid().simple(),
        site = SITE.as_uuid().simple(),
    );
    planned.session.connection.execute_batch(&levels)?;
    for (column, index) in [
        (
            ArticleColumn::Line,
            "USING PRIMARY KEY (organisation=? AND site=?)",
        ),
        (
            ArticleColumn::Article,
            "stk_product_article_order (organisation=?)",
        ),
        (
            ArticleColumn::Name,
            "stk_product_name_order (organisation=?)",
        ),
    ] {
        for descending in [false, true] {
            let what = format!("by {column:?}, descending: {descending}");
            let filter = ArticleFilter::default();
            let asked = (&filter, by(column, descending));
            let first = PageRequest::first(25);
            let page = articles::articles(&mut planned, ORGANISATION, SITE, asked, &first);
            finished("plan", page)?;
            planned.goes_along(index, &what);
        }
    }
    Ok(())
}
