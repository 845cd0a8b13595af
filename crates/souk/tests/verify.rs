//! `souk verify` finds what is broken. Each case breaks one thing behind the modules' backs.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use identity::Actor;
use orders::{Checkout, IdempotencyKey};
use payments::{PaymentMeans, PaymentToken};
use sqlx::AssertSqlSafe;
use testkit::{NewProduct, TestApp, address};

/// Makes a paid order, one that awaits payment, and a rejected one.
async fn business(test: &TestApp) {
    let variant = test.product(NewProduct { stock: 10, ..NewProduct::default() }).await;
    for token in [Some("tok_visa"), None, Some("tok_chargeDeclined")] {
        let (cart, secret) = test.app.orders.create_cart(&Actor::stranger(), None).await.unwrap();
        let actor = Actor::holder(secret);
        test.app.orders.add_item(&actor, cart.id, variant, 2.try_into().unwrap(), None).await.unwrap();
        let checkout = Checkout {
            cart_id: Some(cart.id),
            key: IdempotencyKey::parse("k").unwrap(),
            email: "ada@example.com".parse().unwrap(),
            shipping_address: address(),
            billing_address: None,
            means: token.map(|token| PaymentMeans::token(PaymentToken::presented(token))),
        };
        let outcome = test.app.orders.checkout(&actor, checkout).await;
        assert_eq!(outcome.is_ok(), token != Some("tok_chargeDeclined"));
    }
    test.run_jobs().await;
}

