//! Requests of tests and what came back.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::TestApp;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null when it is none.
    pub json: Value,
}

impl Answer {
    /// A header as text, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The stable code of a problem; checks on the way that it is a whole problem.
    ///
    /// # Panics
    /// When the answer is no problem.
    pub fn code(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.json["status"], self.status.as_u16(), "{self:?}");
        for field in ["type", "title", "detail", "instance", "message", "request_id", "trace_id"] {
            assert!(self.json[field].is_string(), "{field} is missing: {self:?}");
        }
        self.json["code"].as_str().expect("a problem has a code")
    }
}

impl TestApp {
    /// GET.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.send(Method::POST, path, headers, Some(body)).await
    }

    /// Any request, with a JSON body if there is one.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let bytes = body.map(|body| body.to_string().into_bytes());
        let mut all = headers.to_vec();
        if bytes.is_some() {
            all.push(("content-type", "application/json"));
        }
        self.send_raw(method, path, &all, bytes).await
    }

    /// Any request with any bytes.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        let url = self.base.join(path).expect("a path");
        let mut request = self.client.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            self.secrets.note_body(&serde_json::from_slice(&body).unwrap_or(Value::Null));
            request = request.body(body);
        }
        let request = request.build().expect("a request");
        self.secrets.note_query(request.url());
        self.secrets.note_headers(request.headers());
        let response = self.client.execute(request).await.expect("Souk answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("the answer is whole");
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        self.secrets.note_headers(&headers);
        self.secrets.note_body(&json);
        Answer { status, headers, text, json }
    }
}
