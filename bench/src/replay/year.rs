//! The lines of the file as what happened: who bought what, and which purchase each cancellation gives back.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::lines::{Line, pence};

/// Something that is sold: a stock code at one of its prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ware {
    /// The stock code.
    pub(super) code: String,
    /// The price, in thousandths of a pound.
    pub(super) price: i64,
}

impl Ware {
    /// What it is sold at, in pennies.
    pub(super) const fn pence(&self) -> i64 {
        pence(self.price)
    }

    /// The price as it stands in the file, with all decimals: tells the variants of a product apart.
    pub(super) fn shown(&self) -> String {
        format!("{}.{:03}", self.price / 1_000, self.price % 1_000)
    }
}

/// Pieces of a ware, by its place among the wares.
pub(super) type Pieces = BTreeMap<usize, i64>;

/// A clean invoice. Lines with the same stock code and price are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Purchase {
    /// Its number.
    pub(super) invoice: String,
    /// Whose it is; none is a guest's.
    pub(super) customer: Option<String>,
    /// What was bought.
    pub(super) pieces: Pieces,
}

/// What a cancellation gives back of one purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refund {
    /// The cancellation's number.
    pub(super) invoice: String,
    /// The place of the purchase.
    pub(super) purchase: usize,
    /// What goes back.
    pub(super) pieces: Pieces,
}

/// What happened, by its place among the purchases or refunds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// An order, paid.
    Buy(usize),
    /// A refund.
    GiveBack(usize),
}

/// Lines of cancellations, and what they come to in pennies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cancelled {
    /// How many.
    pub(super) lines: usize,
    /// What of them goes back.
    pub(super) found: i64,
    /// What of them does not: nothing like it was bought by then, or not as much.
    pub(super) missing: i64,
}

/// What happened in the year, or in the first part of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Year {
    /// What is sold.
    pub(super) wares: Vec<Ware>,
    /// The name of each stock code.
    pub(super) titles: BTreeMap<String, String>,
    /// Clean invoices, in their order.
    pub(super) purchases: Vec<Purchase>,
    /// Refunds, in their order.
    pub(super) refunds: Vec<Refund>,
    /// Both, in their order.
    pub(super) events: Vec<Event>,
    /// Lines of cancellations whose purchase was found with as many pieces left.
    pub(super) whole: Cancelled,
    /// With fewer.
    pub(super) partly: Cancelled,
    /// Not found.
    pub(super) unknown: Cancelled,
}

impl Year {
    /// The first so many clean invoices, and the cancellations before the next one.
    pub(super) fn of(lines: &[Line], most: usize) -> Self {
        let mut year = Self::default();
        let mut wares = HashMap::new();
        let mut bought: HashMap<(&str, usize), Vec<(usize, i64)>> = HashMap::new();
        for invoice in invoices(lines) {
            let first = invoice[0];
            if is_clean(&invoice) {
                if year.purchases.len() == most {
                    break;
                }
                let place = year.purchases.len();
                let purchase = year.purchase(&invoice, &mut wares);
                for (&ware, &quantity) in &purchase.pieces {
                    if let Some(customer) = &first.customer {
                        bought.entry((customer, ware)).or_default().push((place, quantity));
                    }
                }
                year.purchases.push(purchase);
                year.events.push(Event::Buy(place));
            } else if first.invoice.starts_with('C') {
                year.cancel(&invoice, &wares, &mut bought);
            }
        }
        year
    }

    fn purchase<'a>(&mut self, invoice: &[&'a Line], wares: &mut HashMap<(&'a str, i64), usize>) -> Purchase {
        let mut pieces = Pieces::new();
        for line in invoice {
            let ware = *wares.entry((&line.code, line.price)).or_insert_with(|| {
                self.wares.push(Ware { code: line.code.clone(), price: line.price });
                self.wares.len() - 1
            });
            let title = self.titles.entry(line.code.clone()).or_default();
            if title.is_empty() {
                line.title.trim().clone_into(title);
            }
            *pieces.entry(ware).or_default() += line.quantity;
        }
        let Line { invoice, customer, .. } = invoice[0];
        Purchase { invoice: invoice.clone(), customer: customer.clone(), pieces }
    }

    /// Finds what a cancellation gives back: of what this customer bought last at that price, first.
    fn cancel<'a>(
        &mut self,
        invoice: &[&'a Line],
        wares: &HashMap<(&'a str, i64), usize>,
        bought: &mut HashMap<(&'a str, usize), Vec<(usize, i64)>>,
    ) {
        let mut back: BTreeMap<usize, Pieces> = BTreeMap::new();
        for line in invoice.iter().filter(|line| line.quantity < 0) {
            let ware = wares.get(&(line.code.as_str(), line.price)).copied();
            let kept = line.customer.as_deref().zip(ware).and_then(|key| bought.get_mut(&key));
            let mut wanted = -line.quantity;
            for (purchase, left) in kept.into_iter().flatten().rev() {
                let taken = wanted.min(*left);
                if let Some(ware) = ware.filter(|_| taken > 0) {
                    (*left, wanted) = (*left - taken, wanted - taken);
                    *back.entry(*purchase).or_default().entry(ware).or_default() += taken;
                }
            }
            let count = match wanted {
                0 => &mut self.whole,
                _ if wanted == -line.quantity => &mut self.unknown,
                _ => &mut self.partly,
            };
            count.lines += 1;
            count.missing += wanted * line.pence();
            count.found += (-line.quantity - wanted) * line.pence();
        }
        for (purchase, pieces) in back {
            self.events.push(Event::GiveBack(self.refunds.len()));
            self.refunds.push(Refund { invoice: invoice[0].invoice.clone(), purchase, pieces });
        }
    }

    /// What these pieces come to, in pennies.
    pub(super) fn worth(&self, pieces: &Pieces) -> i64 {
        pieces.iter().map(|(&ware, quantity)| quantity * self.wares[ware].pence()).sum()
    }

    /// The customers, each once.
    pub(super) fn customers(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        let all = self.purchases.iter().filter_map(|purchase| purchase.customer.as_deref());
        all.filter(|customer| seen.insert(*customer)).collect()
    }
}

/// The lines by invoice, in the order in which the invoices begin.
fn invoices(lines: &[Line]) -> Vec<Vec<&Line>> {
    let (mut places, mut invoices) = (HashMap::new(), Vec::new());
    for line in lines {
        let place = *places.entry(line.invoice.as_str()).or_insert_with(|| {
            invoices.push(Vec::new());
            invoices.len() - 1
        });
        invoices[place].push(line);
    }
    invoices
}

fn is_clean(invoice: &[&Line]) -> bool {
    !invoice[0].invoice.starts_with(['A', 'C'])
        && invoice.iter().all(|line| line.quantity > 0 && line.price > 0)
}
