//! `/dev/mail`: in a demo without a mail server, the mails that would have been sent. They carry secrets, so that
//! anywhere else the pages are not there.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use minijinja::context;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Api;
use crate::extract::Path;
use crate::pages;
use crate::problem::Problem;

/// For a mail shown by itself: no script, nothing from elsewhere, and links open in a window of their own.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox";

/// Why the mails can not be read.
pub type MailboxError = Box<dyn std::error::Error + Send + Sync>;

/// Where mails go that do not leave.
#[async_trait]
pub trait Mailbox: Send + Sync + 'static {
    /// All of them, the latest first.
    async fn list(&self) -> Result<Vec<MailHead>, MailboxError>;
    /// One of them.
    async fn mail(&self, id: i64) -> Result<Option<Mail>, MailboxError>;
}

/// A mail in a list.
#[derive(Clone, Debug)]
pub struct MailHead {
    /// Its number.
    pub id: i64,
    /// To whom it would have gone.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// When it was written.
    pub at: OffsetDateTime,
}

/// A whole mail.
pub struct Mail {
    /// What a list shows of it.
    pub head: MailHead,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

pub(crate) fn routes(api: Api) -> Router {
    Router::new()
        .route("/dev/mail", get(list))
        .route("/dev/mail/{id}", get(show))
        .route("/dev/mail/{id}/html", get(html))
        .with_state(api)
}

/// The mailbox, in a demo.
fn mailbox(api: &Api) -> Result<&Arc<dyn Mailbox>, Problem> {
    api.mailbox.as_ref().filter(|_| api.settings.demo).ok_or_else(Problem::route_not_found)
}

async fn list(State(api): State<Api>) -> Result<Response, Problem> {
    let mails = mailbox(&api)?.list().await.map_err(unreadable)?;
    let mails: Vec<_> = mails.iter().map(shown).collect();
    pages::render("mails.html", context! { mails }, StatusCode::OK)
}

async fn show(State(api): State<Api>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let mail = find(&api, id).await?;
    let context = context! { mail => shown(&mail.head), text => mail.text };
    pages::render("mail.html", context, StatusCode::OK)
}

async fn html(State(api): State<Api>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let mail = find(&api, id).await?;
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, MAIL_POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, mail.html).into_response())
}

async fn find(api: &Api, id: i64) -> Result<Mail, Problem> {
    let found = mailbox(api)?.mail(id).await.map_err(unreadable)?;
    found.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "request/not_found", "there is nothing under this id")
    })
}

fn shown(head: &MailHead) -> minijinja::Value {
    let at = head.at.replace_nanosecond(0).unwrap_or(head.at).format(&Rfc3339).unwrap_or_default();
    context! { id => head.id, to => head.to.as_str(), subject => head.subject.as_str(), at }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err calls")]
fn unreadable(error: MailboxError) -> Problem {
    tracing::error!(%error, "the caught mails can not be read");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "database/unavailable", "the mails can not be read now")
}
