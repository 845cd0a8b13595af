//! Tables that people can read and Markdown takes as they are.

/// Rows below a head; all of one length.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    /// A table without rows.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self(vec![head.iter().map(ToString::to_string).collect()])
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }

    /// The table as text: the first column to the left, the others, numbers, to the right.
    pub(crate) fn text(&self) -> String {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            self.0
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for (number, row) in self.0.iter().enumerate() {
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                text.push_str(if column == 0 { "| " } else { " | " });
                text.push_str(&if column == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                });
            }
            text.push_str(" |\n");
            if number == 0 {
                for (column, &width) in widths.iter().enumerate() {
                    text.push('|');
                    text.push_str(
                        &"-".repeat(width + usize::from(column == 0) * 2 + usize::from(column > 0)),
                    );
                    text.push_str(if column > 0 { ":" } else { "" });
                }
                text.push_str("|\n");
            }
        }
        text
    }
}

/// A whole number with commas between thousands.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let (sign, digits) = digits.split_at(usize::from(digits.starts_with('-')));
    let mut text = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds: more digits for short times.
pub(crate) fn milliseconds(value: f64) -> String {
    if value < 10.0 { format!("{value:.1}") } else { thousands(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(&["what", "orders/s"]);
        table.row(["uniform".to_owned(), "9".to_owned()]);
        table.row(["é".to_owned(), "10,000".to_owned()]);
        let expected = "\
| what    | orders/s |
|---------|---------:|
| uniform |        9 |
| é       |   10,000 |
";
        assert_eq!(table.text(), expected);
    }

    #[test]
    fn numbers_have_commas() {
        for (number, text) in
            [(0.0, "0"), (999.4, "999"), (999.6, "1,000"), (1_234_567.0, "1,234,567"), (-1_000.0, "-1,000")]
        {
            assert_eq!(thousands(number), text);
        }
        assert_eq!((milliseconds(2.34), milliseconds(1_234.0)), ("2.3".to_owned(), "1,234".to_owned()));
    }
}
