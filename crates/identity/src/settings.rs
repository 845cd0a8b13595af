//! What may differ from one marketplace to the next.

use std::time::Duration;

use platform::{Secret, Slug, Vault};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::federation;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name in addresses.
    pub name: String,
    /// How it is spoken to.
    pub kind: ProviderKind,
    /// Its issuer, exactly as it names itself, with or without a slash at the end. Known for Google, Apple and GitHub.
    pub issuer: Option<String>,
    /// Our name there.
    pub client_id: String,
    /// Our secret there. Of Apple: the private key (PEM) of the developer account.
    pub client_secret: Secret,
    /// Of Apple: whose key it is.
    pub apple: Option<AppleKey>,
    /// What buyers read on the button; the provider's own name if not set.
    pub title: Option<String>,
}

/// What names the private key of a developer account of Apple's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppleKey {
    /// The team.
    pub team_id: String,
    /// The key.
    pub key_id: String,
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

impl Provider {
    /// Looks for what is wrong before anybody signs in.
    ///
    /// # Errors
    /// Says what, without a word of the secret.
    pub fn check(&self) -> Result<(), String> {
        self.name.parse::<Slug>().map_err(|_| {
            "name has to be of small letters, digits and single hyphens between them".to_owned()
        })?;
        if self.client_id.is_empty() || self.client_secret.expose().is_empty() {
            return Err("client_id and client_secret have to be set".to_owned());
        }
        match &self.issuer {
            Some(issuer) => check_issuer(issuer)?,
            None if self.kind == ProviderKind::Oidc => return Err("issuer has to be set".to_owned()),
            None => {}
        }
        match (&self.apple, self.kind) {
            (Some(key), ProviderKind::Apple) if !key.team_id.is_empty() && !key.key_id.is_empty() => {
                let good = federation::is_apple_key(&self.client_secret);
                let message =
                    "client_secret has to be the private key of the developer account (PKCS #8 in PEM)";
                if good { Ok(()) } else { Err(message.to_owned()) }
            }
            (_, ProviderKind::Apple) => Err("Apple needs team_id and key_id".to_owned()),
            (Some(_), _) => Err("team_id and key_id are for Apple alone".to_owned()),
            (None, _) => Ok(()),
        }
    }
}

fn check_issuer(issuer: &str) -> Result<(), String> {
    let url = Url::parse(issuer).map_err(|error| format!("issuer can not be read as an address: {error}"))?;
    let safe = match url.scheme() {
        "https" => true,
        "http" => url.host_str().is_some_and(federation::is_this_machine),
        _ => false,
    };
    if !safe {
        return Err("issuer has to begin with https://; http:// is for this machine alone".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err("issuer is an address without a name, a query and a fragment".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(kind: ProviderKind, issuer: Option<&str>) -> Provider {
        Provider {
            name: "elsewhere".to_owned(),
            kind,
            issuer: issuer.map(str::to_owned),
            client_id: "souk".to_owned(),
            client_secret: Secret::presented("s3cret"),
            apple: None,
            title: None,
        }
    }

    #[test]
    fn issuers_are_safe() {
        let of = |issuer| provider(ProviderKind::Oidc, Some(issuer)).check();
        for good in
            ["https://id.example", "https://id.example/tenant/", "http://localhost:9000", "http://[::1]:9"]
        {
            assert_eq!(of(good), Ok(()), "{good}");
        }
        for bad in
            ["http://id.example", "id.example", "ftp://localhost", "https://id.example?a=b", "https://a@b.c"]
        {
            assert!(of(bad).is_err(), "{bad}");
        }
        assert!(provider(ProviderKind::Oidc, None).check().is_err());
        assert_eq!(provider(ProviderKind::Google, None).check(), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        let apple = provider(ProviderKind::Apple, None);
        assert!(apple.check().is_err());
        let key = AppleKey { team_id: "T".to_owned(), key_id: "K".to_owned() };
        let apple = Provider { apple: Some(key.clone()), ..apple };
        assert!(apple.check().unwrap_err().contains("PEM"), "not a key");
        assert!(Provider { apple: Some(key), ..provider(ProviderKind::Google, None) }.check().is_err());
        assert!(
            Provider { name: "Big One".to_owned(), ..provider(ProviderKind::Github, None) }.check().is_err()
        );
        assert!(!format!("{apple:?}{:?}", apple.check()).contains("s3cret"));
    }
}
