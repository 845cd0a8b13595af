//! What the marketplace would take of a sale.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use catalog::VariantId;
use garde::Validate;
use payments::{CommissionLine, CommissionRuleId};
use platform::{Detail, Money, Quantity};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::private;
use crate::Api;
use crate::auth::Caller;
use crate::extract::Json;
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(preview_commission))
}

/// An order that somebody might place.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct PreviewCommission {
    /// What would be bought, at the prices of now.
    #[garde(length(min = 1, max = 200), dive)]
    #[schema(min_items = 1, max_items = 200)]
    lines: Vec<PreviewLine>,
    /// When; now, if not said. Not in the past.
    #[garde(skip)]
    #[serde(default, with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
}

/// Units of a variant.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct PreviewLine {
    /// What.
    #[garde(skip)]
    variant_id: VariantId,
    /// How many.
    #[garde(skip)]
    quantity: Quantity,
}

/// What the marketplace would take of an order.
#[derive(Serialize, ToSchema)]
struct CommissionPreview {
    /// Line by line.
    lines: Vec<CommissionOfLine>,
    /// What the lines come to.
    total: Money,
    /// What would be taken of them.
    commission: Money,
    /// The tax on that.
    commission_tax: Money,
}

/// What the marketplace would take of a line.
#[derive(Serialize, ToSchema)]
struct CommissionOfLine {
    /// What is sold.
    variant_id: VariantId,
    /// By which rule; none if no rule fits.
    rule_id: Option<CommissionRuleId>,
    /// What the line comes to.
    total: Money,
    /// What would be taken of it.
    commission: Money,
    /// The tax on that.
    commission_tax: Money,
}

/// Says what the marketplace would take of an order.
///
/// By the rules of now, or as they will be at a later moment. Nothing is bought. Needs `finance:admin`.
#[utoipa::path(post, path = "/api/v1/commission_rules/preview", tag = "Operators", request_body = PreviewCommission,
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "What would be taken", body = CommissionPreview),
              (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
async fn preview_commission(
    State(api): State<Api>,
    Caller(actor): Caller,
    Json(body): Json<PreviewCommission>,
) -> Result<Response, Problem> {
    let lines = sales(&api, &body.lines).await?;
    let taken = api.commission.preview(&actor, body.at, &lines).await?;
    let sum = |mut amounts: Box<dyn Iterator<Item = Money> + '_>| {
        let first = amounts.next().ok_or(orders::Error::CartEmpty)?;
        amounts.try_fold(first, Money::checked_add).ok_or(orders::Error::TotalTooLarge)
    };
    let preview = CommissionPreview {
        total: sum(Box::new(lines.iter().map(|line| line.total)))?,
        commission: sum(Box::new(taken.iter().map(|taken| taken.amount)))?,
        commission_tax: sum(Box::new(taken.iter().map(|taken| taken.tax)))?,
        lines: body
            .lines
            .iter()
            .zip(lines.iter().zip(&taken))
            .map(|(asked, (line, taken))| CommissionOfLine {
                variant_id: asked.variant_id,
                rule_id: taken.rule,
                total: line.total,
                commission: taken.amount,
                commission_tax: taken.tax,
            })
            .collect(),
    };
    Ok(private(&preview))
}

/// The lines as they would be sold now.
async fn sales(api: &Api, asked: &[PreviewLine]) -> Result<Vec<CommissionLine>, Problem> {
    let variants: Vec<VariantId> = asked.iter().map(|line| line.variant_id).collect();
    let offers: HashMap<_, _> =
        api.catalog.offers(&variants).await?.into_iter().map(|offer| (offer.variant_id, offer)).collect();
    let mut lines: Vec<CommissionLine> = Vec::with_capacity(asked.len());
    for (place, line) in asked.iter().enumerate() {
        let wrong = |code, message| {
            let detail = Detail::new(format!("lines[{place}].variant_id"), code, message);
            Problem::invalid("request/invalid_value", vec![detail])
        };
        let offer = offers.get(&line.variant_id).ok_or_else(|| wrong("unknown", "this is not on sale"))?;
        if lines.first().is_some_and(|first| first.total.currency != offer.price.currency) {
            return Err(wrong("currency", "an order is in one currency"));
        }
        let total = offer.price.checked_mul(line.quantity.into()).ok_or(orders::Error::TotalTooLarge)?;
        lines.push(CommissionLine {
            store_id: offer.store.id,
            categories: platform::id::uuids(&offer.categories),
            quantity: line.quantity.into(),
            total,
        });
    }
    Ok(lines)
}
