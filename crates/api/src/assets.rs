//! Files that are part of the binary: styles, the API reference and its page.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::cache;
use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// For pages: nothing from elsewhere but pictures of products, which may stand where the merchant keeps them;
/// no script in the page. The API reference sets styles on elements.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: https:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

pub(crate) fn routes() -> Router {
    Router::new().route("/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let brotli = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accepted| accepted.split(',').any(|one| one.trim().starts_with("br")));
    let vendored = format!("vendor/{name}");
    let compressed = format!("{vendored}.br");
    let found = match (brotli.then(|| Assets::get(&compressed)).flatten(), Assets::get(&name)) {
        (Some(file), None) => Some((file, true)),
        (_, Some(file)) => Some((file, false)),
        (None, None) => Assets::get(&vendored).map(|file| (file, false)),
    };
    let Some((file, compressed)) = found.filter(|_| !name.ends_with(".html")) else {
        return Problem::route_not_found().into_response();
    };
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{hash}\"");
    let fixed = [(header::CACHE_CONTROL, "public, max-age=3600"), (header::VARY, "accept-encoding")];
    let known = headers.get(header::IF_NONE_MATCH).zip(HeaderValue::from_str(&etag).ok());
    if let Some(name) = known.and_then(|(known, etag)| cache::named(known, &etag)) {
        return (StatusCode::NOT_MODIFIED, fixed, [(header::ETAG, name)]).into_response();
    }
    let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let own = [(header::CONTENT_TYPE, kind), (header::ETAG, etag.as_str())];
    let mut response = (fixed, own, file.data.into_owned()).into_response();
    if compressed {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    response
}

/// A page that is part of the binary.
pub(crate) fn page(name: &str) -> Response {
    match Assets::get(name) {
        Some(file) => html(file.data.into_owned()),
        None => Problem::route_not_found().into_response(),
    }
}

/// HTML with the policy that every page has.
pub(crate) fn html(body: Vec<u8>) -> Response {
    as_page(([(header::CONTENT_TYPE, cache::HTML)], body).into_response())
}

/// Gives an answer the policy that every page has; it is asked for each time whether it still is the same.
pub(crate) fn as_page(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    response
}

/// Pictures are looked at again and again, and may be replaced under their name.
pub(crate) fn media_age() -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    )
}

/// Pictures may be SVG, which can carry scripts: opened on their own they may do nothing.
pub(crate) fn media_headers() -> SetResponseHeaderLayer<HeaderValue> {
    let policy = HeaderValue::from_static(
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
    );
    SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, policy)
}
