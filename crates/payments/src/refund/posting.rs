//! What a refund moves in the ledger.

use time::OffsetDateTime;

use super::row::Row;
use super::{Destination, Refund};
use crate::ledger::{Draft, Owners, Rule};

fn owners<'a>(row: &'a Row, destination: Destination) -> Owners<'a> {
    let buyer = match destination {
        Destination::Credit(buyer) => Some(buyer),
        Destination::Original => None,
    };
    Owners { provider: &row.provider, buyer, ..Owners::default() }
}

fn begun(kind: &'static str, refund: &Refund, at: OffsetDateTime) -> Draft {
    Draft::new(kind, refund.id, refund.amount.currency, at).of_payment(refund.payment)
}

/// The money goes back; so does the commission on it.
pub(super) fn given(row: &Row, at: OffsetDateTime) -> Draft {
    let owners = owners(row, row.destination);
    let draft = begun("refund", &row.refund, at);
    if row.unallocated {
        return draft.moving(Rule::ReceiptRefund, row.refund.amount.amount, &owners);
    }
    let back = match row.destination {
        Destination::Original => Rule::Refund,
        Destination::Credit(_) => Rule::RefundToCredit,
    };
    row.refund.shares.iter().fold(draft, |draft, share| {
        let owners = Owners { store: Some(share.store), ..owners };
        draft
            .moving(back, share.amount, &owners)
            .moving(Rule::CommissionRefund, share.commission, &owners)
            .moving(Rule::CommissionTaxRefund, share.commission_tax, &owners)
    })
}

/// It did not go back after all.
pub(super) fn failed(row: &Row, at: OffsetDateTime) -> Draft {
    let owners = owners(row, row.destination);
    let draft = begun("refund_failed", &row.refund, at);
    if row.unallocated {
        return draft.moving(Rule::Receipt, row.refund.amount.amount, &owners);
    }
    row.refund.shares.iter().fold(draft, |draft, share| {
        let owners = Owners { store: Some(share.store), ..owners };
        draft
            .moving(Rule::RefundFailed, share.amount, &owners)
            .moving(Rule::Commission, share.commission, &owners)
            .moving(Rule::CommissionTax, share.commission_tax, &owners)
    })
}
