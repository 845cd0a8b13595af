//! What may differ from one marketplace to the next.

use std::fmt;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use url::{Host, Url};

/// How long one command of a mail server may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The settings of this module.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where buyers reach Souk; links in mails begin with it.
    pub public_url: Url,
    /// The name of the marketplace.
    pub name: String,
    /// Who mails come from.
    pub(crate) from: Mailbox,
    /// The mail server. Without one, mails are caught.
    pub smtp: Option<Smtp>,
}

/// A setting is not what it has to be. Says so without a word of a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadSetting(String);

impl Settings {
    /// Settings of a marketplace at this address. `from` is a mailbox such as `Souk <souk@market.example>`; without it
    /// mails come from `no-reply` at the host of `public_url`.
    ///
    /// # Errors
    /// When `from` is no mailbox.
    pub fn new(
        public_url: Url,
        name: String,
        from: Option<&str>,
        smtp: Option<Smtp>,
    ) -> Result<Self, BadSetting> {
        let from = match from {
            Some(text) => mailbox(text)?,
            None => nobody(&public_url, &name)?,
        };
        Ok(Self { public_url, name, from, smtp })
    }

    /// Checks a mailbox.
    ///
    /// # Errors
    /// When it is none.
    pub fn check_from(text: &str) -> Result<(), BadSetting> {
        mailbox(text).map(|_| ())
    }
}

fn mailbox(text: &str) -> Result<Mailbox, BadSetting> {
    let wrong = || BadSetting("mail_from has to be an address such as Souk <souk@market.example>".to_owned());
    // Anything else would begin a header of its own.
    if text.chars().any(char::is_control) {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

/// An address that nobody reads, at the marketplace's own host.
fn nobody(public_url: &Url, name: &str) -> Result<Mailbox, BadSetting> {
    let host = match public_url.host() {
        Some(Host::Domain(domain)) => domain.to_owned(),
        _ => "localhost".to_owned(),
    };
    let address = lettre::Address::new("no-reply", host).map_err(|_| {
        BadSetting("mails can not come from the host of public_url: set mail_from".to_owned())
    })?;
    Ok(Mailbox::new(Some(name.chars().filter(|c| !c.is_control()).collect()), address))
}

/// A mail server.
#[derive(Clone)]
pub struct Smtp(Url);

impl Smtp {
    /// The server at this address: `smtps://user:password@host:465`, `smtp://host:587?tls=required`,
    /// `smtp://host:25?tls=opportunistic`, or `smtp://host:25` for one that needs no encryption.
    ///
    /// # Errors
    /// Says what is wrong without a word of the address, which may hold a password.
    pub fn at(text: &str) -> Result<Self, BadSetting> {
        let wrong = |what: &str| BadSetting(format!("smtp_url {what}"));
        let url =
            Url::parse(text).map_err(|error| wrong(&format!("can not be read as an address: {error}")))?;
        if !matches!(url.scheme(), "smtp" | "smtps") {
            return Err(wrong("has to begin with smtp:// or smtps://"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("names no host"));
        }
        if url.fragment().is_some() || url.path().contains('@') {
            return Err(wrong("has to have / ? # @ in its password as %2F %3F %23 %40"));
        }
        if url
            .query_pairs()
            .any(|(name, value)| name != "tls" || !matches!(value.as_ref(), "required" | "opportunistic"))
        {
            return Err(wrong("takes tls=required or tls=opportunistic, and nothing else"));
        }
        let smtp = Self(url);
        smtp.builder()?;
        Ok(smtp)
    }

    fn builder(&self) -> Result<lettre::transport::smtp::AsyncSmtpTransportBuilder, BadSetting> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(self.0.as_str());
        let builder = builder.map_err(|_| BadSetting("smtp_url can not be used".to_owned()))?;
        Ok(builder.timeout(Some(PATIENCE)))
    }

    /// Connections to the server, opened when they are needed.
    pub(crate) fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, BadSetting> {
        Ok(self.builder()?.build())
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({}://…@{})", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_names_the_password() {
        for wrong in [
            "s3cret",
            "http://me:s3cret@mail.example",
            "smtp://",
            "smtp://me:1#s3cret@mail.example",
            "smtp://me:1/s3cret@mail.example",
            "smtp://me:s3cret@mail.example:port",
            "smtp://me:s3cret@mail.example?tls=maybe",
            "smtp://me:s3cret@mail.example?password=s3cret",
            "smtp://me:%ff@mail.example",
        ] {
            let error = Smtp::at(wrong).unwrap_err().to_string();
            assert!(error.contains("smtp_url") && !error.contains("s3cret"), "{wrong}: {error}");
        }
        for right in ["smtp://localhost:2525", "smtps://me:s3cret@mail.example", "smtp://h:587?tls=required"]
        {
            let smtp = Smtp::at(right).unwrap();
            assert!(!format!("{smtp:?}").contains("s3cret"));
        }
    }

    #[test]
    fn mails_come_from_somewhere() {
        let settings = |url: &str, from| {
            Settings::new(url.parse().unwrap(), "Souk".to_owned(), from, None).map(|s| s.from.to_string())
        };
        assert_eq!(settings("https://market.example", None).unwrap(), "Souk <no-reply@market.example>");
        assert_eq!(settings("http://127.0.0.1:3000", None).unwrap(), "Souk <no-reply@localhost>");
        assert_eq!(
            settings("https://x.y", Some("Ada <ada@market.example>")).unwrap(),
            "Ada <ada@market.example>"
        );
        assert!(settings("https://x.y", Some("Ada")).is_err());
        assert!(settings("https://x.y", Some("Ada <ada@x.y>\nBcc: b@x.y")).is_err());
    }
}
