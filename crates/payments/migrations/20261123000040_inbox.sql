-- What providers tell unasked, as it came. `due_at` is when it is worked on next; what has none is not worked on any more.
CREATE TABLE payments.webhook_events (
    provider      text NOT NULL,
    -- The provider's name for it; the same each time it is sent.
    event_id      text NOT NULL,
    id            uuid NOT NULL,
    kind          text NOT NULL,
    -- What is worked on one after the other.
    subject       text NOT NULL,
    -- The provider's time.
    occurred_at   timestamptz NOT NULL,
    received_at   timestamptz NOT NULL,
    -- When it was received, or replayed after that.
    opened_at     timestamptz NOT NULL,
    body          bytea NOT NULL,
    deliveries    integer NOT NULL,
    state         text NOT NULL CHECK (state IN ('received', 'waiting', 'processed', 'ignored', 'failed')),
    -- Tries since the state became what it is.
    attempts      integer NOT NULL,
    due_at        timestamptz,
    processed_at  timestamptz,
    last_error    text,
    PRIMARY KEY (provider, event_id),
    CHECK ((state IN ('received', 'waiting')) = (due_at IS NOT NULL)),
    CHECK ((state IN ('processed', 'ignored')) = (processed_at IS NOT NULL))
) WITH (fillfactor = 85);

-- Two small ones: an event leaves them when it is processed.
CREATE INDEX webhook_events_due ON payments.webhook_events (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_events_in_order ON payments.webhook_events (provider, subject, occurred_at, received_at, id)
    WHERE due_at IS NOT NULL;
CREATE INDEX webhook_events_failed ON payments.webhook_events (received_at, id) WHERE state = 'failed';
-- For lists and for the archive.
CREATE INDEX webhook_events_received ON payments.webhook_events (received_at, id);

-- Where events go after a while. Their names stay, so that a very late repetition is known as one; their bodies go.
CREATE TABLE payments.webhook_archive (
    provider      text NOT NULL,
    event_id      text NOT NULL,
    id            uuid NOT NULL,
    kind          text NOT NULL,
    subject       text NOT NULL,
    occurred_at   timestamptz NOT NULL,
    received_at   timestamptz NOT NULL,
    body          bytea,
    deliveries    integer NOT NULL,
    state         text NOT NULL,
    processed_at  timestamptz NOT NULL,
    PRIMARY KEY (provider, event_id)
);
CREATE INDEX webhook_archive_bodies ON payments.webhook_archive (received_at) WHERE body IS NOT NULL;
