//! What stores, and operators for them, have said of their payouts; what they have not said is the marketplace's own.

use std::collections::{BTreeMap, HashMap};

use identity::{Actor, Permission, StoreId};
use platform::id::uuids;
use platform::{Currency, Database, Money, Tx};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::Schedule;
use crate::Error;

/// What goes for stores that have said nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayoutDefaults {
    /// When money is sent.
    pub schedule: Schedule,
    /// For how many days a sale waits before it is paid out: 0 to 365.
    pub hold_days: i16,
    /// How much of each sale is kept back, in hundredths of a percent: 0 to 10000.
    pub reserve_basis_points: i16,
    /// For how many days: 1 to 730.
    pub reserve_days: i16,
}

impl Default for PayoutDefaults {
    fn default() -> Self {
        let schedule = Schedule::Weekly { weekday: super::Weekday::Monday };
        Self { schedule, hold_days: 7, reserve_basis_points: 0, reserve_days: 90 }
    }
}

impl PayoutDefaults {
    /// What is out of range, if anything is.
    pub fn wrong(&self) -> Option<&'static str> {
        let Self { hold_days, reserve_basis_points, reserve_days, .. } = *self;
        match () {
            () if !(0..=365).contains(&hold_days) => Some("payout_hold_days has to be from 0 to 365"),
            () if !(0..=10_000).contains(&reserve_basis_points) => {
                Some("payout_reserve_basis_points has to be from 0 to 10000")
            }
            () if !(1..=730).contains(&reserve_days) => Some("payout_reserve_days has to be from 1 to 730"),
            () => None,
        }
    }
}

/// How a store's money is paid out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PayoutSettings {
    /// The store.
    pub store_id: StoreId,
    /// When it is sent.
    pub schedule: Schedule,
    /// By currency, below how much nothing is sent; a currency that is not named has no minimum.
    pub minimum: Vec<Money>,
    /// For how many days a sale waits before it is paid out. Operators set it.
    #[schema(example = 7)]
    pub hold_days: i16,
    /// How much of each sale is kept back, in hundredths of a percent. Operators set it.
    #[schema(example = 500)]
    pub reserve_basis_points: i16,
    /// For how many days.
    #[schema(example = 90)]
    pub reserve_days: i16,
    /// Why operators hold the store's payouts; null if they do not.
    pub paused: Option<String>,
    /// Counts changes.
    #[schema(example = 1)]
    pub version: i64,
}

/// Other settings.
#[derive(Clone, Debug)]
pub struct PutPayoutSettings {
    /// When money is sent.
    pub schedule: Schedule,
    /// By currency, below how much nothing is sent.
    pub minimum: Vec<Money>,
    /// For how many days a sale waits; stays if it is not named, and operators alone change it.
    pub hold_days: Option<i16>,
    /// How much of each sale is kept back; stays if it is not named, and operators alone change it.
    pub reserve_basis_points: Option<i16>,
    /// For how many days; stays if it is not named, and operators alone change it.
    pub reserve_days: Option<i16>,
}

impl PayoutSettings {
    fn usual(store_id: StoreId, defaults: &PayoutDefaults) -> Self {
        let PayoutDefaults { schedule, hold_days, reserve_basis_points, reserve_days } = *defaults;
        let (minimum, paused, version) = (Vec::new(), None, 1);
        Self { store_id, schedule, minimum, hold_days, reserve_basis_points, reserve_days, paused, version }
    }

    /// Below how much nothing is sent.
    pub(super) fn minimum_of(&self, currency: Currency) -> i64 {
        self.minimum.iter().find(|money| money.currency == currency).map_or(0, |money| money.amount)
    }

    /// Sales up to this moment can be paid out.
    pub(super) fn held_after(&self, now: OffsetDateTime) -> OffsetDateTime {
        now - time::Duration::days(self.hold_days.into())
    }
}

/// The settings of these stores.
pub(crate) async fn of(
    connection: &mut PgConnection,
    defaults: &PayoutDefaults,
    stores: &[StoreId],
) -> Result<HashMap<StoreId, PayoutSettings>, Error> {
    let mut found: HashMap<StoreId, PayoutSettings> =
        stores.iter().map(|store| (*store, PayoutSettings::usual(*store, defaults))).collect();
    let rows = sqlx::query!(
        r#"SELECT store_id AS "store_id: StoreId", version, schedule, schedule_day, minimum, hold_days,
                  reserve_basis_points, reserve_days, paused
           FROM payments.payout_settings WHERE store_id = ANY($1)"#,
        &uuids(stores),
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let Some(settings) = found.get_mut(&row.store_id) else { continue };
        if let Some(interval) = row.schedule {
            settings.schedule = Schedule::stored(&interval, row.schedule_day)?;
        }
        settings.minimum = minimum(row.minimum)?;
        settings.hold_days = row.hold_days.unwrap_or(settings.hold_days);
        settings.reserve_basis_points = row.reserve_basis_points.unwrap_or(settings.reserve_basis_points);
        settings.reserve_days = row.reserve_days.unwrap_or(settings.reserve_days);
        settings.paused = row.paused;
        settings.version = row.version;
    }
    Ok(found)
}

fn minimum(stored: serde_json::Value) -> Result<Vec<Money>, Error> {
    let by_code: BTreeMap<String, i64> =
        serde_json::from_value(stored).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    by_code
        .into_iter()
        .map(|(code, amount)| {
            let currency = code.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(Money::new(amount, currency))
        })
        .collect()
}

