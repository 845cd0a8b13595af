//! Placing orders, many in one transaction: the queue "orders.place".
//!
//! Nothing that a buyer can send makes such a transaction fail: whoever is refused is told so, and the rest is written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use catalog::VariantId;
use identity::{Actor, UserId};
use payments::PaymentId;
use platform::batch::Work;
use platform::{Tx, database, fault};
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Instrument;
use uuid::Uuid;

use crate::cart::{CartRow, LineRow};
use crate::completion::{self, Outcome, Purchase};
use crate::events::{OrderMoved, OrdersMoved};
use crate::idempotency::{self, Claim};
use crate::journal::{self, Entry, Facts, Snapshot};
use crate::order::StoredLine;
use crate::pricing::{self, Priced};
use crate::{CartId, Checkout, Error, Order, OrderEventKind, OrderId, OrderState, Parts, cart};

/// A checkout that waits to be written.
pub(crate) struct Placing {
    pub(crate) actor: Actor,
    pub(crate) checkout: Checkout,
    /// The cart, if it is known by its id; else the one that the actor's token opens.
    pub(crate) cart: Option<CartId>,
    pub(crate) fingerprint: Vec<u8>,
    /// The id that the order will have.
    pub(crate) order: OrderId,
    pub(crate) payment: Option<PaymentId>,
    /// One of the purchases that may be under way at a time; taken along until it is settled.
    pub(crate) permit: std::sync::Mutex<Option<OwnedSemaphorePermit>>,
}

/// What became of a checkout.
pub(crate) enum Placed {
    /// It is written, and goes on by itself. The end is told to whoever listens.
    Written(OrderId, oneshot::Receiver<Result<Outcome, Error>>),
    /// The key was used before, for this cart.
    Duplicate(CartId),
}

/// Writes orders.
pub(crate) struct Place(pub(crate) Arc<Parts>);

#[async_trait]
impl Work for Place {
    type Item = Placing;
    type Answer = Result<Placed, Error>;

    async fn serve(&self, items: &[Placing]) -> Result<Vec<Self::Answer>, sqlx::Error> {
        let parts = &self.0;
        let mut tx = parts.database.begin_batch().await?;
        let carts = Carts::load(&mut tx, items).await?;
        let market = match pricing::Market::look(parts, carts.variants()).await {
            Ok(market) => market,
            Err(Error::Database(error)) => return Err(error),
            // Others' refusals are told to everybody who asked.
            Err(error) => return Ok(told_all(items, &error)),
        };
        let now = parts.sources.now();
        let mut answers: Vec<Option<Self::Answer>> = Vec::with_capacity(items.len());
        let mut drafts = Vec::with_capacity(items.len());
        let mut refused = Vec::new();
        for (place, item) in items.iter().enumerate() {
            answers.push(None);
            match draft(parts, place, item, &carts, &market, now) {
                Ok(draft) => match parts.waiting_room.check(&item.actor, &draft.priced.products()).await {
                    Ok(()) => drafts.push(draft),
                    Err(error) => refused.push((place, draft.cart, error.into())),
                },
                Err((None, error)) => answers[place] = Some(Err(error)),
                Err((Some(cart), error)) => refused.push((place, cart, error)),
            }
        }
        answer_refused(parts, items, refused, &mut answers).await?;
        let written =
            if drafts.is_empty() { Vec::new() } else { write(parts, tx, items, &mut drafts, now).await? };
        let written: HashMap<usize, Purchase> = written.into_iter().collect();
        finish(parts, items, drafts, written, &mut answers);
        Ok(answers.into_iter().map(|answer| answer.unwrap_or(Err(Error::CartChanged))).collect())
    }
}

/// The same refusal for everybody.
fn told_all(items: &[Placing], error: &Error) -> Vec<Result<Placed, Error>> {
    tracing::error!(%error, checkouts = items.len(), "the catalogue or the inventory refused to be read");
    items.iter().map(|_| Err(Error::Unavailable)).collect()
}

/// The carts of a batch.
struct Carts {
    rows: HashMap<CartId, (CartRow, Vec<LineRow>)>,
    by_token: HashMap<Vec<u8>, CartId>,
}

