//! Stocktake lists (S4), exactly as their document has them.

mod article_routes;
mod articles;
mod layers;
mod list;
mod list_routes;
mod printing;

use utoipa_axum::router::OpenApiRouter;

use super::Shared;

/// Its routes.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    list_routes::routes()
        .merge(article_routes::routes())
        .merge(printing::routes())
}
