//! Keeping what a payment was made with, and charging it.

use identity::UserId;
use platform::Database;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::PaymentMeans;
use crate::PaymentId;
use crate::provider::{Method, PaymentToken};

/// Most that one buyer keeps. What comes on top is let go at once.
const MOST: i64 = 20;

/// Writes down what the provider keeps of a payment that succeeded, for whomever it is kept; does nothing for others. It has
/// the payment's id: each keeps one at most.
pub(crate) async fn keep(
    connection: &mut PgConnection,
    payment: PaymentId,
    method: &Method,
    now: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    let expires =
        method.expires.and_then(|(month, year)| Some((i16::from(month), i16::try_from(year).ok()?)));
    let (month, year) = expires.unzip();
    sqlx::query!(
        "WITH wanted AS (
             UPDATE payments.payments p SET keep_for = NULL
             FROM (SELECT id, keep_for FROM payments.payments WHERE id = $1 AND keep_for IS NOT NULL FOR UPDATE) before
             WHERE p.id = before.id RETURNING p.id, p.provider, before.keep_for
         )
         INSERT INTO payments.payment_methods (id, user_id, provider, reference, brand, last4, exp_month, exp_year, created_at,
             removed_at, forget_at)
         SELECT id, keep_for, provider, $2, $3, $4, $5, $6, $7::timestamptz, CASE WHEN full_up THEN $7::timestamptz END,
                CASE WHEN full_up THEN $7::timestamptz END
         FROM wanted, LATERAL (SELECT count(*) >= $8 AS full_up FROM payments.payment_methods
                               WHERE user_id = keep_for AND provider = wanted.provider AND removed_at IS NULL) AS others
         WHERE $2::text IS NOT NULL
         ON CONFLICT DO NOTHING",
        payment.uuid(),
        method.kept_as,
        method.brand,
        method.last4,
        month,
        year,
        now,
        MOST,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What stands for it at the provider, and for whom it is kept.
pub(crate) async fn resolve(
    database: &Database,
    means: &PaymentMeans,
) -> Result<(PaymentToken, Option<UserId>), sqlx::Error> {
    match means {
        PaymentMeans::Token { token, keep_for } => Ok((token.clone(), *keep_for)),
        PaymentMeans::Kept(id) => {
            let reference = sqlx::query_scalar!(
                "SELECT reference FROM payments.payment_methods WHERE id = $1",
                id.uuid()
            )
            .fetch_optional(database.pool())
            .await?;
            // Of what went long ago the provider knows nothing, by whatever name.
            let name = reference.unwrap_or_else(|| id.to_string());
            Ok((PaymentToken::presented(&name), None))
        }
    }
}
