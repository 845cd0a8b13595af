//! Products as clients see them: what the catalogue says together with what inventory has.

use std::collections::HashMap;

use catalog::{
    CATEGORIES, CategoryRef, Image, LISTING, OptionValue, Product, ProductId, ProductOption, ProductStatus,
    StoreRef, VariantId,
};
use platform::{Money, Quantity, Slug, Tag};
use serde::Serialize;
use time::OffsetDateTime;
use url::Url;
use utoipa::ToSchema;

use crate::Api;
use crate::problem::Problem;

/// What stores sell.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub(crate) struct ProductView {
    /// Its id.
    id: ProductId,
    /// Its name in addresses, unique over the marketplace.
    slug: Slug,
    /// Its name.
    #[schema(example = "Teapot 'Last Ten'")]
    title: String,
    /// Plain text or simple HTML, as the merchant wrote it. Clean it before showing it as HTML.
    description: String,
    /// Who made it.
    vendor: Option<String>,
    /// Words that the merchant put on it.
    tags: Vec<String>,
    /// Where it is in its life; guests see active products only.
    status: ProductStatus,
    /// Who sells it.
    store: StoreRef,
    /// Where it is found.
    categories: Vec<CategoryRef>,
    /// Pictures, the main one first.
    images: Vec<Image>,
    /// In what it comes: size, colour.
    options: Vec<ProductOption>,
    /// Each combination of options that is sold.
    variants: Vec<VariantView>,
    /// Units that one buyer may have, over all their orders.
    purchase_limit: Option<Quantity>,
    /// Whether it has a waiting room: then one joins it before checkout.
    #[schema(example = false)]
    waiting_room: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was last changed. Stock is not counted as a change of the product.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// One combination of a product's options: the thing that is put into a cart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Variant)]
pub(crate) struct VariantView {
    /// Its id.
    id: VariantId,
    /// The store's own number for it.
    sku: Option<String>,
    /// GTIN, EAN, UPC or ISBN.
    barcode: Option<String>,
    /// Its options' values; empty where there is nothing to choose.
    #[schema(example = "Large / Blue")]
    title: String,
    /// Its options.
    options: Vec<OptionValue>,
    /// What one costs.
    price: Money,
    /// What one cost before, or elsewhere.
    compare_at_price: Option<Money>,
    /// Units that can be bought now; 0 is sold out.
    #[schema(example = 10)]
    available: i64,
    /// With packaging, in grams.
    weight_grams: i32,
    /// Its own picture.
    image_url: Option<String>,
}

impl ProductView {
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    pub(crate) fn slug(&self) -> &Slug {
        &self.slug
    }

    pub(crate) fn store_name(&self) -> &str {
        &self.store.name
    }

    pub(crate) fn image_url(&self) -> Option<&str> {
        self.images.first().map(|image| image.url.as_str())
    }

    /// The least of the variants' prices, for people.
    pub(crate) fn price_from(&self) -> String {
        let least = self.variants.iter().map(|variant| variant.price).min_by_key(|price| price.amount);
        least.map(|price| price.to_string()).unwrap_or_default()
    }

    pub(crate) fn is_sold_out(&self) -> bool {
        self.variants.iter().all(|variant| variant.available <= 0)
    }
}

/// Looks up what is available of these products and puts both together.
pub(crate) async fn of_products(api: &Api, products: Vec<Product>) -> Result<Vec<ProductView>, Problem> {
    let variants: Vec<VariantId> =
        products.iter().flat_map(|product| product.variants.iter().map(|variant| variant.id)).collect();
    let available = api.inventory.available(&variants).await?;
    let ids: Vec<ProductId> = products.iter().map(|product| product.id).collect();
    let guarded = api.waiting_room.guarded(&ids).await?;
    let shown = products.into_iter().map(|product| ProductView {
        waiting_room: guarded.contains(&product.id),
        ..view(&api.settings.public_url, product, &available)
    });
    Ok(shown.collect())
}

/// A product as it was made: nobody had counted any of it, and nobody stood in line for it.
pub(crate) fn of_new(api: &Api, product: Product) -> ProductView {
    view(&api.settings.public_url, product, &HashMap::new())
}

fn view(base: &Url, product: Product, available: &HashMap<VariantId, i64>) -> ProductView {
    ProductView {
        id: product.id,
        slug: product.slug,
        title: product.title,
        description: product.description,
        vendor: product.vendor,
        tags: product.tags,
        status: product.status,
        store: product.store,
        categories: product.categories,
        images: product
            .images
            .into_iter()
            .map(|image| Image { url: absolute(base, &image.url), alt: image.alt })
            .collect(),
        purchase_limit: product.purchase_limit,
        options: product.options,
        variants: product
            .variants
            .into_iter()
            .map(|variant| VariantView {
                available: available.get(&variant.id).copied().unwrap_or(0),
                id: variant.id,
                sku: variant.sku,
                barcode: variant.barcode,
                title: variant.title,
                options: variant.options,
                price: variant.price,
                compare_at_price: variant.compare_at_price,
                weight_grams: variant.weight_grams,
                image_url: variant.image_url.map(|url| absolute(base, &url)),
            })
            .collect(),
        waiting_room: false,
        created_at: product.created_at,
        updated_at: product.updated_at,
    }
}

/// A path is below Souk's own address; anything else stays as it is.
pub(crate) fn absolute(base: &Url, url: &str) -> String {
    if url.starts_with('/') {
        base.join(url).map_or_else(|_| url.to_owned(), String::from)
    } else {
        url.to_owned()
    }
}

/// Bytes of a `Surrogate-Key`: more than this and proxies on the way may refuse the answer.
const MOST_KEYS: usize = 4_000;

/// As [`tags`], of a list: its key `products` stands for all of them where they are too many to be named.
pub(crate) fn list_tags(products: &[ProductView]) -> (Vec<Tag>, String) {
    let (mut tags, named) = tags(products);
    tags.push(LISTING);
    let all = format!("products {named}");
    if all.len() <= MOST_KEYS {
        return (tags, all.trim_end().to_owned());
    }
    let stores = named.split(' ').filter(|key| key.starts_with("store-"));
    (tags, ["products"].into_iter().chain(stores).collect::<Vec<_>>().join(" "))
}

/// What an answer that shows these products depends on, and what a CDN may purge it by.
pub(crate) fn tags(products: &[ProductView]) -> (Vec<Tag>, String) {
    // Products name their categories.
    let mut tags = vec![CATEGORIES];
    let mut keys = Vec::new();
    for product in products {
        tags.push(Tag::id(product.id));
        tags.push(Tag::id(product.store.id));
        tags.extend(product.variants.iter().map(|variant| Tag::id(variant.id)));
        keys.push(format!("product-{}", product.id));
        keys.push(format!("store-{}", product.store.id));
        keys.extend(product.categories.iter().map(|category| format!("category-{}", category.id)));
    }
    keys.sort_unstable();
    keys.dedup();
    (tags, keys.join(" "))
}
