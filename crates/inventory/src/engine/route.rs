//! The routing rule: from which locations an order is served.
//!
//! For each store of the order, of its active locations, those in the country of the delivery first, then by their
//! position: (a) the first that has all lines; (b) otherwise each line whole from the first that has it; (c) otherwise
//! the line is split over them in that order.

use std::collections::{BTreeMap, HashMap};

use catalog::{StoreId, VariantId};
use platform::id::uuids;
use sqlx::PgConnection;

use crate::level::{Level, Levels};

/// Units that are taken from a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) variant_id: VariantId,
    pub(crate) location: String,
    pub(crate) quantity: i64,
}

/// Where locations are, and which come first. One that is not known, such as a `main` that nobody has described, is
/// nowhere and at 0.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<(StoreId, String), (Option<String>, i32)>);

impl Places {
    /// Reads those between which there is a choice for these variants. Where there is none nothing is read.
    pub(crate) async fn read(
        connection: &mut PgConnection,
        levels: &Levels,
        variants: &[VariantId],
    ) -> Result<Self, sqlx::Error> {
        let choice = variants.iter().map(|variant| levels.of(*variant)).filter(|rows| rows.len() > 1);
        let mut stores: Vec<StoreId> = choice.flatten().filter_map(|level| level.store).collect();
        if stores.is_empty() {
            return Ok(Self::default());
        }
        stores.sort_unstable();
        stores.dedup();
        let rows = sqlx::query!(
            r#"SELECT store_id AS "store_id: StoreId", code, country, position FROM inventory.locations
               WHERE store_id = ANY($1)"#,
            &uuids(&stores),
        )
        .fetch_all(connection)
        .await?;
        let places = rows.into_iter().map(|row| ((row.store_id, row.code), (row.country, row.position)));
        Ok(Self(places.collect()))
    }

    /// What a location is sorted by: the least comes first.
    fn rank(&self, level: &Level, destination: Option<&str>) -> (bool, i32, String) {
        let place = level.store.and_then(|store| self.0.get(&(store, level.location.clone())));
        let (country, position) =
            place.map_or((None, 0), |(country, position)| (country.as_deref(), *position));
        let abroad = destination.is_none() || country != destination;
        (abroad, position, level.location.clone())
    }
}

/// Where these units are taken from. There have to be as many.
pub(crate) fn route(
    levels: &Levels,
    places: &Places,
    wanted: &BTreeMap<VariantId, i64>,
    destination: Option<&str>,
) -> Vec<Part> {
    let mut parts = Vec::with_capacity(wanted.len());
    let mut choices: BTreeMap<Option<StoreId>, Vec<(VariantId, i64)>> = BTreeMap::new();
    for (variant, quantity) in wanted {
        match levels.of(*variant) {
            [] => {}
            [only] => parts.push(part(*variant, &only.location, *quantity)),
            [first, ..] => choices.entry(first.store).or_default().push((*variant, *quantity)),
        }
    }
    if choices.is_empty() {
        return parts;
    }
    // What has no choice still says where the rest of its store's lines had better come from.
    for (variant, quantity) in wanted {
        if let [only] = levels.of(*variant)
            && let Some(lines) = choices.get_mut(&only.store)
        {
            lines.push((*variant, *quantity));
        }
    }
    for lines in choices.values() {
        of_store(levels, places, lines, destination, &mut parts);
    }
    parts.sort_by(|one, other| (one.variant_id, &one.location).cmp(&(other.variant_id, &other.location)));
    parts
}

fn of_store(
    levels: &Levels,
    places: &Places,
    lines: &[(VariantId, i64)],
    destination: Option<&str>,
    parts: &mut Vec<Part>,
) {
    let mut ranked: Vec<(_, &str)> = lines
        .iter()
        .flat_map(|(variant, _)| levels.of(*variant))
        .filter(|level| level.active)
        .map(|level| (places.rank(level, destination), level.location.as_str()))
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    let has = |variant: VariantId, location: &str, quantity: i64| {
        levels.at(variant, location).is_some_and(|level| level.free() >= quantity)
    };
    let whole = ranked
        .iter()
        .find(|(_, location)| lines.iter().all(|(variant, quantity)| has(*variant, location, *quantity)));
    // Lines without a choice are routed already.
    for (variant, quantity) in lines.iter().filter(|(variant, _)| levels.of(*variant).len() > 1) {
        let line = || ranked.iter().find(|(_, location)| has(*variant, location, *quantity));
        if let Some((_, location)) = whole.or_else(line) {
            parts.push(part(*variant, location, *quantity));
            continue;
        }
        let mut left = *quantity;
        for (_, location) in &ranked {
            let free = levels.at(*variant, location).map_or(0, Level::free).min(left);
            if free > 0 {
                parts.push(part(*variant, location, free));
                left -= free;
            }
        }
        debug_assert_eq!(left, 0, "what can not be had is refused before");
    }
}

