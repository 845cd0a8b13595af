-- Mails: waiting, sent, or (without a mail server) caught for reading in the browser.
CREATE TABLE notifications.mails (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The event it tells of, so that one that comes again is told once.
    event_id    bigint NOT NULL,
    -- Its name in the Message-ID header, the same in each attempt: a mail that went out twice is recognised by it.
    message_id  text NOT NULL UNIQUE,
    recipient   text NOT NULL,
    subject     text NOT NULL,
    -- Emptied once it is sent or given up: some carry secrets.
    text        text NOT NULL,
    html        text NOT NULL,
    state       text NOT NULL CHECK (state IN ('queued', 'sent', 'caught', 'failed')),
    attempts    integer NOT NULL DEFAULT 0,
    -- When it is to be tried; pushed ahead by whoever is trying.
    due_at      timestamptz,
    last_error  text,
    created_at  timestamptz NOT NULL,
    sent_at     timestamptz,
    UNIQUE (event_id, recipient),
    CHECK ((state = 'queued') = (due_at IS NOT NULL)),
    CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
    CHECK (state NOT IN ('sent', 'failed') OR (text = '' AND html = ''))
);
CREATE INDEX mails_due ON notifications.mails (due_at, id) WHERE state = 'queued';
CREATE INDEX mails_age ON notifications.mails (created_at, id) WHERE state <> 'queued';