impl Carts {
    async fn load(connection: &mut PgConnection, items: &[Placing]) -> Result<Self, sqlx::Error> {
        let ids: Vec<_> = items.iter().filter_map(|item| item.cart).map(CartId::uuid).collect();
        let tokens: Vec<_> = items
            .iter()
            .filter(|item| item.cart.is_none())
            .filter_map(|item| item.actor.cart_token_hash())
            .collect();
        let rows = cart::find_all(&mut *connection, &ids, &tokens).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let mut lines = cart::lines_of_all(connection, &ids).await?;
        let by_token = rows.iter().map(|row| (row.token_hash.clone(), row.id)).collect();
        let rows = rows.into_iter().map(|row| {
            let lines = lines.remove(&row.id).unwrap_or_default();
            (row.id, (row, lines))
        });
        Ok(Self { rows: rows.collect(), by_token })
    }

    fn variants(&self) -> Vec<VariantId> {
        let variants: HashSet<_> =
            self.rows.values().flat_map(|(_, lines)| lines).map(|line| line.variant_id).collect();
        variants.into_iter().collect()
    }

    /// The cart that a checkout is of, if the actor may have it.
    fn of(&self, item: &Placing) -> Option<&(CartRow, Vec<LineRow>)> {
        let id = item.cart.or_else(|| {
            let token = item.actor.cart_token_hash()?;
            self.by_token.get(token.as_slice()).copied()
        })?;
        self.rows.get(&id).filter(|(row, _)| row.is_of(&item.actor))
    }
}

/// An order about to be written.
struct Draft {
    /// Its checkout's place in the batch.
    place: usize,
    cart: CartId,
    cart_version: i64,
    token_hash: Vec<u8>,
    priced: Priced,
}

/// Decides whether a checkout can be written, as far as can be seen without writing.
fn draft(
    parts: &Parts,
    place: usize,
    item: &Placing,
    carts: &Carts,
    market: &pricing::Market,
    now: OffsetDateTime,
) -> Result<Draft, (Option<CartId>, Error)> {
    let (row, lines) = carts.of(item).ok_or((None, Error::CartNotFound))?;
    let refuse = |error| (Some(row.id), error);
    row.check_open(now).map_err(refuse)?;
    if let Some(token) = &item.checkout.token {
        parts.payments.check(token).map_err(|error| refuse(error.into()))?;
    }
    let priced = market.price(row, lines).map_err(refuse)?;
    Ok(Draft { place, cart: row.id, cart_version: row.version, token_hash: row.token_hash.clone(), priced })
}

/// A refusal is given only to a checkout that is new: one that was answered before gets that answer.
async fn answer_refused(
    parts: &Parts,
    items: &[Placing],
    refused: Vec<(usize, CartId, Error)>,
    answers: &mut [Option<Result<Placed, Error>>],
) -> Result<(), sqlx::Error> {
    if refused.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> =
        refused.iter().map(|(place, cart, _)| (cart.uuid(), items[*place].checkout.key.as_str())).collect();
    let used = idempotency::used(&parts.database, &keys).await?;
    for (place, cart, error) in refused {
        let known = used.contains(&(cart.uuid(), items[place].checkout.key.as_str().to_owned()));
        answers[place] = Some(if known { Ok(Placed::Duplicate(cart)) } else { Err(error) });
    }
    Ok(())
}

/// Writes what can be written, in one transaction; gives what was, by its place in the batch.
async fn write(
    parts: &Parts,
    mut tx: Tx,
    items: &[Placing],
    drafts: &mut [Draft],
    now: OffsetDateTime,
) -> Result<Vec<(usize, Purchase)>, sqlx::Error> {
    // Everybody in the same order, so that two nodes never wait for each other in a circle.
    drafts.sort_by_key(|draft| draft.cart);
    let claims: Vec<_> = drafts.iter().map(|draft| claim(draft, &items[draft.place])).collect();
    let claimed = idempotency::claim_all(&mut tx, &claims, now).await?;
    let mine: Vec<&Draft> =
        drafts.iter().filter(|draft| claimed.contains(&items[draft.place].order)).collect();
    let taken = take_carts(&mut tx, &mine, items, now).await?;
    let (mine, lost): (Vec<&Draft>, Vec<&Draft>) =
        mine.into_iter().partition(|draft| taken.contains(&items[draft.place].order));
    if !lost.is_empty() {
        // Somebody changed these carts just now. Their keys are free again.
        let scopes: Vec<_> = lost.iter().map(|draft| draft.cart.uuid()).collect();
        let orders: Vec<_> = lost.iter().map(|draft| items[draft.place].order.uuid()).collect();
        idempotency::unclaim(&mut tx, &scopes, &orders).await?;
    }
    if mine.is_empty() {
        tx.commit(now).await?;
        return Ok(Vec::new());
    }
    let numbers = insert_orders(parts, &mut tx, &mine, items, now).await?;
    insert_lines(&mut tx, &mine, items).await?;
    let mut written = Vec::with_capacity(mine.len());
    let mut entries = Vec::with_capacity(mine.len());
    for draft in mine {
        let item = &items[draft.place];
        let number = numbers.get(&item.order).cloned().ok_or(sqlx::Error::RowNotFound)?;
        entries.push(placed_entry(draft, item, &number, now));
        written.push((draft.place, purchase(draft, item, number, now)));
    }
    journal::append(&mut tx, &entries).await?;
    let moves = entries.iter().map(OrderMoved::of).collect();
    tx.publish(&OrdersMoved { moves });
    fault::point("orders.place.before_commit");
    tx.commit(now).await?;
    fault::point("orders.place.after_commit");
    metrics::counter!("souk_orders_placed_total").increment(written.len() as u64);
    Ok(written)
}

