-- Reconciliation: the provider's books, line by line, against the ledger's entries on the provider's account. Amounts are
-- in minor units; what came in is positive. docs/reconciliation.md

-- What the providers' books say, as it was read.
CREATE TABLE payments.balance_lines (
    provider    text NOT NULL,
    -- The provider's name for the line.
    reference   text NOT NULL,
    -- The order in which they were read, which is the provider's.
    place       bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    kind        text NOT NULL CHECK (kind IN ('charge', 'refund', 'refund_failed', 'dispute', 'dispute_reversed', 'payout',
                    'payout_failed', 'withdrawal', 'other')),
    -- The provider's name for what it is of, and Souk's id of that if the provider was told.
    source      text NOT NULL,
    ours        uuid,
    -- Before the fee: amount - fee moved the balance.
    amount      bigint NOT NULL,
    fee         bigint NOT NULL,
    currency    text NOT NULL CHECK (length(currency) = 3),
    at          timestamptz NOT NULL,
    fetched_at  timestamptz NOT NULL,
    PRIMARY KEY (provider, reference)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments.balance_lines
    FOR EACH STATEMENT EXECUTE FUNCTION payments.refuse_rewriting();

-- How far both books of a provider were read. Whoever compares them locks the row.
CREATE TABLE payments.reconciliation_cursors (
    provider    text PRIMARY KEY,
    -- The last line of the provider's books, and the last transaction of the ledger.
    after_line  text,
    after_seq   bigint NOT NULL DEFAULT 0,
    -- When the books are compared next, without anybody asking; when they were compared last, to the end.
    due_at      timestamptz NOT NULL,
    ran_at      timestamptz
);

-- Differences, for people.
CREATE TABLE payments.reconciliation_exceptions (
    id                 uuid PRIMARY KEY,
    provider           text NOT NULL,
    kind               text NOT NULL CHECK (kind IN ('missing_in_ledger', 'missing_at_provider', 'amount_differs',
                           'fee_differs', 'currency_differs', 'direction_differs', 'duplicate_at_provider',
                           'duplicate_in_ledger', 'unknown_to_souk', 'reference_differs', 'came_back', 'other_movement')),
    -- settled: both books agree by now. resolved: somebody said why they do not.
    state              text NOT NULL CHECK (state IN ('open', 'settled', 'resolved')),
    -- What was moved: as in reconciled_lines.
    movement           text NOT NULL,
    subject            uuid,
    -- The line, and the ledger transaction; one may be missing.
    line_reference     text,
    seq                bigint,
    -- What the ledger moved of the balance, and what the provider did, after fees.
    expected           bigint,
    expected_currency  text,
    actual             bigint,
    actual_currency    text,
    explanation        text NOT NULL,
    opened_at          timestamptz NOT NULL,
    ended_at           timestamptz,
    -- How it was settled, or what somebody said who resolved it, and who that was.
    outcome            text,
    actor_kind         text,
    actor_id           uuid,
    FOREIGN KEY (provider, line_reference) REFERENCES payments.balance_lines (provider, reference),
    CHECK (line_reference IS NOT NULL OR seq IS NOT NULL),
    CHECK ((expected IS NULL) = (expected_currency IS NULL) AND (actual IS NULL) = (actual_currency IS NULL)),
    CHECK ((state = 'open') = (ended_at IS NULL) AND (state = 'open') = (outcome IS NULL)),
    CHECK ((state = 'resolved') = (actor_kind IS NOT NULL))
);
CREATE INDEX reconciliation_exceptions_listed ON payments.reconciliation_exceptions (opened_at DESC, id DESC);
CREATE INDEX reconciliation_exceptions_open ON payments.reconciliation_exceptions (provider) WHERE state = 'open';

-- Where each line stands. matched: the entries of the ledger that name it are equal to it.
CREATE TABLE payments.reconciled_lines (
    provider      text NOT NULL,
    reference     text NOT NULL,
    -- What it is of: its kind, and the id of the payment, refund, dispute, payout or withdrawal; null while nobody knows.
    movement      text NOT NULL,
    subject       uuid,
    -- Whether the provider's name and Souk's id in the line are those of different things.
    conflicting   boolean NOT NULL DEFAULT false,
    state         text NOT NULL CHECK (state IN ('pending', 'matched', 'open', 'resolved')),
    exception_id  uuid REFERENCES payments.reconciliation_exceptions,
    PRIMARY KEY (provider, reference),
    FOREIGN KEY (provider, reference) REFERENCES payments.balance_lines (provider, reference),
    CHECK ((state IN ('open', 'resolved')) = (exception_id IS NOT NULL))
);
CREATE INDEX reconciled_lines_of_subject ON payments.reconciled_lines (provider, movement, subject);
CREATE INDEX reconciled_lines_to_do ON payments.reconciled_lines (provider, movement, subject)
    WHERE state IN ('pending', 'open');
CREATE INDEX reconciled_lines_unknown ON payments.reconciled_lines (provider, reference)
    WHERE subject IS NULL AND state IN ('pending', 'open');
CREATE INDEX reconciled_lines_excepted ON payments.reconciled_lines (exception_id) WHERE exception_id IS NOT NULL;

-- Where each entry on a provider's account stands. An entry is in one match at most: this is its only row. No foreign key
-- leads to the ledger: it would have to lock rows that nobody may.
CREATE TABLE payments.reconciled_entries (
    seq           bigint NOT NULL,
    line          smallint NOT NULL,
    provider      text NOT NULL,
    movement      text NOT NULL,
    subject       uuid NOT NULL,
    -- What it is of that: the amount or the fee of a line; or the correction of somebody who resolved an exception.
    part          text NOT NULL CHECK (part IN ('amount', 'fee', 'correction')),
    amount        bigint NOT NULL,
    currency      text NOT NULL,
    posted_at     timestamptz NOT NULL,
    state         text NOT NULL CHECK (state IN ('pending', 'matched', 'open', 'resolved')),
    -- The line that it is matched with.
    reference     text,
    exception_id  uuid REFERENCES payments.reconciliation_exceptions,
    PRIMARY KEY (seq, line),
    FOREIGN KEY (provider, reference) REFERENCES payments.balance_lines (provider, reference),
    CHECK ((state = 'matched') = (reference IS NOT NULL)),
    CHECK ((state IN ('open', 'resolved')) = (exception_id IS NOT NULL))
);
CREATE INDEX reconciled_entries_of_subject ON payments.reconciled_entries (provider, movement, subject);
CREATE INDEX reconciled_entries_to_do ON payments.reconciled_entries (provider, movement, subject)
    WHERE state IN ('pending', 'open');
-- A line has one amount and one fee.
CREATE UNIQUE INDEX reconciled_entries_once ON payments.reconciled_entries (provider, reference, part)
    WHERE reference IS NOT NULL;
CREATE INDEX reconciled_entries_excepted ON payments.reconciled_entries (exception_id) WHERE exception_id IS NOT NULL;
