//! What an operation is refused with.

use stocktake::domain::{Actor, Entered, StockKey, StockTakeItemId, StockTakeState, Timestamp};

use super::super::amounts::ONE;
use super::super::operation::{OfTake, Operation};
use super::super::stock::{AHEAD, Codes, key_refusals};
use super::super::takes::{Counted, Take};
use super::{Case, Expected};

impl Case {
    /// What an operation should come to, in the order of checks: who asks, whether it exists for the asker,
    /// whether the role may do it, then the request and the state.
    pub(super) fn expected(&self, operation: &Operation, actor: Option<&Actor>) -> Expected {
        let refused = |code| Expected::Refused(vec![code]);
        let Some(actor) = actor else {
            return refused("unauthenticated");
        };
        let (site, take) = match operation {
            Operation::OfTake(id, _) => match self.takes.get(id) {
                Some(take) if take.state != StockTakeState::Removed => (take.site, Some(take)),
                Some(_) | None => return refused("not_found"),
            },
            Operation::Record { site, .. }
            | Operation::Reserve { site, .. }
            | Operation::PutSite { site, .. }
            | Operation::CreateTake { site, .. }
            | Operation::CreateList { site, .. } => (*site, None),
            // It is the organisation's: any site stands for it that everybody sees.
            Operation::PutProduct(_) => (2, None),
        };
        let here = &self.premises.sites[site];
        if actor.organisation != here.organisation || !actor.sees(here.id) {
            return refused("not_found");
        }
        let mut codes = match (operation, take) {
            (Operation::OfTake(_, what), Some(take)) => self.refusals_of_take(take, what),
            (_, _) => self.refusals_of_site(operation, site),
        };
        if !operation.is_allowed(actor.role) {
            // What is missing may be told before what is forbidden, never the other way round.
            codes.1.retain(|code| *code == "not_found");
            codes.1.push("forbidden");
            return Expected::Refused(codes.1);
        }
        match codes {
            (false, codes) if codes.is_empty() => Expected::Done,
            (false, codes) => Expected::Refused(codes),
            (true, codes) => Expected::Either(codes),
        }
    }

    /// What an operation on a site is refused with, and whether that is unsure.
    pub(super) fn refusals_of_site(&self, operation: &Operation, site: usize) -> (bool, Codes) {
        let here = &self.premises.sites[site];
        let codes = match operation {
            Operation::Record { movements, .. } => self.stock[site]
                .would_refuse(movements, (here, &self.products, self.now()))
                .unwrap_or_default(),
            Operation::Reserve { key, micros, .. } => {
                let mut codes = Codes::new();
                if *micros < 0 {
                    codes.push("negative_quantity");
                }
                if !self.stock[site].key(key).stocked {
                    codes.push("not_found");
                }
                codes
            }
            Operation::PutSite { .. }
            | Operation::PutProduct(_)
            | Operation::CreateTake { .. }
            | Operation::CreateList { .. }
            | Operation::OfTake(..) => Codes::new(),
        };
        (false, codes)
    }

