//! Where links in mails lead: small pages without a script. Programs that scan mail follow links, so that nothing is
//! done before somebody sends the form.

use std::borrow::Cow;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum_extra::extract::CookieJar;
use garde::Validate;
use identity::{Credentials, LogIn, SessionKind, SignIn};
use minijinja::context;
use minijinja::value::Serde;
use platform::{Email, Secret};
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::auth::{Caller, SignInFrom};
use crate::extract::Query;
use crate::pages;
use crate::problem::Problem;
use crate::rest::merge_after_login;

pub(crate) fn routes(api: Api) -> Router {
    Router::new()
        .route("/account/verify", get(ask_verify).post(verify))
        .route("/account/resend", get(ask_resend).post(resend))
        .route("/account/email", get(ask_email).post(confirm_email))
        .route("/account/reset", get(ask_reset).post(reset))
        .route("/account/forgot", get(ask_forgot).post(forgot))
        .route("/account/invitation", get(ask_invitation).post(accept))
        .route("/account/login", get(ask_login).post(log_in))
        .with_state(api)
}

/// What a page shows.
#[derive(Default, Serialize)]
struct Page {
    title: &'static str,
    lines: Vec<&'static str>,
    /// What else somebody should know.
    notes: Vec<String>,
    /// Whether what was asked for is done.
    done: bool,
    problem: Option<String>,
    form: Option<Fields>,
    links: Vec<Link>,
}

#[derive(Serialize)]
struct Fields {
    action: &'static str,
    button: &'static str,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    value: String,
    problem: Option<String>,
}

#[derive(Serialize)]
struct Link {
    address: Cow<'static, str>,
    text: &'static str,
}

const LOGIN: Link = Link { address: Cow::Borrowed("/account/login"), text: "Sign in" };
const FORGOT: Link = Link { address: Cow::Borrowed("/account/forgot"), text: "Have a new password mailed" };
const RESEND: Link = Link { address: Cow::Borrowed("/account/resend"), text: "Have the mail sent again" };

impl Field {
    fn hidden(name: &'static str, value: String) -> Self {
        Self { name, label: "", kind: "hidden", autocomplete: "off", value, problem: None }
    }

    fn email(value: String, problem: Option<String>) -> Self {
        Self {
            name: "email",
            label: "Email address",
            kind: "email",
            autocomplete: "username",
            value,
            problem,
        }
    }

    fn password(label: &'static str, autocomplete: &'static str, problem: Option<String>) -> Self {
        Self { name: "password", label, kind: "password", autocomplete, value: String::new(), problem }
    }
}

impl Page {
    fn new(title: &'static str) -> Self {
        Self { title, ..Self::default() }
    }

    fn line(mut self, line: &'static str) -> Self {
        self.lines.push(line);
        self
    }

    fn link(mut self, link: Link) -> Self {
        self.links.push(link);
        self
    }

    fn form(mut self, action: &'static str, button: &'static str, fields: Vec<Field>) -> Self {
        self.form = Some(Fields { action, button, fields });
        self
    }

    fn done(title: &'static str, line: &'static str) -> Self {
        Self { done: true, ..Self::new(title).line(line) }
    }

    fn show(&self, status: StatusCode) -> Result<Response, Problem> {
        pages::render("account.html", context! { ..minijinja::Value::from(Serde(self)) }, status)
    }

    /// The page with what went wrong. What is our fault is no page.
    fn refused(mut self, error: identity::Error) -> Result<Response, Problem> {
        let problem = Problem::from(error);
        if problem.status.is_server_error() {
            return Err(problem);
        }
        self.problem = Some(problem.message);
        self.show(problem.status)
    }
}

/// The secret of a link.
#[derive(Deserialize, Validate)]
struct Token {
    #[garde(skip)]
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct NewPassword {
    #[serde(default)]
    token: String,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
struct Address {
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    /// The invitation to go on with.
    #[serde(default)]
    token: String,
}

/// Refuses a form that another site has a browser send, also where no cookie is needed to do harm.
pub(crate) fn check_origin(api: &Api, headers: &HeaderMap) -> Result<(), Problem> {
    let own = api.settings.public_url.origin().ascii_serialization();
    match headers.get(header::ORIGIN) {
        Some(origin) if origin.as_bytes() != own.as_bytes() => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "request/cross_site",
            "this form does not come from one of our own pages",
        )),
        _ => Ok(()),
    }
}

async fn ask_verify(Query(link): Query<Token>) -> Result<Response, Problem> {
    verify_form(link.token, None).show(StatusCode::OK)
}

fn verify_form(token: String, problem: Option<String>) -> Page {
    let password = Field::password("The password you chose", "current-password", problem);
    Page::new("Confirm your email address")
        .line("This shows that the mailbox is yours, and the password that the registration is. After it you can sign in.")
        .form("/account/verify", "Confirm the address", vec![Field::hidden("token", token), password])
        .link(RESEND)
}

