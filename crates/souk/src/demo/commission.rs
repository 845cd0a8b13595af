//! What the demonstration takes of its stores' sales: a tenth, and less of coffee and tea.

use catalog::{CategoryId, CategoryNode};
use identity::Actor;
use payments::{CommissionTerms, NewCommissionRule};
use platform::{CursorRequest, Rate};

use crate::app::App;

/// The category of which less is taken.
const CHEAPER: &str = "coffee-and-tea";

/// Makes the rules, unless there are or were any.
pub(super) async fn put_rules(app: &App) -> anyhow::Result<()> {
    let any = CursorRequest { first: 1, after: None };
    if !app.commission.rules(&Actor::system(), true, &any).await?.data.is_empty() {
        return Ok(());
    }
    let categories = app.catalog.categories(&Actor::system()).await?;
    if let Some(category) = find(&categories, CHEAPER) {
        let rule = rule("Coffee & tea", 10, 8, Some(category));
        app.commission.create_rule(&Actor::system(), &rule, None).await?;
    }
    app.commission.create_rule(&Actor::system(), &rule("Standard", 1_000, 10, None), None).await?;
    Ok(())
}

fn rule(name: &str, position: i32, percent: u8, category: Option<CategoryId>) -> NewCommissionRule {
    let rate_ppm = Rate::percent(percent);
    NewCommissionRule {
        position: Some(position),
        name: name.to_owned(),
        store_id: None,
        category_id: category.map(CategoryId::uuid),
        currency: None,
        terms: CommissionTerms::Percentage { rate_ppm, per_unit: None, minimum: None, maximum: None },
        tax_rate_ppm: Rate::percent(20),
        valid_from: None,
        valid_to: None,
    }
}

fn find(nodes: &[CategoryNode], slug: &str) -> Option<CategoryId> {
    nodes.iter().find_map(
        |node| {
            if node.slug.as_str() == slug { Some(node.id) } else { find(&node.children, slug) }
        },
    )
}
