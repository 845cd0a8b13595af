-- What the marketplace takes of the line and the tax on that, as they were when the order was placed. In minor units of
-- the order's currency; nothing of orders from before, and of those that were imported.
ALTER TABLE orders.order_lines
    ADD COLUMN commission bigint NOT NULL DEFAULT 0,
    ADD COLUMN commission_tax bigint NOT NULL DEFAULT 0,
    -- By which of the rules of payments; NULL: none fitted.
    ADD COLUMN commission_rule uuid,
    ADD CONSTRAINT commission_within_total CHECK (commission BETWEEN 0 AND total AND commission_tax BETWEEN 0 AND commission),
    ADD CONSTRAINT commission_by_a_rule CHECK (commission_rule IS NOT NULL OR commission = 0);
