//! Signing in and out: browsers with a cookie, apps with an access and a refresh token.
mod devices;
mod login;
mod open;
mod refresh;

use async_trait::async_trait;
use platform::audit::Origin;
use platform::{Email, Secret};
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use crate::{Actor, Credential, Error, FactorMethod, Parts, Principal, Service, SessionId, Subject, User};

pub(crate) use devices::{demand_fresh, end_all, revoke_row};
pub(crate) use login::{FirstFactor, first_factor_shown};
pub(crate) use open::{open, rotate};

/// Marks ids of sessions.
pub enum SessionMark {}

/// How often it is noted that a session is in use.
pub(crate) const SEEN_EVERY: Duration = Duration::minutes(1);

/// What kind of client signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A browser: it gets a cookie that scripts can not read.
    Browser,
    /// An app: it gets an access token and a refresh token.
    Tokens,
}

impl SessionKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Tokens => "tokens",
        }
    }

    pub(crate) fn stored(text: &str) -> Self {
        if text == "browser" { Self::Browser } else { Self::Tokens }
    }
}

/// Who signs in from where.
#[derive(Clone, Debug)]
pub struct Client {
    /// With what kind of client.
    pub kind: SessionKind,
    /// The secret of a device where somebody has signed in before.
    pub device: Option<Secret>,
    /// From where.
    pub origin: Origin,
}

/// A password login.
#[derive(Clone, Debug)]
pub struct LogIn {
    /// Whose account.
    pub email: Email,
    /// Their password.
    pub password: Secret,
}

/// How far somebody has come in signing in.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// They are in.
    Done(Box<SignedIn>),
    /// They have a second factor, and have to show it within five minutes.
    SecondFactor {
        /// To be sent along with it.
        challenge: Secret,
        /// What they have.
        methods: Vec<FactorMethod>,
    },
}

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// The login.
    pub session_id: SessionId,
    /// What to show from now on.
    pub credentials: Credentials,
    /// To be kept by the device: with it, guesses made elsewhere do not slow down its owner.
    pub device: Secret,
}

impl SignedIn {
    /// Whoever has signed in, for what is to be done at once. What needs a second factor asks anew.
    pub fn actor(&self) -> Actor {
        let memberships =
            self.user.memberships.iter().map(|membership| (membership.store_id, membership.role));
        Actor::known(Principal {
            subject: Subject::User(self.user.id),
            credential: Credential::Session(self.session_id),
            role: self.user.role,
            memberships: memberships.collect(),
            scopes: None,
            second_factor_at: None,
        })
    }
}

/// What a client shows from now on.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// In a cookie.
    Cookie {
        /// The secret.
        token: Secret,
        /// How long the login lives at most.
        expires_at: OffsetDateTime,
    },
    /// Behind `Bearer`.
    Tokens(TokenPair),
}

/// Tokens of an app.
#[derive(Clone, Debug)]
pub struct TokenPair {
    /// Goes with each request.
    pub access_token: Secret,
    /// Seconds until it expires.
    pub expires_in: u64,
    /// Good once, for the next pair.
    pub refresh_token: Secret,
}

/// A login, as its owner sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// With what kind of client.
    pub kind: SessionKind,
    /// From which address.
    #[schema(example = "203.0.113.7")]
    pub ip: Option<String>,
    /// What the client said it is.
    pub user_agent: Option<String>,
    /// Whether a second factor was shown.
    pub second_factor: bool,
    /// Whether it is the one that asks.
    pub current: bool,
    /// When they signed in.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute.
    #[serde(with = "time::serde::rfc3339")]
    pub last_seen_at: OffsetDateTime,
    /// When it ends if it is not used.
    #[serde(with = "time::serde::rfc3339")]
    pub idle_expires_at: OffsetDateTime,
    /// When it ends in any case.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// Signing in and out.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// Signs in with a password. Answers the same, after the same time, whether or not there is such an account.
    async fn log_in(&self, client: &Client, login: &LogIn) -> Result<SignIn, Error>;

    /// A new pair of tokens for a refresh token, which is good once. Shown again within a short grace it gives the
    /// same pair, as an honest retry needs; after that its session is ended (RFC 9700, 4.14.2).
    async fn refresh(&self, client: &Client, refresh_token: &Secret) -> Result<TokenPair, Error>;

    /// Ends the session that asks, or the one this refresh token belongs to. Ending it twice is no error.
    async fn log_out(&self, actor: &Actor, refresh_token: Option<&Secret>) -> Result<(), Error>;

    /// The logins of whoever asks, the latest first.
    async fn sessions(&self, actor: &Actor) -> Result<Vec<Session>, Error>;

    /// Ends one of them.
    async fn revoke(&self, actor: &Actor, session: SessionId) -> Result<(), Error>;

    /// Ends all but the one that asks; returns how many.
    async fn revoke_others(&self, actor: &Actor) -> Result<u64, Error>;
}

#[async_trait]
impl Sessions for Service {
    async fn log_in(&self, client: &Client, login: &LogIn) -> Result<SignIn, Error> {
        login::log_in(&self.0, client, login).await
    }

    async fn refresh(&self, client: &Client, refresh_token: &Secret) -> Result<TokenPair, Error> {
        refresh::refresh(&self.0, client, refresh_token).await
    }

    async fn log_out(&self, actor: &Actor, refresh_token: Option<&Secret>) -> Result<(), Error> {
        devices::log_out(&self.0, actor, refresh_token).await
    }

    async fn sessions(&self, actor: &Actor) -> Result<Vec<Session>, Error> {
        devices::list(&self.0, actor).await
    }

    async fn revoke(&self, actor: &Actor, session: SessionId) -> Result<(), Error> {
        devices::revoke(&self.0, actor, session).await
    }

    async fn revoke_others(&self, actor: &Actor) -> Result<u64, Error> {
        devices::revoke_others(&self.0, actor).await
    }
}

/// Notes that a session is in use, which lets it live on.
pub(crate) async fn touch(
    parts: &Parts,
    session: SessionId,
    operator: bool,
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    let now = parts.sources.now();
    sqlx::query!(
        "UPDATE identity.sessions SET last_seen_at = $2, idle_expires_at = $3 WHERE id = $1 AND last_seen_at < $2",
        session.uuid(),
        now,
        idle_end(parts, operator).min(expires_at),
    )
    .execute(parts.database.pool())
    .await?;
    Ok(())
}

/// When a login that is used now ends if it is not used again.
fn idle_end(parts: &Parts, operator: bool) -> OffsetDateTime {
    let settings = &parts.settings;
    parts.sources.now() + if operator { settings.operator_session_idle } else { settings.session_idle }
}
