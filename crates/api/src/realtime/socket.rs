//! WebSocket (RFC 6455): the progress of many orders over one connection. docs/realtime.md has the messages.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use orders::OrderId;
use platform::Secret;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout};
use tokio_util::task::AbortOnDropHandle;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::follow::Follow;
use super::holders;
use super::message::{Answer, Wish};
use super::places::Place;
use crate::Api;
use crate::auth::{self, Caller};
use crate::problem::{Problem, ProblemBody};

/// Longest message of a client, in bytes.
const LONGEST_MESSAGE: usize = 4 * 1024;
/// Orders that one socket may follow.
const MOST_FOLLOWED: usize = 100;
/// Messages that a client may send in one [`PERIOD`].
const MOST_MESSAGES: u32 = 200;
const PERIOD: Duration = Duration::from_secs(10);
/// Answers that wait for a client; whoever has more to say waits for room.
const WAITING: usize = 16;
/// A client that does not take an answer for this long is dropped.
const SLOWEST: Duration = Duration::from_secs(10);
/// How often the client is asked whether it is there. One that says nothing for two and a half rounds is dropped.
const BEAT: Duration = Duration::from_secs(20);
/// After this a socket is closed and the client comes back, so that it shows anew who it is.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// How long a client may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(connect))
}

/// Opens a WebSocket.
///
/// For following many orders over one connection. The client sends
/// `{"type":"subscribe","order_id":"…","after":0,"cart_token":"…"}` (the token only where no cookie or header of the
/// handshake has it), `{"type":"unsubscribe","order_id":"…"}` and `{"type":"ping"}`; the server sends `subscribed`,
/// `event` with `order_id` and the fields of an order's event, `unsubscribed`, `error` with a `code` and `message`, and
/// `pong`. A page of another site can not open one with a browser's cookies.
#[utoipa::path(get, path = "/api/v2/realtime", tag = "Checkout",
    security((), ("cart_token" = []), ("cart_cookie" = []), ("bearer" = []), ("session_cookie" = [])),
    responses((status = 101, description = "The connection is a WebSocket from here on"),
              (status = 400, description = "This is no handshake of a WebSocket", body = ProblemBody),
              (status = 403, description = "The page that asks is not one of ours", body = ProblemBody),
              (status = 429, description = "Too many requests, or open connections", body = ProblemBody),
              (status = 503, description = "Too many sockets are open", body = ProblemBody)))]
async fn connect(
    State(api): State<Api>,
    Caller(actor): Caller,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    shown: Parts,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| {
        let message = "this address speaks WebSocket (RFC 6455, version 13)";
        Problem::new(StatusCode::BAD_REQUEST, "request/not_a_websocket", message)
    })?;
    let place = api.realtime.sockets.take(holders(&actor, None))?;
    Ok(upgrade.max_message_size(LONGEST_MESSAGE).max_frame_size(LONGEST_MESSAGE).on_upgrade(move |socket| {
        let open = api.realtime.open.clone();
        open.track_future(Conversation::new(api, shown, socket, place).run())
    }))
}

/// An answer of one of the subscriptions.
struct Told {
    order: OrderId,
    /// Which of the order's subscriptions it is of, should there have been several.
    serial: u64,
    answer: Answer,
}

/// A subscription. Its task ends when it is dropped.
struct Subscription {
    serial: u64,
    _task: AbortOnDropHandle<()>,
}

/// One socket.
struct Conversation {
    api: Api,
    /// The request that opened it: who asks is looked up anew for each subscription.
    shown: Parts,
    socket: WebSocket,
    subscriptions: HashMap<OrderId, Subscription>,
    tell: mpsc::Sender<Told>,
    told: mpsc::Receiver<Told>,
    serial: u64,
    /// Messages of the present period, and when it began.
    messages: (u32, Instant),
    _place: Place,
}

/// The socket is closed: the client has gone, or goes too slow.
struct Gone;

impl Conversation {
    fn new(api: Api, shown: Parts, socket: WebSocket, place: Place) -> Self {
        let (tell, told) = mpsc::channel(WAITING);
        let messages = (0, Instant::now());
        let subscriptions = HashMap::new();
        Self { api, shown, socket, subscriptions, tell, told, serial: 0, messages, _place: place }
    }

    /// Talks until one of the two closes.
    async fn run(mut self) {
        let Ok((code, reason)) = self.talk().await else { return };
        let frame = CloseFrame { code, reason: reason.into() };
        if self.send(Message::Close(Some(frame))).await.is_ok() {
            let goodbye = async { while let Some(Ok(_)) = self.socket.recv().await {} };
            // Whoever does not answer is left all the same.
            let _ = timeout(GOODBYE, goodbye).await;
        }
    }

