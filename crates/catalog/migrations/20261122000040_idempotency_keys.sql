-- Idempotency-Key of a store's team: claimed by INSERT in the transaction that does the work.
CREATE TABLE catalog.idempotency_keys (
    store_id     uuid NOT NULL,
    key          text NOT NULL,
    -- SHA-256 of the operation and its input.
    fingerprint  bytea NOT NULL,
    -- What the work came to; written by the transaction that made the claim, so that nobody else sees it without.
    answer       jsonb,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (store_id, key)
);
CREATE INDEX idempotency_keys_age ON catalog.idempotency_keys (created_at);

ALTER TABLE catalog.idempotency_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_store ON catalog.idempotency_keys TO souk_tenant
    USING (store_id = current_setting('souk.tenant', true)::uuid);
GRANT SELECT, INSERT, UPDATE ON catalog.idempotency_keys TO souk_tenant;
