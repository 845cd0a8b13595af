//! Every route, and who may enter.

use identity::Permission;
use serde_json::{Value, json};

use crate::scene::Scene;

/// Who may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Public,
    /// Whoever holds its secret.
    Secret,
    /// Whoever has shown who they are, be it a person or a program.
    Known,
    /// Whoever has signed in and holds a secret besides.
    SignedInWithSecret,
    /// Every person who has signed in; it is about themselves.
    Person,
    /// The person whose thing it is.
    Own,
    /// Members of the store whose role has this right.
    Store(Permission),
    /// People of the marketplace whose role has this right.
    Platform(Permission),
}

/// A route and what is sent to it.
pub(crate) struct Route {
    /// Method and path, as the document has them.
    pub(crate) name: &'static str,
    pub(crate) access: Access,
    /// A body that is right, so that it is not the body that is refused.
    pub(crate) body: Option<fn(&Scene) -> Value>,
    /// The version that is there.
    pub(crate) if_match: Option<&'static str>,
}

const fn get(name: &'static str, access: Access) -> Route {
    Route { name, access, body: None, if_match: None }
}

const fn send(name: &'static str, access: Access, body: fn(&Scene) -> Value) -> Route {
    Route { name, access, body: Some(body), if_match: None }
}

const fn change(name: &'static str, access: Access, body: fn(&Scene) -> Value) -> Route {
    Route { name, access, body: Some(body), if_match: Some("\"1\"") }
}

/// In this order: what is taken away last is still there before.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = public();
    routes.extend(own());
    routes.extend(stores());
    routes.extend(marketplace());
    routes.extend(endings());
    routes
}

fn public() -> Vec<Route> {
    use Access::{Public, Secret};
    let nothing: fn(&Scene) -> Value = |_| json!({});
    vec![
        get("GET /api/v1/stores", Public),
        get("GET /api/v1/stores/{id}", Public),
        get("GET /api/v1/stores/{id}/products", Public),
        get("GET /api/v1/categories", Public),
        get("GET /api/v1/products", Public),
        get("GET /api/v1/products/{id}", Public),
        get("GET /api/v2/products", Public),
        get("GET /.well-known/jwks.json", Public),
        get("POST /api/v1/payments/webhook/{provider}", Public),
        get("POST /api/v1/products/{id}/waiting_room/challenges", Public),
        send("POST /api/v1/products/{id}/waiting_room/places", Public, nothing),
        get("GET /api/v1/products/{id}/waiting_room/places/me", Public),
        get("GET /api/v1/products/{id}/waiting_room/events", Public),
        get("GET /api/v1/categories/{id}", Public),
        get("GET /api/v1/auth/providers", Public),
        get("GET /api/v1/auth/providers/{provider}/begin", Public),
        get("GET /api/v1/auth/providers/{provider}/callback", Public),
        send("POST /api/v1/auth/providers/{provider}/callback", Public, nothing),
        send("POST /api/v1/auth/login/second_factor", Public, nothing),
        send("POST /api/v1/auth/login/second_factor/passkey", Public, nothing),
        send("POST /api/v1/auth/passkey", Public, nothing),
        get("POST /api/v1/auth/passkey/begin", Public),
        send("POST /api/v1/auth/register", Public, nothing),
        send("POST /api/v1/auth/verify_email", Public, nothing),
        send("POST /api/v1/auth/verify_email/resend", Public, nothing),
        send("POST /api/v1/auth/login", Public, nothing),
        send("POST /api/v1/auth/refresh", Public, nothing),
        send("POST /api/v1/auth/logout", Public, nothing),
        send("POST /api/v1/auth/password_reset", Public, nothing),
        send("POST /api/v1/auth/password_reset/confirm", Public, nothing),
        send("POST /api/v1/auth/token", Public, nothing),
        send("POST /api/v1/carts", Public, nothing),
        get("GET /api/v1/shopping_basket", Public),
        send("POST /api/v1/shopping_basket/products", Public, nothing),
        get("GET /api/v1/carts/{id}", Secret),
        send("POST /api/v1/carts/{id}/items", Secret, |scene| json!({"variant_id": scene.id("variant")})),
        send("PATCH /api/v1/carts/{id}/items/{line_id}", Secret, |_| json!({"quantity": 2})),
        send(
            "POST /api/v1/orders",
            Secret,
            |scene| json!({"cart_id": scene.id("cart"), "email": "ada@example.com", "shipping": testkit::address()}),
        ),
        get("DELETE /api/v1/carts/{id}/items/{line_id}", Secret),
        get("GET /api/v1/orders/{id}", Secret),
        get("GET /api/v2/orders/{id}", Secret),
        get("GET /api/v2/orders/{id}/events", Secret),
        // Whose order it is, is asked with each subscription: the tests of realtime knock there.
        get("GET /api/v2/realtime", Public),
        send("POST /api/v1/orders/{id}/payment", Secret, |_| json!({"token": "tok_visa"})),
        send("POST /api/v1/orders/{id}/payment_page", Secret, |_| json!({})),
        get("GET /api/v1/orders/{id}/refunds", Secret),
        get("POST /api/v1/orders/{id}/cancel", Secret),
        send("POST /api/v1/shopping_basket/checkout", Secret, |_| testkit::purchase("tok_visa")),
        send("POST /api/v2/shopping_basket/checkout", Secret, |_| testkit::purchase("tok_visa")),
    ]
}

