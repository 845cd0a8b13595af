//! The form in which the content is written, and how products are built from it.
use serde::Deserialize;

use super::{Image, Look, Product, ProductOption, Store, Variant, dice};

#[derive(Deserialize)]
pub(super) struct CategoryFile {
    pub(super) category: Vec<[String; 3]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreFile {
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
    pub(super) fn build(self, prefix: u32) -> Store {
        let Self { slug, name, description, sku, product } = self;
        let products = product.into_iter().zip(1..).map(|(file, number)| file.build(&sku, prefix, number));
        Store { slug, name, description, currency: "GBP".to_owned(), products: products.collect() }
    }
}

impl ProductFile {
    fn build(self, sku: &str, prefix: u32, number: u32) -> Product {
        let options: Vec<(String, Vec<Choice>)> = self.options.iter().map(|text| option(text)).collect();
        let combinations = options.iter().fold(vec![Vec::new()], |rows: Vec<Vec<Choice>>, (_, choices)| {
            let extend =
                |row: &Vec<Choice>, choice: &Choice| [row.as_slice(), std::slice::from_ref(choice)].concat();
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
pub(super) fn check_digit(body: &str) -> u32 {
    let sum: u32 =
        body.chars().filter_map(|c| c.to_digit(10)).zip([1, 3].into_iter().cycle()).map(|(d, w)| d * w).sum();
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

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
