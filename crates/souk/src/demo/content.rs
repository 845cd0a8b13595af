//! The demonstration catalogue: eight invented stores with their products, read from `content/*.toml`.
//!
//! Pure data, the same on every run. A product's variants are the combinations of its options' values;
//! an option is written `"Size: 250 g =270g, 1 kg +2250 =1030g"`, where `+` adds to the price in minor
//! units and `=` replaces the weight. The text is embedded, so a mistake in it fails the tests here and
//! never a running server.
mod file;

use file::{CategoryFile, StoreFile};

/// Everything the demonstration shows.
#[derive(Debug, Clone)]
pub(crate) struct Demo {
    pub(crate) stores: Vec<Store>,
    /// Parents come before their children.
    pub(crate) categories: Vec<Category>,
}

#[derive(Debug, Clone)]
pub(crate) struct Category {
    pub(crate) slug: String,
    pub(crate) name: String,
    /// The slug of the category above, none for a root.
    pub(crate) parent: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) description: String,
    /// ISO 4217 code of every price in the store.
    pub(crate) currency: String,
    pub(crate) products: Vec<Product>,
}

#[derive(Debug, Clone)]
pub(crate) struct Product {
    /// Unique over all stores.
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) description: String,
    /// Category slugs, the most fitting one first.
    pub(crate) categories: Vec<String>,
    pub(crate) options: Vec<ProductOption>,
    pub(crate) images: Vec<Image>,
    /// Never empty; the last option varies fastest.
    pub(crate) variants: Vec<Variant>,
    /// `active`, `draft` or `archived`.
    pub(crate) status: String,
    /// What the picture shows.
    pub(crate) look: Look,
}

/// What buyers choose between, such as a size.
#[derive(Debug, Clone)]
pub(crate) struct ProductOption {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// File name of the SVG that `product_svg` draws.
    pub(crate) file: String,
    pub(crate) alt: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Variant {
    /// Unique within the store.
    pub(crate) sku: String,
    /// EAN-13 with a prefix of 20 to 27, which GS1 keeps for restricted circulation numbers.
    pub(crate) barcode: String,
    /// One value per option, in the options' order.
    pub(crate) options: Vec<String>,
    /// In minor units.
    pub(crate) price: i64,
    /// The former price in minor units, above `price`.
    pub(crate) compare_at_price: Option<i64>,
    pub(crate) weight_grams: i32,
    pub(crate) stock: i64,
}

/// The motif of a product's picture and how it is coloured, the words of `draw`.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) motif: String,
    /// Colour and finish names, or nothing where the options tell the colour.
    pub(crate) words: Vec<String>,
}

