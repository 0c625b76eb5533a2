//! Query parameters and paths, read strictly: a parameter that stands there twice is refused, lists are `a,b` or
//! `name[]=a&name[]=b`.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::Deserialize;
use serde::de::value::{Error as ValueError, SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use stocktake::domain::{SearchText, SiteId, Timestamp};
use stocktake::service::Error;
use stocktake::store::{MAX_PAGE, Page, PageRequest};
use utoipa::{IntoParams, ToSchema};

use super::failure::{self, Failure};

/// The largest page of a numbered list.
const MOST_ON_PAGE: u32 = 250;
/// Rows on a page, unless told.
const USUALLY_ON_PAGE: u32 = 25;
/// The last page number that is looked at.
const LAST_PAGE: u32 = 1_000_000;

/// The parameters of a query.
#[derive(Debug)]
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Failure::invalid("", "invalid_query", "the query can't be read"))?;
        let mut given: BTreeMap<String, Given> = BTreeMap::new();
        for (name, value) in pairs {
            let plain = name.strip_suffix("[]");
            let known = given.entry(plain.unwrap_or(&name).to_owned()).or_default();
            known.is_twice |= plain.is_none() && !known.values.is_empty();
            known.values.push(value);
        }
        if let Some((name, _)) = given.iter().find(|(_, it)| it.is_twice) {
            return Err(Failure::invalid(
                name,
                "invalid_parameter",
                "stands there twice",
            ));
        }
        let fields = given
            .into_iter()
            .map(|(name, it)| (name, it.values.join(",")));
        let fields: Vec<(String, Text)> = fields.map(|(name, text)| (name, Text(text))).collect();
        let map = serde::de::value::MapDeserializer::<_, ValueError>::new(fields.into_iter());
        serde_path_to_error::deserialize(map)
            .map(Self)
            .map_err(|error| {
                let (path, problem) = (error.path().to_string(), error.inner().to_string());
                Failure::unreadable(&path, "invalid_parameter", &problem)
            })
    }
}

#[derive(Debug, Default)]
struct Given {
    values: Vec<String>,
    is_twice: bool,
}

/// A parameter as it was sent, before it is known what it should be.
#[derive(Debug)]
struct Text(String);

impl IntoDeserializer<'_, ValueError> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads a text as something that is written as text.
macro_rules! parsed {
    ($($method:ident: $visit:ident, $what:literal;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            match self.0.trim().parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(ValueError::custom($what)),
            }
        }
    )+};
}

impl<'de> serde::Deserializer<'de> for Text {
    type Error = ValueError;

    parsed! {
        deserialize_bool: visit_bool, "true or false is expected";
        deserialize_u32: visit_u32, "a whole number is expected";
        deserialize_i64: visit_i64, "a whole number is expected";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let parts = self.0.split(',').map(str::trim);
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        let parts = parts.into_iter().map(StrDeserializer::<ValueError>::new);
        visitor.visit_seq(SeqDeserializer::new(parts))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The ids in a path. What is no id names nothing.
#[derive(Debug)]
pub(super) struct At<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Path::<T>::from_request_parts(parts, state)
            .await
            .map(|Path(ids)| Self(ids))
            .map_err(|_| Failure::not_found("the resource"))
    }
}

/// Which way round a list comes.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    #[default]
    Asc,
    Desc,
}

impl Order {
    /// The same page of the list this way round.
    pub(super) fn of(self, page: PageRequest) -> PageRequest {
        match self {
            Self::Asc => page,
            Self::Desc => page.reversed(),
        }
    }
}

/// Which way round a list comes.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OrderQuery {
    /// `asc`, the oldest first, unless told; `desc` is the newest first.
    #[param(inline)]
    order: Option<Order>,
}

impl OrderQuery {
    pub(super) fn order(self) -> Order {
        self.order.unwrap_or_default()
    }
}

/// Which page of a numbered list.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// The page; the first is 1.
    #[param(minimum = 1, maximum = 1_000_000)]
    page: Option<u32>,
    /// Rows on a page; 25 unless told.
    #[param(minimum = 1, maximum = 250)]
    per_page: Option<u32>,
    /// `asc`, the oldest first, unless told; `desc` is the newest first.
    #[param(inline)]
    #[schema(inline)]
    order: Option<Order>,
}

/// What a numbered list says about itself.
#[derive(Clone, Copy, Debug, serde::Serialize, ToSchema)]
pub(super) struct Meta {
    page: u32,
    per_page: u32,
    total: u64,
    last_page: u64,
}