fn part(variant_id: VariantId, location: &str, quantity: i64) -> Part {
    Part { variant_id, location: location.to_owned(), quantity }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn variant(number: u128) -> VariantId {
        Uuid::from_u128(number).into()
    }

    /// One store with `main` (nowhere, 0), `lyon` (FR, 1) and `york` (GB, 2); variant 1, 2, ... has these units there.
    fn scene(stock: &[[i64; 3]]) -> (Levels, Places) {
        let store = StoreId::from(Uuid::from_u128(99));
        let rows = |units: &[i64; 3]| {
            ["main", "lyon", "york"]
                .into_iter()
                .zip(units)
                .map(|(code, units)| Level::of_test(code, Some(store), *units))
                .collect()
        };
        let levels = (1..).zip(stock).map(|(number, units)| (variant(number), rows(units)));
        let place = |code: &str, country: &str, position| {
            ((store, code.to_owned()), (Some(country.to_owned()), position))
        };
        let places = [place("lyon", "FR", 1), place("york", "GB", 2)];
        (Levels(levels.collect()), Places(places.into()))
    }

    /// Where units of variants 1, 2, ... come from, as `2 lyon`.
    fn routed(stock: &[[i64; 3]], wanted: &[i64], destination: Option<&str>) -> Vec<(u128, String)> {
        let (levels, places) = scene(stock);
        let wanted = (1..).zip(wanted).map(|(number, units)| (variant(number), *units)).collect();
        route(&levels, &places, &wanted, destination)
            .into_iter()
            .map(|part| (part.variant_id.uuid().as_u128(), format!("{} {}", part.quantity, part.location)))
            .collect()
    }

    fn from(expected: &[(u128, &str)]) -> Vec<(u128, String)> {
        expected.iter().map(|(number, part)| (*number, (*part).to_owned())).collect()
    }

    #[test]
    fn the_first_location_that_has_everything_serves() {
        assert_eq!(routed(&[[9, 9, 9]], &[2], None), from(&[(1, "2 main")]));
        assert_eq!(routed(&[[9, 9, 9]], &[2], Some("GB")), from(&[(1, "2 york")]));
        assert_eq!(routed(&[[9, 9, 9]], &[2], Some("DE")), from(&[(1, "2 main")]));
        // York is in the country, but has not all lines; the next in order that has serves them.
        let stock = [[0, 9, 9], [9, 9, 1]];
        assert_eq!(routed(&stock, &[2, 2], Some("GB")), from(&[(1, "2 lyon"), (2, "2 lyon")]));
    }

    #[test]
    fn otherwise_each_line_is_served_whole() {
        let stock = [[0, 0, 9], [9, 9, 1]];
        assert_eq!(routed(&stock, &[2, 2], None), from(&[(1, "2 york"), (2, "2 main")]));
    }

    #[test]
    fn otherwise_a_line_is_split() {
        let stock = [[1, 2, 3]];
        assert_eq!(routed(&stock, &[5], None), from(&[(1, "2 lyon"), (1, "1 main"), (1, "2 york")]));
        assert_eq!(routed(&stock, &[5], Some("GB")), from(&[(1, "1 lyon"), (1, "1 main"), (1, "3 york")]));
    }

    #[test]
    fn what_is_switched_off_is_not_routed_to() {
        let (mut levels, places) = scene(&[[9, 9, 9]]);
        levels.0.get_mut(&variant(1)).unwrap()[0].active = false;
        let parts = route(&levels, &places, &BTreeMap::from([(variant(1), 2)]), None);
        assert_eq!(parts[0].location, "lyon");
    }
}
