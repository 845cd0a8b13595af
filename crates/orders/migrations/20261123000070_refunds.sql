-- Money of an order that went back, or is on its way. What of it is the provider's business stands in payments.
ALTER TABLE orders.orders
    ADD COLUMN refunded bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT orders_refunded CHECK (refunded >= 0 AND refunded <= total);
ALTER TABLE orders.sub_orders
    ADD COLUMN refunded bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT sub_orders_refunded CHECK (refunded >= 0 AND refunded <= total);

CREATE TABLE orders.refunds (
    id           uuid PRIMARY KEY,
    order_id     uuid NOT NULL REFERENCES orders.orders,
    -- created: the provider is to be asked. pending: it has taken it on. failed: it could not be given.
    state        text NOT NULL CHECK (state IN ('created', 'pending', 'succeeded', 'failed')),
    amount       bigint NOT NULL CHECK (amount > 0),
    currency     text NOT NULL CHECK (length(currency) = 3),
    reason       text NOT NULL,
    note         text,
    destination  text NOT NULL CHECK (destination IN ('original', 'credit')),
    restock      boolean NOT NULL,
    -- Made at the provider, past Souk.
    external     boolean NOT NULL,
    failure      text,
    -- SHA-256 of the request: the same key with another one is refused.
    fingerprint  bytea NOT NULL,
    -- When it is carried on again, while payments has not taken it on.
    due_at       timestamptz,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX refunds_of_order ON orders.refunds (order_id, created_at);
CREATE INDEX refunds_due ON orders.refunds (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE orders.refund_lines (
    refund_id       uuid NOT NULL REFERENCES orders.refunds,
    -- Of the order's line.
    position        integer NOT NULL,
    store_id        uuid NOT NULL,
    variant_id      uuid NOT NULL,
    -- Units that count as given back; none if only money goes back.
    quantity        integer NOT NULL CHECK (quantity >= 0),
    amount          bigint NOT NULL CHECK (amount >= 0),
    commission      bigint NOT NULL CHECK (commission >= 0),
    commission_tax  bigint NOT NULL CHECK (commission_tax >= 0),
    PRIMARY KEY (refund_id, position)
);