/// Every invariant that `souk verify` names is found broken when it is.
#[tokio::test(flavor = "multi_thread")]
async fn every_broken_invariant_is_found() {
    let test = TestApp::start().await;
    business(&test).await;
    assert_eq!(test.violations().await, []);
    for (invariant, sql) in [
        ("catalog/least_price", "UPDATE catalog.products SET min_price = min_price + 1"),
        ("catalog/in_stock", "UPDATE catalog.products SET in_stock = NOT in_stock"),
        (
            "catalog/knows_stock",
            "UPDATE catalog.variants SET in_stock = NOT in_stock; UPDATE catalog.products SET in_stock = NOT in_stock",
        ),
        ("catalog/currency", "UPDATE catalog.products SET currency = 'EUR'"),
        ("catalog/has_variants", "DELETE FROM catalog.variants"),
        ("inventory/stock_adds_up", "UPDATE inventory.stock_levels SET on_hand = on_hand + 1"),
        ("inventory/stock_adds_up", "DELETE FROM inventory.stock_adjustments"),
        ("inventory/reserved_adds_up", "UPDATE inventory.stock_levels SET reserved = reserved + 1"),
        (
            "inventory/never_oversold",
            "ALTER TABLE inventory.stock_levels DROP CONSTRAINT never_oversold;
             UPDATE inventory.stock_levels SET reserved = on_hand + 1",
        ),
        (
            "inventory/reservation_has_lines",
            "INSERT INTO inventory.reservations (id, state, variant_ids, quantities, created_at, updated_at)
             VALUES (gen_random_uuid(), 'sold', '{}', '{}', now(), now())",
        ),
        ("inventory/takings_add_up", "INSERT INTO inventory.takings VALUES (gen_random_uuid(), gen_random_uuid(), 1)"),
        ("inventory/places_add_up", "UPDATE inventory.stock_levels SET places = 2"),
        ("inventory/level_has_location", "UPDATE inventory.stock_levels SET active = false"),
        ("inventory/hold_has_order", "UPDATE orders.orders SET state = 'expired' WHERE state = 'awaiting_payment'"),
        ("orders/stock_agrees", "UPDATE inventory.reservations SET state = 'held' WHERE state = 'sold'"),
        ("orders/stock_agrees", "UPDATE inventory.reservations SET state = 'released', expires_at = NULL WHERE state = 'held'"),
        ("orders/paid_has_payment", "DELETE FROM payments.payments WHERE state = 'succeeded'"),
        ("orders/paid_has_payment", "UPDATE payments.payments SET amount = amount - 1, captured = captured - 1 WHERE state = 'succeeded'"),
        ("orders/sale_posted", "UPDATE orders.order_lines SET commission = 1, commission_rule = gen_random_uuid()"),
        ("orders/sale_posted", "UPDATE orders.orders SET state = 'rejected', paid_at = NULL WHERE state = 'paid'"),
        (
            "orders/sale_posted",
            "ALTER TABLE payments.ledger_transactions DISABLE TRIGGER USER;
             UPDATE payments.ledger_transactions SET reference = gen_random_uuid() WHERE kind = 'sale'",
        ),
        ("orders/lines_add_up", "UPDATE orders.orders SET total = total + 1"),
        (
            "orders/line_is_price_times_quantity",
            "UPDATE orders.order_lines SET quantity = quantity + 1",
        ),
        ("orders/has_lines", "UPDATE orders.orders SET total = 0; DELETE FROM orders.order_lines"),
        (
            "orders/not_stuck",
            "UPDATE orders.orders SET hold_expires_at = '2020-01-01' WHERE state = 'awaiting_payment'",
        ),
        (
            "orders/not_stuck",
            "UPDATE orders.orders SET state = 'pending', paid_at = NULL, deadline_at = '2020-01-01' WHERE state = 'paid'",
        ),
        (
            "orders/not_stuck",
            "UPDATE orders.orders SET state = 'pending', paid_at = NULL, deadline_at = '2030-01-01', updated_at = '2020-01-01'
             WHERE state = 'paid'",
        ),
        (
            "orders/one_key_one_order",
            "INSERT INTO orders.idempotency_keys SELECT scope, 'other', fingerprint, order_id, created_at, version
             FROM orders.idempotency_keys LIMIT 1",
        ),
        ("orders/journal_agrees", "UPDATE orders.orders SET state = 'refunded' WHERE state = 'paid'"),
        ("orders/journal_agrees", "UPDATE orders.orders SET version = version + 1"),
        (
            "orders/journal_agrees",
            "ALTER TABLE orders.order_events DISABLE TRIGGER append_only; DELETE FROM orders.order_events WHERE version = 1",
        ),
        (
            "orders/journal_agrees",
            "ALTER TABLE orders.order_events DISABLE TRIGGER append_only; DELETE FROM orders.order_events WHERE version = 2",
        ),
        (
            "orders/journal_agrees",
            "ALTER TABLE orders.order_events DISABLE TRIGGER append_only;
             UPDATE orders.order_events SET state = 'paid' WHERE state = 'rejected'",
        ),
        ("orders/journal_agrees", "UPDATE orders.order_lines SET title = 'Another teapot'"),
        ("orders/journal_agrees", "UPDATE orders.sub_orders SET total = total + 1"),
        ("orders/journal_agrees", "DELETE FROM orders.sub_orders"),
        ("orders/parts_have_order", "UPDATE orders.sub_orders SET order_id = gen_random_uuid()"),
        ("orders/has_its_customer", "UPDATE orders.orders SET customer_id = gen_random_uuid()"),
        ("orders/cart_agrees", "UPDATE orders.carts SET order_id = NULL, completed_at = NULL"),
        (
            "orders/return_lines_add_up",
            "INSERT INTO orders.returns VALUES (gen_random_uuid(), gen_random_uuid(), 'r', NULL, 'GBP', 5, now())",
        ),
        ("payments/provider_agrees", "DELETE FROM payments.sandbox_charges"),
        ("payments/provider_agrees", "UPDATE payments.sandbox_charges SET amount = amount + 1"),
        (
            "payments/charge_has_order",
            "UPDATE orders.orders SET state = 'rejected', paid_at = NULL WHERE state = 'paid'",
        ),
        (
            "platform/events_delivered",
            "INSERT INTO platform.outbox (topic, payload, created_at, attempts) VALUES ('x', '{}', now(), 20)",
        ),
    ] {
        let broken = broken_copy(&test, sql).await;
        assert!(broken.contains(&invariant), "{invariant} was not found after {sql}: {broken:?}");
    }
    test.finish().await;
}

/// Breaks a copy of the database and names the invariants that are found broken in it.
async fn broken_copy(test: &TestApp, sql: &str) -> Vec<&'static str> {
    let copy = test.copy().await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(copy.database.pool()).await.unwrap();
    let app = test.on(&copy.database);
    let violations = souk::verify::violations(&app).await.unwrap();
    copy.drop().await;
    violations.into_iter().map(|violation| violation.invariant).collect()
}
