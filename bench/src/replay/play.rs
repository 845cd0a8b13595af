//! Plays the year: what one customer did, one after the other; what several did, at the same time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::buyer::{self, Buyer};
use super::client::Client;
use super::tally::Tally;
use super::year::{Event, Year};

/// After so many events the run says how far it is.
const WORD: usize = 2_000;

/// One customer and what they still do. A guest does one thing.
struct Chain {
    buyer: Buyer,
    /// Each with its place in the year.
    events: VecDeque<(usize, Event)>,
}

/// All customers, whoever is next first.
struct Queue {
    chains: Vec<Mutex<Option<Chain>>>,
    ready: Mutex<BinaryHeap<Reverse<(usize, usize)>>>,
    done: AtomicUsize,
}

impl Queue {
    fn of(year: &Year) -> Self {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut chains: Vec<Chain> = Vec::new();
        for (number, &event) in year.events.iter().enumerate() {
            let purchase = match event {
                Event::Buy(purchase) => purchase,
                Event::GiveBack(refund) => year.refunds[refund].purchase,
            };
            let customer = year.purchases[purchase].customer.as_deref();
            let place = customer.and_then(|customer| places.get(customer).copied()).unwrap_or(chains.len());
            if place == chains.len() {
                let buyer = Buyer::new(customer.map(ToOwned::to_owned));
                chains.push(Chain { buyer, events: VecDeque::new() });
                places.extend(customer.map(|customer| (customer, place)));
            }
            chains[place].events.push_back((number, event));
        }
        let first = |(place, chain): (usize, &Chain)| Some(Reverse((chain.events.front()?.0, place)));
        let ready = chains.iter().enumerate().filter_map(first).collect();
        let chains = chains.into_iter().map(|chain| Mutex::new(Some(chain))).collect();
        Self { chains, ready: Mutex::new(ready), done: AtomicUsize::new(0) }
    }

    /// The customer whose next deed is the earliest, of those whom nobody plays now.
    fn take(&self) -> Option<(usize, Chain)> {
        let Reverse((_, place)) = self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        let chain = self.chains[place].lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some((place, chain))
    }

    fn give_back(&self, place: usize, chain: Chain) {
        let Some(&(number, _)) = chain.events.front() else { return };
        *self.chains[place].lock().unwrap_or_else(PoisonError::into_inner) = Some(chain);
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(Reverse((number, place)));
    }

    fn count(&self, all: usize) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(WORD) {
            eprintln!("  {done} of {all} orders and refunds");
        }
    }
}

/// Plays all of it; what buyers were told.
pub(super) async fn play(
    year: &Arc<Year>,
    address: SocketAddr,
    connections: usize,
    key: &str,
) -> anyhow::Result<Tally> {
    let queue = Arc::new(Queue::of(year));
    let remembered: Arc<HashSet<usize>> =
        Arc::new(year.refunds.iter().map(|refund| refund.purchase).collect());
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let (queue, year, key) = (Arc::clone(&queue), Arc::clone(year), key.to_owned());
        let remembered = Arc::clone(&remembered);
        workers.spawn(async move { work(&queue, &year, &remembered, address, &key).await });
    }
    let mut tally = Tally::default();
    while let Some(told) = workers.join_next().await {
        tally.add(told?);
    }
    Ok(tally)
}

/// One connection. When nobody is left in the queue, those who are still played have others to play them.
async fn work(
    queue: &Queue,
    year: &Year,
    remembered: &HashSet<usize>,
    address: SocketAddr,
    key: &str,
) -> Tally {
    let (mut client, mut tally) = (Client::new(address), Tally::default());
    while let Some((place, mut chain)) = queue.take() {
        if let Some((_, event)) = chain.events.pop_front() {
            let done = match event {
                Event::Buy(number) => {
                    let bought =
                        chain.buyer.buy(&mut client, year, &year.purchases[number], &mut tally).await;
                    bought.map(|bought| {
                        if remembered.contains(&number) {
                            chain.buyer.bought.insert(number, bought);
                        }
                    })
                }
                Event::GiveBack(number) => {
                    let refund = &year.refunds[number];
                    match chain.buyer.bought.get(&refund.purchase) {
                        Some(bought) => {
                            buyer::give_back(&mut client, year, refund, bought, key, &mut tally).await
                        }
                        None => Err(anyhow::anyhow!("cancellation {}: it was not bought", refund.invoice)),
                    }
                }
            };
            if let Err(error) = done {
                tally.wrong.push(format!("{error:#}"));
            }
            queue.count(year.events.len());
        }
        queue.give_back(place, chain);
    }
    tally.repeated = client.repeated;
    tally
}