fn claim<'a>(draft: &Draft, item: &'a Placing) -> Claim<'a> {
    Claim::of_order(draft.cart.uuid(), &item.checkout.key, &item.fingerprint, item.order, 1)
}

/// Binds the carts to their orders; says which orders got theirs as it was read.
async fn take_carts(
    tx: &mut Tx,
    drafts: &[&Draft],
    items: &[Placing],
    now: OffsetDateTime,
) -> Result<HashSet<OrderId>, sqlx::Error> {
    let carts: Vec<_> = drafts.iter().map(|draft| draft.cart.uuid()).collect();
    let versions: Vec<_> = drafts.iter().map(|draft| draft.cart_version).collect();
    let orders: Vec<_> = drafts.iter().map(|draft| items[draft.place].order.uuid()).collect();
    let taken = sqlx::query_scalar!(
        r#"UPDATE orders.carts c SET order_id = t.order_id, completed_at = $4, updated_at = $4
           FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS t (id, version, order_id)
           WHERE c.id = t.id AND c.version = t.version AND c.order_id IS NULL
           RETURNING c.order_id AS "id!: OrderId""#,
        &carts,
        &versions,
        &orders,
        now,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(taken.into_iter().collect())
}

/// Writes the orders' rows; gives their numbers.
async fn insert_orders(
    parts: &Parts,
    tx: &mut Tx,
    drafts: &[&Draft],
    items: &[Placing],
    now: OffsetDateTime,
) -> Result<HashMap<OrderId, String>, sqlx::Error> {
    let of = |draft: &&Draft| &items[draft.place];
    let ids: Vec<_> = drafts.iter().map(|draft| of(draft).order.uuid()).collect();
    let currencies: Vec<_> =
        drafts.iter().map(|draft| draft.priced.total.currency.code().to_owned()).collect();
    let totals: Vec<_> = drafts.iter().map(|draft| draft.priced.total.amount).collect();
    let carts: Vec<_> = drafts.iter().map(|draft| draft.cart.uuid()).collect();
    let tokens: Vec<_> = drafts.iter().map(|draft| draft.token_hash.clone()).collect();
    let emails: Vec<_> = drafts.iter().map(|draft| of(draft).checkout.email.as_str().to_owned()).collect();
    let shipping: Vec<_> =
        drafts.iter().map(|draft| database::json_text(&of(draft).checkout.shipping_address)).collect();
    let billing: Vec<_> = drafts
        .iter()
        .map(|draft| of(draft).checkout.billing_address.as_ref().map(database::json_text))
        .collect();
    let payment_tokens: Vec<_> = drafts
        .iter()
        .map(|draft| of(draft).checkout.token.as_ref().map(|token| token.as_str().to_owned()))
        .collect();
    let payments: Vec<_> = drafts.iter().map(|draft| of(draft).payment.map(PaymentId::uuid)).collect();
    let users: Vec<_> = drafts.iter().map(|draft| of(draft).actor.user_id().map(UserId::uuid)).collect();
    let rows = sqlx::query!(
        r#"INSERT INTO orders.orders (id, number, source, state, version, currency, total, placed_at, updated_at, cart_id,
               token_hash, email, shipping_address, billing_address, payment_token, payment_attempt, payment_id,
               deadline_at, user_id)
           SELECT id, nextval('orders.order_number')::text, 'checkout', 'pending', 1, currency, total, $12, $12, cart_id,
               token_hash, email, shipping_address::jsonb, billing_address::jsonb, payment_token,
               (payment_token IS NOT NULL)::int, payment_id, $13, user_id
           FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::uuid[], $5::bytea[], $6::text[], $7::text[], $8::text[],
               $9::text[], $10::uuid[], $11::uuid[])
               AS o (id, currency, total, cart_id, token_hash, email, shipping_address, billing_address, payment_token,
                     payment_id, user_id)
           RETURNING id AS "id: OrderId", number"#,
        &ids,
        &currencies,
        &totals,
        &carts,
        &tokens,
        &emails,
        &shipping,
        &billing as &[Option<String>],
        &payment_tokens as &[Option<String>],
        &payments as &[Option<Uuid>],
        &users as &[Option<Uuid>],
        now,
        now + parts.settings.step_deadline,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.number)).collect())
}

