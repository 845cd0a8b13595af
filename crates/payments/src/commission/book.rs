//! All rules that count, at hand: which one fits a line, and what it takes. Pure computing: thousands of checkouts a second
//! ask.

use std::collections::HashMap;

use identity::StoreId;
use platform::{Currency, Money};
use time::OffsetDateTime;
use uuid::Uuid;

use super::rule::CommissionRule;
use crate::CommissionRuleId;

/// A line of an order, as far as commission depends on it.
#[derive(Clone, Debug)]
pub struct CommissionLine {
    /// Who sells.
    pub store_id: StoreId,
    /// The categories of the product, and all those above them.
    pub categories: Vec<Uuid>,
    /// Units sold.
    pub quantity: i64,
    /// What they come to.
    pub total: Money,
}

/// What the marketplace takes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCommission {
    /// By which rule; without one nothing is taken.
    pub rule: Option<CommissionRuleId>,
    /// How much, never more than the line comes to.
    pub amount: Money,
    /// The tax on it, which is taken besides.
    pub tax: Money,
}

/// The rules that count, as they were read at one moment.
#[derive(Debug, Default)]
pub struct CommissionBook {
    /// In their order.
    rules: Vec<CommissionRule>,
    /// The places of those for every store and category, of those for a store, and of those for a category: in order.
    general: Vec<usize>,
    by_store: HashMap<StoreId, Vec<usize>>,
    by_category: HashMap<Uuid, Vec<usize>>,
}

/// Lines of one store that one rule fits: what is taken of them is rounded once.
struct Group {
    store_id: StoreId,
    currency: Currency,
    rule: usize,
    lines: Vec<usize>,
}

impl CommissionBook {
    /// A book of these rules.
    pub(crate) fn of(mut rules: Vec<CommissionRule>) -> Self {
        rules.sort_by_key(|rule| (rule.position, rule.id));
        let mut book = Self::default();
        for (place, rule) in rules.iter().enumerate() {
            let list = match (rule.store_id, rule.category_id) {
                (Some(store), _) => book.by_store.entry(store).or_default(),
                (None, Some(category)) => book.by_category.entry(category).or_default(),
                (None, None) => &mut book.general,
            };
            list.push(place);
        }
        Self { rules, ..book }
    }

    /// What the marketplace takes of each line of an order that is placed at this moment, at its place.
    ///
    /// The lines of one store that the same rule fits are taken together: their commission is computed and rounded once,
    /// then shared out in proportion to what they come to ([`Money::split`]), and so is the tax on it.
    #[must_use]
    pub fn commission(&self, at: OffsetDateTime, lines: &[CommissionLine]) -> Vec<LineCommission> {
        let nothing = |line: &CommissionLine| {
            let zero = Money::zero(line.total.currency);
            LineCommission { rule: None, amount: zero, tax: zero }
        };
        let mut taken: Vec<LineCommission> = lines.iter().map(nothing).collect();
        if self.rules.is_empty() {
            return taken;
        }
        for group in self.groups(at, lines) {
            let rule = &self.rules[group.rule];
            let of_group: Vec<_> =
                group.lines.iter().map(|place| (lines[*place].quantity, lines[*place].total)).collect();
            let amounts = rule.terms.of(&of_group, group.currency);
            let weights: Vec<u64> = amounts.iter().map(|part| part.amount.unsigned_abs()).collect();
            let whole = amounts.iter().fold(0_i64, |sum, part| sum.saturating_add(part.amount));
            let taxes = Money::new(whole, group.currency).share(rule.tax_rate_ppm).split(&weights);
            for ((place, amount), tax) in group.lines.into_iter().zip(amounts).zip(taxes) {
                taken[place] = LineCommission { rule: Some(rule.id), amount, tax };
            }
        }
        taken
    }

    fn groups(&self, at: OffsetDateTime, lines: &[CommissionLine]) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (place, line) in lines.iter().enumerate() {
            let Some(rule) = self.first_that_fits(at, line) else { continue };
            let (store_id, currency) = (line.store_id, line.total.currency);
            let same = |group: &&mut Group| {
                (group.store_id, group.currency, group.rule) == (store_id, currency, rule)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.lines.push(place),
                None => groups.push(Group { store_id, currency, rule, lines: vec![place] }),
            }
        }
        groups
    }

    fn first_that_fits(&self, at: OffsetDateTime, line: &CommissionLine) -> Option<usize> {
        let of_categories = line.categories.iter().filter_map(|category| self.by_category.get(category));
        let lists = self.by_store.get(&line.store_id).into_iter().chain(of_categories).chain([&self.general]);
        let first =
            |list: &Vec<usize>| list.iter().copied().find(|place| fits(&self.rules[*place], at, line));
        lists.filter_map(first).min()
    }
}

