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

-- What became of a request to reserve. A refusal is kept too: whoever asks again gets the same answer.
CREATE TABLE inventory.reservations (
    id          uuid PRIMARY KEY,
    state       text NOT NULL CHECK (state IN ('held', 'sold', 'released', 'refused')),
    -- Why it was refused.
    shortages   jsonb,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CHECK ((state = 'refused') = (shortages IS NOT NULL))
);
CREATE INDEX reservations_held ON inventory.reservations (id) WHERE state = 'held';

CREATE TABLE inventory.reservation_lines (
    reservation_id  uuid NOT NULL REFERENCES inventory.reservations,
    variant_id      uuid NOT NULL REFERENCES inventory.stock_levels,
    quantity        integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (reservation_id, variant_id)
);
CREATE INDEX reservation_lines_of_variant ON inventory.reservation_lines (variant_id);
