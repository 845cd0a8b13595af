-- The switch: which products have a waiting room, and how it lets buyers in.
CREATE TABLE waiting_room.rooms (
    product_id             uuid PRIMARY KEY,
    store_id               uuid NOT NULL,
    -- The line that stands before it now. A room that is removed and made anew has another one.
    line_id                uuid NOT NULL UNIQUE,
    enabled                boolean NOT NULL,
    admissions_per_second  integer NOT NULL CHECK (admissions_per_second BETWEEN 1 AND 10000),
    window_seconds         integer NOT NULL CHECK (window_seconds BETWEEN 30 AND 86400),
    -- Leading zero bits of the hash that a guest has to find.
    challenge_difficulty   integer NOT NULL CHECK (challenge_difficulty BETWEEN 8 AND 26),
    opens_at               timestamptz,
    created_at             timestamptz NOT NULL,
    updated_at             timestamptz NOT NULL
);

-- The second wall: a transaction of one store reaches its own rows alone. Lines and places are Souk's own.
ALTER TABLE waiting_room.rooms ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_store ON waiting_room.rooms TO souk_tenant
    USING (store_id = current_setting('souk.tenant', true)::uuid);
GRANT USAGE ON SCHEMA waiting_room TO souk_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON waiting_room.rooms TO souk_tenant;

-- How far a line has come. Its row's lock orders all joins and admissions.
CREATE TABLE waiting_room.lines (
    id          uuid PRIMARY KEY,
    -- The last number that was given out, the last that was let in, and the last whose time is known to be over.
    issued      bigint NOT NULL DEFAULT 0,
    admitted    bigint NOT NULL DEFAULT 0,
    lapsed      bigint NOT NULL DEFAULT 0,
    -- Millionths of an admission that are left to be given, counted up to this moment.
    credit      bigint NOT NULL CHECK (credit >= 0),
    counted_at  timestamptz NOT NULL,
    CONSTRAINT in_turn CHECK (0 <= lapsed AND lapsed <= admitted AND admitted <= issued)
);

-- When numbers were let in: all after the wave before, up to this one. Kept while their windows are open.
CREATE TABLE waiting_room.waves (
    line_id  uuid NOT NULL REFERENCES waiting_room.lines ON DELETE CASCADE,
    up_to    bigint NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (line_id, up_to)
);

-- One place per buyer, one buyer per number. No foreign key: a line that is over goes first, its places in portions.
CREATE TABLE waiting_room.places (
    line_id    uuid NOT NULL,
    -- 'u' and the account's id, or 'g' and the hash of the token of a guest's cart.
    buyer      bytea NOT NULL,
    number     bigint NOT NULL CHECK (number > 0),
    -- Names the challenge that a guest solved for it; it is good once.
    challenge  bytea,
    joined_at  timestamptz NOT NULL,
    PRIMARY KEY (line_id, buyer),
    CONSTRAINT one_buyer_per_number UNIQUE (line_id, number)
);
