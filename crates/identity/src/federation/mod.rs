//! Signing in with an account elsewhere: OpenID Connect, and GitHub's OAuth 2.
//!
//! A flow belongs to the browser that began it, is good once, and ends at the provider it began with. Who comes back is
//! known by issuer and subject (OpenID Connect Core, 5.7); an address alone opens no account that is there already.
mod apple;
mod flow;
mod github;
mod http;
mod oidc;
mod people;

use async_trait::async_trait;
use platform::{Email, Secret};
use serde::Serialize;
use time::OffsetDateTime;
use url::Url;
use utoipa::ToSchema;

use crate::settings::{Provider, ProviderKind};
use crate::{Actor, Client, Error, Parts, Service, SignIn};

pub(crate) use apple::is_key as is_apple_key;

/// Where people can sign in besides.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderInfo {
    /// Its name in addresses.
    #[schema(example = "google")]
    pub name: String,
    /// What buyers read on the button.
    #[schema(example = "Google")]
    pub title: String,
}

/// An account elsewhere that can sign in here.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExternalAccount {
    /// Where.
    #[schema(example = "google")]
    pub provider: String,
    /// Its address there.
    pub email: Option<String>,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last used to sign in.
    #[serde(with = "time::serde::rfc3339")]
    pub last_used_at: OffsetDateTime,
}

/// A wish to sign in with an account elsewhere, or to link one.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Our address that the provider sends the browser back to.
    pub callback: Url,
    /// Where the browser goes in the end: a path of ours.
    pub return_to: String,
    /// Whether the account elsewhere is linked to the account of whoever asks; else somebody signs in.
    pub link: bool,
    /// What the browser keeps of another flow that it began and has not ended.
    pub binding: Option<Secret>,
}

/// A login that goes on elsewhere.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub address: Url,
    /// To be kept by the browser that began, and shown when it comes back.
    pub binding: Secret,
}

/// What a browser brings back from a provider (RFC 6749, 4.1.2).
#[derive(Clone, Debug, Default)]
pub struct CameBack {
    /// Names the flow.
    pub state: Option<Secret>,
    /// Good for what the provider says of somebody.
    pub code: Option<Secret>,
    /// Why there is no code.
    pub error: Option<String>,
    /// Who the provider says it is (RFC 9207).
    pub issuer: Option<String>,
    /// What the browser kept.
    pub binding: Option<Secret>,
}

/// How a login that came back ends.
#[derive(Debug)]
pub struct Returned {
    /// Where the browser goes: a path of ours.
    pub return_to: String,
    /// What has become of it.
    pub outcome: Result<Finished, Error>,
}

/// A login that came back.
#[derive(Clone, Debug)]
pub enum Finished {
    /// Somebody signs in.
    SignIn(SignIn),
    /// An account elsewhere was linked to the account of whoever asked.
    Linked,
}

/// Signing in with an account elsewhere.
#[async_trait]
pub trait Federation: Send + Sync + 'static {
    /// Where people can sign in besides.
    fn providers(&self) -> Vec<ProviderInfo>;

    /// Begins a flow at this provider. It has to come back within ten minutes.
    async fn begin(&self, actor: &Actor, provider: &str, wish: &Begin) -> Result<Begun, Error>;

    /// Ends a flow, for better or worse; it does not come back a second time. Whoever began it to link an account has
    /// to be `actor` still.
    async fn finish(&self, actor: &Actor, client: &Client, provider: &str, back: &CameBack) -> Returned;

    /// The accounts elsewhere of whoever asks.
    async fn external_accounts(&self, actor: &Actor) -> Result<Vec<ExternalAccount>, Error>;

    /// Takes away the account at this provider. Refused if nothing else is left to sign in with.
    async fn unlink(&self, actor: &Actor, provider: &str) -> Result<(), Error>;
}

#[async_trait]
impl Federation for Service {
    fn providers(&self) -> Vec<ProviderInfo> {
        let title = |provider: &Provider| provider.title.clone().unwrap_or_else(|| usual_title(provider));
        let providers = self.0.settings.providers.iter();
        providers
            .map(|provider| ProviderInfo { name: provider.name.clone(), title: title(provider) })
            .collect()
    }

    async fn begin(&self, actor: &Actor, provider: &str, wish: &Begin) -> Result<Begun, Error> {
        flow::begin(&self.0, actor, provider, wish).await
    }

    async fn finish(&self, actor: &Actor, client: &Client, provider: &str, back: &CameBack) -> Returned {
        flow::finish(&self.0, actor, client, provider, back).await
    }

    async fn external_accounts(&self, actor: &Actor) -> Result<Vec<ExternalAccount>, Error> {
        people::list(&self.0, actor).await
    }

    async fn unlink(&self, actor: &Actor, provider: &str) -> Result<(), Error> {
        people::unlink(&self.0, actor, provider).await
    }
}

/// What the flows work with.
#[derive(Default)]
pub(crate) struct Tools {
    http: http::Http,
    known: oidc::Known,
}

/// What a provider is asked with.
struct Wish<'a> {
    callback: &'a Url,
    state: &'a Secret,
    nonce: &'a Secret,
    verifier: &'a Secret,
}

/// What is shown to a provider to be told who came back.
struct Exchange<'a> {
    callback: &'a Url,
    code: &'a Secret,
    verifier: &'a Secret,
    /// The hash of the nonce.
    nonce: &'a [u8],
    /// Who the answer says it is from.
    issuer: Option<&'a str>,
}

/// Somebody, as a provider knows them.
struct Person {
    /// Issuer and subject name somebody for good; nothing else does.
    issuer: String,
    subject: String,
    email: Option<Email>,
    /// Whether the provider has seen that the mailbox is theirs.
    email_verified: bool,
    name: Option<String>,
}

/// The provider of this name.
fn provider<'a>(parts: &'a Parts, name: &str) -> Result<&'a Provider, Error> {
    let found = parts.settings.providers.iter().find(|provider| provider.name == name);
    found.ok_or_else(|| Error::UnknownProvider(name.chars().take(50).collect()))
}

async fn address(parts: &Parts, provider: &Provider, wish: &Wish<'_>) -> Result<Url, Error> {
    match provider.kind {
        ProviderKind::Github => github::address(provider, wish),
        ProviderKind::Oidc | ProviderKind::Google | ProviderKind::Apple => {
            oidc::address(parts, provider, wish).await
        }
    }
}

async fn person(parts: &Parts, provider: &Provider, exchange: &Exchange<'_>) -> Result<Person, Error> {
    match provider.kind {
        ProviderKind::Github => github::person(parts, provider, exchange).await,
        ProviderKind::Oidc | ProviderKind::Google | ProviderKind::Apple => {
            oidc::person(parts, provider, exchange).await
        }
    }
}

fn usual_title(provider: &Provider) -> String {
    match provider.kind {
        ProviderKind::Google => "Google".to_owned(),
        ProviderKind::Apple => "Apple".to_owned(),
        ProviderKind::Github => "GitHub".to_owned(),
        ProviderKind::Oidc => provider.name.clone(),
    }
}

/// Whether a host is this machine, to which nobody can listen on the way.
pub(crate) fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::ProviderUnavailable(error.into())
}

/// What comes from elsewhere is shortened to what a line can hold.
fn refused(why: &str) -> Error {
    Error::ProviderRefused(why.chars().filter(|c| !c.is_control()).take(200).collect())
}
