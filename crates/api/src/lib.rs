//! Transport: turns requests into calls of the modules' faces and their answers into responses. No SQL and
//! no business rules live here.
//!
//! A request passes [`context`] (its ids, log line and metrics; renders problems; [`headers`] for browsers), [`limits`]
//! (how many are answered), then a route in [`rest`], whose extractors ([`extract`]) refuse bad input, and, for
//! catalogue reads, [`cache`].
mod account_pages;
mod assets;
mod auth;
mod cache;
mod context;
mod examples;
mod extract;
mod forwarded;
mod headers;
mod home;
mod limits;
pub mod mail_catcher;
mod openapi;
pub mod ops;
mod pages;
mod problem;
mod realtime;
mod rest;
mod sandbox_pages;

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::serve::ListenerExt;
use catalog::Catalog;
use identity::Identity;
use inventory::{Inventory, StockKeeping};
use ipnet::IpNet;
use orders::Orders;
use payments::sandbox::Sandbox;
use payments::{Commission, Inbox, Ledger, PaymentMethods, Payouts, Reconciliation};
use platform::limits::Limiter;
use platform::{Changes, Sources};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;
use tower_http::timeout::TimeoutLayer;
use url::Url;
use waiting_room::WaitingRoom;

pub use openapi::document;

use crate::cache::AnswerCache;
use crate::mail_catcher::Mailbox;
use crate::problem::Problem;
use crate::realtime::Realtime;

/// Largest body of a request, in bytes.
const MAX_BODY: usize = 256 * 1024;
/// A request that takes longer is answered with 503. What it has begun goes on.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What may differ from one marketplace to the next.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where buyers reach Souk, such as `https://market.example`.
    pub public_url: Url,
    /// Where operators reach the operations port.
    pub ops_url: Url,
    /// Whether this is a demo.
    pub demo: bool,
    /// Memory for finished answers, in bytes.
    pub cache_bytes: u64,
    /// A folder of pictures, served under `/media/`.
    pub media: PathBuf,
    /// Proxies whose word for a client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Counts requests; without it they are not limited in number.
    pub limiter: Option<Arc<dyn Limiter>>,
}

/// What the API stands in front of.
pub struct Modules {
    /// People and programs.
    pub identity: Identity,
    /// What can be bought.
    pub catalog: Arc<dyn Catalog>,
    /// Stock.
    pub inventory: Arc<dyn Inventory>,
    /// What stores do with their stock.
    pub stock_keeping: Arc<dyn StockKeeping>,
    /// Who may buy when.
    pub waiting_room: Arc<dyn WaitingRoom>,
    /// Carts and orders.
    pub orders: Arc<dyn Orders>,
    /// What buyers keep to pay with.
    pub payment_methods: Arc<dyn PaymentMethods>,
    /// The books.
    pub ledger: Arc<dyn Ledger>,
    /// Stores' money on its way to them.
    pub payouts: Arc<dyn Payouts>,
    /// The providers' books against the ledger.
    pub reconciliation: Arc<dyn Reconciliation>,
    /// What the marketplace takes of sales.
    pub commission: Arc<dyn Commission>,
    /// What payment providers tell.
    pub inbox: Arc<dyn Inbox>,
    /// The sandbox provider, for its pages; none if another provider is asked for money.
    pub sandbox: Option<Arc<dyn Sandbox>>,
    /// Mails that do not leave, for `/dev/mail` in a demo.
    pub mailbox: Option<Arc<dyn Mailbox>>,
    /// What this node knows of changes to the database.
    pub changes: Arc<Changes>,
    /// Time and randomness.
    pub sources: Sources,
}

/// What the handlers work with. Cheap to clone: each layer does for each request.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

