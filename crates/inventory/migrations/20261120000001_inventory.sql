CREATE TABLE inventory.stock_levels (
    variant_id  uuid PRIMARY KEY,
    on_hand     bigint NOT NULL CHECK (on_hand >= 0),
    reserved    bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    -- Counts the changes between "there is some" and "there is none"; events carry it, so that a
    -- late one does not undo a newer one.
    version     bigint NOT NULL DEFAULT 0,
    CONSTRAINT never_oversold CHECK (reserved <= on_hand)
);

-- Why the number on hand changed for another reason than a sale.
CREATE TABLE inventory.stock_adjustments (
    id          uuid PRIMARY KEY,
    variant_id  uuid NOT NULL REFERENCES inventory.stock_levels,
    quantity    bigint NOT NULL CHECK (quantity <> 0),
    reason      text NOT NULL CHECK (reason IN ('opening', 'received', 'counted', 'damaged', 'lost', 'returned')),
    note        text,
    created_at  timestamptz NOT NULL
);
CREATE INDEX stock_adjustments_of_variant ON inventory.stock_adjustments (variant_id);
CREATE UNIQUE INDEX stock_adjustments_one_opening ON inventory.stock_adjustments (variant_id) WHERE reason = 'opening';

CREATE TABLE inventory.reservations (
    reservation_id  uuid NOT NULL,
    variant_id      uuid NOT NULL REFERENCES inventory.stock_levels,
    quantity        integer NOT NULL CHECK (quantity > 0),
    state           text NOT NULL CHECK (state IN ('held', 'sold', 'released')),
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (reservation_id, variant_id)
);
CREATE INDEX reservations_of_variant ON inventory.reservations (variant_id);
