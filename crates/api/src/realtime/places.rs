//! How many streams or sockets there may be: in all, and of one order, client and address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use uuid::Uuid;

use crate::problem::Problem;

/// On whose account a place goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    /// Everything about one order.
    Order(Uuid),
    /// A person, or a program with its key.
    Principal(Uuid),
    /// A guest, by the hash of their cart's token.
    Cart(Vec<u8>),
    /// An address, behind which there may be many.
    Address(IpAddr),
}

impl Holder {
    /// How many one may have.
    const fn most(&self) -> usize {
        match self {
            Self::Order(_) => 32,
            Self::Principal(_) | Self::Cart(_) => 64,
            Self::Address(_) => 1_000,
        }
    }
}

/// The places of a node.
pub(super) struct Places {
    kind: &'static str,
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by: HashMap<Holder, usize>,
}

impl Places {
    pub(super) fn new(kind: &'static str, most: usize) -> Self {
        Self { kind, most, taken: Mutex::default() }
    }

    /// Takes a place until it is dropped.
    ///
    /// # Errors
    /// When all are taken, or one of the holders has as many as it may.
    pub(super) fn take(self: &Arc<Self>, holders: Vec<Holder>) -> Result<Place, Problem> {
        let mut taken = self.taken.lock().expect("no holder panics");
        if taken.all >= self.most {
            let message = "too many follow their orders here at this moment; try again in a moment";
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "request/busy", message);
            return Err(Problem { retry_after: Some(5), ..problem });
        }
        let is_full = |holder: &Holder| taken.by.get(holder).is_some_and(|count| *count >= holder.most());
        if holders.iter().any(is_full) {
            let message = "too many of your connections are open; close one first";
            let problem =
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "request/too_many_connections", message);
            return Err(Problem { retry_after: Some(5), ..problem });
        }
        for holder in &holders {
            *taken.by.entry(holder.clone()).or_default() += 1;
        }
        taken.all += 1;
        self.tell(taken.all);
        drop(taken);
        Ok(Place { places: Arc::clone(self), holders })
    }

    #[expect(clippy::cast_precision_loss, reason = "there are thousands at most")]
    fn tell(&self, all: usize) {
        metrics::gauge!("souk_realtime_connections", "kind" => self.kind).set(all as f64);
    }
}

/// A place that is taken.
pub(super) struct Place {
    places: Arc<Places>,
    holders: Vec<Holder>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().expect("no holder panics");
        for holder in &self.holders {
            if let Some(count) = taken.by.get_mut(holder) {
                *count -= 1;
                if *count == 0 {
                    taken.by.remove(holder);
                }
            }
        }
        taken.all -= 1;
        self.places.tell(taken.all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(outcome: Result<Place, Problem>) -> String {
        outcome.err().map(|problem| problem.code).unwrap_or_default()
    }

    #[test]
    fn nobody_takes_all_places() {
        let places = Arc::new(Places::new("test", 100));
        let of = |order: u128| vec![Holder::Order(Uuid::from_u128(order)), Holder::Cart(vec![7])];
        let mut held: Vec<Place> = (0..32).map(|_| places.take(of(1)).unwrap()).collect();
        assert_eq!(code(places.take(of(1))), "request/too_many_connections", "of one order");
        held.extend((0..32).map(|_| places.take(of(2)).unwrap()));
        assert_eq!(code(places.take(of(3))), "request/too_many_connections", "of one guest");
        held.extend((0..36).map(|_| places.take(Vec::new()).unwrap()));
        assert_eq!(code(places.take(Vec::new())), "request/busy", "of the node");
        held.truncate(31);
        assert_eq!(code(places.take(of(1))), "");
        drop(held);
        assert!(places.taken.lock().unwrap().by.is_empty(), "what nobody holds takes no memory");
    }
}
