//! Payments: intents and the charges they make.

use serde::Deserialize;

use super::{BalanceTransaction, Expandable, Identified, List, Metadata, Refund};

/// <https://docs.stripe.com/api/payment_intents/object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) amount: i64,
    #[serde(default)]
    pub(crate) amount_received: i64,
    pub(crate) currency: String,
    pub(crate) status: IntentStatus,
    pub(crate) customer: Option<Expandable<Named>>,
    pub(crate) payment_method: Option<Expandable<Named>>,
    pub(crate) latest_charge: Option<Expandable<Charge>>,
    pub(crate) last_payment_error: Option<PaymentError>,
    pub(crate) next_action: Option<NextAction>,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IntentStatus {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    RequiresCapture,
    Processing,
    Succeeded,
    Canceled,
    /// One that came later than this was written.
    #[serde(other)]
    Other,
}

/// An object of which no more than its id matters.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: String,
}

/// Why the last try failed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PaymentError {
    pub(crate) code: Option<String>,
    pub(crate) decline_code: Option<String>,
}

/// What the buyer has to do.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NextAction {
    pub(crate) redirect_to_url: Option<RedirectToUrl>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RedirectToUrl {
    pub(crate) url: Option<String>,
}

/// <https://docs.stripe.com/api/charges/object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) payment_intent: Option<Expandable<Named>>,
    pub(crate) balance_transaction: Option<Expandable<BalanceTransaction>>,
    pub(crate) payment_method_details: Option<MethodDetails>,
    /// The latest first. Not in all answers.
    pub(crate) refunds: Option<List<Refund>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct MethodDetails {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) card: Option<Card>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Card {
    pub(crate) brand: Option<String>,
    pub(crate) last4: Option<String>,
    pub(crate) exp_month: Option<u8>,
    pub(crate) exp_year: Option<u16>,
}

impl Identified for Intent {
    fn id(&self) -> &str {
        &self.id
    }
}
impl Identified for Named {
    fn id(&self) -> &str {
        &self.id
    }
}
impl Identified for Charge {
    fn id(&self) -> &str {
        &self.id
    }
}
