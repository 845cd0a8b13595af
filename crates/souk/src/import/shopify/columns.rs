//! The columns of Shopify's product CSV, under their old and their new names.
//!
//! Names: <https://help.shopify.com/en/manual/products/import-export/using-csv>; the new ones came in 2024.

use csv::StringRecord;

/// How many options a product of Shopify has at most.
pub(crate) const OPTIONS: usize = 3;

/// A column that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Handle,
    Title,
    Body,
    Vendor,
    Category,
    Type,
    Tags,
    Published,
    Status,
    OptionName(usize),
    OptionValue(usize),
    Sku,
    Barcode,
    Price,
    CompareAtPrice,
    Quantity,
    Grams,
    ImageUrl,
    ImagePosition,
    ImageAlt,
    VariantImage,
}

impl Column {
    /// The column of this name, old or new, whatever its case, spaces and punctuation.
    fn of(name: &str) -> Option<Self> {
        let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        Some(match letters.to_ascii_lowercase().as_str() {
            "handle" | "urlhandle" => Self::Handle,
            "title" => Self::Title,
            "bodyhtml" | "description" => Self::Body,
            "vendor" => Self::Vendor,
            "productcategory" | "standardproducttype" => Self::Category,
            "type" | "customproducttype" => Self::Type,
            "tags" => Self::Tags,
            "published" | "publishedononlinestore" => Self::Published,
            "status" => Self::Status,
            "option1name" => Self::OptionName(0),
            "option1value" => Self::OptionValue(0),
            "option2name" => Self::OptionName(1),
            "option2value" => Self::OptionValue(1),
            "option3name" => Self::OptionName(2),
            "option3value" => Self::OptionValue(2),
            "variantsku" | "sku" => Self::Sku,
            "variantbarcode" | "barcode" => Self::Barcode,
            "variantprice" | "price" => Self::Price,
            "variantcompareatprice" | "compareatprice" => Self::CompareAtPrice,
            "variantinventoryqty" | "inventoryquantity" => Self::Quantity,
            "variantgrams" | "weightvaluegrams" => Self::Grams,
            "imagesrc" | "productimageurl" => Self::ImageUrl,
            "imageposition" => Self::ImagePosition,
            "imagealttext" => Self::ImageAlt,
            "variantimage" | "variantimageurl" => Self::VariantImage,
            _ => return None,
        })
    }
}

/// Where the columns of a file are.
#[derive(Debug)]
pub(crate) struct Columns(Vec<(Column, usize)>);

impl Columns {
    /// Finds them in the header.
    pub(crate) fn of(header: &StringRecord) -> anyhow::Result<Self> {
        let mut columns: Vec<(Column, usize)> = Vec::new();
        for (at, name) in header.iter().enumerate() {
            if let Some(column) = Column::of(name) {
                let twice = columns.iter().any(|(known, _)| *known == column);
                anyhow::ensure!(!twice, "the column {name:?} is there twice, under its old and its new name");
                columns.push((column, at));
            }
        }
        for (column, names) in [
            (Column::Handle, "\"Handle\" or \"URL handle\""),
            (Column::Title, "\"Title\""),
            (Column::Price, "\"Variant Price\" or \"Price\""),
        ] {
            let there = columns.iter().any(|(known, _)| *known == column);
            anyhow::ensure!(there, "this is not Shopify's product CSV: it has no column {names}");
        }
        Ok(Self(columns))
    }

    /// What stands in each column that is read, without spaces around it.
    pub(crate) fn cells<'a>(&self, record: &'a StringRecord) -> impl Iterator<Item = (Column, &'a str)> {
        self.0.iter().map(|(column, at)| (*column, record.get(*at).unwrap_or_default().trim()))
    }

    /// What stands in a column, without spaces around it; nothing when the file has no such column.
    pub(crate) fn get<'a>(&self, record: &'a StringRecord, column: Column) -> &'a str {
        let at = self.0.iter().find(|(known, _)| *known == column).map(|(_, at)| *at);
        at.and_then(|at| record.get(at)).unwrap_or_default().trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,\
        Variant Grams,Variant Inventory Qty,Variant Price,Variant Compare At Price,Variant Barcode,Image Src,\
        Image Position,Image Alt Text,Google Shopping / Google Product Category,Variant Image";
    const NEW: &str = "title,URL handle,Description,Vendor,Type,Tags,Published on online store,option1 name,\
        Option1 value,SKU,Weight value (grams),Inventory quantity,Price,Compare-at price,Barcode,Product image URL,\
        Image position,Image alt text,Price / International,Variant image URL";

    fn columns(header: &str) -> Columns {
        Columns::of(&header.split(',').collect::<Vec<_>>().into()).unwrap()
    }

    #[test]
    fn old_and_new_headers_name_the_same_columns() {
        let names = |columns: &Columns| {
            let mut names: Vec<_> = columns.0.iter().map(|(column, _)| format!("{column:?}")).collect();
            names.sort();
            names
        };
        assert_eq!(names(&columns(OLD)), names(&columns(NEW)));
        assert_eq!(columns(OLD).0.len(), 19);
    }

    #[test]
    fn reads_by_name_and_takes_short_rows() {
        let row: StringRecord = vec!["Teapot", " teapot "].into();
        assert_eq!(columns(NEW).get(&row, Column::Handle), "teapot");
        assert_eq!(columns(NEW).get(&row, Column::Price), "");
        assert_eq!(columns(NEW).get(&row, Column::OptionName(2)), "");
    }

    #[test]
    fn refuses_what_is_no_product_csv() {
        for header in ["a,b", "Handle,Title", "Handle,Title,Price,URL handle"] {
            assert!(Columns::of(&header.split(',').collect::<Vec<_>>().into()).is_err(), "{header}");
        }
    }
}
