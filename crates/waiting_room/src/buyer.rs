//! Who stands in line: an account, or a guest by their cart.

use identity::{Actor, Denied, UserId};
use platform::Secret;
use sha2::{Digest, Sha256};

use crate::{Error, Parts};

/// A buyer's name in the books: `u` and the account's id, or `g` and the hash of the token of a guest's cart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Buyer(Vec<u8>);

impl Buyer {
    /// Who asks. A program buys for somebody who is not there, so it does not stand in line.
    pub(crate) fn of(actor: &Actor) -> Result<Self, Error> {
        if let Some(user) = actor.user_id() {
            return Ok(Self::account(user));
        }
        if actor.principal().is_some() || actor.is_system() {
            return Err(Denied::PeopleOnly.into());
        }
        actor.cart_token_hash().map(|hash| Self::guest(&hash)).ok_or(Error::BasketNeeded)
    }

    fn account(user: UserId) -> Self {
        Self([b"u".as_slice(), user.uuid().as_bytes()].concat())
    }

    fn guest(token_hash: &[u8]) -> Self {
        Self([b"g", token_hash].concat())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What a ticket says of whose it is, without telling who that is.
    pub(crate) fn mark(&self) -> [u8; 16] {
        let hash = Sha256::digest(&self.0);
        *hash.first_chunk().expect("SHA-256 gives 32 bytes")
    }
}

pub(crate) async fn carry_over(parts: &Parts, actor: &Actor, guest: &Secret) -> Result<(), Error> {
    let rooms = parts.rooms.all().await?;
    if rooms.is_empty() {
        return Ok(());
    }
    let (guest, account) = (Buyer::guest(&guest.hash()), Buyer::account(actor.person()?));
    let lines: Vec<_> = rooms.values().map(|room| room.line.uuid()).collect();
    // An account that has a place already keeps that one.
    sqlx::query!(
        "UPDATE waiting_room.places p SET buyer = $2 WHERE p.line_id = ANY($3) AND p.buyer = $1
             AND NOT EXISTS (SELECT FROM waiting_room.places own WHERE own.line_id = p.line_id AND own.buyer = $2)",
        guest.as_bytes(),
        account.as_bytes(),
        &lines,
    )
    .execute(parts.database.pool())
    .await?;
    Ok(())
}
