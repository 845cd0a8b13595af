-- People with an account.
CREATE TABLE identity.users (
    id                 uuid PRIMARY KEY,
    -- As its owner wrote it; NULL once the account is deleted.
    email              text,
    -- What tells accounts apart: in lower case, which is how people and providers treat addresses.
    email_key          text UNIQUE,
    email_verified_at  timestamptz,
    -- PHC string; NULL for those who sign in elsewhere only.
    password_hash      text,
    name               text NOT NULL,
    -- BCP 47 and ISO 4217; NULL: the marketplace's own.
    locale             text,
    currency           text,
    -- What they want to be told.
    preferences        jsonb NOT NULL DEFAULT '{}',
    role               text CHECK (role IN ('operator', 'support')),
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    deleted_at         timestamptz,
    version            bigint NOT NULL DEFAULT 1,
    CHECK ((deleted_at IS NULL) = (email IS NOT NULL)),
    CHECK ((email IS NULL) = (email_key IS NULL)),
    CHECK (deleted_at IS NULL OR (role IS NULL AND password_hash IS NULL))
);
CREATE INDEX users_by_role ON identity.users (role) WHERE role IS NOT NULL;
-- Looked up by the beginning of an address or a name.
CREATE INDEX users_by_email_prefix ON identity.users (email_key text_pattern_ops);
CREATE INDEX users_by_name_prefix ON identity.users (lower(name) text_pattern_ops);

