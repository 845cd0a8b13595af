//! The engine: reservations of all callers, made and settled in batches.
//!
//! A batch is one transaction: it reads the reservations concerned, locks the stock of all variants concerned once,
//! decides in memory in the order of coming, and writes the outcome with one statement per table. Nothing it does grows
//! with the number of its commands but the length of its arrays.
//!
//! Reservations are read before they are known to hold still, and those to be made are first taken to be new. Whatever
//! is changed is changed only if it still is as it was read, and what is made must be new; otherwise the batch begins
//! anew, and reads them all.
mod books;
mod entry;
mod route;
mod takings;

use async_trait::async_trait;
use platform::batch::Work;

use platform::{Database, Sources, fault};
use time::OffsetDateTime;

use books::Books;

use crate::events::ReservationsExpired;
use crate::{Error, Excess, ReservationId, Reserve, Shortage};

/// How often a batch begins anew before it gives up. Each time another node has settled one of its reservations between
/// two statements.
const ATTEMPTS: usize = 20;
/// How many reservations are settled in one transaction past the queue.
const SETTLING: usize = 256;
/// How many reservations expire in one transaction.
const EXPIRING: i64 = 256;
/// How many such transactions make a round.
const ROUND: usize = 8;

/// What callers ask for.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Reserves all lines or none.
    Reserve(Reserve),
    /// Turns a held reservation into a sale.
    Sell(ReservationId),
    /// Gives a held reservation back; one that is not there can not be made any more.
    Release(ReservationId),
    /// Changes until when a reservation is held.
    Extend(ReservationId, Option<OffsetDateTime>),
    /// Gives a reservation back whose time is over.
    Expire(ReservationId),
}

impl Command {
    const fn id(&self) -> ReservationId {
        match self {
            Self::Reserve(reserve) => reserve.id,
            Self::Sell(id) | Self::Release(id) | Self::Extend(id, _) | Self::Expire(id) => *id,
        }
    }
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    OutOfStock(Vec<Shortage>),
    PurchaseLimit(Vec<Excess>),
    Released,
    NotFound,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::OutOfStock(shortages) => Self::OutOfStock(shortages),
            Refusal::PurchaseLimit(excesses) => Self::PurchaseLimit(excesses),
            Refusal::Released => Self::Released,
            Refusal::NotFound => Self::ReservationNotFound,
        }
    }
}

/// Which reservations a batch reads before it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Those it settles. What it is to make is taken to be new, as it nearly always is: if it is not, making it fails.
    PastNew,
    /// All that its commands name.
    Everywhere,
}

/// What a command comes to.
pub(crate) type Answer = Result<(), Refusal>;

/// Carries out commands.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) database: Database,
    pub(crate) sources: Sources,
}

impl Engine {
    /// Carries out these commands in one transaction; nothing, if one of them does not find what it was taken to find:
    /// another node was faster, or what was taken to be new is not. Gives the reservations that expired too.
    async fn attempt(
        &self,
        commands: &[Command],
        look: Look,
    ) -> Result<Option<(Vec<Answer>, Vec<ReservationId>)>, sqlx::Error> {
        let now = self.sources.now();
        let mut tx = self.database.begin_batch().await?;
        let mut books = Books::open(&mut tx, commands, look).await?;
        let answers = commands.iter().map(|command| books.carry_out(command, now)).collect();
        let expired = books.expired();
        if !books.write(&mut tx, now).await? {
            return Ok(None);
        }
        if !expired.is_empty() {
            tx.publish(&ReservationsExpired { reservations: expired.clone() });
        }
        fault::point("inventory.engine.before_commit");
        tx.commit(now).await?;
        fault::point("inventory.engine.after_commit");
        Ok(Some((answers, expired)))
    }

    /// Carries out these commands in one transaction. Gives the reservations that expired too.
    pub(crate) async fn carry_out(
        &self,
        commands: &[Command],
    ) -> Result<(Vec<Answer>, Vec<ReservationId>), sqlx::Error> {
        let mut look = Look::PastNew;
        for _ in 0..ATTEMPTS {
            if let Some(done) = self.attempt(commands, look).await? {
                return Ok(done);
            }
            look = Look::Everywhere;
            metrics::counter!("souk_reservations_anew_total").increment(1);
        }
        Err(sqlx::Error::Protocol("another node was faster each time".to_owned()))
    }

    /// Settles many reservations past the queue: nobody waits for it.
    pub(crate) async fn settle(
        &self,
        sold: &[ReservationId],
        released: &[ReservationId],
    ) -> Result<(), Error> {
        let sold = sold.iter().copied().map(Command::Sell);
        let commands: Vec<Command> = sold.chain(released.iter().copied().map(Command::Release)).collect();
        let mut refusal = None;
        for some in commands.chunks(SETTLING) {
            let (answers, _) = self.carry_out(some).await?;
            refusal = refusal.or_else(|| answers.into_iter().find_map(Result::err));
        }
        refusal.map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// One round of the sweeper: releases what is past its time. Gives how many.
    pub(crate) async fn sweep(&self) -> Result<u64, Error> {
        let mut swept = 0;
        for _ in 0..ROUND {
            let late = sqlx::query_scalar!(
                r#"SELECT id AS "id: ReservationId" FROM inventory.reservations
                   WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2"#,
                self.sources.now(),
                EXPIRING,
            )
            .fetch_all(self.database.pool())
            .await?;
            let found = late.len() as u64;
            if found > 0 {
                let commands: Vec<Command> = late.into_iter().map(Command::Expire).collect();
                swept += self.carry_out(&commands).await?.1.len() as u64;
            }
            if found < EXPIRING.unsigned_abs() {
                break;
            }
        }
        Ok(swept)
    }
}

#[async_trait]
impl Work for Engine {
    type Item = Command;
    type Answer = Answer;

    async fn serve(&self, items: &[Command]) -> Result<Vec<Answer>, sqlx::Error> {
        Ok(self.carry_out(items).await?.0)
    }
}