/// The settings of one store.
pub(super) async fn one(
    connection: &mut PgConnection,
    defaults: &PayoutDefaults,
    store: StoreId,
) -> Result<PayoutSettings, Error> {
    let found = of(connection, defaults, &[store]).await?.remove(&store);
    Ok(found.unwrap_or_else(|| PayoutSettings::usual(store, defaults)))
}

/// Changes the settings that the actor read at this version.
pub(super) async fn put(
    database: &Database,
    defaults: &PayoutDefaults,
    actor: &Actor,
    store: StoreId,
    put: &PutPayoutSettings,
    version: i64,
    now: OffsetDateTime,
) -> Result<PayoutSettings, Error> {
    check(put)?;
    let mut tx = database.begin_within(store).await?;
    let before = locked(&mut tx, defaults, store).await?;
    if before.version != version {
        return Err(Error::Stale);
    }
    let after = PayoutSettings {
        schedule: put.schedule,
        minimum: put.minimum.clone(),
        hold_days: put.hold_days.unwrap_or(before.hold_days),
        reserve_basis_points: put.reserve_basis_points.unwrap_or(before.reserve_basis_points),
        reserve_days: put.reserve_days.unwrap_or(before.reserve_days),
        version: before.version + 1,
        ..before.clone()
    };
    let of_operators = |settings: &PayoutSettings| {
        (settings.hold_days, settings.reserve_basis_points, settings.reserve_days)
    };
    if of_operators(&after) != of_operators(&before) {
        actor.require_platform(Permission::FinanceAdmin)?;
    }
    let (interval, day) = after.schedule.to_stored();
    let by_code: BTreeMap<&str, i64> =
        after.minimum.iter().map(|money| (money.currency.code(), money.amount)).collect();
    // What was never said goes on following the marketplace's own settings.
    sqlx::query!(
        "INSERT INTO payments.payout_settings (store_id, version, schedule, schedule_day, minimum, hold_days,
             reserve_basis_points, reserve_days, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (store_id) DO UPDATE SET version = $2, schedule = $3, schedule_day = $4, minimum = $5,
             hold_days = coalesce($6, payout_settings.hold_days),
             reserve_basis_points = coalesce($7, payout_settings.reserve_basis_points),
             reserve_days = coalesce($8, payout_settings.reserve_days), updated_at = $9",
        store.uuid(),
        after.version,
        interval,
        day,
        platform::database::json(&by_code),
        put.hold_days.filter(|days| *days != before.hold_days),
        put.reserve_basis_points.filter(|rate| *rate != before.reserve_basis_points),
        put.reserve_days.filter(|days| *days != before.reserve_days),
        now,
    )
    .execute(&mut *tx)
    .await?;
    let facts = json!({"before": facts(&before), "after": facts(&after)});
    tx.audit(actor.did("payout_settings.changed", "store", store).in_store(store).with_facts(facts));
    tx.commit(now).await?;
    Ok(after)
}

fn facts(settings: &PayoutSettings) -> serde_json::Value {
    json!({
        "schedule": settings.schedule,
        "minimum": settings.minimum,
        "hold_days": settings.hold_days,
        "reserve_basis_points": settings.reserve_basis_points,
        "reserve_days": settings.reserve_days,
    })
}

fn check(put: &PutPayoutSettings) -> Result<(), Error> {
    if let Schedule::Monthly { day } = put.schedule
        && !(1..=Schedule::LAST_DAY).contains(&day)
    {
        return Err(Error::invalid("schedule.day", "out_of_range", "a day of the month is from 1 to 28"));
    }
    for (place, money) in put.minimum.iter().enumerate() {
        let field = format!("minimum[{place}]");
        if money.amount < 0 {
            return Err(Error::invalid(field, "out_of_range", "a minimum is not below zero"));
        }
        if put.minimum[..place].iter().any(|other| other.currency == money.currency) {
            return Err(Error::invalid(field, "twice", "each currency has one minimum"));
        }
    }
    Ok(())
}

/// The settings of a store, which nobody else changes meanwhile.
async fn locked(tx: &mut Tx, defaults: &PayoutDefaults, store: StoreId) -> Result<PayoutSettings, Error> {
    let name = format!("payments.payout_settings {store}");
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name).execute(&mut **tx).await?;
    one(tx, defaults, store).await
}

/// Holds a store's payouts, or lets them go on; what is under way at the provider goes on in any case.
pub(super) async fn pause(
    database: &Database,
    defaults: &PayoutDefaults,
    actor: &Actor,
    store: StoreId,
    (paused, reason): (bool, &str),
    now: OffsetDateTime,
) -> Result<PayoutSettings, Error> {
    let mut tx = database.begin().await?;
    let before = locked(&mut tx, defaults, store).await?;
    let after =
        PayoutSettings { paused: paused.then(|| reason.to_owned()), version: before.version + 1, ..before };
    sqlx::query!(
        "INSERT INTO payments.payout_settings (store_id, version, paused, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (store_id) DO UPDATE SET version = $2, paused = $3, updated_at = $4",
        store.uuid(),
        after.version,
        after.paused,
        now,
    )
    .execute(&mut *tx)
    .await?;
    let action = if paused { "payouts.paused" } else { "payouts.resumed" };
    let entry = actor.did(action, "store", store).in_store(store).with_facts(json!({"reason": reason}));
    tx.audit(entry);
    tx.commit(now).await?;
    Ok(after)
}
