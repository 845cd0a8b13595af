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
    ]
}

fn own() -> Vec<Route> {
    use Access::{Own, Person};
    vec![
        get("GET /api/v1/auth/validate", Person),
        get("GET /api/v1/users/me", Person),
        send("PATCH /api/v1/users/me", Person, |_| json!({"name": "Ada"})),
        get("GET /api/v1/users/me/export", Person),
    ]
}

fn stores() -> Vec<Route> {
    use Access::Store;
    vec![get("GET /api/v1/stores/{id}/members", Store(Permission::TeamRead))]
}

fn marketplace() -> Vec<Route> {
    use Access::Platform;
    vec![get("GET /api/v1/audit_log", Platform(Permission::AuditRead))]
}
