//! What a rule takes of the lines that it fits. Pure arithmetic, in whole numbers.

use platform::money::from_millionths;
use platform::{Currency, Money, Rate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Error;

/// Most that an amount of a rule may be, in minor units.
const DEAREST: i64 = 1_000_000_000_000;
/// Most brackets of a rule.
const MOST_BRACKETS: usize = 20;

/// What a rule takes of the lines of one store in one order that it fits, taken together. Amounts are in minor units of
/// the rule's currency. Never more is taken than the lines come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CommissionTerms {
    /// A share of the total.
    Percentage {
        /// The share, in parts per million: 100,000 is 10 %.
        rate_ppm: Rate,
        /// So much more for each unit sold.
        #[schema(minimum = 0, example = 30)]
        per_unit: Option<i64>,
        /// At least this, unless the lines come to less.
        #[schema(minimum = 0, example = 50)]
        minimum: Option<i64>,
        /// At most this.
        #[schema(minimum = 0, example = 50_000)]
        maximum: Option<i64>,
    },
    /// An amount for each unit sold.
    Fixed {
        /// The amount.
        #[schema(minimum = 0, example = 100)]
        per_unit: i64,
    },
    /// Shares of the parts of the total: each bracket's rate is for what lies in it.
    Tiered {
        /// From the lowest to the highest; the last one has no end.
        brackets: Vec<CommissionBracket>,
    },
}

/// What is taken of the part of a total that lies in a bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommissionBracket {
    /// The total up to which it reaches, in minor units; null for the last one.
    #[schema(example = 100_000)]
    pub up_to: Option<i64>,
    /// The share of what lies in it, in parts per million.
    pub rate_ppm: Rate,
    /// So much more once, if anything lies in it.
    #[serde(default)]
    #[schema(minimum = 0, default = 0, example = 0)]
    pub fixed: i64,
}

impl CommissionTerms {
    /// Its name, as the database has it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Percentage { .. } => "percentage",
            Self::Fixed { .. } => "fixed",
            Self::Tiered { .. } => "tiered",
        }
    }

    /// What is taken of each of these lines, units sold and what they come to. Rounded once, for all together.
    pub(crate) fn of(&self, lines: &[(i64, Money)], currency: Currency) -> Vec<Money> {
        if let Self::Fixed { per_unit } = self {
            // Nothing is rounded, and a unit costs the same on whichever line it is.
            let amount = |units: i64, total: i64| per_unit.saturating_mul(units).min(total).max(0);
            return lines
                .iter()
                .map(|(units, total)| Money::new(amount(*units, total.amount), currency))
                .collect();
        }
        let weights: Vec<u64> =
            lines.iter().map(|(_, total)| u64::try_from(total.amount).unwrap_or(0)).collect();
        let total = weights.iter().fold(0_u64, |sum, weight| sum.saturating_add(*weight));
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        let units = lines.iter().fold(0_i64, |sum, (units, _)| sum.saturating_add(*units));
        Money::new(self.of_total(units, total), currency).split(&weights)
    }

    /// What is taken of so many units that come to `total`.
    fn of_total(&self, units: i64, total: i64) -> i64 {
        let taken = match self {
            Self::Percentage { rate_ppm, per_unit, minimum, maximum } => {
                let share = i128::from(total) * i128::from(rate_ppm.ppm());
                let taken =
                    from_millionths(share).saturating_add(per_unit.unwrap_or(0).saturating_mul(units));
                taken.min(maximum.unwrap_or(i64::MAX)).max(minimum.unwrap_or(0))
            }
            Self::Fixed { per_unit } => per_unit.saturating_mul(units),
            Self::Tiered { brackets } => {
                let (mut from, mut share, mut fixed) = (0, 0_i128, 0_i64);
                for bracket in brackets {
                    let to = bracket.up_to.unwrap_or(i64::MAX).min(total);
                    if to <= from {
                        break;
                    }
                    share += i128::from(to - from) * i128::from(bracket.rate_ppm.ppm());
                    fixed = fixed.saturating_add(bracket.fixed);
                    from = to;
                }
                from_millionths(share).saturating_add(fixed)
            }
        };
        taken.clamp(0, total.max(0))
    }

    /// Refuses what no rule can be.
    pub(crate) fn check(&self, currency: Option<Currency>) -> Result<(), Error> {
        let needs_currency = match self {
            Self::Percentage { per_unit, minimum, maximum, .. } => {
                for (field, amount) in [("per_unit", per_unit), ("minimum", minimum), ("maximum", maximum)] {
                    in_range(&format!("terms.{field}"), amount.unwrap_or(0))?;
                }
                if minimum.zip(*maximum).is_some_and(|(minimum, maximum)| minimum > maximum) {
                    return Err(Error::invalid("terms.maximum", "range", "the maximum is below the minimum"));
                }
                per_unit.or(*minimum).or(*maximum).is_some()
            }
            Self::Fixed { per_unit } => {
                in_range("terms.per_unit", *per_unit)?;
                true
            }
            Self::Tiered { brackets } => {
                check_brackets(brackets)?;
                true
            }
        };
        if needs_currency && currency.is_none() {
            return Err(Error::invalid("currency", "missing", "a rule with amounts is for one currency"));
        }
        Ok(())
    }
}

fn in_range(field: &str, amount: i64) -> Result<(), Error> {
    if (0..=DEAREST).contains(&amount) {
        return Ok(());
    }
    Err(Error::invalid(field, "range", format!("from 0 to {DEAREST}")))
}

