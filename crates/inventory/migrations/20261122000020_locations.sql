-- Where a store keeps its stock. Every store has `main`, whether or not a row says so.
CREATE TABLE inventory.locations (
    store_id    uuid NOT NULL,
    code        text NOT NULL CHECK (code ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(code) <= 50),
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- ISO 3166-1 alpha-2. Orders to this country are served from here first.
    country     text CHECK (country ~ '^[A-Z]{2}$'),
    -- The first come first.
    position    integer NOT NULL,
    -- One that is not is not routed to, and what is there is not for sale.
    active      boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (store_id, code)
);
ALTER TABLE inventory.locations ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_store ON inventory.locations TO souk_tenant
    USING (store_id = current_setting('souk.tenant', true)::uuid);
GRANT SELECT, INSERT, UPDATE ON inventory.locations TO souk_tenant;

-- Hot rows carry no foreign keys: each would cost a trigger per row. `souk verify` checks instead.
ALTER TABLE inventory.stock_adjustments DROP CONSTRAINT stock_adjustments_variant_id_fkey;
ALTER TABLE inventory.reservation_lines DROP CONSTRAINT reservation_lines_variant_id_fkey;

ALTER TABLE inventory.stock_levels
    ADD COLUMN location text NOT NULL DEFAULT 'main',
    -- What the location's row says, so that selling reads one table.
    ADD COLUMN active boolean NOT NULL DEFAULT true,
    -- On the row of `main`: how many locations have a row of this variant. Every variant has a row of `main`, and
    -- whoever changes any of its rows has locked that one first.
    ADD COLUMN places smallint NOT NULL DEFAULT 1,
    DROP CONSTRAINT stock_levels_pkey,
    ADD PRIMARY KEY (variant_id, location);
-- Room on each page for the next versions of its rows: no index is touched when stock changes.
ALTER TABLE inventory.stock_levels SET (fillfactor = 50);

ALTER TABLE inventory.stock_adjustments ADD COLUMN location text NOT NULL DEFAULT 'main';
