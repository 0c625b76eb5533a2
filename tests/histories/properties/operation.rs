//! What the cases do, as data, so that it can be done again.

use stocktake::domain::{
    Code, Entered, JobId, Label, MovementPolicy, Note, PostingOptions, Product, Role, Site,
    StockEvent, StockKey, StockTake, StockTakeDetails, StockTakeId, StockTakeItem, StockTakeItemId,
};
use stocktake::service::{
    Caller, CountRequest, Error, InventoryRequest, NewMovement, NewStockTake, NewStockTakeList,
    Stocktake,
};

/// A command.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Record {
        site: usize,
        movements: Vec<NewMovement>,
    },
    Reserve {
        site: usize,
        key: StockKey,
        micros: i64,
    },
    PutSite {
        site: usize,
        changed: Box<Site>,
    },
    PutProduct(Box<Product>),
    CreateTake {
        site: usize,
        policy: MovementPolicy,
        description: &'static str,
    },
    CreateList {
        site: usize,
        policy: MovementPolicy,
        annual: bool,
        name: &'static str,
    },
    OfTake(StockTakeId, OfTake),
}

/// A command on a take.
#[derive(Clone, Debug)]
pub(crate) enum OfTake {
    Copy,
    Update(&'static str),
    Start,
    Remove,
    AddArticles(Vec<Code>),
    AddPlace(Code),
    AddAll,
    RemoveArticle(Code),
    RemovePlace(Code),
    AddFound(StockKey),
    DeleteItem(StockTakeItemId),
    Count(StockTakeItemId, CountRequest),
    Inventory(InventoryRequest),
    Post(PostingOptions),
    Submit(PostingOptions),
    PostLeftOver,
    Dismiss(StockTakeItemId),
    Reopen(Option<Note>),
}

/// What a command answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Nothing,
    Events(Vec<StockEvent>),
    Take(Box<StockTake>),
    Line(Box<StockTakeItem>),
    Number(u64),
    Item(StockTakeItemId),
    Job(JobId),
}

impl Operation {
    /// Does it.
    pub(crate) async fn run(
        &self,
        library: &Stocktake,
        sites: &[Site],
        caller: &Caller,
    ) -> Result<Answer, Error> {
        let takes = library.stock_takes();
        let take = |take| Answer::Take(Box::new(take));
        match self {
            Self::Record { site, movements } => {
                let stock = library.stock();
                let events = stock.record(caller, sites[*site].id, movements).await;
                events.map(Answer::Events)
            }
            Self::Reserve { key, micros, .. } => {
                let reserved = super::amounts::quantity(*micros);
                let stock = library.stock();
                let done = stock.set_reserved(caller, key, reserved).await;
                done.map(|()| Answer::Nothing)
            }
            Self::PutSite { changed, .. } => {
                let catalogue = library.catalogue();
                let done = catalogue.put_site(caller, (**changed).clone()).await;
                done.map(|()| Answer::Nothing)
            }
            Self::PutProduct(changed) => {
                let products = vec![(**changed).clone()];
                let done = library.catalogue().put_products(caller, products).await;
                done.map(|()| Answer::Nothing)
            }
            Self::CreateTake {
                site,
                policy,
                description,
            } => {
                let new = NewStockTake {
                    site: sites[*site].id,
                    description: label(description),
                    movement_policy: *policy,
                };
                takes.create(caller, new).await.map(take)
            }
            Self::CreateList {
                site,
                policy,
                annual,
                name,
            } => {
                let new = NewStockTakeList {
                    site: sites[*site].id,
                    name: label(name),
                    description: None,
                    due_at: None,
                    annual: *annual,
                    movement_policy: *policy,
                };
                takes.create_list(caller, new).await.map(take)
            }
            Self::OfTake(id, what) => what.run(library, caller, *id).await,
        }
    }

