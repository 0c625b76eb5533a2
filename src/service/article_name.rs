//! Articles by what can be read off them (S4.5, S4.7, S4.10): the article id, or any barcode.

use std::sync::Arc;

use crate::domain::{Code, NamePart, OrganisationId, Product, StockTakeId};
use crate::store::{ArticleSort, MAX_PAGE, PageRequest, StockTakeItemFilter, StockTakeItemView};

use super::{Error, Stocktake};

/// An article of a take, and what tells its lines apart. What is not named may be anything; that there is none can be said,
/// too ([`NamePart::Without`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArticleName {
    /// The article id; where no article has it, a barcode.
    pub article: Code,
    /// The variant.
    pub variant: NamePart,
    /// The stock place.
    pub place: NamePart,
    /// The batch.
    pub batch: NamePart,
    /// The serial number.
    pub serial: NamePart,
}

impl ArticleName {
    /// An article.
    pub const fn of(article: Code) -> Self {
        Self {
            article,
            variant: NamePart::Any,
            place: NamePart::Any,
            batch: NamePart::Any,
            serial: NamePart::Any,
        }
    }
}

impl Stocktake {
    /// The products that texts mean, for each: the one with this article id; where none has it, those with this barcode.
    pub(super) async fn products_meant(
        &self,
        organisation: OrganisationId,
        texts: &[Code],
    ) -> Result<Vec<Vec<Arc<Product>>>, Error> {
        let repository = &self.repository;
        let of_article = repository.products_by_article(organisation, texts).await?;
        let others = texts.iter().zip(&of_article);
        let others = others.filter(|(_, found)| found.is_none());
        let others: Vec<Code> = others.map(|(text, _)| text.clone()).collect();
        let mut of_barcode = if others.is_empty() {
            Vec::new()
        } else {
            repository
                .products_by_barcode(organisation, &others)
                .await?
        }
        .into_iter();
        let meant = of_article.into_iter().map(|found| match found {
            Some(product) => vec![product.value],
            None => (of_barcode.next().into_iter().flatten())
                .map(|product| product.value)
                .collect(),
        });
        Ok(meant.collect())
    }

    /// The products that have a barcode.
    pub(super) async fn products_with(
        &self,
        organisation: OrganisationId,
        barcode: &Code,
    ) -> Result<Vec<Arc<Product>>, Error> {
        let asked = std::slice::from_ref(barcode);
        let found = self.repository.products_by_barcode(organisation, asked);
        let found = found.await?.into_iter().flatten();
        Ok(found.map(|it| it.value).collect())
    }

    /// The article ids that a text means; with none, itself, which finds what has kept the id of an article that was renamed
    /// since.
    async fn articles_meant(
        &self,
        organisation: OrganisationId,
        text: &Code,
    ) -> Result<Vec<Code>, Error> {
        let meant = self.products_meant(organisation, std::slice::from_ref(text));
        let found: Vec<Arc<Product>> = meant.await?.into_iter().flatten().collect();
        if found.is_empty() {
            return Ok(vec![text.clone()]);
        }
        Ok(found.iter().map(|it| it.article_id.clone()).collect())
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
                Err(shared_barcode(text, meant.iter()))
            }
        }
    }

    /// The lines of a take that a name fits. What a take has under the text itself is meant, and asks for nothing else.
    pub(super) async fn lines_named(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        name: &ArticleName,
    ) -> Result<Vec<StockTakeItemView>, Error> {
        let found = self
            .lines_of_article(organisation, take, name, &name.article)
            .await?;
        if !found.is_empty() {
            return Ok(found);
        }
        let mut found = Vec::new();
        for article in self.articles_meant(organisation, &name.article).await? {
            if article != name.article {
                let lines = self.lines_of_article(organisation, take, name, &article);
                found.extend(lines.await?);
            }
        }
        Ok(found)
    }

    /// The lines of an article that a name fits.
    async fn lines_of_article(
        &self,
        organisation: OrganisationId,
        take: StockTakeId,
        name: &ArticleName,
        article: &Code,
    ) -> Result<Vec<StockTakeItemView>, Error> {
        let filter = StockTakeItemFilter {
            article: Some(article.clone()),
            place: name.place.code().cloned(),
            batch: name.batch.code().cloned(),
            serial: name.serial.code().cloned(),
            ..StockTakeItemFilter::default()
        };
        let fits = |line: &StockTakeItemView| {
            let key = &line.item.value.key;
            name.variant.fits(key.variant.as_ref())
                && name.place.fits(key.place.as_ref())
                && name.batch.fits(key.batch.as_ref())
                && name.serial.fits(key.serial.as_ref())
        };
        // A variant, and that there is none of something, is not what the store looks by.
        let parts = [&name.place, &name.batch, &name.serial];
        let looks_on = !name.variant.is_any() || parts.contains(&&NamePart::Without);
        let sort = ArticleSort::default();
        let mut page = PageRequest::first(MAX_PAGE);
        let mut found = Vec::new();
        loop {
            let lines = self
                .repository
                .stock_take_items(organisation, take, &filter, sort, &page)
                .await?;
            found.extend(lines.items.into_iter().filter(fits));
            match lines.next {
                // What fits may stand on a later page.
                Some(next) if looks_on => page = PageRequest::after(next, MAX_PAGE),
                Some(_) | None => return Ok(found),
            }
        }
    }
}

/// A barcode that several articles have.
pub(super) fn shared_barcode<'a>(text: &Code, articles: impl Iterator<Item = &'a Code>) -> Error {
    let articles: Vec<&str> = articles.map(Code::as_str).collect();
    let message = format!("{text} is the barcode of {}", articles.join(", "));
    Error::invalid("article", "ambiguous_article", message)
}
