-- Facts that modules published, until every consumer has taken them.
CREATE TABLE platform.outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       text        NOT NULL,
    payload     jsonb       NOT NULL,
    created_at  timestamptz NOT NULL,
    attempts    integer     NOT NULL DEFAULT 0,
    -- NULL: given up, kept for a person to look at.
    due_at      timestamptz,
    last_error  text
);
CREATE INDEX outbox_due ON platform.outbox (due_at, id);