fn own() -> Vec<Route> {
    use Access::{Known, Own, Person, SignedInWithSecret};
    vec![
        get("GET /api/v1/auth/validate", Known),
        get("GET /api/v1/users/me", Person),
        send("PATCH /api/v1/users/me", Person, |_| json!({"name": "Ada"})),
        get("GET /api/v1/users/me/export", Person),
        send(
            "POST /api/v1/users/me/email",
            Person,
            |_| json!({"email": "countess@example.com", "password": testkit::PASSWORD}),
        ),
        get("GET /api/v1/users/me/addresses", Person),
        send("POST /api/v1/users/me/addresses", Person, |_| json!({"address": testkit::address()})),
        send("PUT /api/v1/users/me/addresses/{id}", Own, |_| json!({"address": testkit::address()})),
        get("DELETE /api/v1/users/me/addresses/{id}", Own),
        get("GET /api/v1/users/me/payment_methods", Person),
        get("DELETE /api/v1/users/me/payment_methods/{id}", Own),
        get("GET /api/v1/users/me/sessions", Person),
        get("DELETE /api/v1/users/me/sessions/{id}", Own),
        get("GET /api/v1/orders", Person),
        get("GET /api/v1/users/me/stores", Person),
        send(
            "POST /api/v1/stores",
            Person,
            |_| json!({"slug": "probes", "name": "Probes", "description": "A probe", "currency": "GBP"}),
        ),
        get("GET /api/v1/users/me/external_accounts", Person),
        get("GET /api/v1/users/me/second_factors", Person),
        get("POST /api/v1/users/me/second_factors/totp", Person),
        get("POST /api/v1/users/me/second_factors/recovery_codes", Person),
        get("POST /api/v1/users/me/second_factors/passkeys/begin", Person),
        // Nobody here has its secret, so nobody is let in: the tests of teams, factors and providers are.
        send("POST /api/v1/auth/email_change/confirm", SignedInWithSecret, |_| json!({"token": "made-up"})),
        send("POST /api/v1/invitations/accept", SignedInWithSecret, |_| json!({"token": "made-up"})),
        send("POST /api/v1/users/me/external_accounts/{provider}", SignedInWithSecret, |_| json!({})),
        get("DELETE /api/v1/users/me/external_accounts/{provider}", SignedInWithSecret),
        send(
            "POST /api/v1/users/me/second_factors/totp/confirm",
            SignedInWithSecret,
            |_| json!({"code": "287082"}),
        ),
        send(
            "POST /api/v1/users/me/second_factors/totp/remove",
            SignedInWithSecret,
            |_| json!({"code": "287082"}),
        ),
        send("POST /api/v1/users/me/second_factors/passkeys", SignedInWithSecret, |_| {
            json!({"challenge": "x", "name": "phone", "credential": {
                "id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "AA", "attestationObject": "AA"}
            }})
        }),
        send(
            "PATCH /api/v1/users/me/second_factors/passkeys/{id}",
            SignedInWithSecret,
            |_| json!({"name": "phone"}),
        ),
        get("DELETE /api/v1/users/me/second_factors/passkeys/{id}", SignedInWithSecret),
        send("POST /api/v1/auth/step_up", SignedInWithSecret, |_| json!({"totp": "287082"})),
        get("POST /api/v1/auth/step_up/passkey", SignedInWithSecret),
    ]
}

