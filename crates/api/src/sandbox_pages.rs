//! The sandbox provider's own pages, without a script: where a buyer pays with a test card and passes a challenge, and
//! where a store's account is activated. They are there only if the sandbox is asked for money.
//!
//! What opens a page stands in the query, which is not logged.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use garde::Validate;
use minijinja::{Value, context};
use payments::sandbox::{Card, Error, Field, PaymentPage, Sandbox, Step, Wrong, test_cards};
use platform::{Code, ServiceError};
use serde::Deserialize;
use url::Url;

use crate::Api;
use crate::account_pages::check_origin;
use crate::extract::Query;
use crate::pages;
use crate::problem::Problem;

pub(crate) fn routes(api: &Api) -> Router {
    let Some(sandbox) = &api.sandbox else { return Router::new() };
    Router::new()
        .route("/sandbox/pay", get(show).post(pay))
        .route("/sandbox/challenge", get(show).post(answer))
        .route("/sandbox/account", get(account).post(activate))
        .with_state(Pages { api: api.clone(), sandbox: Arc::clone(sandbox) })
}

#[derive(Clone)]
struct Pages {
    api: Api,
    sandbox: Arc<dyn Sandbox>,
}

/// Which payment.
#[derive(Deserialize, Validate)]
struct Session {
    #[garde(skip)]
    #[serde(default)]
    session: String,
}

/// Which account.
#[derive(Deserialize, Validate)]
struct Account {
    #[garde(skip)]
    #[serde(default)]
    account: String,
}

/// The card form. It is never written anywhere.
#[derive(Deserialize)]
struct CardForm {
    #[serde(default)]
    number: String,
    #[serde(default)]
    expiry: String,
    #[serde(default)]
    cvc: String,
    #[serde(default)]
    action: String,
}

/// A form of buttons.
#[derive(Deserialize)]
struct Buttons {
    #[serde(default)]
    action: String,
}

async fn show(
    State(pages): State<Pages>,
    Query(Session { session }): Query<Session>,
) -> Result<Response, Problem> {
    answered(&session, pages.sandbox.page(&session).await, "")
}

async fn pay(
    State(pages): State<Pages>,
    Query(Session { session }): Query<Session>,
    headers: HeaderMap,
    Form(form): Form<CardForm>,
) -> Result<Response, Problem> {
    check_origin(&pages.api, &headers)?;
    if form.action == "cancel" {
        return match pages.sandbox.cancel(&session).await {
            Ok(page) if page.step == Step::Closed => Ok(go(page.cancel_url.as_deref(), &page)),
            other => answered(&session, other, ""),
        };
    }
    let card = Card { number: form.number, expiry: form.expiry, cvc: form.cvc };
    answered(&session, pages.sandbox.submit(&session, &card).await, &card.expiry)
}

async fn answer(
    State(pages): State<Pages>,
    Query(Session { session }): Query<Session>,
    headers: HeaderMap,
    Form(Buttons { action }): Form<Buttons>,
) -> Result<Response, Problem> {
    check_origin(&pages.api, &headers)?;
    answered(&session, pages.sandbox.answer_challenge(&session, action == "approve").await, "")
}

/// The page for what is next, or the way on.
fn answered(session: &str, page: Result<PaymentPage, Error>, expiry: &str) -> Result<Response, Problem> {
    let page = match page {
        Ok(page) => page,
        Err(error) if error.code() == Code::NotFound => return closed(StatusCode::NOT_FOUND, None),
        Err(error) => return Err(error.into()),
    };
    match &page.step {
        Step::Card(wrong) => card_form(session, &page, wrong, expiry),
        Step::Challenge => {
            let context = context! { session, ..about(&page) };
            pages::render_with_forms_to("sandbox_challenge.html", context, StatusCode::OK, &leads_to(&page))
        }
        Step::Return => Ok(go(page.return_url.as_deref(), &page)),
        Step::Closed => closed(StatusCode::GONE, page.cancel_url.or(page.return_url).as_deref()),
    }
}

/// What each page tells of a payment.
fn about(page: &PaymentPage) -> Value {
    context! { description => page.description.as_str(), amount => page.amount.to_string() }
}

