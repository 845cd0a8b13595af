//! A provider that sends payouts, and does as it is told.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use identity::StoreId;
use platform::Money;

use crate::PayoutId;
use crate::provider::{
    AccountSaid, AccountState, Partial, PayoutAsked, PayoutSaid, PayoutStatus, ProviderError,
};

/// How it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mood {
    /// It sends what it is asked for.
    #[default]
    Willing,
    /// It does not answer.
    Away,
    /// It sends what it is asked for, and its answer is lost.
    Mumbling,
    /// It refuses.
    Unwilling,
}

#[derive(Default)]
pub(super) struct Fake {
    mood: Mutex<Mood>,
    transfers: Mutex<BTreeMap<(PayoutId, i32), Money>>,
    asked: Mutex<usize>,
}

/// The provider's name for a payout.
pub(super) fn reference(id: PayoutId, attempt: i32) -> String {
    format!("po_{id}_{attempt}")
}

impl Fake {
    pub(super) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// How often it was asked to send something.
    pub(super) fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }

    /// What it sent.
    pub(super) fn transfers(&self) -> Vec<(PayoutId, Money)> {
        self.transfers.lock().unwrap().iter().map(|((id, _), amount)| (*id, *amount)).collect()
    }
}

#[async_trait]
impl Partial for Fake {
    async fn open_account(
        &self,
        store: StoreId,
        reference: Option<&str>,
        return_url: &str,
    ) -> Result<AccountSaid, ProviderError> {
        let fresh = format!("acct_{store}");
        assert!(reference.is_none_or(|reference| reference == fresh));
        let onboarding = *self.mood.lock().unwrap() == Mood::Unwilling;
        let state = if onboarding { AccountState::Onboarding } else { AccountState::Active };
        let onboarding_url = onboarding.then(|| format!("https://fake.example/?back={return_url}"));
        Ok(AccountSaid { reference: fresh, state, onboarding_url })
    }
    async fn pay_out(&self, payout: &PayoutAsked) -> Result<PayoutSaid, ProviderError> {
        *self.asked.lock().unwrap() += 1;
        tokio::task::yield_now().await;
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Away => return Err(ProviderError::Unavailable("away".to_owned())),
            Mood::Unwilling => {
                let (code, message) = ("account_closed".to_owned(), "the account is closed".to_owned());
                return Err(ProviderError::Refused { code, message });
            }
            Mood::Willing | Mood::Mumbling => {}
        }
        let mut transfers = self.transfers.lock().unwrap();
        let sent = transfers.entry((payout.id, payout.attempt)).or_insert(payout.amount);
        assert_eq!(*sent, payout.amount, "the same payout is always of the same amount");
        if mood == Mood::Mumbling {
            return Err(ProviderError::Unavailable("the line went dead".to_owned()));
        }
        let reference = reference(payout.id, payout.attempt);
        Ok(PayoutSaid { reference, status: PayoutStatus::Sent, arrives_at: None })
    }
}
