//! Who and what there is when the probe begins: two stores with their people, a buyer with their things, officials.

use std::collections::BTreeMap;

use identity::{Actor, PlatformRole, StoreId, StoreRole};
use payments::sandbox::Chaos;
use payments::{Adjusted, Adjusting, PayoutRun};
use platform::{Currency, Money};
use serde_json::{Value, json};
use testkit::{NewProduct, Person, TestApp};

pub(crate) struct Scene {
    /// A buyer, whose things the others try to get at.
    pub(crate) ada: Person,
    /// Another buyer.
    pub(crate) buyer: Person,
    /// Of the store.
    pub(crate) owner: Person,
    /// One of each role in the store.
    pub(crate) members: BTreeMap<StoreRole, Person>,
    /// Of another store.
    pub(crate) other_owner: Person,
    pub(crate) operator: Person,
    pub(crate) support: Person,
    /// An operator who has shown no second factor.
    pub(crate) bare_operator: Person,
    /// `Bearer sk_…` of the store, with a scope that no route of the table asks for.
    pub(crate) store_key: String,
    /// Opens ada's cart as a guest.
    pub(crate) cart_token: String,
    /// Opens ada's order as a guest.
    pub(crate) order_token: String,
    /// What stands for the names in braces.
    names: BTreeMap<&'static str, String>,
}

impl Scene {
    pub(crate) async fn set(test: &TestApp) -> Self {
        let store = test.store("shop", Currency::GBP).await;
        let elsewhere = test.store("elsewhere", Currency::GBP).await;
        let variant = test.product(NewProduct { stock: 100, ..NewProduct::default() }).await;
        let product = test.get("/api/v1/products/teapot", &[]).await.json["id"].as_str().unwrap().to_owned();
        let (ada, buyer) = (test.person("ada").await, test.person("buyer").await);
        let owner = test.member("owner", store, StoreRole::Owner).await;
        let other_owner = test.member("rival", elsewhere, StoreRole::Owner).await;
        let mut members = BTreeMap::from([(StoreRole::Owner, owner.clone())]);
        for role in StoreRole::ALL.into_iter().filter(|role| *role != StoreRole::Owner) {
            members.insert(role, test.member(&role.as_str().replace('_', "-"), store, role).await);
        }
        let mut scene = Self {
            operator: test.trusted("operator", PlatformRole::Operator).await,
            support: test.trusted("support", PlatformRole::Support).await,
            bare_operator: test.official("bare", PlatformRole::Operator).await,
            ada,
            buyer,
            owner,
            members,
            other_owner,
            store_key: String::new(),
            cart_token: String::new(),
            order_token: String::new(),
            names: BTreeMap::new(),
        };
        scene.names.insert("store", store.to_string());
        scene.names.insert("product", product);
        scene.names.insert("provider", "google".to_owned());
        scene.names.insert("location", "main".to_owned());
        scene.names.insert("passkey", variant.to_string());
        scene.names.insert("category", test.category("spare", None).await.to_string());
        scene.names.insert("variant", variant.to_string());
        scene.names.insert("user", scene.ada.id.to_string());
        scene.furnish(test, store).await;
        scene.receive(test).await;
        scene.pay_out(test, store).await;
        scene.differ(test).await;
        scene
    }

