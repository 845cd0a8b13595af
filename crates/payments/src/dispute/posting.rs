//! What a dispute moves in the ledger.

use time::OffsetDateTime;

use super::News;
use crate::ledger::{Draft, Owners, Rule};
use crate::sale::Share;
use crate::{DisputeId, PaymentId};

/// The provider takes the money; the stores' parts are held.
pub(super) fn opened(
    id: DisputeId,
    payment: PaymentId,
    news: &News<'_>,
    shares: &[Share],
    at: OffsetDateTime,
) -> Draft {
    let owners = Owners { provider: news.provider, ..Owners::default() };
    let draft = Draft::new("dispute_opened", id, news.amount.currency, at)
        .of_payment(payment)
        .moving(Rule::Dispute, news.amount.amount, &owners)
        .moving(Rule::DisputeFee, news.fee, &owners);
    shares.iter().fold(draft, |draft, share| {
        draft.moving(Rule::DisputeHold, share.amount, &Owners { store: Some(share.store), ..owners })
    })
}

/// Won: all is as it was but for the fee. Lost: the stores' parts are the buyer's, and the commission goes back as with a
/// refund.
pub(super) fn decided(
    id: DisputeId,
    payment: PaymentId,
    news: &News<'_>,
    shares: &[Share],
    won: bool,
    at: OffsetDateTime,
) -> Draft {
    let owners = Owners { provider: news.provider, ..Owners::default() };
    let taken: i64 = shares.iter().map(|share| share.amount).sum();
    let kind = if won { "dispute_won" } else { "dispute_lost" };
    let draft = Draft::new(kind, id, news.amount.currency, at).of_payment(payment);
    if won {
        let draft = draft.moving(Rule::DisputeWon, taken, &owners);
        return shares.iter().fold(draft, |draft, share| {
            let owners = Owners { store: Some(share.store), ..owners };
            draft.moving(Rule::DisputeRelease, share.amount, &owners)
        });
    }
    shares.iter().fold(draft, |draft, share| {
        let owners = Owners { store: Some(share.store), ..owners };
        draft
            .moving(Rule::DisputeLost, share.amount, &owners)
            .moving(Rule::CommissionRefund, share.commission, &owners)
            .moving(Rule::CommissionTaxRefund, share.commission_tax, &owners)
    })
}
