//! Hosted pages: Stripe's Checkout Sessions.
//!
//! A page has no payment before the buyer pays, so it is known by its own name, `cs_…`, first. As soon as there is a
//! payment, every answer and every notice names that, `pi_…`. Looking, calling off and giving back follow both.

use platform::Money;
use time::{Duration, OffsetDateTime};

use super::form::Form;
use super::wire::{self, Expandable, Intent, IntentStatus, List, Session, SessionStatus};
use super::{Stripe, amount};
use crate::PaymentId;
use crate::provider::{Named, Opened, Page, ProviderError, Said, Status};

/// A page is open for half an hour to a day (<https://docs.stripe.com/api/checkout/sessions/create>); a minute less on
/// either side, since Stripe's clock is another one.
const SHORTEST: Duration = Duration::minutes(31);
const LONGEST: Duration = Duration::minutes(24 * 60 - 1);

const WITH_PAYMENT: &str = "payment_intent.latest_charge.balance_transaction";

impl Stripe {
    /// The same page for the same id as long as all else is the same too, with it [`Page::at`].
    pub(super) async fn open(&self, page: &Page) -> Result<Opened, ProviderError> {
        let expires_at = page.expires_at.clamp(page.at + SHORTEST, page.at + LONGEST);
        let of_payment = "payment_intent_data[metadata]";
        let form = Form::new()
            .with("mode", "payment")
            .with("client_reference_id", page.id)
            .with("line_items[0][quantity]", 1)
            .with("line_items[0][price_data][currency]", page.amount.currency.code().to_ascii_lowercase())
            .with("line_items[0][price_data][unit_amount]", amount::to_stripe(page.amount)?)
            .with("line_items[0][price_data][product_data][name]", &page.description)
            .with("success_url", &page.return_url)
            .with("cancel_url", &page.cancel_url)
            .with("expires_at", expires_at.unix_timestamp())
            .with_some("customer_email", page.email.as_deref())
            .metadata(wire::PAYMENT, page.id)
            .metadata(wire::ORDER, page.order)
            .with("payment_intent_data[description]", &page.description)
            .metadata_of(of_payment, wire::PAYMENT, page.id)
            .metadata_of(of_payment, wire::ORDER, page.order)
            .metadata_of(of_payment, wire::PAGE, true);
        let key = format!("page-{}", page.id);
        let session: Session = self.client.post(&["checkout", "sessions"], form, key).send().await?;
        let url = session.url.ok_or_else(|| ProviderError::Refused {
            code: "page_closed".to_owned(),
            message: "the page was opened before, and is closed".to_owned(),
        })?;
        let expires_at = OffsetDateTime::from_unix_timestamp(session.expires_at).unwrap_or(expires_at);
        Ok(Opened { reference: session.id, url, expires_at })
    }

    pub(super) async fn session(&self, reference: &str) -> Result<Session, ProviderError> {
        let path = ["checkout", "sessions", reference];
        Ok(self.client.get(&path, Form::new().expand(WITH_PAYMENT)).send().await?)
    }

    /// The page on which a payment was begun.
    pub(super) async fn session_of(&self, intent: &str) -> Result<Option<Session>, ProviderError> {
        let query = Form::new()
            .with("payment_intent", intent)
            .with("limit", 1)
            .expand("data.payment_intent.latest_charge");
        let found: List<Session> = self.client.get(&["checkout", "sessions"], query).send().await?;
        Ok(found.data.into_iter().next())
    }

    /// How a payment stands whose buyer is at the page, or was.
    pub(super) async fn said_of_page(&self, intent: &Intent) -> Result<Said, ProviderError> {
        match self.session_of(&intent.id).await? {
            Some(session) => session.said(),
            None => intent.said(),
        }
    }

    /// Stripe's name of the payment itself.
    ///
    /// # Errors
    /// [`ProviderError::Unknown`] while the buyer has not paid.
    pub(super) async fn intent_of(&self, payment: &Named) -> Result<String, ProviderError> {
        if !payment.is_page() {
            return Ok(payment.reference.clone());
        }
        let session = self.session(&payment.reference).await?;
        let intent = session.payment_intent.map(|intent| intent.id().to_owned());
        intent.ok_or_else(|| ProviderError::Unknown(format!("payment of {}", payment.reference)))
    }

    /// Closes a page, or says what came of it.
    pub(super) async fn close(&self, id: PaymentId, session: Session) -> Result<Said, ProviderError> {
        let session = match session.status {
            Some(SessionStatus::Open) => {
                let path = ["checkout", "sessions", session.id.as_str(), "expire"];
                let form = Form::new().expand(WITH_PAYMENT);
                match self.client.post(&path, form, format!("void-{id}")).send::<Session>().await {
                    Ok(closed) => return closed.said(),
                    // The buyer was quicker.
                    Err(failure) if failure.is_of_state() => {
                        let now = self.session(&session.id).await?;
                        if now.status == Some(SessionStatus::Open) {
                            return Err(failure.into());
                        }
                        now
                    }
                    Err(failure) => return Err(failure.into()),
                }
            }
            _ => session,
        };
        match session.payment_intent.as_ref().and_then(Expandable::object) {
            Some(intent) if intent.status == IntentStatus::RequiresCapture => self.cancel(id, intent).await,
            _ => session.said(),
        }
    }
}

impl Session {
    pub(super) fn said(&self) -> Result<Said, ProviderError> {
        let intent = self.payment_intent.as_ref();
        let reference = intent.map_or(&*self.id, Expandable::id).to_owned();
        let said = |status| Ok(Said { reference, status, fee: None, method: None });
        match (self.status, self.payment_status.as_str()) {
            (Some(SessionStatus::Open), _) => {
                said(Status::RequiresAction(self.url.clone().unwrap_or_default()))
            }
            (Some(SessionStatus::Expired), _) => said(Status::Voided),
            (_, status) => match intent.and_then(Expandable::object) {
                Some(intent) => intent.said(),
                None if status == "unpaid" => said(Status::Processing),
                None => said(Status::Succeeded),
            },
        }
    }

    pub(super) fn money(&self) -> Result<Money, ProviderError> {
        match (self.amount_total, &self.currency) {
            (Some(total), Some(currency)) => amount::from_stripe(total, currency),
            _ => Err(ProviderError::Refused {
                code: "unreadable_amount".to_owned(),
                message: format!("the page {} has no amount", self.id),
            }),
        }
    }
}
