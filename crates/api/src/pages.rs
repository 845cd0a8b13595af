//! Pages for people that show something of their own: rendered per request, never stored, and without a script.

use std::sync::LazyLock;

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::{Environment, Value};

use crate::problem::Problem;

/// Forms go to this server, and the one frame there is comes from it.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    for (name, source) in [
        ("layout.html", include_str!("../templates/layout.html")),
        ("account.html", include_str!("../templates/account.html")),
        ("mails.html", include_str!("../templates/mails.html")),
        ("mail.html", include_str!("../templates/mail.html")),
        ("sandbox_pay.html", include_str!("../templates/sandbox_pay.html")),
        ("sandbox_challenge.html", include_str!("../templates/sandbox_challenge.html")),
        ("sandbox_account.html", include_str!("../templates/sandbox_account.html")),
        ("sandbox_note.html", include_str!("../templates/sandbox_note.html")),
    ] {
        pages.add_template(name, source).expect("the templates of the program can be read");
    }
    pages
});

/// A page as an answer.
///
/// Where it is has a secret in its address, other sites never learn it; our own do, since under `no-referrer` a browser
/// would say of our forms, too, that they come from nowhere (Fetch, 3.2).
pub(crate) fn render(name: &str, context: Value, status: StatusCode) -> Result<Response, Problem> {
    render_with_forms_to(name, context, status, &[])
}

/// A page as an answer, whose forms may lead to these origins besides: browsers hold a form to its page's policy also where
/// the answer sends them on (CSP 3, `form-action`).
pub(crate) fn render_with_forms_to(
    name: &str,
    context: Value,
    status: StatusCode,
    origins: &[String],
) -> Result<Response, Problem> {
    let html = PAGES.get_template(name).and_then(|page| page.render(context)).map_err(|error| {
        tracing::error!(%error, page = name, "a page could not be rendered");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong on our side")
    })?;
    let forms = ["form-action 'self'"].into_iter().chain(origins.iter().map(String::as_str));
    let policy = format!("{POLICY}; {}", forms.collect::<Vec<_>>().join(" "));
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CONTENT_SECURITY_POLICY, &policy),
    ];
    Ok((status, headers, html).into_response())
}
