//! Parts of a sale that go back: how much of each store's, and of the commission on it.

use platform::money::split;

use crate::sale::Share;

/// Splits an amount that goes back over the stores of a sale by what is left of each (largest remainder), with the
/// commission that goes back with it. `None` if there is less left.
pub(crate) fn proportional(amount: i64, sold: &[Share], before: &[Share]) -> Option<Vec<Share>> {
    let left = left(sold, before);
    let whole: u64 = left.iter().sum();
    if u64::try_from(amount).ok()? > whole {
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

/// Splits what a bank takes over the stores of a sale: by what is left of each, and what is more than that, since some went
/// back already, by what they sold. On the latter the marketplace earned nothing any more.
pub(crate) fn taken(amount: i64, sold: &[Share], before: &[Share]) -> Option<Vec<Share>> {
    let within = amount.min(i64::try_from(left(sold, before).iter().sum::<u64>()).ok()?);
    let parts = proportional(within, sold, before)?;
    let weights: Vec<u64> = sold.iter().map(|share| share.amount.unsigned_abs()).collect();
    let more = split(amount - within, &weights);
    let shares = sold.iter().zip(more).map(|(sold, more)| {
        let part = back(&parts, sold);
        Share { amount: part.amount + more, ..part }
    });
    let shares: Vec<Share> = shares.filter(|share| share.amount > 0).collect();
    (shares.iter().map(|share| share.amount).sum::<i64>() == amount).then_some(shares)
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

/// What is left of each store's part.
fn left(sold: &[Share], before: &[Share]) -> Vec<u64> {
    let left = |share: &Share| u64::try_from(share.amount - back(before, share).amount).unwrap_or(0);
    sold.iter().map(left).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Stores that sold so much, and earned the marketplace a tenth of it.
    fn shares(amounts: &[i64]) -> Vec<Share> {
        let stores = (1..).map(|number: u128| uuid::Uuid::from_u128(number).into());
        let share = |(store, amount): (_, &i64)| Share {
            store,
            amount: *amount,
            commission: amount / 10,
            commission_tax: 0,
        };
        stores.zip(amounts).map(share).collect()
    }

    fn amounts(shares: &[Share]) -> Vec<i64> {
        shares.iter().map(|share| share.amount).collect()
    }

    #[test]
    fn what_goes_back_goes_by_what_is_left() {
        let sold = shares(&[1000, 3000]);
        assert_eq!(amounts(&proportional(100, &sold, &[]).unwrap()), [25, 75]);
        let before = shares(&[1000, 0]);
        assert_eq!(amounts(&proportional(100, &sold, &before).unwrap()), [100]);
        assert_eq!(proportional(3001, &sold, &before), None);
        assert_eq!(proportional(-1, &sold, &[]), None);
    }

    /// A bank may take all of a payment of which some was given back already: the stores bear it, and of that part no
    /// commission comes back a second time.
    #[test]
    fn a_bank_may_take_more_than_is_left() {
        let (sold, before) = (shares(&[1000, 3000]), shares(&[1000, 1000]));
        let taken = taken(4000, &sold, &before).unwrap();
        assert_eq!(amounts(&taken), [500, 3500]);
        let commission: Vec<i64> = taken.iter().map(|share| share.commission).collect();
        assert_eq!(commission, [0, 200]);
    }
}
