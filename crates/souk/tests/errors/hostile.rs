//! Input that programs trip over, in every place of every operation.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::Answer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scene::{Scene, text, with};
use crate::{people, selling};

/// JSON values, well-formed and not, as they stand in a body; separated by ` | ` or the end of the line.
const VALUES: &str = r#####"
null | true | false | 0 | -0 | 1 | -1 | 1.5 | -1.5e-3 | 1e308 | 1e400 | -1e400 | NaN | Infinity | -Infinity
2147483648 | 9223372036854775807 | 9223372036854775808 | -9223372036854775809 | 18446744073709551616
99999999999999999999999999999999999999 | 0x10 | 01 | +1 | .5 | 1. | 1e | undefined | '' | 'a'
[] | {} | [[]] | [{}] | [null] | {"a":1} | {"":{}} | {"\u0000":1} | "" | " " | "\t" | "\n" | "\r\n"
"\u0000" | "a\u0000b" | "\u0001" | "\u001b[31m" | "\u007f" | "\u0085" | "\u00a0" | "\u00ad" | "\u200b" | "\u200d"
"\u2028" | "\u202e" | "\ufeff" | "\ufffe" | "\uffff" | "\ud800" | "\udfff\ud800" | "\ud83d\ude00" | "\u12" | "\x00"
"\ | "unclosed | "null" | "true" | "0" | "-1" | "1e3" | "NaN" | "undefined" | "Ｆｕｌｌ" | "ŞİÇĞ" | "ßẞ"
"中文字" | "العربية" | "Z̵̡͚a̶l̸g̷o̴" | "👩‍👩‍👧‍👦🏴‍☠️" | "'" | "''" | "\"" | "`" | "\\" | "%" | "%00" | "%s%n%p" | "{0}" | "$1"
"${jndi:ldap://x}" | "{{7*7}}" | "<script>alert(1)</script>" | "'; DROP TABLE orders.orders; --" | "1 OR 1=1"
"../../etc/passwd" | "C:\\con" | "a@b" | "a@b.c" | "@" | "a@b..c" | "ada@example.com\u0000" | "ädä@exämple.com"
"GBP" | "gbp" | "XXX" | "JPY" | "GB" | "ZZ" | "4242424242424242" | "tok_visa " | "TOK_VISA"
"tok_chargeDeclinedInsufficientFunds" | "00000000-0000-0000-0000-000000000000"
"ffffffff-ffff-ffff-ffff-ffffffffffff" | "019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11"
"019A9C2E5D107C6E9A410F4B8A2D7C11" | "urn:uuid:019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11"
"{019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11}"
"#####;

/// Words in addresses, encoded as far as an address has to be; separated by spaces.
const WORDS: &str = "%20 %00 %00%00 a%00b %01 %0A %0D%0ASet-Cookie:%20a=b %7F %80 %C0%80 %ED%A0%80 %F4%90%80%80 %FF %FE%FF % %2 \
%zz %25 %2500 %2F %2e%2e%2f %5C %3F %23 + ++ - -- a- -a a--b _ . ~ * ' '' %22 %60 %3B-- 1'%20OR%20'1'='1 %24%7Bjndi%7D \
%7B%7B7*7%7D%7D %3Cscript%3E null undefined true NaN 0 -1 1e9 9223372036854775807 9223372036854775808 99999999999999999999 \
00000000-0000-0000-0000-000000000000 ffffffff-ffff-ffff-ffff-ffffffffffff {019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11} \
urn:uuid:019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11 %E4%B8%AD%E6%96%87 %F0%9F%91%A9%E2%80%8D%F0%9F%91%A7 %E2%80%AE %EF%BB%BF AbC";

/// Headers that something in the server reads, or might.
const HEADERS: &str = "x-cart-token cookie idempotency-key if-none-match if-modified-since if-match range accept accept-encoding \
accept-language content-encoding x-request-id traceparent tracestate authorization origin x-forwarded-for x-http-method-override";

/// Addresses that read one or the other header by themselves.
const BY_HEADER: [&str; 4] =
    ["/api/v1/products", "/api/v1/products/{slug}", "/api/v1/shopping_basket", "/api/v1/orders/{id}"];

/// Values of headers, one a line.
const HEADER_VALUES: &str = r#",
*
"
W/"
%00
=
;;;
a=b; souk_cart="
souk_cart=%00
gzip;q=x, br;q=2
identity;q=0, *;q=0
bytes=5-1
Mon, 99 Foo 0000 99:99:99 GMT
Mon, 01 Jan 0000 00:00:00 GMT
00-zz-zz-zz"#;

