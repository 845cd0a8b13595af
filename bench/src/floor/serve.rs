//! The batched design behind a minimal axum handler, JSON in and out, in a process of its own.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use clap::Args;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Child;
use uuid::Uuid;

use super::batched::Committer;
use super::{Outcome, Purchase};
use crate::{processes, stage};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to serve from.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    #[arg(long)]
    database_url: String,
}

/// An order, as the client sees it.
#[derive(Serialize)]
struct Placed {
    id: Option<Uuid>,
    state: &'static str,
}

/// Serves until it is killed; says where as its first line.
pub(crate) async fn serve(serve: Serve) -> anyhow::Result<()> {
    let committer = Committer::start(&serve.database_url.parse()?).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let router = axum::Router::new().route("/checkout", post(checkout)).with_state(committer);
    Ok(axum::serve(listener, router).await?)
}

async fn checkout(
    State(committer): State<Committer>,
    Json(purchase): Json<Purchase>,
) -> (StatusCode, Json<Placed>) {
    let (status, id, state) = match committer.place(purchase).await {
        Some(Outcome::Placed(id)) => (StatusCode::CREATED, Some(id), "paid"),
        Some(Outcome::SoldOut) => (StatusCode::CONFLICT, None, "sold_out"),
        Some(Outcome::Duplicate) => (StatusCode::UNPROCESSABLE_ENTITY, None, "duplicate"),
        None => (StatusCode::SERVICE_UNAVAILABLE, None, "committer_gone"),
    };
    (status, Json(Placed { id, state }))
}

/// That process; it ends when this is dropped.
pub(crate) struct Floor {
    child: Child,
    pid: u32,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Floor {
    /// Starts it.
    pub(crate) async fn start(database_url: &str) -> anyhow::Result<Self> {
        let mut child = stage::again("floor", ["--database-url", database_url])?.spawn()?;
        let pid = child.id().context("the floor has ended")?;
        let stdout = child.stdout.take().context("the floor has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let address =
            tokio::time::timeout(PATIENCE, lines.next_line()).await.context("the floor does not start")??;
        let address = address.context("the floor has ended")?.parse()?;
        Ok(Self { child, pid, address })
    }

    /// CPU time so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        processes::of(self.pid)
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}
