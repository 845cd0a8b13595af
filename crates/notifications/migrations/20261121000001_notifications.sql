-- Mails: waiting, sent, or (without a mail server) caught for reading in the browser.
CREATE TABLE notifications.mails (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The event it tells of, so that one that comes again is told once.
    event_id    bigint NOT NULL,
    recipient   text NOT NULL,
    subject     text NOT NULL,
    -- Emptied once it is sent: some carry secrets.
    text        text NOT NULL,
    html        text NOT NULL,
    state       text NOT NULL CHECK (state IN ('queued', 'sent', 'caught', 'failed')),
    attempts    integer NOT NULL DEFAULT 0,
    due_at      timestamptz,
    last_error  text,
    created_at  timestamptz NOT NULL,
    sent_at     timestamptz,
    UNIQUE (event_id, recipient),
    CHECK ((state = 'queued') = (due_at IS NOT NULL))
);
CREATE INDEX mails_due ON notifications.mails (due_at, id) WHERE state = 'queued';
