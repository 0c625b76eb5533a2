//! `GET /healthz`: whether the server can do its work, which is to write.
//!
//! A server whose reads go well and whose writes all fail is not well, and only a write can tell. So a commit of nothing is
//! made, at most once in a few seconds however often somebody asks: it passes through everything that a real one does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use stocktake::domain::OrganisationId;
use stocktake::service::{Clock as _, SystemClock};
use stocktake::store::{ChangeSet, Command, CommandId, CommitError, Digest, Outcome, Repository};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Answer, Failure, Reply, Shared};

/// How long it is good that a write went well.
const GOOD_FOR: Duration = Duration::from_secs(5);
/// How long a write may take that is to tell that all is well.
const MOST: Duration = Duration::from_secs(5);

/// Its route.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(health))
}

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
}

/// What tells whether writes go well.
#[derive(Debug)]
pub(super) struct Probe {
    repository: Arc<dyn Repository>,
    went_well: Mutex<Option<Instant>>,
}

impl Probe {
    pub(super) fn of(repository: Arc<dyn Repository>) -> Self {
        Self {
            repository,
            went_well: Mutex::default(),
        }
    }

    /// Whether a write goes well, or has a moment ago.
    async fn is_well(&self) -> bool {
        let last = *self
            .went_well
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|at| at.elapsed() < GOOD_FOR) {
            return true;
        }
        let is_well = matches!(tokio::time::timeout(MOST, self.write()).await, Ok(Ok(())));
        let now = is_well.then(Instant::now);
        *self
            .went_well
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = now;
        is_well
    }

    /// A commit that changes nothing, of an organisation that nobody is of.
    async fn write(&self) -> Result<(), CommitError> {
        let id = Uuid::new_v4();
        let command = Command {
            id: CommandId::new("health", id),
            digest: Digest::of("health").field(id).finish(),
            outcome: Outcome::Done,
            at: SystemClock.now(),
        };
        let changes = ChangeSet::new(OrganisationId::new(Uuid::nil()), command);
        self.repository.commit(&changes).await.map(drop)
    }
}

/// Tells that the server is there, and that what it is told is kept: 503 while nothing can be written.
#[utoipa::path(get, path = "/healthz", operation_id = "getHealth", tag = "server",
    responses((status = 200, body = Health)))]
async fn health(State(app): State<Shared>) -> Reply {
    if app.probe.is_well().await {
        return Answer::ok(&Health { status: "ok" });
    }
    let message = "nothing can be written";
    let mut failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, "unhealthy", message);
    failure.retry_after = Some(1);
    Err(failure)
}
