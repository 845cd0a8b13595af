//! A guest signs in: what is in their cart goes into the cart of their account.
//!
//! Quantities add up, to what is in stock; prices become those of now; whatever is not as the buyer last saw it is
//! said. Both carts are locked and looked at again before anything is written, so that two logins at once, a change
//! of a cart and a checkout come one after the other.

use std::collections::HashMap;

use catalog::{Offer, VariantId};
use identity::{Actor, UserId};
use platform::{Currency, Detail, Money, Quantity, Secret};
use serde_json::json;
use time::Duration;

use crate::cart::{self, Cart, CartRow, LineRow};
use crate::cart_change::{changed, put};
use crate::error::price_changed;
use crate::{CartId, Error, OrderId, Parts};

/// How often somebody else may be first before this one gives up.
const ATTEMPTS: usize = 5;

/// The account's cart after a guest's cart went into it.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The cart as it is now.
    pub cart: Cart,
    /// What is not as the buyer last saw it: `quantity_reduced`, `price_changed`, and for lines that are not in the
    /// cart `unavailable`, `out_of_stock`, `cart_full` or `currency_mismatch`.
    pub notes: Vec<Detail>,
}

pub(crate) async fn merge(parts: &Parts, actor: &Actor, token: &Secret) -> Result<Option<Merged>, Error> {
    let user = actor.person()?;
    for _ in 0..ATTEMPTS {
        let Some(guest) = of_guest(parts, token).await? else { return Ok(None) };
        let account = of_account(parts, user).await?;
        if account.as_ref().is_some_and(|cart| cart.order_id.is_some()) {
            return Ok(None);
        }
        let mut plan = Plan::make(parts, guest, account).await?;
        if write(parts, user, &mut plan).await? {
            let cart = cart::show(parts, actor, plan.kept.id).await?;
            return Ok(Some(Merged { cart, notes: plan.notes }));
        }
    }
    Err(Error::CartChanged)
}

/// The cart of a guest, if it can be put into another one.
async fn of_guest(parts: &Parts, token: &Secret) -> Result<Option<CartRow>, Error> {
    Ok(sqlx::query_as!(
        CartRow,
        r#"SELECT id AS "id: CartId", currency, version, order_id AS "order_id: OrderId", completed_at, created_at,
                  updated_at, expires_at, token_hash, user_id AS "user_id: UserId"
           FROM orders.carts
           WHERE token_hash = $1 AND user_id IS NULL AND completed_at IS NULL AND order_id IS NULL AND expires_at > $2"#,
        token.hash(),
        parts.sources.now(),
    )
    .fetch_optional(parts.database.pool())
    .await?)
}

async fn of_account(parts: &Parts, user: UserId) -> Result<Option<CartRow>, Error> {
    Ok(sqlx::query_as!(
        CartRow,
        r#"SELECT id AS "id: CartId", currency, version, order_id AS "order_id: OrderId", completed_at, created_at,
                  updated_at, expires_at, token_hash, user_id AS "user_id: UserId"
           FROM orders.carts WHERE user_id = $1 AND completed_at IS NULL"#,
        user.uuid(),
    )
    .fetch_optional(parts.database.pool())
    .await?)
}

/// What shall become of the two carts.
struct Plan {
    /// The one that is the account's from now on.
    kept: CartRow,
    /// The one that goes.
    gone: Option<CartRow>,
    /// Whether the kept one was the guest's.
    adopted: bool,
    currency: Option<Currency>,
    /// Lines as they shall be.
    puts: Vec<LineRow>,
    /// What leaves the kept cart.
    dropped: Vec<VariantId>,
    notes: Vec<Detail>,
}

impl Plan {
    async fn make(parts: &Parts, guest: CartRow, account: Option<CartRow>) -> Result<Self, Error> {
        let incoming = cart::lines(parts, guest.id).await?;
        let (offers, stock) = cart::offers(parts, &incoming).await?;
        let mut there = match &account {
            Some(account) => cart::lines(parts, account.id).await?,
            None => Vec::new(),
        };
        let mut notes = Vec::new();
        let expired = account.as_ref().is_some_and(|cart| cart.expires_at <= parts.sources.now());
        let other_currency = !incoming.is_empty()
            && !there.is_empty()
            && account.as_ref().is_some_and(|cart| cart.currency != guest.currency);
        // What somebody put in just now is what they mean to buy.
        let adopted = account.is_none() || expired || other_currency;
        if adopted {
            let lost = there.drain(..).filter(|_| !expired);
            notes.extend(lost.map(|line| {
                left_out(
                    &line,
                    "currency_mismatch",
                    "it is sold in another currency than what you chose last",
                )
            }));
        }
        let currency = guest.currency();
        let (kept, gone) = match account {
            Some(account) if !adopted => (account, Some(guest)),
            account => (guest, account),
        };
        let mut plan = Self { kept, gone, adopted, currency, puts: Vec::new(), dropped: Vec::new(), notes };
        let mut places = Places::new(&there, parts.settings.most_cart_lines);
        for line in incoming {
            let mine = there.iter().find(|mine| mine.variant_id == line.variant_id);
            let available = stock.get(&line.variant_id).copied().unwrap_or(0);
            plan.take(&line, mine, offers.get(&line.variant_id).map(AsRef::as_ref), available, &mut places);
        }
        Ok(plan)
    }

