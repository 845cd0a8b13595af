//! Making payouts: a store's open entries, its lock, the rows and the posting, in one transaction.

use std::collections::BTreeMap;

use identity::{Actor, StoreId};
use platform::{Currency, Money, Tx, fault};
use serde_json::json;
use time::OffsetDateTime;

use super::face::Desk;
use super::pick::{self, Open};
use super::posting::{self, Step};
use super::{Payout, PayoutOrigin, PayoutSettings, PayoutState, row, settings};
use crate::events::PayoutMoved;
use crate::ledger::{self, Rule};
use crate::{Error, PayoutId};

/// A run that somebody asked for: whatever the schedule says, and whatever the minimum.
#[derive(Clone, Debug)]
pub struct PayoutRun {
    /// Of this store.
    pub store: StoreId,
    /// In this currency and no more than this; all of what is available, if nothing is said.
    pub most: Option<Money>,
    /// Why, for whoever asks later.
    pub reason: String,
}

/// What is wanted of a store.
pub(super) enum Wanted<'a> {
    /// What its schedule says.
    Scheduled,
    /// What somebody says.
    Manual {
        actor: &'a Actor,
        run: &'a PayoutRun,
        /// The payout that came to nothing, and which try this one is.
        retry: Option<(PayoutId, i32)>,
    },
}

impl Wanted<'_> {
    const fn origin(&self) -> PayoutOrigin {
        match self {
            Self::Scheduled => PayoutOrigin::Schedule,
            Self::Manual { .. } => PayoutOrigin::Manual,
        }
    }
}

/// Makes the payouts of stores whose time has come; gives how many.
pub(super) async fn run_due(desk: &Desk, now: OffsetDateTime) -> Result<u64, Error> {
    let stores = sqlx::query!(
        r#"SELECT DISTINCT p.store_id AS "store_id!: StoreId", t.turn_at AS "turn_at?"
           FROM payments.ledger_accounts a
           JOIN payments.payout_accounts p ON p.store_id::text = a.owner AND p.provider = $1 AND p.state = 'active'
           LEFT JOIN payments.payout_turns t ON t.store_id = p.store_id
           WHERE a.kind = 'store_payable' AND a.balance < 0"#,
        desk.provider.name(),
    )
    .fetch_all(desk.database.lists())
    .await?;
    let ids: Vec<StoreId> = stores.iter().map(|store| store.store_id).collect();
    let mut connection = desk.database.pool().acquire().await?;
    let settings = settings::of(&mut connection, &desk.defaults, &ids).await?;
    drop(connection);
    let mut made = 0;
    for store in stores {
        let due = |settings: &PayoutSettings| {
            let due = store.turn_at.is_none_or(|turn| settings.schedule.is_due(turn, now));
            settings.paused.is_none() && due
        };
        if settings.get(&store.store_id).is_some_and(due) {
            match of_store(desk, store.store_id, &Wanted::Scheduled, now).await {
                Ok(payouts) => made += payouts.len() as u64,
                Err(error) => {
                    tracing::warn!(store = %store.store_id, %error, "payouts of a store could not be made");
                }
            }
        }
    }
    Ok(made)
}

