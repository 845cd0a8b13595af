//! People who have signed in.

use identity::{
    Actor, Authenticated, Client, Credentials, LogIn, NewAccount, PlatformRole, Presented, SessionKind,
    SignIn, SignedIn, StoreId, StoreRole, UserId,
};
use platform::audit::Origin;
use platform::{Currency, Email, Secret};
use reqwest::Method;
use serde_json::Value;

use crate::{Answer, TestApp};

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
        let actor = self.actor(&person).await;
        Person { actor, ..person }
    }

    /// Somebody with a role in a store.
    ///
    /// # Panics
    /// When they can not be made a member.
    pub async fn member(&self, name: &str, store: StoreId, role: StoreRole) -> Person {
        let person = self.person(name).await;
        self.join(&person, store, role).await;
        let actor = self.actor(&person).await;
        Person { actor, ..person }
    }

    /// An operator, signed in without a second factor.
    pub async fn operator(&self) -> Person {
        self.official("operator", PlatformRole::Operator).await
    }

    /// Makes somebody a member of a store.
    ///
    /// # Panics
    /// When they can not be made one.
    pub async fn join(&self, person: &Person, store: StoreId, role: StoreRole) {
        let (teams, system) = (&self.app.identity.teams, Actor::system());
        teams.found(&system, store, person.id).await.expect("the store can be founded");
        if role != StoreRole::Owner {
            let changed = teams.set_member_role(&system, store, person.id, role).await;
            changed.expect("a store that has another owner");
        }
    }

    /// The owner of an active store of this slug, which sells in pounds.
    pub async fn seller(&self, slug: &str) -> (Person, StoreId) {
        let store = self.store(slug, Currency::GBP).await;
        (self.member(&format!("owner-of-{slug}"), store, StoreRole::Owner).await, store)
    }

    /// What the modules are told of somebody who asks now.
    pub async fn actor(&self, person: &Person) -> Actor {
        self.bearer(&Secret::presented(person.authorization.trim_start_matches("Bearer "))).await
    }

    /// A request of somebody, or of a guest, with more headers.
    pub async fn ask(
        &self,
        person: Option<&Person>,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut headers = headers.to_vec();
        headers.extend(person.map(Person::header));
        self.send(method, path, &headers, body).await
    }
}

fn address_of(name: &str) -> Email {
    format!("{name}@example.com").parse().expect("a name makes an address")
}
