-- A payment's whole life, hosted pages, refunds and disputes.
ALTER TABLE payments.payments
    DROP CONSTRAINT payments_state_check,
    ADD CONSTRAINT payments_state CHECK (state IN (
        'created', 'requires_action', 'processing', 'authorized', 'succeeded', 'declined', 'voided')),
    -- By a token, or on the provider's own page.
    ADD COLUMN method text NOT NULL DEFAULT 'token' CHECK (method IN ('token', 'page')),
    -- Where the buyer has something to do, and until when.
    ADD COLUMN action_url text,
    ADD COLUMN expires_at timestamptz,
    -- What the provider keeps, once that is known.
    ADD COLUMN fee bigint CHECK (fee >= 0),
    ADD COLUMN captured bigint NOT NULL DEFAULT 0,
    -- What was given back, or is on its way: never more than was taken, also when many ask at the same time.
    ADD COLUMN refunded bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT payments_refunded CHECK (refunded >= 0 AND refunded <= captured),
    ADD CONSTRAINT payments_captured CHECK (captured >= 0 AND captured <= amount
        AND (captured = 0 OR state = 'succeeded'));
UPDATE payments.payments SET captured = amount WHERE state = 'succeeded';
-- What an order still can be paid by: none of those that are charged at once.
CREATE INDEX payments_open ON payments.payments (order_id)
    WHERE state IN ('created', 'requires_action', 'processing', 'authorized');
-- What the provider kept of them is still to be asked.
CREATE INDEX payments_fee_unknown ON payments.payments (updated_at) WHERE state = 'succeeded' AND fee IS NULL;
-- What is under way at the provider: asked about if nothing is heard of it.
CREATE INDEX payments_under_way ON payments.payments (updated_at)
    WHERE state IN ('created', 'requires_action', 'processing', 'authorized');

CREATE TABLE payments.refunds (
    id                  uuid PRIMARY KEY,
    payment_id          uuid NOT NULL REFERENCES payments.payments,
    order_id            uuid,
    amount              bigint NOT NULL CHECK (amount > 0),
    currency            text NOT NULL CHECK (length(currency) = 3),
    -- created: the provider is to be asked. pending: it has taken it on. failed: it could not be given.
    state               text NOT NULL CHECK (state IN ('created', 'pending', 'succeeded', 'failed')),
    -- To the means of payment it came from, or to the buyer's credit.
    destination         text NOT NULL CHECK (destination IN ('original', 'credit')),
    buyer_id            uuid,
    -- A refund of money that belongs to no order.
    unallocated         boolean NOT NULL,
    -- Souk asked for it, or somebody did at the provider.
    origin              text NOT NULL CHECK (origin IN ('souk', 'provider')),
    provider_reference  text,
    failure             text,
    attempts            integer NOT NULL DEFAULT 0,
    -- When the provider is asked again, while nothing is known.
    due_at              timestamptz,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    CHECK ((destination = 'credit') <= (buyer_id IS NOT NULL)),
    CHECK ((state = 'failed') = (failure IS NOT NULL))
);
CREATE INDEX refunds_of_payment ON payments.refunds (payment_id);
CREATE INDEX refunds_due ON payments.refunds (due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX refunds_by_reference ON payments.refunds (provider_reference) WHERE provider_reference IS NOT NULL;

-- Whose money a refund is of, and the commission that goes back with it.
CREATE TABLE payments.refund_shares (
    refund_id       uuid NOT NULL REFERENCES payments.refunds,
    store_id        uuid NOT NULL,
    amount          bigint NOT NULL CHECK (amount >= 0),
    commission      bigint NOT NULL CHECK (commission >= 0),
    commission_tax  bigint NOT NULL CHECK (commission_tax >= 0),
    PRIMARY KEY (refund_id, store_id)
);

CREATE TABLE payments.disputes (
    id                  uuid PRIMARY KEY,
    payment_id          uuid NOT NULL REFERENCES payments.payments,
    order_id            uuid,
    provider            text NOT NULL,
    provider_reference  text NOT NULL,
    amount              bigint NOT NULL CHECK (amount > 0),
    currency            text NOT NULL CHECK (length(currency) = 3),
    fee                 bigint NOT NULL CHECK (fee >= 0),
    reason              text NOT NULL,
    state               text NOT NULL CHECK (state IN ('open', 'won', 'lost')),
    answer_by           timestamptz,
    opened_at           timestamptz NOT NULL,
    decided_at          timestamptz,
    UNIQUE (provider, provider_reference),
    CHECK ((state = 'open') = (decided_at IS NULL))
);
CREATE INDEX disputes_of_payment ON payments.disputes (payment_id);
CREATE INDEX disputes_open ON payments.disputes (opened_at) WHERE state = 'open';

-- Whose money is held while a payment is disputed.
CREATE TABLE payments.dispute_shares (
    dispute_id      uuid NOT NULL REFERENCES payments.disputes,
    store_id        uuid NOT NULL,
    amount          bigint NOT NULL CHECK (amount >= 0),
    commission      bigint NOT NULL CHECK (commission >= 0),
    commission_tax  bigint NOT NULL CHECK (commission_tax >= 0),
    PRIMARY KEY (dispute_id, store_id)
);
