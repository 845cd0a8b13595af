-- People apply for stores, operators review them.
ALTER TABLE catalog.stores
    DROP CONSTRAINT stores_status_check,
    ADD CONSTRAINT stores_status_check CHECK (status IN ('pending', 'active', 'suspended', 'rejected')),
    -- What the operator said of it, and when it came to be so.
    ADD COLUMN status_reason text,
    ADD COLUMN status_at timestamptz,
    -- Who asked for it; NULL: the marketplace opened it itself.
    ADD COLUMN applied_by uuid,
    -- Which of the applications that a person may have open at a time.
    ADD COLUMN application smallint CHECK (application BETWEEN 1 AND 3),
    -- When whoever asked for it became its owner.
    ADD COLUMN founded_at timestamptz,
    ADD COLUMN version bigint NOT NULL DEFAULT 1,
    ADD CONSTRAINT stores_pending_are_applied_for
        CHECK ((status = 'pending') = (application IS NOT NULL) AND (status <> 'pending' OR applied_by IS NOT NULL)),
    ADD CONSTRAINT stores_few_applications UNIQUE (applied_by, application);
CREATE INDEX stores_by_status ON catalog.stores (status, id);

ALTER TABLE catalog.products ADD COLUMN version bigint NOT NULL DEFAULT 1;
CREATE INDEX products_of_store_by_id ON catalog.products (store_id, id);

ALTER TABLE catalog.categories ADD COLUMN version bigint NOT NULL DEFAULT 1;
CREATE INDEX categories_by_parent ON catalog.categories (parent_id);

-- The second wall: a transaction of one store reaches its own rows alone. What is public is read outside of it.
ALTER TABLE catalog.stores ENABLE ROW LEVEL SECURITY;
ALTER TABLE catalog.products ENABLE ROW LEVEL SECURITY;
ALTER TABLE catalog.variants ENABLE ROW LEVEL SECURITY;
ALTER TABLE catalog.product_categories ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_store ON catalog.stores TO souk_tenant
    USING (id = current_setting('souk.tenant', true)::uuid);
CREATE POLICY of_store ON catalog.products TO souk_tenant
    USING (store_id = current_setting('souk.tenant', true)::uuid);
CREATE POLICY of_store ON catalog.variants TO souk_tenant
    USING (EXISTS (SELECT FROM catalog.products p
                   WHERE p.id = product_id AND p.store_id = current_setting('souk.tenant', true)::uuid));
CREATE POLICY of_store ON catalog.product_categories TO souk_tenant
    USING (EXISTS (SELECT FROM catalog.products p
                   WHERE p.id = product_id AND p.store_id = current_setting('souk.tenant', true)::uuid));
GRANT USAGE ON SCHEMA catalog TO souk_tenant;
GRANT SELECT, INSERT, UPDATE ON catalog.stores, catalog.products, catalog.variants TO souk_tenant;
GRANT SELECT, INSERT, DELETE ON catalog.product_categories TO souk_tenant;
-- Shared by all stores, changed by none.
GRANT SELECT ON catalog.categories TO souk_tenant;
