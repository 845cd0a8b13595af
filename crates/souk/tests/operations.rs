//! What every answer carries, the API's description of itself, and the pages for people.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::{BTreeSet, HashSet};
use std::panic::AssertUnwindSafe;

use inventory::Reason;
use platform::{Currency, Money};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{NewProduct, TestApp, product};

/// One address of each kind, with the status it answers.
const PLACES: [(&str, u16); 8] = [
    ("/", 200),
    ("/docs", 200),
    ("/openapi.json", 200),
    ("/assets/docs.css", 200),
    ("/api/v1/products", 200),
    ("/api/v1/shopping_basket", 200),
    ("/api/v1/products/nothing", 404),
    ("/nothing", 404),
];

/// A client's request id is kept if it is sane; any other request gets one.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_its_request() {
    let test = TestApp::start().await;
    for (path, status) in PLACES {
        let long = "x".repeat(128);
        for sane in ["a", "req-1", "0198.A_b-C", long.as_str()] {
            let answer = test.get(path, &[("x-request-id", sane)]).await;
            assert_eq!((answer.status.as_u16(), answer.header("x-request-id")), (status, sane), "{path}");
            if status >= 400 {
                assert_eq!(answer.json["request_id"], sane);
            }
        }
        let (too_long, mut seen) = ("x".repeat(129), HashSet::new());
        for insane in [
            "",
            " ",
            "a b",
            "a\tb",
            "a,b",
            "<script>",
            "a;b",
            "\"a\"",
            "é".escape_default().to_string().as_str(),
            &too_long,
        ] {
            let answer = test.get(path, &[("x-request-id", insane)]).await;
            let id = answer.header("x-request-id").to_owned();
            assert!(id.len() == 36 && id != insane, "{path}: {insane:?} became {id:?}");
            assert!(seen.insert(id), "ids are different");
        }
        let id = test.get(path, &[]).await.header("x-request-id").to_owned();
        assert!(seen.insert(id));
    }
    test.finish().await;
}

/// An answer is part of the client's trace, or of a new one (W3C Trace Context).
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_part_of_a_trace() {
    let test = TestApp::start().await;
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    for (path, status) in PLACES {
        for flags in ["00", "01"] {
            let sent = format!("00-{trace}-{span}-{flags}");
            let answer = test.get(path, &[("traceparent", &sent)]).await;
            let parent = answer.header("traceparent");
            assert!(
                parent.starts_with(&format!("00-{trace}-")) && parent.ends_with(&format!("-{flags}")),
                "{parent}"
            );
            assert_ne!(parent, sent, "the span is a new one");
            if status >= 400 {
                assert_eq!(answer.json["trace_id"], trace);
            }
        }
        let mut seen = HashSet::new();
        for broken in ["", "nonsense", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            let answer = test.get(path, &[("traceparent", broken)]).await;
            let parts: Vec<_> = answer.header("traceparent").split('-').map(str::to_owned).collect();
            assert_eq!(parts.iter().map(String::len).collect::<Vec<_>>(), [2, 32, 16, 2], "{path} {parts:?}");
            assert!(seen.insert(parts[1].clone()), "each begins a trace of its own");
        }
    }
    test.finish().await;
}

/// No answer lets a browser guess what it is.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_to_be_guessed_at() {
    let test = TestApp::start().await;
    for (path, status) in PLACES {
        let answer = test.get(path, &[]).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_ne!(answer.header("content-type"), "", "{path}");
        assert_ne!(answer.header("referrer-policy"), "", "{path}");
    }
    test.finish().await;
}

/// What a reference stands for.
fn resolved<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(reference) = value["$ref"].as_str() {
        value = document
            .pointer(reference.strip_prefix('#').expect("references stay in the document"))
            .unwrap_or_else(|| panic!("{reference} leads nowhere"));
    }
    value
}

/// Calls `look` with every value in the document.
fn each<'a>(value: &'a Value, look: &mut impl FnMut(&'a Value)) {
    look(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| each(item, look)),
        Value::Object(fields) => fields.values().for_each(|field| each(field, look)),
        _ => {}
    }
}

/// Whether an example is found in a schema, or in one it refers to.
fn has_example(document: &Value, value: &Value, seen: &mut HashSet<*const Value>) -> bool {
    let value = resolved(document, value);
    if !seen.insert(std::ptr::from_ref(value)) {
        return false;
    }
    match value {
        Value::Object(fields) => fields.iter().any(|(name, inner)| {
            name == "example" || name == "examples" || has_example(document, inner, seen)
        }),
        Value::Array(items) => items.iter().any(|item| has_example(document, item, seen)),
        _ => false,
    }
}

