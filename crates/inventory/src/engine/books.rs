//! All that a batch is about, in memory: what there is, what is asked for, what is decided.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use catalog::{ProductId, VariantId};
use platform::Tx;
use time::OffsetDateTime;

use super::entry::{self, Entry};
use super::route::{Places, route};
use super::takings::Takings;
use super::{Answer, Command, Look, Refusal};
use crate::level::{self, Levels};
use crate::{BuyerKey, Excess, ReservationId, ReservationState, Reserve, Shortage};

/// What a batch works on.
#[derive(Debug, Default)]
pub(crate) struct Books {
    entries: HashMap<ReservationId, Entry>,
    levels: Levels,
    places: Places,
    takings: Takings,
    expired: Vec<ReservationId>,
}

impl Books {
    /// Reads and locks what these commands are about.
    pub(crate) async fn open(tx: &mut Tx, commands: &[Command], look: Look) -> Result<Self, sqlx::Error> {
        let passed = |command: &Command| look == Look::PastNew && matches!(command, Command::Reserve(_));
        let ids: BTreeSet<ReservationId> =
            commands.iter().filter(|command| !passed(command)).map(Command::id).collect();
        let ids: Vec<ReservationId> = ids.into_iter().collect();
        let read = if ids.is_empty() { Vec::new() } else { entry::read(tx, &ids).await? };
        let entries: HashMap<_, _> = read.into_iter().map(|entry| (entry.id, entry)).collect();
        let mut reserves: Vec<&Reserve> = Vec::new();
        for command in commands {
            if let Command::Reserve(reserve) = command
                && !entries.contains_key(&reserve.id)
            {
                reserves.push(reserve);
            }
        }
        let open = |entry: &&Entry| entry.state == ReservationState::Held;
        let mut variants: Vec<VariantId> =
            reserves.iter().flat_map(|reserve| &reserve.lines).map(|line| line.variant_id).collect();
        let asked_for = variants.len();
        variants
            .extend(entries.values().filter(open).flat_map(|entry| &entry.parts).map(|part| part.variant_id));
        let levels = match variants.as_slice() {
            [] => Levels::default(),
            some => level::lock(tx, some).await?,
        };
        let places = Places::read(tx, &levels, &variants[..asked_for]).await?;
        let mut takers: Vec<(ProductId, BuyerKey)> = Vec::new();
        for reserve in reserves {
            for limit in reserve.lines.iter().filter_map(|line| line.limit) {
                takers.extend(reserve.buyers.iter().map(|buyer| (limit.product_id, *buyer)));
            }
        }
        for entry in entries.values().filter(open) {
            for (product, _) in &entry.limited {
                takers.extend(entry.buyers.iter().map(|buyer| (*product, *buyer)));
            }
        }
        let takings = Takings::lock(tx, takers).await?;
        Ok(Self { entries, levels, places, takings, expired: Vec::new() })
    }

