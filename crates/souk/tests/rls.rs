//! The second wall: what a transaction of one store can not do, whatever its SQL says. Raw SQL in the role
//! `souk_tenant`, against every table with a store's data.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use catalog::StoreId;
use identity::{Actor, ApiKeyKind, NewApiKey, NewInvitation, Permission, StoreRole};
use inventory::NewLocation;
use platform::{Currency, Database, Id, Tx};
use serde_json::Value;
use sqlx::postgres::PgQueryResult;
use sqlx::{AssertSqlSafe, Executor};
use testkit::{NewProduct, TestApp};
use uuid::Uuid;

/// The tables with a store's data, and what tells whose a row is, as a condition on `$1`, a store.
const WALLED: [(&str, &str); 14] = [
    ("catalog.idempotency_keys", "store_id = $1"),
    ("catalog.product_categories", "product_id IN (SELECT id FROM catalog.products WHERE store_id = $1)"),
    ("catalog.products", "store_id = $1"),
    ("catalog.stores", "id = $1"),
    ("catalog.variants", "product_id IN (SELECT id FROM catalog.products WHERE store_id = $1)"),
    ("identity.api_keys", "store_id = $1"),
    ("identity.invitations", "store_id = $1"),
    ("identity.memberships", "store_id = $1"),
    ("inventory.locations", "store_id = $1"),
    ("inventory.stock_adjustments", "store_id = $1"),
    ("inventory.stock_levels", "store_id = $1"),
    ("orders.sub_orders", "store_id = $1"),
    ("payments.payout_settings", "store_id = $1"),
    ("waiting_room.rooms", "store_id = $1"),
];

/// Tables that name a store and have no wall, each with its reason. No transaction of a store can read or change them.
const WITHOUT: [(&str, &str); 15] = [
    ("payments.sandbox_accounts", "the sandbox's own books, which stand for another company"),
    ("orders.refund_lines", "an order's refund spans stores; Souk's own"),
    ("payments.refund_shares", "a payment's refund spans stores; Souk's own"),
    ("payments.dispute_shares", "a dispute spans stores; Souk's own"),
    (
        "payments.commission_rules",
        "the marketplace's: operators alone write it, a store's team reads what is for all",
    ),
    ("payments.adjustments", "operators alone make them"),
    ("payments.payout_accounts", "what the provider says of them; Souk's own"),
    ("payments.payout_turns", "Souk's own"),
    ("payments.payouts", "Souk and operators alone make them"),
    ("payments.reserves", "Souk's own"),
    ("orders.order_lines", "an order spans stores; Souk's own"),
    ("orders.orders", "an order spans stores; Souk's own"),
    ("orders.customers", "imported history; Souk's own"),
    ("orders.returns", "imported history; Souk's own"),
    ("platform.audit_log", "written by all, read outside of stores' transactions"),
];

/// What a transaction of a store may do elsewhere: rights on tables and columns that are no store's.
const SHARED: [&str; 8] = [
    "catalog.categories SELECT",
    "identity.users(deleted_at) SELECT",
    "identity.users(email) SELECT",
    "identity.users(email_key) SELECT",
    "identity.users(id) SELECT",
    "identity.users(name) SELECT",
    "platform.audit_log INSERT",
    "platform.outbox INSERT",
];

/// Tables that have a `store_id` but neither row-level security nor a reason.
async fn unwalled(database: &Database) -> Vec<String> {
    let tables: Vec<(String, bool)> = sqlx::query_as(
        "SELECT c.oid::regclass::text,
                c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid
                                             AND 'souk_tenant'::regrole = ANY (p.polroles))
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'store_id' AND NOT a.attisdropped
         JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    )
    .fetch_all(database.pool())
    .await
    .unwrap();
    assert!(tables.len() > 5, "the check finds the tables: {tables:?}");
    let excused = |table: &str| WITHOUT.iter().any(|(without, _)| *without == table);
    tables.into_iter().filter(|(table, walled)| !walled && !excused(table)).map(|(table, _)| table).collect()
}