fn fits(rule: &CommissionRule, at: OffsetDateTime, line: &CommissionLine) -> bool {
    rule.counts_at(at)
        && rule.currency.is_none_or(|currency| currency == line.total.currency)
        && rule.store_id.is_none_or(|store| store == line.store_id)
        && rule.category_id.is_none_or(|category| line.categories.contains(&category))
}

#[cfg(test)]
mod tests {
    use super::super::rule::CommissionRule;
    use super::super::terms::{CommissionBracket, CommissionTerms};
    use super::*;
    use platform::{Id, Rate};
    use proptest::prelude::*;
    use time::Duration;
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

    fn id<K>(number: u8) -> Id<K> {
        Id::new(START, &[number; 10])
    }

    fn category(number: u8) -> Uuid {
        id::<CommissionRule>(number).uuid()
    }

    /// A rule for everything: so many percent, and no tax.
    fn rule(position: i32, percent: u8) -> CommissionRule {
        let rate_ppm = Rate::percent(percent);
        CommissionRule {
            id: id(u8::try_from(position).unwrap()),
            position,
            name: format!("{percent} %"),
            store_id: None,
            category_id: None,
            currency: None,
            terms: CommissionTerms::Percentage { rate_ppm, per_unit: None, minimum: None, maximum: None },
            tax_rate_ppm: Rate::ZERO,
            valid_from: START,
            valid_to: None,
            ended_at: None,
            created_at: START,
            version: 1,
        }
    }

    fn line(store: u8, categories: &[u8], total: i64) -> CommissionLine {
        CommissionLine {
            store_id: id(store),
            categories: categories.iter().map(|number| category(*number)).collect(),
            quantity: 1,
            total: Money::new(total, Currency::GBP),
        }
    }

    fn amounts(book: &CommissionBook, at: OffsetDateTime, lines: &[CommissionLine]) -> Vec<i64> {
        book.commission(at, lines).into_iter().map(|taken| taken.amount.amount).collect()
    }

    #[test]
    fn the_first_that_fits_decides() {
        let of_store = CommissionRule { store_id: Some(id(1)), ..rule(10, 1) };
        let of_both = CommissionRule { store_id: Some(id(2)), category_id: Some(category(7)), ..rule(20, 2) };
        let of_category = CommissionRule { category_id: Some(category(7)), ..rule(30, 3) };
        let book = CommissionBook::of(vec![rule(40, 4), of_category, of_both, of_store, rule(50, 5)]);
        let lines = [
            line(1, &[7], 100),
            line(2, &[6, 7], 100),
            line(2, &[6], 100),
            line(3, &[8, 7], 100),
            line(3, &[], 100),
        ];
        assert_eq!(amounts(&book, START, &lines), [1, 2, 4, 3, 4]);
        assert_eq!(amounts(&CommissionBook::default(), START, &lines), [0; 5]);
    }

    #[test]
    fn a_rule_counts_in_its_time_and_currency() {
        let (soon, later) = (START + Duration::hours(1), START + Duration::hours(2));
        let pounds = CommissionRule { currency: Some(Currency::GBP), valid_from: soon, ..rule(1, 10) };
        let euros = CommissionRule { currency: Some(Currency::EUR), ..rule(2, 20) };
        let until = CommissionRule { valid_to: Some(later), ..rule(3, 30) };
        let ended = CommissionRule { ended_at: Some(soon), valid_to: Some(later), ..rule(4, 40) };
        let of = |rules: &[&CommissionRule], at| {
            let book = CommissionBook::of(rules.iter().copied().cloned().collect());
            amounts(&book, at, &[line(1, &[], 100)])[0]
        };
        let moment = Duration::nanoseconds(1);
        assert_eq!((of(&[&pounds], soon - moment), of(&[&pounds], soon)), (0, 10));
        assert_eq!(of(&[&euros], START), 0);
        assert_eq!((of(&[&until], later - moment), of(&[&until], later)), (30, 0));
        assert_eq!((of(&[&ended], soon - moment), of(&[&ended], soon)), (40, 0));
        assert_eq!((of(&[&pounds, &until], START), of(&[&pounds, &until], soon)), (30, 10));
    }

    /// Two stores are two groups, and so are two rules: each is rounded once.
    #[test]
    fn each_group_is_rounded_once_and_so_is_its_tax() {
        let taxed = CommissionRule { tax_rate_ppm: Rate::percent(20), ..rule(1, 10) };
        let book = CommissionBook::of(vec![taxed]);
        let lines = [line(1, &[], 105), line(2, &[], 105), line(1, &[], 110), line(1, &[], 100)];
        let taken = book.commission(START, &lines);
        // 31.5 of 315 is 32, and 6.4 of that is 6.
        let of = |taken: &LineCommission| (taken.amount.amount, taken.tax.amount);
        assert_eq!(taken.iter().map(of).collect::<Vec<_>>(), [(11, 2), (11, 2), (11, 2), (10, 2)]);
    }