    /// Decides about a command, with all that was decided before it.
    pub(crate) fn carry_out(&mut self, command: &Command, now: OffsetDateTime) -> Answer {
        let state = self.entries.get(&command.id()).map(|entry| entry.state);
        match (command, state) {
            (Command::Reserve(reserve), _) => self.reserve(reserve),
            (Command::Release(id), None) => {
                self.entries.insert(*id, Entry::new(*id, ReservationState::Released));
                Ok(())
            }
            (_, None) => Err(Refusal::NotFound),
            (Command::Sell(id), Some(ReservationState::Held)) => {
                self.settle(*id, ReservationState::Sold);
                Ok(())
            }
            (Command::Release(id), Some(ReservationState::Held)) => {
                self.settle(*id, ReservationState::Released);
                Ok(())
            }
            (Command::Extend(id, until), Some(ReservationState::Held)) => {
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.expires_at = *until;
                }
                Ok(())
            }
            (Command::Expire(id), Some(ReservationState::Held)) => {
                let until = self.entries.get(id).and_then(|entry| entry.expires_at);
                if until.is_some_and(|until| until <= now) {
                    self.settle(*id, ReservationState::Released);
                    self.expired.push(*id);
                }
                Ok(())
            }
            (
                Command::Sell(_) | Command::Extend(..),
                Some(ReservationState::Released | ReservationState::Refused),
            ) => Err(Refusal::Released),
            // Settled already as it shall be, or not to be settled any more.
            _ => Ok(()),
        }
    }

    /// What expired.
    pub(crate) fn expired(&self) -> Vec<ReservationId> {
        self.expired.clone()
    }

    fn reserve(&mut self, reserve: &Reserve) -> Answer {
        if let Some(kept) = self.entries.get(&reserve.id) {
            return kept.answer();
        }
        let entry = self.decide(reserve);
        for part in &entry.parts {
            self.levels.change(part.variant_id, &part.location, 0, part.quantity);
        }
        for (product, units) in &entry.limited {
            self.takings.change(*product, &entry.buyers, *units);
        }
        let answer = entry.answer();
        self.entries.insert(entry.id, entry);
        answer
    }

    /// What becomes of a request.
    fn decide(&self, reserve: &Reserve) -> Entry {
        let mut entry = Entry::new(reserve.id, ReservationState::Held);
        let mut wanted: BTreeMap<VariantId, (usize, i64)> = BTreeMap::new();
        for (place, line) in reserve.lines.iter().enumerate() {
            wanted.entry(line.variant_id).or_insert((place, 0)).1 += i64::from(line.quantity.get());
        }
        for (variant_id, (line, requested)) in &wanted {
            let available = self.levels.available(*variant_id);
            if available < *requested {
                let (line, requested) = (*line, *requested);
                entry.shortages.push(Shortage { line, variant_id: *variant_id, requested, available });
            }
        }
        entry.shortages.sort_by_key(|shortage| shortage.line);
        if entry.shortages.is_empty() {
            self.limit(reserve, &mut entry);
        }
        if entry.shortages.is_empty() && entry.excesses.is_empty() {
            let wanted = wanted.into_iter().map(|(variant, (_, units))| (variant, units)).collect();
            entry.parts = route(&self.levels, &self.places, &wanted, reserve.destination.as_deref());
            entry.expires_at = reserve.expires_at;
        } else {
            entry.state = ReservationState::Refused;
            (entry.limited, entry.buyers) = (Vec::new(), Vec::new());
        }
        entry
    }

    /// Counts what is limited, and finds what is too much.
    fn limit(&self, reserve: &Reserve, entry: &mut Entry) {
        let mut wanted: BTreeMap<ProductId, (usize, i64, i64)> = BTreeMap::new();
        for (place, line) in reserve.lines.iter().enumerate() {
            if let Some(limit) = line.limit {
                let most = i64::from(limit.most.get());
                let (_, least, units) = wanted.entry(limit.product_id).or_insert((place, most, 0));
                *least = most.min(*least);
                *units += i64::from(line.quantity.get());
            }
        }
        if wanted.is_empty() {
            return;
        }
        entry.buyers.clone_from(&reserve.buyers);
        entry.buyers.sort_unstable();
        entry.buyers.dedup();
        for (product_id, (line, most, requested)) in wanted {
            let had = self.takings.of(product_id, &entry.buyers);
            if had + requested > most {
                entry.excesses.push(Excess { line, product_id, most, had, requested });
            }
            entry.limited.push((product_id, requested));
        }
        entry.excesses.sort_by_key(|excess| excess.line);
    }

    /// Ends a held reservation as sold or released.
    fn settle(&mut self, id: ReservationId, to: ReservationState) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        (entry.state, entry.expires_at) = (to, None);
        for part in &entry.parts {
            let sold = if to == ReservationState::Sold { -part.quantity } else { 0 };
            self.levels.change(part.variant_id, &part.location, sold, -part.quantity);
        }
        if to == ReservationState::Released {
            for (product, units) in &entry.limited {
                self.takings.change(*product, &entry.buyers, -units);
            }
        }
    }

    /// Writes what was decided. Says whether nobody was faster; otherwise nothing of it may stay.
    pub(crate) async fn write(&self, tx: &mut Tx, now: OffsetDateTime) -> Result<bool, sqlx::Error> {
        if !entry::insert(tx, self.entries.values(), now).await?
            || !entry::settle(tx, self.entries.values(), now).await?
        {
            return Ok(false);
        }
        self.levels.write(tx).await?;
        self.takings.write(tx).await?;
        Ok(true)
    }
}
