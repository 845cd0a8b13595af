//! How providers are called: soon or not at all, without following them elsewhere, and with answers of a size that
//! can be borne.

use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use openidconnect::http::{self, Uri};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::redirect;

/// How long a provider may take to be reached, and to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(6);
/// Largest answer, in bytes. Sets of keys and profiles are a few thousand.
const MAX_BODY: usize = 512 * 1024;

/// The client that all calls share. It is made for the first one: it reads the certificates that this machine trusts,
/// which a marketplace without providers need not have.
#[derive(Default)]
pub(crate) struct Http(OnceLock<Result<reqwest::Client, String>>);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("no client can be made: {0}")]
    Client(String),
    #[error("{0} is not called without TLS")]
    Insecure(String),
    #[error("the call failed")]
    Failed(#[source] reqwest::Error),
    #[error("the answer has more than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the answer can not be read")]
    Unreadable(#[source] http::Error),
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        Self::Failed(error)
    }
}

impl Http {
    fn client(&self) -> Result<&reqwest::Client, HttpError> {
        let made = self.0.get_or_init(|| {
            reqwest::Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TIMEOUT)
                .user_agent("Souk")
                .build()
                .map_err(|error| error.to_string())
        });
        made.as_ref().map_err(|error| HttpError::Client(error.clone()))
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !is_safe(request.uri()) {
            return Err(HttpError::Insecure(request.uri().host().unwrap_or_default().to_owned()));
        }
        let mut response = self.client()?.execute(request.try_into()?).await?;
        let mut answer = http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            answer = answer.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        answer.body(body).map_err(HttpError::Unreadable)
    }
}

/// Secrets travel by TLS, or do not leave this machine. What a provider says of itself is held to this too.
fn is_safe(address: &Uri) -> bool {
    address.scheme_str() == Some("https") || address.host().is_some_and(super::is_this_machine)
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_called_in_the_clear() {
        let safe = |address: &str| is_safe(&address.parse().unwrap());
        assert!(safe("https://accounts.example/token"));
        assert!(safe("http://127.0.0.1:8080/token") && safe("http://[::1]/") && safe("http://localhost/"));
        assert!(!safe("http://accounts.example/token"));
        assert!(!safe("http://127.0.0.1.example/") && !safe("/token"));
    }
}
