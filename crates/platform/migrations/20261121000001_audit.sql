-- The role of transactions that act for one tenant: row-level security holds it to the rows of `souk.tenant`.
-- Roles belong to the whole cluster, so that another database may have made it already. Without the right to make
-- roles, ask the administrator: CREATE ROLE souk_tenant NOLOGIN; GRANT souk_tenant TO <Souk's user>.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'souk_tenant') THEN
        BEGIN
            CREATE ROLE souk_tenant NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;
    IF NOT pg_has_role(current_user, 'souk_tenant', 'MEMBER') THEN
        EXECUTE format('GRANT souk_tenant TO %I', current_user);
    END IF;
END
$$;

-- Who did what to what, from where.
CREATE TABLE platform.audit_log (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL,
    actor_kind   text NOT NULL CHECK (actor_kind IN ('user', 'api_key', 'guest', 'system')),
    actor_id     uuid,
    action       text NOT NULL,
    target_kind  text NOT NULL,
    target_id    uuid NOT NULL,
    store_id     uuid,
    ip           text,
    user_agent   text,
    request_id   text,
    facts        jsonb NOT NULL
);
CREATE INDEX audit_log_of_actor ON platform.audit_log (actor_id, id);
CREATE INDEX audit_log_of_target ON platform.audit_log (target_id, id);
CREATE INDEX audit_log_of_store ON platform.audit_log (store_id, id);

CREATE FUNCTION platform.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON platform.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();

GRANT USAGE ON SCHEMA platform TO souk_tenant;
GRANT INSERT ON platform.audit_log, platform.outbox TO souk_tenant;