/// An example has what its schema demands, and nothing that it does not know; so do its parts.
fn fits(document: &Value, schema: &Value, example: &Value, place: &str) {
    let schema = resolved(document, schema);
    let all: Vec<&Value> = schema["allOf"].as_array().into_iter().flatten().collect();
    let parts: Vec<&Value> = match all.as_slice() {
        [] => vec![schema],
        parts => parts.iter().map(|part| resolved(document, part)).collect(),
    };
    if let Some(choices) = schema["oneOf"].as_array() {
        let choices = choices.iter().map(|choice| resolved(document, choice));
        let choices: Vec<_> = choices.filter(|choice| choice["type"] != "null").collect();
        match choices.as_slice() {
            _ if example.is_null() => {}
            [choice] => fits(document, choice, example, place),
            many => {
                let of_one = |choice: &&Value| {
                    let fitting = AssertUnwindSafe(|| fits(document, choice, example, place));
                    std::panic::catch_unwind(fitting).is_ok()
                };
                assert!(many.iter().any(of_one), "{place}: fits none of the choices");
            }
        }
    } else if parts.iter().any(|part| part["properties"].is_object()) {
        let fields = example.as_object().unwrap_or_else(|| panic!("{place}: an example"));
        for required in parts.iter().flat_map(|part| part["required"].as_array().into_iter().flatten()) {
            assert!(fields.contains_key(required.as_str().unwrap()), "{place}: {required} is missing");
        }
        for (name, value) in fields {
            let known = parts.iter().find_map(|part| part["properties"].get(name));
            let known = known.unwrap_or_else(|| panic!("{place}: {name} is unknown"));
            fits(document, known, value, &format!("{place}.{name}"));
        }
    } else if schema["type"] == "array" {
        for item in example.as_array().unwrap_or_else(|| panic!("{place}: a list")) {
            fits(document, &schema["items"], item, place);
        }
    } else if let Some(kind) = schema["type"].as_str() {
        let found = match example {
            Value::String(_) => "string",
            Value::Number(_) => "integer",
            Value::Bool(_) => "boolean",
            Value::Object(_) => "object",
            _ => "null",
        };
        assert_eq!(found, kind, "{place}: {example}");
    }
}

/// The API describes itself: a whole OpenAPI 3.1 document in which every operation says what it does, what
/// it takes, what it answers, with examples.
#[tokio::test(flavor = "multi_thread")]
async fn the_api_describes_itself() {
    let test = TestApp::start().await;
    let answer = test.get("/openapi.json", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    let document = answer.json;
    assert_eq!(document, serde_json::to_value(api::document()).unwrap());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    for field in ["/info/title", "/info/version", "/info/description", "/info/license/name"] {
        assert!(document.pointer(field).is_some_and(Value::is_string), "{field} is missing");
    }
    let tags: HashSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    each(&document, &mut |value| {
        resolved(&document, value);
        assert!(
            value.get("nullable").is_none_or(|nullable| !nullable.is_boolean()),
            "nullable is of OpenAPI 3.0"
        );
    });
    let mut ids = HashSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let in_path: BTreeSet<_> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        for (method, operation) in operations.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{name} has no summary"
            );
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name} has the id of another");
            let own = operation["tags"].as_array().unwrap();
            assert!(
                !own.is_empty() && own.iter().all(|tag| tags.contains(tag.as_str().unwrap())),
                "{name}: {own:?}"
            );
            let parameters: Vec<_> = operation["parameters"].as_array().into_iter().flatten().collect();
            let named: BTreeSet<_> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            assert_eq!(named, in_path, "{name}: its path's parameters");
            for parameter in parameters {
                assert!(parameter["schema"].is_object(), "{name}: {parameter} has no schema");
                assert_eq!(
                    parameter["required"] == true,
                    parameter["in"] == "path" || parameter["required"] == true
                );
            }
            for requirement in operation["security"].as_array().into_iter().flatten() {
                for scheme in requirement.as_object().unwrap().keys() {
                    assert!(schemes.contains_key(scheme), "{name}: {scheme} is no security scheme");
                }
            }
            // Forms are other sites' to send.
            let body =
                operation.get("requestBody").filter(|body| body["content"]["application/json"].is_object());
            if let Some(body) = body {
                let schema = resolved(&document, &body["content"]["application/json"]["schema"]);
                assert_eq!(schema["type"], "object", "{name}: its body is an object");
                assert_eq!(schema["additionalProperties"], false, "{name}: unknown fields are refused");
                let example = &body["content"]["application/json"]["example"];
                fits(&document, schema, example, &name);
            }
            let responses = operation["responses"].as_object().unwrap();
            let succeeds =
                |status: &String| status.starts_with('2') || ["101", "303"].contains(&status.as_str());
            assert!(responses.keys().any(succeeds), "{name} never succeeds");
            if operation["tags"][0] == "Catalogue" {
                for status in ["200", "304"] {
                    assert!(responses[status]["headers"]["ETag"].is_object(), "{name} {status}");
                }
            }
            for (status, response) in responses {
                if ["101", "204", "303", "304"].contains(&status.as_str()) {
                    assert!(response["content"].is_null(), "{name} {status} has no body");
                    continue;
                }
                let mut content = response["content"].as_object().unwrap().iter();
                let (kind, body) = content.next().unwrap();
                let expected = match status.as_str() {
                    "200" if path.ends_with("/events") => "text/event-stream",
                    status if status.starts_with('2') => "application/json",
                    _ => "application/problem+json",
                };
                assert_eq!(kind, expected, "{name} {status}");
                if status.starts_with('2') {
                    fits(&document, &body["schema"], &body["example"], &format!("{name} {status}"));
                } else {
                    assert!(has_example(&document, body, &mut HashSet::new()), "{name} {status}: an example");
                }
            }
        }
    }
    test.finish().await;
}