/// The embedded demonstration catalogue.
pub(crate) fn load() -> Demo {
    let tree: CategoryFile = parse(include_str!("content/categories.toml"));
    let categories = tree
        .category
        .into_iter()
        .map(|[parent, slug, name]| Category { slug, name, parent: Some(parent).filter(|it| !it.is_empty()) })
        .collect();
    let files = [
        include_str!("content/kiln-and-kin.toml"),
        include_str!("content/loom-street.toml"),
        include_str!("content/slow-harbour.toml"),
        include_str!("content/spoke-lane.toml"),
        include_str!("content/thyme-and-steel.toml"),
        include_str!("content/pencil-and-top.toml"),
        include_str!("content/walled-garden.toml"),
        include_str!("content/low-hum.toml"),
    ];
    let stores = files.into_iter().zip(20..).map(|(text, prefix)| parse::<StoreFile>(text).build(prefix));
    Demo { stores: stores.collect(), categories }
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> T {
    toml::from_str(text).expect("the embedded demonstration content is well formed")
}

/// A number that looks random, is the same on every run and differs between texts (FNV-1a).
pub(super) fn dice(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::file::check_digit;
    use super::*;

    fn products(demo: &Demo) -> impl Iterator<Item = &Product> {
        demo.stores.iter().flat_map(|store| &store.products)
    }

    fn distinct<T: std::hash::Hash + Eq + std::fmt::Debug>(items: impl Iterator<Item = T>) {
        let mut seen = HashSet::new();
        for item in items {
            let text = format!("{item:?}");
            assert!(seen.insert(item), "{text} appears twice");
        }
    }

    #[test]
    fn is_a_marketplace_of_some_size() {
        let demo = load();
        assert_eq!(demo.stores.len(), 8);
        assert!(products(&demo).count() >= 220, "{}", products(&demo).count());
        assert!(demo.categories.len() >= 30, "{}", demo.categories.len());
        let out =
            products(&demo).filter(|it| it.status == "active" && it.variants.iter().all(|v| v.stock == 0));
        assert!((3..20).contains(&out.count()));
        assert_eq!(products(&demo).filter(|it| it.status != "active").count(), 2);
    }

    #[test]
    fn is_the_same_every_time() {
        assert_eq!(format!("{:?}", load()), format!("{:?}", load()));
    }

    #[test]
    fn names_are_unique() {
        let demo = load();
        distinct(demo.stores.iter().map(|it| &it.slug));
        distinct(products(&demo).map(|it| &it.slug));
        distinct(products(&demo).map(|it| &it.title));
        distinct(products(&demo).map(|it| &it.description));
        for store in &demo.stores {
            distinct(store.products.iter().flat_map(|it| &it.variants).map(|it| &it.sku));
        }
    }

    #[test]
    fn slugs_are_plain() {
        let demo = load();
        let stores = demo.stores.iter().map(|it| &it.slug);
        for slug in
            products(&demo).map(|it| &it.slug).chain(stores).chain(demo.categories.iter().map(|it| &it.slug))
        {
            assert!(slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{slug}");
        }
    }

    #[test]
    fn categories_form_a_tree_three_levels_deep_and_hold_every_product() {
        let demo = load();
        let mut depth = std::collections::HashMap::new();
        for category in &demo.categories {
            let above =
                category.parent.as_ref().map_or(0, |it| *depth.get(it.as_str()).expect("parents first"));
            assert!(depth.insert(category.slug.as_str(), above + 1).is_none(), "{} twice", category.slug);
        }
        assert_eq!(depth.values().max(), Some(&3));
        for product in products(&demo) {
            assert!(!product.categories.is_empty(), "{}", product.slug);
            for category in &product.categories {
                assert!(depth.contains_key(category.as_str()), "{}: no category {category}", product.slug);
            }
        }
    }

    #[test]
    fn variants_are_sellable() {
        let demo = load();
        for product in products(&demo) {
            let combinations: usize = product.options.iter().map(|it| it.values.len()).product();
            assert_eq!(product.variants.len(), combinations, "{}", product.slug);
            for variant in &product.variants {
                assert_eq!(variant.options.len(), product.options.len());
                assert!(variant.price > 0 && variant.stock >= 0 && variant.weight_grams > 0);
                assert!(variant.compare_at_price.is_none_or(|was| was > variant.price), "{}", variant.sku);
            }
        }
    }

    #[test]
    fn barcodes_are_valid_and_unique() {
        // The worked example of the GS1 check digit calculator.
        assert_eq!(check_digit("629104150021"), 3);
        let demo = load();
        let variants: Vec<&Variant> = products(&demo).flat_map(|it| &it.variants).collect();
        distinct(variants.iter().map(|it| &it.barcode));
        for Variant { barcode, .. } in variants {
            assert_eq!(barcode.len(), 13, "{barcode}");
            assert!(barcode.starts_with('2'), "{barcode}");
            let (body, digit) = barcode.split_at(12);
            assert_eq!(check_digit(body).to_string(), digit, "{barcode}");
        }
    }

    #[test]
    fn the_last_ten_teapot_has_ten_units() {
        let demo = load();
        let teapot = products(&demo).find(|it| it.slug == "last-ten-teapot").expect("the teapot is sold");
        assert_eq!(teapot.variants.iter().map(|it| it.stock).collect::<Vec<_>>(), [10]);
    }
}
