//! One row's variant.

use catalog::PutVariant;
use csv::StringRecord;
use platform::{Currency, Money};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::columns::{Column, Columns, OPTIONS};
use crate::import::amount;

/// More units than this are taken for a mistake.
const MOST_UNITS: i64 = 1_000_000_000;

/// Of an address of a picture.
const LONGEST_ADDRESS: usize = 2_048;

/// A variant and its opening stock.
#[derive(Debug)]
pub(crate) struct Stocked {
    pub(crate) variant: PutVariant,
    pub(crate) stock: i64,
}

/// The names of a product's options, by their number in the file.
#[derive(Debug)]
pub(crate) struct OptionNames([Option<String>; OPTIONS]);

impl OptionNames {
    /// Finds them in a product's rows: usually they stand in the first one only. "Title" with the one
    /// value "Default Title" says that there is nothing to choose.
    pub(crate) fn of(columns: &Columns, rows: &[&StringRecord]) -> Self {
        let mut names = [const { None }; OPTIONS];
        for (number, name) in names.iter_mut().enumerate() {
            let said = |row| columns.get(row, Column::OptionName(number));
            *name = rows.iter().map(|row| said(row)).find(|name| !name.is_empty()).map(str::to_owned);
        }
        let default_only = rows.iter().all(|row| matches!(value(columns, row, 0), "" | "Default Title"));
        if names[0].as_deref() == Some("Title") && names[1..].iter().all(Option::is_none) && default_only {
            names[0] = None;
        }
        Self(names)
    }

    /// The names alone.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(String::as_str)
    }

    fn values(&self, columns: &Columns, row: &StringRecord) -> Result<Vec<String>, &'static str> {
        let mut values = Vec::new();
        for (number, name) in self.0.iter().enumerate() {
            let value = value(columns, row, number);
            match (name, value) {
                (Some(_), "") => return Err("an option has no value"),
                (Some(_), value) => values.push(value.to_owned()),
                (None, "" | "Default Title") => {}
                (None, _) => return Err("an option has a value but no name"),
            }
        }
        Ok(values)
    }
}

fn value<'a>(columns: &Columns, row: &'a StringRecord, number: usize) -> &'a str {
    columns.get(row, Column::OptionValue(number))
}

/// Whether the row has a variant, not only a picture.
pub(crate) fn is_there(columns: &Columns, row: &StringRecord) -> bool {
    let said = |column| !columns.get(row, column).is_empty();
    (0..OPTIONS).any(|number| said(Column::OptionValue(number)))
        || [Column::Price, Column::Sku, Column::Barcode, Column::Quantity].into_iter().any(said)
}

/// Reads the variant of a row. Gives it with remarks on what was mended, or the reason why it is refused.
pub(crate) fn read(
    columns: &Columns,
    row: &StringRecord,
    options: &OptionNames,
    currency: Currency,
    unsaid_stock: i64,
) -> Result<(Stocked, Vec<&'static str>), &'static str> {
    let mut remarks = Vec::new();
    let get = |column| columns.get(row, column);
    let price = match get(Column::Price) {
        "" => return Err("there is no price"),
        text => amount::price(text, currency)?,
    };
    let compare_at_price = match get(Column::CompareAtPrice) {
        "" => None,
        text => Some(amount::price(text, currency).map_err(compare_at)?).filter(|price| price.amount > 0),
    };
    let stock = match get(Column::Quantity) {
        "" => unsaid_stock,
        text => match amount::whole(text).filter(|quantity| *quantity <= MOST_UNITS) {
            None => return Err("the quantity is not a whole number up to a billion"),
            Some(quantity) if quantity < 0 => {
                remarks.push("the quantity is negative: the stock is none");
                0
            }
            Some(quantity) => quantity,
        },
    };
    let weight_grams = grams(get(Column::Grams)).unwrap_or_else(|| {
        remarks.push("the weight is not a number of grams: it is left out");
        0
    });
    let image_url = url(get(Column::VariantImage)).unwrap_or_else(|reason| {
        remarks.push(reason);
        None
    });
    let variant = PutVariant {
        sku: number(get(Column::Sku)),
        barcode: number(get(Column::Barcode)),
        options: options.values(columns, row)?,
        price,
        compare_at_price: compare_at_price.filter(|before: &Money| *before != price),
        weight_grams,
        image_url,
    };
    Ok((Stocked { variant, stock }, remarks))
}

/// The same complaint, of the other price.
fn compare_at(reason: &'static str) -> &'static str {
    match reason {
        "the price is negative" => "the compare-at price is negative",
        "the price has more decimals than its currency" => {
            "the compare-at price has more decimals than its currency"
        }
        "the price is too high" => "the compare-at price is too high",
        _ => "the compare-at price is not a number such as 12.50",
    }
}

fn grams(text: &str) -> Option<i32> {
    if text.is_empty() {
        return Some(0);
    }
    amount::decimal(text).filter(|grams| *grams >= Decimal::ZERO).and_then(|grams| grams.round().to_i32())
}

/// A number that spreadsheets would mangle has an apostrophe before it.
fn number(text: &str) -> Option<String> {
    let text = text.strip_prefix('\'').unwrap_or(text);
    (!text.is_empty()).then(|| text.to_owned())
}

/// An address of a picture, if one is given.
pub(crate) fn url(text: &str) -> Result<Option<String>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > LONGEST_ADDRESS {
        return Err("an image's address is longer than 2,048 characters: it is left out");
    }
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Some(text.to_owned())),
        _ => Err("an image is not at an http or https address: it is left out"),
    }
}
