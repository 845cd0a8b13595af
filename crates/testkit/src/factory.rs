//! Things that tests need to be there.

use catalog::{
    CategoryId, Image, NewStore, ProductStatus, PutCategory, PutProduct, PutResult, PutVariant, StoreId,
    VariantId,
};
use identity::Actor;
use inventory::{Adjustment, Reason};
use orders::Address;
use platform::{Currency, Money, Slug};
use serde_json::{Value, json};

use crate::{Answer, TestApp};

/// A product with one variant.
#[derive(Clone, Debug)]
pub struct NewProduct {
    /// Also its external reference.
    pub slug: &'static str,
    /// In minor units of the store's currency.
    pub price: i64,
    /// Opening stock.
    pub stock: i64,
    /// Where it is in its life.
    pub status: ProductStatus,
}

impl Default for NewProduct {
    fn default() -> Self {
        Self { slug: "teapot", price: 1999, stock: 10, status: ProductStatus::Active }
    }
}

/// Where parcels of tests go.
pub fn address() -> Address {
    Address {
        name: "Ada Lovelace".to_owned(),
        company: None,
        line1: "12 St James's Square".to_owned(),
        line2: None,
        city: "London".to_owned(),
        region: None,
        postal_code: Some("SW1Y 4JH".to_owned()),
        country: "GB".to_owned(),
        phone: None,
    }
}

/// An active product with one variant, to be changed before it is put.
pub fn product(slug: &str, price: Money) -> PutProduct {
    PutProduct {
        external_ref: slug.to_owned(),
        slug: slug.parse().expect("a slug"),
        title: format!("The {slug}"),
        description: "Made for a test.".to_owned(),
        vendor: None,
        tags: Vec::new(),
        status: ProductStatus::Active,
        options: Vec::new(),
        images: vec![Image { url: "/media/test.svg".to_owned(), alt: "A test".to_owned() }],
        categories: Vec::new(),
        variants: vec![PutVariant { sku: Some(slug.to_uppercase()), ..variant(&[], price) }],
        created_at: None,
    }
}

/// A variant with these values of its product's options.
pub fn variant(options: &[&str], price: Money) -> PutVariant {
    PutVariant {
        sku: None,
        barcode: None,
        options: options.iter().copied().map(str::to_owned).collect(),
        price,
        compare_at_price: None,
        weight_grams: 100,
        image_url: None,
    }
}

/// What a buyer sends to buy a basket.
pub fn purchase(token: &str) -> Value {
    json!({"email": "ada@example.com", "shipping_address": address(), "payment": {"token": token}})
}

impl TestApp {
    /// A store that sells in this currency; made if missing.
    pub async fn store(&self, slug: &str, currency: Currency) -> StoreId {
        let slug: Slug = slug.parse().expect("a slug");
        let key = catalog::Key::Slug(slug.clone());
        if let Ok(store) = self.app.catalog.store(&Actor::system(), &key).await {
            return store.id;
        }
        let name = slug.to_string();
        let new = NewStore { slug, name, description: "A store".to_owned(), currency, image_url: None };
        self.app.catalog.create_store(&Actor::system(), new).await.expect("the store can be made").id
    }

    /// Makes or changes a product of the store `shop`, which sells in pounds. Gives its variant.
    pub async fn product(&self, product: NewProduct) -> VariantId {
        let store = self.store("shop", Currency::GBP).await;
        self.product_of(store, Currency::GBP, product).await
    }

    /// Makes or changes a product of a store. Gives its variant.
    pub async fn product_of(&self, store: StoreId, currency: Currency, product: NewProduct) -> VariantId {
        let put = PutProduct {
            status: product.status,
            ..self::product(product.slug, Money::new(product.price, currency))
        };
        let variant = self.put(store, put).await.variants[0].0;
        self.adjust(variant, product.stock, Reason::Opening).await;
        self.run_jobs().await;
        variant
    }

    /// Makes or changes a product as it is given; it has no stock.
    pub async fn put(&self, store: StoreId, product: PutProduct) -> PutResult {
        let mut results = self
            .app
            .catalog
            .put_products(&Actor::system(), store, &[product])
            .await
            .expect("the product can be put");
        results.remove(0)
    }

    /// A category, at the top or below another; made or changed.
    pub async fn category(&self, slug: &str, parent: Option<CategoryId>) -> CategoryId {
        let slug: Slug = slug.parse().expect("a slug");
        let put = PutCategory { name: format!("All {slug}"), slug, parent_id: parent, position: 0 };
        self.app.catalog.put_category(&Actor::system(), put).await.expect("the category can be put")
    }

    /// Puts units into a new basket, through HTTP. Gives the basket's token.
    pub async fn basket(&self, variant: VariantId, quantity: i64) -> String {
        let body = json!({"variant_id": variant, "quantity": quantity});
        let answer = self.post("/api/v1/shopping_basket/products", &[], &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.header("x-cart-token").to_owned()
    }

    /// Buys what is in a basket, through HTTP.
    pub async fn check_out(&self, basket: &str, key: &str, token: &str) -> Answer {
        let headers = [("x-cart-token", basket), ("idempotency-key", key)];
        self.post("/api/v1/shopping_basket/checkout", &headers, &purchase(token)).await
    }

    /// Changes what is on hand.
    pub async fn adjust(&self, variant: VariantId, quantity: i64, reason: Reason) {
        let adjustment = Adjustment { variant_id: variant, quantity, reason, note: None };
        self.app.inventory.adjust(&Actor::system(), &[adjustment]).await.expect("the stock can be adjusted");
    }

    /// How many units can be sold now.
    pub async fn available(&self, variant: VariantId) -> i64 {
        self.app.inventory.available(&[variant]).await.expect("inventory answers")[&variant]
    }
}
