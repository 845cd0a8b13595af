-- Payouts: money that goes to stores, and what is kept back of it. Amounts are in minor units.

-- What a store has said, or operators for it. A store without a row goes by the marketplace's own settings, as does what is
-- null. There is no version 1 in here: that is what a store without a row has.
CREATE TABLE payments.payout_settings (
    store_id              uuid PRIMARY KEY,
    version               bigint NOT NULL CHECK (version > 1),
    schedule              text CHECK (schedule IN ('manual', 'daily', 'weekly', 'monthly')),
    -- Of a week: from 1, Monday, to 7. Of a month: from 1 to 28.
    schedule_day          smallint,
    -- Amounts by currency; below them nothing is sent.
    minimum               jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(minimum) = 'object'),
    hold_days             smallint CHECK (hold_days BETWEEN 0 AND 365),
    reserve_basis_points  smallint CHECK (reserve_basis_points BETWEEN 0 AND 10000),
    reserve_days          smallint CHECK (reserve_days BETWEEN 1 AND 730),
    -- Why operators hold its payouts; null if they do not.
    paused                text,
    updated_at            timestamptz NOT NULL,
    CHECK (CASE schedule WHEN 'weekly' THEN schedule_day BETWEEN 1 AND 7 WHEN 'monthly' THEN schedule_day BETWEEN 1 AND 28
           ELSE schedule_day IS NULL END)
);
ALTER TABLE payments.payout_settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_store ON payments.payout_settings TO souk_tenant
    USING (store_id = current_setting('souk.tenant', true)::uuid);
GRANT USAGE ON SCHEMA payments TO souk_tenant;
GRANT SELECT, INSERT, UPDATE ON payments.payout_settings TO souk_tenant;

-- Where a store's money is sent.
CREATE TABLE payments.payout_accounts (
    store_id        uuid NOT NULL,
    provider        text NOT NULL,
    -- The provider's name for it.
    reference       text NOT NULL,
    state           text NOT NULL CHECK (state IN ('onboarding', 'active', 'restricted')),
    onboarding_url  text,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (store_id, provider),
    UNIQUE (provider, reference)
);

-- When a store's money was last gone through. Whoever makes payouts of a store locks its row, so that its money is counted
-- by one at a time.
CREATE TABLE payments.payout_turns (
    store_id  uuid PRIMARY KEY,
    turn_at   timestamptz NOT NULL
);

CREATE TABLE payments.payouts (
    id                  uuid PRIMARY KEY,
    store_id            uuid NOT NULL,
    provider            text NOT NULL,
    account             text NOT NULL,
    amount              bigint NOT NULL CHECK (amount > 0),
    currency            text NOT NULL CHECK (length(currency) = 3),
    -- created: the money is set aside. sent: it has left the provider. paid: it arrived. failed, returned, cancelled: the
    -- store's money is where it was.
    state               text NOT NULL CHECK (state IN ('created', 'sent', 'paid', 'failed', 'returned', 'cancelled')),
    -- Made by its schedule, or by somebody.
    origin              text NOT NULL CHECK (origin IN ('schedule', 'manual')),
    -- Which try it is, and of which payout.
    attempt             integer NOT NULL CHECK (attempt > 0),
    retry_of            uuid UNIQUE REFERENCES payments.payouts,
    provider_reference  text,
    failure             text,
    -- What an operator said who made, ended or marked it.
    note                text,
    arrives_at          timestamptz,
    -- When the provider was first asked: from then on it may have it.
    asked_at            timestamptz,
    asks                integer NOT NULL DEFAULT 0,
    -- When the provider is to be asked: to send the money, or, of what failed on its way, to take it back from the account.
    due_at              timestamptz,
    created_at          timestamptz NOT NULL,
    sent_at             timestamptz,
    ended_at            timestamptz,
    CHECK ((state IN ('failed', 'returned')) = (failure IS NOT NULL)),
    CHECK ((state IN ('created', 'sent')) = (ended_at IS NULL)),
    CHECK (due_at IS NULL OR state IN ('created', 'failed', 'returned'))
);
CREATE INDEX payouts_of_store ON payments.payouts (store_id, created_at, id);
CREATE INDEX payouts_due ON payments.payouts (due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX payouts_by_reference ON payments.payouts (provider, provider_reference)
    WHERE provider_reference IS NOT NULL;

-- The ledger entries that a payout is made of: what it owes to the store, positive.
CREATE TABLE payments.payout_items (
    payout_id  uuid NOT NULL REFERENCES payments.payouts,
    seq        bigint NOT NULL,
    line       smallint NOT NULL,
    amount     bigint NOT NULL CHECK (amount <> 0),
    -- Whether its payout is alive: created, sent or paid.
    live       boolean NOT NULL DEFAULT true,
    PRIMARY KEY (payout_id, seq, line)
);
-- No entry is paid twice.
CREATE UNIQUE INDEX payout_items_once ON payments.payout_items (seq, line) WHERE live;

-- What is kept back of a store's sales for a while.
CREATE TABLE payments.reserves (
    order_id     uuid NOT NULL,
    store_id     uuid NOT NULL,
    payment_id   uuid NOT NULL,
    amount       bigint NOT NULL CHECK (amount > 0),
    currency     text NOT NULL CHECK (length(currency) = 3),
    kept_at      timestamptz NOT NULL,
    release_at   timestamptz NOT NULL,
    released_at  timestamptz,
    PRIMARY KEY (order_id, store_id)
);
CREATE INDEX reserves_due ON payments.reserves (release_at) WHERE released_at IS NULL;

-- What people gave and took by hand.
CREATE TABLE payments.adjustments (
    id               uuid PRIMARY KEY,
    store_id         uuid,
    buyer_id         uuid,
    -- More (positive) or less of what the store is owed, or the buyer may spend.
    amount           bigint NOT NULL CHECK (amount <> 0),
    currency         text NOT NULL CHECK (length(currency) = 3),
    reason           text NOT NULL,
    actor_kind       text NOT NULL,
    actor_id         uuid,
    idempotency_key  text NOT NULL,
    created_at       timestamptz NOT NULL,
    CHECK ((store_id IS NULL) <> (buyer_id IS NULL)),
    UNIQUE NULLS NOT DISTINCT (idempotency_key, actor_kind, actor_id)
);
CREATE INDEX adjustments_of_store ON payments.adjustments (store_id, created_at) WHERE store_id IS NOT NULL;
