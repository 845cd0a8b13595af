//! People who have signed in.

use identity::{
    Actor, Authenticated, Client, Credentials, LogIn, NewAccount, PlatformRole, Presented, SessionKind,
    SignIn, SignedIn, StoreId, StoreRole, UserId,
};
use platform::audit::Origin;
use platform::{Email, Secret};

use crate::TestApp;

/// What everybody in tests has as a password.
pub const PASSWORD: &str = "planted-correct-horse-battery";

/// Somebody with an account, signed in as an app.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their id.
    pub id: UserId,
    /// Their address.
    pub email: String,
    /// As modules see them.
    pub actor: Actor,
    /// The value of the `Authorization` header.
    pub authorization: String,
    /// For the next pair of tokens.
    pub refresh_token: String,
}

impl Person {
    /// The header that shows who they are.
    pub fn header(&self) -> (&str, &str) {
        ("authorization", &self.authorization)
    }
}

impl TestApp {
    /// Opens an account with a confirmed address, `NAME@example.com`.
    ///
    /// # Panics
    /// When it can not be opened.
    pub async fn account(&self, name: &str) -> UserId {
        let account = NewAccount {
            email: address_of(name),
            password: Secret::presented(PASSWORD),
            name: format!("The {name}"),
            locale: None,
        };
        self.app.identity.accounts.create(&Actor::system(), &account).await.expect("the account is new").id
    }

    /// Signs in.
    ///
    /// # Panics
    /// When a password is not enough.
    pub async fn signed_in(&self, name: &str, kind: SessionKind) -> SignedIn {
        let client = Client { kind, device: None, origin: Origin::default() };
        let login = LogIn { email: address_of(name), password: Secret::presented(PASSWORD) };
        match self.app.identity.sessions.log_in(&client, &login).await.expect("the password is right") {
            SignIn::Done(done) => *done,
            SignIn::SecondFactor { .. } => panic!("{name} has a second factor"),
        }
    }

    /// Somebody with an account, signed in as an app; made if missing.
    ///
    /// # Panics
    /// When they can not sign in.
    pub async fn person(&self, name: &str) -> Person {
        let email = address_of(name);
        let known = self.app.identity.accounts.user_by_email(&Actor::system(), &email).await;
        if known.is_err() {
            self.account(name).await;
        }
        let done = self.signed_in(name, SessionKind::Tokens).await;
        let Credentials::Tokens(pair) = done.credentials else { panic!("an app gets tokens") };
        let actor = self.bearer(&pair.access_token).await;
        Person {
            id: done.user.id,
            email: email.as_str().to_owned(),
            actor,
            authorization: format!("Bearer {}", pair.access_token.expose()),
            refresh_token: pair.refresh_token.expose().to_owned(),
        }
    }

    /// Who shows this token.
    ///
    /// # Panics
    /// When it is not valid.
    pub async fn bearer(&self, token: &Secret) -> Actor {
        let presented = Presented::Bearer(token.clone());
        match self.app.identity.access.authenticate(&presented).await.expect("the token is valid") {
            Authenticated::Principal(principal) => Actor::known(principal),
            Authenticated::Publishable(_) => Actor::stranger(),
        }
    }

    /// Somebody with a role in the marketplace who has signed in without a second factor.
    ///
    /// # Panics
    /// When the role can not be given.
    pub async fn official(&self, name: &str, role: PlatformRole) -> Person {
        let id = self.account(name).await;
        self.app
            .identity
            .accounts
            .set_role(&Actor::system(), id, Some(role))
            .await
            .expect("a role can be given");
        self.person(name).await
    }

    /// Somebody with a role in the marketplace whose login counts as one with a second factor.
    ///
    /// # Panics
    /// When the role can not be given.
    pub async fn trusted(&self, name: &str, role: PlatformRole) -> Person {
        let person = self.official(name, role).await;
        sqlx::query("UPDATE identity.sessions SET second_factor_at = created_at WHERE user_id = $1")
            .bind(person.id.uuid())
            .execute(self.app.database.pool())
            .await
            .expect("the session can be marked");
        let token = person.authorization.trim_start_matches("Bearer ");
        let actor = self.bearer(&Secret::presented(token)).await;
        Person { actor, ..person }
    }

    /// Somebody with a role in a store.
    ///
    /// # Panics
    /// When they can not be made a member.
    pub async fn member(&self, name: &str, store: StoreId, role: StoreRole) -> Person {
        let person = self.person(name).await;
        let teams = &self.app.identity.teams;
        let system = Actor::system();
        if role == StoreRole::Owner {
            teams.found(&system, store, person.id).await.expect("a store can have an owner");
        } else {
            sqlx::query(
                "INSERT INTO identity.memberships (store_id, user_id, role, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $4)",
            )
            .bind(store.uuid())
            .bind(person.id.uuid())
            .bind(role.as_str())
            .bind(self.app.sources.now())
            .execute(self.app.database.pool())
            .await
            .expect("they are no member yet");
        }
        let token = person.authorization.trim_start_matches("Bearer ");
        let actor = self.bearer(&Secret::presented(token)).await;
        Person { actor, ..person }
    }
}

fn address_of(name: &str) -> Email {
    format!("{name}@example.com").parse().expect("a name makes an address")
}
