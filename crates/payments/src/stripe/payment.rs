//! Payments: Stripe's PaymentIntents.

use futures_util::future::join_all;
use platform::{Id, Money};
use time::OffsetDateTime;

use super::failure::{Failure, decline_code};
use super::form::Form;
use super::means::{self, Means};
use super::wire::{self, Charge, Expandable, Intent, IntentStatus, List};
use super::{Stripe, amount};
use crate::PaymentId;
use crate::provider::{Asked, Method, Named, PaymentToken, ProviderError, Said, Status};

/// What is read of an intent besides itself: the charge, and with it what Stripe keeps.
const WITH_FEE: &str = "latest_charge.balance_transaction";

/// Stripe forgets keys after a day (<https://docs.stripe.com/api/idempotent_requests>). What is older than this is looked
/// for before it is asked for once more.
const KEYS_LAST: time::Duration = time::Duration::hours(23);

/// Whether the key that this id is may be forgotten.
pub(super) fn is_forgotten<K>(id: Id<K>, now: OffsetDateTime) -> bool {
    let made = id.uuid().get_timestamp().and_then(|made| i64::try_from(made.to_unix().0).ok());
    made.is_some_and(|made| now.unix_timestamp() - made > KEYS_LAST.whole_seconds())
}

impl Stripe {
    pub(super) async fn charge_all(&self, asked: &[Asked]) -> Vec<Result<Said, ProviderError>> {
        join_all(asked.iter().map(|one| self.charge_one(one))).await
    }

    async fn charge_one(&self, asked: &Asked) -> Result<Said, ProviderError> {
        let amount = amount::to_stripe(asked.amount)?;
        let means = Means::of(&asked.token).ok_or(ProviderError::UnknownToken)?;
        if is_forgotten(asked.id, asked.at)
            && let Some(intent) = self.search(asked.id).await?
        {
            let same = intent.money()? == asked.amount;
            return if same { intent.said() } else { Err(ProviderError::Changed) };
        }
        let form = self.payment(asked, amount, &means).await?;
        match self.client.post(&["payment_intents"], form, asked.id.to_string()).send::<Intent>().await {
            Ok(intent) => intent.said(),
            Err(failure) => self.refused(asked, failure).await,
        }
    }

    /// What is sent to Stripe: the same each time for the same payment.
    async fn payment(&self, asked: &Asked, amount: i64, means: &Means<'_>) -> Result<Form, ProviderError> {
        let form = Form::new()
            .with("amount", amount)
            .with("currency", asked.amount.currency.code().to_ascii_lowercase())
            .with("confirm", true)
            // Tokens are of cards. Whoever wants to pay otherwise does it on Stripe's page.
            .with("payment_method_types[]", "card")
            // At once, so that the fee is known with the answer.
            .with("capture_method", "automatic")
            .metadata(wire::PAYMENT, asked.id)
            .metadata(wire::ORDER, asked.order)
            .expand(WITH_FEE);
        let form = match *means {
            Means::Token(token) => {
                form.with("payment_method_data[type]", "card").with("payment_method_data[card][token]", token)
            }
            Means::Method(method) => form.with("payment_method", method),
            Means::Kept { customer, method } => {
                form.with("customer", customer).with("payment_method", method).metadata(wire::KEPT, true)
            }
        };
        let is_kept = matches!(means, Means::Kept { .. });
        let form = match asked.keep_for.is_some() && !is_kept {
            true => form
                .with("customer", self.customer(asked).await?)
                .with("setup_future_usage", "off_session")
                .metadata(wire::KEPT, true),
            false => form,
        };
        Ok(match &asked.return_url {
            Some(url) => form.with("return_url", url),
            // The buyer is not there: the bank may know the card from a purchase when they were.
            None if is_kept => form.with("off_session", true),
            // They are, but can be sent nowhere: better declined than left hanging.
            None => form.with("error_on_requires_action", true),
        })
    }

    /// Somebody for whom Stripe keeps the method.
    async fn customer(&self, asked: &Asked) -> Result<String, ProviderError> {
        let form = Form::new().metadata(wire::PAYMENT, asked.id);
        let key = format!("customer-{}", asked.id);
        let customer: wire::Named = self.client.post(&["customers"], form, key).send().await?;
        Ok(customer.id)
    }

