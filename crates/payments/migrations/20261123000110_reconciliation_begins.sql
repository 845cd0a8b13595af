-- When the books of a provider begin to be Souk's business: with the first payment that was asked of it, or when they were looked
-- at first. What moved before without Souk's name is somebody else's. None: from the first line on.
ALTER TABLE payments.reconciliation_cursors ADD COLUMN begun_at timestamptz;