async fn verify(
    State(api): State<Api>,
    headers: HeaderMap,
    from: SignInFrom,
    Form(body): Form<NewPassword>,
) -> Result<Response, Problem> {
    check_origin(&api, &headers)?;
    let (token, password) = (Secret::presented(&body.token), Secret::presented(&body.password));
    match api.identity.accounts.verify_email(&from.origin, &token, &password).await {
        Ok(()) => Page::done("Your address is confirmed", "Thank you. You can sign in now.")
            .link(LOGIN)
            .show(StatusCode::OK),
        Err(identity::Error::WrongPassword) => {
            let problem = "This is not the password of this registration.".to_owned();
            verify_form(body.token, Some(problem)).show(StatusCode::FORBIDDEN)
        }
        Err(error) => Page::new("The address was not confirmed").link(RESEND).link(LOGIN).refused(error),
    }
}

async fn ask_resend() -> Result<Response, Problem> {
    resend_form(String::new(), None).show(StatusCode::OK)
}

fn resend_form(email: String, problem: Option<String>) -> Page {
    Page::new("Have the mail sent again")
        .line("If this address waits to be confirmed, it gets another mail. Earlier links stay good.")
        .form("/account/resend", "Send it again", vec![Field::email(email, problem)])
}

async fn resend(
    State(api): State<Api>,
    headers: HeaderMap,
    Form(body): Form<Address>,
) -> Result<Response, Problem> {
    check_origin(&api, &headers)?;
    let Ok(email) = body.email.trim().parse::<Email>() else {
        return resend_form(body.email, no_address()).show(StatusCode::UNPROCESSABLE_ENTITY);
    };
    match api.identity.accounts.resend_verification(&email).await {
        Ok(()) => Page::done(
            "Look into your mailbox",
            "If the address waits to be confirmed, a mail is on its way.",
        )
        .show(StatusCode::OK),
        Err(error) => resend_form(body.email, None).refused(error),
    }
}

fn no_address() -> Option<String> {
    Some("This is no email address.".to_owned())
}

async fn ask_email(Query(link): Query<Token>) -> Result<Response, Problem> {
    Page::new("Confirm your new email address")
        .line("After it, mail goes to the new address, and you sign in with it.")
        .form("/account/email", "Confirm the new address", vec![Field::hidden("token", link.token)])
        .show(StatusCode::OK)
}

async fn confirm_email(
    State(api): State<Api>,
    headers: HeaderMap,
    Caller(actor): Caller,
    Form(link): Form<Token>,
) -> Result<Response, Problem> {
    check_origin(&api, &headers)?;
    if actor.user_id().is_none() {
        return Page::new("Sign in first")
            .line("Sign in to the account whose address you change, then open the link of the mail again.")
            .link(LOGIN)
            .show(StatusCode::UNAUTHORIZED);
    }
    match api.identity.accounts.confirm_email_change(&actor, &Secret::presented(&link.token)).await {
        Ok(()) => Page::done("Your address was changed", "Your account has the new address now.")
            .link(LOGIN)
            .show(StatusCode::OK),
        Err(error) => Page::new("The address was not changed").link(LOGIN).refused(error),
    }
}

async fn ask_reset(Query(link): Query<Token>) -> Result<Response, Problem> {
    if link.token.is_empty() {
        return ask_forgot().await;
    }
    reset_form(link.token, None).show(StatusCode::OK)
}

fn reset_form(token: String, problem: Option<String>) -> Page {
    let password = Field::password("New password", "new-password", problem);
    Page::new("Set a new password").line("Every other login ends with it.").form(
        "/account/reset",
        "Set the password",
        vec![Field::hidden("token", token), password],
    )
}

