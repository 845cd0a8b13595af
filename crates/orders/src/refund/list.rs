//! Refunds as they are shown.

use catalog::StoreId;
use identity::{Actor, Permission};

use super::{OrderRefund, row};
use crate::{Error, OrderId, Parts, order};

/// The refunds of an order, oldest first: all of them to whoever bought it, without the marketplace's business; to a store
/// its own part.
pub(crate) async fn list(parts: &Parts, actor: &Actor, order: OrderId) -> Result<Vec<OrderRefund>, Error> {
    let bought = order::authorize(parts, actor, order).await.is_ok();
    let mut connection = parts.database.pool().acquire().await?;
    let lines = order::lines(&mut connection, &[order]).await?.remove(&order).unwrap_or_default();
    drop(connection);
    let may_see = |store: StoreId| actor.may(Permission::FinanceRead, store);
    let sells = lines.iter().any(|line| may_see(line.store_id));
    if !bought && !sells {
        return Err(Error::OrderNotFound);
    }
    let mut refunds = row::of_order(&parts.database, order).await?;
    for refund in &mut refunds {
        refund.lines.retain(|line| bought || may_see(line.store_id));
        if !sells {
            refund.note = None;
        }
        for line in refund.lines.iter_mut().filter(|line| !may_see(line.store_id)) {
            (line.commission, line.commission_tax) = (None, None);
        }
    }
    refunds.retain(|refund| !refund.lines.is_empty());
    Ok(refunds)
}
