//! What may stand in the cells of a product's row. More would not fit the indexes of the database, and is
//! usually what a quote that is not closed made of several rows.

use csv::StringRecord;

use super::columns::{Column, Columns};
use crate::import::cell::{LONGEST, has_control, has_line_break, is_longer};

/// As of Shopify.
const LONGEST_DESCRIPTION: usize = 512 * 1024;
/// As of Shopify.
const MOST_TAGS: usize = 250;
/// What an index takes of a variant's options together, in bytes.
const LONGEST_OPTIONS: usize = 2_000;

/// Whether a cell goes over several lines that does not when all quotes are closed.
pub(crate) fn has_swallowed(columns: &Columns, row: &StringRecord) -> bool {
    let is_text = |column| matches!(column, Column::Body | Column::ImageAlt);
    columns.cells(row).any(|(column, text)| !is_text(column) && has_line_break(text))
}

/// Why the row can not be taken, if a cell holds too much or what is no text.
pub(crate) fn fault(columns: &Columns, row: &StringRecord) -> Option<&'static str> {
    let options: usize = columns
        .cells(row)
        .filter(|(column, _)| matches!(column, Column::OptionValue(_)))
        .map(|(_, text)| text.len())
        .sum();
    let together = (options > LONGEST_OPTIONS).then_some("the option values are too long together");
    columns.cells(row).find_map(|(column, text)| fault_of(column, text)).or(together)
}

fn fault_of(column: Column, text: &str) -> Option<&'static str> {
    let (too_long, control) = match column {
        Column::Handle => ("the handle is longer than 255 characters", "the handle has a control character"),
        Column::Title => ("the title is longer than 255 characters", "the title has a control character"),
        Column::Vendor => ("the vendor is longer than 255 characters", "the vendor has a control character"),
        Column::Type => ("the type is longer than 255 characters", "the type has a control character"),
        Column::OptionName(_) => {
            ("an option's name is longer than 255 characters", "an option's name has a control character")
        }
        Column::OptionValue(_) => {
            ("an option's value is longer than 255 characters", "an option's value has a control character")
        }
        Column::Sku => ("the SKU is longer than 255 characters", "the SKU has a control character"),
        Column::Barcode => {
            ("the barcode is longer than 255 characters", "the barcode has a control character")
        }
        Column::Category => {
            let name = text.rsplit('>').next().unwrap_or_default().trim();
            let too_long = "the product category is longer than 255 characters";
            return is_longer(name, LONGEST).then_some(too_long);
        }
        Column::Tags if text.split(',').count() > MOST_TAGS => return Some("there are more than 250 tags"),
        Column::Tags => {
            let is_long = text.split(',').any(|tag| is_longer(tag.trim(), LONGEST));
            return is_long.then_some("a tag is longer than 255 characters");
        }
        Column::Body => {
            return (text.len() > LONGEST_DESCRIPTION).then_some("the description is longer than 512 KiB");
        }
        _ => return None,
    };
    if is_longer(text, LONGEST) { Some(too_long) } else { has_control(text).then_some(control) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_cell_holds_too_much() {
        let header = "Handle,Title,Price,Body (HTML),Tags,Option1 Value,Option2 Value,Option3 Value,SKU";
        let columns = Columns::of(&header.split(',').collect::<Vec<_>>().into()).unwrap();
        let judge = |at: usize, text: &str| {
            let mut row = vec![""; 9];
            row[at] = text;
            let row = StringRecord::from(row);
            (has_swallowed(&columns, &row), fault(&columns, &row))
        };
        let long = "é".repeat(256);
        assert_eq!(judge(0, &long[2..]), (false, None));
        assert_eq!(judge(0, &long).1, Some("the handle is longer than 255 characters"));
        assert_eq!(judge(1, "a\tb").1, Some("the title has a control character"));
        assert!(judge(1, "a\nb").0 && judge(2, "1\n2").0 && judge(8, "x\ny").0);
        assert_eq!(judge(3, &"<p>\n</p>".repeat(1_000)), (false, None));
        assert_eq!(judge(3, &"x".repeat(512 * 1024 + 1)).1, Some("the description is longer than 512 KiB"));
        assert_eq!(judge(4, &"x,".repeat(250)).1, Some("there are more than 250 tags"));
        assert_eq!(judge(4, &format!("a, {long}")).1, Some("a tag is longer than 255 characters"));
        assert_eq!(judge(8, &long).1, Some("the SKU is longer than 255 characters"));
        let wide = "茶".repeat(250);
        let row = StringRecord::from(vec!["", "", "", "", "", &wide, &wide, &wide, ""]);
        assert_eq!(fault(&columns, &row), Some("the option values are too long together"));
    }
}
