//! `souk verify`: the invariants of each module, and those between modules.

use std::collections::{HashMap, HashSet};
use std::process::ExitCode;
use std::time::Duration;

use inventory::{ReservationId, ReservationState};
use orders::{OrderId, OrderState, Settlement};
use payments::{PaymentState, Share};
use platform::{Violation, outbox};

use crate::app::App;

/// Rows compared at a time.
pub(crate) const BATCH: i64 = 1_000;
/// By then a purchase that was under way at the first look has moved on.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// All broken invariants, of each module and between them.
///
/// The books are read one after the other while purchases go on, so that one under way may look broken:
/// only what is broken at a second look counts.
///
/// # Errors
/// When the database fails.
pub async fn violations(app: &App) -> anyhow::Result<Vec<Violation>> {
    let mut violations = look(app).await?;
    if !violations.is_empty() {
        tokio::time::sleep(SECOND_LOOK).await;
        let still = look(app).await?;
        violations.retain(|seen| {
            still.iter().any(|again| (again.invariant, &again.subject) == (seen.invariant, &seen.subject))
        });
    }
    Ok(violations)
}

async fn look(app: &App) -> anyhow::Result<Vec<Violation>> {
    let mut violations = app.identity.verify().await?;
    violations.extend(app.catalog.verify().await?);
    violations.extend(app.inventory.verify().await?);
    violations.extend(app.waiting_room.verify().await?);
    violations.extend(app.payments.verify().await?);
    violations.extend(app.inbox.verify().await?);
    violations.extend(app.orders.verify().await?);
    violations.extend(outbox::undelivered(&app.database).await?);
    // Looked at first: what comes later, the second look finds settled.
    let settling = app.orders.settling().await?;
    violations.extend(orders_agree(app, &settling).await?);
    violations.extend(holds_belong(app, &settling).await?);
    violations.extend(charges_belong(app).await?);
    violations.extend(catalogue_agrees(app).await?);
    violations.extend(teams_belong(app).await?);
    violations.extend(stock_belongs(app).await?);
    Ok(violations)
}

/// What the catalogue says is in stock, inventory has. Said only when no news is on the way.
async fn catalogue_agrees(app: &App) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    let backlog = outbox::backlog(&app.database, app.sources.now()).await?;
    if backlog.fresh + backlog.failing > 0 {
        return Ok(violations);
    }
    let mut after = None;
    loop {
        let believed = app.catalog.in_stock(after, BATCH).await?;
        let Some((last, _)) = believed.last() else { return Ok(violations) };
        after = Some(*last);
        let variants: Vec<_> = believed.iter().map(|(variant, _)| *variant).collect();
        let available = app.inventory.available(&variants).await?;
        for (variant, in_stock) in believed {
            let left = available.get(&variant).copied().unwrap_or(0);
            if in_stock != (left > 0) {
                let message = format!("the catalogue says in stock: {in_stock}, inventory has {left}");
                violations.push(Violation::new("catalog/knows_stock", variant, message));
            }
        }
    }
}

/// Whatever people are members of is a store, and every store that somebody applied for has its people.
async fn teams_belong(app: &App) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    let mut with_people = HashSet::new();
    let mut after = None;
    loop {
        let stores = app.identity.stores(after, BATCH).await?;
        let Some(last) = stores.last() else { break };
        after = Some(*last);
        let there: HashSet<_> = app.catalog.existing_stores(&stores).await?.into_iter().collect();
        violations.extend(stores.iter().filter(|store| !there.contains(store)).map(|store| {
            Violation::new(
                "identity/team_has_store",
                store,
                "people or keys belong to a store that is not there",
            )
        }));
        with_people.extend(stores);
    }
    let mut after = None;
    loop {
        let founded = app.catalog.founded_stores(after, BATCH).await?;
        let Some(last) = founded.last() else { return Ok(violations) };
        after = Some(*last);
        violations.extend(founded.iter().filter(|store| !with_people.contains(store)).map(|store| {
            Violation::new("catalog/store_has_owner", store, "somebody applied for it, but nobody owns it")
        }));
    }
}

/// Stock is kept apart by whose inventory takes it to be: that is whose the catalogue says it is.
async fn stock_belongs(app: &App) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    let mut after = None;
    loop {
        let owners = app.stock_keeping.owners(after, BATCH).await?;
        let Some((last, _)) = owners.last() else { return Ok(violations) };
        after = Some(*last);
        let variants: Vec<_> = owners.iter().map(|(variant, _)| *variant).collect();
        let stores: HashMap<_, _> = app.catalog.stores_of(&variants).await?.into_iter().collect();
        let wrong =
            owners.iter().filter(|(variant, store)| stores.get(variant).is_some_and(|of| of != store));
        violations.extend(wrong.map(|(variant, _)| {
            Violation::new(
                "inventory/stock_has_its_store",
                variant,
                "inventory takes it to be another store's",
            )
        }));
    }
}

/// Every paid order has its payment and its sale, and no other has; the sale may still be on its way.
async fn orders_agree(app: &App, settling: &HashSet<OrderId>) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    let mut after = None;
    loop {
        let orders = app.orders.settlements(after, BATCH).await?;
        let Some(last) = orders.last() else { return Ok(violations) };
        after = Some(last.order_id);
        let ids: Vec<_> = orders.iter().filter_map(|order| order.payment_id).collect();
        let payments = app.payments.payments(&ids).await?;
        let holds: Vec<_> = orders.iter().map(|order| ReservationId::from(order.order_id.uuid())).collect();
        let states = app.inventory.states(&holds).await?;
        violations.extend(sales_posted(app, &orders, settling).await?);
        for (order, hold) in orders.iter().zip(&holds) {
            let payment = order.payment_id.and_then(|id| payments.get(&id));
            violations.extend(payment_agrees(order, payment));
            if !settling.contains(&order.order_id) {
                violations.extend(stock_agrees(order, states.get(hold).copied()));
            }
        }
    }
}

