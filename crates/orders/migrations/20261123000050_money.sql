-- An order whose provider does not answer, or has not decided yet, waits in a state of its own and goes on by itself.
ALTER TABLE orders.orders
    DROP CONSTRAINT orders_state,
    ADD CONSTRAINT orders_state CHECK (state IN ('pending', 'awaiting_payment', 'payment_pending', 'paid', 'rejected',
                                                 'expired', 'cancelled', 'fulfilled', 'completed', 'refunded')),
    DROP CONSTRAINT orders_check2,
    ADD CONSTRAINT orders_deadline CHECK ((state IN ('pending', 'payment_pending')) = (deadline_at IS NOT NULL));
DROP INDEX orders.orders_to_recover;
CREATE INDEX orders_to_recover ON orders.orders (deadline_at) WHERE deadline_at IS NOT NULL;