fn values() -> Vec<Vec<u8>> {
    let listed =
        VALUES.trim().lines().flat_map(|line| line.split(" | ")).map(|value| value.as_bytes().to_vec());
    let made = [
        b"\"a\nb\"".to_vec(),
        b"\"a\0b\"".to_vec(),
        b"\"\xff\xfe\"".to_vec(),
        b"\"\xc0\x80\"".to_vec(),
        b"\"\xed\xa0\x80\"".to_vec(),
        b"\"\xf4\x90\x80\x80\"".to_vec(),
        b"\xff".to_vec(),
        format!("\"{}\"", "x".repeat(201)).into_bytes(),
        format!("\"{}\"", "é".repeat(200)).into_bytes(),
        format!("\"{}\"", "👩".repeat(100)).into_bytes(),
        format!("\"{}\"", "x".repeat(100_000)).into_bytes(),
        format!("\"{}@{}.com\"", "a".repeat(64), "b".repeat(250)).into_bytes(),
        "9".repeat(5_000).into_bytes(),
        format!("{}{}", "[".repeat(500), "]".repeat(500)).into_bytes(),
        format!("{}1{}", "{\"a\":".repeat(120), "}".repeat(120)).into_bytes(),
    ];
    listed.chain(made).collect()
}

/// Those of them for one of the places of a body: all for the first; for each other place a third, another one each time, of
/// those that are JSON at all, since what is none breaks a body wherever it stands.
pub(crate) fn values_at(place: usize) -> Vec<Vec<u8>> {
    let all = values();
    if place == 0 {
        return all;
    }
    let json = all.into_iter().filter(|value| serde_json::from_slice::<Value>(value).is_ok());
    json.enumerate()
        .filter(|(number, _)| (number + place).is_multiple_of(3))
        .map(|(_, value)| value)
        .collect()
}

/// Every place in a body: its objects and its leaves.
pub(crate) fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(object) = value.as_object() {
        for (name, inner) in object {
            let at = format!("{at}/{name}");
            found.push(at.clone());
            places(inner, &at, found);
        }
    }
}

/// Nothing that stands in a body, in any of its places, brings the server down.
#[tokio::test(flavor = "multi_thread")]
async fn no_body_is_our_fault() {
    let scene = Scene::open().await;
    let document = serde_json::to_value(api::document()).unwrap();
    let operations = scene.operations();
    let of_people = people::operations();
    for (template, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let covered = operations
                .iter()
                .map(|one| (&one.0, one.1))
                .chain(selling::OPERATIONS.iter().map(|one| (&one.0, one.1)))
                .chain(of_people.iter().map(|one| (&one.0, one.1)))
                .any(|one| one.1 == template && one.0.as_str().eq_ignore_ascii_case(method));
            assert_eq!(
                covered,
                operation["requestBody"]["content"]["application/json"].is_object(),
                "{method} {template} is tested if it takes a body"
            );
        }
    }
    for (method, template, path, token, body) in operations {
        let mut found = Vec::new();
        places(&body, "", &mut found);
        // The second address of a body is read like the first.
        found.retain(|place| !place.starts_with("/billing_address/") && !place.starts_with("/billing/"));
        for (number, place) in found.iter().enumerate() {
            let marked = with(body.clone(), place, json!("@@")).to_string();
            let (before, after) = marked.split_once("\"@@\"").unwrap();
            for nasty in values_at(number) {
                let bytes = [before.as_bytes(), &nasty, after.as_bytes()].concat();
                let answer = scene.raw(method.clone(), &path, token, bytes).await;
                let shown = String::from_utf8_lossy(&nasty[..nasty.len().min(60)]).into_owned();
                assert_harmless(&answer, &format!("{method} {template} {place} = {shown}"));
            }
        }
    }
    // The books are still right: `finish` verifies them.
    scene.test.finish().await;
}

#[track_caller]
pub(crate) fn assert_harmless(answer: &Answer, context: &str) {
    assert!(answer.status.as_u16() < 500, "{context}: {answer:?}");
    if answer.status.as_u16() >= 400 {
        assert!(!answer.code().is_empty(), "{context}");
    }
    assert_ne!(answer.header("x-request-id"), "", "{context}");
}

