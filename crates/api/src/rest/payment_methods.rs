//! What buyers pay with: a token, or what they keep.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use identity::Actor;
use payments::{PaymentMeans, PaymentMethod, PaymentMethodId, PaymentToken};
use platform::Detail;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shared::{done, private};
use crate::Api;
use crate::auth::Caller;
use crate::extract::Path;
use crate::problem::{Problem, ProblemBody};

pub(crate) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_payment_methods)).routes(routes!(delete_payment_method))
}

/// How an order is paid: with a token, or with what the buyer keeps.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentBody {
    /// Stands for a means of payment that the provider keeps. Never a card number.
    #[garde(skip)]
    #[schema(value_type = Option<String>, example = "tok_visa")]
    token: Option<PaymentToken>,
    /// One of the buyer's `payment_methods`, in place of a token.
    #[garde(skip)]
    payment_method_id: Option<PaymentMethodId>,
    /// Whether what the token stands for is kept for the buyer's next purchase, once it was good for this one. Only those
    /// who have signed in can keep something: twenty at most.
    #[garde(skip)]
    #[serde(default)]
    save: bool,
}

impl PaymentBody {
    /// What is paid with; `at` is what stands before the names of its fields in the body.
    pub(super) fn means(self, actor: &Actor, at: &str) -> Result<PaymentMeans, Problem> {
        let refused = |field: &str, reason: &str, code: &str, message: &str| {
            let detail = Detail::new(format!("{at}{field}"), code, message);
            Err(Problem::invalid(reason, vec![detail]))
        };
        let (missing, wrong) = ("request/missing_field", "request/invalid_value");
        match (self.token, self.payment_method_id) {
            (None, None) => refused("token", missing, "missing_field", "send token or payment_method_id"),
            (Some(_), Some(_)) => {
                refused("token", wrong, "invalid_value", "send only one of token and payment_method_id")
            }
            (None, Some(_)) if self.save => {
                refused("save", wrong, "invalid_value", "it is kept already; save goes with a token")
            }
            (None, Some(id)) => Ok(PaymentMeans::Kept(id)),
            (Some(token), None) => {
                let keep_for = actor.user_id().filter(|_| self.save);
                if self.save && keep_for.is_none() {
                    return refused("save", wrong, "account_required", "sign in to keep a means of payment");
                }
                Ok(PaymentMeans::Token { token, keep_for })
            }
        }
    }
}

/// What somebody keeps to pay with.
#[derive(Serialize, ToSchema)]
struct KeptMethods {
    /// The latest first.
    data: Vec<PaymentMethod>,
}

/// Lists what one keeps to pay with.
///
/// To keep something send `"save": true` with the token of a payment; to pay with it send its id as `payment_method_id`.
#[utoipa::path(get, path = "/api/v1/users/me/payment_methods", tag = "Accounts",
    security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 200, description = "What is kept", body = KeptMethods), (status = 401, body = ProblemBody)))]
async fn list_payment_methods(State(api): State<Api>, Caller(actor): Caller) -> Result<Response, Problem> {
    Ok(private(&KeptMethods { data: api.payment_methods.list(&actor).await? }))
}

/// Removes one of those.
///
/// Nothing can be paid with it from now on, and the payment provider forgets it.
#[utoipa::path(delete, path = "/api/v1/users/me/payment_methods/{id}", tag = "Accounts",
    params(("id" = PaymentMethodId, Path)), security(("bearer" = []), ("session_cookie" = [])),
    responses((status = 204, description = "It is gone"), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody)))]
async fn delete_payment_method(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(id): Path<PaymentMethodId>,
) -> Result<Response, Problem> {
    api.payment_methods.remove(&actor, id).await?;
    Ok(done())
}