impl Meta {
    /// What to say, as JSON, about all rows at once.
    pub(super) fn of_all(rows: u64) -> String {
        format!("{{\"page\":1,\"per_page\":{rows},\"total\":{rows},\"last_page\":1}}")
    }
}

impl PageQuery {
    /// The rows to ask for.
    ///
    /// # Errors
    ///
    /// 422 out of range.
    pub(super) fn request(self) -> Result<PageRequest, Failure> {
        let (page, per_page) = self.numbers();
        bounded("page", page, 1, LAST_PAGE)?;
        bounded("per_page", per_page, 1, MOST_ON_PAGE)?;
        let page = PageRequest::numbered(page.saturating_sub(1), per_page);
        Ok(self.order().of(page))
    }

    /// Which way round the list comes.
    pub(super) fn order(self) -> Order {
        self.order.unwrap_or_default()
    }

    /// Whether a page is asked for at all.
    pub(super) const fn is_asked(self) -> bool {
        self.page.is_some() || self.per_page.is_some()
    }

    /// What to say about the page that was found.
    pub(super) fn meta<T>(self, found: &Page<T>) -> Meta {
        let (page, per_page) = self.numbers();
        let total = found.total.unwrap_or(0);
        Meta {
            page,
            per_page,
            total,
            last_page: total.div_ceil(u64::from(per_page)).max(1),
        }
    }

    fn numbers(self) -> (u32, u32) {
        (
            self.page.unwrap_or(1),
            self.per_page.unwrap_or(USUALLY_ON_PAGE),
        )
    }
}

/// The site that a list is of.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SiteQuery {
    /// The site.
    #[param(value_type = uuid::Uuid)]
    pub(super) site_id: SiteId,
}

/// A whole list, page by page, where a document has no pages.
///
/// # Errors
///
/// Those of the call.
pub(super) async fn everything<T, F: Future<Output = Result<Page<T>, Error>>>(
    page: impl Fn(PageRequest) -> F,
) -> Result<Vec<T>, Failure> {
    let mut rows = Vec::new();
    let mut next = Some(PageRequest::first(MAX_PAGE));
    while let Some(request) = next {
        let found = page(request).await?;
        rows.extend(found.items);
        next = found.next.map(|next| PageRequest::after(next, MAX_PAGE));
    }
    Ok(rows)
}

/// Refuses a number outside of its bounds.
pub(super) fn bounded(
    field: &'static str,
    number: u32,
    least: u32,
    most: u32,
) -> Result<(), Failure> {
    if (least..=most).contains(&number) {
        return Ok(());
    }
    let message = format!("from {least} to {most}");
    Err(Failure::invalid(field, "out_of_range", message))
}

/// A text to look for; an empty one is none.
///
/// # Errors
///
/// 422.
pub(super) fn search(
    field: &'static str,
    text: Option<&String>,
) -> Result<Option<SearchText>, Failure> {
    text.filter(|text| !text.trim().is_empty())
        .map(|text| SearchText::new(text))
        .transpose()
        .map_err(failure::text(field))
}

/// The beginning of a period in ISO 8601: an instant, or the beginning of a day in UTC.
///
/// # Errors
///
/// 422.
pub(super) fn from_moment(
    field: &'static str,
    text: Option<&String>,
) -> Result<Option<Timestamp>, Failure> {
    moment(field, text, 0)
}

/// The end of a period in ISO 8601: an instant, or the end of a day in UTC.
///
/// # Errors
///
/// 422.
pub(super) fn to_moment(
    field: &'static str,
    text: Option<&String>,
) -> Result<Option<Timestamp>, Failure> {
    moment(field, text, 1)
}

fn moment(
    field: &'static str,
    text: Option<&String>,
    more_days: u64,
) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = text else { return Ok(None) };
    // A plus that nobody escaped arrives as a space.
    let text = text.trim().replace(' ', "+");
    let day = || {
        let day = text.parse::<NaiveDate>().ok()?;
        let day = day.checked_add_days(Days::new(more_days))?;
        Some(day.and_time(NaiveTime::MIN).and_utc())
    };
    let instant = text.parse::<DateTime<Utc>>().ok();
    let minutes = || NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M").ok();
    let local = || {
        let local = text.parse::<NaiveDateTime>().ok().or_else(minutes)?;
        Some(local.and_utc())
    };
    instant
        .or_else(local)
        .or_else(day)
        .map(|at| Some(at.into()))
        .ok_or_else(|| Failure::invalid(field, "invalid_date", "a date of ISO 8601 is expected"))
}
