//! The OpenAPI document, made of the handlers, and the page that shows it.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, Header, Ref, RefOr, Response, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;

use crate::{Api, assets, examples};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Souk",
        description = "A multi-vendor marketplace engine. Amounts are in minor units of their currency; times are UTC \
                       (RFC 3339); errors are problem+json (RFC 9457) with a stable `code`. Requests are limited in \
                       number: each answer tells in `RateLimit-Policy` and `RateLimit` what is left.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "Authentication", description = "Signing in, also with an account elsewhere."),
        (name = "Catalogue", description = "Stores, categories, products. Cached: send the `ETag` back as `If-None-Match`."),
        (name = "Cart", description = "What a buyer means to buy, at the prices they were shown."),
        (name = "Waiting rooms", description = "Standing in line for what many want at once."),
        (name = "Checkout", description = "From a cart to a paid order, exactly once."),
        (name = "Refunds", description = "Money that goes back to buyers."),
        (name = "Finance", description = "The books of the marketplace, to the last cent."),
        (name = "Payments", description = "What payment providers tell Souk."),
        (name = "Payouts", description = "A store's money on its way to it."),
        (name = "Accounts", description = "Signing in and out, and what belongs to an account."),
        (name = "Stores", description = "Running a store: its team, its keys, its goods."),
        (name = "Operators", description = "Running the marketplace. Money and roles need a second factor."),
        (name = "Second factors", description = "Authenticator apps, recovery codes and passkeys.")
    )
)]
struct Document;

/// Splits the routes from their documentation.
pub(crate) fn routes(rest: OpenApiRouter<Api>) -> (Router<Api>, utoipa::openapi::OpenApi) {
    let (router, mut document) =
        OpenApiRouter::with_openapi(Document::openapi()).merge(rest).split_for_parts();
    for (address, path) in &mut document.paths.paths {
        let operations = [&mut path.get, &mut path.post, &mut path.patch, &mut path.delete, &mut path.put];
        for operation in operations.into_iter().flatten() {
            // A title, made of a sentence.
            if let Some(summary) = operation.summary.as_mut() {
                summary.truncate(summary.trim_end_matches('.').len());
            }
            let cached = operation.tags.iter().flatten().any(|tag| tag == "Catalogue");
            let repeatable = operation.parameters.iter().flatten().any(
                |parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "Idempotency-Key"),
            );
            if let Some(RefOr::T(body)) = operation.request_body.as_mut() {
                show_examples(body.content.values_mut());
            }
            if cached {
                let unchanged =
                    Response::new("What the client has is still good: `If-None-Match` names its `ETag`");
                operation.responses.responses.insert("304".to_owned(), RefOr::T(unchanged));
            }
            if operation.request_body.is_some() {
                let wrong = RefOr::T(problem("A field is missing, unknown or wrong; `details` say which"));
                operation.responses.responses.entry("422".to_owned()).or_insert(wrong);
                let kind = RefOr::T(problem("The body is not of the described media type"));
                operation.responses.responses.entry("415".to_owned()).or_insert(kind);
            }
            let refused = RefOr::T(problem("Too many requests"));
            operation.responses.responses.entry("429".to_owned()).or_insert(refused);
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response {
                    complete(status, response);
                    let headers = headers(address, status, cached, repeatable);
                    response
                        .headers
                        .extend(headers.into_iter().map(|(name, words)| (name.to_owned(), header(words))));
                    show_examples(response.content.values_mut());
                }
            }
        }
    }
    let components = document.components.get_or_insert_default();
    let in_header = ApiKeyValue::with_description("X-Cart-Token", "The token told when the cart was opened");
    components.add_security_scheme("cart_token", SecurityScheme::ApiKey(ApiKey::Header(in_header)));
    let in_cookie =
        ApiKeyValue::with_description("souk_cart", "Set when something is first put into the basket");
    components.add_security_scheme("cart_cookie", SecurityScheme::ApiKey(ApiKey::Cookie(in_cookie)));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token of a login, a service token, or an API key (`sk_…`, `pk_…`)"));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    let of_login = ApiKeyValue::with_description("souk_session", "Set when a browser signs in");
    components.add_security_scheme("session_cookie", SecurityScheme::ApiKey(ApiKey::Cookie(of_login)));
    (router, document)
}

