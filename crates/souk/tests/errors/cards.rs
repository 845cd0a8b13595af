//! Card numbers are nobody's business here: they are refused, in whatever field they stand, and in no answer and no log.

use serde_json::json;

use crate::hostile;
use crate::scene::{Scene, assert_problem, with};

/// A card number is refused wherever it stands, and comes back in no answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_is_neither_taken_nor_repeated() {
    let scene = Scene::open().await;
    let shapes = [
        json!("4242424242424242"),
        json!("4242 4242 4242 4242"),
        json!("4242-4242-4242-4242"),
        json!(4_242_424_242_424_242_u64),
        json!([4_242_424_242_424_242_u64]),
        json!({"number": "4242424242424242"}),
    ];
    for (method, template, path, token, body) in scene.operations() {
        let places: &[&str] = match template {
            "/api/v1/orders/{id}/payment" => &["/token"],
            "/api/v1/orders" | "/api/v1/shopping_basket/checkout" | "/api/v2/shopping_basket/checkout" => {
                &["/payment/token", "/payment"]
            }
            _ => continue,
        };
        for (place, shape) in places.iter().flat_map(|place| shapes.iter().map(move |shape| (place, shape))) {
            let body = with(body.clone(), place, shape.clone());
            let answer = scene.raw(method.clone(), &path, token, body.to_string().into_bytes()).await;
            let context = format!("{template} {place} {shape}");
            assert_eq!(answer.status, 422, "{context}: {answer:?}");
            if shape.is_string() && place.ends_with("token") {
                assert_problem(&answer, 422, "payments/card_number_refused", &context);
                assert_eq!(answer.json["details"][0]["code"], "invalid");
            }
            let digits: String = answer.text.chars().filter(char::is_ascii_digit).collect();
            assert!(
                !answer.text.contains("4242") && !digits.contains("42424242"),
                "{context}: {}",
                answer.text
            );
        }
    }
    scene.test.finish().await;
}

/// Somebody who writes their card number into any field of a purchase or a refund is told which one, and no row and no log
/// holds it: `finish` looks through the logs for what is given to `secrets`.
#[tokio::test(flavor = "multi_thread")]
async fn no_field_of_a_purchase_takes_a_card_number() {
    let scene = Scene::open().await;
    let mut asked = 0;
    for (method, template, path, token, body) in scene.operations() {
        let pays = ["checkout", "/orders", "/payment", "/payment_page", "/refunds"];
        if !pays.iter().any(|end| template.ends_with(end)) {
            continue;
        }
        let mut places = Vec::new();
        hostile::places(&body, "", &mut places);
        for place in places {
            for number in ["5105105105105100", "5105 1051 0510 5100"] {
                scene.test.secrets.note("card number", number);
                let body = with(body.clone(), &place, json!(number));
                let answer = scene.raw(method.clone(), &path, token, body.to_string().into_bytes()).await;
                let context = format!("{template} {place}");
                assert_problem(&answer, 422, "payments/card_number_refused", &context);
                let field = place.trim_start_matches('/').replace('/', ".");
                assert_eq!(answer.json["details"][0]["field"], field, "{context}");
                assert!(!answer.text.contains("5105"), "{context}: {}", answer.text);
                asked += 1;
            }
        }
    }
    assert!(asked > 100, "only {asked} requests");
    scene.test.finish().await;
}
