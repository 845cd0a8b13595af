//! Times and texts that can be written down, and that PostgreSQL can not keep.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::PlatformRole;
use serde_json::{Value, json};
use testkit::{NewProduct, TestApp};

/// In its own offset the last hour of all calendars, in UTC after it; and the same before the first one.
const BEYOND: [&str; 2] = ["9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00"];

fn cursor(place: &Value) -> String {
    URL_SAFE_NO_PAD.encode(place.to_string())
}

/// A cursor that nobody was given is refused as such.
#[tokio::test(flavor = "multi_thread")]
async fn made_up_cursors_are_refused() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct::default()).await;
    let products = async |key: Value| {
        let place = cursor(&json!({"sort": "newest", "key": key, "id": variant}));
        test.get(&format!("/api/v2/products?sort=newest&after={place}"), &[]).await
    };
    assert_eq!(products(json!({"t": "2027-01-01T00:00:00Z"})).await.status, 200);
    for time in BEYOND {
        let refused = products(json!({"t": time})).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "request/bad_cursor"), "{time}");
    }
    let support = test.trusted("support", PlatformRole::Support).await;
    let users = async |place: &str| {
        test.get(&format!("/api/v1/users?after={}", cursor(&json!(place))), &[support.header()]).await
    };
    assert_eq!(users("a@example.com").await.status, 200);
    for place in ["\0", "a\0@example.com"] {
        let refused = users(place).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "request/bad_cursor"), "{place:?}");
    }
    test.finish().await;
}

/// A key ends at a time that can be kept.
#[tokio::test(flavor = "multi_thread")]
async fn keys_end_within_the_calendar() {
    let test = TestApp::start().await;
    let (owner, store) = test.seller("shop").await;
    let path = format!("/api/v1/stores/{store}/api_keys");
    for time in BEYOND {
        let body = json!({"kind": "publishable", "name": "A key", "expires_at": time});
        let refused = test.post(&path, &[owner.header()], &body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "request/invalid_value"), "{time}");
        assert_eq!(refused.json["details"][0]["field"], "expires_at");
    }
    test.finish().await;
}