async fn insert_lines(tx: &mut Tx, drafts: &[&Draft], items: &[Placing]) -> Result<(), sqlx::Error> {
    let orders: Vec<_> = drafts
        .iter()
        .flat_map(|draft| std::iter::repeat_n(items[draft.place].order.uuid(), draft.priced.lines.len()))
        .collect();
    let lines: Vec<&StoredLine> = drafts.iter().flat_map(|draft| &draft.priced.lines).collect();
    sqlx::query!(
        "INSERT INTO orders.order_lines (order_id, position, store_id, product_id, variant_id, sku, title, variant_title,
             quantity, unit_price, total)
         SELECT line.* FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[],
             $8::text[], $9::int[], $10::bigint[], $11::bigint[]) AS line",
        &orders,
        &lines.iter().map(|line| line.position).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.store_id.uuid()).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.product_id.uuid()).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.variant_id.uuid()).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.sku.clone()).collect::<Vec<_>>() as &[Option<String>],
        &lines.iter().map(|line| line.title.clone()).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.variant_title.clone()).collect::<Vec<_>>() as &[Option<String>],
        &lines.iter().map(|line| line.quantity).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.unit_price).collect::<Vec<_>>(),
        &lines.iter().map(|line| line.total).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn placed_entry(draft: &Draft, item: &Placing, number: &str, now: OffsetDateTime) -> Entry {
    let snapshot = Snapshot {
        number: number.to_owned(),
        currency: draft.priced.total.currency.code().to_owned(),
        total: draft.priced.total.amount,
        lines: draft.priced.lines.clone(),
    };
    Entry {
        order_id: item.order,
        version: 1,
        kind: OrderEventKind::Placed,
        state: OrderState::Pending,
        facts: Facts { snapshot: Some(snapshot), payment_id: item.payment, ..Facts::default() },
        occurred_at: now,
    }
}

/// The purchase that goes on from here.
fn purchase(draft: &Draft, item: &Placing, number: String, now: OffsetDateTime) -> Purchase {
    let currency = draft.priced.total.currency;
    let checkout = &item.checkout;
    let order = Order {
        id: item.order,
        number,
        status: OrderState::Pending,
        version: 1,
        cart_id: Some(draft.cart),
        email: Some(checkout.email.clone()),
        lines: draft.priced.lines.iter().map(|line| line.of(currency)).collect(),
        total: draft.priced.total,
        sub_orders: Vec::new(),
        shipping_address: Some(checkout.shipping_address.clone()),
        billing_address: checkout.billing_address.clone(),
        failure: None,
        hold_expires_at: None,
        placed_at: now,
        paid_at: None,
    };
    Purchase {
        user: item.actor.user_id(),
        payment: item.payment.zip(checkout.token.clone()),
        limits: draft.priced.limits.clone(),
        order,
        hold_expires_at: None,
    }
}

/// Answers everybody; what was written goes on in a task of its own, whether or not somebody still listens.
fn finish(
    parts: &Arc<Parts>,
    items: &[Placing],
    drafts: Vec<Draft>,
    mut written: HashMap<usize, Purchase>,
    answers: &mut [Option<Result<Placed, Error>>],
) {
    for draft in drafts {
        let item = &items[draft.place];
        let Some(purchase) = written.remove(&draft.place) else {
            // Its key or its cart was somebody else's: the caller finds out which.
            answers[draft.place] = Some(Ok(Placed::Duplicate(draft.cart)));
            continue;
        };
        let (ended, end) = oneshot::channel();
        let (parts_of_it, order) = (Arc::clone(parts), item.order);
        let permit = item.permit.lock().map_or(None, |mut permit| permit.take());
        parts.tasks.spawn(
            async move {
                let outcome = completion::complete(&parts_of_it, purchase).await;
                drop(permit);
                // Whoever waited may have gone away.
                let _ = ended.send(outcome);
            }
            .in_current_span(),
        );
        answers[draft.place] = Some(Ok(Placed::Written(order, end)));
    }
}