    fn terms() -> impl Strategy<Value = CommissionTerms> {
        let some = || prop::option::of(0..2_000_i64);
        let rate = || (0..=1_000_000_u32).prop_map(|ppm| Rate::try_from(ppm).unwrap());
        prop_oneof![
            (rate(), some(), some(), some()).prop_map(|(rate_ppm, per_unit, low, high)| {
                let (minimum, maximum) = (low.min(high.or(low)), high.map(|high| high.max(low.unwrap_or(0))));
                CommissionTerms::Percentage { rate_ppm, per_unit, minimum, maximum }
            }),
            (0..5_000_i64).prop_map(|per_unit| CommissionTerms::Fixed { per_unit }),
            prop::collection::vec((1..50_000_i64, rate(), 0..500_i64), 1..6).prop_map(|steps| {
                let mut reached = 0;
                let last = steps.len() - 1;
                let bracket = |(place, (width, rate_ppm, fixed))| {
                    reached += width;
                    CommissionBracket { up_to: (place < last).then_some(reached), rate_ppm, fixed }
                };
                CommissionTerms::Tiered { brackets: steps.into_iter().enumerate().map(bracket).collect() }
            }),
        ]
    }

    fn currency() -> impl Strategy<Value = Currency> {
        prop_oneof![Just("GBP"), Just("JPY"), Just("KWD")].prop_map(|code| code.parse().unwrap())
    }

    proptest! {
        /// Whatever the rules, in currencies of no, two and three decimals: of no line is more taken than it comes to, the
        /// parts of a group are exactly what is taken of the whole, and each tax is that of its group.
        #[test]
        fn parts_are_the_whole(
            rules in prop::collection::vec((terms(), 0..=1_000_000_u32, prop::option::of(0..3_u8), prop::option::of(0..3_u8)), 0..6),
            lines in prop::collection::vec((0..3_u8, 0..3_u8, 1..100_i64, 0..1_000_000_i64), 1..20),
            currency in currency(),
        ) {
            let rules: Vec<CommissionRule> = rules.into_iter().zip(1..).map(|((terms, tax, store, of), position)| {
                let tax_rate_ppm = Rate::try_from(tax).unwrap();
                let (store_id, category_id) = (store.map(id), of.map(category));
                CommissionRule { terms, tax_rate_ppm, store_id, category_id, ..rule(position, 0) }
            }).collect();
            prop_assert!(rules.iter().all(|rule| rule.terms.check(Some(currency)).is_ok()));
            let lines: Vec<CommissionLine> = lines.into_iter().map(|(store, of, quantity, total)| {
                CommissionLine { quantity, total: Money::new(total, currency), ..line(store, &[of], 0) }
            }).collect();
            let taken = CommissionBook::of(rules.clone()).commission(START, &lines);
            prop_assert_eq!(taken.len(), lines.len());
            for (line, part) in lines.iter().zip(&taken) {
                prop_assert_eq!((part.amount.currency, part.tax.currency), (currency, currency));
                prop_assert!((0..=line.total.amount).contains(&part.amount.amount));
                prop_assert!((0..=part.amount.amount).contains(&part.tax.amount));
                let fitting = rules.iter().find(|rule| fits(rule, START, line));
                prop_assert_eq!(part.rule, fitting.map(|rule| rule.id));
            }
            for rule in &rules {
                for store in 0..3_u8 {
                    let in_group: Vec<usize> = (0..lines.len())
                        .filter(|place| taken[*place].rule == Some(rule.id) && lines[*place].store_id == id(store))
                        .collect();
                    let sum = |of: &dyn Fn(usize) -> i64| in_group.iter().map(|place| of(*place)).sum::<i64>();
                    let total = sum(&|place| lines[place].total.amount);
                    let units = sum(&|place| lines[place].quantity);
                    let amount = sum(&|place| taken[place].amount.amount);
                    if !matches!(rule.terms, CommissionTerms::Fixed { .. }) {
                        let whole = rule.terms.of(&[(units, Money::new(total, currency))], currency);
                        prop_assert_eq!(amount, whole.first().map_or(0, |whole| whole.amount));
                    }
                    let tax = Money::new(amount, currency).share(rule.tax_rate_ppm).amount;
                    prop_assert_eq!(sum(&|place| taken[place].tax.amount), tax);
                }
            }
        }

        /// Whoever sells for more never pays less.
        #[test]
        fn more_is_never_less(terms in terms(), units in 1..50_i64, total in 0..500_000_i64, more in 0..500_000_i64) {
            let of = |total| terms.of(&[(units, Money::new(total, Currency::GBP))], Currency::GBP)[0].amount;
            prop_assert!(of(total) <= of(total + more));
        }
    }
}
