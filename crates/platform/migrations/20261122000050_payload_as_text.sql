-- Nobody looks into a payload here: it is written once and read once.
ALTER TABLE platform.outbox ALTER COLUMN payload TYPE json;
