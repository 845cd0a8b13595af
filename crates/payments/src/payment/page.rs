//! Paying on the provider's own page.

use platform::{Database, Money, fault};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Payment, PaymentState, look, row};
use crate::provider::{Page, Provider};
use crate::{Error, PaymentId};

/// A page to be opened.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The payment's id; asking again with the same id is safe.
    pub id: PaymentId,
    /// What it is for: the order's id.
    pub order: Uuid,
    /// What the page says it is for, such as the order's number.
    pub description: String,
    /// How much.
    pub amount: Money,
    /// Where the provider sends its receipt.
    pub email: Option<String>,
    /// Where the buyer comes back to.
    pub return_url: String,
    /// Where they come back to if they change their mind.
    pub cancel_url: String,
    /// When it closes.
    pub expires_at: OffsetDateTime,
}

/// A page that closes sooner than this is not given to a buyer any more.
const LEAST: Duration = Duration::minutes(1);

/// Opens a page, or gives the one that is open for this order; it may turn out to be paid.
pub(crate) async fn open(
    database: &Database,
    provider: &dyn Provider,
    request: PageRequest,
    now: OffsetDateTime,
) -> Result<Payment, Error> {
    if let Some(payment) = open_for(database, request.order, now).await? {
        // Whoever asks for it again may have paid on it, and nobody was told. Else it is as good as it was.
        match look(database, provider, payment.id, now).await {
            Err(Error::ProviderUnavailable) => return Ok(payment),
            // They changed their mind on it, and now again.
            Ok(payment) if matches!(payment.state, PaymentState::Voided | PaymentState::Declined(_)) => {}
            looked => return looked,
        }
    }
    sqlx::query!(
        "INSERT INTO payments.payments (id, order_id, provider, amount, currency, state, method, expires_at, created_at,
             updated_at)
         VALUES ($1, $2, $3, $4, $5, 'created', 'page', $6, $7, $7) ON CONFLICT (id) DO NOTHING",
        request.id.uuid(),
        request.order,
        provider.name(),
        request.amount.amount,
        request.amount.currency.code(),
        request.expires_at,
        now,
    )
    .execute(database.pool())
    .await?;
    fault::point("payments.page.written");
    let (id, order) = (request.id, request.order);
    let opened = provider
        .open_page(&Page {
            id,
            order,
            description: request.description,
            amount: request.amount,
            email: request.email,
            return_url: request.return_url,
            cancel_url: request.cancel_url,
            expires_at: request.expires_at,
            at: now,
        })
        .await?;
    fault::point("payments.page.opened");
    sqlx::query!(
        "UPDATE payments.payments SET state = 'requires_action', provider_reference = $2, action_url = $3, expires_at = $4,
             updated_at = $5
         WHERE id = $1 AND state = 'created'",
        id.uuid(),
        opened.reference,
        opened.url,
        opened.expires_at,
        now,
    )
    .execute(database.pool())
    .await?;
    row::find_one(database.pool(), id).await?.ok_or(Error::NotFound)
}

/// The page that is open for an order, or on which it was paid.
async fn open_for(database: &Database, order: Uuid, now: OffsetDateTime) -> Result<Option<Payment>, Error> {
    let id = sqlx::query_scalar!(
        r#"SELECT id AS "id: PaymentId" FROM payments.payments
           WHERE order_id = $1 AND method = 'page' AND (state IN ('processing', 'authorized')
               OR state = 'requires_action' AND expires_at > $2 OR state = 'succeeded' AND refunded < captured)
           ORDER BY state = 'requires_action', created_at DESC LIMIT 1"#,
        order,
        now + LEAST,
    )
    .fetch_optional(database.pool())
    .await?;
    match id {
        Some(id) => row::find_one(database.pool(), id).await,
        None => Ok(None),
    }
}