    /// The same operation with another request, if there is another that makes sense.
    pub(crate) fn altered(&self) -> Option<Self> {
        let mut other = self.clone();
        match &mut other {
            Self::Record { movements, .. } => {
                let last = movements.last()?.clone();
                movements.push(last);
            }
            Self::Reserve { micros, .. } => *micros += 1,
            Self::PutSite { changed, .. } => changed.name = label("Low Street"),
            Self::PutProduct(changed) => changed.bundled = !changed.bundled,
            Self::CreateTake { description, .. } => *description = "Another",
            Self::CreateList { name, .. } => *name = "Another",
            Self::OfTake(_, what) => match what {
                OfTake::Update(text) => *text = "Another",
                OfTake::AddArticles(articles) => articles.push("SKU-99".parse().ok()?),
                OfTake::AddPlace(place) | OfTake::RemovePlace(place) => {
                    *place = "Z".parse().ok()?;
                }
                OfTake::RemoveArticle(article) => *article = "SKU-99".parse().ok()?,
                OfTake::Count(_, request) => {
                    request.entered = match request.entered {
                        Entered::Clear => Entered::Set(super::amounts::quantity(3_000_000)),
                        Entered::Set(_) | Entered::Add(_) => Entered::Clear,
                    };
                }
                OfTake::Post(options) | OfTake::Submit(options) => {
                    options.zero_uncounted = !options.zero_uncounted;
                }
                OfTake::Reopen(reason) => {
                    *reason = match reason {
                        Some(_) => None,
                        None => Some(Note::new("Miscounted").ok()?),
                    };
                }
                OfTake::Copy
                | OfTake::Start
                | OfTake::Remove
                | OfTake::AddAll
                | OfTake::AddFound(_)
                | OfTake::DeleteItem(_)
                | OfTake::Inventory(_)
                | OfTake::PostLeftOver
                | OfTake::Dismiss(_) => return None,
            },
        }
        Some(other)
    }

    /// Whether a role may do it, by the permission matrix.
    pub(crate) fn is_allowed(&self, role: Role) -> bool {
        let not_viewer = role != Role::Viewer;
        let machine = matches!(role, Role::Manager | Role::Service);
        match self {
            Self::Record { .. }
            | Self::Reserve { .. }
            | Self::PutSite { .. }
            | Self::PutProduct(_)
            | Self::CreateTake { .. }
            | Self::CreateList { .. } => machine,
            Self::OfTake(_, what) => match what {
                OfTake::Update(_)
                | OfTake::AddArticles(_)
                | OfTake::AddPlace(_)
                | OfTake::AddAll
                | OfTake::RemoveArticle(_)
                | OfTake::RemovePlace(_)
                | OfTake::AddFound(_)
                | OfTake::Count(..)
                | OfTake::Inventory(_) => not_viewer,
                OfTake::Copy
                | OfTake::Start
                | OfTake::Remove
                | OfTake::DeleteItem(_)
                | OfTake::Post(_)
                | OfTake::Submit(_)
                | OfTake::PostLeftOver
                | OfTake::Dismiss(_)
                | OfTake::Reopen(_) => machine,
            },
        }
    }
}

impl OfTake {
    async fn run(
        &self,
        library: &Stocktake,
        caller: &Caller,
        id: StockTakeId,
    ) -> Result<Answer, Error> {
        let takes = library.stock_takes();
        let take = |take| Answer::Take(Box::new(take));
        match self {
            Self::Copy => takes.copy(caller, id).await.map(take),
            Self::Update(text) => {
                let details = StockTakeDetails {
                    description: Some(label(text)),
                    ..takes.get(caller, id).await?.take.details().clone()
                };
                takes.update(caller, id, details).await.map(take)
            }
            Self::Start => takes.start(caller, id).await.map(take),
            Self::Remove => takes.remove(caller, id).await.map(|()| Answer::Nothing),
            Self::AddArticles(articles) => {
                let added = takes.add_articles(caller, id, articles).await;
                added.map(Answer::Number)
            }
            Self::AddPlace(place) => {
                let added = takes.add_stock_place(caller, id, place.clone()).await;
                added.map(take)
            }
            Self::AddAll => takes.add_all_articles(caller, id).await.map(take),
            Self::RemoveArticle(article) => {
                let removed = takes.remove_article(caller, id, article.clone()).await;
                removed.map(Answer::Number)
            }
            Self::RemovePlace(place) => {
                let removed = takes.remove_stock_place(caller, id, place.clone()).await;
                removed.map(Answer::Number)
            }
            Self::AddFound(key) => takes.add_found(caller, id, key).await.map(Answer::Item),
            Self::DeleteItem(item) => {
                let deleted = takes.delete_item(caller, id, *item).await;
                deleted.map(|()| Answer::Nothing)
            }
            Self::Count(item, request) => {
                let line = takes.count(caller, id, *item, request.clone()).await;
                line.map(|line| Answer::Line(Box::new(line)))
            }
            Self::Inventory(request) => {
                let line = takes.inventory(caller, id, request.clone()).await;
                line.map(|line| Answer::Line(Box::new(line)))
            }
            Self::Post(options) => takes.post(caller, id, *options).await.map(Answer::Job),
            Self::Submit(options) => takes.submit(caller, id, *options).await.map(take),
            Self::PostLeftOver => takes.post_left_over(caller, id).await.map(take),
            Self::Dismiss(item) => {
                let done = takes.dismiss(caller, id, *item).await;
                done.map(|()| Answer::Nothing)
            }
            Self::Reopen(reason) => takes.reopen(caller, id, reason.clone()).await.map(take),
        }
    }
}

fn label(text: &str) -> Label {
    text.parse().unwrap()
}
