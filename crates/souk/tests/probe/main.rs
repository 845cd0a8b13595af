//! The probe: walks every route of the OpenAPI document as everybody who has no business there, and expects to be
//! turned away. A route that is not in the table fails the test, and so does one of the table that is gone.
#![expect(clippy::unwrap_used, reason = "helpers outside of tests")]

mod scene;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use identity::{PlatformRole, StoreRole};
use reqwest::{Method, StatusCode};
use testkit::{Answer, TestApp};

use scene::Scene;
use table::{Access, Route};

/// Whoever tries.
struct Visitor {
    name: String,
    headers: Vec<(String, String)>,
}

impl Visitor {
    fn new(name: impl Into<String>, headers: &[(&str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { name: name.into(), headers }
    }
}

/// What a visitor has to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// 401: nobody is known to be asking.
    SignIn,
    /// 403, or 404 where even being there is a secret.
    Denied,
    /// Anything that is no denial.
    LetIn,
}

impl Outcome {
    fn fits(self, status: StatusCode) -> bool {
        match self {
            Self::SignIn => status == StatusCode::UNAUTHORIZED,
            Self::Denied => matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND),
            Self::LetIn => {
                !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
                    && !status.is_server_error()
            }
        }
    }
}

/// Everybody, and what each has to get on this route: those to be turned away first, whoever is let in last.
fn visitors(scene: &Scene, route: &Route) -> Vec<(Visitor, Outcome)> {
    let who = |name: &str, person: &testkit::Person| Visitor::new(name, &[person.header()]);
    let anonymous = || Visitor::new("anonymous", &[]);
    let forged = || Visitor::new("a forged token", &[("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")]);
    let mut all = Vec::new();
    match route.access {
        Access::Public => {}
        Access::Secret => {
            all.push((anonymous(), Outcome::Denied));
            all.push((who("another buyer", &scene.buyer), Outcome::Denied));
            all.push((who("the other store's owner", &scene.other_owner), Outcome::Denied));
            let of_order = route.name.contains("/orders/{id}");
            let token = if of_order { &scene.order_token } else { &scene.cart_token };
            all.push((Visitor::new("its holder", &[("x-cart-token", token)]), Outcome::LetIn));
        }
        Access::Known => {
            all.push((anonymous(), Outcome::SignIn));
            all.push((forged(), Outcome::SignIn));
            all.push((Visitor::new("a program", &[("authorization", &scene.store_key)]), Outcome::LetIn));
            all.push((who("a buyer", &scene.buyer), Outcome::LetIn));
        }
        Access::SignedInWithSecret => {
            all.push((anonymous(), Outcome::SignIn));
            all.push((forged(), Outcome::SignIn));
            all.push((Visitor::new("a program", &[("authorization", &scene.store_key)]), Outcome::Denied));
        }
        Access::Person => {
            all.push((anonymous(), Outcome::SignIn));
            all.push((forged(), Outcome::SignIn));
            all.push((Visitor::new("a program", &[("authorization", &scene.store_key)]), Outcome::Denied));
            all.push((who("its owner", &scene.ada), Outcome::LetIn));
        }
        Access::Own => {
            all.push((anonymous(), Outcome::SignIn));
            all.push((forged(), Outcome::SignIn));
            all.push((who("another buyer", &scene.buyer), Outcome::Denied));
            all.push((who("the store's owner", &scene.owner), Outcome::Denied));
            all.push((Visitor::new("a program", &[("authorization", &scene.store_key)]), Outcome::Denied));
            all.push((who("its owner", &scene.ada), Outcome::LetIn));
        }
        Access::Store(permission) => {
            all.push((anonymous(), Outcome::SignIn));
            all.push((forged(), Outcome::SignIn));
            all.push((who("a buyer", &scene.buyer), Outcome::Denied));
            all.push((who("the other store's owner", &scene.other_owner), Outcome::Denied));
            all.push((
                Visitor::new("a key without the scope", &[("authorization", &scene.store_key)]),
                Outcome::Denied,
            ));
            for role in StoreRole::ALL.into_iter().rev() {
                let may = role.permissions().contains(&permission);
                // One who is let in is enough to show that the door opens; the others would find it used.
                if !may {
                    all.push((who(&format!("{role:?}"), &scene.members[&role]), Outcome::Denied));
                }
            }
            let support = PlatformRole::Support.permissions().contains(&permission);
            if !support {
                all.push((who("support", &scene.support), Outcome::Denied));
            }
            if permission.is_sensitive() {
                all.push((who("an operator without a second factor", &scene.bare_operator), Outcome::Denied));
            }
            all.push((who("the owner", &scene.owner), Outcome::LetIn));
        }
        Access::Platform(permission) => {
            all.push((anonymous(), Outcome::SignIn));
            all.push((forged(), Outcome::SignIn));
            all.push((who("a buyer", &scene.buyer), Outcome::Denied));
            all.push((who("a store's owner", &scene.owner), Outcome::Denied));
            all.push((
                Visitor::new("a store's key", &[("authorization", &scene.store_key)]),
                Outcome::Denied,
            ));
            if !PlatformRole::Support.permissions().contains(&permission) {
                all.push((who("support", &scene.support), Outcome::Denied));
            }
            if permission.is_sensitive() {
                all.push((who("an operator without a second factor", &scene.bare_operator), Outcome::Denied));
            }
            all.push((who("an operator", &scene.operator), Outcome::LetIn));
        }
    }
    all
}

