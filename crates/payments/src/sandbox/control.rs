//! What was asked of the sandbox for the sake of a test: its clock, and what goes wrong on demand.

use std::sync::{Mutex, PoisonError};

use platform::Database;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::Error;

/// What goes wrong on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chaos {
    /// How long each notice waits before it is sent.
    pub delay: Duration,
    /// How often each notice arrives: 1 to 100.
    pub copies: u32,
    /// Whether notices are sent in any order; those that are delayed wait up to the delay then, each as it comes.
    pub shuffle: bool,
    /// How many of the next notices are lost: never sent, until they are triggered again.
    pub lose: u32,
    /// Whether notices are sent of charges that were answered at once, too.
    pub tell_charges: bool,
    /// Whether nobody answers at all.
    pub outage: bool,
    /// How many of the next refunds fail later.
    pub fail_refunds: u32,
    /// How many of the next payouts fail instead of arriving.
    pub fail_payouts: u32,
    /// Whether accounts of stores are active at once, without their page.
    pub activate_accounts: bool,
}

impl Default for Chaos {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            copies: 1,
            shuffle: false,
            lose: 0,
            tell_charges: false,
            outage: false,
            fail_refunds: 0,
            fail_payouts: 0,
            activate_accounts: false,
        }
    }
}

impl Chaos {
    const MOST_COPIES: u32 = 100;

    fn check(&self) -> Result<(), Error> {
        if !(1..=Self::MOST_COPIES).contains(&self.copies) {
            return Err(Error::Invalid("a notice arrives 1 to 100 times; to lose it, say how many to lose"));
        }
        if self.delay.is_negative() {
            return Err(Error::Invalid("a notice can not be sent before it is written"));
        }
        Ok(())
    }
}

/// How the sandbox is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Control {
    /// How far its clock is ahead.
    pub(super) offset: Duration,
    pub(super) chaos: Chaos,
}

/// The control as it was last read. Another process may have changed it since: whoever delivers notices reads it anew each
/// second.
#[derive(Default)]
pub(super) struct Cached(Mutex<Option<Control>>);

impl Cached {
    pub(super) fn get(&self) -> Option<Control> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, control: &Control) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(control.clone());
    }
}

/// Reads the control.
pub(super) async fn read(database: &Database, cached: &Cached) -> Result<Control, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT clock_offset, delay, copies, shuffle, lose, tell_charges, outage, fail_refunds, fail_payouts, activate_accounts
         FROM payments.sandbox_settings WHERE id"
    )
    .fetch_one(database.pool())
    .await?;
    let count = |number: i32| u32::try_from(number).unwrap_or_default();
    let control = Control {
        offset: Duration::seconds(row.clock_offset),
        chaos: Chaos {
            delay: Duration::seconds(row.delay),
            copies: count(row.copies),
            shuffle: row.shuffle,
            lose: count(row.lose),
            tell_charges: row.tell_charges,
            outage: row.outage,
            fail_refunds: count(row.fail_refunds),
            fail_payouts: count(row.fail_payouts),
            activate_accounts: row.activate_accounts,
        },
    };
    cached.set(&control);
    Ok(control)
}

pub(super) async fn write(database: &Database, cached: &Cached, chaos: &Chaos) -> Result<(), Error> {
    chaos.check()?;
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    sqlx::query!(
        "UPDATE payments.sandbox_settings SET delay = $1, copies = $2, shuffle = $3, lose = $4, tell_charges = $5, outage = $6,
             fail_refunds = $7, fail_payouts = $8, activate_accounts = $9
         WHERE id",
        chaos.delay.whole_seconds(),
        number(chaos.copies),
        chaos.shuffle,
        number(chaos.lose),
        chaos.tell_charges,
        chaos.outage,
        number(chaos.fail_refunds),
        number(chaos.fail_payouts),
        chaos.activate_accounts,
    )
    .execute(database.pool())
    .await?;
    read(database, cached).await?;
    Ok(())
}

/// Moves the clock on.
pub(super) async fn advance(database: &Database, cached: &Cached, by: Duration) -> Result<Control, Error> {
    if by.is_negative() {
        return Err(Error::Invalid("the clock goes forward only"));
    }
    // A century, so that no time leaves the calendar.
    let moved = sqlx::query!(
        "UPDATE payments.sandbox_settings SET clock_offset = clock_offset + $1 WHERE id AND clock_offset + $1 <= $2",
        by.whole_seconds().min(CENTURY),
        CENTURY,
    )
    .execute(database.pool())
    .await?;
    if moved.rows_affected() == 0 {
        return Err(Error::Invalid("the clock can not be more than a hundred years ahead"));
    }
    Ok(read(database, cached).await?)
}

const CENTURY: i64 = 100 * 365 * 24 * 60 * 60;

impl Control {
    /// The sandbox's time at this time of Souk's.
    pub(super) fn at(&self, souks: OffsetDateTime) -> OffsetDateTime {
        souks + self.offset
    }
}

/// What is counted down.
#[derive(Clone, Copy)]
pub(super) enum Count {
    Lose,
    FailRefunds,
    FailPayouts,
}

/// Takes one of those that are left, if any are.
pub(super) async fn take(
    tx: &mut PgConnection,
    control: &Control,
    count: Count,
) -> Result<bool, sqlx::Error> {
    let Chaos { lose, fail_refunds, fail_payouts, .. } = control.chaos;
    let taken = match count {
        Count::Lose if lose > 0 => {
            sqlx::query!("UPDATE payments.sandbox_settings SET lose = lose - 1 WHERE id AND lose > 0").execute(tx)
        }
        Count::FailRefunds if fail_refunds > 0 => sqlx::query!(
            "UPDATE payments.sandbox_settings SET fail_refunds = fail_refunds - 1 WHERE id AND fail_refunds > 0"
        )
        .execute(tx),
        Count::FailPayouts if fail_payouts > 0 => sqlx::query!(
            "UPDATE payments.sandbox_settings SET fail_payouts = fail_payouts - 1 WHERE id AND fail_payouts > 0"
        )
        .execute(tx),
        _ => return Ok(false),
    };
    Ok(taken.await?.rows_affected() == 1)
}
