//! Finished answers of the catalogue, kept as bytes until something they show has changed.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};
use platform::changes::Stamp;
use platform::{Changes, Tag};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::Api;
use crate::problem::Problem;

/// An answer lives no longer than this, whatever happens to the connection that tells of changes.
const LONGEST_LIFE: Duration = Duration::from_secs(60);
/// How long a browser or CDN may use an answer without asking, and while it asks.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=5, stale-while-revalidate=30");

/// What the cache needs to know of a request.
pub(crate) struct Asked {
    /// Path and query, as they were sent.
    pub(crate) uri: Uri,
    headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut headers = HeaderMap::new();
        for name in [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE] {
            for value in parts.headers.get_all(&name) {
                headers.append(&name, value.clone());
            }
        }
        Ok(Self { uri: parts.uri.clone(), headers })
    }
}

/// What the answers of the API are.
pub(crate) const JSON: &str = "application/json";
/// What pages for people are.
pub(crate) const HTML: &str = "text/html; charset=utf-8";

/// What a handler makes of a catalogue read.
pub(crate) struct Made {
    /// The body.
    pub(crate) body: Vec<u8>,
    /// What it is.
    pub(crate) content_type: &'static str,
    /// What it depends on.
    pub(crate) tags: Vec<Tag>,
    /// What a CDN may purge it by, separated by spaces.
    pub(crate) surrogate_key: String,
    /// The `Link` header.
    pub(crate) link: Option<String>,
}

struct Answer {
    body: Bytes,
    content_type: &'static str,
    etag: HeaderValue,
    surrogate_key: HeaderValue,
    link: Option<HeaderValue>,
    made_at: OffsetDateTime,
    tags: Box<[Tag]>,
    /// Up to this moment the answer is known to be good.
    good_at: AtomicU64,
}

/// The answers of one node.
pub(crate) struct AnswerCache {
    answers: Cache<String, Arc<Answer>>,
    changes: Arc<Changes>,
}

impl AnswerCache {
    pub(crate) fn new(changes: Arc<Changes>, bytes: u64) -> Self {
        let weigh = |key: &String, answer: &Arc<Answer>| {
            let size = key.len() + answer.body.len() + answer.tags.len() * 8 + 400;
            u32::try_from(size).unwrap_or(u32::MAX)
        };
        let answers = Cache::builder().max_capacity(bytes).weigher(weigh).time_to_live(LONGEST_LIFE).build();
        Self { answers, changes }
    }

    fn is_good(&self, answer: &Answer) -> bool {
        let stamp = Stamp::from_u64(answer.good_at.load(Ordering::Relaxed));
        match self.changes.untouched(stamp, &answer.tags) {
            Some(newer) => {
                answer.good_at.fetch_max(newer.as_u64(), Ordering::Relaxed);
                true
            }
            None => false,
        }
    }
}

/// Answers from the cache, or with what `make` makes. Of many who ask for the same at the same time one makes it.
///
/// `key` names the answer by what was understood of the request, so that no spelling of it is an entry of its own.
pub(crate) async fn answer<F, Fut>(
    api: &Api,
    asked: &Asked,
    key: String,
    make: F,
) -> Result<Response, Problem>
where
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Result<Made, Problem>> + Send,
{
    let cache = &api.cache;
    let kept = cache.answers.get(&key).await.filter(|answer| cache.is_good(answer));
    let hit = kept.is_some();
    metrics::counter!("souk_answer_cache_total", "result" => if hit { "hit" } else { "miss" }).increment(1);
    let answer = match kept {
        Some(answer) => answer,
        None => make_once(api, key, make).await?,
    };
    Ok(respond(&answer, &asked.headers, api.sources.now()))
}

async fn make_once<F, Fut>(api: &Api, key: String, make: F) -> Result<Arc<Answer>, Problem>
where
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Result<Made, Problem>> + Send,
{
    let cache = &api.cache;
    let outcome = cache
        .answers
        .entry(key)
        .and_try_compute_with(|there| async {
            let before = there.map(moka::Entry::into_value);
            if before.as_ref().is_some_and(|before| cache.is_good(before)) {
                return Ok::<_, Problem>(Op::Nop);
            }
            // Taken before the database is read: a change in between makes the answer old at once.
            let stamp = cache.changes.stamp();
            let made = make().await?;
            let mut answer = finish(made, stamp, api.sources.now());
            if let Some(before) = before.filter(|before| before.etag == answer.etag) {
                answer.made_at = before.made_at;
            }
            Ok(Op::Put(Arc::new(answer)))
        })
        .await?;
    match outcome {
        CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => {
            Ok(entry.into_value())
        }
        CompResult::Removed(entry) => Ok(entry.into_value()),
        CompResult::StillNone(_) => Err(Problem::route_not_found()),
    }
}