    /// Takes a kept method from its customer, after which nobody can charge it any more.
    pub(super) async fn detach(&self, name: &str) -> Result<(), ProviderError> {
        let name = PaymentToken::presented(name);
        let Some(Means::Kept { method, .. }) = Means::of(&name) else { return Ok(()) };
        let path = ["payment_methods", method, "detach"];
        match self.client.post_anew(&path, Form::new()).send::<wire::Named>().await {
            Ok(_) => Ok(()),
            // It is detached already, or was never there.
            Err(failure) if failure.is_of_state() || failure.is_of_means() => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// A decline is an answer.
    async fn refused(&self, asked: &Asked, failure: Failure) -> Result<Said, ProviderError> {
        if failure.is_of_means() {
            return Err(ProviderError::UnknownToken);
        }
        let Some(error) = failure.declined() else { return Err(failure.into()) };
        let status = Status::Declined(decline_code(error.code.as_deref(), error.decline_code.as_deref()));
        let reference = match (&error.payment_intent, &error.charge) {
            (Some(intent), _) => intent.id.clone(),
            (None, Some(charge)) => {
                let path = ["charges", charge.as_str()];
                let charge: Charge = self.client.get(&path, Form::new()).send().await?;
                charge.payment_intent.map_or(charge.id, |intent| intent.id().to_owned())
            }
            // It was declined before Stripe made anything of it.
            (None, None) => asked.id.to_string(),
        };
        Ok(Said { reference, status, fee: None, method: None })
    }

    /// Stripe's search knows a payment a minute after it was made; the key is good for longer than that.
    async fn search(&self, id: PaymentId) -> Result<Option<Intent>, ProviderError> {
        let query = Form::new()
            .with("query", format!("metadata['{}']:'{id}'", wire::PAYMENT))
            .with("limit", 1)
            .expand("data.latest_charge.balance_transaction");
        let found: List<Intent> = self.client.get(&["payment_intents", "search"], query).send().await?;
        Ok(found.data.into_iter().next())
    }

    pub(super) async fn intent(&self, reference: &str) -> Result<Intent, ProviderError> {
        let path = ["payment_intents", reference];
        Ok(self.client.get(&path, Form::new().expand(WITH_FEE)).send().await?)
    }

    pub(super) async fn look_at(&self, payment: &Named) -> Result<Said, ProviderError> {
        if payment.is_page() {
            return self.session(&payment.reference).await?.said();
        }
        let intent = self.intent(&payment.reference).await?;
        if intent.is_at_page() { self.said_of_page(&intent).await } else { intent.said() }
    }

    pub(super) async fn take(&self, payment: &Named, money: Money) -> Result<Said, ProviderError> {
        let reference = self.intent_of(payment).await?;
        let form = Form::new().with("amount_to_capture", amount::to_stripe(money)?).expand(WITH_FEE);
        let path = ["payment_intents", reference.as_str(), "capture"];
        let key = format!("capture-{}", payment.id);
        let intent: Intent = self.client.post(&path, form, key).send().await?;
        intent.said()
    }

    pub(super) async fn call_off(&self, payment: &Named) -> Result<Said, ProviderError> {
        if payment.is_page() {
            let session = self.session(&payment.reference).await?;
            return self.close(payment.id, session).await;
        }
        let intent = self.intent(&payment.reference).await?;
        if intent.is_at_page()
            && let Some(session) = self.session_of(&intent.id).await?
        {
            return self.close(payment.id, session).await;
        }
        self.cancel(payment.id, &intent).await
    }

    /// Cancels an intent, or says why it is too late.
    pub(super) async fn cancel(&self, id: PaymentId, intent: &Intent) -> Result<Said, ProviderError> {
        if matches!(intent.status, IntentStatus::Succeeded | IntentStatus::Canceled) {
            return intent.said();
        }
        let path = ["payment_intents", intent.id.as_str(), "cancel"];
        // Stripe repeats a refusal too, which may be no longer true when the payment stands elsewhere.
        let key = format!("void-{id}-{:?}", intent.status);
        let form = Form::new().expand(WITH_FEE);
        match self.client.post(&path, form, key).send::<Intent>().await {
            Ok(intent) => intent.said(),
            // It moved on in between.
            Err(failure) if failure.is_of_state() => {
                let now = self.intent(&intent.id).await?;
                if now.status == intent.status { Err(failure.into()) } else { now.said() }
            }
            Err(failure) => Err(failure.into()),
        }
    }
}

impl Intent {
    /// How much it is about: what came in of one that succeeded.
    pub(super) fn money(&self) -> Result<Money, ProviderError> {
        let is_taken = self.status == IntentStatus::Succeeded && self.amount_received > 0;
        amount::from_stripe(if is_taken { self.amount_received } else { self.amount }, &self.currency)
    }

    pub(super) fn id_of_ours(&self) -> Option<PaymentId> {
        self.metadata.id(wire::PAYMENT)
    }

    /// Whether the buyer is at one of Stripe's pages, on which they may try again what failed.
    pub(super) fn is_at_page(&self) -> bool {
        self.metadata.get(wire::PAGE).is_some()
            && matches!(
                self.status,
                IntentStatus::RequiresPaymentMethod
                    | IntentStatus::RequiresConfirmation
                    | IntentStatus::RequiresAction
            )
    }

    fn status(&self) -> Status {
        match self.status {
            IntentStatus::Succeeded => Status::Succeeded,
            IntentStatus::Canceled => Status::Voided,
            IntentStatus::RequiresCapture => Status::Authorized,
            IntentStatus::Processing | IntentStatus::RequiresConfirmation | IntentStatus::Other => {
                Status::Processing
            }
            IntentStatus::RequiresAction => {
                let redirect = self.next_action.as_ref().and_then(|next| next.redirect_to_url.as_ref());
                match redirect.and_then(|redirect| redirect.url.clone()) {
                    Some(url) => Status::RequiresAction(url),
                    // A challenge that needs Stripe's own script in a browser, of which there is none.
                    None => Status::Declined(decline_code(Some("authentication_required"), None)),
                }
            }
            IntentStatus::RequiresPaymentMethod => {
                let error = self.last_payment_error.as_ref();
                let code = error.and_then(|error| error.code.as_deref());
                Status::Declined(decline_code(code, error.and_then(|error| error.decline_code.as_deref())))
            }
        }
    }

    pub(super) fn said(&self) -> Result<Said, ProviderError> {
        let charge = self.latest_charge.as_ref().and_then(Expandable::object);
        Ok(Said {
            reference: self.id.clone(),
            status: self.status(),
            fee: charge.and_then(|charge| charge.fee(&self.currency)),
            method: charge.and_then(|charge| self.method(charge)),
        })
    }

    fn method(&self, charge: &Charge) -> Option<Method> {
        let details = charge.payment_method_details.as_ref()?;
        let kept_as = match (self.metadata.get(wire::KEPT), &self.customer, &self.payment_method) {
            (Some(_), Some(customer), Some(method)) => Some(means::kept(customer.id(), method.id())),
            _ => None,
        };
        let card = details.card.as_ref();
        let brand = card.and_then(|card| card.brand.as_deref()).unwrap_or(&details.kind);
        Some(Method {
            brand: brand.to_owned(),
            last4: card.and_then(|card| card.last4.clone()).unwrap_or_default(),
            expires: card.and_then(|card| card.exp_month.zip(card.exp_year)),
            kept_as,
        })
    }
}

impl Charge {
    /// What Stripe keeps. Unknown as long as it is not told, and if it is kept in another currency: the charge was then
    /// converted on its way into the balance.
    fn fee(&self, currency: &str) -> Option<i64> {
        let line = self.balance_transaction.as_ref()?.object()?;
        let fee = amount::from_stripe(line.fee, &line.currency).ok()?;
        (line.currency == currency).then_some(fee.amount)
    }
}

impl Named {
    /// Whether Stripe's name is that of a page, from the time before the buyer paid.
    pub(super) fn is_page(&self) -> bool {
        self.reference.starts_with("cs_")
    }
}
