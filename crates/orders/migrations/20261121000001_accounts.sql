-- Carts and orders of people who have signed in. A guest's go by their token as before.
ALTER TABLE orders.carts ADD COLUMN user_id uuid;
-- One that is being checked out counts as open: its order may come to nothing.
CREATE UNIQUE INDEX carts_one_open_per_user ON orders.carts (user_id) WHERE completed_at IS NULL;
CREATE INDEX carts_of_user ON orders.carts (user_id, updated_at) WHERE user_id IS NOT NULL;

ALTER TABLE orders.orders ADD COLUMN user_id uuid;
-- When whoever bought was forgotten.
ALTER TABLE orders.orders ADD COLUMN erased_at timestamptz;
CREATE INDEX orders_of_user ON orders.orders (user_id, id) WHERE user_id IS NOT NULL;
ALTER TABLE orders.orders DROP CONSTRAINT orders_check1;
ALTER TABLE orders.orders ADD CONSTRAINT orders_by_checkout
    CHECK ((source = 'checkout') = (cart_id IS NOT NULL AND (email IS NOT NULL OR erased_at IS NOT NULL)));

-- Accounts that are gone but may have orders that were not settled yet: recovery needs those whole.
CREATE TABLE orders.erasures (
    user_id       uuid PRIMARY KEY,
    requested_at  timestamptz NOT NULL
);
