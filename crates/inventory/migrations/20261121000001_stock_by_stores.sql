-- Whose it is. NULL until a row from before is first touched: only the catalogue knows.
ALTER TABLE inventory.stock_levels
    ADD COLUMN store_id uuid,
    -- Counts the changes of what is on hand, so that nobody counts on top of a number that has changed.
    ADD COLUMN revision bigint NOT NULL DEFAULT 0;

ALTER TABLE inventory.stock_adjustments
    ADD COLUMN store_id uuid,
    -- What was on hand after it.
    ADD COLUMN on_hand bigint,
    -- Who made it: a user, an API key, or Souk itself.
    ADD COLUMN actor_kind text,
    ADD COLUMN actor_id uuid,
    -- Sent again, it is applied once.
    ADD COLUMN idempotency_key text;
CREATE UNIQUE INDEX stock_adjustments_one_per_key ON inventory.stock_adjustments (store_id, idempotency_key);
CREATE INDEX stock_adjustments_newest ON inventory.stock_adjustments (variant_id, id);
DROP INDEX inventory.stock_adjustments_of_variant;

-- The second wall: a transaction of one store reaches its own rows alone. Reservations span stores and are Souk's own.
ALTER TABLE inventory.stock_levels ENABLE ROW LEVEL SECURITY;
ALTER TABLE inventory.stock_adjustments ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_store ON inventory.stock_levels TO souk_tenant
    USING (store_id = current_setting('souk.tenant', true)::uuid);
CREATE POLICY of_store ON inventory.stock_adjustments TO souk_tenant
    USING (store_id = current_setting('souk.tenant', true)::uuid);
GRANT USAGE ON SCHEMA inventory TO souk_tenant;
GRANT SELECT, INSERT, UPDATE ON inventory.stock_levels TO souk_tenant;
GRANT SELECT, INSERT ON inventory.stock_adjustments TO souk_tenant;
