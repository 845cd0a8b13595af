-- Owners give up stores that never traded.
ALTER TABLE catalog.stores
    DROP CONSTRAINT stores_status_check,
    ADD CONSTRAINT stores_status_check
        CHECK (status IN ('pending', 'active', 'suspended', 'rejected', 'withdrawn'));
