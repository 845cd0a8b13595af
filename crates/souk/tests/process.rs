//! The program itself: started, stopped, killed and started again, with its embedded PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod program;

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use program::{Server, data_folder, free_port, output, souk};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use testkit::address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

fn purchase() -> Value {
    json!({"email": "ada@example.com", "shipping_address": address(), "payment": {"token": "tok_visa"}})
}

/// One data folder has one Souk; commands work beside it and without it; it stops cleanly and starts again.
#[tokio::test(flavor = "multi_thread")]
async fn one_souk_per_data_folder() {
    let data = data_folder();
    let server = Server::start(data.path()).await;
    let (second_ok, _, second) =
        output(data.path(), &["serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
    assert!(!second_ok);
    assert!(second.contains("in use") && second.contains(&server.child.id().to_string()), "{second}");
    let (ok, beside, error) = output(data.path(), &["verify"]);
    assert!(ok && beside.contains("All invariants hold."), "{beside}{error}");
    let (_, stock) = server.teapot().await;
    assert_eq!(stock, 10);
    let adjust = |sku| {
        ["stock", "adjust", "--store", "kiln-and-kin", "--sku", sku, "--by", "-2", "--reason", "damaged"]
    };
    let (ok, told, error) = output(data.path(), &adjust("KK-001-STD"));
    assert!(ok && told.contains("8 available"), "{told}{error}");
    let (ok, _, error) = output(data.path(), &adjust("no-such-thing"));
    assert!(!ok && error.contains("no-such-thing"), "{error}");
    assert_eq!(server.teapot().await.1, 8, "the running server shows it at once");
    assert!(server.stop(), "a polite stop is a success");

    let (ok, without, error) = output(data.path(), &["verify", "--json"]);
    assert!(ok, "{error}");
    assert_eq!(serde_json::from_str::<Value>(&without).unwrap(), json!({"ok": true, "violations": []}));
    let server = Server::start(data.path()).await;
    assert_eq!(server.get("/api/v1/products?per_page=1").await["total"].as_i64().unwrap(), 227);
    assert!(server.stop());
}

/// Power fails in the middle of a rush for the last ten: no acknowledged order is lost, none is doubled,
/// nothing stays stuck, and not one too many is sold.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_in_a_rush() {
    let data = data_folder();
    let mut server = Server::start(data.path()).await;
    let (teapot, _) = server.teapot().await;
    let mut carts = Vec::new();
    for _ in 0..100 {
        let body = json!({"variant_id": teapot, "quantity": 1});
        carts.push(server.post("/api/v1/shopping_basket/products", "", "", &body).await.unwrap().1);
    }
    let mut acknowledged: Vec<Option<String>> = vec![None; carts.len()];
    for milliseconds in [15, 40, 90] {
        let mut requests = JoinSet::new();
        for (buyer, cart) in carts.iter().cloned().enumerate() {
            let (client, base) = (server.client.clone(), server.base.clone());
            requests.spawn(async move {
                let answer = client
                    .post(format!("{base}/api/v1/shopping_basket/checkout"))
                    .header("x-cart-token", cart)
                    .header("idempotency-key", format!("buyer-{buyer}"))
                    .json(&purchase())
                    .send()
                    .await;
                match answer {
                    Ok(answer) if answer.status() == StatusCode::CREATED => {
                        let order = answer.json::<Value>().await.ok()?;
                        Some((buyer, order["id"].as_str()?.to_owned()))
                    }
                    _ => None,
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        server.kill();
        for (buyer, order) in requests.join_all().await.into_iter().flatten() {
            let before = acknowledged[buyer].get_or_insert_with(|| order.clone());
            assert_eq!(*before, order, "buyer {buyer} was told of two orders");
        }
        server = Server::start(data.path()).await;
    }
    // Everybody asks again, as a good client does; those who were told of an order get the same one.
    let (mut paid, mut refused) = (0, 0);
    for (buyer, cart) in carts.iter().enumerate() {
        let key = format!("buyer-{buyer}");
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            let (status, _, answer) =
                server.post("/api/v1/shopping_basket/checkout", cart, &key, &purchase()).await.unwrap();
            match status {
                StatusCode::CREATED => {
                    paid += 1;
                    if let Some(order) = &acknowledged[buyer] {
                        assert_eq!(answer["id"].as_str().unwrap(), order);
                    }
                }
                StatusCode::CONFLICT if answer["code"] == "inventory/out_of_stock" => {
                    assert_eq!(acknowledged[buyer], None, "buyer {buyer} had an order and lost it");
                    refused += 1;
                }
                _ => {
                    assert!(Instant::now() < patience, "buyer {buyer} is stuck: {answer}");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            }
            break;
        }
    }
    assert_eq!((paid, refused), (10, 90));
    assert_eq!(server.teapot().await.1, 0);
    let (ok, report, error) = output(data.path(), &["verify"]);
    assert!(ok, "{report}{error}");
    assert!(server.stop());
    let log = std::fs::read_to_string(data.path().join("serve.log")).unwrap();
    assert!(log.contains("/api/v1/shopping_basket/checkout") && !log.contains("ada@example.com"));
    assert!(carts.iter().all(|cart| !log.contains(cart)), "a basket's token was logged");
}

/// A request in flight is finished before Souk stops.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_requests_in_flight() {
    let data = data_folder();
    let server = Server::start(data.path()).await;
    let products = server.get("/api/v2/products?in_stock=true&first=100&sort=title").await;
    let variants = products["data"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|product| product["variants"].as_array().unwrap());
    let variant =
        variants.max_by_key(|variant| variant["available"].as_i64().unwrap()).unwrap()["id"].clone();
    let body = json!({"variant_id": variant, "quantity": 1});
    let mut carts = Vec::new();
    for _ in 0..8 {
        carts.push(server.post("/api/v1/shopping_basket/products", "", "", &body).await.unwrap().1);
    }
    let mut requests = JoinSet::new();
    for cart in carts {
        let (client, base) = (server.client.clone(), server.base.clone());
        requests.spawn(async move {
            client
                .post(format!("{base}/api/v1/shopping_basket/checkout"))
                .header("x-cart-token", cart)
                .header("idempotency-key", "k")
                .json(&purchase())
                .send()
                .await
        });
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(server.stop());
    for answer in requests.join_all().await {
        // A connection that had not been taken yet is refused; one that had gets its whole answer.
        match answer {
            Ok(answer) => {
                let answer = answer.json::<Value>().await.unwrap();
                assert!(answer["id"].is_string(), "{answer}");
            }
            Err(error) => assert!(error.is_connect() || error.is_request(), "{error:?}"),
        }
    }
    let (ok, report, error) = output(data.path(), &["verify"]);
    assert!(ok, "{report}{error}");
}

/// While the public port finishes what it has, the operations port says that Souk is stopping.
#[tokio::test(flavor = "multi_thread")]
async fn operators_are_told_of_a_stop() {
    let data = data_folder();
    let server = Server::start(data.path()).await;
    let mut slow = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).await.unwrap();
    let head = "POST /api/v1/carts HTTP/1.1\r\nHost: souk\r\nContent-Type: application/json\r\n\
                Content-Length: 2\r\nConnection: close\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    // An answer to a later request: by then the slow one has been taken.
    server.get("/api/v1/categories").await;
    server.signal("-TERM");
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        let ready = server.client.get(format!("{}/readyz", server.ops)).send().await.unwrap();
        let (status, told) = (ready.status(), ready.text().await.unwrap());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            assert!(told.contains("stopping"), "{told}");
            break;
        }
        assert!(Instant::now() < patience, "{status} {told}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let metrics = server.client.get(format!("{}/metrics", server.ops)).send().await.unwrap();
    assert!(metrics.text().await.unwrap().contains("souk_http_requests_total"));
    let late = Client::new().get(format!("{}/api/v1/categories", server.base)).send().await;
    assert!(late.unwrap_err().is_connect(), "no new requests are taken");
    let log = std::fs::read_to_string(data.path().join("serve.log")).unwrap();
    assert!(log.contains("those in flight are finished"), "{log}");

    slow.write_all(b"}").await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let mut child = server.child;
    assert!(child.wait().unwrap().success());
}

/// Flags win over the environment, the environment over the file; secrets are masked; mistakes are named.
#[test]
fn configuration_is_layered_and_checked() {
    let data = data_folder();
    std::fs::write(
        data.path().join("souk.toml"),
        "cache_bytes = 1\nlog_filter = \"warn\"\nlisten = \"127.0.0.1:1\"\n",
    )
    .unwrap();
    let config = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = souk(data.path(), arguments);
        command.envs(variables.iter().copied());
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.success(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    };
    let (ok, shown, error) = config(
        &["config", "--log-filter", "debug"],
        &[("SOUK_LISTEN", "127.0.0.1:2"), ("DATABASE_URL", "postgres://me:s3cret@db/souk")],
    );
    assert!(ok, "{error}");
    for line in [
        "cache_bytes = 1  # souk.toml",
        "log_filter = \"debug\"  # flag",
        "listen = \"127.0.0.1:2\"  # environment",
        "ops_listen = \"127.0.0.1:3001\"  # default",
        "database_url = \"postgres://me:***@db/souk\"  # environment",
    ] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }
    assert!(!shown.contains("s3cret"));

    for (file, variables, named) in [
        ("lisen = \"127.0.0.1:1\"", vec![], "lisen"),
        ("listen = \"here\"", vec![], "listen"),
        ("cache_bytes = \"many\"", vec![], "cache_bytes"),
        ("step_deadline_seconds = 0", vec![], "step_deadline_seconds"),
        ("log_filter = \"orders=loud\"", vec![], "log_filter"),
        ("listen = \"", vec![], "souk.toml, line 1"),
        ("", vec![("SOUK_LISEN", "127.0.0.1:1")], "SOUK_LISEN"),
        ("", vec![("SOUK_LOG_FILTER", "orders=loud")], "log_filter"),
        ("", vec![("SOUK_DATABASE_CONNECTIONS", "x")], "database_connections"),
        ("", vec![("DATABASE_URL", "mysql://db/souk")], "database_url"),
        ("trusted_proxies = [\"proxy\"]", vec![], "trusted_proxies"),
        ("", vec![("SOUK_RATE_LIMITS", "perhaps")], "rate_limits"),
        ("", vec![("SOUK_REDIS_URL", "http://redis")], "redis_url"),
    ] {
        std::fs::write(data.path().join("souk.toml"), file).unwrap();
        let (ok, _, error) = config(&["config"], &variables);
        assert!(!ok && error.contains(named), "{file} {variables:?}: {error}");
    }
    let (ok, _, error) = config(&["config", "--config", "nowhere.toml"], &[]);
    assert!(!ok && error.contains("nowhere.toml"), "{error}");
}

/// What `souk` says to these arguments, variables and `souk.toml`.
fn told(data: &Path, arguments: &[&str], variables: &[(&str, &str)], file: &str) -> (bool, String) {
    std::fs::write(data.join("souk.toml"), file).unwrap();
    let Output { status, stdout, stderr } =
        souk(data, arguments).envs(variables.iter().copied()).output().unwrap();
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// A variable is the text it is, whatever it looks like; an empty one says nothing.
#[test]
fn variables_are_taken_as_they_are() {
    let data = data_folder();
    for (name, value, line) in [
        ("SOUK_LOG_FILTER", "1", "log_filter = \"1\"  # environment"),
        ("SOUK_LOG_FILTER", "[info]", "log_filter = \"[info]\"  # environment"),
        ("SOUK_LOG_FILTER", "", "log_filter = \"info\"  # default"),
        ("SOUK_DATA_DIR", "2024", "data_dir = \"2024\"  # environment"),
        ("SOUK_DATABASE_CONNECTIONS", "", "database_connections = 20  # default"),
        ("SOUK_DATABASE_CONNECTIONS", "30", "database_connections = 30  # environment"),
        ("SOUK_RATE_LIMITS", "false", "rate_limits = false  # environment"),
        (
            "SOUK_TRUSTED_PROXIES",
            "10.0.0.0/8, ::1",
            "trusted_proxies = [\"10.0.0.0/8\", \"::1/128\"]  # environment",
        ),
        ("SOUK_REDIS_URL", "redis://:s3cret@redis", "redis_url = \"***\"  # environment"),
        ("SOUK_CONFIG", "", "cache_bytes = 1  # souk.toml"),
        ("DATABASE_URL", "", "# database_url is not set"),
    ] {
        let (ok, text) = told(data.path(), &["config"], &[(name, value)], "cache_bytes = 1");
        assert!(ok && text.contains(line), "{name}={value}: {text}");
    }
    let both = [("DATABASE_URL", "postgres://one/souk"), ("SOUK_DATABASE_URL", "postgres://two/souk")];
    let (_, text) = told(data.path(), &["config"], &both, "");
    assert!(text.contains("database_url = \"postgres://two/souk\""), "{text}");
}

/// A password is told nowhere, wherever the address comes from and whatever is wrong with it.
#[test]
fn no_error_names_a_password() {
    let data = data_folder();
    for wrong in ["postgres://souk:s3cret@host:notaport/db", "mysql://souk:s3cret@host/db", "s3cret"] {
        for (arguments, variables, file) in [
            (vec!["config"], vec![("DATABASE_URL", wrong)], String::new()),
            (vec!["config"], vec![("SOUK_DATABASE_URL", wrong)], String::new()),
            (vec!["config"], vec![], format!("database_url = \"{wrong}\"")),
            (vec!["config", "--database-url", wrong], vec![], String::new()),
        ] {
            let (ok, text) = told(data.path(), &arguments, &variables, &file);
            assert!(!ok && text.contains("database_url") && !text.contains("s3cret"), "{text}");
        }
    }
    for file in [
        "database_url = \"postgres://souk:s3cret@host/db",
        "database_url = [\"s3cret\"]",
        "redis_url = [\"s3cret\"]",
        "redis_url = \"http://:s3cret@redis\"",
    ] {
        let (ok, text) = told(data.path(), &["config"], &[], file);
        assert!(!ok && !text.contains("s3cret"), "{text}");
    }
    let right = "postgres://souk:s3cret@host/db";
    let (ok, text) = told(data.path(), &["config", "--database-url", right], &[], "");
    assert!(ok && text.contains("postgres://souk:***@host/db\"  # flag"), "{text}");
}

/// A server that does not answer is told as that.
#[test]
fn an_unreachable_database_is_named() {
    let data = data_folder();
    let url = format!("postgres://souk:s3cret@127.0.0.1:{}/souk", free_port());
    let (ok, text) = told(data.path(), &["verify"], &[("DATABASE_URL", &url)], "");
    assert!(!ok && text.to_lowercase().contains("connection refused"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}
