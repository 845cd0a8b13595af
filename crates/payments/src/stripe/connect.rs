//! Stores' accounts and what is sent to them: Connect, with separate charges and transfers
//! (<https://docs.stripe.com/connect/separate-charges-and-transfers>).
//!
//! A payout is two steps: a transfer from the marketplace's balance to the store's account, and a payout from there to the
//! store's bank. The transfer is what moves the marketplace's balance, so its name, `tr_…`, is the payout's reference. When
//! the second step fails, the first is reversed: the money is the marketplace's to pay out again.

use identity::StoreId;
use time::OffsetDateTime;

use super::form::Form;
use super::wire::{self, Account, AccountLink, Expandable, List, Payout, Transfer, TransferReversal};
use super::{Stripe, amount};
use crate::provider::{AccountSaid, AccountState, PayoutAsked, PayoutSaid, PayoutStatus, ProviderError};

impl Stripe {
    pub(super) async fn account_of(
        &self,
        store: StoreId,
        reference: Option<&str>,
        return_url: &str,
    ) -> Result<AccountSaid, ProviderError> {
        let account: Account = match reference {
            Some(reference) => self.client.get(&["accounts", reference], Form::new()).send().await?,
            None => {
                // What Stripe calls an Express account: it asks the holder who they are, the marketplace bears the fees
                // and decides when money goes out.
                let form = Form::new()
                    .with("controller[stripe_dashboard][type]", "express")
                    .with("controller[fees][payer]", "application")
                    .with("controller[losses][payments]", "application")
                    .with("capabilities[transfers][requested]", true)
                    .with("settings[payouts][schedule][interval]", "manual")
                    .metadata(wire::STORE, store);
                self.client.post(&["accounts"], form, format!("account-{store}")).send().await?
            }
        };
        let state = account.state();
        let onboarding_url = match state {
            AccountState::Active => None,
            AccountState::Onboarding | AccountState::Restricted => {
                let form = Form::new()
                    .with("account", &account.id)
                    .with("type", "account_onboarding")
                    .with("return_url", return_url)
                    .with("refresh_url", return_url);
                let link: AccountLink = self.client.post_anew(&["account_links"], form).send().await?;
                Some(link.url)
            }
        };
        Ok(AccountSaid { reference: account.id, state, onboarding_url })
    }

    pub(super) async fn send_out(&self, asked: &PayoutAsked) -> Result<PayoutSaid, ProviderError> {
        let amount = amount::payable(asked.amount)?;
        let attempt = format!("{}-{}", asked.id, asked.attempt);
        let transfer = match self.transfer_before(&attempt).await? {
            Some(transfer) => transfer,
            None => self.transfer(asked, amount, &attempt).await?,
        };
        let destination = transfer.destination.as_ref().map(Expandable::id);
        if amount::from_stripe(transfer.amount, &transfer.currency)? != asked.amount
            || destination != Some(&asked.account)
        {
            return Err(ProviderError::Changed);
        }
        let said = |status, arrives_at| PayoutSaid { reference: transfer.id.clone(), status, arrives_at };
        let payout = match transfer.metadata.get(wire::ONWARD) {
            Some(payout) => {
                let path = ["payouts", payout];
                self.client.get(&path, Form::new()).on(&asked.account).send::<Payout>().await?
            }
            None if transfer.reversed => {
                return Ok(said(PayoutStatus::Failed("payout_refused".to_owned()), None));
            }
            None => match self.send_on(asked, amount, &transfer, &attempt).await {
                Ok(payout) => payout,
                Err(ProviderError::Refused { code, .. }) => {
                    self.take_back(asked, &transfer, &attempt).await?;
                    return Ok(said(PayoutStatus::Failed(code), None));
                }
                Err(error) => return Err(error),
            },
        };
        let status = payout.status();
        if matches!(status, PayoutStatus::Failed(_)) && !transfer.reversed {
            self.take_back(asked, &transfer, &attempt).await?;
        }
        Ok(said(status, payout.arrival_date.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok())))
    }

    async fn transfer_before(&self, attempt: &str) -> Result<Option<Transfer>, ProviderError> {
        let query = Form::new().with("transfer_group", attempt).with("limit", 1);
        let made: List<Transfer> = self.client.get(&["transfers"], query).send().await?;
        Ok(made.data.into_iter().next())
    }

    async fn transfer(
        &self,
        asked: &PayoutAsked,
        amount: i64,
        attempt: &str,
    ) -> Result<Transfer, ProviderError> {
        let form = Form::new()
            .with("amount", amount)
            .with("currency", asked.amount.currency.code().to_ascii_lowercase())
            .with("destination", &asked.account)
            .with("transfer_group", attempt)
            .metadata(wire::PAYOUT, asked.id);
        Ok(self.client.post(&["transfers"], form, format!("transfer-{attempt}")).send().await?)
    }

    /// From the store's account to its bank. The transfer is told which payout it is, so that it is found again when the
    /// key is forgotten.
    async fn send_on(
        &self,
        asked: &PayoutAsked,
        amount: i64,
        transfer: &Transfer,
        attempt: &str,
    ) -> Result<Payout, ProviderError> {
        let form = Form::new()
            .with("amount", amount)
            .with("currency", asked.amount.currency.code().to_ascii_lowercase())
            .metadata(wire::PAYOUT, asked.id)
            .metadata(wire::TRANSFER, &transfer.id);
        let call = self.client.post(&["payouts"], form, format!("payout-{attempt}")).on(&asked.account);
        let payout: Payout = call.send().await?;
        let path = ["transfers", transfer.id.as_str()];
        let form = Form::new().metadata(wire::ONWARD, &payout.id);
        let _: Transfer = self.client.post(&path, form, format!("onward-{attempt}")).send().await?;
        Ok(payout)
    }

    async fn take_back(
        &self,
        asked: &PayoutAsked,
        transfer: &Transfer,
        attempt: &str,
    ) -> Result<(), ProviderError> {
        let path = ["transfers", transfer.id.as_str(), "reversals"];
        let form = Form::new().metadata(wire::PAYOUT, asked.id);
        let call = self.client.post(&path, form, format!("reversal-{attempt}"));
        let reversal: TransferReversal = call.send().await?;
        if reversal.transfer.id() == transfer.id { Ok(()) } else { Err(ProviderError::Changed) }
    }
}

impl Account {
    pub(super) fn state(&self) -> AccountState {
        let transfers = self.capabilities.as_ref().and_then(|can| can.transfers.as_deref());
        let disabled = self.requirements.as_ref().and_then(|asked| asked.disabled_reason.as_deref());
        match () {
            () if !self.details_submitted => AccountState::Onboarding,
            () if self.payouts_enabled && transfers == Some("active") => AccountState::Active,
            () if disabled.is_none_or(|why| why == "requirements.pending_verification") => {
                AccountState::Onboarding
            }
            () => AccountState::Restricted,
        }
    }
}

impl Payout {
    pub(super) fn status(&self) -> PayoutStatus {
        match self.status.as_str() {
            "paid" => PayoutStatus::Paid,
            failed @ ("failed" | "canceled") => {
                PayoutStatus::Failed(self.failure_code.as_deref().unwrap_or(failed).to_owned())
            }
            _ => PayoutStatus::Sent,
        }
    }
}
