//! npm's `oidc-provider` in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};
use url::Url;

/// A running OpenID provider. It ends when this is dropped.
pub(crate) struct OidcProvider {
    pub(crate) issuer: String,
    /// The private key of the developer account whose Apple client it has.
    pub(crate) apple_key: String,
    options: Value,
    child: Child,
    _input: ChildStdin,
}

impl OidcProvider {
    /// Starts one that knows Souk at `base`. `in_token`: whether addresses stand in the ID token.
    pub(crate) fn start(base: &Url, in_token: bool) -> Self {
        let callback = |name: &str| format!("{base}api/v1/auth/providers/{name}/callback");
        let callbacks = json!({"souk": [callback("oidc"), callback("other")], "apple": [callback("apple")]});
        Self::run(json!({"port": 0, "callbacks": callbacks, "in_token": in_token}))
    }

    fn run(options: Value) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/federated/provider");
        assert!(
            folder.join("node_modules/oidc-provider").is_dir(),
            "oidc-provider is not there: run script/bootstrap, or npm ci in {}",
            folder.display()
        );
        let mut child = Command::new("node")
            .arg(folder.join("server.mjs"))
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs; script/bootstrap says how to get it");
        let input = child.stdin.take().expect("its input is a pipe");
        let mut ready = String::new();
        let output = child.stdout.take().expect("its output is a pipe");
        BufReader::new(output).read_line(&mut ready).expect("it tells when it is ready");
        let ready: Value = serde_json::from_str(&ready).expect("oidc-provider is ready");
        let text = |name: &str| ready[name].as_str().expect("it tells all").to_owned();
        Self { issuer: text("issuer"), apple_key: text("apple_key"), options, child, _input: input }
    }

    /// Starts it anew at the same address: with other keys, and without any memory.
    pub(crate) fn restart(self) -> Self {
        let mut options = self.options.clone();
        options["port"] = json!(Url::parse(&self.issuer).unwrap().port());
        drop(self);
        Self::run(options)
    }

    /// Says who has an account there.
    pub(crate) async fn accounts(&self, accounts: Value) {
        self.put("accounts", &accounts).await;
    }

    /// Has the next ID token say something else, well signed.
    pub(crate) async fn lie(&self, claims: Value) {
        self.put("claims", &claims).await;
    }

    async fn put(&self, what: &str, body: &Value) {
        let url = format!("{}/test/{what}", self.issuer);
        let answer = reqwest::Client::new().put(url).body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
