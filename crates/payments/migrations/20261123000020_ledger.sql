-- The double-entry ledger. Amounts are in minor units of the account's currency, debit positive, credit negative.

CREATE FUNCTION payments.refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TABLE payments.ledger_accounts (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind      text NOT NULL CHECK (kind IN (
                  'provider', 'provider_disputes', 'bank', 'payout_transit', 'store_payable', 'store_reserve',
                  'store_dispute_hold', 'buyer_credit', 'commission', 'commission_tax', 'processing_fees',
                  'unallocated', 'adjustments')),
    -- Whose it is: a provider's name, a store's id, a buyer's id. Empty: the marketplace's own.
    owner     text NOT NULL,
    currency  text NOT NULL CHECK (length(currency) = 3),
    -- The sum of its entries, and their number: kept by whoever writes them, proved by `souk ledger verify`.
    balance   bigint NOT NULL DEFAULT 0,
    entries   bigint NOT NULL DEFAULT 0,
    UNIQUE (kind, owner, currency)
) WITH (fillfactor = 50);
CREATE TRIGGER named_for_ever BEFORE UPDATE OF id, kind, owner, currency ON payments.ledger_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION payments.refuse_rewriting();
CREATE TRIGGER there_for_ever BEFORE DELETE OR TRUNCATE ON payments.ledger_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION payments.refuse_rewriting();

-- One business event each.
CREATE TABLE payments.ledger_transactions (
    -- Counts without a gap.
    seq          bigint PRIMARY KEY CHECK (seq > 0),
    kind         text NOT NULL,
    -- What it is of: an order, a payment, a refund, a dispute, a payout, an adjustment. Each has one transaction of a kind.
    reference    uuid NOT NULL,
    -- The payment it has to do with, if it is one.
    payment_id   uuid,
    currency     text NOT NULL CHECK (length(currency) = 3),
    memo         text,
    occurred_at  timestamptz NOT NULL,
    posted_at    timestamptz NOT NULL,
    -- SHA-256 over the hash before it, this row and its entries.
    hash         bytea NOT NULL CHECK (length(hash) = 32),
    UNIQUE (reference, kind)
);
CREATE INDEX ledger_transactions_of_payment ON payments.ledger_transactions (payment_id) WHERE payment_id IS NOT NULL;

CREATE TABLE payments.ledger_entries (
    seq         bigint NOT NULL,
    -- Its place in the transaction, from 1.
    line        smallint NOT NULL CHECK (line > 0),
    account_id  bigint NOT NULL,
    -- Which posting rule moved it.
    rule        text NOT NULL,
    amount      bigint NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (seq, line)
);
CREATE INDEX ledger_entries_of_account ON payments.ledger_entries (account_id, seq);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments.ledger_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION payments.refuse_rewriting();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments.ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION payments.refuse_rewriting();
-- The rights to it are not there either, also for whoever owns the tables.
REVOKE UPDATE, DELETE, TRUNCATE ON payments.ledger_transactions, payments.ledger_entries FROM PUBLIC, CURRENT_USER;

-- All entries of a transaction come in one statement, with its first line among them, and in its currency: nothing can be
-- added later, and looking at the first line is looking at each transaction once.
CREATE FUNCTION payments.check_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT e.seq INTO wrong
    FROM written e
    LEFT JOIN payments.ledger_transactions t ON t.seq = e.seq
    LEFT JOIN payments.ledger_accounts a ON a.id = e.account_id
    GROUP BY e.seq
    HAVING min(e.line) <> 1 OR max(e.line) <> count(*) OR NOT coalesce(bool_and(a.currency = t.currency), false)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % is not written as a whole, or not in one currency', wrong
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER whole AFTER INSERT ON payments.ledger_entries
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION payments.check_entries();

CREATE FUNCTION payments.check_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount) FROM payments.ledger_entries WHERE seq = NEW.seq) <> 0 THEN
        RAISE EXCEPTION 'the entries of ledger transaction % do not sum to zero', NEW.seq
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON payments.ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.line = 1) EXECUTE FUNCTION payments.check_balanced();

-- Where the chain ends. Whoever writes locks this row, last of all that they lock: transactions follow one another.
CREATE TABLE payments.ledger_head (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq   bigint NOT NULL,
    hash  bytea NOT NULL CHECK (length(hash) = 32)
) WITH (fillfactor = 50);
INSERT INTO payments.ledger_head (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));
CREATE TRIGGER there_for_ever BEFORE DELETE OR TRUNCATE ON payments.ledger_head
    FOR EACH STATEMENT EXECUTE FUNCTION payments.refuse_rewriting();
