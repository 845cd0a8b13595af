//! Progress of orders as it happens: server-sent events ([`stream`]) and WebSocket ([`socket`]).
//!
//! Both follow an order ([`follow`]) in the same way: watch its tag, read its journal from where the client is, and read
//! again whenever the tag is announced, by this node or another. Nothing is kept for a client that it did not take yet,
//! so a slow one costs no memory, and none sees an event twice or misses one. How many there are is bounded ([`places`]).

mod follow;
mod message;
mod places;
mod socket;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use identity::{Actor, Subject};
use orders::OrderId;
use platform::Changes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;

use crate::Api;
use places::{Holder, Places};

/// Streams of server-sent events on one node. Each takes a connection and a few kilobytes.
const MOST_STREAMS: usize = 10_000;
/// WebSockets on one node.
const MOST_SOCKETS: usize = 10_000;
/// How often an order is looked at although nobody announced anything.
const POLL: Duration = Duration::from_secs(10);
/// After how long a database that does not answer is asked again.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().merge(stream::router()).merge(socket::router())
}

/// What streams and sockets of this node share.
pub(crate) struct Realtime {
    changes: Arc<Changes>,
    streams: Arc<Places>,
    sockets: Arc<Places>,
    stop: CancellationToken,
    /// Sockets that are open; a graceful stop of the server does not wait for them by itself.
    open: TaskTracker,
}

impl Realtime {
    pub(crate) fn new(changes: Arc<Changes>, stop: CancellationToken) -> Self {
        let open = TaskTracker::new();
        open.close();
        Self {
            changes,
            streams: Arc::new(Places::new("streams", MOST_STREAMS)),
            sockets: Arc::new(Places::new("sockets", MOST_SOCKETS)),
            stop,
            open,
        }
    }

    /// One like this that ends with `stop`.
    pub(crate) fn ending_with(&self, stop: CancellationToken) -> Self {
        Self::new(Arc::clone(&self.changes), stop)
    }

    /// Waits until all sockets are closed.
    pub(crate) async fn closed(&self) {
        self.open.wait().await;
    }
}

/// On whose account a stream or socket goes.
fn holders(actor: &Actor, order: Option<OrderId>) -> Vec<Holder> {
    let mut holders: Vec<Holder> = order.map(|order| Holder::Order(order.uuid())).into_iter().collect();
    match (actor.principal().map(|principal| principal.subject), actor.cart_token_hash()) {
        (Some(Subject::User(user)), _) => holders.push(Holder::Principal(user.uuid())),
        (Some(Subject::ApiKey(key)), _) => holders.push(Holder::Principal(key.uuid())),
        (None, Some(token)) => holders.push(Holder::Cart(token)),
        (None, None) => {}
    }
    holders.extend(actor.origin().ip.map(Holder::Address));
    holders
}