fn stores() -> Vec<Route> {
    use Access::Store;
    use Permission::{
        FinanceRead, FinanceWrite, KeysRead, KeysWrite, ProductsRead, ProductsWrite, StockRead, StockWrite,
        StoreWrite, TeamRead, TeamWrite,
    };
    let pounds = |_: &Scene| json!({"price": {"amount": 500, "currency": "GBP"}});
    vec![
        change("PATCH /api/v1/stores/{id}", Store(StoreWrite), |_| json!({"description": "Probed"})),
        get("GET /api/v1/stores/{id}/admin/products", Store(ProductsRead)),
        get("GET /api/v1/stores/{id}/products/{product_id}", Store(ProductsRead)),
        send(
            "POST /api/v1/stores/{id}/products",
            Store(ProductsWrite),
            |_| json!({"title": "Probe", "variants": [{"options": [], "price": {"amount": 500, "currency": "GBP"}}]}),
        ),
        change(
            "PATCH /api/v1/stores/{id}/products/{product_id}",
            Store(ProductsWrite),
            |_| json!({"title": "Probed"}),
        ),
        change(
            "POST /api/v1/stores/{id}/products/{product_id}/variants",
            Store(ProductsWrite),
            |_| json!({"options": [], "price": {"amount": 500, "currency": "GBP"}}),
        ),
        change(
            "PATCH /api/v1/stores/{id}/products/{product_id}/variants/{variant_id}",
            Store(ProductsWrite),
            pounds,
        ),
        send(
            "PUT /api/v1/stores/{id}/products/{product_id}/waiting_room",
            Store(ProductsWrite),
            |_| json!({"admissions_per_second": 50}),
        ),
        get("GET /api/v1/stores/{id}/products/{product_id}/waiting_room", Store(ProductsRead)),
        get("DELETE /api/v1/stores/{id}/products/{product_id}/waiting_room", Store(ProductsWrite)),
        get("GET /api/v1/stores/{id}/stock", Store(StockRead)),
        get("GET /api/v1/stores/{id}/stock/{variant_id}", Store(StockRead)),
        get("GET /api/v1/stores/{id}/stock/{variant_id}/adjustments", Store(StockRead)),
        send(
            "POST /api/v1/stores/{id}/stock/{variant_id}/adjustments",
            Store(StockWrite),
            |_| json!({"quantity": 1, "reason": "received"}),
        ),
        change(
            "PUT /api/v1/stores/{id}/stock/{variant_id}",
            Store(StockWrite),
            |_| json!({"on_hand": 5, "reason": "counted"}),
        ),
        get("GET /api/v1/stores/{id}/locations", Store(StockRead)),
        send(
            "POST /api/v1/stores/{id}/locations",
            Store(StockWrite),
            |_| json!({"code": "york", "name": "Probed"}),
        ),
        send("PATCH /api/v1/stores/{id}/locations/{code}", Store(StockWrite), |_| json!({"name": "Probed"})),
        get("GET /api/v1/stores/{id}/commission_rules", Store(FinanceRead)),
        get("GET /api/v1/stores/{id}/disputes", Store(FinanceRead)),
        send("POST /api/v1/orders/{id}/refunds", Store(FinanceWrite), |_| json!({"reason": "other"})),
        get("GET /api/v1/stores/{id}/payout_settings", Store(FinanceRead)),
        change(
            "PUT /api/v1/stores/{id}/payout_settings",
            Store(FinanceWrite),
            |_| json!({"schedule": {"interval": "monthly", "day": 1}}),
        ),
        get("POST /api/v1/stores/{id}/payout_account", Store(FinanceWrite)),
        get("GET /api/v1/stores/{id}/payout_account", Store(FinanceRead)),
        get("GET /api/v1/stores/{id}/balance", Store(FinanceRead)),
        get("GET /api/v1/stores/{id}/payouts", Store(FinanceRead)),
        get("GET /api/v1/stores/{id}/payouts/{payout_id}", Store(FinanceRead)),
        get("GET /api/v1/stores/{id}/payouts/{payout_id}/statement", Store(FinanceRead)),
        get("GET /api/v1/stores/{id}/statement", Store(FinanceRead)),
        get("GET /api/v1/stores/{id}/members", Store(TeamRead)),
        send("PATCH /api/v1/stores/{id}/members/{user_id}", Store(TeamWrite), |_| json!({"role": "staff"})),
        get("GET /api/v1/stores/{id}/invitations", Store(TeamRead)),
        send(
            "POST /api/v1/stores/{id}/invitations",
            Store(TeamWrite),
            |_| json!({"email": "new@example.com", "role": "staff"}),
        ),
        get("DELETE /api/v1/stores/{id}/invitations/{invitation_id}", Store(TeamWrite)),
        get("GET /api/v1/stores/{id}/api_keys", Store(KeysRead)),
        send(
            "POST /api/v1/stores/{id}/api_keys",
            Store(KeysWrite),
            |_| json!({"kind": "publishable", "name": "Shop"}),
        ),
        get("DELETE /api/v1/stores/{id}/api_keys/{key_id}", Store(KeysWrite)),
    ]
}

