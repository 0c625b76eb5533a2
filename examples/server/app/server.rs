//! Starting and stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use stocktake::documents::pdf::LackingLetters;
use stocktake::jobs::{Mailer, Worker};
use stocktake::service::PrintPolicy;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use super::first_answers::FirstAnswers;
use super::health::Probe;
use super::mail::MailChoice;
use super::open_store::{StoreChoice, open_store};
use super::people::People;
use super::request_limit::{self, RequestLimit};
use super::request_size::BodyRoom;
use super::seed::Seed;
use super::worker::{self, TokioTimer};
use super::{
    App, Patience, Shared, admission, connections, description, first_answers, rendering,
    request_size,
};

/// How long requests under way may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How long jobs under way may take to end their step, so that they are handed back.
const HAND_BACK: Duration = Duration::from_secs(30);

/// Two, so that a long posting does not keep exports waiting.
const WORKERS: [&str; 2] = ["server-1", "server-2"];

/// How long a job of a process that died waits for the next one, unless told.
const LEASE: Duration = Duration::from_secs(5);

/// How to serve.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The seed file.
    pub(crate) seed: Option<PathBuf>,
    /// The store.
    pub(crate) store: StoreChoice,
    /// Where to listen.
    pub(crate) listen: String,
    /// How often each store may be asked in a minute (S4.14).
    pub(crate) requests_per_minute: usize,
    /// How long a job is leased; the lease is extended while the work goes on.
    pub(crate) lease: Duration,
    /// How long clients may take, and how many there are at once.
    pub(crate) patience: Patience,
    /// Who sends mail.
    pub(crate) mail: MailChoice,
    /// How many articles are printed while a client waits (S4.12).
    pub(crate) printed_at_once: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: None,
            store: StoreChoice::default(),
            listen: "127.0.0.1:8080".to_owned(),
            requests_per_minute: request_limit::MOST,
            lease: LEASE,
            patience: Patience::default(),
            mail: MailChoice::default(),
            printed_at_once: PrintPolicy::default().at_once,
        }
    }
}

/// A server that is ready to accept requests.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    app: Shared,
    lease: Duration,
    mailer: Arc<dyn Mailer>,
}

impl Server {
    /// Opens the store, loads the seed and begins to listen.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(crate) async fn open(options: &Options) -> Result<Self, String> {
        let seed = match &options.seed {
            Some(path) => Seed::read(path)?,
            None => Seed::default(),
        };
        let opened = open_store(&options.store).await?;
        let mut printing = PrintPolicy::default();
        printing.at_once = options.printed_at_once;
        // A shop counts also when one article's name is in a script that the font lacks: the sheet says so.
        printing.print.letters = LackingLetters::Replace;
        let people = People::of(&seed)?;
        let stocktake = opened
            .stocktake
            .with_print_policy(printing)
            .with_people(Arc::new(people.names().clone()));
        let mailer = options.mail.mailer()?;
        seed.load(&stocktake).await?;
        let app = App {
            people,
            stocktake,
            limit: RequestLimit::of(options.requests_per_minute),
            work: Notify::new(),
            first_answers: FirstAnswers::default(),
            bodies: BodyRoom::of(options.patience.bodies_kib),
            probe: Probe::of(opened.repository),
            patience: options.patience,
        };
        let listener = TcpListener::bind(&options.listen)
            .await
            .map_err(|error| format!("{}: {error}", options.listen))?;
        Ok(Self {
            listener,
            app: Arc::new(app),
            lease: options.lease,
            mailer,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is told to stop; requests under way are answered, and jobs under way handed back after the
    /// step that they are in.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let workers = WORKERS.map(|name| {
            Worker::new(&self.app.stocktake, name)
                .with_mailer(Arc::clone(&self.mailer))
                .with_lease(self.lease)
                .with_timer(Arc::new(TokioTimer))
        });
        let working = workers.clone().map(|worker| {
            tokio::spawn(worker::work(worker, Arc::clone(&self.app), stopped.clone()))
        });
        let until_told = has_become(stopped.clone());
        let (router, patience) = (router(&self.app), self.app.patience);
        let mut serving = tokio::spawn(connections::serve(
            self.listener,
            router,
            patience,
            until_told,
        ));
        stop.await;
        // Nobody may have ended before being told to.
        let _ = stopping.send(true);
        workers.iter().for_each(Worker::stop);
        self.app.work.notify_waiters();
        if tokio::time::timeout(GRACE, &mut serving).await.is_err() {
            serving.abort();
        }
        for worker in working {
            let _ = tokio::time::timeout(HAND_BACK, worker).await;
        }
    }
}

async fn has_become(mut told: watch::Receiver<bool>) {
    // The sender lives until it has told.
    let _ = told.wait_for(|told| *told).await;
}

/// Every path of the five documents.
fn router(app: &Shared) -> Router {
    let (routes, description) = description::routes();
    // The last one is asked first: who asks is known before their body is read.
    routes
        .merge(description::serve(&description))
        .route_layer(from_fn_with_state(Arc::clone(app), worker::ring))
        .route_layer(from_fn_with_state(Arc::clone(app), first_answers::remember))
        .route_layer(from_fn_with_state(
            Arc::clone(app),
            request_size::read_whole,
        ))
        .route_layer(from_fn_with_state(Arc::clone(app), admission::admit))
        .fallback(rendering::no_such_path)
        .method_not_allowed_fallback(rendering::no_such_method)
        .layer(axum::middleware::from_fn(rendering::render))
        .with_state(Arc::clone(app))
}
