//! Orders and returns of another system.

use std::collections::HashMap;

use catalog::{ProductId, StoreId, VariantId};
use platform::{Currency, Id};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, Order, OrderId, Parts};

/// A batch of another system's history, of one store. Ids are derived from `external_ref`, so that writing
/// the same again changes nothing; an order that comes in parts (the same reference, other positions) grows.
#[derive(Clone, Debug)]
pub struct Import {
    /// Whose history it is.
    pub store_id: StoreId,
    /// The currency of all its amounts.
    pub currency: Currency,
    /// The people.
    pub customers: Vec<Customer>,
    /// What they bought.
    pub orders: Vec<ImportedOrder>,
    /// What they sent back.
    pub returns: Vec<ImportedReturn>,
}

/// Somebody who bought.
#[derive(Clone, Debug)]
pub struct Customer {
    /// The other system's number for them.
    pub external_ref: String,
    /// Where they are, in the other system's words.
    pub country: Option<String>,
    /// When they first appear.
    pub since: OffsetDateTime,
}

/// An order of another system.
#[derive(Clone, Debug)]
pub struct ImportedOrder {
    /// The other system's number for it.
    pub external_ref: String,
    /// When it was placed.
    pub placed_at: OffsetDateTime,
    /// Who bought.
    pub customer_ref: Option<String>,
    /// What was bought.
    pub lines: Vec<ImportedLine>,
}

/// Goods that came back, in another system.
#[derive(Clone, Debug)]
pub struct ImportedReturn {
    /// The other system's number for it.
    pub external_ref: String,
    /// When they came back.
    pub returned_at: OffsetDateTime,
    /// Who sent them.
    pub customer_ref: Option<String>,
    /// What came back.
    pub lines: Vec<ImportedLine>,
}

/// A line of an imported order or return.
#[derive(Clone, Debug)]
pub struct ImportedLine {
    /// Its line in the imported file.
    pub position: i32,
    /// The product.
    pub product_id: ProductId,
    /// The variant.
    pub variant_id: VariantId,
    /// The store's own number for it.
    pub sku: String,
    /// Name of the product.
    pub title: String,
    /// How many.
    pub quantity: i32,
    /// What one cost, in minor units, rounded.
    pub unit_price: i64,
    /// What the line came to, in minor units.
    pub total: i64,
}

/// How much was new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Customers.
    pub customers: u64,
    /// Orders.
    pub orders: u64,
    /// Lines of orders.
    pub order_lines: u64,
    /// Returns.
    pub returns: u64,
    /// Lines of returns.
    pub return_lines: u64,
}

/// Marks ids of customers.
enum CustomerMark {}
/// Marks ids of returns.
enum ReturnMark {}

pub(crate) async fn write(parts: &Parts, import: &Import) -> Result<Imported, Error> {
    let mut tx = parts.database.begin().await?;
    let imported = Imported {
        customers: customers(&mut tx, import).await?,
        ..write_orders(&mut tx, import, parts.sources.now()).await?
    };
    let returned = write_returns(&mut tx, import).await?;
    tx.commit(parts.sources.now()).await?;
    Ok(Imported { returns: returned.returns, return_lines: returned.return_lines, ..imported })
}