impl Deref for Api {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What stands behind an [`Api`].
#[derive(Clone)]
pub struct Parts {
    pub(crate) identity: Identity,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) inventory: Arc<dyn Inventory>,
    pub(crate) stock_keeping: Arc<dyn StockKeeping>,
    pub(crate) waiting_room: Arc<dyn WaitingRoom>,
    pub(crate) orders: Arc<dyn Orders>,
    pub(crate) payment_methods: Arc<dyn PaymentMethods>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) payouts: Arc<dyn Payouts>,
    pub(crate) reconciliation: Arc<dyn Reconciliation>,
    pub(crate) commission: Arc<dyn Commission>,
    pub(crate) inbox: Arc<dyn Inbox>,
    pub(crate) sandbox: Option<Arc<dyn Sandbox>>,
    pub(crate) mailbox: Option<Arc<dyn Mailbox>>,
    pub(crate) sources: Sources,
    pub(crate) settings: Arc<Settings>,
    pub(crate) cache: Arc<AnswerCache>,
    pub(crate) realtime: Arc<Realtime>,
}

impl Api {
    /// An API in front of these modules.
    pub fn new(modules: Modules, settings: Settings) -> Self {
        let Modules {
            identity,
            catalog,
            inventory,
            stock_keeping,
            waiting_room,
            orders,
            payment_methods,
            ledger,
            payouts,
            reconciliation,
            commission,
            inbox,
            sandbox,
            mailbox,
            changes,
            sources,
        } = modules;
        let realtime = Arc::new(Realtime::new(Arc::clone(&changes), CancellationToken::new()));
        let cache = Arc::new(AnswerCache::new(changes, settings.cache_bytes));
        let settings = Arc::new(settings);
        Self(Arc::new(Parts {
            identity,
            catalog,
            inventory,
            stock_keeping,
            waiting_room,
            orders,
            payment_methods,
            ledger,
            payouts,
            reconciliation,
            commission,
            inbox,
            sandbox,
            mailbox,
            sources,
            settings,
            cache,
            realtime,
        }))
    }

    /// The same API, whose streams and sockets end with `stop`. They would go on for as long as their clients like.
    #[must_use]
    pub fn ending_with(self, stop: CancellationToken) -> Self {
        let realtime = Arc::new(self.realtime.ending_with(stop));
        Self(Arc::new(Parts { realtime, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// Waits until all sockets are closed, which a graceful stop of [`serve`] does not.
    pub async fn sockets_closed(&self) {
        self.realtime.closed().await;
    }

    /// Whether buyers reach Souk by TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.settings.public_url.scheme() == "https"
    }

    /// Name of the cookie that carries a basket's token. The `__Host-` prefix demands TLS (RFC 6265bis); where
    /// there is TLS only this one is read, since anybody on the way could set the other.
    pub(crate) fn cart_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-souk_cart" } else { "souk_cart" }
    }
}

/// Serves `router` until `stop` comes, then finishes the requests in flight.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // Small answers must not wait for the next one; a socket that refuses this still works.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not set TCP_NODELAY");
        }
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

/// All routes of the public port.
pub fn router(api: Api) -> Router {
    let media = ServeDir::new(&api.settings.media);
    let (rest, document) = openapi::routes(rest::router());
    rest.with_state(api.clone())
        .merge(home::routes(api.clone()))
        .merge(account_pages::routes(api.clone()))
        .merge(mail_catcher::routes(api.clone()))
        .merge(sandbox_pages::routes(&api))
        .merge(openapi::page(&document))
        .merge(assets::routes())
        .nest_service(
            "/media",
            tower::ServiceBuilder::new()
                .layer(assets::media_headers())
                .layer(assets::media_age())
                .service(media),
        )
        .fallback(|| async { Problem::route_not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        // As one layer, the first outermost: each layer of a router is a box and a copy of the request.
        .layer(
            tower::ServiceBuilder::new()
                .layer(axum::middleware::from_fn_with_state(api.clone(), context::wrap))
                .layer(axum::middleware::from_fn_with_state(api.clone(), limits::count))
                .layer(axum::middleware::from_fn_with_state(api, auth::refuse_other_sites))
                .layer(CatchPanicLayer::custom(problem::of_panic))
                .layer(TimeoutLayer::with_status_code(
                    axum::http::StatusCode::SERVICE_UNAVAILABLE,
                    REQUEST_TIMEOUT,
                ))
                .layer(axum::middleware::from_fn(cache::tell_encodings_apart))
                .layer(CompressionLayer::new())
                .layer(DefaultBodyLimit::max(MAX_BODY)),
        )
}