fn payment_agrees(order: &Settlement, payment: Option<&payments::Payment>) -> Option<Violation> {
    let kept =
        |payment: &&payments::Payment| payment.refunded == 0 || payment.refunded < payment.amount.amount;
    let succeeded = payment.filter(|payment| payment.state == PaymentState::Succeeded);
    let message = match (order.state, succeeded) {
        (OrderState::Paid, None) => "paid, but there is no payment that succeeded".to_owned(),
        (OrderState::Paid, Some(payment)) if payment.amount != order.total => {
            format!("comes to {}, but {} was charged", order.total, payment.amount)
        }
        (
            OrderState::Rejected | OrderState::Expired | OrderState::Cancelled | OrderState::AwaitingPayment,
            Some(payment),
        ) if kept(&payment) => {
            format!("{}, but payment {} succeeded", order.state.as_str(), payment.id)
        }
        _ => return None,
    };
    Some(Violation::new("orders/paid_has_payment", order.order_id, message))
}

/// The ledger has the sale of every paid order, with the stores' parts and the commission that stand on its lines, and of no
/// other.
async fn sales_posted(
    app: &App,
    orders: &[Settlement],
    settling: &HashSet<OrderId>,
) -> anyhow::Result<Vec<Violation>> {
    let ids: Vec<OrderId> =
        orders.iter().map(|order| order.order_id).filter(|id| !settling.contains(id)).collect();
    let posted = app.payments.posted_sales(&ids.iter().map(|id| id.uuid()).collect::<Vec<_>>()).await?;
    let sold: HashMap<_, _> =
        app.orders.sales(&ids).await?.into_iter().map(|sale| (sale.order, sale.shares)).collect();
    let by_store = |shares: Option<&Vec<Share>>| {
        let mut shares = shares.cloned().unwrap_or_default();
        // What is free moves nothing.
        shares.retain(|share| share.amount != 0);
        shares.sort_by_key(|share| share.store);
        shares
    };
    let differs = |id: &&OrderId| by_store(posted.get(&id.uuid())) != by_store(sold.get(&id.uuid()));
    let wrong = ids.iter().filter(differs).map(|id| {
        let message = match (posted.get(&id.uuid()), sold.get(&id.uuid())) {
            (None, _) => "it is paid, but the ledger has no sale of it: souk ledger post",
            (_, None) => "the ledger has a sale of it, but it is not paid",
            _ => "the sale in the ledger is not what stands on its lines",
        };
        Violation::new("orders/sale_posted", id, message)
    });
    Ok(wrong.collect())
}

fn stock_agrees(order: &Settlement, stock: Option<ReservationState>) -> Option<Violation> {
    let fits = match order.state {
        OrderState::Paid | OrderState::Fulfilled => stock == Some(ReservationState::Sold),
        OrderState::AwaitingPayment => stock == Some(ReservationState::Held),
        OrderState::Rejected | OrderState::Expired | OrderState::Cancelled => {
            matches!(stock, None | Some(ReservationState::Released | ReservationState::Refused))
        }
        OrderState::Pending | OrderState::PaymentPending | OrderState::Completed | OrderState::Refunded => {
            true
        }
    };
    let message = || format!("{}, but its stock is {stock:?}", order.state.as_str());
    (!fits).then(|| Violation::new("orders/stock_agrees", order.order_id, message()))
}

/// Every held reservation belongs to an order that is still to be settled.
async fn holds_belong(app: &App, settling: &HashSet<OrderId>) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    let mut after = None;
    loop {
        let held = app.inventory.held(after, BATCH).await?;
        let Some(last) = held.last() else { return Ok(violations) };
        after = Some(*last);
        let ids: Vec<_> = held.iter().map(|id| OrderId::from(id.uuid())).collect();
        let open: HashSet<_> = app.orders.open(&ids).await?.into_iter().collect();
        violations.extend(ids.iter().filter(|id| !open.contains(id) && !settling.contains(id)).map(|id| {
            Violation::new(
                "inventory/hold_has_order",
                id,
                "stock is held for an order that does not wait for it",
            )
        }));
    }
}

/// Every payment that succeeded belongs to an order that is paid or on the way to it.
async fn charges_belong(app: &App) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    let mut after = None;
    loop {
        let charged = app.payments.succeeded(after, BATCH).await?;
        let Some((last, _)) = charged.last() else { return Ok(violations) };
        after = Some(*last);
        let charged: Vec<_> = charged.into_iter().map(|(id, order)| (id, order.map(OrderId::from))).collect();
        let known: HashSet<_> = app.orders.of_payments(&charged).await?.into_iter().collect();
        violations.extend(charged.iter().filter(|(id, _)| !known.contains(id)).map(|(id, _)| {
            Violation::new("payments/charge_has_order", id, "money was taken, but no order is paid with it")
        }));
    }
}

/// Prints what was found; the exit code says whether anything was.
pub(crate) fn report(violations: &[Violation], json: bool) -> anyhow::Result<ExitCode> {
    if json {
        let report = serde_json::json!({"ok": violations.is_empty(), "violations": violations});
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else if violations.is_empty() {
        println!("All invariants hold.");
    } else {
        for violation in violations {
            println!("{}  {}: {}", violation.invariant, violation.subject, violation.message);
        }
        println!("{} violations.", violations.len());
    }
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