async fn knock(test: &TestApp, scene: &Scene, route: &Route, visitor: &Visitor) -> Answer {
    let (method, path) = route.name.split_once(' ').unwrap();
    // A stream has no end: its head says who is let in.
    let method: Method = if path.ends_with("/events") { Method::HEAD } else { method.parse().unwrap() };
    let mut headers: Vec<(&str, &str)> =
        visitor.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let key = format!("probe {} {}", route.name, visitor.name);
    headers.push(("idempotency-key", &key));
    if let Some(version) = route.if_match {
        headers.push(("if-match", version));
    }
    let body = route.body.as_ref().map(|body| (body)(scene));
    test.send(method, &scene.fill(path), &headers, body.as_ref()).await
}

/// Nobody gets where they have no business, on any route.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_where_they_have_no_business() {
    let test = TestApp::start().await;
    let scene = Scene::set(&test).await;
    let (mut wrong, mut tried) = (Vec::new(), BTreeMap::<Outcome, usize>::new());
    for route in table::routes() {
        let mut told = BTreeMap::<Outcome, usize>::new();
        for (visitor, outcome) in visitors(&scene, &route) {
            let answer = knock(&test, &scene, &route, &visitor).await;
            *tried.entry(outcome).or_default() += 1;
            *told.entry(outcome).or_default() += 1;
            if !outcome.fits(answer.status) {
                let code = answer.json["code"].as_str().unwrap_or_default();
                wrong.push(format!(
                    "{} as {}: {} {code}, not {outcome:?}",
                    route.name, visitor.name, answer.status
                ));
            }
        }
        let of = |outcome| told.get(&outcome).copied().unwrap_or_default();
        let (sign_in, denied, let_in) = (of(Outcome::SignIn), of(Outcome::Denied), of(Outcome::LetIn));
        println!("{:76} 401 {sign_in}  403/404 {denied:2}  let in {let_in}  {:?}", route.name, route.access);
    }
    let pairs: usize = tried.values().sum();
    println!("{pairs} pairs of route and visitor were tried: {tried:?}");
    assert!(wrong.is_empty(), "{} doors are wrong:\n  {}", wrong.len(), wrong.join("\n  "));
    assert!(pairs >= 450, "{pairs} pairs are fewer than there were");
    test.finish().await;
}

/// Every route is in the table, and no other.
#[test]
fn the_table_is_complete() {
    let document = serde_json::to_value(api::document()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            documented.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let routes: Vec<String> = table::routes().iter().map(|route| route.name.to_owned()).collect();
    let listed: BTreeSet<String> = routes.iter().cloned().collect();
    assert_eq!(routes.len(), listed.len(), "a route is listed twice");
    let missing: Vec<_> = documented.difference(&listed).collect();
    assert!(missing.is_empty(), "routes that nobody probes: {missing:#?}");
    let gone: Vec<_> = listed.difference(&documented).collect();
    assert!(gone.is_empty(), "routes that are gone: {gone:#?}");
}

/// The document says of each route whether one has to sign in, as the table does.
#[test]
fn the_document_says_who_has_to_sign_in() {
    let document = serde_json::to_value(api::document()).unwrap();
    let mut wrong = Vec::new();
    for route in table::routes() {
        let (method, path) = route.name.split_once(' ').unwrap();
        let operation = &document["paths"][path][method.to_lowercase()];
        let demands = operation["security"].as_array().is_some_and(|ways| {
            !ways.is_empty() && ways.iter().all(|way| way.as_object().is_some_and(|way| !way.is_empty()))
        });
        let expected = route.access != Access::Public;
        if demands != expected {
            wrong.push(format!("{}: security {}", route.name, operation["security"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