fn finish(made: Made, stamp: Stamp, now: OffsetDateTime) -> Answer {
    let hash = Sha256::digest(&made.body);
    let etag: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut tags = made.tags;
    tags.sort_unstable();
    tags.dedup();
    Answer {
        body: made.body.into(),
        content_type: made.content_type,
        etag: header_value(&format!("\"{etag}\"")),
        surrogate_key: header_value(&made.surrogate_key),
        link: made.link.as_deref().map(header_value),
        made_at: now,
        tags: tags.into(),
        good_at: AtomicU64::new(stamp.as_u64()),
    }
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn respond(answer: &Answer, request: &HeaderMap, now: OffsetDateTime) -> Response {
    // A date counts whole seconds: until its second is over it could name two versions (RFC 9110, 8.8.2.2).
    let dated = now - answer.made_at >= time::Duration::seconds(1);
    let last_modified =
        dated.then(|| answer.made_at.format(&HTTP_DATE).ok()).flatten().map(|date| header_value(&date));
    let known = match request.get(header::IF_NONE_MATCH) {
        Some(known) => named(known, &answer.etag),
        // The very date of this node's answer: another node's clock may be ahead of this one's, and a date
        // after ours would then not tell that ours is known (RFC 9110, 13.1.3 allows to compare for equality).
        None => (last_modified.is_some() && request.get(header::IF_MODIFIED_SINCE) == last_modified.as_ref())
            .then(|| answer.etag.clone()),
    };
    let mut response = if known.is_some() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(answer.body.clone()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, known.unwrap_or_else(|| answer.etag.clone()));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    headers.insert("surrogate-key", answer.surrogate_key.clone());
    if let Some(link) = &answer.link {
        headers.insert(header::LINK, link.clone());
    }
    if let Some(date) = last_modified {
        headers.insert(header::LAST_MODIFIED, date);
    }
    response
}

const HTTP_DATE: &[time::format_description::BorrowedFormatItem<'_>] = time::macros::format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// The name under which `If-None-Match` knows this entity, in whatever encoding it was sent. A 304 repeats
/// it, so that a cache finds the answer it is about (RFC 9111, 4.3.4).
pub(crate) fn named(known: &HeaderValue, etag: &HeaderValue) -> Option<HeaderValue> {
    let (known, plain_etag) = (known.to_str().ok()?, etag.to_str().ok()?);
    known.split(',').map(str::trim).find_map(|one| {
        let one = one.strip_prefix("W/").unwrap_or(one);
        let plain = one
            .strip_suffix('"')
            .and_then(|one| one.strip_suffix("-gzip").or_else(|| one.strip_suffix("-br")));
        if one == "*" || one == plain_etag {
            Some(etag.clone())
        } else if plain.is_some() && plain == plain_etag.strip_suffix('"') {
            HeaderValue::from_str(one).ok()
        } else {
            None
        }
    })
}

/// A strong `ETag` names bytes: the compressed ones get a name of their own (RFC 9110, 8.8.3.3).
pub(crate) async fn tell_encodings_apart(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let Some(encoding) = headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return response;
    };
    let named = headers
        .get(header::ETAG)
        .and_then(|etag| etag.to_str().ok())
        .and_then(|etag| etag.strip_suffix('"'))
        .map(|etag| header_value(&format!("{etag}-{encoding}\"")));
    if let Some(named) = named {
        headers.insert(header::ETAG, named);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_an_entity_in_each_encoding() {
        let etag = HeaderValue::from_static("\"abc\"");
        for (known, name) in [
            ("\"abc\"", "\"abc\""),
            ("W/\"abc\"", "\"abc\""),
            ("\"x\", \"abc-gzip\"", "\"abc-gzip\""),
            ("\"abc-br\"", "\"abc-br\""),
            ("*", "\"abc\""),
        ] {
            assert_eq!(named(&HeaderValue::from_static(known), &etag).unwrap(), name);
        }
        for unknown in ["\"abcd\"", "abc", "\"abc-zstd2\"", "\"", ""] {
            assert_eq!(named(&HeaderValue::from_static(unknown), &etag), None, "{unknown}");
        }
    }
}
