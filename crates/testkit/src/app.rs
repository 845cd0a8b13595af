//! The whole application on a database of its own, behind real HTTP.

use std::path::Path;
use std::sync::Arc;

use api::Api;
use ipnet::IpNet;
use payments::{PayoutDefaults, ProviderSettings};
use platform::limits::InProcess;
use platform::{Sources, Vault, Violation};
use souk::app::{App, MailSettings, Settings};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{FakeClock, Secrets, SeededEntropy, TestDatabase, logs};

/// Why modules can be wired in tests: their payment provider is the sandbox.
const WIRED: &str = "the sandbox needs no settings";

/// The application under test. Nothing runs in the background: tests say when, by [`TestApp::run_jobs`].
pub struct TestApp {
    /// The modules.
    pub app: App,
    /// Its clock.
    pub clock: Arc<FakeClock>,
    pub(crate) base: Url,
    pub(crate) client: reqwest::Client,
    /// What no log may show. Requests of the test add to it.
    pub secrets: Secrets,
    database: TestDatabase,
    stop: CancellationToken,
    media: TempDir,
}

/// What a test may change before the application starts.
pub struct Setup {
    /// Its clock and its chance.
    pub sources: Sources,
    /// Of the modules.
    pub modules: Settings,
    /// Of the API, with the address at which it is reached.
    pub api: api::Settings,
}

impl TestApp {
    /// Starts the application with the usual settings.
    pub async fn start() -> Self {
        Self::set_up("127.0.0.1", |_| ()).await
    }

    /// Starts the application with other settings of orders.
    pub async fn with(settings: orders::Settings) -> Self {
        Self::set_up("127.0.0.1", |setup| setup.modules.orders = settings).await
    }

    /// Starts the application under a name instead of an address: passkeys need one.
    pub async fn at_localhost() -> Self {
        Self::set_up("localhost", |_| ()).await
    }

    /// Starts the application with other settings of its modules. `change` is told where it can be reached.
    pub async fn with_settings(change: impl FnOnce(&Url, &mut Settings)) -> Self {
        Self::set_up("127.0.0.1", |setup| change(&setup.api.public_url, &mut setup.modules)).await
    }

    /// Starts the application with requests limited in number, and with trust in these proxies.
    pub async fn with_limits(trusted_proxies: Vec<IpNet>) -> Self {
        Self::set_up("127.0.0.1", |setup| {
            setup.api.limiter = Some(Arc::new(InProcess::new(setup.sources.clone())));
            setup.api.trusted_proxies = trusted_proxies;
        })
        .await
    }

    /// Starts the application with what `change` makes of the usual settings of its API.
    pub async fn changed(change: impl FnOnce(&Sources, &mut api::Settings)) -> Self {
        Self::set_up("127.0.0.1", |setup| change(&setup.sources, &mut setup.api)).await
    }

    /// Starts the application as a demo, which shows the mails it caught.
    pub async fn demo() -> Self {
        Self::adjusted(|_, api| api.demo = true).await
    }

    /// Starts the application with other settings of its modules and its API.
    pub async fn adjusted(adjust: impl FnOnce(&mut Settings, &mut api::Settings)) -> Self {
        Self::set_up("127.0.0.1", |setup| adjust(&mut setup.modules, &mut setup.api)).await
    }

    /// Starts the application under this name of the machine, with what `change` makes of the usual settings.
    ///
    /// # Panics
    /// When it can not be started.
    pub async fn set_up(host: &str, change: impl FnOnce(&mut Setup)) -> Self {
        logs::keep();
        let database = TestDatabase::create().await;
        let clock = Arc::new(FakeClock::default());
        let sources = Sources::new(Arc::clone(&clock) as _, Arc::new(SeededEntropy::default()));
        let media = tempfile::tempdir().expect("a folder for pictures");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let base = Url::parse(&format!("http://{host}:{port}")).expect("an address is a URL");
        let api = api::Settings {
            public_url: base.clone(),
            ops_url: base.clone(),
            demo: false,
            cache_bytes: 1024 * 1024,
            media: media.path().to_owned(),
            trusted_proxies: Vec::new(),
            limiter: None,
        };
        let mut setup = Setup { sources, modules: usual_settings(&base), api };
        change(&mut setup);
        let app = App::new(database.database.clone(), setup.sources, setup.modules).expect(WIRED);
        let stop = CancellationToken::new();
        let router = api::router(Api::new(app.modules(), setup.api).ending_with(stop.clone()));
        tokio::spawn(api::serve(listener, router, stop.clone().cancelled_owned()));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client can be made");
        Self { app, clock, base, client, secrets: Secrets::default(), database, stop, media }
    }

