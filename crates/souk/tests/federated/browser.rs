//! As much of a browser as logins need: cookies of each site, and redirects followed by hand.

use std::collections::{BTreeMap, HashMap};

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, redirect};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

/// A browser of somebody.
pub(crate) struct Browser {
    client: Client,
    cookies: HashMap<String, BTreeMap<String, String>>,
}

/// What a site answered.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) url: Url,
    /// Where it sends the browser.
    pub(crate) location: Option<Url>,
    pub(crate) set_cookies: Vec<String>,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Where it sends the browser, as a path with what stands behind it.
    pub(crate) fn goes_to(&self) -> &str {
        let location = self.location.as_ref().unwrap_or_else(|| panic!("no redirect: {self:?}"));
        &location[url::Position::BeforePath..]
    }

    /// The hidden fields of its form and where they go.
    fn form(&self) -> (Url, Vec<(String, String)>) {
        let between = |text: &str, from: &str| {
            let rest = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {self:?}")).1;
            rest.split('"').next().unwrap().replace("&amp;", "&")
        };
        let action = self.url.join(&between(&self.text, "action=\"")).unwrap();
        let inputs = self.text.split("<input").skip(1).filter(|input| input.contains("type=\"hidden\""));
        let fields = inputs.map(|input| (between(input, "name=\""), between(input, "value=\""))).collect();
        (action, fields)
    }
}

fn site(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl Browser {
    pub(crate) fn new() -> Self {
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        Self { client, cookies: HashMap::new() }
    }

    pub(crate) fn cookie(&self, at: &Url, name: &str) -> Option<&str> {
        self.cookies.get(&site(at))?.get(name).map(String::as_str)
    }

    pub(crate) fn set_cookie(&mut self, at: &Url, name: &str, value: &str) {
        self.cookies.entry(site(at)).or_default().insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn forget(&mut self, at: &Url) {
        self.cookies.remove(&site(at));
    }

    pub(crate) async fn get(&mut self, url: &Url) -> Page {
        self.send(Method::GET, url, &[], None).await
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        url: &Url,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Page {
        let kept = self.cookies.entry(site(url)).or_default();
        let sent: Vec<String> = kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, url.clone()).header(COOKIE, sent.join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body.unwrap_or_default()).send().await.expect("the site answers");
        let set = response.headers().get_all(SET_COOKIE).iter();
        let set_cookies: Vec<String> = set.map(|value| value.to_str().unwrap().to_owned()).collect();
        for cookie in &set_cookies {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                kept.remove(name);
            } else {
                kept.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = response.headers().get(LOCATION).map(|at| url.join(at.to_str().unwrap()).unwrap());
        let status = response.status().as_u16();
        Page { status, url: url.clone(), location, set_cookies, text: response.text().await.unwrap() }
    }

    /// A form as a page of another site has it posted: without this site's cookies.
    pub(crate) async fn post_from_elsewhere(&self, url: &Url, fields: &[(String, String)]) -> Page {
        let mut stranger = Self { client: self.client.clone(), cookies: HashMap::new() };
        let headers = [("origin", "https://elsewhere.example"), FORM];
        stranger.send(Method::POST, url, &headers, Some(encoded(fields))).await
    }

    /// Goes to a provider and signs in there as `who`, agreeing to all. Gives the page that leads back to Souk.
    pub(crate) async fn sign_in_at_provider(&mut self, address: &Url, who: &str) -> Page {
        let provider = site(address);
        let mut page = self.get(address).await;
        for _ in 0..20 {
            page = match &page.location {
                Some(location) if site(location) != provider => return page,
                Some(location) => {
                    let location = location.clone();
                    self.get(&location).await
                }
                None => {
                    assert_eq!(page.status, 200, "{page:?}");
                    let (action, mut fields) = page.form();
                    if site(&action) != provider {
                        return page;
                    }
                    if fields.contains(&("prompt".to_owned(), "login".to_owned())) {
                        fields.push(("login".to_owned(), who.to_owned()));
                        fields.push(("password".to_owned(), "any".to_owned()));
                    }
                    self.send(Method::POST, &action, &[FORM], Some(encoded(&fields))).await
                }
            };
        }
        panic!("there is no end to it: {page:?}");
    }

    /// Where the provider's last page posts, and what.
    pub(crate) fn posted(page: &Page) -> (Url, Vec<(String, String)>) {
        page.form()
    }
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn encoded(fields: &[(String, String)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}