fn card_form(session: &str, page: &PaymentPage, wrong: &[Wrong], expiry: &str) -> Result<Response, Problem> {
    let of = |field| wrong.iter().find(|wrong| wrong.field == field).map(|wrong| wrong.message);
    let cards: Vec<_> = test_cards()
        .iter()
        .map(|card| context! { number => in_groups(card.number), about => card.about })
        .collect();
    let context = context! {
        session, expiry, cards,
        problems => !wrong.is_empty(),
        number_problem => of(Field::Number), expiry_problem => of(Field::Expiry), cvc_problem => of(Field::Cvc),
        ..about(page)
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    pages::render_with_forms_to("sandbox_pay.html", context, status, &leads_to(page))
}

/// A card's number as it is printed on one.
fn in_groups(number: &str) -> String {
    let groups: Vec<&str> = match number.len() {
        15 => vec![&number[..4], &number[4..10], &number[10..]],
        _ => (0..number.len()).step_by(4).map(|at| &number[at..(at + 4).min(number.len())]).collect(),
    };
    groups.join(" ")
}

/// Where the shop is: the way on after a form, for which the page has to allow its forms to go there.
fn leads_to(page: &PaymentPage) -> Vec<String> {
    let urls = [&page.return_url, &page.cancel_url].into_iter().flatten();
    let mut origins: Vec<String> =
        urls.filter_map(|url| web_address(url)).map(|url| url.origin().ascii_serialization()).collect();
    origins.dedup();
    origins
}

/// The address, if a browser may be sent there.
fn web_address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// Sends the buyer on, or says that all is done when nobody said where to.
fn go(to: Option<&str>, page: &PaymentPage) -> Response {
    match to.and_then(web_address) {
        Some(url) => Redirect::to(url.as_str()).into_response(),
        None => {
            let context =
                context! { title => "All is done here", line => "You can close this window.", ..about(page) };
            pages::render("sandbox_note.html", context, StatusCode::OK)
                .unwrap_or_else(IntoResponse::into_response)
        }
    }
}

fn closed(status: StatusCode, back: Option<&str>) -> Result<Response, Problem> {
    let line =
        "It was paid, called off or left for too long, or its address is not whole. No money was moved here.";
    let back = back.and_then(web_address).map(String::from);
    pages::render("sandbox_note.html", context! { title => "This page is closed", line, back }, status)
}

async fn account(
    State(pages): State<Pages>,
    Query(Account { account }): Query<Account>,
) -> Result<Response, Problem> {
    let found = match pages.sandbox.account(&account).await {
        Err(error) if error.code() == Code::NotFound => return closed(StatusCode::NOT_FOUND, None),
        found => found?,
    };
    let back = web_address(&found.return_url);
    let origins: Vec<String> = back.iter().map(|url| url.origin().ascii_serialization()).collect();
    let context = context! { account, active => found.active, back => back.map(String::from) };
    pages::render_with_forms_to("sandbox_account.html", context, StatusCode::OK, &origins)
}

async fn activate(
    State(pages): State<Pages>,
    Query(Account { account }): Query<Account>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_origin(&pages.api, &headers)?;
    let found = match pages.sandbox.activate(&account).await {
        Err(error) if error.code() == Code::NotFound => return closed(StatusCode::NOT_FOUND, None),
        found => found?,
    };
    Ok(match web_address(&found.return_url) {
        Some(url) => Redirect::to(url.as_str()).into_response(),
        None => Redirect::to(&format!("/sandbox/account?account={}", found.reference)).into_response(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_digits_as_cards_do() {
        assert_eq!(in_groups("4242424242424242"), "4242 4242 4242 4242");
        assert_eq!(in_groups("378282246310005"), "3782 822463 10005");
    }

    #[test]
    fn sends_nobody_to_what_is_no_page() {
        assert!(web_address("https://shop.example/done?order=1").is_some());
        for other in ["javascript:alert(1)", "data:text/html,x", "/done", ""] {
            assert!(web_address(other).is_none(), "{other}");
        }
    }
}
