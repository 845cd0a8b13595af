//! What both books are compared by: what was moved, of which thing, and which part of that.

use platform::Id;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ledger::Rule;
use crate::provider::LineKind;

/// The name in the ledger of what the marketplace took out of a provider, and of what it put in.
pub(super) const WITHDRAWAL: &str = "withdrawal";
/// The same, the other way.
pub(super) const DEPOSIT: &str = "deposit";
/// The name in the ledger of what somebody corrected who resolved an exception.
pub(super) const CORRECTION: &str = "reconciliation";
/// And of what is taken back with it that was in another currency.
pub(super) const REVERSAL: &str = "reconciliation_reversal";

/// Such as "refund", for people.
pub(super) const fn told(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Charge => "payment",
        LineKind::Refund => "refund",
        LineKind::RefundFailed => "refund that came back",
        LineKind::Dispute => "dispute",
        LineKind::DisputeReversed => "dispute that was won",
        LineKind::Payout => "payout",
        LineKind::PayoutFailed => "payout that came back",
        LineKind::Withdrawal => "withdrawal",
        LineKind::Other => "movement",
    }
}

/// Which part of a line an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What came in or went out, before the fee.
    Amount,
    /// The fee.
    Fee,
    /// What somebody corrected: of no line.
    Correction,
}

impl Part {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::Fee => "fee",
            Self::Correction => "correction",
        }
    }

    pub(super) fn stored(text: &str) -> Result<Self, sqlx::Error> {
        [Self::Amount, Self::Fee, Self::Correction]
            .into_iter()
            .find(|part| part.as_str() == text)
            .ok_or_else(|| sqlx::Error::Decode(format!("{text:?} is no part of a line").into()))
    }
}

/// What an entry on a provider's account is to be compared with: by the kind of its transaction, what that is of, and the
/// rule that moved it. What no line can be of stays alone.
pub(super) fn of_entry(
    kind: &str,
    reference: Uuid,
    payment: Option<Uuid>,
    rule: Rule,
) -> (LineKind, Uuid, Part) {
    let part = match rule {
        Rule::ProcessingFee | Rule::DisputeFee => Part::Fee,
        _ if kind == CORRECTION || kind == REVERSAL => Part::Correction,
        _ => Part::Amount,
    };
    let (line, subject) = match kind {
        "sale" | "receipt" => (LineKind::Charge, payment.unwrap_or(reference)),
        "processing_fee" => (LineKind::Charge, reference),
        "refund" => (LineKind::Refund, reference),
        "refund_failed" => (LineKind::RefundFailed, reference),
        "dispute_opened" => (LineKind::Dispute, reference),
        "dispute_won" => (LineKind::DisputeReversed, reference),
        "payout_sent" => (LineKind::Payout, reference),
        "payout_returned" => (LineKind::PayoutFailed, reference),
        WITHDRAWAL | DEPOSIT => (LineKind::Withdrawal, reference),
        _ => (LineKind::Other, reference),
    };
    (line, subject, part)
}

/// What a withdrawal goes by in the ledger: nobody asked Souk for it, and only its line names it.
pub(super) fn withdrawal(provider: &str, line: &str) -> Id<Withdrawal> {
    Id::derived(OffsetDateTime::UNIX_EPOCH, &["payments.withdrawal", provider, line])
}

/// What the marketplace took out of a provider's balance, or put into it.
pub(super) struct Withdrawal;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

    use super::*;
    use crate::ledger::{AccountKind, POSTING_RULES};

    /// Each rule that moves a provider's balance belongs to a kind of line, but for corrections by hand.
    #[test]
    fn every_rule_that_moves_the_balance_is_of_a_line() {
        let kinds = [
            (Rule::Sale, "sale"),
            (Rule::ProcessingFee, "processing_fee"),
            (Rule::Receipt, "receipt"),
            (Rule::ReceiptRefund, "refund"),
            (Rule::Refund, "refund"),
            (Rule::RefundFailed, "refund_failed"),
            (Rule::Dispute, "dispute_opened"),
            (Rule::DisputeFee, "dispute_opened"),
            (Rule::DisputeWon, "dispute_won"),
            (Rule::PayoutSent, "payout_sent"),
            (Rule::PayoutReturned, "payout_returned"),
            (Rule::AdjustmentToProvider, CORRECTION),
            (Rule::AdjustmentFromProvider, REVERSAL),
            (Rule::Withdrawal, WITHDRAWAL),
            (Rule::Deposit, DEPOSIT),
        ];
        for (rule, name, debit, credit) in POSTING_RULES {
            if debit != AccountKind::Provider && credit != AccountKind::Provider {
                continue;
            }
            let kind = kinds.iter().find(|(known, _)| *known == rule).unwrap_or_else(|| panic!("{name}")).1;
            let (line, _, part) = of_entry(kind, Uuid::nil(), None, rule);
            let by_hand = kind == CORRECTION || kind == REVERSAL;
            assert_eq!((line == LineKind::Other, part == Part::Correction), (by_hand, by_hand), "{name}");
        }
    }
}
