//! What the application logs, and whether it shows what no log may show.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, Once};

use reqwest::header::HeaderMap;
use serde_json::Value;

/// Everything that is logged in this process. Debug lines of our own crates are in it, and what others say by default.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
const FILTER: &str = "info,api=debug,catalog=debug,identity=debug,inventory=debug,notifications=debug,\
     orders=debug,payments=debug,platform=debug,souk=debug,waiting_room=debug";

/// Headers whose values open doors, or tell of a person.
const HEADERS: [&str; 8] = [
    "authorization",
    "cookie",
    "forwarded",
    "set-cookie",
    "waiting-ticket",
    "x-cart-token",
    "x-device-token",
    "x-forwarded-for",
];
/// Fields that do, in bodies and in queries.
const FIELDS: [&str; 17] = [
    "access_token",
    "challenge",
    "client_secret",
    "code",
    "current_password",
    "device_token",
    "email",
    "line1",
    "new_password",
    "password",
    "phone",
    "recovery_codes",
    "refresh_token",
    "secret",
    "state",
    "ticket",
    "token",
];
/// What is shorter stands in logs by chance.
const SHORTEST: usize = 6;
/// Characters of a line that are shown when a test fails.
const LONGEST_LINE: usize = 300;

/// Begins to keep what is logged.
pub(crate) fn keep() {
    static KEEPING: Once = Once::new();
    KEEPING.call_once(|| {
        // Without times: their digits would be taken for codes.
        tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .without_time()
            .with_env_filter(FILTER)
            .with_writer(|| Writer)
            .try_init()
            .expect("nobody else keeps what is logged");
    });
}

/// What was logged in this process so far, one JSON object a line.
///
/// # Panics
/// Never: nothing panics while it holds the lock.
pub fn logged() -> String {
    String::from_utf8_lossy(&LOG.lock().expect("no holder panics")).into_owned()
}

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().expect("no holder panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Secrets and personal data that a test sent or was told, each with the name of where it stood.
#[derive(Debug, Default)]
pub struct Secrets(Mutex<BTreeMap<String, String>>);

impl Secrets {
    /// Forgets all, for a test that writes nonsense into paths and headers alike.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the lock.
    pub fn forget(&self) {
        self.0.lock().expect("no holder panics").clear();
    }

    /// Remembers one.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the lock.
    pub fn note(&self, name: &str, value: &str) {
        // A problem's code is no secret, and what is no address of a mailbox nobody's.
        let is_one = match name {
            "code" | "state" => value.contains(|c: char| c.is_ascii_digit()),
            "email" => value.contains('@'),
            // No token of ours is shorter; what tests make up to be refused is.
            "authorization" | "cookie" | "set-cookie" | "waiting-ticket" | "x-cart-token"
            | "x-device-token" => value.len() >= 16,
            _ => true,
        };
        if is_one && value.len() >= SHORTEST {
            self.0.lock().expect("no holder panics").insert(value.to_owned(), name.to_owned());
        }
    }

    /// Remembers what stands in the headers of a request or an answer.
    pub(crate) fn note_headers(&self, headers: &HeaderMap) {
        for name in HEADERS {
            for value in headers.get_all(name).iter().filter_map(|value| value.to_str().ok()) {
                match name {
                    "authorization" => self.note(name, value.split(' ').next_back().unwrap_or_default()),
                    "set-cookie" => self.note_cookie(name, value.split(';').next().unwrap_or_default()),
                    "cookie" => value.split(';').for_each(|cookie| self.note_cookie(name, cookie)),
                    "forwarded" | "x-forwarded-for" => {
                        let words = value.split([',', ';', '=']).map(|word| word.trim().trim_matches('"'));
                        let addresses = words.filter(|word| word.parse::<IpAddr>().is_ok());
                        addresses.for_each(|address| self.note(name, address));
                    }
                    _ => self.note(name, value),
                }
            }
        }
    }

    fn note_cookie(&self, name: &str, cookie: &str) {
        if let Some((_, value)) = cookie.split_once('=') {
            self.note(name, value.trim());
        }
    }

    /// Remembers what stands in a query.
    pub(crate) fn note_query(&self, url: &url::Url) {
        for (name, value) in url.query_pairs().filter(|(name, _)| FIELDS.contains(&name.as_ref())) {
            self.note(&name, &value);
        }
    }

    /// Remembers what stands in a body.
    pub(crate) fn note_body(&self, body: &Value) {
        match body {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if FIELDS.contains(&name.as_str()) {
                        let one = std::slice::from_ref(value);
                        let values = value.as_array().map_or(one, Vec::as_slice);
                        values.iter().filter_map(Value::as_str).for_each(|value| self.note(name, value));
                    }
                    self.note_body(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.note_body(item)),
            _ => {}
        }
    }

    /// The names of those that a log shows, each with the beginning of a line that does.
    ///
    /// # Panics
    /// Never: nothing panics while it holds the lock.
    pub fn shown_in(&self, log: &str) -> Vec<(String, String)> {
        let secrets = self.0.lock().expect("no holder panics");
        let shown = secrets.iter().filter_map(|(value, name)| {
            let escaped = Value::from(value.as_str()).to_string();
            let at = place(log, value).or_else(|| place(log, escaped.trim_matches('"')))?;
            let line = log[log[..at].rfind('\n').map_or(0, |end| end + 1)..].lines().next();
            Some((name.clone(), line.unwrap_or_default().chars().take(LONGEST_LINE).collect()))
        });
        shown.collect()
    }
}

/// Where a value stands in the log, and not as a part of a longer word or number.
fn place(log: &str, value: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric();
    let mut places = log.match_indices(value).map(|(at, _)| at);
    places.find(|at| !log[..*at].ends_with(is_part) && !log[at + value.len()..].starts_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_secrets_wherever_they_stand() {
        let secrets = Secrets::default();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer planted-in-header-bearer"),
            ("cookie", "a=planted-in-header-one; b=planted-in-header-two"),
            ("set-cookie", "c=planted-in-header-three; Path=/; HttpOnly"),
            ("forwarded", "for=203.0.113.7;proto=https"),
            ("accept", "not-a-secret"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        secrets.note_headers(&headers);
        secrets.note_body(&json!({"user": {"password": "say \"friend\"", "email": "ada@example.com"},
            "code": "identity/wrong_code", "recovery_codes": ["aaaa-1111"], "token": "short"}));
        secrets.note_query(&"http://souk/callback?code=planted4&page=planted5".parse().unwrap());
        for (line, found) in [
            (r#"{"message":"planted-in-header-bearer"}"#, "authorization"),
            ("planted-in-header-two", "cookie"),
            ("from 203.0.113.7", "forwarded"),
            ("planted-in-header-three", "set-cookie"),
            (r#"{"message":"say \"friend\""}"#, "password"),
            ("to ada@example.com", "email"),
            ("(aaaa-1111)", "recovery_codes"),
            ("/callback?code=planted4", "code"),
        ] {
            assert_eq!(secrets.shown_in(line), [(found.to_owned(), line.to_owned())]);
        }
        for fine in [
            "not-a-secret",
            "identity/wrong_code",
            "short",
            "planted5",
            "xplanted-in-header-onex",
            "aaaa-11112",
        ] {
            assert_eq!(secrets.shown_in(fine), [], "{fine}");
        }
    }
}
