//! Orders and returns of another system.

use std::collections::{HashMap, HashSet};

use catalog::{ProductId, StoreId, VariantId};
use platform::{Currency, Id};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Error, Order, Parts, journal};

/// A batch of another system's history, of one store. Ids are derived from `external_ref`, and lines are known
/// by what stands in them, so that writing the same again changes nothing, in whichever order it comes. An
/// order that comes in parts (the same reference, other lines) grows.
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

/// A line of an imported order or return. Known again by its SKU, quantity, price, total and occurrence.
#[derive(Clone, Debug)]
pub struct ImportedLine {
    /// Where it stands in the imported file, to be named by.
    pub file_line: u64,
    /// From 1: which of the document's lines that are alike this one is, over the whole file.
    pub occurrence: i32,
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

/// What was new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Customers.
    pub customers: u64,
    /// Orders.
    pub orders: ImportedDocuments,
    /// Returns.
    pub returns: ImportedDocuments,
}

/// What was new of orders or of returns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportedDocuments {
    /// The references of those that are new.
    pub made: Vec<String>,
    /// How many lines are new.
    pub lines: u64,
    /// Those that were there before and have new lines.
    pub grown: Vec<Grown>,
}

/// An order or return that was there before and has new lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    /// The other system's number for it.
    pub external_ref: String,
    /// Where its new lines stand in the imported file.
    pub file_lines: Vec<u64>,
}

/// Marks ids of customers.
enum CustomerMark {}
/// Marks ids of returns.
enum ReturnMark {}

