//! A small provider, and what its events bring about in tests: a line in a table for each.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use async_trait::async_trait;
use platform::Tx;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::Notify;

use super::super::Effect;
use crate::Error;
use crate::payment::Applied;
use crate::provider::{Change, Incoming, Notice, Partial, PayoutStatus, ProviderError, signature};

/// What an event of the fake provider has its effect do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Does {
    /// It takes effect.
    #[default]
    Counts,
    /// It is none that Souk uses.
    Nothing,
    /// It can not be read.
    Garbage,
    /// It takes effect once its subject is there, and waits until then.
    Overtakes,
    /// Its effect writes something, and fails.
    Errs,
    /// Its effect writes something, and panics.
    Panics,
    /// Its effect writes something, and then the node loses its power.
    LosesPower,
}

/// An event as the fake provider sends it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) subject: String,
    /// Its place among those of its subject.
    pub(super) number: i64,
    pub(super) at: i64,
    pub(super) does: Does,
}

impl Told {
    pub(super) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap()
    }
}

/// A provider that only ever sends events.
pub(super) struct Fake(pub(super) Vec<&'static str>);

#[async_trait]
impl Partial for Fake {
    fn verify(
        &self,
        headers: &[(String, String)],
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<Notice, Error> {
        let header = headers.iter().find(|(name, _)| name == "fake-signature").ok_or(Error::BadSignature)?;
        signature::check(&self.0, &header.1, body, now)?;
        let told: Told = serde_json::from_slice(body).map_err(|_| Error::BadNotice)?;
        let at = OffsetDateTime::from_unix_timestamp(told.at).map_err(|_| Error::BadNotice)?;
        Ok(Notice { id: told.id, kind: "thing.happened".to_owned(), at, subject: told.subject })
    }

    fn read(&self, body: &[u8]) -> Result<Incoming, ProviderError> {
        let told: Told = serde_json::from_slice(body).unwrap();
        let change = match told.does {
            Does::Nothing => Change::None,
            Does::Garbage => return Err(ProviderError::Unknown("such a field".to_owned())),
            _ => {
                let reference = String::from_utf8(body.to_vec()).unwrap();
                Change::Payout { id: None, reference, status: PayoutStatus::Paid }
            }
        };
        Ok(Incoming { at: OffsetDateTime::from_unix_timestamp(told.at).unwrap(), change })
    }
}

/// Writes a line for each event, and watches that nobody else works on its subject meanwhile. All nodes share one.
#[derive(Default)]
pub(super) struct Counting {
    busy: Mutex<HashSet<String>>,
    /// How often each event was tried.
    pub(super) tries: Mutex<HashMap<String, u32>>,
    /// Subjects that are there.
    pub(super) there: Mutex<HashSet<String>>,
    /// Told when an effect was written and the power is about to fail.
    pub(super) written: Notify,
    /// Whether the power is back.
    pub(super) powered: Mutex<bool>,
}

#[async_trait]
impl Effect for Counting {
    async fn apply(&self, tx: &mut Tx, provider: &str, incoming: &Incoming) -> Result<Applied, Error> {
        assert_eq!(provider, "fake");
        let Change::Payout { reference, .. } = &incoming.change else { panic!("{incoming:?}") };
        let told: Told = serde_json::from_str(reference).unwrap();
        *self.tries.lock().unwrap().entry(told.id.clone()).or_default() += 1;
        if told.does == Does::Overtakes && !self.there.lock().unwrap().contains(&told.subject) {
            return Ok(Applied::Waits(format!("there is no {}", told.subject)));
        }
        assert!(self.busy.lock().unwrap().insert(told.subject.clone()), "two at once on {}", told.subject);
        let _free = Free(self, &told.subject);
        sqlx::query("INSERT INTO payments.test_effects (subject, event_id, number) VALUES ($1, $2, $3)")
            .bind(&told.subject)
            .bind(&told.id)
            .bind(told.number)
            .execute(&mut **tx)
            .await?;
        match told.does {
            Does::Errs => Err(Error::ProviderUnavailable),
            Does::Panics => panic!("poison"),
            Does::LosesPower if !*self.powered.lock().unwrap() => {
                self.written.notify_one();
                std::future::pending().await
            }
            _ => Ok(Applied::Done),
        }
    }
}

/// Lets go of a subject, whatever came of its event.
struct Free<'a>(&'a Counting, &'a str);

impl Drop for Free<'_> {
    fn drop(&mut self) {
        self.0.busy.lock().unwrap().remove(self.1);
    }
}
