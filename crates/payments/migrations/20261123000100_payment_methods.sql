-- Means of payment that buyers keep for their next purchase. What they are made of has the provider alone.
CREATE TABLE payments.payment_methods (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL,
    provider    text NOT NULL,
    -- The provider's name for it.
    reference   text NOT NULL,
    brand       text NOT NULL,
    last4       text NOT NULL CHECK (last4 ~ '^[0-9]{0,4}$'),
    exp_month   smallint CHECK (exp_month BETWEEN 1 AND 12),
    exp_year    smallint CHECK (exp_year > 0),
    created_at  timestamptz NOT NULL,
    -- When its owner removed it.
    removed_at  timestamptz,
    -- When the provider is to be asked (again) to forget it.
    forget_at   timestamptz,
    CHECK (forget_at IS NULL OR removed_at IS NOT NULL),
    CHECK ((exp_month IS NULL) = (exp_year IS NULL)),
    UNIQUE (provider, reference)
);
CREATE INDEX payment_methods_of_user ON payments.payment_methods (user_id, id) WHERE removed_at IS NULL;
CREATE INDEX payment_methods_to_forget ON payments.payment_methods (forget_at) WHERE forget_at IS NOT NULL;
CREATE INDEX payment_methods_removed ON payments.payment_methods (removed_at) WHERE removed_at IS NOT NULL;

-- For whom the means of payment is kept if the payment succeeds; none once that is done.
ALTER TABLE payments.payments ADD COLUMN keep_for uuid;
CREATE INDEX payments_keep_for ON payments.payments (keep_for) WHERE keep_for IS NOT NULL;

-- What the provider did not tell of them yet is still to be asked: its fee, or its name for what is to be kept.
DROP INDEX payments.payments_fee_unknown;
CREATE INDEX payments_untold ON payments.payments (updated_at)
    WHERE state = 'succeeded' AND (fee IS NULL OR keep_for IS NOT NULL);