/// Everything that the tenants' role may do, as `table RIGHT` or `table(column) RIGHT`.
async fn rights(database: &Database) -> Vec<String> {
    let rights: Vec<(String,)> = sqlx::query_as(
        "SELECT table_schema || '.' || table_name || ' ' || privilege_type
         FROM information_schema.table_privileges WHERE grantee IN ('souk_tenant', 'PUBLIC')
           AND table_schema NOT IN ('pg_catalog', 'information_schema')
         UNION ALL
         SELECT c.table_schema || '.' || c.table_name || '(' || c.column_name || ') ' || c.privilege_type
         FROM information_schema.column_privileges c WHERE c.grantee IN ('souk_tenant', 'PUBLIC')
           AND c.table_schema NOT IN ('pg_catalog', 'information_schema')
           AND NOT EXISTS (SELECT FROM information_schema.table_privileges t
                           WHERE (t.table_schema, t.table_name, t.privilege_type, t.grantee)
                               = (c.table_schema, c.table_name, c.privilege_type, c.grantee))
         ORDER BY 1",
    )
    .fetch_all(database.pool())
    .await
    .unwrap();
    rights.into_iter().map(|(right,)| right).collect()
}

/// Every table with a `store_id` has its wall; one that comes without is found.
#[tokio::test(flavor = "multi_thread")]
async fn every_table_of_a_store_has_a_wall() {
    let test = TestApp::start().await;
    let database = &test.app.database;
    assert_eq!(
        unwalled(database).await,
        [] as [String; 0],
        "enable row-level security, or give a reason in WITHOUT"
    );
    for right in rights(database).await {
        let of_store = WALLED.iter().any(|(table, _)| right.starts_with(&format!("{table} ")));
        assert!(of_store || SHARED.contains(&right.as_str()), "the role of tenants may {right}");
    }
    for (table, _) in WALLED {
        let walled: (bool,) =
            sqlx::query_as("SELECT relrowsecurity FROM pg_class WHERE oid = $1::text::regclass")
                .bind(table)
                .fetch_one(database.pool())
                .await
                .unwrap();
        assert!(walled.0, "{table}");
    }
    for (ddl, found) in [
        ("CREATE TABLE catalog.later (id uuid PRIMARY KEY, store_id uuid NOT NULL)", vec!["catalog.later"]),
        ("ALTER TABLE catalog.later ENABLE ROW LEVEL SECURITY", vec!["catalog.later"]),
        ("CREATE POLICY of_store ON catalog.later TO souk_tenant USING (true)", vec![]),
        ("ALTER TABLE inventory.stock_levels DISABLE ROW LEVEL SECURITY", vec!["inventory.stock_levels"]),
    ] {
        database.pool().execute(ddl).await.unwrap();
        assert_eq!(unwalled(database).await, found, "{ddl}");
    }
    test.finish().await;
}