async fn customers(tx: &mut platform::Tx, import: &Import) -> Result<u64, Error> {
    let store = import.store_id.to_string();
    let customers = &import.customers;
    let ids: Vec<Uuid> = customers
        .iter()
        .map(|c| Id::<CustomerMark>::derived(c.since, &["customer", &store, &c.external_ref]).uuid())
        .collect();
    let inserted = sqlx::query!(
        "INSERT INTO orders.customers (id, store_id, external_ref, country)
         SELECT id, $1, external_ref, country
         FROM unnest($2::uuid[], $3::text[], $4::text[]) AS c (id, external_ref, country) ON CONFLICT DO NOTHING",
        import.store_id.uuid(),
        &ids,
        &customers.iter().map(|c| c.external_ref.clone()).collect::<Vec<_>>(),
        &customers.iter().map(|c| c.country.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected())
}

async fn write_orders(
    tx: &mut platform::Tx,
    import: &Import,
    now: OffsetDateTime,
) -> Result<Imported, Error> {
    let store = import.store_id.to_string();
    let orders = &import.orders;
    let ids: Vec<Uuid> = orders
        .iter()
        .map(|o| Id::<Order>::derived(o.placed_at, &["order", &store, &o.external_ref]).uuid())
        .collect();
    let inserted = sqlx::query!(
        "INSERT INTO orders.orders (id, number, source, state, currency, total, placed_at, updated_at, paid_at, store_id,
             external_ref, customer_id)
         SELECT o.id, o.external_ref, 'import', 'completed', $2, 0, o.placed_at, $3, o.placed_at, $1, o.external_ref, c.id
         FROM unnest($4::uuid[], $5::text[], $6::timestamptz[], $7::text[])
             AS o (id, external_ref, placed_at, customer_ref)
         LEFT JOIN orders.customers c ON c.store_id = $1 AND c.external_ref = o.customer_ref
         ON CONFLICT DO NOTHING",
        import.store_id.uuid(),
        import.currency.code(),
        now,
        &ids,
        &orders.iter().map(|o| o.external_ref.clone()).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.placed_at).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.customer_ref.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(&mut **tx)
    .await?;
    // An order that was there before may have been placed a minute earlier: its id is asked for.
    let known = sqlx::query!(
        r#"SELECT id AS "id: OrderId", external_ref AS "external_ref!" FROM orders.orders
           WHERE store_id = $1 AND external_ref = ANY($2)"#,
        import.store_id.uuid(),
        &orders.iter().map(|o| o.external_ref.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let by_ref: HashMap<String, Uuid> =
        known.into_iter().map(|row| (row.external_ref, row.id.uuid())).collect();
    let columns = Columns::of(orders.iter().map(|o| (by_ref[&o.external_ref], o.lines.as_slice())));
    let lines = sqlx::query!(
        r#"WITH line AS (
               INSERT INTO orders.order_lines (order_id, position, store_id, product_id, variant_id, sku, title, quantity,
                   unit_price, total)
               SELECT l.id, l.position, $1, l.product_id, l.variant_id, l.sku, l.title, l.quantity, l.unit_price, l.total
               FROM unnest($2::uuid[], $3::int[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::int[], $9::bigint[],
                   $10::bigint[])
                   AS l (id, position, product_id, variant_id, sku, title, quantity, unit_price, total)
               ON CONFLICT DO NOTHING RETURNING order_id, total
           ), sums AS (
               SELECT order_id, sum(total)::bigint AS total, count(*) AS lines FROM line GROUP BY order_id
           ), updated AS (
               UPDATE orders.orders o SET total = o.total + sums.total FROM sums WHERE o.id = sums.order_id
           )
           SELECT coalesce(sum(lines), 0)::bigint AS "lines!" FROM sums"#,
        import.store_id.uuid(),
        &columns.parent,
        &columns.position,
        &columns.product,
        &columns.variant,
        &columns.sku,
        &columns.title,
        &columns.quantity,
        &columns.unit_price,
        &columns.total,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Imported {
        orders: inserted.rows_affected(),
        order_lines: u64::try_from(lines.lines).unwrap_or(0),
        ..Imported::default()
    })
}

async fn write_returns(tx: &mut platform::Tx, import: &Import) -> Result<Imported, Error> {
    let store = import.store_id.to_string();
    let returns = &import.returns;
    let ids: Vec<Uuid> = returns
        .iter()
        .map(|r| Id::<ReturnMark>::derived(r.returned_at, &["return", &store, &r.external_ref]).uuid())
        .collect();
    let inserted = sqlx::query!(
        "INSERT INTO orders.returns (id, store_id, external_ref, customer_id, currency, total, returned_at)
         SELECT r.id, $1, r.external_ref, c.id, $2, 0, r.returned_at
         FROM unnest($3::uuid[], $4::text[], $5::timestamptz[], $6::text[])
             AS r (id, external_ref, returned_at, customer_ref)
         LEFT JOIN orders.customers c ON c.store_id = $1 AND c.external_ref = r.customer_ref
         ON CONFLICT DO NOTHING",
        import.store_id.uuid(),
        import.currency.code(),
        &ids,
        &returns.iter().map(|r| r.external_ref.clone()).collect::<Vec<_>>(),
        &returns.iter().map(|r| r.returned_at).collect::<Vec<_>>(),
        &returns.iter().map(|r| r.customer_ref.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(&mut **tx)
    .await?;
    let known = sqlx::query!(
        "SELECT id, external_ref FROM orders.returns WHERE store_id = $1 AND external_ref = ANY($2)",
        import.store_id.uuid(),
        &returns.iter().map(|r| r.external_ref.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let by_ref: HashMap<String, Uuid> = known.into_iter().map(|row| (row.external_ref, row.id)).collect();
    let columns = Columns::of(returns.iter().map(|r| (by_ref[&r.external_ref], r.lines.as_slice())));
    let lines = sqlx::query!(
        r#"WITH line AS (
               INSERT INTO orders.return_lines (return_id, position, variant_id, sku, title, quantity, unit_price, total)
               SELECT l.* FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::bigint[],
                   $8::bigint[]) AS l
               ON CONFLICT DO NOTHING RETURNING return_id, total
           ), sums AS (
               SELECT return_id, sum(total)::bigint AS total, count(*) AS lines FROM line GROUP BY return_id
           ), updated AS (
               UPDATE orders.returns r SET total = r.total + sums.total FROM sums WHERE r.id = sums.return_id
           )
           SELECT coalesce(sum(lines), 0)::bigint AS "lines!" FROM sums"#,
        &columns.parent,
        &columns.position,
        &columns.variant,
        &columns.sku,
        &columns.title,
        &columns.quantity,
        &columns.unit_price,
        &columns.total,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Imported {
        returns: inserted.rows_affected(),
        return_lines: u64::try_from(lines.lines).unwrap_or(0),
        ..Imported::default()
    })
}

/// Lines as the arrays that `unnest` takes.
#[derive(Default)]
struct Columns {
    parent: Vec<Uuid>,
    position: Vec<i32>,
    product: Vec<Uuid>,
    variant: Vec<Uuid>,
    sku: Vec<String>,
    title: Vec<String>,
    quantity: Vec<i32>,
    unit_price: Vec<i64>,
    total: Vec<i64>,
}

impl Columns {
    fn of<'a>(parents: impl Iterator<Item = (Uuid, &'a [ImportedLine])>) -> Self {
        let mut columns = Self::default();
        for (parent, line) in parents.flat_map(|(parent, lines)| lines.iter().map(move |line| (parent, line)))
        {
            columns.parent.push(parent);
            columns.position.push(line.position);
            columns.product.push(line.product_id.uuid());
            columns.variant.push(line.variant_id.uuid());
            columns.sku.push(line.sku.clone());
            columns.title.push(line.title.clone());
            columns.quantity.push(line.quantity);
            columns.unit_price.push(line.unit_price);
            columns.total.push(line.total);
        }
        columns
    }
}
