//! Who is asked for money: Stripe if its secret key is set, else the sandbox.

use anyhow::{Context, bail};
use payments::{ProviderSettings, StripeSettings};
use platform::Secret;
use url::Url;

use super::masked::Masked;

/// Stripe with these keys, if there are any.
pub(super) fn provider(
    key: Option<&Masked>,
    webhook_secrets: &[Masked],
    api_base: &Url,
    sandbox_secret: [u8; 32],
) -> anyhow::Result<ProviderSettings> {
    let Some(key) = key else {
        if !webhook_secrets.is_empty() {
            bail!("stripe_webhook_secrets are set, but stripe_secret_key is not");
        }
        return Ok(ProviderSettings::Sandbox { secret: sandbox_secret });
    };
    if webhook_secrets.is_empty() {
        bail!("stripe_secret_key is set: say in stripe_webhook_secrets what Stripe signs its notices with");
    }
    if !webhook_secrets.iter().all(|secret| secret.expose().starts_with("whsec_")) {
        bail!("stripe_webhook_secrets: each begins with whsec_");
    }
    let settings = StripeSettings {
        secret_key: Secret::presented(key.expose()),
        webhook_secrets: webhook_secrets.iter().map(|secret| Secret::presented(secret.expose())).collect(),
        api_base: api_base.clone(),
    };
    settings.check().context("stripe_secret_key and stripe_api_base")?;
    Ok(ProviderSettings::Stripe(settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(key: Option<&str>, secrets: &[&str], base: &str) -> anyhow::Result<ProviderSettings> {
        let masked = |text: &&str| serde_json::from_value::<Masked>((*text).into()).unwrap();
        let secrets: Vec<Masked> = secrets.iter().map(masked).collect();
        provider(key.map(|key| masked(&key)).as_ref(), &secrets, &base.parse().unwrap(), [0; 32])
    }

    #[test]
    fn a_key_chooses_stripe() {
        let api = StripeSettings::API;
        assert!(matches!(chosen(None, &[], api), Ok(ProviderSettings::Sandbox { .. })));
        assert!(matches!(chosen(Some("sk_test_1"), &["whsec_1"], api), Ok(ProviderSettings::Stripe(_))));
    }

    /// What is wrong is told before anything is served, and without the secrets.
    #[test]
    fn half_a_configuration_is_refused() {
        let api = StripeSettings::API;
        for (key, secrets, base, told) in [
            (None, vec!["whsec_1"], api, "stripe_secret_key is not"),
            (Some("sk_test_1"), vec![], api, "stripe_webhook_secrets"),
            (Some("sk_test_1"), vec!["s3cret"], api, "begins with whsec_"),
            (Some("pk_test_s3cret"), vec!["whsec_1"], api, "begins with sk_ or rk_"),
            (Some("sk_test_1"), vec!["whsec_1"], "http://stripe.example/", "without TLS"),
        ] {
            let error = format!("{:#}", chosen(key, &secrets, base).unwrap_err());
            assert!(error.contains(told), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
