CREATE TABLE orders.carts (
    id                 uuid PRIMARY KEY,
    token_hash         bytea NOT NULL UNIQUE,
    currency           text CHECK (currency ~ '^[A-Z]{3}$'),
    -- Counts the changes; a checkout is of the version it saw.
    version            bigint NOT NULL DEFAULT 0,
    -- The order that is being made of it, or was.
    order_id           uuid,
    completed_at       timestamptz,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL
);
CREATE INDEX carts_expiry ON orders.carts (expires_at);

CREATE TABLE orders.cart_lines (
    id          uuid PRIMARY KEY,
    cart_id     uuid NOT NULL REFERENCES orders.carts ON DELETE CASCADE,
    variant_id  uuid NOT NULL,
    title       text NOT NULL,
    quantity    integer NOT NULL CHECK (quantity > 0),
    -- What the buyer was shown.
    unit_price  bigint NOT NULL CHECK (unit_price >= 0),
    added_at    timestamptz NOT NULL,
    UNIQUE (cart_id, variant_id)
);

-- People whom a store knows from the system it moved in from.
CREATE TABLE orders.customers (
    id            uuid PRIMARY KEY,
    store_id      uuid NOT NULL,
    external_ref  text NOT NULL,
    country       text,
    UNIQUE (store_id, external_ref)
);

CREATE SEQUENCE orders.order_number START 100001;

CREATE TABLE orders.orders (
    id                uuid PRIMARY KEY,
    number            text NOT NULL,
    source            text NOT NULL CHECK (source IN ('checkout', 'import')),
    state             text NOT NULL CHECK (state IN ('pending', 'awaiting_payment', 'paid', 'rejected', 'expired', 'completed')),
    currency          text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total             bigint NOT NULL CHECK (total >= 0),
    placed_at         timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,

    -- Made by checkout:
    cart_id           uuid,
    token_hash        bytea,
    email             text,
    shipping_address  jsonb,
    billing_address   jsonb,
    -- The means of payment of the attempt that runs; gone when it has ended.
    payment_token     text,
    payment_attempt   integer NOT NULL DEFAULT 0,
    -- The payment of the last attempt.
    payment_id        uuid UNIQUE,
    -- Why it was rejected, or why the last attempt to pay failed.
    failure           jsonb,
    -- The recovery job takes a pending order after this moment.
    deadline_at       timestamptz,
    -- An order that awaits payment holds its stock until this moment.
    hold_expires_at   timestamptz,
    paid_at           timestamptz,

    -- Made by an import:
    store_id          uuid,
    external_ref      text,
    customer_id       uuid REFERENCES orders.customers,

    UNIQUE (store_id, external_ref),
    CHECK ((source = 'import') = (store_id IS NOT NULL AND external_ref IS NOT NULL)),
    CHECK ((source = 'checkout') = (cart_id IS NOT NULL AND email IS NOT NULL)),
    CHECK ((state = 'pending') = (deadline_at IS NOT NULL)),
    CHECK ((state = 'awaiting_payment') <= (hold_expires_at IS NOT NULL))
);
CREATE INDEX orders_to_recover ON orders.orders (deadline_at) WHERE state = 'pending';
CREATE INDEX orders_to_expire ON orders.orders (hold_expires_at) WHERE state = 'awaiting_payment';
CREATE UNIQUE INDEX orders_one_live_per_cart ON orders.orders (cart_id)
    WHERE state NOT IN ('rejected', 'expired');

CREATE TABLE orders.order_lines (
    order_id       uuid NOT NULL REFERENCES orders.orders,
    -- Place in the order, from 1: in the cart's order, or in that of the imported file.
    position       integer NOT NULL,
    store_id       uuid NOT NULL,
    product_id     uuid NOT NULL,
    variant_id     uuid NOT NULL,
    sku            text,
    title          text NOT NULL,
    variant_title  text,
    quantity       integer NOT NULL CHECK (quantity > 0),
    unit_price     bigint NOT NULL CHECK (unit_price >= 0),
    total          bigint NOT NULL CHECK (total >= 0),
    -- Of an import: which of the order's lines that are alike this one is, from 1.
    occurrence     integer CHECK (occurrence > 0),
    PRIMARY KEY (order_id, position)
);
-- An import knows its own lines again by it, wherever they stand in the file.
CREATE UNIQUE INDEX order_lines_imported_once
    ON orders.order_lines (order_id, sku, quantity, unit_price, total, occurrence) WHERE occurrence IS NOT NULL;

-- Goods that came back. Those of an import name the invoice they came on, not the order they undo.
CREATE TABLE orders.returns (
    id            uuid PRIMARY KEY,
    store_id      uuid NOT NULL,
    external_ref  text NOT NULL,
    customer_id   uuid REFERENCES orders.customers,
    currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total         bigint NOT NULL CHECK (total >= 0),
    returned_at   timestamptz NOT NULL,
    UNIQUE (store_id, external_ref)
);

CREATE TABLE orders.return_lines (
    return_id   uuid NOT NULL REFERENCES orders.returns,
    position    integer NOT NULL,
    variant_id  uuid NOT NULL,
    sku         text,
    title       text NOT NULL,
    quantity    integer NOT NULL CHECK (quantity > 0),
    unit_price  bigint NOT NULL CHECK (unit_price >= 0),
    total       bigint NOT NULL CHECK (total >= 0),
    -- As of order_lines.
    occurrence  integer CHECK (occurrence > 0),
    PRIMARY KEY (return_id, position)
);
CREATE UNIQUE INDEX return_lines_imported_once
    ON orders.return_lines (return_id, sku, quantity, unit_price, total, occurrence) WHERE occurrence IS NOT NULL;

-- Idempotency-Key: claimed by INSERT in the transaction that begins the work.
CREATE TABLE orders.idempotency_keys (
    -- Whose key it is: the cart or the order it was sent for.
    scope        uuid NOT NULL,
    key          text NOT NULL,
    -- SHA-256 of the operation and its input.
    fingerprint  bytea NOT NULL,
    order_id     uuid,
    -- The answer, once there is one.
    outcome      jsonb,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_age ON orders.idempotency_keys (created_at);
CREATE INDEX idempotency_keys_of_order ON orders.idempotency_keys (order_id) WHERE outcome IS NULL;
