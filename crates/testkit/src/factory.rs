//! Things that tests need to be there.

use catalog::{Image, NewStore, ProductStatus, PutProduct, PutVariant, StoreId, VariantId};
use inventory::{Adjustment, Reason};
use orders::Address;
use platform::{Actor, Currency, Money, Slug};

use crate::TestApp;

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

impl TestApp {
    /// A store that sells in this currency; made if missing.
    pub async fn store(&self, slug: &str, currency: Currency) -> StoreId {
        let slug: Slug = slug.parse().expect("a slug");
        let key = catalog::Key::Slug(slug.clone());
        if let Ok(store) = self.app.catalog.store(&Actor::System, &key).await {
            return store.id;
        }
        let name = slug.to_string();
        let new = NewStore { slug, name, description: "A store".to_owned(), currency, image_url: None };
        self.app.catalog.create_store(&Actor::System, new).await.expect("the store can be made").id
    }

    /// Makes or changes a product of the store `shop`, which sells in pounds. Gives its variant.
    pub async fn product(&self, product: NewProduct) -> VariantId {
        let store = self.store("shop", Currency::GBP).await;
        self.product_of(store, Currency::GBP, product).await
    }

    /// Makes or changes a product of a store. Gives its variant.
    pub async fn product_of(&self, store: StoreId, currency: Currency, product: NewProduct) -> VariantId {
        let put = PutProduct {
            external_ref: product.slug.to_owned(),
            slug: product.slug.parse().expect("a slug"),
            title: format!("The {}", product.slug),
            description: "Made for a test.".to_owned(),
            vendor: None,
            tags: Vec::new(),
            status: product.status,
            options: Vec::new(),
            images: vec![Image { url: "/media/test.svg".to_owned(), alt: "A test".to_owned() }],
            categories: Vec::new(),
            variants: vec![PutVariant {
                sku: Some(product.slug.to_uppercase()),
                barcode: None,
                options: Vec::new(),
                price: Money::new(product.price, currency),
                compare_at_price: None,
                weight_grams: 100,
                image_url: None,
            }],
            created_at: None,
        };
        let results =
            self.app.catalog.put_products(&Actor::System, store, &[put]).await.expect("the product can be put");
        let variant = results[0].variants[0].0;
        self.adjust(variant, product.stock, Reason::Opening).await;
        self.run_jobs().await;
        variant
    }

    /// Changes what is on hand.
    pub async fn adjust(&self, variant: VariantId, quantity: i64, reason: Reason) {
        let adjustment = Adjustment { variant_id: variant, quantity, reason, note: None };
        self.app.inventory.adjust(&Actor::System, &[adjustment]).await.expect("the stock can be adjusted");
    }

    /// How many units can be sold now.
    pub async fn available(&self, variant: VariantId) -> i64 {
        self.app.inventory.available(&[variant]).await.expect("inventory answers")[&variant]
    }
}
