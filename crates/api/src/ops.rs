//! The operations port: whether the process lives, whether it can serve, and its metrics.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

/// What the operations port asks of the process.
#[async_trait]
pub trait Operations: Send + Sync + 'static {
    /// Checks everything that is needed to serve.
    async fn checks(&self) -> Vec<Check>;
    /// All metrics in the text format of Prometheus.
    async fn metrics(&self) -> String;
}

/// One thing that is needed to serve.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What it is.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What it is like.
    pub message: String,
}

/// The routes of the operations port.
pub fn router(operations: Arc<dyn Operations>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { axum::Json(serde_json::json!({"status": "ok"})) }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(operations)
}

async fn ready(State(operations): State<Arc<dyn Operations>>) -> Response {
    let checks = operations.checks().await;
    let ok = checks.iter().all(|check| check.ok);
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if ok { "ready" } else { "not ready" };
    (status, axum::Json(serde_json::json!({"status": word, "checks": checks}))).into_response()
}

async fn metrics(State(operations): State<Arc<dyn Operations>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], operations.metrics().await).into_response()
}
