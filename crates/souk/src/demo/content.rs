//! The demonstration catalogue: eight invented stores with their products, read from `content/*.toml`.
//!
//! Pure data, the same on every run. A product's variants are the combinations of its options' values;
//! an option is written `"Size: 250 g =270g, 1 kg +2250 =1030g"`, where `+` adds to the price in minor
//! units and `=` replaces the weight. The text is embedded, so a mistake in it fails the tests here and
//! never a running server.
use serde::Deserialize;

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
    /// EAN-13 with a prefix of 20 to 27, which GS1 leaves to in-store use (General Specifications, 1.4).
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

fn parse<T: for<'a> Deserialize<'a>>(text: &str) -> T {
    toml::from_str(text).expect("the embedded demonstration content is well formed")
}

/// A number that looks random, is the same on every run and differs between texts (FNV-1a).
pub(super) fn dice(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[derive(Deserialize)]
struct CategoryFile {
    category: Vec<[String; 3]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreFile {
    slug: String,
    name: String,
    description: String,
    /// With `{n}` for the product's number, `{i}` for the variant's and `{o}` for its options.
    sku: String,
    product: Vec<ProductFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductFile {
    slug: String,
    title: String,
    text: String,
    r#in: String,
    draw: String,
    price: i64,
    was: Option<i64>,
    grams: i32,
    #[serde(default)]
    options: Vec<String>,
    #[serde(default)]
    stock: Vec<i64>,
    #[serde(default = "active")]
    status: String,
}

fn active() -> String {
    "active".to_owned()
}

/// One value of an option with what choosing it changes.
#[derive(Clone)]
struct Choice {
    value: String,
    surcharge: i64,
    grams: Option<i32>,
}

impl StoreFile {
    fn build(self, prefix: u32) -> Store {
        let Self { slug, name, description, sku, product } = self;
        let products = product.into_iter().zip(1..).map(|(file, number)| file.build(&sku, prefix, number));
        Store { slug, name, description, currency: "GBP".to_owned(), products: products.collect() }
    }
}

impl ProductFile {
    fn build(self, sku: &str, prefix: u32, number: u32) -> Product {
        let options: Vec<(String, Vec<Choice>)> = self.options.iter().map(|text| option(text)).collect();
        let combinations = options.iter().fold(vec![Vec::new()], |rows: Vec<Vec<Choice>>, (_, choices)| {
            let extend = |row: &Vec<Choice>, choice: &Choice| [row.as_slice(), &[choice.clone()]].concat();
            rows.iter().flat_map(|row| choices.iter().map(move |choice| extend(row, choice))).collect()
        });
        assert!(
            self.stock.is_empty() || self.stock.len() == combinations.len(),
            "{} has {} variants and {} stock numbers",
            self.slug,
            combinations.len(),
            self.stock.len()
        );
        let variants = combinations.iter().enumerate().map(|(index, row)| {
            let surcharge: i64 = row.iter().map(|choice| choice.surcharge).sum();
            let position = u32::try_from(index + 1).expect("a product has few variants");
            let sku = sku_of(sku, number, position, row);
            Variant {
                barcode: ean13(prefix, number, position),
                options: row.iter().map(|choice| choice.value.clone()).collect(),
                price: self.price + surcharge,
                compare_at_price: self.was.map(|was| was + surcharge),
                weight_grams: row.iter().rev().find_map(|choice| choice.grams).unwrap_or(self.grams),
                stock: self.stock.get(index).copied().unwrap_or_else(|| usual_stock(&sku)),
                sku,
            }
        });
        let mut words = self.draw.split_whitespace().map(str::to_owned);
        Product {
            variants: variants.collect(),
            look: Look { motif: words.next().unwrap_or_default(), words: words.collect() },
            images: vec![Image {
                file: format!("{}.svg", self.slug),
                alt: format!("Illustration: {}", self.title),
            }],
            categories: self.r#in.split_whitespace().map(str::to_owned).collect(),
            options: options
                .into_iter()
                .map(|(name, choices)| ProductOption {
                    name,
                    values: choices.into_iter().map(|choice| choice.value).collect(),
                })
                .collect(),
            slug: self.slug,
            title: self.title,
            description: self.text,
            status: self.status,
        }
    }
}

/// Reads `Name: value +surcharge =grams, value`.
fn option(text: &str) -> (String, Vec<Choice>) {
    let (name, values) = text.split_once(": ").expect("an option is written `Name: values`");
    (name.to_owned(), values.split(", ").map(choice).collect())
}

fn choice(text: &str) -> Choice {
    let mut choice = Choice { value: String::new(), surcharge: 0, grams: None };
    for word in text.split_whitespace() {
        if let Some(surcharge) = word.strip_prefix('+') {
            choice.surcharge = surcharge.parse().expect("a surcharge is a number of minor units");
        } else if let Some(grams) = word.strip_prefix('=').and_then(|it| it.strip_suffix('g')) {
            choice.grams = Some(grams.parse().expect("a weight is a number of grams"));
        } else {
            let space = if choice.value.is_empty() { "" } else { " " };
            choice.value = format!("{}{space}{word}", choice.value);
        }
    }
    choice
}

/// Fills a store's article number scheme.
fn sku_of(scheme: &str, product: u32, variant: u32, row: &[Choice]) -> String {
    let codes: Vec<String> = row.iter().map(|choice| code(&choice.value)).collect();
    let codes = if codes.is_empty() { "STD".to_owned() } else { codes.join("-") };
    scheme
        .replace("{n}", &format!("{product:03}"))
        .replace("{i}", &format!("{variant:02}"))
        .replace("{o}", &codes)
}

/// `Whole bean` becomes `WHBE` and `250 g` becomes `250G`: two letters of each word, numbers in full.
fn code(value: &str) -> String {
    let words: Vec<&str> = value.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty()).collect();
    let letters = if words.len() == 1 { 3 } else { 2 };
    words
        .iter()
        .map(|word| {
            let whole = word.starts_with(|c: char| c.is_ascii_digit());
            word.chars().take(if whole { 6 } else { letters }).collect::<String>().to_uppercase()
        })
        .collect()
}

/// Mostly healthy stock, some low and a little sold out, where the content does not say.
fn usual_stock(sku: &str) -> i64 {
    let number = i64::try_from(dice(sku) >> 33).expect("31 bits fit");
    match number % 100 {
        0..4 => 0,
        4..14 => 1 + number % 3,
        _ => 8 + number % 53,
    }
}

/// An EAN-13 for use inside one company, with its check digit.
fn ean13(prefix: u32, product: u32, variant: u32) -> String {
    let body = format!("{prefix:02}{product:06}{variant:04}");
    let digit = check_digit(&body);
    format!("{body}{digit}")
}

/// The last digit of an EAN-13 from its first twelve (GS1 General Specifications, 7.9).
fn check_digit(body: &str) -> u32 {
    let sum: u32 =
        body.chars().filter_map(|c| c.to_digit(10)).zip([1, 3].into_iter().cycle()).map(|(d, w)| d * w).sum();
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

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

    #[test]
    fn reads_options() {
        let (name, choices) = option("Size: 250 g =270g, 1 kg +2250 =1030g");
        assert_eq!(name, "Size");
        assert_eq!(
            (choices[1].value.as_str(), choices[1].surcharge, choices[1].grams),
            ("1 kg", 2250, Some(1030))
        );
        assert_eq!(code("Whole bean"), "WHBE");
        assert_eq!(code("Forest"), "FOR");
    }
}