async fn reset(
    State(api): State<Api>,
    headers: HeaderMap,
    from: SignInFrom,
    Form(body): Form<NewPassword>,
) -> Result<Response, Problem> {
    check_origin(&api, &headers)?;
    let (token, password) = (Secret::presented(&body.token), Secret::presented(&body.password));
    match api.identity.accounts.reset_password(&from.origin, &token, &password).await {
        Ok(()) => Page::done("Your password is set", "Sign in with it from now on.")
            .link(LOGIN)
            .show(StatusCode::OK),
        Err(error @ (identity::Error::WeakPassword(_) | identity::Error::Invalid { .. })) => {
            reset_form(body.token, Some(error.to_string())).show(StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(error) => Page::new("The password was not set").link(FORGOT).refused(error),
    }
}

async fn ask_forgot() -> Result<Response, Problem> {
    forgot_form(String::new(), None).show(StatusCode::OK)
}

fn forgot_form(email: String, problem: Option<String>) -> Page {
    Page::new("Set a new password")
        .line("If there is an account with this address, it gets a mail with a link.")
        .form("/account/forgot", "Send the link", vec![Field::email(email, problem)])
}

async fn forgot(
    State(api): State<Api>,
    headers: HeaderMap,
    Form(body): Form<Address>,
) -> Result<Response, Problem> {
    check_origin(&api, &headers)?;
    let Ok(email) = body.email.trim().parse::<Email>() else {
        return forgot_form(body.email, no_address()).show(StatusCode::UNPROCESSABLE_ENTITY);
    };
    match api.identity.accounts.request_password_reset(&email).await {
        Ok(()) => Page::done(
            "Look into your mailbox",
            "If there is an account with this address, a mail is on its way.",
        )
        .show(StatusCode::OK),
        Err(error) => forgot_form(body.email, None).refused(error),
    }
}

async fn ask_invitation(Caller(actor): Caller, Query(link): Query<Token>) -> Result<Response, Problem> {
    if actor.user_id().is_none() {
        return login_form(String::new(), link.token, None)
            .line("This is an invitation to work for a store. Sign in with an account of the address it went to; if there is none yet, open one first and come back to the link.")
            .show(StatusCode::OK);
    }
    invitation_form(link.token).show(StatusCode::OK)
}

fn invitation_form(token: String) -> Page {
    Page::new("An invitation to work for a store")
        .line("Once you accept, you can look after the store in the role the mail names.")
        .form("/account/invitation", "Accept the invitation", vec![Field::hidden("token", token)])
}

async fn accept(
    State(api): State<Api>,
    headers: HeaderMap,
    Caller(actor): Caller,
    Form(link): Form<Token>,
) -> Result<Response, Problem> {
    check_origin(&api, &headers)?;
    if actor.user_id().is_none() {
        return login_form(String::new(), link.token, None).show(StatusCode::UNAUTHORIZED);
    }
    match api.identity.teams.accept(&actor, &Secret::presented(&link.token)).await {
        Ok(_) => Page::done("You are a member of the store", "You can look after it from now on.")
            .show(StatusCode::OK),
        Err(error) => Page::new("The invitation was not accepted").link(LOGIN).refused(error),
    }
}

async fn ask_login(Query(link): Query<Token>) -> Result<Response, Problem> {
    login_form(String::new(), link.token, None).show(StatusCode::OK)
}

fn login_form(email: String, token: String, problem: Option<String>) -> Page {
    let password = Field::password("Password", "current-password", None);
    let fields = vec![Field::hidden("token", token), Field::email(email, problem), password];
    Page::new("Sign in").form("/account/login", "Sign in", fields).link(FORGOT)
}

async fn log_in(
    State(api): State<Api>,
    headers: HeaderMap,
    from: SignInFrom,
    Form(body): Form<Login>,
) -> Result<Response, Problem> {
    check_origin(&api, &headers)?;
    let Ok(email) = body.email.trim().parse::<Email>() else {
        let form = login_form(body.email, body.token, no_address());
        return form.show(StatusCode::UNPROCESSABLE_ENTITY);
    };
    let login = LogIn { email, password: Secret::presented(&body.password) };
    let signed_in = match api.identity.sessions.log_in(&from.client(SessionKind::Browser), &login).await {
        Ok(SignIn::Done(signed_in)) => signed_in,
        Ok(SignIn::SecondFactor { .. }) => {
            let line = "This account has a second factor, which this simple page can not ask for. Sign in where you usually do, then open the link of the mail again.";
            return Page::new("Sign in elsewhere").line(line).show(StatusCode::OK);
        }
        Err(error) => return login_form(body.email, body.token, None).refused(error),
    };
    let mut jar = CookieJar::new().add(api.of_device(&signed_in.device));
    let mut notes = Vec::new();
    if let Credentials::Cookie { token, expires_at } = &signed_in.credentials {
        jar = jar.add(api.of_session(token, *expires_at));
        let merged = merge_after_login(&api, &signed_in, &headers).await;
        if merged.clear_cookie {
            jar = jar.add(api.expired(api.cart_cookie()));
        }
        let said = merged.basket.into_iter().flat_map(|basket| basket.notes);
        notes.extend(said.map(|note| format!("Your basket: {}.", note.message)));
    }
    let next = next(&body.token);
    // What became of the basket is said before it goes on.
    if let Some(address) = next.as_ref().filter(|_| notes.is_empty()) {
        return Ok((jar, Redirect::to(address)).into_response());
    }
    let mut page = Page::done("You are signed in", "This browser is signed in to your account.");
    page.notes = notes;
    if let Some(address) = next {
        page = page.link(Link { address: address.into(), text: "Go on to the invitation" });
    }
    Ok((jar, page.show(StatusCode::OK)?).into_response())
}

/// Where somebody goes on after signing in.
fn next(token: &str) -> Option<String> {
    let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    (!token.is_empty()).then(|| format!("/account/invitation?token={token}"))
}
