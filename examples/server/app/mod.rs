//! The service behind the program: the five documents over one library instance.
//!
//! Routes stand in one file for each document, what they show beside them. Handlers return an [`Answer`] or a
//! [`Failure`]; a layer around all of them writes either in the words of the document that was asked
//! ([`rendering`]).

mod admission;
mod answer;
mod at_store;
mod body;
mod connections;
mod costs;
mod description;
mod exports;
mod failure;
mod first_answers;
mod health;
mod imports;
mod inventory_counts;
mod inventory_order_views;
mod inventory_orders;
mod jobs;
mod lists;
mod mail;
mod number;
mod open_store;
mod people;
mod query;
mod rendering;
mod reports;
mod request_limit;
mod request_size;
mod seed;
mod server;
mod signed;
mod stock;
mod stock_adjustments;
mod stock_take_views;
mod stock_takes;
mod streaming;
mod worker;
mod xml;
mod xml_body;

use std::sync::Arc;

use stocktake::service::Stocktake;
use tokio::sync::Notify;

use answer::{Answer, Reply};
use failure::Failure;
use first_answers::FirstAnswers;
use health::Probe;
use people::People;
use request_limit::RequestLimit;
use request_size::BodyRoom;

pub(crate) use connections::Patience;
pub(crate) use mail::MailChoice;
pub(crate) use open_store::StoreChoice;
pub(crate) use server::{Options, Server};

/// What every handler may use.
#[derive(Debug)]
pub(crate) struct App {
    /// The library.
    stocktake: Stocktake,
    /// Who may ask.
    people: People,
    /// How often they may (S4.14).
    limit: RequestLimit,
    /// Rung after each command: there may be a job to do.
    work: Notify,
    /// What was answered to requests with a key.
    first_answers: FirstAnswers,
    /// Room for the bodies of requests under way.
    bodies: BodyRoom,
    /// Whether writes go well.
    probe: Probe,
    /// How long clients may take.
    patience: Patience,
}

/// A handle on it.
type Shared = Arc<App>;