    /// Decides what becomes of one of the guest's lines.
    fn take(
        &mut self,
        line: &LineRow,
        mine: Option<&LineRow>,
        offer: Option<&Offer>,
        available: i64,
        places: &mut Places,
    ) {
        let offer = offer.filter(|offer| Some(offer.price.currency) == self.currency);
        let (Some(offer), Some(currency)) = (offer, self.currency) else {
            return self.leave_out(line, "unavailable", "it is no longer on sale");
        };
        let before = mine.map_or(0, |mine| mine.quantity);
        let wanted = i64::from(line.quantity) + i64::from(before);
        let most = available.min(i64::from(Quantity::MAX)).max(i64::from(before));
        let quantity = i32::try_from(wanted.min(most)).unwrap_or(Quantity::MAX);
        if quantity <= 0 {
            return self.leave_out(line, "out_of_stock", "none is in stock");
        }
        let Some(place) = places.of(line.variant_id) else {
            return self.leave_out(line, "cart_full", "a cart holds no more different items");
        };
        if i64::from(quantity) < wanted {
            let facts = json!({
                "variant_id": line.variant_id, "title": line.title, "requested": wanted, "quantity": quantity,
                "available": available,
            });
            let message = format!("{wanted} were wanted, {quantity} can be had");
            let note = Detail::new(format!("lines[{place}].quantity"), "quantity_reduced", message);
            self.notes.push(note.with_facts(facts));
        }
        let shown = [Some(line), mine].into_iter().flatten().map(|line| line.unit_price);
        if let Some(shown) = shown.into_iter().find(|shown| *shown != offer.price.amount) {
            let shown = Money::new(shown, currency);
            self.notes.push(price_changed(place, line.variant_id, shown, offer.price));
        }
        self.puts.push(LineRow {
            id: line.id,
            variant_id: line.variant_id,
            title: offer.title.clone(),
            quantity,
            unit_price: offer.price.amount,
        });
    }

    fn leave_out(&mut self, line: &LineRow, code: &str, message: &str) {
        self.notes.push(left_out(line, code, message));
        if self.adopted {
            self.dropped.push(line.variant_id);
        }
    }
}

/// Says of a line of one cart that it did not come into the other.
fn left_out(line: &LineRow, code: &str, message: &str) -> Detail {
    let facts = json!({"variant_id": line.variant_id, "title": line.title, "requested": line.quantity});
    Detail::new("lines", code, format!("{:?} was not taken over: {message}", line.title)).with_facts(facts)
}

/// Where lines will stand in the cart.
struct Places {
    places: HashMap<VariantId, usize>,
    most: usize,
}

impl Places {
    fn new(there: &[LineRow], most: usize) -> Self {
        let places = there.iter().enumerate().map(|(place, line)| (line.variant_id, place)).collect();
        Self { places, most }
    }

    /// The place of this variant, a new one at the end if it has none and there is room.
    fn of(&mut self, variant: VariantId) -> Option<usize> {
        let next = self.places.len();
        if let Some(place) = self.places.get(&variant) {
            return Some(*place);
        }
        if next < self.most {
            self.places.insert(variant, next);
            return Some(next);
        }
        None
    }
}

/// Writes the plan, if both carts still are what it was made of.
async fn write(parts: &Parts, user: UserId, plan: &mut Plan) -> Result<bool, Error> {
    let now = parts.sources.now();
    let (kept, gone) = (plan.kept.id, plan.gone.as_ref().map(|cart| cart.id));
    let mut tx = parts.database.begin().await?;
    let locked = sqlx::query!(
        r#"SELECT id AS "id: CartId", version, user_id AS "user_id: UserId" FROM orders.carts
           WHERE id = ANY($1) AND order_id IS NULL AND completed_at IS NULL ORDER BY id FOR UPDATE"#,
        &[Some(kept.uuid()), gone.map(CartId::uuid)].into_iter().flatten().collect::<Vec<_>>(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let unchanged = |cart: &CartRow, owner: Option<UserId>| {
        locked.iter().any(|row| row.id == cart.id && row.version == cart.version && row.user_id == owner)
    };
    let (owner_of_kept, owner_of_gone) = if plan.adopted { (None, Some(user)) } else { (Some(user), None) };
    if !unchanged(&plan.kept, owner_of_kept)
        || plan.gone.as_ref().is_some_and(|gone| !unchanged(gone, owner_of_gone))
    {
        return Ok(false);
    }
    if let Some(gone) = gone {
        sqlx::query!("DELETE FROM orders.carts WHERE id = $1", gone.uuid()).execute(&mut *tx).await?;
    }
    if plan.adopted {
        // Whoever has seen the guest's secret does not get at what is the account's now.
        let adopted = sqlx::query!(
            "UPDATE orders.carts SET user_id = $2, token_hash = $3 WHERE id = $1",
            kept.uuid(),
            user.uuid(),
            parts.sources.secret().hash(),
        )
        .execute(&mut *tx)
        .await;
        match adopted {
            // The account has opened a cart meanwhile.
            Err(error)
                if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) =>
            {
                return Ok(false);
            }
            adopted => adopted?,
        };
        sqlx::query!(
            "DELETE FROM orders.cart_lines WHERE cart_id = $1 AND variant_id = ANY($2)",
            kept.uuid(),
            &platform::id::uuids(&plan.dropped),
        )
        .execute(&mut *tx)
        .await?;
    }
    let mut added_at = now;
    for line in &plan.puts {
        put(&mut tx, kept, line, added_at).await?;
        // So that they stay in the order they were in.
        added_at += Duration::microseconds(1);
    }
    let currency = plan.currency.filter(|_| !plan.puts.is_empty());
    let lines = cart::lines_in(&mut tx, kept).await?;
    changed(parts, &mut tx, &mut plan.kept, &lines, currency).await?;
    tx.commit(now).await?;
    Ok(true)
}
