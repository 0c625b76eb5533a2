//! Queued jobs, and the files that some of them make.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use stocktake::domain::{JobId, StockImport, StockImportId, StockTakeId};
use stocktake::service::{Caller, Error};
use stocktake::store::{Job, JobState, JobTask, PageRequest};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::{At, OrderQuery, Parameters};
use super::signed::Signed;
use super::streaming::{self, Part};
use super::{Answer, App, Failure, Reply, Shared};

/// Jobs that are read at once.
const ROWS: u32 = 100;

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(requeue))
        .routes(routes!(file))
}

/// A job that was queued.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobAnswer {
    job: JobView,
    /// The posting of the take that the file is of, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    posting: Option<JobView>,
}

/// Jobs.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what is written row by row")]
struct JobList {
    data: Vec<JobView>,
}

/// Which jobs.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
enum JobStatus {
    Queued,
    Running,
    Succeeded,
    Failed,
}

#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StatusQuery {
    /// Only these; `succeeded` by when they ended; `failed` are those that can be queued again, then those that were refused.
    #[param(inline)]
    status: Option<JobStatus>,
}

/// Which list of jobs is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listed {
    Open,
    Over,
    Dead,
}

impl StatusQuery {
    fn first(self) -> Listed {
        match self.status {
            Some(JobStatus::Failed) => Listed::Dead,
            Some(JobStatus::Succeeded) => Listed::Over,
            None | Some(JobStatus::Queued | JobStatus::Running) => Listed::Open,
        }
    }

    fn shows(self, job: &Job) -> bool {
        let is_running = matches!(job.state, JobState::Running { .. });
        match self.status {
            None => true,
            Some(JobStatus::Failed) => matches!(job.state, JobState::Dead | JobState::Refused),
            Some(JobStatus::Queued) => !is_running,
            Some(JobStatus::Running) => is_running,
            Some(JobStatus::Succeeded) => job.state == JobState::Succeeded,
        }
    }
}