/// A store with a row in each table.
async fn furnished(test: &TestApp, slug: &'static str) -> StoreId {
    let (owner, store) = test.seller(slug).await;
    let category = test.category("pots", None).await;
    let pounds = platform::Money::new(500, Currency::GBP);
    let product = catalog::PutProduct { categories: vec![category], ..testkit::product(slug, pounds) };
    test.put(store, product).await;
    let variant = test.product_of(store, Currency::GBP, NewProduct { slug, ..NewProduct::default() }).await;
    let basket = test.basket(variant, 1).await;
    assert_eq!(test.check_out(&basket, "k", "tok_visa").await.status, 201);
    let product = catalog::PutProduct { categories: vec![category], ..testkit::product(slug, pounds) };
    let product = test.put(store, product).await.product_id;
    let actor = test.actor(&owner).await;
    let draft = catalog::NewProduct {
        slug: None,
        title: "A draft".to_owned(),
        description: String::new(),
        vendor: None,
        tags: Vec::new(),
        status: catalog::ProductStatus::Draft,
        options: Vec::new(),
        images: Vec::new(),
        categories: Vec::new(),
        variants: vec![testkit::variant(&[], pounds)],
        purchase_limit: None,
    };
    test.app.catalog.create_product(&actor, store, draft, Some("k")).await.unwrap();
    let room = waiting_room::PutRoom {
        enabled: true,
        admissions_per_second: 50,
        window_seconds: 600,
        challenge_difficulty: 8,
        opens_at: None,
    };
    test.app.waiting_room.put_room(&actor, store, product, &room).await.unwrap();
    let key = NewApiKey {
        kind: ApiKeyKind::Secret,
        name: "Key".to_owned(),
        store: Some(store),
        scopes: vec![Permission::StockRead],
        expires_at: None,
    };
    test.app.identity.api_keys.create(&actor, &key).await.unwrap();
    let invitation = NewInvitation {
        email: format!("friend-of-{slug}@example.com").parse().unwrap(),
        role: StoreRole::Staff,
        store_name: slug.to_owned(),
    };
    test.app.identity.teams.invite(&actor, store, &invitation).await.unwrap();
    let put = payments::PutPayoutSettings {
        schedule: payments::Schedule::Daily,
        minimum: Vec::new(),
        hold_days: None,
        reserve_basis_points: None,
        reserve_days: None,
    };
    test.app.payouts.put_settings(&actor, store, &put, 1).await.unwrap();
    let york = NewLocation {
        code: "york".parse().unwrap(),
        name: "York".to_owned(),
        country: Some("GB".to_owned()),
    };
    test.app.stock_keeping.create_location(&actor, store, &york).await.unwrap();
    test.run_jobs().await;
    store
}

/// Runs SQL on `$1` in a transaction of `tenant` that is rolled back: how many rows it touched, or the error's code.
async fn within(database: &Database, tenant: StoreId, sql: &str, store: StoreId) -> Result<u64, String> {
    let mut tx = database.begin_within(tenant).await.unwrap();
    run(&mut tx, sql, store).await.map(|done| done.rows_affected())
}

async fn run(tx: &mut Tx, sql: &str, store: StoreId) -> Result<PgQueryResult, String> {
    let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    let query = if sql.contains("$1") { query.bind(store.uuid()) } else { query };
    query.execute(&mut **tx).await.map_err(|error| match error.as_database_error() {
        Some(refused) => refused.code().unwrap().into_owned(),
        None => panic!("{sql}: {error}"),
    })
}

/// A column that can be set to itself.
async fn any_column(database: &Database, table: &str) -> String {
    let column: (String,) = sqlx::query_as(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 ORDER BY attnum LIMIT 1",
    )
    .bind(table)
    .fetch_one(database.pool())
    .await
    .unwrap();
    column.0
}

