//! The rows of one product, put together.

use std::collections::HashSet;

use catalog::{Image, ProductOption, ProductStatus, PutProduct};
use csv::StringRecord;
use platform::{Currency, Slug};

use super::columns::{Column, Columns};
use super::variant::{self, OptionNames, Stocked};
use crate::import::report::Outcome;

/// A product that can be put.
#[derive(Debug)]
pub(crate) struct Assembled {
    /// The product, not yet in a category.
    pub(crate) product: PutProduct,
    /// The name of its category.
    pub(crate) category: Option<String>,
    /// The opening stock of its variants, in their order.
    pub(crate) stock: Vec<i64>,
}

/// What is to be said of a row: its place among the product's rows, what became of it, and why.
pub(crate) type Remark = (usize, Outcome, &'static str);

/// How a file is to be read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) columns: Columns,
    pub(crate) currency: Currency,
    pub(crate) unsaid_stock: i64,
}

/// Puts the rows of one handle together. Rows that can not be used are remarked on, and so are all rows
/// of a product that can not be made.
pub(crate) fn assemble(reading: &Reading, rows: &[&StringRecord]) -> (Option<Assembled>, Vec<Remark>) {
    let mut remarks: Vec<Remark> = Vec::new();
    let assembled = try_assemble(reading, rows, &mut remarks);
    if let Err(reason) = assembled {
        let refused: HashSet<usize> =
            remarks.iter().filter(|remark| remark.1 == Outcome::Refused).map(|remark| remark.0).collect();
        remarks.retain(|remark| remark.1 == Outcome::Refused);
        remarks.extend(
            (0..rows.len()).filter(|at| !refused.contains(at)).map(|at| (at, Outcome::Refused, reason)),
        );
        remarks.sort_unstable_by_key(|remark| remark.0);
    }
    (assembled.ok(), remarks)
}

fn try_assemble(
    reading: &Reading,
    rows: &[&StringRecord],
    remarks: &mut Vec<Remark>,
) -> Result<Assembled, &'static str> {
    let Reading { columns, currency, unsaid_stock } = reading;
    let get = |row, column| columns.get(row, column);
    let titled = rows.iter().position(|row| !get(row, Column::Title).is_empty());
    let titled = titled.ok_or("the product has no title")?;
    let details = rows[titled];
    let names = OptionNames::of(columns, rows);
    let mut seen = HashSet::new();
    let (mut variants, mut stock, mut images) = (Vec::new(), Vec::new(), Images::default());
    for (at, row) in rows.iter().enumerate() {
        let has_variant = at == titled || variant::is_there(columns, row);
        match images.add(columns, row) {
            Ok(None) => {}
            Ok(Some(reason)) => remarks.push((at, Outcome::Mended, reason)),
            Err(reason) if has_variant => remarks.push((at, Outcome::Mended, reason)),
            Err(reason) => remarks.push((at, Outcome::Refused, reason)),
        }
        if !has_variant {
            if get(row, Column::ImageUrl).is_empty() {
                remarks.push((at, Outcome::Refused, "the row has neither a variant nor an image"));
            }
            continue;
        }
        match variant::read(columns, row, &names, *currency, *unsaid_stock) {
            Err(reason) => remarks.push((at, Outcome::Refused, reason)),
            Ok((Stocked { variant, .. }, _)) if !seen.insert(variant.options.clone()) => {
                remarks.push((at, Outcome::Refused, "another row of the product has the same options"));
            }
            Ok((stocked, mended)) => {
                remarks.extend(mended.into_iter().map(|reason| (at, Outcome::Mended, reason)));
                variants.push(stocked.variant);
                stock.push(stocked.stock);
            }
        }
    }
    if variants.is_empty() {
        return Err("the product has no variant that can be imported");
    }
    let (status, remark) = status(get(details, Column::Status), get(details, Column::Published));
    remarks.extend(remark.map(|reason| (titled, Outcome::Mended, reason)));
    let options = names
        .iter()
        .enumerate()
        .map(|(number, name)| ProductOption {
            name: name.to_owned(),
            values: distinct(variants.iter().map(|variant| variant.options[number].as_str())),
        })
        .collect();
    let product = PutProduct {
        external_ref: get(details, Column::Handle).to_owned(),
        slug: Slug::from_text(get(details, Column::Handle)),
        title: get(details, Column::Title).to_owned(),
        description: get(details, Column::Body).to_owned(),
        vendor: Some(get(details, Column::Vendor)).filter(|vendor| !vendor.is_empty()).map(str::to_owned),
        tags: distinct(get(details, Column::Tags).split(',').map(str::trim).filter(|tag| !tag.is_empty())),
        status,
        options,
        images: images.in_order(),
        categories: Vec::new(),
        variants,
        created_at: None,
    };
    let category = category(get(details, Column::Type), get(details, Column::Category));
    Ok(Assembled { product, category, stock })
}

/// The product's own type, else the last step of its place in Shopify's taxonomy (`Home > Lighting > Lamps`).
fn category(own: &str, taxonomy: &str) -> Option<String> {
    let name = match own {
        "" => taxonomy.rsplit('>').next().unwrap_or_default().trim(),
        own => own,
    };
    let is_name = name.chars().any(char::is_alphabetic) && !name.starts_with("gid:");
    is_name.then(|| name.to_owned())
}

/// What a product's status is, and what is to be said of it. A blank "Published" means yes.
fn status(status: &str, published: &str) -> (ProductStatus, Option<&'static str>) {
    match (status.to_ascii_lowercase().as_str(), published.to_ascii_lowercase().as_str()) {
        ("active", _) | ("", "" | "true") => (ProductStatus::Active, None),
        ("draft", _) | ("", "false") => (ProductStatus::Draft, None),
        ("archived", _) => (ProductStatus::Archived, None),
        ("", _) => {
            (ProductStatus::Draft, Some("\"Published\" is neither true nor false: the product is a draft"))
        }
        _ => (
            ProductStatus::Draft,
            Some("the status is not active, draft or archived: the product is a draft"),
        ),
    }
}

fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashSet::new();
    words.filter(|word| seen.insert(*word)).map(str::to_owned).collect()
}

/// Pictures with the positions that the file gives them.
#[derive(Default)]
struct Images(Vec<(u64, Image)>);

impl Images {
    /// Adds the image of a row, if it has one, and gives a remark on it.
    fn add(&mut self, columns: &Columns, row: &StringRecord) -> Result<Option<&'static str>, &'static str> {
        let Some(url) = variant::url(columns.get(row, Column::ImageUrl))? else { return Ok(None) };
        if self.0.iter().any(|(_, image)| image.url == url) {
            return Ok(None);
        }
        let alt = columns.get(row, Column::ImageAlt).to_owned();
        let position = columns.get(row, Column::ImagePosition);
        let place = position.parse().ok();
        self.0.push((place.unwrap_or(u64::MAX), Image { url, alt }));
        let odd = place.is_none() && !position.is_empty();
        Ok(odd.then_some("the image's position is not a number: it comes after the others"))
    }

    fn in_order(mut self) -> Vec<Image> {
        self.0.sort_by_key(|(place, _)| *place);
        self.0.into_iter().map(|(_, image)| image).collect()
    }
}

#[cfg(test)]
mod tests;