    /// What an operation on a take is refused with, and whether that is unsure.
    pub(super) fn refusals_of_take(&self, take: &Take, what: &OfTake) -> (bool, Codes) {
        use StockTakeState::{Finished, New, Ongoing};
        let mut codes = Codes::new();
        let states: &[StockTakeState] = match what {
            OfTake::Copy => &[New, Ongoing, StockTakeState::Posting, Finished],
            OfTake::Update(_) => &[New, Ongoing],
            OfTake::Start
            | OfTake::AddArticles(_)
            | OfTake::AddPlace(_)
            | OfTake::AddAll
            | OfTake::RemoveArticle(_)
            | OfTake::RemovePlace(_) => &[New],
            OfTake::Remove => &[New, Ongoing, Finished],
            OfTake::AddFound(_)
            | OfTake::DeleteItem(_)
            | OfTake::Count(..)
            | OfTake::Inventory(_)
            | OfTake::Post(_)
            | OfTake::Submit(_) => &[Ongoing],
            OfTake::PostLeftOver | OfTake::Dismiss(_) | OfTake::Reopen(_) => &[Finished],
        };
        let allowed = states.contains(&take.state);
        if !allowed {
            codes.push("invalid_state");
        }
        let mut unsure = false;
        match what {
            OfTake::Copy
            | OfTake::Update(_)
            | OfTake::Remove
            | OfTake::AddAll
            | OfTake::Post(_) => {}
            OfTake::AddPlace(place) => {
                let mut places = self.stocked(take.site).map(|key| key.place);
                if !places.any(|it| it.as_ref() == Some(place)) {
                    codes.push("not_found");
                }
            }
            OfTake::Start => {
                if take.lines.is_empty() {
                    codes.push("no_lines");
                }
            }
            OfTake::AddArticles(articles) => {
                if articles.is_empty() {
                    codes.push("nothing_asked");
                }
                codes.extend(self.refused_articles(take, articles));
            }
            OfTake::RemoveArticle(article) => {
                let is_it = |key: &StockKey| {
                    self.products[&key.product].article_id.as_str() == article.as_str()
                };
                if !take.lines.values().any(|line| is_it(&line.key)) {
                    codes.push("not_found");
                }
            }
            OfTake::RemovePlace(place) => {
                let is_it = |key: &StockKey| key.place.as_ref() == Some(place);
                if !take.lines.values().any(|line| is_it(&line.key)) {
                    codes.push("not_found");
                }
            }
            OfTake::AddFound(key) => {
                let here = &self.premises.sites[take.site];
                let there = self.stock[take.site].key(key).stocked;
                codes.extend(key_refusals(key, here, &self.products, there));
            }
            OfTake::DeleteItem(item) => {
                if !take.lines.contains_key(item) {
                    codes.push("not_found");
                }
            }
            OfTake::Count(item, request) => {
                let (entered, at) = (request.entered, request.counted_at);
                codes.extend(self.refused_count(take, *item, (entered, at)));
                if request.if_version.is_some() {
                    // Whether it is the line's version was looked at when it was chosen.
                    unsure = codes.is_empty();
                    codes.push("conflict");
                }
            }
            OfTake::Inventory(request) => {
                let lines: Vec<StockTakeItemId> = take
                    .lines
                    .iter()
                    .filter(|(_, line)| {
                        let key = &line.key;
                        let name = &request.article;
                        self.products[&key.product].article_id == name.article
                            && name.batch.fits(key.batch.as_ref())
                            && name.serial.fits(key.serial.as_ref())
                    })
                    .map(|(id, _)| *id)
                    .collect();
                match lines.as_slice() {
                    [] => codes.push("not_found"),
                    [item] => {
                        let (entered, at) = (request.entered, request.counted_at);
                        codes.extend(self.refused_count(take, *item, (entered, at)));
                    }
                    _ => codes.push("ambiguous_article"),
                }
            }
            OfTake::Submit(options) => {
                if allowed {
                    let mut whole = take.clone();
                    if whole.coming {
                        whole.add(self.begun(take, self.countable(whole.site)));
                    }
                    let (must, may) = self.unpostable(&whole, *options, false);
                    if !options.skip_unpostable && may > 0 {
                        unsure = must == 0;
                        codes.push("lines_refused");
                    }
                }
            }
            OfTake::PostLeftOver => {
                if take.unposted() == 0 {
                    codes.push("nothing_left_over");
                }
            }
            OfTake::Dismiss(item) => {
                if take.unposted() == 0 {
                    codes.push("nothing_left_over");
                }
                let line = take.lines.get(item);
                if !line.is_some_and(|line| take.is_due(line, true)) {
                    codes.push("not_found");
                }
            }
            OfTake::Reopen(_) => {
                if allowed && !self.reopens(take) {
                    codes.push("lines_refused");
                }
            }
        }
        (unsure, codes)
    }

    pub(super) fn refused_articles(
        &self,
        take: &Take,
        articles: &[stocktake::domain::Code],
    ) -> Codes {
        let mut codes = Codes::new();
        for article in articles {
            let product = self
                .products
                .values()
                .find(|product| product.article_id == *article);
            match product {
                None => codes.push("unknown_article"),
                Some(product) => {
                    if !self.stocked(take.site).any(|key| key.product == product.id) {
                        codes.push("not_stocked");
                    }
                }
            }
        }
        codes
    }

    pub(super) fn refused_count(
        &self,
        take: &Take,
        item: StockTakeItemId,
        (entered, counted_at): (Entered, Option<Timestamp>),
    ) -> Codes {
        let Some(line) = take.lines.get(&item) else {
            return vec!["not_found"];
        };
        let before = line.count.map_or(0, |count| count.there);
        let mut codes = Codes::new();
        if let Some(at) = counted_at.map(Timestamp::micros) {
            let now = self.now();
            let policy = self.policy(take.site, &line.key);
            if at > now + AHEAD {
                codes.push("future_dated");
            }
            if policy.is_closed(at) {
                codes.push("period_closed");
            }
            // A clock that says an earlier time by now was ahead when the take began.
            let began_at = take.began_at.filter(|began_at| *began_at <= now);
            if began_at.is_some_and(|began_at| at < began_at) {
                codes.push("before_start");
            }
            let (moment, _) = self.stock[take.site].key(&line.key).counted_at(at);
            let refuses = |count: &Counted| count.refuses(entered, &moment, now);
            if line.count.as_ref().is_some_and(refuses) {
                codes.push("counted_since");
            }
        }
        let there = match entered {
            Entered::Set(quantity) => quantity.micros(),
            Entered::Add(quantity) => before + quantity.micros(),
            Entered::Clear => return codes,
        };
        if there < 0 {
            codes.push("negative_count");
        }
        if line.key.serial.is_some() && there != 0 && there != ONE {
            codes.push("serial_conflict");
        }
        codes
    }
}
