//! What the stock codes stand for: goods, or postage and other entries that are no goods.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::{ProductStatus, PutProduct, PutVariant};
use platform::{Currency, Money, Slug};
use time::OffsetDateTime;

use super::line::{Line, Meaning};
use super::titles;
use crate::import::amount;

/// Codes that are no goods; vouchers (`gift_...`) are none either.
const NO_GOODS: [&str; 11] =
    ["AMAZONFEE", "B", "BANK CHARGES", "C2", "CRUK", "D", "DOT", "M", "PADS", "POST", "S"];

/// What a stock code was found to be so far.
#[derive(Clone, Debug)]
pub(crate) struct Good {
    /// The stock code.
    pub(crate) code: Arc<str>,
    /// Its last title, such as a shopper reads.
    pub(crate) title: Arc<str>,
    /// Of the last sale, in minor units; of the last return when it was never sold.
    price: i64,
    sold: bool,
    since: OffsetDateTime,
    /// When that sale was.
    last: OffsetDateTime,
    /// The description that `title` was made of.
    raw: Box<str>,
}

/// All stock codes that were sold or came back.
#[derive(Debug, Default)]
pub(crate) struct Goods(HashMap<Arc<str>, Good>);

impl Goods {
    /// Takes a good line. Gives what its code is now known to be, and whether the code is new.
    pub(crate) fn take(&mut self, line: &Line<'_>, meaning: Meaning, unit_price: i64) -> (&Good, bool) {
        let new = !self.0.contains_key(line.code);
        let code = if new { Arc::from(line.code) } else { Arc::clone(&self.0[line.code].code) };
        let good = self.0.entry(Arc::clone(&code)).or_insert_with(|| Good {
            title: Arc::clone(&code),
            code,
            price: unit_price,
            sold: false,
            since: line.at,
            last: line.at,
            raw: Box::default(),
        });
        let is_sale = meaning == Meaning::Sale;
        good.since = good.since.min(line.at);
        if (is_sale, line.at) >= (good.sold, good.last) {
            good.last = line.at;
            good.price = unit_price;
            if !line.description.is_empty() && *good.raw != *line.description {
                good.title = titles::nice(line.description).into();
                good.raw = line.description.into();
            }
        }
        good.sold |= is_sale;
        (good, new)
    }

    /// All of them as products, by code.
    pub(crate) fn into_products(self, currency: Currency) -> Vec<PutProduct> {
        let mut goods: Vec<Good> = self.0.into_values().collect();
        goods.sort_unstable_by(|a, b| a.code.cmp(&b.code));
        goods.into_iter().map(|good| good.product(good.status(), currency)).collect()
    }
}

impl Good {
    /// On sale is what is goods and was sold for something.
    fn status(&self) -> ProductStatus {
        if self.sold && self.price > 0 && is_goods(&self.code) {
            ProductStatus::Active
        } else {
            ProductStatus::Archived
        }
    }

    /// The product that stands in while the rest of the file is still unknown.
    pub(crate) fn provisional(&self, currency: Currency) -> PutProduct {
        self.product(ProductStatus::Archived, currency)
    }

    fn product(&self, status: ProductStatus, currency: Currency) -> PutProduct {
        PutProduct {
            external_ref: self.code.as_ref().to_owned(),
            slug: Slug::from_text(&self.title),
            title: self.title.as_ref().to_owned(),
            description: String::new(),
            vendor: None,
            tags: Vec::new(),
            status,
            options: Vec::new(),
            images: Vec::new(),
            categories: Vec::new(),
            variants: vec![PutVariant {
                sku: Some(self.code.as_ref().to_owned()),
                barcode: None,
                options: Vec::new(),
                price: Money::new(self.price, currency),
                compare_at_price: None,
                weight_grams: 0,
                image_url: None,
            }],
            created_at: Some(self.since),
        }
    }
}

fn is_goods(code: &str) -> bool {
    let code = code.to_ascii_uppercase();
    !NO_GOODS.contains(&code.as_str()) && !code.starts_with("GIFT_")
}

/// What a line comes to and what one unit costs, in minor units, each rounded by itself: halves away from
/// zero. Both are positive, also of a return. None when they are too much to count.
pub(crate) fn amounts(line: &Line<'_>, currency: Currency) -> Option<(i64, i64)> {
    let total = amount::minor_units(line.amount().abs(), currency)?;
    let unit_price = amount::minor_units(line.unit_price, currency)?;
    Some((total, unit_price))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;
    use time::macros::datetime;

    fn line<'a>(code: &'a str, description: &'a str) -> Line<'a> {
        Line {
            invoice: "1",
            code,
            description,
            quantity: 2,
            at: datetime!(2010-12-01 08:26 UTC),
            unit_price: Decimal::ONE,
            customer: None,
            country: "France",
        }
    }

    #[test]
    fn the_last_sale_names_and_prices_a_product() {
        let mut goods = Goods::default();
        assert!(goods.take(&line("1A", "OLD HEART"), Meaning::Sale, 100).1);
        assert!(!goods.take(&line("1A", "NEW HEART"), Meaning::Sale, 120).1);
        goods.take(&line("1A", "RETURNED"), Meaning::Return, 90);
        goods.take(&line("1a", ""), Meaning::Return, 90);
        goods.take(&line("POST", "POSTAGE"), Meaning::Sale, 90);
        let products = goods.into_products(Currency::GBP);
        let told: Vec<_> =
            products.iter().map(|p| (p.title.as_str(), p.variants[0].price.amount, p.status)).collect();
        assert_eq!(
            told,
            [
                ("New Heart", 120, ProductStatus::Active),
                ("1a", 90, ProductStatus::Archived),
                ("Postage", 90, ProductStatus::Archived),
            ]
        );
    }

    #[test]
    fn knows_what_is_no_goods() {
        assert!(["85123A", "DCGS0003", "DCGSSBOY"].into_iter().all(is_goods));
        assert!(["POST", "m", "BANK CHARGES", "gift_0001_40"].into_iter().all(|code| !is_goods(code)));
    }

    #[test]
    fn rounds_totals_and_unit_prices_each_by_itself() {
        let sub_penny = Line { quantity: 15, unit_price: Decimal::new(1, 3), ..line("PADS", "") };
        assert_eq!(amounts(&sub_penny, Currency::GBP), Some((2, 0)));
        let returned = Line { quantity: -3, ..line("1", "") };
        assert_eq!(amounts(&returned, Currency::GBP), Some((300, 100)));
    }
}
