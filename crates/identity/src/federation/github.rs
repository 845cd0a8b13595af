//! GitHub, which speaks OAuth 2 and tells who somebody is by its API.
//!
//! <https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps>

use openidconnect::http::{Method, Request, StatusCode, header};
use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use platform::{Email, Secret};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;
use url::form_urlencoded::Serializer;

use super::http::HttpError;
use super::{Exchange, Person, Wish, unavailable};
use crate::settings::Provider;
use crate::{Error, Parts};

/// Where everybody's GitHub is; a company's own is named by `issuer`.
pub(super) const ISSUER: &str = "https://github.com";
const API: &str = "https://api.github.com";
/// Which form of the API's answers is read.
const API_VERSION: &str = "2022-11-28";
const SCOPE: &str = "read:user user:email";

/// The name of this GitHub, without a slash at its end.
fn issuer(provider: &Provider) -> &str {
    provider.issuer.as_deref().unwrap_or(ISSUER).trim_end_matches('/')
}

/// Where its API is; that of a company's own lies beside its pages.
fn api(provider: &Provider) -> String {
    match issuer(provider) {
        ISSUER => API.to_owned(),
        own => format!("{own}/api/v3"),
    }
}

pub(super) fn address(provider: &Provider, wish: &Wish<'_>) -> Result<Url, Error> {
    let verifier = PkceCodeVerifier::new(wish.verifier.expose().to_owned());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    let mut address =
        Url::parse(&format!("{}/login/oauth/authorize", issuer(provider))).map_err(unavailable)?;
    address
        .query_pairs_mut()
        .append_pair("client_id", &provider.client_id)
        .append_pair("redirect_uri", wish.callback.as_str())
        .append_pair("response_type", "code")
        .append_pair("scope", SCOPE)
        .append_pair("state", wish.state.expose())
        .append_pair("code_challenge", challenge.as_str())
        .append_pair("code_challenge_method", "S256");
    Ok(address)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Given { access_token: String },
    Refused { error: String },
}

#[derive(Deserialize)]
struct Account {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

pub(super) async fn person(
    parts: &Parts,
    provider: &Provider,
    exchange: &Exchange<'_>,
) -> Result<Person, Error> {
    let token = token(parts, provider, exchange).await?;
    let account: Account = read(parts, provider, "/user", &token).await?;
    let addresses: Vec<Address> = read(parts, provider, "/user/emails", &token).await?;
    let primary = addresses.into_iter().find(|address| address.primary);
    let verified = primary.as_ref().is_some_and(|address| address.verified);
    Ok(Person {
        issuer: issuer(provider).to_owned(),
        subject: account.id.to_string(),
        email: primary.and_then(|address| address.email.parse::<Email>().ok()),
        email_verified: verified,
        name: Some(account.name.filter(|name| !name.trim().is_empty()).unwrap_or(account.login)),
    })
}

async fn token(parts: &Parts, provider: &Provider, exchange: &Exchange<'_>) -> Result<Secret, Error> {
    let form = Serializer::new(String::new())
        .append_pair("client_id", &provider.client_id)
        .append_pair("client_secret", provider.client_secret.expose())
        .append_pair("code", exchange.code.expose())
        .append_pair("redirect_uri", exchange.callback.as_str())
        .append_pair("code_verifier", exchange.verifier.expose())
        .finish();
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/login/oauth/access_token", issuer(provider)))
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.into_bytes())
        .map_err(unavailable)?;
    // A refusal is told with a status of success.
    match send(parts, request).await? {
        Token::Given { access_token } => Ok(Secret::presented(&access_token)),
        Token::Refused { error } => Err(super::refused(&error)),
    }
}

async fn read<T: DeserializeOwned>(
    parts: &Parts,
    provider: &Provider,
    path: &str,
    token: &Secret,
) -> Result<T, Error> {
    let request = Request::builder()
        .uri(format!("{}{path}", api(provider)))
        .header(header::ACCEPT, "application/vnd.github+json")
        .header(header::AUTHORIZATION, format!("Bearer {}", token.expose()))
        .header("X-GitHub-Api-Version", API_VERSION)
        .body(Vec::new())
        .map_err(unavailable)?;
    send(parts, request).await
}

async fn send<T: DeserializeOwned>(parts: &Parts, request: Request<Vec<u8>>) -> Result<T, Error> {
    let response =
        parts.federation.http.send(request).await.map_err(|error: HttpError| unavailable(error))?;
    match response.status() {
        StatusCode::OK => serde_json::from_slice(response.body()).map_err(unavailable),
        status if status.is_client_error() => Err(super::refused(status.as_str())),
        status => Err(unavailable(format!("it answered with status {status}"))),
    }
}
