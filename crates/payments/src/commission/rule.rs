//! Commission rules, as they are read and made.

use identity::StoreId;
use platform::{Currency, Rate};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::terms::CommissionTerms;
use crate::{CommissionRuleId, Error};

/// Furthest place in the order of rules.
pub(crate) const LAST_POSITION: i32 = 1_000_000;

/// What the marketplace takes of sales, and of which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CommissionRule {
    /// Its id.
    pub id: CommissionRuleId,
    /// Its place: of the rules that fit a line, the one with the lowest decides; among the same, the one made first.
    #[schema(example = 10)]
    pub position: i32,
    /// What people call it.
    #[schema(example = "Books")]
    pub name: String,
    /// It fits lines of this store alone.
    pub store_id: Option<StoreId>,
    /// It fits products of this category and those below it alone.
    pub category_id: Option<Uuid>,
    /// It fits orders in this currency alone.
    #[schema(example = "GBP")]
    pub currency: Option<Currency>,
    /// What it takes.
    pub terms: CommissionTerms,
    /// The tax on the commission, in parts per million of it: 200,000 is 20 %.
    pub tax_rate_ppm: Rate,
    /// It counts for orders placed from then on.
    #[serde(with = "time::serde::rfc3339")]
    pub valid_from: OffsetDateTime,
    /// It counts for orders placed before then.
    #[serde(with = "time::serde::rfc3339::option")]
    pub valid_to: Option<OffsetDateTime>,
    /// When it was ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Counts its changes; the `ETag`.
    #[serde(skip)]
    pub version: i64,
}

impl CommissionRule {
    /// Whether it counts for an order that is placed then.
    pub(crate) fn counts_at(&self, at: OffsetDateTime) -> bool {
        self.valid_from <= at && !self.is_over(at)
    }

    /// Whether it counts no more.
    pub(crate) fn is_over(&self, at: OffsetDateTime) -> bool {
        let is_past = |end: Option<OffsetDateTime>| end.is_some_and(|end| end <= at);
        is_past(self.valid_to) || is_past(self.ended_at)
    }
}

/// A rule to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewCommissionRule {
    /// Its place; behind all that count, if none is named.
    pub position: Option<i32>,
    /// What people call it.
    pub name: String,
    /// The store whose lines it fits; all if none is named.
    pub store_id: Option<StoreId>,
    /// The category whose products it fits, those of the categories below included; all if none is named.
    pub category_id: Option<Uuid>,
    /// The currency of the orders that it fits. A rule with amounts has one.
    pub currency: Option<Currency>,
    /// What it takes.
    pub terms: CommissionTerms,
    /// The tax on the commission.
    pub tax_rate_ppm: Rate,
    /// From when on it counts; at once if nothing is said. Not in the past.
    pub valid_from: Option<OffsetDateTime>,
    /// From when on it counts no more.
    pub valid_to: Option<OffsetDateTime>,
}

/// What may be changed of a rule: nothing that would make the past look different.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommissionRuleChange {
    /// Its place.
    pub position: Option<i32>,
    /// From when on it counts no more; `Some(None)` lets it go on. Not in the past.
    pub valid_to: Option<Option<OffsetDateTime>>,
}

/// A rule that was made.
#[derive(Clone, Debug)]
pub struct MadeCommissionRule {
    /// The rule.
    pub rule: CommissionRule,
    /// Whether it was made before, by a request with the same key.
    pub replayed: bool,
}

impl NewCommissionRule {
    /// Refuses what no rule can be. Gives from when on it counts.
    pub(crate) fn check(&self, now: OffsetDateTime) -> Result<OffsetDateTime, Error> {
        check_position(self.position)?;
        if self.name.trim().is_empty() || self.name.chars().count() > 200 {
            return Err(Error::invalid("name", "length", "from 1 to 200 characters"));
        }
        self.terms.check(self.currency)?;
        if self.valid_from.is_some_and(|from| from < now) {
            return Err(Error::invalid(
                "valid_from",
                "past",
                "a rule does not count for what was sold before",
            ));
        }
        let valid_from = self.valid_from.unwrap_or(now);
        check_end(self.valid_to, valid_from, now)?;
        Ok(valid_from)
    }
}

pub(crate) fn check_position(position: Option<i32>) -> Result<(), Error> {
    if position.is_none_or(|position| (0..=LAST_POSITION).contains(&position)) {
        return Ok(());
    }
    Err(Error::invalid("position", "range", format!("from 0 to {LAST_POSITION}")))
}

/// A rule ends after it began, and not in the past.
pub(crate) fn check_end(
    valid_to: Option<OffsetDateTime>,
    valid_from: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), Error> {
    match valid_to {
        // PostgreSQL keeps microseconds.
        Some(end) if micros(end) <= micros(valid_from) => {
            Err(Error::invalid("valid_to", "range", "a rule ends after it began"))
        }
        Some(end) if end < now => Err(Error::invalid("valid_to", "past", "that is in the past")),
        _ => Ok(()),
    }
}

const fn micros(time: OffsetDateTime) -> i128 {
    time.unix_timestamp_nanos().div_euclid(1_000)
}
