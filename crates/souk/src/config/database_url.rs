//! The address of a PostgreSQL, which may hold a password.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use sqlx::postgres::PgConnectOptions;
use url::Url;

/// What stands in place of a secret.
const MASK: &str = "***";

/// The address of a PostgreSQL as it was given. It is kept as text and read by [`DatabaseUrl::options`], so that
/// no error names it; `Debug` and serialization mask it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Takes whatever is given.
    #[expect(clippy::unnecessary_wraps, reason = "the shape that clap calls")]
    pub(crate) fn given(text: &str) -> Result<Self, std::convert::Infallible> {
        Ok(Self(text.to_owned()))
    }

    /// The address itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// How to connect.
    ///
    /// # Errors
    /// Says what is wrong without a word of the address.
    pub(crate) fn options(&self) -> anyhow::Result<PgConnectOptions> {
        self.read()?;
        PgConnectOptions::from_str(&self.0)
            .map_err(|_| anyhow::anyhow!("database_url has a parameter that can not be read"))
    }

    fn read(&self) -> anyhow::Result<Url> {
        let url = Url::parse(&self.0)
            .map_err(|error| anyhow::anyhow!("database_url can not be read as an address: {error}"))?;
        anyhow::ensure!(
            matches!(url.scheme(), "postgres" | "postgresql") && !url.cannot_be_a_base(),
            "database_url has to begin with postgres://"
        );
        // Signs of a password that goes on where the host should be.
        let broken = url.fragment().is_some()
            || url.path().contains('@')
            || url.query_pairs().any(|(name, _)| name.contains('@'));
        anyhow::ensure!(!broken, "database_url has to have / ? # @ in its password as %2F %3F %23 %40");
        // sqlx would log it with its value.
        let unknown = url.query_pairs().any(|(name, _)| name.contains("password") && name != "password");
        anyhow::ensure!(!unknown, "database_url has a second password, for which there is no use");
        Ok(url)
    }

    /// The address with asterisks in place of its secrets.
    fn masked(&self) -> String {
        self.read().map_or_else(|_| MASK.to_owned(), |url| masked(url).into())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.masked())
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

fn masked(mut url: Url) -> Url {
    if url.password().is_some() && url.set_password(Some(MASK)).is_err() {
        url.set_query(None);
    }
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| {
            let secret = name.contains("password") || name.contains("key");
            (name.into_owned(), if secret { MASK.to_owned() } else { value.into_owned() })
        })
        .collect();
    if !pairs.is_empty() {
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_passwords_wherever_they_stand() {
        let url = DatabaseUrl("postgres://souk:s3cret@db/souk?password=s3cret&sslmode=require".to_owned());
        let shown = format!("{url:?} {}", serde_json::to_string(&url).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("sslmode=require"));
        assert!(url.options().is_ok());
    }

    /// A password that is not encoded moves into other parts of the address.
    #[test]
    fn no_error_names_the_address() {
        for wrong in [
            "s3cret",
            "postgres:s3cret",
            "s3cret://db/souk",
            "mysql://me:s3cret@db/souk",
            "postgres://me:s3cret@db:port/souk",
            "postgres://me:1/s3cret@db/souk",
            "postgres://me:1?s3cret@db/souk",
            "postgres://me:1#s3cret@db/souk",
            "postgres://me@db/souk?sslpassword=s3cret",
            "postgres://me@db/souk?sslmode=s3cret",
            "postgres://me:%ffs3cret@db/souk",
        ] {
            let url = DatabaseUrl(wrong.to_owned());
            let error = format!("{:#}", url.options().unwrap_err());
            assert!(error.contains("database_url") && !error.contains("s3cret"), "{wrong}: {error}");
            assert!(!format!("{url:?}").contains("s3cret") || wrong.contains("sslmode"), "{url:?}");
        }
    }
}