/// Whatever the document describes is there, and answers as described.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_described_is_there() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct::default()).await;
    let token = test.basket(teapot, 1).await;
    let document = test.get("/openapi.json", &[]).await.json;
    let mut kept = 0;
    for (template, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let path = match template.as_str() {
                path if path.starts_with("/api/v1/stores/") => path.replace("{id}", "shop"),
                path if path.starts_with("/api/v1/products/") => path.replace("{id}", "teapot"),
                path => path.replace("{id}", &teapot.to_string()).replace("{line_id}", &teapot.to_string()),
            };
            let method: Method = method.to_uppercase().parse().unwrap();
            let headers = [("x-cart-token", token.as_str())];
            let body = operation.get("requestBody").map(|_| json!({}));
            let answer = test.send(method.clone(), &path, &headers, body.as_ref()).await;
            let name = format!("{method} {template}");
            assert!(answer.status.as_u16() < 500, "{name}: {answer:?}");
            if answer.status.is_client_error() {
                assert!(
                    !["request/route_not_found", "request/method_not_allowed"].contains(&answer.code()),
                    "{name}"
                );
            }
            let status = answer.status.as_u16().to_string();
            let described = &operation["responses"][&status];
            assert!(
                described.is_object(),
                "{name} answers {status}, which it does not describe: {}",
                answer.text
            );
            if ["204", "303"].contains(&status.as_str()) {
                kept += 1;
                continue;
            }
            let schema = resolved(
                &document,
                &described["content"].as_object().unwrap().values().next().unwrap()["schema"],
            );
            let required = schema["required"].as_array().into_iter().flatten();
            for field in required.map(|field| field.as_str().unwrap()) {
                assert!(answer.json.get(field).is_some(), "{name} {status}: {field} is missing");
            }
            for field in answer.json.as_object().unwrap().keys() {
                assert!(
                    schema["properties"].get(field).is_some() || schema.get("allOf").is_some(),
                    "{name} {status}: {field}"
                );
            }
            kept += 1;
        }
    }
    assert!(kept > 10, "only {kept} operations");
    test.finish().await;
}

/// The values of an attribute in HTML, whatever the element.
fn attributes(html: &str, name: &str) -> Vec<String> {
    let marker = format!(" {name}=\"");
    html.split(&marker).skip(1).map(|rest| rest.split('"').next().unwrap().replace("&#x2f;", "/")).collect()
}

/// The second answer to one purchase says that it is the second, also when it is a refusal.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_refusal_says_so() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct::default()).await;
    let token = test.basket(teapot, 1).await;
    for replayed in ["", "true"] {
        let refused = test.check_out(&token, "k", "tok_chargeDeclined").await;
        assert_eq!((refused.status.as_u16(), refused.header("idempotent-replayed")), (402, replayed));
    }
    test.finish().await;
}

/// A second public port of this application, reached in another way.
async fn also_at(test: &TestApp, public_url: &str, demo: bool) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let settings = api::Settings {
        public_url: public_url.parse().unwrap(),
        ops_url: "http://ops.example:3001".parse().unwrap(),
        demo,
        cache_bytes: 1024 * 1024,
        media: std::env::temp_dir(),
        trusted_proxies: Vec::new(),
        limiter: None,
    };
    let router = api::router(api::Api::new(test.app.modules(), settings));
    tokio::spawn(api::serve(listener, router, std::future::pending()));
    base
}

