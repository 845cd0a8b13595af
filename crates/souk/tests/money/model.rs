//! What stores should have, worked out from what was acknowledged, in arithmetic that shares nothing with Souk's.

/// What the marketplace takes of a sale: 7 %, and of that a tax of 20 %.
pub(crate) const COMMISSION: i64 = 70_000;
pub(crate) const TAX: i64 = 200_000;
const WHOLE: i64 = 1_000_000;

/// A store's line of an order; a store has one line at most in each.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Which store.
    pub(crate) store: usize,
    sold: i64,
    commission: i64,
    tax: i64,
    back: Vec<Back>,
}

/// Money of a line that goes back, or may.
#[derive(Clone, Debug)]
struct Back {
    /// The refund or dispute.
    of: String,
    disputed: bool,
    amount: i64,
    commission: i64,
    tax: i64,
    standing: Standing,
}

/// How that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A dispute that nobody decided yet: the money is held.
    Held,
    /// It is gone.
    Gone,
    /// It came to nothing: the store has it.
    Undone,
}

/// `of * numerator / denominator`, half a unit up.
const fn half_up(of: i64, numerator: i64, denominator: i64) -> i64 {
    (2 * of * numerator + denominator) / (2 * denominator)
}

/// The largest remainders get what rounding down leaves, the earlier of two that are the same.
pub(crate) fn shared(amount: i64, weights: &[i64]) -> Vec<i64> {
    let all: i64 = weights.iter().sum();
    let mut parts: Vec<i64> = weights.iter().map(|weight| amount * weight / all).collect();
    while parts.iter().sum::<i64>() < amount {
        let missing = |place: &usize| amount * weights[*place] - parts[*place] * all;
        let most = (0..parts.len()).rev().max_by_key(missing).unwrap();
        parts[most] += 1;
    }
    parts
}

/// The lines of an order, of what each store sold in it. Each store's commission is rounded for itself.
pub(crate) fn order(sold: &[(usize, i64)]) -> Vec<Line> {
    let line = |&(store, sold): &(usize, i64)| {
        let commission = half_up(sold, COMMISSION, WHOLE);
        Line { store, sold, commission, tax: half_up(commission, TAX, WHOLE), back: Vec::new() }
    };
    sold.iter().map(line).collect()
}

impl Line {
    /// What is left of it, of refunds alone or of disputes besides.
    pub(crate) fn left(&self, disputes: bool) -> i64 {
        let counts = |back: &&Back| back.standing != Standing::Undone && (disputes || !back.disputed);
        self.sold - self.back.iter().filter(counts).map(|back| back.amount).sum::<i64>()
    }

    /// A refund. Its commission is, over all refunds of the line, the same share as of its price, and never more than is
    /// left of it.
    pub(crate) fn refund(&mut self, of: &str, amount: i64) {
        self.give(of, amount, false);
    }

    /// A dispute: the same, over all that went back.
    pub(crate) fn dispute(&mut self, of: &str, amount: i64) {
        self.give(of, amount, true);
    }

    fn give(&mut self, of: &str, amount: i64, disputed: bool) {
        let live = || self.back.iter().filter(|back| back.standing != Standing::Undone);
        let counted = || live().filter(|back| disputed || !back.disputed);
        let so_far: i64 = counted().map(|back| back.amount).sum();
        let part = |whole: i64, of: fn(&Back) -> i64| {
            let due = half_up(whole, so_far + amount, self.sold) - counted().map(of).sum::<i64>();
            due.max(0).min(whole - live().map(of).sum::<i64>())
        };
        let (commission, tax) =
            (part(self.commission, |back| back.commission), part(self.tax, |back| back.tax));
        let standing = if disputed { Standing::Held } else { Standing::Gone };
        self.back.push(Back { of: of.to_owned(), disputed, amount, commission, tax, standing });
    }

    /// Says how a refund or a dispute stands now, if the line has to do with it.
    pub(crate) fn stands(&mut self, of: &str, standing: Standing) {
        for back in self.back.iter_mut().filter(|back| back.of == of) {
            back.standing = standing;
        }
    }

    /// Whether it knows of this refund or dispute.
    pub(crate) fn knows(&self, of: &str) -> bool {
        self.back.iter().any(|back| back.of == of)
    }

    /// What its store has of it, with what is held.
    pub(crate) fn worth(&self) -> i64 {
        let gone = self.back.iter().filter(|back| back.standing == Standing::Gone);
        self.sold
            - self.commission
            - self.tax
            - gone.map(|back| back.amount - back.commission - back.tax).sum::<i64>()
    }
}

#[test]
fn the_model_counts_as_people_do() {
    assert_eq!(shared(10, &[1, 1, 1]), [4, 3, 3]);
    let lines = order(&[(0, 1999), (1, 333)]);
    let parts: Vec<_> = lines.iter().map(|line| (line.commission, line.tax)).collect();
    assert_eq!(parts, [(140, 28), (23, 5)], "139.93 and 28, 23.31 and 4.6");
    let mut line = lines[0].clone();
    line.refund("a", 1000);
    line.refund("b", 999);
    assert_eq!((line.worth(), line.left(true)), (0, 0));
    line.stands("a", Standing::Undone);
    assert_eq!(line.left(true), 1000);
}
