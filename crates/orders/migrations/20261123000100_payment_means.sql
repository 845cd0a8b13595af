-- How an order is paid while an attempt runs: with a token or with what the buyer keeps.
ALTER TABLE orders.orders RENAME COLUMN payment_token TO payment_means;
ALTER TABLE orders.orders ALTER COLUMN payment_means TYPE jsonb
    USING CASE WHEN payment_means IS NOT NULL THEN
        jsonb_build_object('token', jsonb_build_object('token', payment_means)) END;
