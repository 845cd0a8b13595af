-- What the payment is for: the order. Unknown of those from before.
ALTER TABLE payments.payments ADD COLUMN order_id uuid;
-- It follows from the idempotency key, which is unique; an index less to write.
ALTER TABLE payments.sandbox_charges DROP CONSTRAINT sandbox_charges_reference_key;
