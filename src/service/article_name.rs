//! Articles by what can be read off them (S4.5, S4.7, S4.10): the article id, or any barcode.

use crate::domain::{Code, OrganisationId, StockTakeId};
use crate::store::{ArticleSort, MAX_PAGE, PageRequest, StockTakeItemFilter, StockTakeItemView};

use super::{Error, Stocktake};

/// An article of a take, and what tells its lines apart. What is not named may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArticleName {
    /// The article id; where no article has it, a barcode.
    pub article: Code,
    /// The variant.
    pub variant: Option<Code>,
    /// The stock place.
    pub place: Option<Code>,
    /// The batch.
    pub batch: Option<Code>,
    /// The serial number.
    pub serial: Option<Code>,
}

impl ArticleName {
    /// An article.
    pub const fn of(article: Code) -> Self {
        Self {
            article,
            variant: None,
            place: None,
            batch: None,
            serial: None,
        }
    }
}

impl Stocktake {
    /// The article ids that a text means: itself, if it is one; else those of the articles that have it as a barcode; with
    /// none, itself, which finds what has kept the id of an article that was renamed since.
    pub(super) async fn articles_meant(
        &self,
        organisation: OrganisationId,
        text: &Code,
    ) -> Result<Vec<Code>, Error> {
        let asked = std::slice::from_ref(text);
        let repository = &self.repository;
        let of_article = repository.products_by_article(organisation, asked).await?;
        if of_article.iter().any(Option::is_some) {
            return Ok(vec![text.clone()]);
        }
        let of_barcode = repository.products_by_barcode(organisation, asked).await?;
        let found = of_barcode.into_iter().flatten();
        let found: Vec<Code> = found.map(|it| it.value.article_id.clone()).collect();
        Ok(if found.is_empty() {
            vec![text.clone()]
        } else {
            found
        })
    }

    /// The one article id that a text means.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] (`ambiguous_article`) for a barcode that several articles have.
    pub(super) async fn article_meant(
        &self,
        organisation: OrganisationId,
        text: &Code,
    ) -> Result<Code, Error> {
        let mut meant = self.articles_meant(organisation, text).await?;
        match (meant.pop(), meant.is_empty()) {
            (Some(article), true) => Ok(article),
            (None, _) => Ok(text.clone()),
            (Some(last), false) => {
                meant.push(last);
                Err(shared_barcode(text, &meant))
            }
        }
    }

    /// The lines of a take that a name fits.
    pub(super) async fn lines_named(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        name: &ArticleName,
    ) -> Result<Vec<StockTakeItemView>, Error> {
        let (sort, page) = (ArticleSort::default(), PageRequest::first(MAX_PAGE));
        let mut found = Vec::new();
        for article in self.articles_meant(organisation, &name.article).await? {
            let filter = StockTakeItemFilter {
                article: Some(article),
                place: name.place.clone(),
                batch: name.batch.clone(),
                serial: name.serial.clone(),
                ..StockTakeItemFilter::default()
            };
            let lines = self
                .repository
                .stock_take_items(organisation, take, &filter, sort, &page)
                .await?;
            found.extend(lines.items);
        }
        if name.variant.is_some() {
            found.retain(|line| line.item.value.key.variant == name.variant);
        }
        Ok(found)
    }
}

/// A barcode that several articles have.
pub(super) fn shared_barcode(text: &Code, articles: &[Code]) -> Error {
    let articles: Vec<&str> = articles.iter().map(Code::as_str).collect();
    let message = format!("{text} is the barcode of {}", articles.join(", "));
    Error::invalid("article", "ambiguous_article", message)
}