/// In a transaction of one store another's rows are not to be seen, changed, removed or made.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_reaches_its_own_rows_alone() {
    const NO_RIGHT: &str = "42501";
    let test = TestApp::start().await;
    let database = &test.app.database;
    let (own, other) = (furnished(&test, "own").await, furnished(&test, "other").await);
    for (table, whose) in WALLED {
        let rows: Vec<(Value,)> =
            sqlx::query_as(AssertSqlSafe(format!("SELECT to_jsonb(t) FROM {table} t WHERE {whose}")))
                .bind(other.uuid())
                .fetch_all(database.pool())
                .await
                .unwrap();
        assert!(!rows.is_empty(), "{table}: there is something to steal");
        let all: (i64,) = sqlx::query_as(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(database.pool())
            .await
            .unwrap();
        let column = any_column(database, table).await;
        // What is its own is there, so that nothing below is refused for another reason.
        let seen = within(database, own, &format!("SELECT FROM {table} WHERE {whose}"), own).await.unwrap();
        assert!(seen > 0, "{table}: its own rows are there");
        let seen = within(database, own, &format!("SELECT FROM {table}"), own).await.unwrap();
        assert!(i64::try_from(seen).unwrap() < all.0, "{table}: all is not its own");
        assert_eq!(
            within(database, own, &format!("SELECT FROM {table} WHERE {whose}"), other).await,
            Ok(0),
            "{table}"
        );
        for change in [
            format!("UPDATE {table} SET {column} = {column} WHERE {whose}"),
            format!("DELETE FROM {table} WHERE {whose}"),
        ] {
            let outcome = within(database, own, &change, other).await;
            assert!(outcome == Ok(0) || outcome == Err(NO_RIGHT.to_owned()), "{change}: {outcome:?}");
        }
        // Without a WHERE it meets its own rows only.
        let mut tx = database.begin_within(own).await.unwrap();
        if run(&mut tx, &format!("UPDATE {table} SET {column} = {column}"), own).await.is_ok() {
            let locked = within(
                database,
                other,
                &format!("SELECT FROM {table} WHERE {whose} FOR UPDATE NOWAIT"),
                other,
            )
            .await;
            assert!(locked.unwrap() > 0, "{table}: the other's rows were not touched");
        }
        drop(tx);
        // A row for another store is refused before its keys are looked at.
        let mut tx = database.begin_within(own).await.unwrap();
        let insert = format!("INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, $1)).*");
        let refused =
            sqlx::query(AssertSqlSafe(insert)).bind(&rows[0].0).execute(&mut *tx).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().unwrap(), NO_RIGHT, "{table}: {refused}");
        drop(tx);
        // And a row of one's own can not be given away.
        if whose == "store_id = $1" {
            let give = format!("UPDATE {table} SET store_id = $1");
            assert_eq!(within(database, own, &give, other).await, Err(NO_RIGHT.to_owned()), "{table}");
        }
    }
    // Nor can a variant be put below another store's product.
    let foreign = "UPDATE catalog.variants SET product_id = $1";
    let product: (Uuid,) = sqlx::query_as("SELECT id FROM catalog.products WHERE store_id = $1")
        .bind(other.uuid())
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(within(database, own, foreign, Id::from(product.0)).await, Err(NO_RIGHT.to_owned()));
    test.finish().await;
}

/// Without a tenant the role reaches nothing, and other modules' tables not at all.
#[tokio::test(flavor = "multi_thread")]
async fn the_role_alone_opens_nothing() {
    let test = TestApp::start().await;
    let database = &test.app.database;
    let store = furnished(&test, "own").await;
    let mut connection = database.pool().begin().await.unwrap();
    sqlx::query("SET LOCAL ROLE souk_tenant").execute(&mut *connection).await.unwrap();
    for (table, _) in WALLED {
        let mut point = sqlx::Connection::begin(&mut *connection).await.unwrap();
        let seen = sqlx::query(AssertSqlSafe(format!("SELECT FROM {table}"))).execute(&mut *point).await;
        assert!(seen.is_err() || seen.unwrap().rows_affected() == 0, "{table}");
        point.rollback().await.unwrap();
    }
    drop(connection);
    for (table, _) in WITHOUT.into_iter().chain([
        ("inventory.reservations", ""),
        ("inventory.takings", ""),
        ("identity.sessions", ""),
        ("identity.totp", ""),
        ("payments.payments", ""),
        ("waiting_room.lines", ""),
        ("waiting_room.places", ""),
    ]) {
        for sql in
            [format!("SELECT FROM {table}"), format!("DELETE FROM {table}"), format!("TRUNCATE {table}")]
        {
            assert_eq!(within(database, store, &sql, store).await, Err("42501".to_owned()), "{sql}");
        }
    }
    let secret = within(database, store, "SELECT password_hash FROM identity.users", store).await;
    assert_eq!(secret, Err("42501".to_owned()));
    // The role and the tenant end with the transaction.
    drop(database.begin_within(store).await.unwrap());
    let after: (String,) =
        sqlx::query_as("SELECT current_user::text").fetch_one(database.pool()).await.unwrap();
    assert_ne!(after.0, "souk_tenant");
    assert!(test.app.catalog.store(&Actor::system(), &catalog::Key::Id(store)).await.is_ok());
    test.finish().await;
}