/// One after the other, without gaps, to the end.
fn check_brackets(brackets: &[CommissionBracket]) -> Result<(), Error> {
    if brackets.is_empty() || brackets.len() > MOST_BRACKETS {
        let message = format!("from 1 to {MOST_BRACKETS} brackets");
        return Err(Error::invalid("terms.brackets", "count", message));
    }
    let mut from = 0;
    for (place, bracket) in brackets.iter().enumerate() {
        in_range(&format!("terms.brackets[{place}].fixed"), bracket.fixed)?;
        let field = format!("terms.brackets[{place}].up_to");
        match bracket.up_to {
            None if place + 1 == brackets.len() => {}
            None => return Err(Error::invalid(field, "missing", "only the last bracket has no end")),
            Some(_) if place + 1 == brackets.len() => {
                return Err(Error::invalid(field, "range", "the last bracket has no end"));
            }
            Some(up_to) if up_to <= from => {
                return Err(Error::invalid(field, "order", "a bracket reaches further than the one before"));
            }
            Some(up_to) => {
                in_range(&field, up_to)?;
                from = up_to;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(ppm: u32) -> Rate {
        Rate::try_from(ppm).unwrap()
    }

    fn bracket(up_to: Option<i64>, ppm: u32, fixed: i64) -> CommissionBracket {
        CommissionBracket { up_to, rate_ppm: rate(ppm), fixed }
    }

    fn percentage(ppm: u32) -> CommissionTerms {
        CommissionTerms::Percentage { rate_ppm: rate(ppm), per_unit: None, minimum: None, maximum: None }
    }

    fn each(terms: &CommissionTerms, lines: &[(i64, i64)]) -> Vec<i64> {
        let lines: Vec<_> =
            lines.iter().map(|(units, total)| (*units, Money::new(*total, Currency::EUR))).collect();
        terms.of(&lines, Currency::EUR).into_iter().map(|part| part.amount).collect()
    }

    /// Line by line 10 % of these would be 1 + 1 + 1; of all together it is 1.
    #[test]
    fn is_rounded_once_for_all_lines() {
        assert_eq!(each(&percentage(100_000), &[(1, 5), (1, 5), (1, 4)]), [1, 0, 0]);
        assert_eq!(each(&percentage(100_000), &[(1, 1_999), (2, 501)]), [200, 50]);
    }

    #[test]
    fn a_percentage_has_more_parts() {
        let terms = CommissionTerms::Percentage {
            rate_ppm: rate(50_000),
            per_unit: Some(30),
            minimum: Some(100),
            maximum: Some(500),
        };
        assert_eq!(terms.of_total(1, 2_000), 130);
        assert_eq!(terms.of_total(1, 200), 100, "the minimum");
        assert_eq!(terms.of_total(10, 20_000), 500, "the maximum");
        assert_eq!(terms.of_total(1, 60), 60, "not more than there is");
        assert_eq!(terms.of_total(1, 0), 0);
    }

    /// A cheap line gives what it has; the others do not pay for it.
    #[test]
    fn an_amount_per_unit_is_taken_of_the_line_it_is_sold_on() {
        assert_eq!(
            each(&CommissionTerms::Fixed { per_unit: 100 }, &[(1, 50), (3, 1_000), (1, 0)]),
            [50, 300, 0]
        );
    }

    #[test]
    fn each_bracket_is_for_what_lies_in_it() {
        let terms = CommissionTerms::Tiered {
            brackets: vec![
                bracket(Some(10_000), 100_000, 0),
                bracket(Some(50_000), 50_000, 25),
                bracket(None, 10_000, 0),
            ],
        };
        assert_eq!(terms.of_total(1, 10_000), 1_000);
        assert_eq!(terms.of_total(1, 10_001), 1_025);
        assert_eq!(terms.of_total(1, 50_000), 1_000 + 2_000 + 25);
        assert_eq!(terms.of_total(1, 150_000), 1_000 + 2_025 + 1_000);
        assert_eq!(terms.of_total(1, 0), 0);
    }

    #[test]
    fn refuses_what_no_rule_can_be() {
        let tiered = |brackets| CommissionTerms::Tiered { brackets }.check(Some(Currency::EUR));
        assert!(tiered(vec![]).is_err());
        assert!(tiered(vec![bracket(Some(5), 1, 0)]).is_err());
        assert!(tiered(vec![bracket(None, 1, 0), bracket(None, 1, 0)]).is_err());
        assert!(tiered(vec![bracket(Some(5), 1, 0), bracket(Some(5), 1, 0), bracket(None, 1, 0)]).is_err());
        assert!(tiered(vec![bracket(Some(5), 1, -1), bracket(None, 1, 0)]).is_err());
        assert!(tiered(vec![bracket(None, 1, 0); MOST_BRACKETS + 1]).is_err());
        assert!(tiered(vec![bracket(Some(5), 1, 0), bracket(None, 1, 0)]).is_ok());
        assert!(percentage(1).check(None).is_ok());
        assert!(CommissionTerms::Fixed { per_unit: 1 }.check(None).is_err());
        assert!(CommissionTerms::Fixed { per_unit: DEAREST + 1 }.check(Some(Currency::EUR)).is_err());
        let crossed = CommissionTerms::Percentage {
            rate_ppm: rate(1),
            per_unit: None,
            minimum: Some(2),
            maximum: Some(1),
        };
        assert!(crossed.check(Some(Currency::EUR)).is_err());
    }
}