    /// An event that took effect. The provider who sent it is none of those that are there.
    async fn receive(&mut self, test: &TestApp) {
        sqlx::query(
            "INSERT INTO payments.webhook_events (provider, event_id, id, kind, subject, occurred_at, received_at, opened_at,
                 body, deliveries, state, attempts, processed_at)
             VALUES ('past', 'evt_1', gen_random_uuid(), 'paid', '1', $1, $1, $1, '', 1, 'processed', 1, $1)",
        )
        .bind(test.app.sources.now())
        .execute(test.app.database.pool())
        .await
        .unwrap();
        self.names.insert("webhook_provider", "past".to_owned());
        self.names.insert("account_kind", "commission".to_owned());
        self.names.insert("webhook_event", "evt_1".to_owned());
    }

    /// A difference between the provider's books and the ledger that has settled.
    async fn differ(&mut self, test: &TestApp) {
        let id: uuid::Uuid = test.app.sources.id::<()>().uuid();
        sqlx::query(
            "INSERT INTO payments.reconciliation_exceptions (id, provider, kind, state, movement, seq, explanation, opened_at,
                 ended_at, outcome)
             VALUES ($1, 'past', 'missing_at_provider', 'settled', 'other', 1, 'Probed', $2, $2, 'Probed')",
        )
        .bind(id)
        .bind(test.app.sources.now())
        .execute(test.app.database.pool())
        .await
        .unwrap();
        self.names.insert("exception", id.to_string());
    }

    /// A payout of the store that waits to be sent.
    async fn pay_out(&mut self, test: &TestApp, store: StoreId) {
        let (system, app) = (Actor::system(), &test.app);
        let active = Chaos { activate_accounts: true, ..Chaos::default() };
        app.sandbox.as_ref().unwrap().set_chaos(&system, &active).await.unwrap();
        app.payouts.open_account(&system, store, test.base().as_str()).await.unwrap();
        let reason = "the probe".to_owned();
        let amount = Money::new(1000, Currency::GBP);
        let adjusting = Adjusting { whose: Adjusted::Store(store), amount, reason: reason.clone() };
        app.payouts.adjust(&system, &adjusting, "the probe's").await.unwrap();
        let made = app.payouts.run(&system, &PayoutRun { store, most: None, reason }).await.unwrap();
        self.names.insert("payout", made[0].id.to_string());
    }

    /// What is made through the API.
    async fn furnish(&mut self, test: &TestApp, store: StoreId) {
        // A key with one scope, which the probe's routes do not ask for.
        let key = json!({"kind": "secret", "name": "Probe", "scopes": ["store:read"]});
        let keys = format!("/api/v1/stores/{store}/api_keys");
        let made = test.post(&keys, &[self.owner.header()], &key).await;
        self.store_key = format!("Bearer {}", made.json["key"].as_str().unwrap());
        let spare = test.post(&keys, &[self.owner.header()], &key).await;
        self.name("store_key", &spare.json["id"]);
        let platform = json!({"kind": "secret", "name": "Probe", "scopes": ["audit:read"]});
        let spare = test.post("/api/v1/api_keys", &[self.operator.header()], &platform).await;
        self.name("platform_key", &spare.json["id"]);
        let rule = json!({"name": "Standard", "terms": {"kind": "percentage", "rate_ppm": 100_000}});
        let made = test.post("/api/v1/commission_rules", &[self.operator.header()], &rule).await;
        self.name("rule", &made.json["id"]);
        let invite = json!({"email": "somebody@example.com", "role": "staff"});
        let path = format!("/api/v1/stores/{store}/invitations");
        let invited = test.post(&path, &[self.owner.header()], &invite).await;
        self.name("invitation", &invited.json["id"]);
        let spare = test.member("spare", store, StoreRole::Staff).await;
        self.names.insert("member", spare.id.to_string());
        let address = json!({"address": testkit::address()});
        let kept = test.post("/api/v1/users/me/addresses", &[self.ada.header()], &address).await;
        self.name("address", &kept.json["id"]);
        let mine = json!({"variant_id": self.names["variant"], "quantity": 1});
        test.post("/api/v1/shopping_basket/products", &[self.ada.header()], &mine).await;
        let kept = json!({"email": "ada@example.com", "shipping_address": testkit::address(),
                          "payment": {"token": "tok_visa", "save": true}});
        let headers = [self.ada.header(), ("idempotency-key", "the probe's")];
        test.post("/api/v1/shopping_basket/checkout", &headers, &kept).await;
        let methods = test.get("/api/v1/users/me/payment_methods", &[self.ada.header()]).await;
        self.name("method", &methods.json["data"][0]["id"]);
        test.person("ada").await;
        let sessions = test.get("/api/v1/users/me/sessions", &[self.ada.header()]).await;
        let other =
            sessions.json["data"].as_array().unwrap().iter().find(|session| session["current"] == false);
        self.name("session", &other.unwrap()["id"]);
        // A guest's cart, and an order that awaits payment, made of another one.
        let cart = test.post("/api/v1/carts", &[], &json!({})).await;
        cart.json["token"].as_str().unwrap().clone_into(&mut self.cart_token);
        self.name("cart", &cart.json["id"]);
        let headers = [("x-cart-token", self.cart_token.as_str())];
        let items = format!("/api/v1/carts/{}/items", self.names["cart"]);
        let body = json!({"variant_id": self.names["variant"], "quantity": 1});
        let with_line = test.post(&items, &headers, &body).await;
        self.name("line", &with_line.json["lines"][0]["id"]);
        let other = test.post("/api/v1/carts", &[], &json!({})).await;
        other.json["token"].as_str().unwrap().clone_into(&mut self.order_token);
        let id = other.json["id"].as_str().unwrap();
        let headers = [("x-cart-token", self.order_token.as_str()), ("idempotency-key", "the probe's order")];
        test.post(&format!("/api/v1/carts/{id}/items"), &headers[..1], &body).await;
        let order = json!({"cart_id": id, "email": "ada@example.com", "shipping": testkit::address()});
        let placed = test.post("/api/v1/orders", &headers, &order).await;
        self.name("order", &placed.json["id"]);
    }

    pub(crate) fn name(&mut self, name: &'static str, id: &Value) {
        let id = id.as_str().unwrap_or_else(|| panic!("{name} is not there")).to_owned();
        self.names.insert(name, id);
    }

    pub(crate) fn id(&self, name: &str) -> &str {
        self.names.get(name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The path with ids in place of the names in braces. `{id}` is what the path is about.
    pub(crate) fn fill(&self, path: &str) -> String {
        let mut filled = path.to_owned();
        for (name, subject) in [
            ("/stores/{id}", "store"),
            ("/products/{id}", "product"),
            ("/users/{id}", "user"),
            ("/carts/{id}", "cart"),
            ("/orders/{id}", "order"),
            ("/addresses/{id}", "address"),
            ("/payment_methods/{id}", "method"),
            ("/sessions/{id}", "session"),
            ("/categories/{id}", "category"),
            ("/commission_rules/{id}", "rule"),
            ("/payouts/{id}", "payout"),
            ("/exceptions/{id}", "exception"),
            ("{payout_id}", "payout"),
            ("/passkeys/{id}", "passkey"),
            ("{product_id}", "product"),
            ("{variant_id}", "variant"),
            ("/webhook_events/{provider}", "webhook_provider"),
            ("{event_id}", "webhook_event"),
            ("{provider}", "provider"),
            ("/accounts/{kind}", "account_kind"),
            ("{line_id}", "line"),
            ("{user_id}", "member"),
            ("{invitation_id}", "invitation"),
            ("{code}", "location"),
            ("/api/v1/api_keys/{key_id}", "platform_key"),
            ("{key_id}", "store_key"),
        ] {
            if filled.contains(name) {
                let place = name.find('{').unwrap_or_default();
                filled = filled.replace(name, &format!("{}{}", &name[..place], self.id(subject)));
            }
        }
        assert!(!filled.contains('{'), "{path}: say what stands for the name in braces");
        filled
    }
}