/// Nothing that stands in an address, a query or a header, of any operation, brings the server down.
#[tokio::test(flavor = "multi_thread")]
async fn no_address_and_no_header_is_our_fault() {
    let scene = Scene::open().await;
    let document = serde_json::to_value(api::document()).unwrap();
    let long = "x".repeat(8_000);
    let words: Vec<&str> = WORDS.split_whitespace().chain(["", &long, &long[..121]]).collect();
    let mut asked = 0;
    for (template, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            // A stream has no end: its head says enough.
            let streams = template.ends_with("/events");
            let method: Method = if streams { Method::HEAD } else { method.to_uppercase().parse().unwrap() };
            let bodies = scene.operations();
            let body =
                bodies.iter().find(|one| one.1 == template && one.0 == method).map(|one| one.4.clone());
            let id = if template.contains("orders") { &scene.order } else { &scene.cart };
            let whole = template.replace("{line_id}", &scene.line).replace("{id}", id);
            let token = if template.contains("/orders/") { &scene.order_token } else { &scene.token };
            let named = operation["parameters"].as_array().into_iter().flatten();
            let queries: Vec<_> =
                named.filter(|one| one["in"] == "query").map(|one| text(&one["name"])).collect();
            let mut requests = Vec::new();
            for word in &words {
                for parameter in template.split('/').filter(|part| part.starts_with('{')) {
                    let path = template.replace(parameter, word);
                    requests.push((path.replace("{line_id}", &scene.line).replace("{id}", id), vec![]));
                }
                for name in &queries {
                    requests.push((format!("{whole}?{name}={word}"), vec![]));
                }
                if body.is_none() {
                    requests.push((format!("{whole}?{word}={word}&{word}[]&&=;"), vec![]));
                }
            }
            for value in HEADER_VALUES.lines().chain(["", "\t", &long[..4_000]]) {
                // One header at a time where each is read, else all of them.
                if BY_HEADER.contains(&template.as_str()) {
                    requests
                        .extend(HEADERS.split_whitespace().map(|name| (whole.clone(), vec![(name, value)])));
                }
                let all = HEADERS
                    .split_whitespace()
                    .filter(|name| !["x-cart-token", "idempotency-key"].contains(name));
                requests.push((whole.clone(), all.map(|name| (name, value)).collect()));
                requests.push((whole.clone(), vec![("x-cart-token", value)]));
            }
            for (path, mut headers) in requests {
                for own in [("x-cart-token", token.as_str()), ("idempotency-key", "n")] {
                    if !headers.iter().any(|(name, _)| *name == own.0) {
                        headers.push(own);
                    }
                }
                let answer = scene.test.send(method.clone(), &path, &headers, body.as_ref()).await;
                let context = format!("{method} {path} {headers:.200?}");
                if streams {
                    assert!(answer.status.as_u16() < 500, "{context}: {answer:?}");
                } else {
                    assert_harmless(&answer, &context);
                }
                asked += 1;
            }
        }
    }
    assert!(asked > 2_000, "only {asked} requests");
    // What was sent as a code stood in paths too, which are logged.
    scene.test.secrets.forget();
    scene.test.finish().await;
}

/// Bytes that no client library would send get a problem too.
#[tokio::test(flavor = "multi_thread")]
async fn raw_bytes_are_not_our_fault() {
    let scene = Scene::open().await;
    let shown = scene.test.get("/api/v1/products/teapot", &[]).await;
    let image = text(&shown.json["images"][0]["url"]);
    let host = image.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let token = &scene.token;
    let cases: Vec<(Vec<u8>, &[u16])> = vec![
        (b"GET /api/v1/shopping_basket HTTP/1.1\r\nx-cart-token: \xff\xfe\r\n".to_vec(), &[200]),
        (b"GET /api/v1/shopping_basket HTTP/1.1\r\ncookie: souk_cart=\xff\r\n".to_vec(), &[200]),
        (b"GET /api/v1/products HTTP/1.1\r\nif-none-match: \xff\r\n".to_vec(), &[200]),
        (b"GET /api/v1/products HTTP/1.1\r\nx-request-id: \xff\r\ntraceparent: \xff\r\n".to_vec(), &[200]),
        (b"POST /api/v1/carts HTTP/1.1\r\ncontent-type: \xff\r\ncontent-length: 2\r\n".to_vec(), &[415]),
        (
            format!("POST /api/v1/shopping_basket/checkout HTTP/1.1\r\nx-cart-token: {token}\r\ncontent-type: application/json\r\ncontent-length: 2\r\nidempotency-key: ")
                .into_bytes()
                .into_iter()
                .chain(*b"\xc3\xa9\r\n")
                .collect(),
            &[400],
        ),
        (b"GET /api/v1/products?page=1%00 HTTP/1.1\r\n".to_vec(), &[422]),
        // Who asks before sending too much is told so before sending it.
        (
            b"POST /api/v1/carts HTTP/1.1\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 300000\r\n"
                .to_vec(),
            &[413],
        ),
        (
            b"POST /api/v1/carts HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n".to_vec(),
            &[413],
        ),
        (b"GET /api/v1/products?page={ HTTP/1.1\r\n".to_vec(), &[400, 422]),
        (b"GET http://elsewhere.example/api/v1/products HTTP/1.1\r\n".to_vec(), &[200]),
        (b"OPTIONS * HTTP/1.1\r\n".to_vec(), &[400, 404, 405]),
        (b"HEAD /api/v1/products HTTP/1.1\r\n".to_vec(), &[200]),
        (b"BREW /api/v1/products HTTP/1.1\r\n".to_vec(), &[405]),
    ];
    for (head, expected) in cases {
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(&head).await.unwrap();
        stream.write_all(format!("host: {host}\r\nconnection: close\r\n\r\n{{}}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(expected.contains(&status), "{head}: {answer}");
    }
    scene.test.finish().await;
}
