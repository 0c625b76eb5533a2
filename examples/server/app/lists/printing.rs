//! Printing lists (S4.12): a PDF, or a job that mails it.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stocktake::domain::StockTakeId;
use stocktake::service::Printed;
use stocktake::store::{ArticleColumn, ArticleSort, CountSheetForm};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::list_routes::finished;
use crate::app::at_store::AtStore;
use crate::app::jobs::JobAnswer;
use crate::app::query::{At, Parameters};
use crate::app::{App, Failure, Shared, failure};

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(print))
        .routes(routes!(print_receipt))
}

/// Where a large document goes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MailQuery {
    /// Where it is mailed when it has many articles; to who asks, unless told.
    email: Option<String>,
}

/// How a count sheet is printed.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SheetQuery {
    /// Where it is mailed when it has many articles; to who asks, unless told.
    email: Option<String>,
    /// The order of its lines, one of the columns that articles are sorted by; the article id, unless told.
    sort_column: Option<String>,
    /// Whether it says what is expected; not, unless told. Not for who counts.
    expected: Option<bool>,
}

/// A document to print.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "describes bytes")]
struct Pdf(Vec<u8>);

/// Prints the sheet to count a list with (S4.12).
#[utoipa::path(get, path = "/v1/stocktake/{id}/print", operation_id = "printStocktake", tag = "stocktake lists",
    params(("id" = Uuid, Path), SheetQuery), responses((status = 200, body = Pdf, content_type = "application/pdf"),
    (status = 202, body = JobAnswer)))]
async fn print(
    State(app): State<Shared>,
    here: AtStore,
    At(id): At<StockTakeId>,
    Parameters(query): Parameters<SheetQuery>,
) -> Result<Response, Failure> {
    let name = query.sort_column.as_deref().unwrap_or("art");
    let column = ArticleColumn::from_name(name).ok_or_else(failure::no_such_column)?;
    let sheet = CountSheetForm {
        expected: query.expected.unwrap_or(false),
        sort: ArticleSort {
            column,
            descending: false,
        },
    };
    let printed = app
        .stocktake
        .printing()
        .count_sheet(&here.caller, id, sheet, query.email.as_deref())
        .await?;
    answered(&app, &here, printed).await
}

/// Prints the receipt of a finished list (S4.12).
#[utoipa::path(get, path = "/v1/stocktake/finished/{id}/receipt/print", operation_id = "printStocktakeReceipt",
    tag = "stocktake lists", params(("id" = Uuid, Path), MailQuery),
    responses((status = 200, body = Pdf, content_type = "application/pdf"), (status = 202, body = JobAnswer)))]
async fn print_receipt(
    State(app): State<Shared>,
    here: AtStore,
    At(id): At<StockTakeId>,
    Parameters(query): Parameters<MailQuery>,
) -> Result<Response, Failure> {
    finished(&app, &here, id).await?;
    let printed = app
        .stocktake
        .printing()
        .receipt(&here.caller, id, query.email.as_deref())
        .await?;
    answered(&app, &here, printed).await
}

/// The document, or the job that mails it.
async fn answered(app: &App, here: &AtStore, printed: Printed) -> Result<Response, Failure> {
    let file = match printed {
        Printed::File(file) => file,
        Printed::Job(job) => {
            app.work.notify_one();
            let mut answer = JobAnswer::read(app, &here.caller, job).await?;
            answer.status = StatusCode::ACCEPTED;
            return Ok(answer.into_response());
        }
    };
    let name = format!("inline; filename=\"{}\"", file.name);
    let name = HeaderValue::from_str(&name).map_err(|_| Failure::internal())?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/pdf"),
        ),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, file.bytes).into_response())
}
