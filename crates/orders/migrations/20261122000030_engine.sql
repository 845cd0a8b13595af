-- The journal: what happened to each order, one row after the other. All that can be read of an order follows from it.
-- It holds nobody's name or address: those stay in the order's own row, where they can be forgotten.
CREATE TABLE orders.order_events (
    order_id     uuid NOT NULL,
    -- Counts from 1 for each order.
    version      integer NOT NULL CHECK (version > 0),
    kind         text NOT NULL,
    -- Where the order was after it.
    state        text NOT NULL,
    data         jsonb NOT NULL,
    occurred_at  timestamptz NOT NULL,
    PRIMARY KEY (order_id, version)
);

CREATE FUNCTION orders.refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON orders.order_events
    FOR EACH STATEMENT EXECUTE FUNCTION orders.refuse_rewriting();

-- The part of a paid order that one store sees to.
CREATE TABLE orders.sub_orders (
    order_id    uuid NOT NULL,
    store_id    uuid NOT NULL,
    state       text NOT NULL CHECK (state IN ('paid', 'fulfilled', 'completed', 'cancelled', 'refunded')),
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total       bigint NOT NULL CHECK (total >= 0),
    placed_at   timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (order_id, store_id)
);
CREATE INDEX sub_orders_of_store ON orders.sub_orders (store_id, order_id);
ALTER TABLE orders.sub_orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_store ON orders.sub_orders TO souk_tenant
    USING (store_id = current_setting('souk.tenant', true)::uuid);
GRANT USAGE ON SCHEMA orders TO souk_tenant;
GRANT SELECT, UPDATE ON orders.sub_orders TO souk_tenant;

ALTER TABLE orders.orders
    -- The version of its last event.
    ADD COLUMN version integer NOT NULL DEFAULT 0,
    DROP CONSTRAINT orders_state_check,
    ADD CONSTRAINT orders_state CHECK (state IN ('pending', 'awaiting_payment', 'paid', 'rejected', 'expired', 'cancelled',
                                                 'fulfilled', 'completed', 'refunded')),
    -- Each index of a table is paid for by every order. The cart's row decides which order is made of it, payments know
    -- their orders, and only what was imported is looked for by another system's number.
    DROP CONSTRAINT orders_payment_id_key,
    DROP CONSTRAINT orders_store_id_external_ref_key;
DROP INDEX orders.orders_one_live_per_cart;
CREATE UNIQUE INDEX orders_imported_once ON orders.orders (store_id, external_ref) WHERE external_ref IS NOT NULL;

-- A foreign key asks once for each row; they are written in one transaction, and `souk verify` looks for strays.
ALTER TABLE orders.order_lines DROP CONSTRAINT order_lines_order_id_fkey;

-- The answer to a purchase is read from the journal: where the order first came to rest after this version.
DROP INDEX orders.idempotency_keys_of_order;
ALTER TABLE orders.idempotency_keys ADD COLUMN version integer, DROP COLUMN outcome;

-- The journal of what was bought before there was one.
INSERT INTO orders.order_events (order_id, version, kind, state, data, occurred_at)
SELECT o.id, 1, CASE o.source WHEN 'import' THEN 'imported' ELSE 'placed' END,
       CASE o.source WHEN 'import' THEN 'completed' ELSE 'pending' END,
       jsonb_build_object('number', o.number, 'currency', o.currency, 'total', o.total, 'lines', coalesce((
           SELECT jsonb_agg(jsonb_build_object(
               'position', l.position, 'store_id', l.store_id, 'product_id', l.product_id, 'variant_id', l.variant_id,
               'sku', l.sku, 'title', l.title, 'variant_title', l.variant_title, 'quantity', l.quantity,
               'unit_price', l.unit_price, 'total', l.total) ORDER BY l.position)
           FROM orders.order_lines l WHERE l.order_id = o.id), '[]')),
       o.placed_at
FROM orders.orders o;
INSERT INTO orders.order_events (order_id, version, kind, state, data, occurred_at)
SELECT id, 2, state, state, jsonb_strip_nulls(jsonb_build_object(
           'failure', failure, 'hold_expires_at', hold_expires_at, 'payment_id', payment_id)), updated_at
FROM orders.orders WHERE source = 'checkout' AND state <> 'pending';
UPDATE orders.orders SET version = CASE WHEN source = 'checkout' AND state <> 'pending' THEN 2 ELSE 1 END;
UPDATE orders.idempotency_keys SET version = 1 WHERE order_id IS NOT NULL;
INSERT INTO orders.sub_orders (order_id, store_id, state, currency, total, placed_at, updated_at)
SELECT o.id, l.store_id, o.state, o.currency, sum(l.total), o.placed_at, o.updated_at
FROM orders.orders o JOIN orders.order_lines l ON l.order_id = o.id
WHERE o.source = 'checkout' AND o.state = 'paid'
GROUP BY o.id, l.store_id;
-- A cart is done with as soon as it is ordered, and open again if nothing comes of it.
UPDATE orders.carts SET completed_at = updated_at WHERE order_id IS NOT NULL AND completed_at IS NULL;
