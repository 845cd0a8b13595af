//! Writing a batch of orders: one statement for all of their rows, so that the round trips do not grow with them.

use std::collections::{HashMap, HashSet};

use identity::UserId;
use payments::{CommissionRuleId, PaymentId};
use platform::{Tx, database, fault};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Draft, Placing};
use crate::events::{OrderMoved, OrdersMoved};
use crate::journal::{Entry, Facts, Snapshot};
use crate::order::StoredLine;
use crate::{OrderEventKind, OrderId, OrderState, Parts, idempotency, journal};

/// An order to be written, and the checkout that it is of.
pub(super) type Row<'a> = (&'a Draft, &'a Placing);

/// Writes what can be written; gives the numbers of the orders that were.
pub(super) async fn write(
    parts: &Parts,
    mut tx: Tx,
    rows: &[Row<'_>],
    now: OffsetDateTime,
) -> Result<HashMap<OrderId, String>, sqlx::Error> {
    let entries: Vec<Entry> = rows.iter().map(|row| placed(row, now)).collect();
    let claimed = insert(parts, &mut tx, rows, &entries, now).await?;
    let lost: HashSet<OrderId> =
        claimed.iter().filter(|(_, number)| number.is_none()).map(|(order, _)| *order).collect();
    if !lost.is_empty() {
        // Somebody changed these carts just now. Their keys are free again.
        let (scopes, orders): (Vec<_>, Vec<_>) = rows
            .iter()
            .filter(|(_, item)| lost.contains(&item.order))
            .map(|(draft, item)| (draft.cart.uuid(), item.order.uuid()))
            .unzip();
        idempotency::unclaim(&mut tx, &scopes, &orders).await?;
    }
    let written: HashMap<OrderId, String> =
        claimed.into_iter().filter_map(|(order, number)| Some((order, number?))).collect();
    if !written.is_empty() {
        let entries: Vec<&Entry> =
            entries.iter().filter(|entry| written.contains_key(&entry.order_id)).collect();
        journal::announce(&mut tx, entries.iter().copied());
        tx.publish(&OrdersMoved { moves: entries.into_iter().map(OrderMoved::of).collect() });
    }
    fault::point("orders.place.before_commit");
    tx.commit(now).await?;
    fault::point("orders.place.after_commit");
    metrics::counter!("souk_orders_placed_total").increment(written.len() as u64);
    Ok(written)
}

/// What the journal says first. The number is not known yet: the statement puts it in.
fn placed((draft, item): &Row<'_>, now: OffsetDateTime) -> Entry {
    let snapshot = Snapshot {
        number: String::new(),
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

/// Claims the keys, binds the carts to their orders, and writes the orders whose cart still is as it was read. Gives the
/// orders whose key was free, each with its number if it was written.
async fn insert(
    parts: &Parts,
    tx: &mut Tx,
    rows: &[Row<'_>],
    entries: &[Entry],
    now: OffsetDateTime,
) -> Result<Vec<(OrderId, Option<String>)>, sqlx::Error> {
    let checkouts = || rows.iter().map(|(_, item)| &item.checkout);
    let lines: Vec<(Uuid, &StoredLine)> = rows
        .iter()
        .flat_map(|(draft, item)| draft.priced.lines.iter().map(|line| (item.order.uuid(), line)))
        .collect();
    let written = sqlx::query!(
        r#"WITH wanted AS (
               SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::bytea[], $6::text[], $7::bigint[],
                                    $8::bytea[], $9::text[], $10::text[], $11::text[], $12::text[], $13::uuid[], $14::uuid[],
                                    $15::text[])
                   AS o (id, cart_id, cart_version, key, fingerprint, currency, total, token_hash, email, shipping_address,
                         billing_address, payment_means, payment_id, user_id, facts)
           ), claimed AS (
               INSERT INTO orders.idempotency_keys (scope, key, fingerprint, order_id, version, created_at)
               SELECT cart_id, key, fingerprint, id, 1, $16 FROM wanted
               ON CONFLICT DO NOTHING RETURNING order_id
           ), free AS MATERIALIZED (
               -- By itself, so that it is a hash join: PostgreSQL takes each of these to be ten rows.
               SELECT id, cart_id, cart_version FROM wanted JOIN claimed ON claimed.order_id = wanted.id
           ), taken AS (
               UPDATE orders.carts c SET order_id = free.id, completed_at = $16, updated_at = $16
               FROM free WHERE c.id = ANY($2) AND c.id = free.cart_id AND c.version = free.cart_version AND c.order_id IS NULL
               RETURNING c.order_id AS id
           ), placed AS (
               INSERT INTO orders.orders (id, number, source, state, version, currency, total, placed_at, updated_at,
                   cart_id, token_hash, email, shipping_address, billing_address, payment_means, payment_attempt,
                   payment_id, deadline_at, user_id)
               SELECT w.id, nextval('orders.order_number')::text, 'checkout', 'pending', 1, currency, total, $16, $16,
                   cart_id, token_hash, email, shipping_address::jsonb, billing_address::jsonb, payment_means::jsonb,
                   (payment_means IS NOT NULL)::int, payment_id, $17, user_id
               FROM wanted w JOIN taken USING (id)
               RETURNING id, number
           ), lines AS (
               INSERT INTO orders.order_lines (order_id, position, store_id, product_id, variant_id, sku, title,
                   variant_title, quantity, unit_price, total, commission, commission_tax, commission_rule)
               SELECT line.* FROM unnest($18::uuid[], $19::int[], $20::uuid[], $21::uuid[], $22::uuid[], $23::text[],
                       $24::text[], $25::text[], $26::int[], $27::bigint[], $28::bigint[], $29::bigint[], $30::bigint[], $31::uuid[])
                   AS line (id, position, store_id, product_id, variant_id, sku, title, variant_title, quantity,
                            unit_price, total, commission, commission_tax, commission_rule)
               WHERE id IN (SELECT id FROM taken)
           ), events AS (
               INSERT INTO orders.order_events (order_id, version, kind, state, data, occurred_at)
               SELECT w.id, 1, 'placed', 'pending', replace(facts, '"number":""', '"number":"' || number || '"')::json, $16
               FROM wanted w JOIN placed USING (id)
           )
           SELECT claimed.order_id AS "order_id!: OrderId", placed.number AS "number?"
           FROM claimed LEFT JOIN placed ON placed.id = claimed.order_id"#,
        &rows.iter().map(|(_, item)| item.order.uuid()).collect::<Vec<_>>(),
        &rows.iter().map(|(draft, _)| draft.cart.uuid()).collect::<Vec<_>>(),
        &rows.iter().map(|(draft, _)| draft.cart_version).collect::<Vec<_>>(),
        &checkouts().map(|checkout| checkout.key.as_str()).collect::<Vec<_>>() as &[&str],
        &rows.iter().map(|(_, item)| item.fingerprint.as_slice()).collect::<Vec<_>>() as &[&[u8]],
        &rows.iter().map(|(draft, _)| draft.priced.total.currency.code()).collect::<Vec<_>>() as &[&str],
        &rows.iter().map(|(draft, _)| draft.priced.total.amount).collect::<Vec<_>>(),
        &rows.iter().map(|(draft, _)| draft.token_hash.as_slice()).collect::<Vec<_>>() as &[&[u8]],
        &checkouts().map(|checkout| checkout.email.as_str()).collect::<Vec<_>>() as &[&str],
        &checkouts().map(|checkout| database::json_text(&checkout.shipping_address)).collect::<Vec<_>>(),
        &checkouts()
            .map(|checkout| checkout.billing_address.as_ref().map(database::json_text))
            .collect::<Vec<_>>() as &[Option<String>],
        &checkouts().map(|checkout| checkout.means.as_ref().map(database::json_text)).collect::<Vec<_>>()
            as &[Option<String>],
        &rows.iter().map(|(_, item)| item.payment.map(PaymentId::uuid)).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|(_, item)| item.actor.user_id().map(UserId::uuid)).collect::<Vec<_>>()
            as &[Option<Uuid>],
        &entries.iter().map(|entry| database::json_text(&entry.facts)).collect::<Vec<_>>(),
        now,
        now + parts.settings.step_deadline,
        &lines.iter().map(|(order, _)| *order).collect::<Vec<_>>(),
        &lines.iter().map(|(_, line)| line.position).collect::<Vec<_>>(),
        &lines.iter().map(|(_, line)| line.store_id.uuid()).collect::<Vec<_>>(),
        &lines.iter().map(|(_, line)| line.product_id.uuid()).collect::<Vec<_>>(),
        &lines.iter().map(|(_, line)| line.variant_id.uuid()).collect::<Vec<_>>(),
        &lines.iter().map(|(_, line)| line.sku.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &lines.iter().map(|(_, line)| line.title.as_str()).collect::<Vec<_>>() as &[&str],
        &lines.iter().map(|(_, line)| line.variant_title.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &lines.iter().map(|(_, line)| line.quantity).collect::<Vec<_>>(),
        &lines.iter().map(|(_, line)| line.unit_price).collect::<Vec<_>>(),
        &lines.iter().map(|(_, line)| line.total).collect::<Vec<_>>(),
        &lines.iter().map(|(_, line)| line.commission).collect::<Vec<_>>(),
        &lines.iter().map(|(_, line)| line.commission_tax).collect::<Vec<_>>(),
        &lines.iter().map(|(_, line)| line.commission_rule.map(CommissionRuleId::uuid)).collect::<Vec<_>>()
            as &[Option<Uuid>],
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(written.into_iter().map(|row| (row.order_id, row.number)).collect())
}
