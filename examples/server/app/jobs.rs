//! Queued jobs, and the files that some of them make.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use stocktake::domain::{JobId, StockImportId, StockTakeId};
use stocktake::service::{Caller, Error};
use stocktake::store::{Job, JobState, JobTask};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::At;
use super::signed::Signed;
use super::{Answer, App, Failure, Reply, Shared};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(file))
}

/// A job that was queued.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobAnswer {
    job: JobView,
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
    #[schema(required)]
    error: Option<String>,
    #[schema(required)]
    result: Option<ResultView>,
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

/// The form of a file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FileForm {
    Csv,
    Xlsx,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FormQuery {
    /// The form of the file; `csv` unless told.
    #[param(inline)]
    format: Option<FileForm>,
}

impl FormQuery {
    /// Refuses what can't be made.
    ///
    /// # Errors
    ///
    /// 501.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.format {
            None | Some(FileForm::Csv) => Ok(()),
            Some(FileForm::Xlsx) => Err(Failure::new(
                StatusCode::NOT_IMPLEMENTED,
                "not_built_in",
                "files in XLSX are not built in",
            )),
        }
    }
}

impl JobAnswer {
    /// What there is to say about a job that was just queued.
    pub(super) async fn read(app: &App, caller: &Caller, id: JobId) -> Reply {
        Answer::ok(&Self {
            job: JobView::read(app, caller, id).await?,
        })
    }
}

impl JobView {
    async fn read(app: &App, caller: &Caller, id: JobId) -> Result<Self, Error> {
        let job = app.stocktake.job(caller, id).await?;
        let has_file = job.task == JobTask::Export && job.state == JobState::Succeeded;
        let (status, error) = match &job.state {
            JobState::Queued => ("queued", None),
            JobState::Running { .. } => ("running", None),
            JobState::Succeeded => ("succeeded", None),
            JobState::Dead => ("failed", job.last_error.clone()),
            JobState::Refused => ("failed", Some(refusal(app, caller, &job).await?)),
        };
        Ok(Self {
            id,
            kind: job.task.kind(),
            status,
            progress: ProgressView {
                done: job.progress.done,
                total: job.progress.total,
            },
            error,
            result: has_file.then(|| ResultView {
                url: format!("/jobs/{id}/file"),
            }),
        })
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
        let line = |it: &stocktake::domain::RefusedLine| format!("{}: {}", it.item, it.problem);
        let lines: Vec<String> = refusal.lines.iter().map(line).collect();
        format!(
            "{} lines can't be posted: {}",
            refusal.total,
            lines.join("; ")
        )
    }))
}

/// A job: where it stands, and how far it is.
#[utoipa::path(get, path = "/jobs/{id}", operation_id = "getJob", tag = "jobs", params(("id" = Uuid, Path)),
    responses((status = 200, body = JobView)))]
async fn get(State(app): State<Shared>, signed: Signed, At(id): At<JobId>) -> Reply {
    Answer::ok(&JobView::read(&app, &signed.caller, id).await?)
}

/// The file that a job has made.
#[utoipa::path(get, path = "/jobs/{id}/file", operation_id = "getJobFile", tag = "jobs", params(("id" = Uuid, Path)),
    responses((status = 200, body = String, content_type = "text/csv")))]
async fn file(
    State(app): State<Shared>,
    signed: Signed,
    At(id): At<JobId>,
) -> Result<Response, Failure> {
    let exports = app.stocktake.exports();
    let status = exports.status(&signed.caller, id).await?;
    let file = exports.file(&signed.caller, id).await?;
    let text = file.text.ok_or_else(|| {
        Failure::new(
            StatusCode::CONFLICT,
            "not_ready",
            "the file is not whole yet",
        )
    })?;
    let name = format!("attachment; filename=\"{}\"", status.file_name());
    let name = HeaderValue::from_str(&name).map_err(|_| Failure::internal())?;
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from(text)).into_response())
}
