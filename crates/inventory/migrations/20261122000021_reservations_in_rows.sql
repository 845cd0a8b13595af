-- A reservation is one row: written once, changed once.
CREATE TABLE inventory.reservations_in_rows (
    id                  uuid PRIMARY KEY,
    state               text NOT NULL CONSTRAINT known_state CHECK (state IN ('held', 'sold', 'released', 'refused')),
    -- The lines, one per variant and location. None where nothing was reserved.
    variant_ids         uuid[] NOT NULL,
    quantities          bigint[] NOT NULL,
    -- Where each line is taken from. NULL: all from `main`.
    locations           text[],
    -- What counts against purchase limits: so many units of these products, for each of these buyers. NULL: nothing.
    limited             uuid[],
    limited_quantities  bigint[],
    buyers              uuid[],
    -- Why it was refused.
    shortages           jsonb,
    excesses            jsonb,
    -- Until when it is held. NULL: until it is settled, or it is settled.
    expires_at          timestamptz,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    CONSTRAINT refused_for_a_reason CHECK ((state = 'refused') = (shortages IS NOT NULL OR excesses IS NOT NULL)),
    CONSTRAINT one_quantity_per_line CHECK (cardinality(variant_ids) = cardinality(quantities)),
    CONSTRAINT only_held_ones_expire CHECK (state = 'held' OR expires_at IS NULL)
) WITH (fillfactor = 85);

INSERT INTO inventory.reservations_in_rows (id, state, variant_ids, quantities, shortages, created_at, updated_at)
SELECT r.id, r.state, coalesce(l.variant_ids, '{}'), coalesce(l.quantities, '{}'), r.shortages, r.created_at, r.updated_at
FROM inventory.reservations r
LEFT JOIN (SELECT reservation_id, array_agg(variant_id ORDER BY variant_id) AS variant_ids,
                  array_agg(quantity::bigint ORDER BY variant_id) AS quantities
           FROM inventory.reservation_lines GROUP BY 1) l ON l.reservation_id = r.id;
DROP TABLE inventory.reservation_lines;
DROP TABLE inventory.reservations;
ALTER TABLE inventory.reservations_in_rows RENAME TO reservations;
ALTER INDEX inventory.reservations_in_rows_pkey RENAME TO reservations_pkey;

-- The only other index. None depends on the state, so that selling what never expires touches no index.
CREATE INDEX reservations_expiring ON inventory.reservations (expires_at) WHERE expires_at IS NOT NULL;

-- Units of limited products that buyers hold or have bought.
CREATE TABLE inventory.takings (
    product_id  uuid NOT NULL,
    -- The name that inventory has for a buyer: a hash.
    buyer       uuid NOT NULL,
    quantity    bigint NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (product_id, buyer)
) WITH (fillfactor = 80);
