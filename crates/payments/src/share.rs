//! Parts of a sale that go back: how much of each store's, and of the commission on it.

use crate::sale::Share;

/// Splits an amount that goes back over the stores of a sale by what is left of each (largest remainder), with the
/// commission that goes back with it. `None` if there is less left.
pub(crate) fn proportional(amount: i64, sold: &[Share], before: &[Share]) -> Option<Vec<Share>> {
    let left: Vec<i64> = sold.iter().map(|share| share.amount - back(before, share).amount).collect();
    let whole: i64 = left.iter().sum();
    if amount < 0 || amount > whole {
        return None;
    }
    let parts = split(amount, &left);
    Some(
        sold.iter()
            .zip(parts)
            .filter(|(_, part)| *part > 0)
            .map(|(sold, part)| sold.going_back(&back(before, sold), part))
            .collect(),
    )
}

impl Share {
    /// A part of this sale that goes back, with its commission: as much of it as of the sale, in all that went back so
    /// far. So when all has gone back, all of the commission has.
    #[must_use]
    pub fn going_back(&self, before: &Self, amount: i64) -> Self {
        let part = |of: i64, gone: i64| rate(of, before.amount + amount, self.amount) - gone;
        Self {
            store: self.store,
            amount,
            commission: part(self.commission, before.commission).max(0),
            commission_tax: part(self.commission_tax, before.commission_tax).max(0),
        }
    }
}

fn back(before: &[Share], of: &Share) -> Share {
    before.iter().find(|share| share.store == of.store).copied().unwrap_or(Share::none(of.store))
}

/// `of * numerator / denominator`, half up.
fn rate(of: i64, numerator: i64, denominator: i64) -> i64 {
    if denominator == 0 {
        return 0;
    }
    let (of, numerator, denominator) = (i128::from(of), i128::from(numerator), i128::from(denominator));
    i64::try_from((2 * of * numerator + denominator) / (2 * denominator)).unwrap_or(i64::MAX)
}

/// Splits an amount by weights with the largest-remainder method (Hamilton): the parts are the whole.
fn split(amount: i64, weights: &[i64]) -> Vec<i64> {
    let whole: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if whole == 0 {
        return vec![0; weights.len()];
    }
    let exact: Vec<i128> = weights.iter().map(|weight| i128::from(amount) * i128::from(*weight)).collect();
    let mut parts: Vec<i64> =
        exact.iter().map(|exact| i64::try_from(exact / whole).unwrap_or(i64::MAX)).collect();
    let mut rest = amount - parts.iter().sum::<i64>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|place| (std::cmp::Reverse(exact[*place] % whole), *place));
    for place in order {
        if rest == 0 {
            break;
        }
        parts[place] += 1;
        rest -= 1;
    }
    parts
}
