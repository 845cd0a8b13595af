//! The carts that a batch of checkouts is of.

use std::collections::{HashMap, HashSet};

use catalog::VariantId;
use sqlx::PgConnection;

use super::Placing;
use crate::cart::{CartRow, LineRow};
use crate::{CartId, cart};

/// The carts of a batch.
pub(super) struct Carts {
    rows: HashMap<CartId, (CartRow, Vec<LineRow>)>,
    by_token: HashMap<Vec<u8>, CartId>,
}

impl Carts {
    pub(super) async fn load(connection: &mut PgConnection, items: &[Placing]) -> Result<Self, sqlx::Error> {
        let ids: Vec<_> = items.iter().filter_map(|item| item.cart).map(CartId::uuid).collect();
        let tokens: Vec<_> = items
            .iter()
            .filter(|item| item.cart.is_none())
            .filter_map(|item| item.actor.cart_token_hash())
            .collect();
        let rows = cart::find_all(connection, &ids, &tokens).await?;
        let by_token = rows.iter().map(|(row, _)| (row.token_hash.clone(), row.id)).collect();
        Ok(Self { rows: rows.into_iter().map(|(row, lines)| (row.id, (row, lines))).collect(), by_token })
    }

    pub(super) fn variants(&self) -> Vec<VariantId> {
        let variants: HashSet<_> =
            self.rows.values().flat_map(|(_, lines)| lines).map(|line| line.variant_id).collect();
        variants.into_iter().collect()
    }

    /// The cart that a checkout is of, if the actor may have it.
    pub(super) fn of(&self, item: &Placing) -> Option<&(CartRow, Vec<LineRow>)> {
        let id = item.cart.or_else(|| {
            let token = item.actor.cart_token_hash()?;
            self.by_token.get(token.as_slice()).copied()
        })?;
        self.rows.get(&id).filter(|(row, _)| row.is_of(&item.actor))
    }
}
