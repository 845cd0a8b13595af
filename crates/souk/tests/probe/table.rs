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
        send("POST /api/v1/auth/register", Public, nothing),
        send("POST /api/v1/auth/verify_email", Public, nothing),
        send("POST /api/v1/auth/verify_email/resend", Public, nothing),
        send("POST /api/v1/auth/login", Public, nothing),
        send("POST /api/v1/auth/refresh", Public, nothing),
        send("POST /api/v1/auth/logout", Public, nothing),
        send("POST /api/v1/auth/password_reset", Public, nothing),
        send("POST /api/v1/auth/password_reset/confirm", Public, nothing),
        send("POST /api/v1/auth/email_change/confirm", Public, nothing),
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
        send("POST /api/v1/orders/{id}/payment", Secret, |_| json!({"token": "tok_visa"})),
        send("POST /api/v1/shopping_basket/checkout", Secret, |_| testkit::purchase("tok_visa")),
    ]
}

fn own() -> Vec<Route> {
    use Access::{Known, Own, Person};
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
        get("GET /api/v1/users/me/sessions", Person),
        get("DELETE /api/v1/users/me/sessions/{id}", Own),
        // Nobody has its secret, so nobody is let in: the tests of teams are.
        send("POST /api/v1/invitations/accept", Access::SignedInWithSecret, |_| json!({"token": "made-up"})),
    ]
}

fn stores() -> Vec<Route> {
    use Access::Store;
    use Permission::{KeysRead, KeysWrite, TeamRead, TeamWrite};
    vec![
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
    use Permission::{AuditRead, KeysRead, KeysWrite, RolesWrite, UsersRead};
    vec![
        get("GET /api/v1/audit_log", Platform(AuditRead)),
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
