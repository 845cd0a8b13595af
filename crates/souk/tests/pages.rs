//! What browsers are told that an answer may do.

use testkit::{Answer, TestApp};

/// What an answer tells browsers, whatever it is.
fn assert_secure(answer: &Answer, path: &str) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{path}: {name}");
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{path}: {name}");
    }
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    assert!(answer.header("permissions-policy").contains("camera=()"), "{path}");
    let is_picture = path.starts_with("/media/");
    let readers = if is_picture { "cross-origin" } else { "same-origin" };
    assert_eq!(answer.header("cross-origin-resource-policy"), readers, "{path}");
}

/// Each answer, whether it is one or a refusal, is closed for what it does not need.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_closed() {
    let test = TestApp::with_limits(Vec::new()).await;
    std::fs::write(test.media().join("cup.svg"), "<svg xmlns=\"http://www.w3.org/2000/svg\"/>").unwrap();
    for (path, status) in [
        ("/", 200),
        ("/docs", 200),
        ("/openapi.json", 200),
        ("/assets/docs.js", 200),
        ("/media/cup.svg", 200),
        ("/media/nothing.svg", 404),
        ("/api/v1/products", 200),
        ("/api/v1/shopping_basket", 200),
        ("/api/v1/products/nothing", 404),
        ("/api/v1/auth/login", 405),
        ("/nothing", 404),
    ] {
        let answer = test.get(path, &[]).await;
        assert_eq!(answer.status, status, "{path}");
        assert_secure(&answer, path);
        assert_eq!(answer.header("strict-transport-security"), "", "{path}: there is no TLS");
        assert_ne!(answer.header("ratelimit"), "", "{path}");
        let policy = answer.header("content-security-policy");
        let is_page = answer.header("content-type").starts_with("text/html");
        assert_eq!(policy.contains("script-src 'self'"), is_page, "{path}: {policy}");
        assert!(!policy.contains("script-src 'self' 'unsafe"), "{path}: {policy}");
        assert_eq!(
            policy.contains("sandbox"),
            status == 200 && path.starts_with("/media/"),
            "{path}: {policy}"
        );
    }
    let refused = loop {
        let answer = test.get("/nothing", &[]).await;
        if answer.status == 429 {
            break answer;
        }
    };
    assert_secure(&refused, "429");
    assert_ne!(refused.header("ratelimit"), "");
    test.finish().await;
}

/// Where buyers come by TLS their browsers keep to it.
#[tokio::test(flavor = "multi_thread")]
async fn tls_is_kept() {
    let test = TestApp::changed(|_, api| {
        api.public_url = "https://market.example".parse().unwrap();
    })
    .await;
    for path in ["/", "/api/v1/products", "/nothing"] {
        let answer = test.get(path, &[]).await;
        assert_eq!(
            answer.header("strict-transport-security"),
            "max-age=63072000; includeSubDomains",
            "{path}"
        );
        assert_eq!(answer.header("ratelimit"), "", "{path}: this one has no limits");
    }
    test.finish().await;
}
