-- The sandbox provider, a payment company of its own: nothing of Souk but its adapter touches these tables, and it commits
-- apart from Souk's own state. A charge that was answered at once is a row of sandbox_charges and no more.

-- What was not answered at once: hosted pages, challenges, payments under way, authorizations, and charges that leave
-- something to be done later.
CREATE TABLE payments.sandbox_intents (
    idempotency_key  text PRIMARY KEY REFERENCES payments.sandbox_charges,
    state            text NOT NULL
        CHECK (state IN ('requires_action', 'processing', 'authorized', 'succeeded', 'declined', 'voided')),
    decline_code     text,
    order_id         uuid,
    -- Whoever knows it may pay: it stands in the address of the page.
    session          text NOT NULL UNIQUE,
    -- Whether the buyer gives their card on the sandbox's own page.
    hosted           boolean NOT NULL,
    -- Whether a challenge waits for the buyer.
    challenged       boolean NOT NULL DEFAULT false,
    description      text NOT NULL DEFAULT '',
    return_url       text,
    cancel_url       text,
    expires_at       timestamptz,
    kept_as          text,
    exp_month        smallint NOT NULL,
    exp_year         smallint NOT NULL,
    -- Minor units that were taken: less than the amount if less was captured.
    captured         bigint NOT NULL DEFAULT 0 CHECK (captured >= 0),
    settled_at       timestamptz,
    CHECK ((state = 'declined') = (decline_code IS NOT NULL)),
    CHECK ((state = 'succeeded') = (settled_at IS NOT NULL))
);

-- All charges alike.
CREATE VIEW payments.sandbox_payments AS
SELECT c.idempotency_key, c.reference, c.amount, c.currency, c.token, c.created_at, i.order_id, i.session, i.kept_as, i.exp_month, i.exp_year,
       coalesce(i.state, CASE WHEN c.decline_code IS NULL THEN 'succeeded' ELSE 'declined' END) AS state,
       coalesce(i.decline_code, c.decline_code) AS decline_code,
       coalesce(i.challenged, false) AS challenged,
       coalesce(i.captured, CASE WHEN c.decline_code IS NULL THEN c.amount ELSE 0 END) AS captured,
       coalesce(i.settled_at, c.created_at) AS settled_at
FROM payments.sandbox_charges c LEFT JOIN payments.sandbox_intents i USING (idempotency_key);

-- Means of payment that are kept for a buyer's next purchase: the token that they were, never a number.
CREATE TABLE payments.sandbox_methods (
    reference   text PRIMARY KEY,
    token       text NOT NULL,
    exp_month   smallint NOT NULL,
    exp_year    smallint NOT NULL,
    created_at  timestamptz NOT NULL
);

-- How often a charge was asked for while the sandbox pretended to be gone.
CREATE TABLE payments.sandbox_outages (
    idempotency_key  text PRIMARY KEY,
    attempts         integer NOT NULL
);

CREATE TABLE payments.sandbox_refunds (
    -- Ours; one that was made at the sandbox has another.
    idempotency_key  text PRIMARY KEY,
    reference        text NOT NULL UNIQUE,
    charge_key       text NOT NULL REFERENCES payments.sandbox_charges,
    amount           bigint NOT NULL CHECK (amount > 0),
    status           text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    reason           text,
    created_at       timestamptz NOT NULL
);
CREATE INDEX ON payments.sandbox_refunds (charge_key);

CREATE TABLE payments.sandbox_disputes (
    reference   text PRIMARY KEY,
    charge_key  text NOT NULL REFERENCES payments.sandbox_charges,
    amount      bigint NOT NULL CHECK (amount > 0),
    fee         bigint NOT NULL CHECK (fee >= 0),
    reason      text NOT NULL,
    -- Null while it is not decided.
    won         boolean,
    answer_by   timestamptz NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX ON payments.sandbox_disputes (charge_key);

CREATE TABLE payments.sandbox_accounts (
    reference   text PRIMARY KEY,
    store_id    uuid NOT NULL UNIQUE,
    state       text NOT NULL CHECK (state IN ('onboarding', 'active', 'restricted')),
    return_url  text NOT NULL,
    created_at  timestamptz NOT NULL
);

CREATE TABLE payments.sandbox_payouts (
    idempotency_key  text PRIMARY KEY,
    reference        text NOT NULL UNIQUE,
    payout_id        uuid NOT NULL,
    account          text NOT NULL REFERENCES payments.sandbox_accounts,
    amount           bigint NOT NULL CHECK (amount > 0),
    currency         text NOT NULL,
    status           text NOT NULL CHECK (status IN ('sent', 'paid', 'failed', 'returned')),
    reason           text,
    arrives_at       timestamptz NOT NULL,
    created_at       timestamptz NOT NULL
);
CREATE INDEX ON payments.sandbox_payouts (payout_id);

-- What moved the balance. A line gets its number when somebody reads the books, in the order of time, and keeps it: so
-- whoever reads on after a line misses none. Those of charges are written then, too.
CREATE TABLE payments.sandbox_lines (
    reference  text PRIMARY KEY,
    line       bigint UNIQUE,
    kind       text NOT NULL
        CHECK (kind IN ('charge', 'refund', 'refund_failed', 'dispute', 'dispute_reversed', 'payout', 'payout_failed')),
    source     text NOT NULL,
    ours       uuid,
    amount     bigint NOT NULL,
    currency   text NOT NULL,
    fee        bigint NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX ON payments.sandbox_lines (reference) WHERE line IS NULL;

-- What the sandbox does later.
CREATE TABLE payments.sandbox_tasks (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    due_at   timestamptz NOT NULL,
    kind     text NOT NULL,
    subject  text NOT NULL
);
CREATE INDEX ON payments.sandbox_tasks (due_at);

-- What the sandbox tells Souk, by its webhook.
CREATE TABLE payments.sandbox_events (
    id            text PRIMARY KEY,
    seq           bigint GENERATED ALWAYS AS IDENTITY,
    kind          text NOT NULL,
    body          text NOT NULL,
    created_at    timestamptz NOT NULL,
    -- When it is sent next; null once it was, or if it is lost.
    due_at        timestamptz,
    attempts      integer NOT NULL DEFAULT 0,
    -- How often it has still to arrive.
    copies        integer NOT NULL CHECK (copies >= 0),
    delivered_at  timestamptz,
    last_error    text
);
CREATE INDEX ON payments.sandbox_events (due_at) WHERE due_at IS NOT NULL;

-- What was asked of the sandbox for the sake of a test: one row.
CREATE TABLE payments.sandbox_settings (
    id                 boolean PRIMARY KEY DEFAULT true CHECK (id),
    clock_offset       bigint NOT NULL DEFAULT 0 CHECK (clock_offset >= 0),
    delay              bigint NOT NULL DEFAULT 0 CHECK (delay >= 0),
    copies             integer NOT NULL DEFAULT 1 CHECK (copies BETWEEN 1 AND 100),
    shuffle            boolean NOT NULL DEFAULT false,
    lose               integer NOT NULL DEFAULT 0 CHECK (lose >= 0),
    tell_charges       boolean NOT NULL DEFAULT false,
    outage             boolean NOT NULL DEFAULT false,
    fail_refunds       integer NOT NULL DEFAULT 0 CHECK (fail_refunds >= 0),
    fail_payouts       integer NOT NULL DEFAULT 0 CHECK (fail_payouts >= 0),
    activate_accounts  boolean NOT NULL DEFAULT false
);
INSERT INTO payments.sandbox_settings DEFAULT VALUES;
