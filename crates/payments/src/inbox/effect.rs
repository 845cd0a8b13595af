//! What an event brings about.

use async_trait::async_trait;
use platform::{Sources, Tx};

use crate::payment::Applied;
use crate::provider::Incoming;
use crate::{Error, news};

/// Does what an event tells of.
#[async_trait]
pub(crate) trait Effect: Send + Sync + 'static {
    /// Applies it within the transaction that marks the event as processed: both commit, or neither does. Whatever this
    /// does beyond `tx` has to bear repetition. Events of one subject come one after the other, the oldest of those that
    /// are stored first; one that reaches Souk late comes after younger ones, which [`Incoming::at`] tells. After a replay
    /// it is asked again for what it has done.
    ///
    /// # Errors
    /// When it can not now: it is asked again later, and a number of times in all.
    async fn apply(&self, tx: &mut Tx, provider: &str, incoming: &Incoming) -> Result<Applied, Error>;
}

/// Has notices do to payments, refunds and disputes what they tell of.
pub(crate) struct News(pub(crate) Sources);

#[async_trait]
impl Effect for News {
    async fn apply(&self, tx: &mut Tx, provider: &str, incoming: &Incoming) -> Result<Applied, Error> {
        news::apply(tx, provider, incoming, self.0.now()).await
    }
}