/// Makes the payouts of a store: one for each currency of which there is enough.
pub(super) async fn of_store(
    desk: &Desk,
    store: StoreId,
    wanted: &Wanted<'_>,
    now: OffsetDateTime,
) -> Result<Vec<Payout>, Error> {
    let mut tx = desk.database.begin().await?;
    let Some(turn) = take_turn(&mut tx, store, wanted, now).await? else { return Ok(Vec::new()) };
    let settings = settings::one(&mut tx, &desk.defaults, store).await?;
    if let Wanted::Scheduled = wanted {
        if settings.paused.is_some() || !settings.schedule.is_due(turn, now) {
            // The first time that a store is seen is noted: its schedule counts from there.
            tx.commit(now).await?;
            return Ok(Vec::new());
        }
        sqlx::query!("UPDATE payments.payout_turns SET turn_at = $2 WHERE store_id = $1", store.uuid(), now)
            .execute(&mut *tx)
            .await?;
    } else if settings.paused.is_some() {
        return Err(Error::PayoutsPaused);
    }
    let account = sqlx::query_scalar!(
        "SELECT reference FROM payments.payout_accounts WHERE store_id = $1 AND provider = $2 AND state = 'active'",
        store.uuid(),
        desk.provider.name(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(account) = account else { return Err(Error::NoPayoutAccount) };
    let mut made = Vec::new();
    for (currency, (balance, open)) in open_entries(&mut tx, store).await? {
        let currency: Currency = row::currency(&currency)?;
        let due = pick::due(open, settings.held_after(now));
        let (items, least) = match wanted {
            Wanted::Scheduled => (pick::within(due, balance), settings.minimum_of(currency)),
            Wanted::Manual { run, .. } => match run.most {
                Some(most) if most.currency != currency => continue,
                most => (pick::within(due, most.map_or(balance, |most| most.amount.min(balance))), 0),
            },
        };
        let Some(amount) = pick::sum(&items).filter(|sum| *sum > 0 && *sum >= least) else { continue };
        let amount = Money::new(amount, currency);
        let id: PayoutId = desk.sources.id();
        insert(&mut tx, desk, (id, store, &account, amount), wanted, now).await?;
        insert_items(&mut tx, id, &items).await?;
        made.push((id, amount));
    }
    if made.is_empty() && matches!(wanted, Wanted::Manual { .. }) {
        return Err(Error::NothingToPayOut);
    }
    let provider = desk.provider.name();
    let drafts = made
        .iter()
        .map(|(id, amount)| posting::draft(Step::Made, *id, (store, provider), *amount, now))
        .collect();
    ledger::post(&mut tx, drafts, now).await?;
    covered(&mut tx, store, &made).await?;
    let mut payouts = Vec::with_capacity(made.len());
    for (id, _) in &made {
        let payout = row::load(&mut tx, *id).await?.ok_or(Error::NotFound)?;
        tell(&mut tx, &payout, wanted);
        payouts.push(payout);
    }
    fault::point("payments.payout.before_commit");
    tx.commit(now).await?;
    Ok(payouts)
}

/// Locks a store, so that its money is counted by one at a time; gives when that was done last. None if somebody else is
/// at it, and whoever asks need not wait.
async fn take_turn(
    tx: &mut Tx,
    store: StoreId,
    wanted: &Wanted<'_>,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, Error> {
    sqlx::query!(
        "INSERT INTO payments.payout_turns (store_id, turn_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        store.uuid(),
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(match wanted {
        Wanted::Scheduled => {
            sqlx::query_scalar!(
                "SELECT turn_at FROM payments.payout_turns WHERE store_id = $1 FOR UPDATE SKIP LOCKED",
                store.uuid(),
            )
            .fetch_optional(&mut **tx)
            .await?
        }
        Wanted::Manual { .. } => {
            sqlx::query_scalar!(
                "SELECT turn_at FROM payments.payout_turns WHERE store_id = $1 FOR UPDATE",
                store.uuid(),
            )
            .fetch_optional(&mut **tx)
            .await?
        }
    })
}

/// By currency, what the store is owed and the entries of it that are in no live payout. The payouts' own are none.
async fn open_entries(tx: &mut Tx, store: StoreId) -> Result<BTreeMap<String, (i64, Vec<Open>)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT a.currency, -a.balance AS "balance!", e.seq, e.line, -e.amount AS "owed!", t.kind, t.reference,
                  t.occurred_at
           FROM payments.ledger_accounts a
           JOIN payments.ledger_entries e ON e.account_id = a.id
           JOIN payments.ledger_transactions t ON t.seq = e.seq
           WHERE a.kind = 'store_payable' AND a.owner = $1 AND e.rule <> ALL($2)
             AND NOT EXISTS (SELECT FROM payments.payout_items i WHERE i.seq = e.seq AND i.line = e.line AND i.live)
           ORDER BY a.currency, e.seq, e.line"#,
        store.to_string(),
        &OF_PAYOUTS.map(Rule::as_str) as &[&str],
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut found: BTreeMap<String, (i64, Vec<Open>)> = BTreeMap::new();
    for row in rows {
        found.entry(row.currency).or_insert((row.balance, Vec::new())).1.push(Open {
            seq: row.seq,
            line: row.line,
            owed: row.owed,
            kind: row.kind,
            reference: row.reference,
            occurred_at: row.occurred_at,
        });
    }
    Ok(found)
}

/// The rules of payouts themselves: what they move of a store's balance is no item of a payout.
pub(super) const OF_PAYOUTS: [Rule; 3] = [Rule::Payout, Rule::PayoutCancelled, Rule::PayoutReturned];

async fn insert(
    tx: &mut Tx,
    desk: &Desk,
    (id, store, account, amount): (PayoutId, StoreId, &str, Money),
    wanted: &Wanted<'_>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let (note, retry) = match wanted {
        Wanted::Scheduled => (None, None),
        Wanted::Manual { run, retry, .. } => (Some(run.reason.as_str()), *retry),
    };
    sqlx::query!(
        "INSERT INTO payments.payouts (id, store_id, provider, account, amount, currency, state, origin, attempt, retry_of,
             note, due_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
        id.uuid(),
        store.uuid(),
        desk.provider.name(),
        account,
        amount.amount,
        amount.currency.code(),
        PayoutState::Created.as_str(),
        wanted.origin().as_str(),
        retry.map_or(1, |(_, attempt)| attempt),
        retry.map(|(before, _)| before.uuid()),
        note,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert_items(tx: &mut Tx, id: PayoutId, items: &[Open]) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO payments.payout_items (payout_id, seq, line, amount)
         SELECT $1, * FROM unnest($2::bigint[], $3::smallint[], $4::bigint[])",
        id.uuid(),
        &items.iter().map(|item| item.seq).collect::<Vec<_>>(),
        &items.iter().map(|item| item.line).collect::<Vec<_>>(),
        &items.iter().map(|item| item.owed).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// No more was paid than the store was owed. What took of its balance since it was read shows here, where nobody else
/// writes into the ledger; the next round counts anew.
async fn covered(tx: &mut Tx, store: StoreId, made: &[(PayoutId, Money)]) -> Result<(), Error> {
    let currencies: Vec<&str> = made.iter().map(|(_, amount)| amount.currency.code()).collect();
    let short = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM payments.ledger_accounts
                          WHERE kind = 'store_payable' AND owner = $1 AND currency = ANY($2) AND balance > 0) AS "short!""#,
        store.to_string(),
        &currencies as &[&str],
    )
    .fetch_one(&mut **tx)
    .await?;
    if short { Err(Error::PayoutsBusy) } else { Ok(()) }
}

fn tell(tx: &mut Tx, payout: &Payout, wanted: &Wanted<'_>) {
    tx.publish(&PayoutMoved::of(payout));
    if let Wanted::Manual { actor, run, .. } = wanted {
        let facts = json!({
            "amount": payout.amount, "most": run.most, "reason": run.reason, "retry_of": payout.retry_of,
        });
        tx.audit(
            actor.did("payout.created", "payout", payout.id).in_store(payout.store_id).with_facts(facts),
        );
    }
}
