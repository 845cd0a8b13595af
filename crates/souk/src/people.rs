//! `souk user`, `souk apikey` and `souk keys`: what is done at the server's own shell, where nobody has signed in.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, bail};
use catalog::Key;
use clap::{Args, Subcommand, ValueEnum};
use identity::{Actor, ApiKeyId, ApiKeyKind, NewAccount, NewApiKey, Permission, PlatformRole, StoreId};
use platform::{Email, Secret, Slug};
use url::Url;

use crate::app::App;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Open an account whose address is taken as confirmed
    Create(CreateUser),
    /// Give an account a role in the marketplace, or take it away
    Promote {
        /// The account's address
        email: Email,
        /// The role
        #[arg(long, value_enum)]
        role: Role,
    },
    /// Print a link with which an account's password can be set anew; all its logins end
    Reset {
        /// The account's address
        email: Email,
        /// Take away its second factors too, for whoever has lost them
        #[arg(long)]
        second_factors: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateUser {
    /// The account's address
    email: Email,
    /// How they want to be called
    #[arg(long)]
    name: String,
    /// A role in the marketplace
    #[arg(long, value_enum, default_value = "none")]
    role: Role,
    /// Read the password from the first line of standard input; without it one is made and printed
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Runs the marketplace
    Operator,
    /// Helps people: sees, and changes nothing
    Support,
    /// A buyer or seller like any other
    None,
}

impl From<Role> for Option<PlatformRole> {
    fn from(role: Role) -> Self {
        match role {
            Role::Operator => Some(PlatformRole::Operator),
            Role::Support => Some(PlatformRole::Support),
            Role::None => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Make a key; it is printed once
    Create(CreateKey),
    /// List the keys of the marketplace, or of a store
    List {
        /// Slug of the store
        #[arg(long)]
        store: Option<Slug>,
    },
    /// End a key at once
    Revoke {
        /// The key's id
        id: ApiKeyId,
        /// Slug of the store it belongs to
        #[arg(long)]
        store: Option<Slug>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    /// What to call it
    #[arg(long)]
    name: String,
    /// What it may do, such as `stock:write`; may be given more than once
    #[arg(long = "scope", value_name = "SCOPE", required_unless_present = "publishable")]
    scopes: Vec<Permission>,
    /// A publishable key (pk_), which says which shop asks and may do what a guest may
    #[arg(long, conflicts_with = "scopes")]
    publishable: bool,
    /// Slug of the store it belongs to; the marketplace's own without it
    #[arg(long)]
    store: Option<Slug>,
    /// Days until it ends by itself
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3650))]
    expires_in_days: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Replace the key that signs access tokens, without anybody noticing
    Rotate {
        /// At once, because the old key is known to somebody: tokens that it signed are no longer believed, and apps
        /// refresh them
        #[arg(long)]
        now: bool,
    },
}

pub(crate) async fn user(app: &App, public_url: &Url, command: UserCommand) -> anyhow::Result<()> {
    let (accounts, system) = (&app.identity.accounts, Actor::system());
    match command {
        UserCommand::Create(create) => {
            let (password, made) = match create.password_stdin {
                true => (read_password()?, false),
                false => (app.sources.secret(), true),
            };
            let account = NewAccount {
                email: create.email,
                password: password.clone(),
                name: create.name,
                locale: None,
            };
            let user = accounts.create(&system, &account).await.map_err(in_words)?;
            accounts.set_role(&system, user.id, create.role.into()).await?;
            println!("User       {}", user.id);
            println!("Email      {}", user.email.as_str());
            if made {
                println!("Password   {}", password.expose());
            }
            if create.role != Role::None {
                println!("Money and roles are behind a second factor: set one up after signing in.");
            }
        }
        UserCommand::Promote { email, role } => {
            let user = accounts.user_by_email(&system, &email).await?;
            let role = Option::<PlatformRole>::from(role);
            accounts.set_role(&system, user.id, role).await?;
            match role {
                Some(role) => println!("{} is {} now; they sign in anew.", email.as_str(), role.as_str()),
                None => println!("{} has no role in the marketplace now.", email.as_str()),
            }
        }
        UserCommand::Reset { email, second_factors } => {
            let user = accounts.user_by_email(&system, &email).await?;
            let token = accounts.reset(&system, user.id, second_factors).await?;
            let base = public_url.as_str().trim_end_matches('/');
            println!("Good for one hour:");
            println!("{base}/account/reset?token={}", token.expose());
        }
    }
    Ok(())
}

pub(crate) async fn api_key(app: &App, command: ApiKeyCommand) -> anyhow::Result<()> {
    let (keys, system) = (&app.identity.api_keys, Actor::system());
    match command {
        ApiKeyCommand::Create(create) => {
            let days = |days: u64| app.sources.now() + Duration::from_secs(days * 24 * 60 * 60);
            let new = NewApiKey {
                kind: if create.publishable { ApiKeyKind::Publishable } else { ApiKeyKind::Secret },
                name: create.name,
                store: store(app, create.store).await?,
                scopes: create.scopes,
                expires_at: create.expires_in_days.map(days),
            };
            let (made, secret) = keys.create(&system, &new).await.map_err(in_words)?;
            println!("Id    {}", made.id);
            println!("Key   {}", secret.expose());
            println!("Keep the key: it is not shown again.");
        }
        ApiKeyCommand::List { store: slug } => {
            for key in keys.keys(&system, store(app, slug).await?).await? {
                let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
                let used = key.last_used_at.map_or_else(|| "never".to_owned(), |at| at.date().to_string());
                println!("{}  {}  {}  last used {used}  {}", key.id, key.hint, key.name, scopes.join(" "));
            }
        }
        ApiKeyCommand::Revoke { id, store: slug } => {
            keys.revoke(&system, store(app, slug).await?, id).await?;
            println!("Revoked.");
        }
    }
    Ok(())
}

pub(crate) async fn keys(app: &App, command: KeysCommand) -> anyhow::Result<()> {
    let KeysCommand::Rotate { now } = command;
    let (key, signs_from) = app.identity.access.rotate_keys(&Actor::system(), now).await?;
    if now {
        println!("{key} signs from now; what was signed before is no longer believed.");
    } else {
        println!("{key} is published now and signs from {signs_from}.");
    }
    Ok(())
}

async fn store(app: &App, slug: Option<Slug>) -> anyhow::Result<Option<StoreId>> {
    let Some(slug) = slug else { return Ok(None) };
    let name = slug.to_string();
    let found = app.catalog.store(&Actor::system(), &Key::Slug(slug)).await;
    Ok(Some(found.with_context(|| format!("there is no store {name}"))?.id))
}

fn read_password() -> anyhow::Result<Secret> {
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::presented(line)),
        _ => bail!("standard input has no password in its first line"),
    }
}

fn in_words(error: identity::Error) -> anyhow::Error {
    match error {
        identity::Error::EmailTaken => anyhow::anyhow!("this address has an account already"),
        other => other.into(),
    }
}
