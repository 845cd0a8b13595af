//! How a charge stands.

use platform::{Currency, Money};

use super::{Company, fee, token};
use crate::provider::{Said, Status};
use crate::{DeclineCode, PaymentId};

/// Where a charge is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The buyer has something to do.
    RequiresAction,
    /// It is under way.
    Processing,
    /// The money is set aside.
    Authorized,
    /// The money was taken.
    Succeeded,
    /// It was refused.
    Declined,
    /// It was called off before any money moved.
    Voided,
}

impl State {
    const ALL: [Self; 6] = [
        Self::RequiresAction,
        Self::Processing,
        Self::Authorized,
        Self::Succeeded,
        Self::Declined,
        Self::Voided,
    ];

    /// Its name in rows and notices.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::Authorized => "authorized",
            Self::Succeeded => "succeeded",
            Self::Declined => "declined",
            Self::Voided => "voided",
        }
    }

    /// The state of this name.
    pub(super) fn of(name: &str) -> Result<Self, sqlx::Error> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == name);
        found.ok_or_else(|| sqlx::Error::Decode(format!("{name} is no state of a charge").into()))
    }

    /// Whether nothing more becomes of it.
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Declined | Self::Voided)
    }
}

/// How a charge stands, as all of them can be read.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// What it was asked under: Souk's id of the payment, as text.
    pub(super) key: String,
    pub(super) reference: String,
    pub(super) amount: Money,
    pub(super) token: String,
    pub(super) state: State,
    pub(super) decline: Option<DeclineCode>,
    /// What opens its page.
    pub(super) session: Option<String>,
    pub(super) challenged: bool,
    pub(super) kept_as: Option<String>,
    pub(super) expires: (u8, u16),
    /// Minor units that were taken.
    pub(super) captured: i64,
}

impl Standing {
    /// Souk's id of it, unless it was opened at the sandbox for a try.
    pub(super) fn payment(&self) -> Option<PaymentId> {
        self.key.parse().ok()
    }

    /// What was taken.
    pub(super) fn taken(&self) -> Money {
        Money::new(self.captured, self.amount.currency)
    }

    /// What the sandbox says of it.
    pub(super) fn said(&self, company: &Company) -> Said {
        let session = self.session.as_deref().unwrap_or_default();
        let status = match self.state {
            State::RequiresAction => Status::RequiresAction(company.page(session, self.challenged)),
            State::Processing => Status::Processing,
            State::Authorized => Status::Authorized,
            State::Succeeded => Status::Succeeded,
            State::Declined => Status::Declined(self.decline.unwrap_or(DeclineCode::CardDeclined)),
            State::Voided => Status::Voided,
        };
        Said {
            reference: self.reference.clone(),
            fee: (status == Status::Succeeded).then(|| fee::of_charge(self.taken())),
            status,
            method: token::by_token(&self.token).map(|card| card.method(self.expires, self.kept_as.clone())),
        }
    }
}

/// Month and year as rows keep them; those of tokens where there is no row.
pub(super) fn expiry(month: Option<i16>, year: Option<i16>) -> (u8, u16) {
    let month = month.and_then(|month| u8::try_from(month).ok());
    let year = year.and_then(|year| u16::try_from(year).ok());
    month.zip(year).unwrap_or(token::EXPIRES)
}

/// The currency of a row.
pub(super) fn currency(code: &str) -> Result<Currency, sqlx::Error> {
    code.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The charges under these keys, however they were made; those that are not there are left out.
pub(super) async fn find(company: &Company, keys: &[String]) -> Result<Vec<Standing>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT idempotency_key AS "key!", reference AS "reference!", amount AS "amount!", currency AS "currency!",
                  token AS "token!", state AS "state!", decline_code, session, challenged AS "challenged!", kept_as,
                  exp_month, exp_year, captured AS "captured!"
           FROM payments.sandbox_payments WHERE idempotency_key = ANY($1)"#,
        keys,
    )
    .fetch_all(company.database.pool())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Standing {
                key: row.key,
                reference: row.reference,
                amount: Money::new(row.amount, currency(&row.currency)?),
                token: row.token,
                state: State::of(&row.state)?,
                decline: row.decline_code.as_deref().map(DeclineCode::of),
                session: row.session,
                challenged: row.challenged,
                kept_as: row.kept_as,
                expires: expiry(row.exp_month, row.exp_year),
                captured: row.captured,
            })
        })
        .collect()
}
