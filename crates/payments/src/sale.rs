//! Sales: what a paid order moves in the ledger.

use std::collections::HashMap;

use identity::StoreId;
use platform::{Currency, Database, Id, Money, fault};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ledger::{self, AccountKind, Draft, Owners, Rule};
use crate::{Error, Payment, PaymentId, PaymentState, PayoutDefaults, payment, reserve};

/// A paid order.
#[derive(Clone, Debug)]
pub struct Sale {
    /// The order.
    pub order: Uuid,
    /// What it was paid with.
    pub payment: PaymentId,
    /// Its currency.
    pub currency: Currency,
    /// When it was paid.
    pub at: OffsetDateTime,
    /// What each store sold.
    pub shares: Vec<Share>,
}

/// A store's part of a payment, a refund or a dispute, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The store.
    pub store: StoreId,
    /// What the buyer pays, or gets back.
    pub amount: i64,
    /// The marketplace's part of it.
    pub commission: i64,
    /// The tax on that.
    pub commission_tax: i64,
}

impl Share {
    /// Nothing of a store.
    pub(crate) const fn none(store: StoreId) -> Self {
        Self { store, amount: 0, commission: 0, commission_tax: 0 }
    }
}

/// The name of a sale in the ledger.
pub(crate) const SALE: &str = "sale";

/// Sales written in one transaction.
const PORTION: usize = 500;

/// Writes sales into the ledger, each once, with what is kept back of them.
pub(crate) async fn post(
    database: &Database,
    defaults: &PayoutDefaults,
    sales: &[Sale],
    now: OffsetDateTime,
) -> Result<(), Error> {
    for sales in sales.chunks(PORTION) {
        let ids: Vec<PaymentId> = sales.iter().map(|sale| sale.payment).collect();
        let payments = payment::find(database, &ids).await?;
        let mut drafts = Vec::with_capacity(2 * sales.len());
        for sale in sales {
            let payment = payments.get(&sale.payment).filter(|payment| agrees(payment, sale));
            let payment = payment.ok_or(Error::NotPaid(sale.payment))?;
            drafts.push(draft(sale, payment));
            if let Some(fee) = payment.fee {
                let fee = Money::new(fee, sale.currency);
                drafts.push(processing_fee(payment.id, &payment.provider, fee, sale.at));
            }
        }
        let mut tx = database.begin_batch().await?;
        let written = ledger::post(&mut tx, drafts, now).await?;
        reserve::keep(&mut tx, defaults, sales, &written, now).await?;
        fault::point("payments.sale.before_commit");
        tx.commit(now).await?;
    }
    Ok(())
}

/// What the stores sold is what the buyer paid.
fn agrees(payment: &Payment, sale: &Sale) -> bool {
    let sold = sale.shares.iter().try_fold(0_i64, |sum, share| sum.checked_add(share.amount));
    payment.state == PaymentState::Succeeded
        && payment.amount.currency == sale.currency
        && sold == Some(payment.amount.amount)
}

fn draft(sale: &Sale, payment: &Payment) -> Draft {
    let draft = Draft::new(SALE, Id::<Sale>::from(sale.order), sale.currency, sale.at).of_payment(payment.id);
    sale.shares.iter().fold(draft, |draft, share| {
        let owners = Owners { provider: &payment.provider, store: Some(share.store), ..Owners::default() };
        draft
            .moving(Rule::Sale, share.amount, &owners)
            .moving(Rule::Commission, share.commission, &owners)
            .moving(Rule::CommissionTax, share.commission_tax, &owners)
    })
}

/// What the provider keeps of a payment.
pub(crate) fn processing_fee(payment: PaymentId, provider: &str, fee: Money, at: OffsetDateTime) -> Draft {
    let owners = Owners { provider, ..Owners::default() };
    Draft::new("processing_fee", payment, fee.currency, at).of_payment(payment).moving(
        Rule::ProcessingFee,
        fee.amount,
        &owners,
    )
}

/// What each store sold in an order, as it stands in the ledger; none if the sale is not there.
pub(crate) async fn shares(connection: &mut PgConnection, order: Uuid) -> Result<Vec<Share>, Error> {
    Ok(posted(connection, &[order]).await?.remove(&order).unwrap_or_default())
}

/// The same of many orders; those whose sale is not there are left out.
pub(crate) async fn posted(
    executor: impl PgExecutor<'_>,
    orders: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Share>>, Error> {
    let rows = sqlx::query!(
        r#"SELECT t.reference, a.owner, e.rule, e.amount FROM payments.ledger_transactions t
           JOIN payments.ledger_entries e ON e.seq = t.seq
           JOIN payments.ledger_accounts a ON a.id = e.account_id
           WHERE t.reference = ANY($1) AND t.kind = $2 AND a.kind = $3
           ORDER BY e.seq, e.line"#,
        orders,
        SALE,
        AccountKind::StorePayable.as_str(),
    )
    .fetch_all(executor)
    .await?;
    let mut sales: HashMap<Uuid, Vec<Share>> = HashMap::with_capacity(orders.len());
    for row in rows {
        let store: StoreId = row.owner.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let shares = sales.entry(row.reference).or_default();
        let place = shares.iter().position(|share| share.store == store).unwrap_or_else(|| {
            shares.push(Share::none(store));
            shares.len() - 1
        });
        let share = &mut shares[place];
        match Rule::stored(&row.rule)? {
            // The store is credited with what it sold and debited with the rest.
            Rule::Sale => share.amount -= row.amount,
            Rule::Commission => share.commission += row.amount,
            Rule::CommissionTax => share.commission_tax += row.amount,
            _ => {}
        }
    }
    Ok(sales)
}