-- Secrets that were mailed, to show that a mailbox is theirs.
CREATE TABLE identity.mailed_tokens (
    token_hash  bytea PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES identity.users,
    purpose     text NOT NULL CHECK (purpose IN ('verify_email', 'reset_password', 'change_email')),
    -- The address it went to.
    email       text NOT NULL,
    -- Of a registration: what counts once it is confirmed. Each confirms its own, with its own password.
    password_hash  text,
    name        text,
    locale      text,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX mailed_tokens_of_user ON identity.mailed_tokens (user_id, purpose);
CREATE INDEX mailed_tokens_by_end ON identity.mailed_tokens (expires_at);

CREATE TABLE identity.addresses (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES identity.users,
    address     jsonb NOT NULL,
    label       text,
    is_default  boolean NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX addresses_of_user ON identity.addresses (user_id, created_at);
CREATE UNIQUE INDEX addresses_one_default ON identity.addresses (user_id) WHERE is_default;

-- Logins: a browser with a cookie, or an app with access and refresh tokens.
CREATE TABLE identity.sessions (
    id                uuid PRIMARY KEY,
    user_id           uuid NOT NULL REFERENCES identity.users,
    kind              text NOT NULL CHECK (kind IN ('browser', 'tokens')),
    -- Of the cookie; an app's session is named in its access tokens.
    token_hash        bytea UNIQUE,
    ip                text,
    user_agent        text,
    second_factor_at  timestamptz,
    created_at        timestamptz NOT NULL,
    last_seen_at      timestamptz NOT NULL,
    -- Pushed on by use, up to the end.
    idle_expires_at   timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    revoked_at        timestamptz,
    revoked_because   text,
    CHECK ((kind = 'browser') = (token_hash IS NOT NULL)),
    CHECK ((revoked_at IS NULL) = (revoked_because IS NULL))
);
CREATE INDEX sessions_of_user ON identity.sessions (user_id, created_at) WHERE revoked_at IS NULL;
CREATE INDEX sessions_by_end ON identity.sessions (idle_expires_at);

-- The refresh tokens of an app's session, each used once (RFC 9700, 4.14).
CREATE TABLE identity.refresh_tokens (
    token_hash  bytea PRIMARY KEY,
    session_id  uuid NOT NULL REFERENCES identity.sessions,
    created_at  timestamptz NOT NULL,
    used_at     timestamptz,
    -- The one that came of it, sealed: an honest retry within the grace gets the same again.
    successor   bytea,
    CHECK ((used_at IS NULL) = (successor IS NULL))
);
CREATE INDEX refresh_tokens_of_session ON identity.refresh_tokens (session_id);

-- Keys that sign access tokens. A new one is published before it signs, and an old one stays published until the
-- last token it signed has expired.
CREATE TABLE identity.signing_keys (
    id           uuid PRIMARY KEY,
    -- Of Ed25519 (RFC 8032): the seed, sealed, and the public key.
    seed         bytea NOT NULL,
    public_key   bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    signs_from   timestamptz NOT NULL,
    -- NULL: until another one signs.
    retires_at   timestamptz
);

-- Keys of programs, shown once.
CREATE TABLE identity.api_keys (
    id            uuid PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('publishable', 'secret')),
    token_hash    bytea NOT NULL UNIQUE,
    -- What is shown of it: its beginning and end.
    hint          text NOT NULL,
    name          text NOT NULL,
    -- NULL: of the marketplace.
    store_id      uuid,
    scopes        text[] NOT NULL,
    created_by    uuid REFERENCES identity.users,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz,
    expires_at    timestamptz,
    revoked_at    timestamptz,
    CHECK (kind = 'secret' OR scopes = '{}')
);
CREATE INDEX api_keys_of_store ON identity.api_keys (store_id, created_at);

CREATE TABLE identity.memberships (
    store_id    uuid NOT NULL,
    user_id     uuid NOT NULL REFERENCES identity.users,
    role        text NOT NULL CHECK (role IN ('owner', 'manager', 'staff', 'finance', 'read_only')),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (store_id, user_id)
);
CREATE INDEX memberships_of_user ON identity.memberships (user_id);

CREATE TABLE identity.invitations (
    id           uuid PRIMARY KEY,
    store_id     uuid NOT NULL,
    email        text NOT NULL,
    email_key    text NOT NULL,
    role         text NOT NULL CHECK (role IN ('owner', 'manager', 'staff', 'finance', 'read_only')),
    token_hash   bytea NOT NULL UNIQUE,
    invited_by   uuid REFERENCES identity.users,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    accepted_at  timestamptz,
    accepted_by  uuid REFERENCES identity.users,
    revoked_at   timestamptz
);
CREATE UNIQUE INDEX invitations_one_open ON identity.invitations (store_id, email_key)
    WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- Second factors.
CREATE TABLE identity.totp (
    user_id       uuid PRIMARY KEY REFERENCES identity.users,
    -- Sealed.
    secret        bytea NOT NULL,
    created_at    timestamptz NOT NULL,
    -- NULL: not shown to work yet.
    confirmed_at  timestamptz,
    -- The last time step that was used: none is taken twice (RFC 6238, 5.2).
    last_step     bigint NOT NULL DEFAULT 0
);

CREATE TABLE identity.recovery_codes (
    user_id    uuid NOT NULL REFERENCES identity.users,
    code_hash  bytea NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE identity.passkeys (
    id             uuid PRIMARY KEY,
    user_id        uuid NOT NULL REFERENCES identity.users,
    credential_id  bytea NOT NULL UNIQUE,
    -- As the WebAuthn library keeps it: the public key and the counter.
    passkey        jsonb NOT NULL,
    name           text NOT NULL,
    created_at     timestamptz NOT NULL,
    last_used_at   timestamptz
);
CREATE INDEX passkeys_of_user ON identity.passkeys (user_id);

-- Steps of a login or an enrolment that are under way.
CREATE TABLE identity.challenges (
    token_hash  bytea PRIMARY KEY,
    purpose     text NOT NULL CHECK (purpose IN ('second_factor', 'passkey_enrolment', 'passkey_login',
                                                 'passkey_assertion', 'federated_login')),
    user_id     uuid REFERENCES identity.users,
    state       jsonb NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX challenges_by_end ON identity.challenges (expires_at);
CREATE INDEX challenges_of_user ON identity.challenges (user_id);

-- Accounts elsewhere that sign in here (OpenID Connect Core, 2: issuer and subject name somebody for good).
CREATE TABLE identity.external_accounts (
    issuer        text NOT NULL,
    subject       text NOT NULL,
    user_id       uuid NOT NULL REFERENCES identity.users,
    provider      text NOT NULL,
    email         text,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
-- One of each provider, so that its name says which.
CREATE UNIQUE INDEX external_accounts_of_user ON identity.external_accounts (user_id, provider);

-- Browsers and apps in which somebody has signed in before: guesses elsewhere do not lock them out (OWASP, device
-- cookies).
CREATE TABLE identity.known_devices (
    token_hash    bytea PRIMARY KEY,
    user_id       uuid NOT NULL REFERENCES identity.users,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz NOT NULL
);
CREATE INDEX known_devices_of_user ON identity.known_devices (user_id, last_used_at);

-- Wrong passwords and codes, by whom they were meant for and from where.
CREATE TABLE identity.failed_logins (
    key         bytea PRIMARY KEY,
    failures    integer NOT NULL,
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL
);
CREATE INDEX failed_logins_by_age ON identity.failed_logins (last_at);

-- The second wall: a transaction of one store reaches its own rows alone.
ALTER TABLE identity.api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity.memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity.invitations ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_store ON identity.api_keys TO souk_tenant
    USING (store_id = current_setting('souk.tenant', true)::uuid);
CREATE POLICY of_store ON identity.memberships TO souk_tenant
    USING (store_id = current_setting('souk.tenant', true)::uuid);
CREATE POLICY of_store ON identity.invitations TO souk_tenant
    USING (store_id = current_setting('souk.tenant', true)::uuid);
GRANT USAGE ON SCHEMA identity TO souk_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON identity.api_keys, identity.memberships, identity.invitations TO souk_tenant;
-- To say who a member is, and for the foreign keys.
GRANT SELECT (id, email, email_key, name, deleted_at) ON identity.users TO souk_tenant;
