//! What customers and the shop do over the API: sign in, fill a basket, buy it, give money back.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::Context;
use serde::Deserialize;
use serde_json::json;

use super::catalogue::{PASSWORD, email};
use super::client::{Client, Request, Told};
use super::tally::Tally;
use super::year::{Purchase, Refund, Year};
use crate::http::Answer;
use crate::ids;

/// Where all of it goes; the file has no more than the country.
const ADDRESS: &str = r#"{"name":"Customer","line1":"1 Loopback Road","city":"London","postal_code":"SW1Y 4JH","country":"GB"}"#;

/// What is remembered of a purchase that is given back later.
#[derive(Debug)]
pub(super) struct Bought {
    order: String,
    /// The place in the order of each ware.
    positions: HashMap<usize, i32>,
}

/// Somebody with an account, or a guest.
#[derive(Debug, Default)]
pub(super) struct Buyer {
    customer: Option<String>,
    /// Headers that say who asks.
    headers: String,
    /// Purchases, by their place.
    pub(super) bought: HashMap<usize, Bought>,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
}

#[derive(Deserialize)]
struct Basket {
    id: String,
}

#[derive(Deserialize)]
struct Money {
    amount: i64,
}

#[derive(Deserialize)]
struct Order {
    id: String,
    status: String,
    total: Money,
    lines: Vec<OrderLine>,
}

#[derive(Deserialize)]
struct OrderLine {
    position: i32,
    variant_id: uuid::Uuid,
}

#[derive(Deserialize)]
struct GivenBack {
    status: String,
    amount: Money,
}

impl Buyer {
    /// Who has not signed in yet.
    pub(super) fn new(customer: Option<String>) -> Self {
        Self { customer, ..Self::default() }
    }

    /// Buys what an invoice has, and checks that it came to as much.
    pub(super) async fn buy(
        &mut self,
        client: &mut Client,
        year: &Year,
        purchase: &Purchase,
        tally: &mut Tally,
    ) -> anyhow::Result<Bought> {
        let begun = Instant::now();
        if self.customer.is_some() && self.headers.is_empty() {
            self.sign_in(client, tally).await?;
        }
        let cart = self.fill(client, purchase, tally).await?;
        let who = purchase.customer.as_deref().unwrap_or("guest");
        let body = format!(
            r#"{{"cart_id":"{cart}","email":"{}","shipping":{ADDRESS},"payment":{{"token":"tok_visa"}}}}"#,
            email(who)
        );
        let key = format!("order-{}", purchase.invoice);
        let asked = Instant::now();
        let order: Order = self.ask(client, tally, "/api/v1/orders", &key, &body, json).await?;
        tally.orders.record(asked.elapsed());
        tally.purchases.record(begun.elapsed());
        let worth = year.worth(&purchase.pieces);
        anyhow::ensure!(order.status == "paid", "invoice {} is {}", purchase.invoice, order.status);
        tally.captured += order.total.amount;
        tally.lines += order.lines.len();
        let (told, lines) = (order.total.amount, order.lines.len());
        anyhow::ensure!(
            told == worth && lines == purchase.pieces.len(),
            "invoice {} is {worth} pennies in {} lines, and its order {told} in {lines}",
            purchase.invoice,
            purchase.pieces.len()
        );
        let variants: HashMap<_, _> = purchase.pieces.keys().map(|ware| (variant(*ware), *ware)).collect();
        let positions =
            order.lines.iter().filter_map(|line| Some((*variants.get(&line.variant_id)?, line.position)));
        Ok(Bought { order: order.id, positions: positions.collect() })
    }

