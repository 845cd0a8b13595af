-- What an order writes in the comparison designs. As in Souk: keys are UUIDs in the order of time, the constraint is
-- the proof that nothing is oversold, and nothing reaches another row by a foreign key while an order is made.
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;

CREATE TABLE bench.stock (
    id         integer PRIMARY KEY,
    available  bigint NOT NULL CHECK (available >= 0)
);

CREATE TABLE bench.orders (
    id         uuid PRIMARY KEY,
    email      text NOT NULL,
    state      text NOT NULL,
    total      bigint NOT NULL,
    placed_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE bench.order_lines (
    order_id    uuid NOT NULL,
    position    integer NOT NULL,
    product     integer NOT NULL,
    quantity    integer NOT NULL,
    unit_price  bigint NOT NULL,
    PRIMARY KEY (order_id, position)
);

CREATE TABLE bench.payments (
    order_id  uuid PRIMARY KEY,
    amount    bigint NOT NULL,
    state     text NOT NULL
);

CREATE TABLE bench.outbox (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic    text NOT NULL,
    payload  jsonb NOT NULL
);

CREATE TABLE bench.idempotency_keys (
    key       text PRIMARY KEY,
    order_id  uuid
);