fn marketplace() -> Vec<Route> {
    use Access::Platform;
    use Permission::{
        AuditRead, CategoriesWrite, FinanceAdmin, FinanceRead, KeysRead, KeysWrite, RolesWrite, StoresReview,
        UsersRead,
    };
    vec![
        get("GET /api/v1/admin/stores", Platform(StoresReview)),
        get("POST /api/v1/stores/{id}/approve", Platform(StoresReview)),
        send("POST /api/v1/stores/{id}/reject", Platform(StoresReview), |_| json!({"reason": "Probed"})),
        send("POST /api/v1/stores/{id}/suspend", Platform(StoresReview), |_| json!({"reason": "Probed"})),
        get("POST /api/v1/stores/{id}/reinstate", Platform(StoresReview)),
        send("POST /api/v1/categories", Platform(CategoriesWrite), |_| json!({"name": "Probes"})),
        change("PATCH /api/v1/categories/{id}", Platform(CategoriesWrite), |_| json!({"name": "Probed"})),
        get("DELETE /api/v1/categories/{id}", Platform(CategoriesWrite)),
        get("GET /api/v1/payouts", Platform(FinanceRead)),
        send(
            "POST /api/v1/payouts",
            Platform(FinanceAdmin),
            |scene| json!({"store_id": scene.id("store"), "reason": "Probed"}),
        ),
        send(
            "POST /api/v1/payouts/{id}/mark",
            Platform(FinanceAdmin),
            |_| json!({"state": "paid", "reason": "Probed"}),
        ),
        send("POST /api/v1/payouts/{id}/cancel", Platform(FinanceAdmin), |_| json!({"reason": "Probed"})),
        send("POST /api/v1/payouts/{id}/retry", Platform(FinanceAdmin), |_| json!({"reason": "Probed"})),
        send(
            "POST /api/v1/stores/{id}/payout_settings/pause",
            Platform(FinanceAdmin),
            |_| json!({"reason": "Probed"}),
        ),
        send(
            "POST /api/v1/stores/{id}/payout_settings/resume",
            Platform(FinanceAdmin),
            |_| json!({"reason": "Probed"}),
        ),
        send(
            "POST /api/v1/adjustments",
            Platform(FinanceAdmin),
            |scene| json!({"store_id": scene.id("store"), "amount": {"amount": 5, "currency": "GBP"}, "reason": "Probed"}),
        ),
        get("GET /api/v1/reconciliation", Platform(FinanceRead)),
        get("GET /api/v1/reconciliation/exceptions", Platform(FinanceRead)),
        get("GET /api/v1/reconciliation/exceptions/{id}", Platform(FinanceRead)),
        get("POST /api/v1/reconciliation/run", Platform(FinanceAdmin)),
        send(
            "POST /api/v1/reconciliation/exceptions/{id}/resolve",
            Platform(FinanceAdmin),
            |_| json!({"reason": "Probed"}),
        ),
        get("GET /api/v1/commission_rules", Platform(FinanceAdmin)),
        get("GET /api/v1/commission_rules/{id}", Platform(FinanceAdmin)),
        send(
            "POST /api/v1/commission_rules",
            Platform(FinanceAdmin),
            |scene| json!({"name": "Probe", "terms": {"kind": "percentage", "rate_ppm": 1}, "store_id": scene.id("store")}),
        ),
        send(
            "POST /api/v1/commission_rules/preview",
            Platform(FinanceAdmin),
            |scene| json!({"lines": [{"variant_id": scene.id("variant"), "quantity": 1}]}),
        ),
        change("PATCH /api/v1/commission_rules/{id}", Platform(FinanceAdmin), |_| json!({"position": 3})),
        get("DELETE /api/v1/commission_rules/{id}", Platform(FinanceAdmin)),
        get("GET /api/v1/audit_log", Platform(AuditRead)),
        get("GET /api/v1/ledger/accounts", Platform(FinanceRead)),
        get("GET /api/v1/ledger/accounts/{kind}/statement", Platform(FinanceRead)),
        get("GET /api/v1/ledger/head", Platform(FinanceRead)),
        get("GET /api/v1/disputes", Platform(FinanceRead)),
        get("GET /api/v1/payments/webhook_events", Platform(FinanceAdmin)),
        get("POST /api/v1/payments/webhook_events/{provider}/{event_id}/replay", Platform(FinanceAdmin)),
        get("GET /api/v1/users", Platform(UsersRead)),
        get("GET /api/v1/users/{id}", Platform(UsersRead)),
        get("GET /api/v1/api_keys", Platform(KeysRead)),
        send(
            "POST /api/v1/api_keys",
            Platform(KeysWrite),
            |_| json!({"kind": "publishable", "name": "Shop"}),
        ),
        get("DELETE /api/v1/api_keys/{key_id}", Platform(KeysWrite)),
        send("PUT /api/v1/users/{id}/role", Platform(RolesWrite), |_| json!({"role": null})),
    ]
}

/// What ends people and memberships comes last.
fn endings() -> Vec<Route> {
    use Access::Person;
    vec![
        get("DELETE /api/v1/stores/{id}/products/{product_id}", Access::Store(Permission::ProductsWrite)),
        // All that an owner may; this right is the one that no other role has.
        get("DELETE /api/v1/stores/{id}", Access::Store(Permission::KeysWrite)),
        get("DELETE /api/v1/stores/{id}/members/{user_id}", Access::Store(Permission::TeamWrite)),
        get("DELETE /api/v1/users/me/sessions", Person),
        send(
            "POST /api/v1/users/me/password",
            Person,
            |_| json!({"current_password": testkit::PASSWORD, "new_password": "planted-another-battery-staple"}),
        ),
        send(
            "POST /api/v1/users/me/delete",
            Person,
            |_| json!({"password": "planted-another-battery-staple"}),
        ),
    ]
}