pub(crate) async fn write(parts: &Parts, import: &Import) -> Result<Imported, Error> {
    let mut tx = parts.database.begin().await?;
    let imported = Imported {
        customers: customers(&mut tx, import).await?,
        orders: write_orders(&mut tx, import, parts.sources.now()).await?,
        returns: write_returns(&mut tx, import).await?,
    };
    tx.commit(parts.sources.now()).await?;
    Ok(imported)
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
) -> Result<ImportedDocuments, Error> {
    let store = import.store_id.to_string();
    let orders = &import.orders;
    let ids: Vec<Uuid> = orders
        .iter()
        .map(|o| Id::<Order>::derived(o.placed_at, &["order", &store, &o.external_ref]).uuid())
        .collect();
    let made = sqlx::query_scalar!(
        "INSERT INTO orders.orders (id, number, source, state, currency, total, placed_at, updated_at, paid_at, store_id,
             external_ref, customer_id)
         SELECT o.id, o.external_ref, 'import', 'completed', $2, 0, o.placed_at, $3, o.placed_at, $1, o.external_ref, c.id
         FROM unnest($4::uuid[], $5::text[], $6::timestamptz[], $7::text[])
             AS o (id, external_ref, placed_at, customer_ref)
         LEFT JOIN orders.customers c ON c.store_id = $1 AND c.external_ref = o.customer_ref
         ON CONFLICT DO NOTHING RETURNING id",
        import.store_id.uuid(),
        import.currency.code(),
        now,
        &ids,
        &orders.iter().map(|o| o.external_ref.clone()).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.placed_at).collect::<Vec<_>>(),
        &orders.iter().map(|o| o.customer_ref.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .fetch_all(&mut **tx)
    .await?;
    // An order that was there before may have been placed a minute earlier: its id is asked for. Its row is
    // held, so that nobody else adds lines meanwhile.
    let known = sqlx::query!(
        r#"SELECT id, external_ref AS "external_ref!" FROM orders.orders
           WHERE store_id = $1 AND external_ref = ANY($2) ORDER BY id FOR UPDATE"#,
        import.store_id.uuid(),
        &orders.iter().map(|o| o.external_ref.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let known = Known::of(known.into_iter().map(|row| (row.external_ref, row.id)), &made);
    let there = sqlx::query_as!(
        There,
        "SELECT order_id AS parent, position, sku, quantity, unit_price, total, occurrence
         FROM orders.order_lines WHERE order_id = ANY($1)",
        &known.old(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let new =
        NewLines::of(orders.iter().map(|o| (o.external_ref.as_str(), o.lines.as_slice())), &known, &there);
    sqlx::query!(
        "WITH line AS (
             INSERT INTO orders.order_lines (order_id, position, store_id, product_id, variant_id, sku, title, quantity,
                 unit_price, total, occurrence)
             SELECT l.id, l.position, $1, l.product_id, l.variant_id, l.sku, l.title, l.quantity, l.unit_price, l.total,
                 l.occurrence
             FROM unnest($2::uuid[], $3::int[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::int[], $9::bigint[],
                 $10::bigint[], $11::int[])
                 AS l (id, position, product_id, variant_id, sku, title, quantity, unit_price, total, occurrence)
             RETURNING order_id, total
         ), sums AS (
             SELECT order_id, sum(total)::bigint AS total FROM line GROUP BY order_id
         )
         UPDATE orders.orders o SET total = o.total + sums.total FROM sums WHERE o.id = sums.order_id",
        import.store_id.uuid(),
        &new.parent,
        &new.position,
        &new.product,
        &new.variant,
        &new.sku,
        &new.title,
        &new.quantity,
        &new.unit_price,
        &new.total,
        &new.occurrence,
    )
    .execute(&mut **tx)
    .await?;
    let changed: HashSet<Uuid> = made.iter().chain(&new.parent).copied().collect();
    journal::append_imported(tx, &changed.into_iter().collect::<Vec<_>>()).await?;
    Ok(new.into_documents(known))
}

async fn write_returns(tx: &mut platform::Tx, import: &Import) -> Result<ImportedDocuments, Error> {
    let store = import.store_id.to_string();
    let returns = &import.returns;
    let ids: Vec<Uuid> = returns
        .iter()
        .map(|r| Id::<ReturnMark>::derived(r.returned_at, &["return", &store, &r.external_ref]).uuid())
        .collect();
    let made = sqlx::query_scalar!(
        "INSERT INTO orders.returns (id, store_id, external_ref, customer_id, currency, total, returned_at)
         SELECT r.id, $1, r.external_ref, c.id, $2, 0, r.returned_at
         FROM unnest($3::uuid[], $4::text[], $5::timestamptz[], $6::text[])
             AS r (id, external_ref, returned_at, customer_ref)
         LEFT JOIN orders.customers c ON c.store_id = $1 AND c.external_ref = r.customer_ref
         ON CONFLICT DO NOTHING RETURNING id",
        import.store_id.uuid(),
        import.currency.code(),
        &ids,
        &returns.iter().map(|r| r.external_ref.clone()).collect::<Vec<_>>(),
        &returns.iter().map(|r| r.returned_at).collect::<Vec<_>>(),
        &returns.iter().map(|r| r.customer_ref.clone()).collect::<Vec<_>>() as &[Option<String>],
    )
    .fetch_all(&mut **tx)
    .await?;
    let known = sqlx::query!(
        "SELECT id, external_ref FROM orders.returns
         WHERE store_id = $1 AND external_ref = ANY($2) ORDER BY id FOR UPDATE",
        import.store_id.uuid(),
        &returns.iter().map(|r| r.external_ref.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let known = Known::of(known.into_iter().map(|row| (row.external_ref, row.id)), &made);
    let there = sqlx::query_as!(
        There,
        "SELECT return_id AS parent, position, sku, quantity, unit_price, total, occurrence
         FROM orders.return_lines WHERE return_id = ANY($1)",
        &known.old(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let new =
        NewLines::of(returns.iter().map(|r| (r.external_ref.as_str(), r.lines.as_slice())), &known, &there);
    sqlx::query!(
        "WITH line AS (
             INSERT INTO orders.return_lines (return_id, position, variant_id, sku, title, quantity, unit_price, total,
                 occurrence)
             SELECT l.* FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::bigint[],
                 $8::bigint[], $9::int[]) AS l
             RETURNING return_id, total
         ), sums AS (
             SELECT return_id, sum(total)::bigint AS total FROM line GROUP BY return_id
         )
         UPDATE orders.returns r SET total = r.total + sums.total FROM sums WHERE r.id = sums.return_id",
        &new.parent,
        &new.position,
        &new.variant,
        &new.sku,
        &new.title,
        &new.quantity,
        &new.unit_price,
        &new.total,
        &new.occurrence,
    )
    .execute(&mut **tx)
    .await?;
    Ok(new.into_documents(known))
}

/// The documents of a batch as the database knows them, by the other system's numbers.
struct Known(HashMap<String, (Uuid, bool)>);

impl Known {
    fn of(documents: impl Iterator<Item = (String, Uuid)>, made: &[Uuid]) -> Self {
        let made: HashSet<Uuid> = made.iter().copied().collect();
        Self(documents.map(|(external_ref, id)| (external_ref, (id, made.contains(&id)))).collect())
    }

    /// Those that were there before.
    fn old(&self) -> Vec<Uuid> {
        self.0.values().filter(|(_, is_new)| !is_new).map(|(id, _)| *id).collect()
    }
}

/// A line that is there already.
struct There {
    parent: Uuid,
    position: i32,
    sku: Option<String>,
    quantity: i32,
    unit_price: i64,
    total: i64,
    occurrence: Option<i32>,
}

/// What a line is known by.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a>(Uuid, Option<&'a str>, i32, i64, i64, Option<i32>);

/// Lines that are not there yet, as the arrays that `unnest` takes.
#[derive(Default)]
struct NewLines {
    parent: Vec<Uuid>,
    position: Vec<i32>,
    product: Vec<Uuid>,
    variant: Vec<Uuid>,
    sku: Vec<String>,
    title: Vec<String>,
    quantity: Vec<i32>,
    unit_price: Vec<i64>,
    total: Vec<i64>,
    occurrence: Vec<i32>,
    grown: Vec<Grown>,
}

impl NewLines {
    /// Picks the lines that are not `there`, and gives them the next places of their documents.
    fn of<'a>(
        documents: impl Iterator<Item = (&'a str, &'a [ImportedLine])>,
        known: &Known,
        there: &[There],
    ) -> Self {
        let mut last: HashMap<Uuid, i32> = HashMap::new();
        let mut keys = HashSet::new();
        for line in there {
            let last = last.entry(line.parent).or_default();
            *last = line.position.max(*last);
            let There { parent, quantity, unit_price, total, occurrence, .. } = *line;
            keys.insert(Key(parent, line.sku.as_deref(), quantity, unit_price, total, occurrence));
        }
        let mut new = Self::default();
        for (external_ref, lines) in documents {
            let (parent, is_new) = known.0[external_ref];
            let position = last.entry(parent).or_default();
            let mut file_lines = Vec::new();
            for line in lines {
                let ImportedLine { quantity, unit_price, total, occurrence, .. } = *line;
                let key = Key(parent, Some(&line.sku), quantity, unit_price, total, Some(occurrence));
                if !keys.contains(&key) {
                    *position += 1;
                    new.push(parent, *position, line);
                    file_lines.push(line.file_line);
                }
            }
            if !is_new && !file_lines.is_empty() {
                new.grown.push(Grown { external_ref: external_ref.to_owned(), file_lines });
            }
        }
        new
    }

    fn push(&mut self, parent: Uuid, position: i32, line: &ImportedLine) {
        self.parent.push(parent);
        self.position.push(position);
        self.product.push(line.product_id.uuid());
        self.variant.push(line.variant_id.uuid());
        self.sku.push(line.sku.clone());
        self.title.push(line.title.clone());
        self.quantity.push(line.quantity);
        self.unit_price.push(line.unit_price);
        self.total.push(line.total);
        self.occurrence.push(line.occurrence);
    }

    fn into_documents(self, known: Known) -> ImportedDocuments {
        let made = known.0.into_iter().filter(|(_, (_, is_new))| *is_new).map(|(made, _)| made).collect();
        ImportedDocuments { made, lines: self.parent.len() as u64, grown: self.grown }
    }
}
