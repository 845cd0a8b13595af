//! Stripe's own books: its balance transactions.
//!
//! Stripe lists the newest first, and gives the page next to a cursor on either side: `ending_before` the newer ones. Turned
//! round, such a page is what follows on the cursor, oldest first. Only the very first page has no cursor: it is found by
//! halving the time since Stripe began.

use time::OffsetDateTime;

use super::form::Form;
use super::wire::{self, BalanceTransaction, Expandable, List};
use super::{Stripe, amount};
use crate::provider::{BalanceLine, BalanceLines, LineKind, ProviderError};

/// As many as Stripe gives at a time.
const PAGE: u32 = 100;

/// The second of 1 January 2010: Stripe is younger.
const BEGINNING: i64 = 1_262_304_000;

impl Stripe {
    pub(super) async fn lines(&self, after: Option<&str>, limit: u32) -> Result<BalanceLines, ProviderError> {
        let limit = limit.clamp(1, PAGE);
        let Some(after) = after else {
            return self.first_lines(usize::try_from(limit).unwrap_or(usize::MAX)).await;
        };
        let page = self.page(Form::new().with("limit", limit).with("ending_before", after)).await?;
        read(&page.data, page.has_more)
    }

    async fn page(&self, query: Form) -> Result<List<BalanceTransaction>, ProviderError> {
        Ok(self.client.get(&["balance_transactions"], query.expand("data.source")).send().await?)
    }

    async fn first_lines(&self, limit: usize) -> Result<BalanceLines, ProviderError> {
        let everything = || Form::new().with("limit", PAGE);
        let mut page = self.page(everything()).await?;
        let is_all = !page.has_more;
        let (mut empty, mut full) = (BEGINNING, page.data.first().map_or(BEGINNING, |line| line.created + 1));
        while page.has_more || page.data.is_empty() {
            if full - empty <= 1 {
                break;
            }
            let half = empty + (full - empty) / 2;
            page = self.page(everything().with("created[lt]", half)).await?;
            match page.data.is_empty() {
                true => empty = half,
                false => full = half,
            }
        }
        if page.data.is_empty() && !is_all {
            page = self.page(everything().with("created[lt]", full)).await?;
        }
        // More than a page in its first second.
        while page.has_more
            && let Some(oldest) = page.data.last().map(|line| line.id.clone())
        {
            let older = everything().with("created[lt]", full).with("starting_after", oldest);
            page = self.page(older).await?;
        }
        let more = !is_all || page.data.len() > limit;
        let older = page.data.len().saturating_sub(limit);
        read(&page.data.split_off(older), more)
    }
}

/// Turns a page round.
fn read(newest_first: &[BalanceTransaction], more: bool) -> Result<BalanceLines, ProviderError> {
    let lines = newest_first.iter().rev().map(BalanceTransaction::line).collect::<Result<_, _>>()?;
    Ok(BalanceLines { lines, more })
}

impl BalanceTransaction {
    fn kind(&self) -> LineKind {
        match self.reporting_category.as_str() {
            "charge" => LineKind::Charge,
            "refund" => LineKind::Refund,
            "refund_failure" => LineKind::RefundFailed,
            "dispute" => LineKind::Dispute,
            "dispute_reversal" => LineKind::DisputeReversed,
            // To a store's account: what Stripe calls a payout is the marketplace's own.
            "transfer" => LineKind::Payout,
            "transfer_reversal" => LineKind::PayoutFailed,
            "payout" | "payout_reversal" => LineKind::Withdrawal,
            _ => LineKind::Other,
        }
    }

    pub(super) fn line(&self) -> Result<BalanceLine, ProviderError> {
        let kind = self.kind();
        let object = self.source.as_ref().and_then(Expandable::object);
        let written = match kind {
            LineKind::Charge => Some(wire::PAYMENT),
            LineKind::Refund | LineKind::RefundFailed => Some(wire::REFUND),
            LineKind::Payout | LineKind::PayoutFailed => Some(wire::PAYOUT),
            _ => None,
        };
        // A charge is known to Souk by its payment, and the reversal of a transfer by the transfer.
        let known_as = match kind {
            LineKind::Charge => object.and_then(|charge| charge.payment_intent.as_ref()).map(Expandable::id),
            LineKind::PayoutFailed => {
                object.and_then(|reversal| reversal.transfer.as_ref()).map(Expandable::id)
            }
            _ => None,
        };
        let source = known_as.or_else(|| self.source.as_ref().map(Expandable::id)).unwrap_or(&self.id);
        let amount = amount::from_stripe(self.amount, &self.currency)?;
        Ok(BalanceLine {
            reference: self.id.clone(),
            kind,
            source: source.to_owned(),
            ours: written.and_then(|key| object?.metadata.id::<()>(key)).map(platform::Id::uuid),
            amount,
            fee: amount::from_stripe(self.fee, &self.currency)?.amount,
            at: OffsetDateTime::from_unix_timestamp(self.created).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        })
    }
}
