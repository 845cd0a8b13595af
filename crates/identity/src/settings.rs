//! What may differ from one marketplace to the next.

use std::time::Duration;

use platform::Vault;
use serde::{Deserialize, Serialize};
use url::Url;

/// The settings of this module.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where buyers reach Souk: the issuer of tokens and the home of passkeys.
    pub public_url: Url,
    /// The name of the marketplace, as authenticator apps show it.
    pub name: String,
    /// Seals what is kept in the database.
    pub vault: Vault,
    /// How long a login lives after it was last used.
    pub session_idle: Duration,
    /// How long a login lives at most.
    pub session_lifetime: Duration,
    /// How long a login of an operator lives after it was last used.
    pub operator_session_idle: Duration,
    /// How long an access token is good.
    pub access_token_lifetime: Duration,
    /// How long a refresh token that was used may be shown again by an honest retry.
    pub refresh_grace: Duration,
    /// Where people can sign in besides.
    pub providers: Vec<Provider>,
}

impl Settings {
    /// The usual settings of a marketplace at this address.
    pub fn new(public_url: Url, vault: Vault) -> Self {
        const HOUR: u64 = 60 * 60;
        const DAY: u64 = 24 * HOUR;
        Self {
            public_url,
            name: "Souk".to_owned(),
            vault,
            session_idle: Duration::from_secs(14 * DAY),
            session_lifetime: Duration::from_secs(90 * DAY),
            operator_session_idle: Duration::from_secs(12 * HOUR),
            access_token_lifetime: Duration::from_secs(15 * 60),
            refresh_grace: Duration::from_secs(30),
            providers: Vec::new(),
        }
    }
}

/// Somewhere people have accounts with which they can sign in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name in addresses: small letters, digits and hyphens.
    pub name: String,
    /// How it is spoken to.
    pub kind: ProviderKind,
    /// The issuer of an OpenID provider; known for Google and Apple.
    #[serde(default)]
    pub issuer: Option<Url>,
    /// Our name there.
    pub client_id: String,
    /// Our secret there. Of Apple: the private key (PEM) of the developer account.
    pub client_secret: String,
    /// Of Apple: the team and the name of the key.
    #[serde(default)]
    pub team_id: Option<String>,
    /// Of Apple: the name of the key.
    #[serde(default)]
    pub key_id: Option<String>,
    /// What buyers read on the button.
    #[serde(default)]
    pub title: Option<String>,
}

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// Any issuer of OpenID Connect.
    Oidc,
    /// Google: OpenID Connect.
    Google,
    /// Apple: OpenID Connect with a signed client secret and a posted answer.
    Apple,
    /// GitHub: OAuth 2 and an API.
    Github,
}