    /// Talks until we close, and says why.
    async fn talk(&mut self) -> Result<(u16, &'static str), Gone> {
        let realtime = std::sync::Arc::clone(&self.api.realtime);
        let begun = Instant::now();
        let mut beat = interval_at(begun + BEAT, BEAT);
        let mut heard = begun;
        loop {
            tokio::select! {
                () = realtime.stop.cancelled() => return Ok((close_code::AWAY, "the server stops")),
                _ = beat.tick() => {
                    if heard.elapsed() > BEAT * 5 / 2 {
                        return Err(Gone);
                    }
                    if begun.elapsed() > LONGEST {
                        return Ok((close_code::NORMAL, "open for an hour; come back"));
                    }
                    self.send(Message::Ping(bytes::Bytes::new())).await?;
                }
                Some(told) = self.told.recv() => self.pass_on(told).await?,
                message = self.socket.recv() => {
                    heard = Instant::now();
                    match message {
                        None | Some(Ok(Message::Close(_))) => return Err(Gone),
                        Some(Err(_)) => return Ok((close_code::SIZE, "a message has at most 4 kB")),
                        Some(Ok(_)) if self.is_flooded() => return Ok((close_code::POLICY, "too many messages")),
                        Some(Ok(Message::Text(text))) => self.hear(text.as_str()).await?,
                        Some(Ok(Message::Binary(_))) => {
                            return Ok((close_code::UNSUPPORTED, "messages are text"));
                        }
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    }
                }
            }
        }
    }

    /// Whether the client sends more than it may.
    fn is_flooded(&mut self) -> bool {
        let (count, since) = &mut self.messages;
        if since.elapsed() > PERIOD {
            (*count, *since) = (0, Instant::now());
        }
        *count += 1;
        *count > MOST_MESSAGES
    }

    async fn hear(&mut self, text: &str) -> Result<(), Gone> {
        match Wish::read(text) {
            Ok(Wish::Ping {}) => self.say(&Answer::Pong).await,
            Ok(Wish::Unsubscribe { order_id }) => {
                self.subscriptions.remove(&order_id);
                self.say(&Answer::Unsubscribed { order_id }).await
            }
            Ok(Wish::Subscribe { order_id, after, cart_token }) => {
                match self.subscribe(order_id, after, cart_token).await {
                    Ok(()) => Ok(()),
                    Err(Some(problem)) => self.say(&Answer::error(order_id, problem)).await,
                    Err(None) => Err(Gone),
                }
            }
            Err(refusal) => self.say(&refusal).await,
        }
    }

    /// Begins to follow an order, in place of an earlier subscription to it.
    ///
    /// # Errors
    /// What is wrong with the wish; nothing if the client has gone.
    async fn subscribe(
        &mut self,
        order: OrderId,
        after: i32,
        cart_token: Option<Secret>,
    ) -> Result<(), Option<Problem>> {
        self.subscriptions.remove(&order);
        if self.subscriptions.len() >= MOST_FOLLOWED {
            let message = format!("a socket follows at most {MOST_FOLLOWED} orders");
            let code = "request/too_many_connections";
            return Err(Some(Problem::new(StatusCode::TOO_MANY_REQUESTS, code, message)));
        }
        // A login may have ended since the handshake.
        let mut actor = auth::actor(&self.api, &self.shown.headers, &self.shown.extensions).await?;
        if cart_token.is_some() {
            actor = actor.with_cart(cart_token);
        }
        let (follow, events) = Follow::begin(&self.api, actor, order, after).await.map_err(Problem::from)?;
        let gone = |Gone| None;
        self.say(&Answer::Subscribed { order_id: order }).await.map_err(gone)?;
        for event in events {
            self.say(&Answer::Event { order_id: order, event }).await.map_err(gone)?;
        }
        self.serial += 1;
        let telling = tell(follow, order, self.serial, self.tell.clone());
        let task = AbortOnDropHandle::new(tokio::spawn(telling));
        self.subscriptions.insert(order, Subscription { serial: self.serial, _task: task });
        Ok(())
    }

    /// Passes on what a subscription tells, unless it was ended meanwhile.
    async fn pass_on(&mut self, told: Told) -> Result<(), Gone> {
        let current = self.subscriptions.get(&told.order).map(|subscription| subscription.serial);
        if current != Some(told.serial) {
            return Ok(());
        }
        if matches!(told.answer, Answer::Unsubscribed { .. }) {
            self.subscriptions.remove(&told.order);
        }
        self.say(&told.answer).await
    }

    async fn say(&mut self, answer: &Answer) -> Result<(), Gone> {
        self.send(Message::Text(answer.text().into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(SLOWEST, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

/// Tells of an order until its end. Ends by itself when nobody listens any more.
async fn tell(mut follow: Follow, order: OrderId, serial: u64, tell: mpsc::Sender<Told>) {
    let told = |answer| Told { order, serial, answer };
    while !follow.has_ended() {
        let answers: Vec<Answer> = match follow.next().await {
            Ok(events) => events.into_iter().map(|event| Answer::Event { order_id: order, event }).collect(),
            Err(error) => vec![Answer::error(order, error.into())],
        };
        let failed = matches!(answers.first(), Some(Answer::Error { .. }));
        for answer in answers {
            if tell.send(told(answer)).await.is_err() {
                return;
            }
        }
        if failed {
            break;
        }
    }
    // Nobody listens any more: then nobody needs to know.
    let _ = tell.send(told(Answer::Unsubscribed { order_id: order })).await;
}