/// A demonstration shows its doors to operators.
#[tokio::test(flavor = "multi_thread")]
async fn a_demonstration_shows_all_doors() {
    let test = TestApp::start().await;
    let base = also_at(&test, "http://market.example", true).await;
    let home = reqwest::get(base).await.unwrap().text().await.unwrap();
    assert!(home.contains("/readyz") && home.contains("Buying needs no account"));
    test.finish().await;
}

/// With https a basket's cookie is read under the name only that browsers keep safe; whenever the basket changes
/// it is set again, so that it does not end before the basket does.
#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_kept_safe_and_fresh() {
    let test = TestApp::start().await;
    let teapot = test.product(NewProduct::default()).await;
    let client = reqwest::Client::new();
    for (public_url, name, other) in [
        ("https://market.example", "__Host-souk_cart", "souk_cart"),
        ("http://market.example", "souk_cart", "__Host-souk_cart"),
    ] {
        let base = also_at(&test, public_url, false).await;
        let basket = format!("{base}/api/v1/shopping_basket");
        let add = |header: &'static str, value: String| {
            let request = client.post(format!("{basket}/products")).header(header, value);
            request.json(&json!({"variant_id": teapot, "quantity": 1})).send()
        };
        let first = add("x-nothing", String::new()).await.unwrap();
        let token = first.headers()["x-cart-token"].to_str().unwrap().to_owned();
        let cookie = first.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.starts_with(&format!("{name}={token};")) && cookie.contains("Max-Age="), "{cookie}");
        assert_eq!(cookie.contains("Secure"), public_url.starts_with("https"), "{cookie}");

        for (sent, lines) in [(name, 1), (other, 0)] {
            let request = client.get(&basket).header("cookie", format!("{sent}={token}"));
            let seen: Value = request.send().await.unwrap().json().await.unwrap();
            assert_eq!(seen["lines"].as_array().unwrap().len(), lines, "{sent} at {public_url}");
        }
        let again = add("cookie", format!("{name}={token}")).await.unwrap();
        assert_eq!(again.headers()["set-cookie"].to_str().unwrap(), cookie);
        let by_header = add("x-cart-token", token).await.unwrap();
        assert!(by_header.headers().get("set-cookie").is_none(), "this client keeps no cookies");
    }
    test.finish().await;
}

/// The pages for people run no script of elsewhere and none that stands in the page.
#[tokio::test(flavor = "multi_thread")]
async fn pages_run_no_foreign_script() {
    let test = TestApp::start().await;
    let store = test.store("shop", Currency::GBP).await;
    let mut evil = product("evil", Money::new(1999, Currency::GBP));
    evil.title = "<script>alert(1)</script>\"'&".to_owned();
    let variant = test.put(store, evil).await.variants[0].0;
    test.adjust(variant, 1, Reason::Opening).await;
    test.run_jobs().await;
    for page in ["/", "/docs"] {
        let answer = test.get(page, &[]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, "text/html; charset=utf-8")
        );
        let policy = answer.header("content-security-policy");
        let directive = |name: &str| {
            policy
                .split(';')
                .map(str::trim)
                .find_map(|one| one.strip_prefix(name))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        assert_eq!(directive("default-src"), "'none'", "{page}: {policy}");
        assert_eq!(directive("script-src"), "'self'", "{page}: {policy}");
        for closed in ["base-uri", "frame-ancestors"] {
            assert_eq!(directive(closed), "'none'", "{page}: {policy}");
        }
        let html = &answer.text;
        assert!(html.to_lowercase().starts_with("<!doctype html>"), "{page}");
        assert!(
            html.contains("<title>") && html.contains("lang=\"en\"") && html.contains("viewport"),
            "{page}"
        );
        for script in html.split("<script").skip(1) {
            assert!(
                script.split('>').next().unwrap().contains("src=\"/"),
                "{page}: a script in the page: {script:.80}"
            );
        }
        for handler in [" onclick=", " onload=", " onerror=", "javascript:"] {
            assert!(!html.contains(handler), "{page}: {handler}");
        }
        for link in attributes(html, "src").iter().chain(&attributes(html, "href")) {
            if link.starts_with('/') && !link.starts_with("/media/") {
                let there = test.get(link, &[]).await;
                assert_eq!(there.status, 200, "{page} links to {link}");
            }
        }
        for source in attributes(html, "src") {
            assert!(
                source.starts_with('/') || source.starts_with("http://127.0.0.1:"),
                "{page} loads {source}"
            );
        }
    }
    let home = test.get("/", &[]).await.text;
    assert!(!home.contains("/readyz"), "the operations port is nobody's business");
    assert!(home.contains("&lt;script&gt;alert(1)&lt;"), "titles are escaped");
    assert!(home.contains("/docs") && home.contains("/openapi.json"), "the front page leads to the API");
    test.finish().await;
}
