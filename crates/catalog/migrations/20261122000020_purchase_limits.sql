-- Units of the product that one buyer may have, over all their orders. NULL: as many as there are.
ALTER TABLE catalog.products ADD COLUMN purchase_limit integer CHECK (purchase_limit BETWEEN 1 AND 1000);
