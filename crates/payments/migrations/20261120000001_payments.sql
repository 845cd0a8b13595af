CREATE TABLE payments.payments (
    id                  uuid PRIMARY KEY,
    provider            text NOT NULL,
    amount              bigint NOT NULL CHECK (amount >= 0),
    currency            text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    state               text NOT NULL CHECK (state IN ('created', 'succeeded', 'declined')),
    provider_reference  text,
    decline_code        text,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    CHECK ((state = 'declined') = (decline_code IS NOT NULL)),
    UNIQUE (provider, provider_reference)
);

-- The books of the sandbox provider. It stands for a company of its own: nothing of Souk but its
-- adapter reads this table, and it commits apart from Souk's own state.
CREATE TABLE payments.sandbox_charges (
    idempotency_key  text PRIMARY KEY,
    reference        text NOT NULL UNIQUE,
    amount           bigint NOT NULL,
    currency         text NOT NULL,
    token            text NOT NULL,
    decline_code     text,
    created_at       timestamptz NOT NULL
);
