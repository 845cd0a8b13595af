CREATE TABLE catalog.stores (
    id           uuid PRIMARY KEY,
    slug         text NOT NULL UNIQUE,
    name         text NOT NULL,
    description  text NOT NULL,
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    image_url    text,
    status       text NOT NULL CHECK (status IN ('active', 'suspended')),
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);

CREATE TABLE catalog.categories (
    id          uuid PRIMARY KEY,
    parent_id   uuid REFERENCES catalog.categories,
    slug        text NOT NULL UNIQUE,
    name        text NOT NULL,
    position    integer NOT NULL,
    CHECK (parent_id <> id)
);

CREATE TABLE catalog.products (
    id            uuid PRIMARY KEY,
    store_id      uuid NOT NULL REFERENCES catalog.stores,
    -- The product's name in the system it came from; an import finds its own products by it.
    external_ref  text,
    slug          text NOT NULL UNIQUE,
    title         text NOT NULL,
    description   text NOT NULL,
    vendor        text,
    tags          text[] NOT NULL,
    status        text NOT NULL CHECK (status IN ('draft', 'active', 'archived')),
    options       jsonb NOT NULL,
    images        jsonb NOT NULL,
    currency      text NOT NULL,
    -- Least price and availability over the variants, kept with each change of them.
    min_price     bigint NOT NULL CHECK (min_price >= 0),
    in_stock      boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    UNIQUE (store_id, external_ref)
);
CREATE INDEX products_newest ON catalog.products (created_at, id) WHERE status = 'active';
CREATE INDEX products_by_price ON catalog.products (min_price, id) WHERE status = 'active';
CREATE INDEX products_by_title ON catalog.products (lower(title) COLLATE "C", id) WHERE status = 'active';
CREATE INDEX products_of_store ON catalog.products (store_id, created_at, id) WHERE status = 'active';

CREATE TABLE catalog.product_categories (
    product_id   uuid NOT NULL REFERENCES catalog.products,
    category_id  uuid NOT NULL REFERENCES catalog.categories,
    PRIMARY KEY (category_id, product_id)
);
CREATE INDEX product_categories_of_product ON catalog.product_categories (product_id);

CREATE TABLE catalog.variants (
    id                uuid PRIMARY KEY,
    product_id        uuid NOT NULL REFERENCES catalog.products,
    position          integer NOT NULL,
    sku               text,
    barcode           text,
    -- One value per option of the product, in the options' order.
    options           text[] NOT NULL,
    price             bigint NOT NULL CHECK (price >= 0),
    compare_at_price  bigint CHECK (compare_at_price >= 0),
    weight_grams      integer NOT NULL CHECK (weight_grams >= 0),
    image_url         text,
    -- What inventory last told, and which of its tellings that was.
    in_stock          boolean NOT NULL DEFAULT false,
    stock_version     bigint NOT NULL DEFAULT 0,
    UNIQUE (product_id, options)
);
CREATE INDEX variants_by_sku ON catalog.variants (sku);
