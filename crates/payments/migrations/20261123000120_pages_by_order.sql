-- The pages of an order: one that is open is shown again, and none is opened beside one that was paid.
CREATE INDEX payments_pages ON payments.payments (order_id) WHERE method = 'page';
