//! Locations: where a store keeps its stock. Every store has [`MAIN`], whether or not it has said anything about it.

use catalog::{StoreId, VariantId};
use identity::Actor;
use platform::{Sources, Tx};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::Error;
use crate::level::{self, MAIN};

/// Locations that a store may have.
const MOST: usize = 50;

/// A place where a store keeps stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StockLocation)]
pub struct Location {
    /// Its name in addresses. `main` is the one that every store has.
    #[schema(example = "york")]
    pub code: String,
    /// Its name.
    #[schema(example = "Warehouse York")]
    pub name: String,
    /// Where it is, ISO 3166-1 alpha-2: orders to this country are served from here first.
    #[schema(example = "GB")]
    pub country: Option<String>,
    /// The least comes first.
    #[schema(example = 1)]
    pub position: i32,
    /// Whether orders are served from here. What is at one that is not is not for sale.
    pub active: bool,
}

/// A location to be made.
#[derive(Clone, Debug)]
pub struct NewLocation {
    /// Its name in addresses: a slug of at most 50 characters.
    pub code: platform::Slug,
    /// Its name.
    pub name: String,
    /// Where it is, ISO 3166-1 alpha-2.
    pub country: Option<String>,
}

/// What is to be changed of a location; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct LocationChange {
    /// Its name.
    pub name: Option<String>,
    /// Where it is; `Some(None)` takes it away.
    pub country: Option<Option<String>>,
    /// The least comes first.
    pub position: Option<i32>,
    /// Whether orders are served from here.
    pub active: Option<bool>,
}

/// The locations of a store, the first first.
pub(crate) async fn list(tx: &mut Tx, store: StoreId) -> Result<Vec<Location>, Error> {
    let mut locations = sqlx::query_as!(
        Location,
        "SELECT code, name, country, position, active FROM inventory.locations WHERE store_id = $1",
        store.uuid(),
    )
    .fetch_all(&mut **tx)
    .await?;
    if !locations.iter().any(|location| location.code == MAIN) {
        let (code, name) = (MAIN.to_owned(), "Main".to_owned());
        locations.push(Location { code, name, country: None, position: 0, active: true });
    }
    locations.sort_by(|one, other| (one.position, &one.code).cmp(&(other.position, &other.code)));
    Ok(locations)
}

/// Keeps others from changing the store's locations, and from opening levels at them.
async fn lock(tx: &mut Tx, store: StoreId) -> Result<(), Error> {
    let name = format!("inventory.locations {store}");
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name).execute(&mut **tx).await?;
    Ok(())
}

pub(crate) async fn create(
    tx: &mut Tx,
    sources: &Sources,
    actor: &Actor,
    store: StoreId,
    new: &NewLocation,
) -> Result<Location, Error> {
    lock(tx, store).await?;
    let there = list(tx, store).await?;
    let code = new.code.as_str();
    if there.iter().any(|location| location.code == code) {
        return Err(Error::LocationTaken(code.to_owned()));
    }
    if there.len() >= MOST {
        let message = "a store has at most 50 locations";
        return Err(Error::Invalid { field: "code", code: "too_many", message });
    }
    let last = there.iter().map(|location| location.position).max().unwrap_or(0);
    let location = Location {
        code: code.to_owned(),
        name: new.name.clone(),
        country: new.country.clone(),
        position: last.saturating_add(1),
        active: true,
    };
    write(tx, sources, store, &location).await?;
    tell(tx, actor, "location.created", store, &location);
    Ok(location)
}

pub(crate) async fn change(
    tx: &mut Tx,
    sources: &Sources,
    actor: &Actor,
    store: StoreId,
    code: &str,
    change: &LocationChange,
) -> Result<Location, Error> {
    lock(tx, store).await?;
    let there = list(tx, store).await?;
    let before = there.into_iter().find(|location| location.code == code).ok_or(Error::LocationNotFound)?;
    let LocationChange { name, country, position, active } = change.clone();
    let location = Location {
        code: before.code,
        name: name.unwrap_or(before.name),
        country: country.unwrap_or(before.country),
        position: position.unwrap_or(before.position),
        active: active.unwrap_or(before.active),
    };
    write(tx, sources, store, &location).await?;
    if location.active != before.active {
        switch(tx, store, &location).await?;
    }
    tell(tx, actor, "location.changed", store, &location);
    Ok(location)
}

/// Brings the levels of a location to whether it is active. What they have comes into stock or sells out by it.
async fn switch(tx: &mut Tx, store: StoreId, location: &Location) -> Result<(), Error> {
    let variants = sqlx::query_scalar!(
        r#"SELECT variant_id AS "variant_id: VariantId" FROM inventory.stock_levels
           WHERE store_id = $1 AND location = $2"#,
        store.uuid(),
        location.code,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut levels = level::lock(tx, &variants).await?;
    levels.switch(&location.code, location.active);
    Ok(levels.write(tx).await?)
}

async fn write(tx: &mut Tx, sources: &Sources, store: StoreId, location: &Location) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO inventory.locations (store_id, code, name, country, position, active, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         ON CONFLICT (store_id, code) DO UPDATE SET name = $3, country = $4, position = $5, active = $6, updated_at = $7",
        store.uuid(),
        location.code,
        location.name,
        location.country,
        location.position,
        location.active,
        sources.now(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn tell(tx: &mut Tx, actor: &Actor, what: &'static str, store: StoreId, location: &Location) {
    let facts = json!({"code": location.code, "position": location.position, "active": location.active});
    tx.audit(actor.did(what, "store", store).in_store(store).with_facts(facts));
}
