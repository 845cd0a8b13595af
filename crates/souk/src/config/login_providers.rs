//! Where people can sign in besides: the `[[login_providers]]` of `souk.toml`.

use std::collections::HashSet;

use anyhow::{anyhow, bail};
use identity::{AppleKey, Provider, ProviderKind};
use platform::Secret;
use serde::{Deserialize, Serialize};

use super::masked::Masked;

/// One of them. See `docs/login-providers.md`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginProvider {
    name: String,
    kind: ProviderKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    client_id: String,
    client_secret: Masked,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    team_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
}

/// As the module takes them.
pub(super) fn providers(configured: &[LoginProvider]) -> Vec<Provider> {
    configured.iter().map(LoginProvider::provider).collect()
}

/// Checks them all, and that no two have the same name.
pub(super) fn check(configured: &[LoginProvider]) -> anyhow::Result<()> {
    let mut names = HashSet::new();
    for provider in providers(configured) {
        provider.check().map_err(|wrong| anyhow!("login_providers, {:?}: {wrong}", provider.name))?;
        if !names.insert(provider.name.clone()) {
            bail!("login_providers: two have the name {:?}", provider.name);
        }
    }
    Ok(())
}

impl LoginProvider {
    fn provider(&self) -> Provider {
        let apple = match (&self.team_id, &self.key_id) {
            (None, None) => None,
            (team, key) => Some(AppleKey {
                team_id: team.clone().unwrap_or_default(),
                key_id: key.clone().unwrap_or_default(),
            }),
        };
        Provider {
            name: self.name.clone(),
            kind: self.kind,
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: Secret::presented(self.client_secret.expose()),
            apple,
            title: self.title.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct File {
        login_providers: Vec<LoginProvider>,
    }

    fn read(text: &str) -> Vec<LoginProvider> {
        toml::from_str::<File>(text).unwrap().login_providers
    }

    const TWO: &str = r#"
        [[login_providers]]
        name = "google"
        kind = "google"
        client_id = "souk"
        client_secret = "s3cret"

        [[login_providers]]
        name = "staff"
        kind = "oidc"
        issuer = "https://id.example/staff/"
        client_id = "souk"
        client_secret = "s3cret"
        title = "Staff"
    "#;

    #[test]
    fn are_read_from_tables() {
        let read = read(TWO);
        check(&read).unwrap();
        let providers = providers(&read);
        assert_eq!(providers[1].issuer.as_deref(), Some("https://id.example/staff/"), "as it is written");
        assert_eq!(providers[1].client_secret.expose(), "s3cret");
    }

    #[test]
    fn keep_their_secrets() {
        let file = File { login_providers: read(TWO) };
        let shown =
            format!("{file:?} {} {:?}", toml::to_string(&file).unwrap(), providers(&file.login_providers));
        assert!(shown.contains("***") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn have_names_of_their_own() {
        let twice = read(&TWO.replace("\"staff\"\n", "\"google\"\n"));
        assert!(check(&twice).unwrap_err().to_string().contains("two have the name"));
        let wrong = check(&read(&TWO.replace("https://", "http://"))).unwrap_err().to_string();
        assert!(wrong.contains("\"staff\"") && wrong.contains("https://"), "{wrong}");
    }
}