/// Where a job stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobView {
    #[schema(value_type = Uuid)]
    id: JobId,
    kind: &'static str,
    /// `queued`, `running`, `succeeded` or `failed`.
    status: &'static str,
    progress: ProgressView,
    /// Why it failed; of one that succeeded, what it had to leave out.
    #[schema(required)]
    error: Option<String>,
    #[schema(required)]
    result: Option<ResultView>,
    /// What a stock import has created.
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<ImportedView>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ProgressView {
    done: u64,
    total: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct ResultView {
    /// Where the file is.
    url: String,
}

/// What a stock import has created: products that nobody knew.
#[derive(Debug, Serialize, ToSchema)]
struct ImportedView {
    /// Their article ids: the first hundred.
    created: Vec<String>,
    created_total: u64,
    /// Those that are spelled like one that was known, but for case or width: the first hundred.
    similar: Vec<SimilarView>,
    similar_total: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct SimilarView {
    article_id: String,
    /// The known one.
    known_article_id: String,
}

impl ImportedView {
    fn of(import: &StockImport) -> Self {
        let report = import.report();
        let similar = report.similar.iter().map(|similar| SimilarView {
            article_id: similar.created.to_string(),
            known_article_id: similar.known.to_string(),
        });
        Self {
            created: report.created.iter().map(ToString::to_string).collect(),
            created_total: report.created_total,
            similar: similar.collect(),
            similar_total: report.similar_total,
        }
    }
}

impl JobAnswer {
    /// What there is to say about a job that was just queued.
    pub(super) async fn read(app: &App, caller: &Caller, id: JobId) -> Reply {
        Self::beside(app, caller, id, None).await
    }

    /// The same, and the posting of the take that is exported.
    pub(super) async fn beside(
        app: &App,
        caller: &Caller,
        id: JobId,
        posting: Option<JobId>,
    ) -> Reply {
        Answer::ok(&Self {
            job: JobView::read(app, caller, id).await?,
            posting: match posting {
                Some(posting) => Some(JobView::read(app, caller, posting).await?),
                None => None,
            },
        })
    }
}

impl JobView {
    async fn read(app: &App, caller: &Caller, id: JobId) -> Result<Self, Error> {
        let job = app.stocktake.job(caller, id).await?;
        Self::of(app, caller, job).await
    }

    async fn of(app: &App, caller: &Caller, job: Job) -> Result<Self, Error> {
        let id = job.id;
        let makes_file = matches!(job.task, JobTask::Export | JobTask::Print);
        let has_file = makes_file && job.state == JobState::Succeeded;
        let imported = match (&job.task, &job.state) {
            (JobTask::ImportStock { import }, JobState::Succeeded | JobState::Refused) => {
                match app.stocktake.stock_imports().get(caller, *import).await {
                    Ok(import) => Some(ImportedView::of(&import)),
                    // It is of a site that the caller does not see.
                    Err(Error::NotFound { .. }) => None,
                    Err(error) => return Err(error),
                }
            }
            _ => None,
        };
        let (status, error) = match &job.state {
            JobState::Queued => ("queued", None),
            JobState::Running { .. } => ("running", None),
            JobState::Succeeded => ("succeeded", left_out(app, caller, &job).await?),
            JobState::Dead => ("failed", job.last_error.clone()),
            JobState::Refused => ("failed", Some(refusal(app, caller, &job).await?)),
        };
        Ok(Self {
            id,
            kind: job.task.kind().as_str(),
            status,
            progress: ProgressView {
                done: job.progress.done,
                total: job.progress.total,
            },
            error,
            result: has_file.then(|| ResultView {
                url: format!("/jobs/{id}/file"),
            }),
            imported,
        })
    }
}

/// How many lines that can't be posted are told.
const LINES_TOLD: usize = 10;

/// What a job that succeeded could not do: an order went out without its PDF.
async fn left_out(app: &App, caller: &Caller, job: &Job) -> Result<Option<String>, Error> {
    let JobTask::SendInventoryOrder { order } = job.task else {
        return Ok(None);
    };
    match app
        .stocktake
        .inventory_orders()
        .sending(caller, order)
        .await
    {
        Ok(sending) => Ok(sending
            .filter(|it| it.job == job.id)
            .and_then(|it| it.problem)),
        // It was removed since.
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why a job was refused: its document tells.
async fn refusal(app: &App, caller: &Caller, job: &Job) -> Result<String, Error> {
    let told = match job.task {
        JobTask::ImportStock { import } => of_import(app, caller, import).await?,
        JobTask::PostStockTake { take } | JobTask::ReopenStockTake { take } => {
            of_take(app, caller, take).await?
        }
        _ => None,
    };
    Ok(told.unwrap_or_else(|| "it was refused".to_owned()))
}

async fn of_import(
    app: &App,
    caller: &Caller,
    import: StockImportId,
) -> Result<Option<String>, Error> {
    let import = app.stocktake.stock_imports().get(caller, import).await?;
    let report = import.report();
    let problem = |it: &stocktake::domain::ImportProblem| {
        format!("{}: {} ({})", it.place, it.message, it.code)
    };
    let problems: Vec<String> = report.problems.iter().map(problem).collect();
    let message = report.message.as_ref().map(ToString::to_string);
    Ok(Some(
        message
            .into_iter()
            .chain(problems)
            .collect::<Vec<_>>()
            .join("; "),
    ))
}

async fn of_take(app: &App, caller: &Caller, take: StockTakeId) -> Result<Option<String>, Error> {
    let take = match app.stocktake.stock_takes().get(caller, take).await {
        Ok(found) => found.take,
        Err(Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(take.refusal().map(|refusal| {
        let told = refusal.lines.iter().take(LINES_TOLD);
        let lines: Vec<String> = told
            .map(|it| format!("{}: {}", it.name, it.problem))
            .collect();
        let all = match refusal.total {
            1 => "1 line".to_owned(),
            several => format!("{several} lines"),
        };
        format!("{all} can't be posted: {}", lines.join("; "))
    }))
}

/// A job: where it stands, and how far it is.
#[utoipa::path(get, path = "/jobs/{id}", operation_id = "getJob", tag = "jobs", params(("id" = Uuid, Path)),
    responses((status = 200, body = JobView)))]
async fn get(State(app): State<Shared>, signed: Signed, At(id): At<JobId>) -> Reply {
    Answer::ok(&JobView::read(&app, &signed.caller, id).await?)
}

/// The jobs that wait or run, then those that failed for good, each the oldest first unless told, or those of a status: for
/// those who look after them.
#[utoipa::path(get, path = "/jobs", operation_id = "listJobs", tag = "jobs", params(StatusQuery, OrderQuery),
    responses((status = 200, body = JobList)))]
async fn list(
    State(app): State<Shared>,
    signed: Signed,
    Parameters(query): Parameters<StatusQuery>,
    Parameters(order): Parameters<OrderQuery>,
) -> Result<Response, Failure> {
    let order = order.order();
    let read = move |(listed, page): (Listed, PageRequest)| {
        let (app, caller) = (Arc::clone(&app), signed.caller.clone());
        async move {
            let found = match listed {
                Listed::Open => app.stocktake.open_jobs(&caller, &page).await?,
                Listed::Over => app.stocktake.over_jobs(&caller, &page).await?,
                Listed::Dead => app.stocktake.dead_jobs(&caller, &page).await?,
            };
            let mut rows = Vec::with_capacity(found.items.len());
            for job in found.items.into_iter().filter(|job| query.shows(job)) {
                rows.push(JobView::of(&app, &caller, job).await?);
            }
            let behind = match (query.status, listed) {
                (None, Listed::Open) => Some(Listed::Dead),
                (Some(JobStatus::Failed), Listed::Dead) => Some(Listed::Over),
                _ => None,
            };
            let behind = behind.map(|list| (list, order.of(PageRequest::first(ROWS))));
            let next = found
                .next
                .map(|next| (listed, order.of(PageRequest::after(next, ROWS))));
            Part::of(rows, next.or(behind))
        }
    };
    let first = (query.first(), order.of(PageRequest::first(ROWS)));
    streaming::rows(first, "{\"data\":[", read, |_| "]}".to_owned()).await
}

/// Queues a job again that failed for good, when what made it fail is mended.
#[utoipa::path(post, path = "/jobs/{id}/requeue", operation_id = "requeueJob", tag = "jobs",
    params(("id" = Uuid, Path)), responses((status = 200, body = JobAnswer)))]
