-- Three letters, as before, without a regular expression: each new version of a row is checked anew.
ALTER TABLE orders.carts DROP CONSTRAINT carts_currency_check,
    ADD CONSTRAINT carts_currency_check
        CHECK (length(currency) = 3 AND translate(currency, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '') = '');
ALTER TABLE orders.orders DROP CONSTRAINT orders_currency_check,
    ADD CONSTRAINT orders_currency_check
        CHECK (length(currency) = 3 AND translate(currency, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '') = '');
ALTER TABLE orders.sub_orders DROP CONSTRAINT sub_orders_currency_check,
    ADD CONSTRAINT sub_orders_currency_check
        CHECK (length(currency) = 3 AND translate(currency, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '') = '');

-- What happened is written once and read as a whole: kept as it was sent, it needs no taking apart.
ALTER TABLE orders.order_events ALTER COLUMN data TYPE json;