    /// Puts everything into a basket; the cart behind it.
    async fn fill(
        &mut self,
        client: &mut Client,
        purchase: &Purchase,
        tally: &mut Tally,
    ) -> anyhow::Result<String> {
        let mut cart: Option<String> = None;
        for (number, (ware, quantity)) in purchase.pieces.iter().enumerate() {
            let body = format!(r#"{{"variant_id":"{}","quantity":{quantity}}}"#, variant(*ware));
            let key = format!("add-{}-{number}", purchase.invoice);
            let asked = Instant::now();
            if let Some(cart) = &cart {
                let path = format!("/api/v1/carts/{cart}/items");
                self.ask(client, tally, &path, &key, &body, |_| Ok(())).await?;
            } else {
                let path = "/api/v1/shopping_basket/products";
                let read = |answer: &Answer<'_>| {
                    Ok((json::<Basket>(answer)?.id, answer.header("x-cart-token").map(ToOwned::to_owned)))
                };
                let (id, token) = self.ask(client, tally, path, &key, &body, read).await?;
                if let Some(token) = token {
                    self.headers = format!("X-Cart-Token: {token}\r\n");
                }
                cart = Some(id);
            }
            tally.adds.record(asked.elapsed());
        }
        cart.context("an invoice without lines")
    }

    async fn sign_in(&mut self, client: &mut Client, tally: &mut Tally) -> anyhow::Result<()> {
        let customer = self.customer.as_deref().context("a guest has no account")?;
        let body = json!({"email": email(customer), "password": PASSWORD}).to_string();
        let request =
            Request { method: "POST", path: "/api/v1/auth/login", headers: "", key: None, body: &body };
        let asked = Instant::now();
        let Told::Done(tokens) = client.ask(request, json::<Tokens>).await? else {
            anyhow::bail!("customer {customer} can not sign in");
        };
        tally.logins.record(asked.elapsed());
        self.headers = format!("Authorization: Bearer {}\r\n", tokens.access_token);
        Ok(())
    }

    /// Asks, and signs in anew if the login is over.
    async fn ask<T>(
        &mut self,
        client: &mut Client,
        tally: &mut Tally,
        path: &str,
        key: &str,
        body: &str,
        read: impl Fn(&Answer<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        for _ in 0..2 {
            let request = Request { method: "POST", path, headers: &self.headers, key: Some(key), body };
            match client.ask(request, &read).await? {
                Told::Done(done) => return Ok(done),
                Told::SignIn => self.sign_in(client, tally).await?,
            }
        }
        anyhow::bail!("{path}: nobody believes who signed in")
    }
}

/// The shop gives back what a cancellation says.
pub(super) async fn give_back(
    client: &mut Client,
    year: &Year,
    refund: &Refund,
    bought: &Bought,
    key_of_shop: &str,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let lines: Option<Vec<_>> = refund
        .pieces
        .iter()
        .map(|(ware, quantity)| {
            let position = bought.positions.get(ware)?;
            Some(json!({"position": position, "quantity": quantity}))
        })
        .collect();
    let lines = lines.context("an order without its line")?;
    let body =
        json!({"lines": lines, "reason": "requested_by_customer", "note": refund.invoice, "restock": true});
    let path = format!("/api/v1/orders/{}/refunds", bought.order);
    let (key, headers) =
        (format!("refund-{}", refund.invoice), format!("Authorization: Bearer {key_of_shop}\r\n"));
    let request =
        Request { method: "POST", path: &path, headers: &headers, key: Some(&key), body: &body.to_string() };
    let asked = Instant::now();
    let Told::Done(back) = client.ask(request, json::<GivenBack>).await? else {
        anyhow::bail!("the shop's key is not believed");
    };
    tally.refunds.record(asked.elapsed());
    tally.late_refunds += u64::from(back.status != "succeeded");
    tally.refunded += back.amount.amount;
    let worth = year.worth(&refund.pieces);
    anyhow::ensure!(
        back.amount.amount == worth && back.status != "failed",
        "cancellation {} is {worth} pennies, and its refund {} and {}",
        refund.invoice,
        back.amount.amount,
        back.status
    );
    Ok(())
}

fn variant(ware: usize) -> uuid::Uuid {
    ids::variant(u32::try_from(ware).expect("there are fewer wares than lines"))
}

pub(super) fn json<T: serde::de::DeserializeOwned>(answer: &Answer<'_>) -> anyhow::Result<T> {
    serde_json::from_slice(answer.body).context("an answer of another form")
}