async fn requeue(State(app): State<Shared>, signed: Signed, At(id): At<JobId>) -> Reply {
    if !app.stocktake.requeue_job(&signed.caller, id).await? {
        let message = "only a job that failed for good is queued again";
        return Err(Failure::new(StatusCode::CONFLICT, "not_dead", message));
    }
    JobAnswer::read(&app, &signed.caller, id).await
}

/// The file that a job has made.
#[utoipa::path(get, path = "/jobs/{id}/file", operation_id = "getJobFile", tag = "jobs", params(("id" = Uuid, Path)),
    responses((status = 200, content((String = "text/csv"), (String = "application/pdf"), (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))))]
async fn file(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<JobId>,
) -> Result<Response, Failure> {
    let status = app.stocktake.exports().status(&signed.caller, id).await?;
    if !status.export.complete {
        return Err(Failure::new(
            StatusCode::CONFLICT,
            "not_ready",
            "the file is not whole yet",
        ));
    }
    let file = streaming::file(move |number| {
        let (app, caller) = (Arc::clone(&app), signed.caller.clone());
        async move {
            let exports = app.stocktake.exports();
            exports.file_chunk(&caller, id, number).await
        }
    })
    .await?;
    let name = format!("attachment; filename=\"{}\"", status.export.file_name());
    let name = HeaderValue::from_str(&name).map_err(|_| Failure::internal())?;
    let kind = HeaderValue::from_static(status.export.form.format.content_type());
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, file).into_response())
}
