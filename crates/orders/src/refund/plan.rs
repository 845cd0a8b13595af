//! What goes back of which line: pure arithmetic.

use catalog::{StoreId, VariantId};
use payments::Share;
use platform::{Currency, Detail, Money};
use serde_json::json;

use super::{RefundLineRequest, RefundRequest};
use crate::Error;

/// A line of an order, and what has gone back of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) position: i32,
    pub(super) variant: VariantId,
    pub(super) store: StoreId,
    pub(super) unit_price: i64,
    pub(super) units: i32,
    pub(super) units_back: i32,
    /// What it came to.
    pub(super) sold: Share,
    /// What has gone back of that, or is on its way.
    pub(super) back: Share,
}

impl Line {
    const fn left(&self) -> i64 {
        self.sold.amount - self.back.amount
    }

    const fn units_left(&self) -> i32 {
        self.units - self.units_back
    }

    fn giving(&self, quantity: i32, amount: i64) -> Part {
        Part { line: *self, quantity, share: self.sold.going_back(&self.back, amount) }
    }
}

/// What goes back of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) line: Line,
    pub(super) quantity: i32,
    pub(super) share: Share,
}

/// Decides what goes back of these lines.
///
/// # Errors
/// When a line is not among them, or less is left than is asked for; with the place of what is wrong.
pub(super) fn plan(lines: &[Line], request: &RefundRequest, currency: Currency) -> Result<Vec<Part>, Error> {
    let parts = match (request.lines.as_slice(), request.amount) {
        ([], None) => lines.iter().map(|line| line.giving(line.units_left(), line.left())).collect(),
        ([], Some(amount)) => spread(lines, amount, currency)?,
        (wanted, _) => chosen(lines, wanted, currency)?,
    };
    let parts: Vec<Part> = parts.into_iter().filter(|part| part.share.amount > 0).collect();
    if parts.is_empty() {
        return Err(Error::RefundTooLarge(vec![Detail::new(
            "",
            "nothing_left",
            "nothing of it is left to go back",
        )]));
    }
    Ok(parts)
}

/// An amount over all lines, by what is left of each.
pub(super) fn spread(lines: &[Line], amount: Money, currency: Currency) -> Result<Vec<Part>, Error> {
    if amount.currency != currency {
        let message = format!("the order is in {currency}");
        return Err(Error::InvalidRefund(vec![Detail::new("amount.currency", "currency_mismatch", message)]));
    }
    let left: i64 = lines.iter().map(Line::left).sum();
    if amount.amount > left {
        return Err(Error::RefundTooLarge(vec![too_large("amount".to_owned(), Money::new(left, currency))]));
    }
    let weights: Vec<u64> = lines.iter().map(|line| line.left().unsigned_abs()).collect();
    let parts = amount.split(&weights);
    Ok(lines.iter().zip(parts).map(|(line, part)| line.giving(0, part.amount)).collect())
}

fn chosen(lines: &[Line], wanted: &[RefundLineRequest], currency: Currency) -> Result<Vec<Part>, Error> {
    let (mut parts, mut unknown, mut too_much) = (Vec::new(), Vec::new(), Vec::new());
    for (place, want) in wanted.iter().enumerate() {
        let field = |name: &str| format!("lines[{place}].{name}");
        let seen = wanted[..place].iter().any(|other| other.position == want.position);
        let line = lines.iter().find(|line| line.position == want.position && !seen);
        let Some(line) = line else {
            let (code, message) = if seen {
                ("twice", "this line is there already")
            } else {
                ("unknown", "the order has no such line that you may refund")
            };
            unknown.push(Detail::new(field("position"), code, message));
            continue;
        };
        let quantity = want.quantity.unwrap_or(if want.amount.is_some() { 0 } else { line.units_left() });
        if quantity > line.units_left() {
            let message = format!("only {} of them are left to go back", line.units_left());
            let facts = json!({"left": line.units_left()});
            too_much.push(Detail::new(field("quantity"), "too_many", message).with_facts(facts));
            continue;
        }
        let price = line.unit_price.saturating_mul(i64::from(quantity)).min(line.left());
        let whole = quantity == line.units_left() && want.quantity.is_none();
        let amount = want.amount.unwrap_or(if whole { line.left() } else { price });
        if amount > line.left() {
            too_much.push(too_large(field("amount"), Money::new(line.left(), currency)));
            continue;
        }
        parts.push(line.giving(quantity, amount));
    }
    if !unknown.is_empty() {
        return Err(Error::InvalidRefund(unknown));
    }
    if !too_much.is_empty() {
        return Err(Error::RefundTooLarge(too_much));
    }
    Ok(parts)
}

fn too_large(field: String, left: Money) -> Detail {
    let message = format!("only {left} is left to go back");
    Detail::new(field, "too_large", message).with_facts(json!({"left": left}))
}
