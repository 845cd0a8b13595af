//! Signing in with an account elsewhere: OpenID Connect, and GitHub's OAuth 2.

use async_trait::async_trait;
use platform::Secret;
use serde::Serialize;
use time::OffsetDateTime;
use url::Url;
use utoipa::ToSchema;

use crate::{Actor, Error, Service, SignIn};

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

/// A login that goes on elsewhere.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub address: Url,
    /// To be kept by the browser that began, and shown when it comes back.
    pub binding: Secret,
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

    /// The accounts elsewhere of whoever asks.
    async fn external_accounts(&self, actor: &Actor) -> Result<Vec<ExternalAccount>, Error>;
}

#[async_trait]
impl Federation for Service {
    fn providers(&self) -> Vec<ProviderInfo> {
        Vec::new()
    }

    async fn external_accounts(&self, _: &Actor) -> Result<Vec<ExternalAccount>, Error> {
        Ok(Vec::new())
    }
}

/// What the flows work with.
#[derive(Default)]
pub(crate) struct Tools {}
