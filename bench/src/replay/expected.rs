//! What has to come out, straight from the lines of the file: knows nothing of orders, carts or refunds.

use std::collections::{HashMap, HashSet};

use super::lines::Line;

/// What the file says. Amounts are in pennies if they do not say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// Clean invoices: neither `C` nor `A`, and each line has a quantity and a price above zero.
    pub(super) invoices: usize,
    /// Their lines.
    pub(super) lines: usize,
    /// The same, with those of one invoice, stock code and price as one.
    pub(super) different: usize,
    /// Their pieces.
    pub(super) units: i64,
    /// Their sum as it stands there, in thousandths of a pound.
    pub(super) gross: i64,
    /// The same with each price rounded to a penny.
    pub(super) captured: i64,
    /// What of that the same customer cancelled later, at the same stock code and price.
    pub(super) refunded: i64,
}

/// Adds up the first so many clean invoices, and what was cancelled until the next one began.
pub(super) fn of(lines: &[Line], most: usize) -> Expected {
    let unclean: HashSet<&str> = lines
        .iter()
        .filter(|line| line.invoice.starts_with(['A', 'C']) || line.quantity <= 0 || line.price <= 0)
        .map(|line| line.invoice.as_str())
        .collect();
    let (mut invoices, mut different, mut sum) = (HashSet::new(), HashSet::new(), Expected::default());
    let mut has: HashMap<_, i64> = HashMap::new();
    for line in lines {
        let kept = (line.customer.as_deref(), line.code.as_str(), line.price);
        if !unclean.contains(line.invoice.as_str()) {
            if invoices.len() == most && !invoices.contains(line.invoice.as_str()) {
                break;
            }
            invoices.insert(line.invoice.as_str());
            different.insert((line.invoice.as_str(), line.code.as_str(), line.price));
            sum.lines += 1;
            sum.units += line.quantity;
            sum.gross += line.quantity * line.price;
            sum.captured += line.quantity * line.pence();
            *has.entry(kept).or_default() += line.quantity;
        } else if line.invoice.starts_with('C')
            && line.customer.is_some()
            && let Some(left) = has.get_mut(&kept)
        {
            let back = (-line.quantity).clamp(0, *left);
            *left -= back;
            sum.refunded += back * line.pence();
        }
    }
    (sum.invoices, sum.different) = (invoices.len(), different.len());
    sum
}
