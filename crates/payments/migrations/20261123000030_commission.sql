-- What the marketplace takes of sales. Of the rules that fit a line the first decides, by position.
CREATE TABLE payments.commission_rules (
    id               uuid PRIMARY KEY,
    -- The lowest comes first; among the same, the one that was made first.
    position         integer NOT NULL CHECK (position BETWEEN 0 AND 1000000),
    name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- Which lines it fits. NULL: all.
    store_id         uuid,
    -- A product of the category, or of one below it.
    category_id      uuid,
    currency         text CHECK (length(currency) = 3 AND translate(currency, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '') = ''),
    kind             text NOT NULL,
    -- Parts per million of the lines' total.
    rate_ppm         integer CHECK (rate_ppm BETWEEN 0 AND 1000000),
    -- Minor units for each unit sold.
    per_unit         bigint CHECK (per_unit BETWEEN 0 AND 1000000000000),
    -- Minor units, of all lines that the rule fits in one store's part of an order.
    minimum          bigint CHECK (minimum BETWEEN 0 AND 1000000000000),
    maximum          bigint CHECK (maximum BETWEEN 0 AND 1000000000000),
    -- [{"up_to": 100000, "rate_ppm": 100000, "fixed": 0}, {"up_to": null, ...}]: the last has no end.
    brackets         jsonb CHECK (jsonb_typeof(brackets) = 'array' AND jsonb_array_length(brackets) BETWEEN 1 AND 20
                                  AND brackets -> -1 -> 'up_to' = 'null'),
    -- Of the commission, parts per million.
    tax_rate_ppm     integer NOT NULL CHECK (tax_rate_ppm BETWEEN 0 AND 1000000),
    -- It counts from here on and no longer from there on.
    valid_from       timestamptz NOT NULL,
    valid_to         timestamptz CHECK (valid_to > valid_from),
    -- From here on it counts no more, whatever else was planned.
    ended_at         timestamptz CHECK (ended_at >= created_at),
    created_at       timestamptz NOT NULL,
    version          bigint NOT NULL DEFAULT 1,
    -- The client's name for the request that made it, and SHA-256 of what was asked for.
    idempotency_key  text UNIQUE,
    fingerprint      bytea NOT NULL,
    CONSTRAINT of_its_kind CHECK (CASE kind
        WHEN 'percentage' THEN rate_ppm IS NOT NULL AND brackets IS NULL
        WHEN 'fixed' THEN per_unit IS NOT NULL AND num_nonnulls(rate_ppm, minimum, maximum, brackets) = 0
        WHEN 'tiered' THEN brackets IS NOT NULL AND num_nonnulls(rate_ppm, per_unit, minimum, maximum) = 0
        ELSE false END),
    CONSTRAINT amounts_have_a_currency CHECK (currency IS NOT NULL OR num_nonnulls(per_unit, minimum, maximum, brackets) = 0),
    CONSTRAINT minimum_below_maximum CHECK (minimum <= maximum)
);
CREATE INDEX commission_rules_that_count ON payments.commission_rules (position, id) WHERE ended_at IS NULL;

-- Orders carry what was taken. So that it can still be said why, a rule keeps its terms, and stays when it has ended.
CREATE FUNCTION payments.keep_commission_terms() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may_change CONSTANT text[] := '{position,valid_to,ended_at,version}';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.ended_at IS NULL AND to_jsonb(NEW) - may_change = to_jsonb(OLD) - may_change THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a commission rule is ended and another one made' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER keep_terms BEFORE UPDATE OR DELETE ON payments.commission_rules
    FOR EACH ROW EXECUTE FUNCTION payments.keep_commission_terms();
CREATE TRIGGER keep_rules BEFORE TRUNCATE ON payments.commission_rules
    FOR EACH STATEMENT EXECUTE FUNCTION payments.keep_commission_terms();