/// The headers of an answer that a client has use for, and what they tell.
fn headers(address: &str, status: &str, cached: bool, repeatable: bool) -> Vec<(&'static str, &'static str)> {
    let mut headers = Vec::new();
    if cached && matches!(status, "200" | "304") {
        headers.push(("ETag", "Names this version; send it back as `If-None-Match`"));
    }
    if address == "/api/v2/orders/{id}" && matches!(status, "200" | "304") {
        headers.push(("ETag", "Names this version; send it back as `If-None-Match`"));
    }
    if address == "/api/v2/orders/{id}" && status == "200" {
        headers.push(("Retry-After", "While the order is pending: seconds after which to ask again"));
    }
    if status == "200" && address == "/api/v2/products" {
        headers.push(("Link", "The next page, `rel=\"next\"`, if there is one (RFC 8288)"));
    }
    if status == "200" && address == "/api/v1/shopping_basket/products" {
        headers.push(("X-Cart-Token", "The token of a new basket; it is told only once"));
        headers.push(("Set-Cookie", "The same token, for browsers"));
    }
    if status == "202" && address == "/api/v2/shopping_basket/checkout" {
        headers.push(("Location", "Where the order can be asked for"));
        headers.push(("Retry-After", "Seconds after which to ask for it"));
    }
    if status == "201" {
        headers.push(("Location", "Where the new thing is"));
    }
    if status == "429" {
        headers.push((
            "RateLimit-Policy",
            "The bucket that is empty: its name, size `q`, and seconds `w` to fill",
        ));
        headers.push(("RateLimit", "What is left in it, `r`, and after how many seconds it is full, `t`"));
    }
    if matches!(status, "429" | "503") || (repeatable && status == "409") {
        headers.push(("Retry-After", "Seconds after which trying again may help"));
    }
    if repeatable && matches!(status, "200" | "201" | "202" | "402" | "409") {
        headers.push((
            "Idempotent-Replayed",
            "`true` if the request was answered before, and this is that answer",
        ));
    }
    headers
}

fn header(words: &str) -> RefOr<Header> {
    let mut header = Header::new(Object::with_type(Type::String));
    header.description = Some(words.to_owned());
    RefOr::T(header)
}

/// Puts an example beside each schema that has one.
fn show_examples<'a>(bodies: impl Iterator<Item = &'a mut RefOr<Content>>) {
    for content in bodies {
        if let RefOr::T(content) = content
            && let Some(RefOr::Ref(schema)) = &content.schema
        {
            let name = schema.ref_location.rsplit('/').next().unwrap_or_default();
            content.example = examples::of(name);
        }
    }
}

/// What any request may be answered with.
fn problem(description: &str) -> Response {
    let schema = Ref::from_schema_name("Problem");
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

/// Says of an error what its media type is, and in words what its status means.
fn complete(status: &str, response: &mut Response) {
    let Some(status) = status.parse().ok().filter(|status: &StatusCode| !status.is_success()) else { return };
    if let Some(problem) = response.content.shift_remove("application/json") {
        response.content.insert("application/problem+json".to_owned(), problem);
    }
    if response.description.is_empty() {
        status.canonical_reason().unwrap_or("Error").clone_into(&mut response.description);
    }
}

/// The OpenAPI 3.1 document.
pub fn document() -> utoipa::openapi::OpenApi {
    routes(crate::rest::router()).1
}

/// `/openapi.json` and `/docs`.
pub(crate) fn page(document: &utoipa::openapi::OpenApi) -> Router {
    let json: bytes::Bytes = document.to_json().expect("a document is plain data").into();
    let json = move || {
        let headers =
            [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
        let body = json.clone();
        async move { (headers, body).into_response() }
    };
    Router::new()
        .route("/openapi.json", get(json))
        .route("/docs", get(|| async { assets::page("docs.html") }))
}