    /// Where it is reached.
    pub const fn base(&self) -> &Url {
        &self.base
    }

    /// Another node on the same database: modules of its own, nothing shared in memory.
    ///
    /// # Panics
    /// When it can not connect.
    pub async fn other_node(&self) -> App {
        let database = platform::Database::connect(self.database.connect_options(), 10)
            .await
            .expect("the test's database answers");
        App::new(database, self.app.sources.clone(), self.settings()).expect(WIRED)
    }

    /// The usual settings, as those of a node at this address.
    pub fn settings(&self) -> Settings {
        usual_settings(&self.base)
    }

    /// The folder of pictures.
    pub fn media(&self) -> &Path {
        self.media.path()
    }

    /// A copy of the database as it is now.
    pub async fn copy(&self) -> TestDatabase {
        self.database.copy().await
    }

    /// The modules on another database, with the same clock.
    pub fn on(&self, database: &platform::Database) -> App {
        App::new(database.clone(), self.app.sources.clone(), self.settings()).expect(WIRED)
    }

    /// Runs background work until nothing is left: holds that are over, recovery, what the sandbox does and tells, what is
    /// made of that, the outbox, and the mails that are due. Lines stand still.
    ///
    /// # Panics
    /// When it fails.
    pub async fn run_jobs(&self) {
        loop {
            self.app.orders.drain().await;
            while self.app.inventory.sweep().await.expect("holds can be ended") > 0 {}
            while self.app.orders.recover().await.expect("recovery runs") > 0 {}
            let mut done =
                self.app.payments.carry_on().await.expect("refunds and payments can be carried on");
            if let Some(sandbox) = &self.app.sandbox {
                done += sandbox.deliver_due().await.expect("the sandbox does what is due");
            }
            done += self.app.inbox.process_due().await.expect("webhooks can be processed");
            done += self.app.dispatcher().drain().await.expect("the outbox can be drained") as u64;
            if done == 0 {
                break;
            }
        }
        while self.app.mails.send_due().await.expect("mails can be sent") > 0 {}
    }

    /// The invariants that are broken now.
    ///
    /// # Panics
    /// When verification can not run.
    pub async fn violations(&self) -> Vec<Violation> {
        souk::verify::violations(&self.app).await.expect("verification runs")
    }

    /// Runs what is left to do, checks that every invariant holds and that no log shows a secret, and removes the
    /// database.
    ///
    /// # Panics
    /// When an invariant is broken, or a secret was logged.
    pub async fn finish(self) {
        self.run_jobs().await;
        assert_eq!(self.violations().await, []);
        self.stop.cancel();
        self.database.drop().await;
        drop(self.media);
        let shown = self.secrets.shown_in(&logs::logged());
        assert!(shown.is_empty(), "the log shows what no log may show: {shown:#?}");
    }
}

/// Sealed with a key that all nodes of a test share.
fn usual_settings(base: &Url) -> Settings {
    let identity = identity::Settings::new(base.clone(), Vault::new(&[7; Vault::KEY_BYTES]));
    let mail = MailSettings::new(base.clone(), "Souk".to_owned(), None, None);
    let provider = ProviderSettings::Sandbox { secret: identity.vault.derive("payments.sandbox") };
    let payments = payments::Settings {
        public_url: base.clone(),
        provider,
        payouts: PayoutDefaults::default(),
        reconciliation_grace: payments::RECONCILIATION_GRACE,
    };
    Settings {
        identity,
        payments,
        orders: orders::Settings::default(),
        mail: mail.expect("mails come from somewhere"),
    }
}
