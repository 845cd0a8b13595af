//! What the ledger promises.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use identity::{Actor, StoreId};
use payments::{
    Account, AccountKind, Charge, LedgerHead, PaymentId, PaymentMeans, PaymentToken, Sale, Selection, Share,
};
use platform::{Currency, CursorRequest, Money};
use testkit::TestApp;
use tokio::task::JoinSet;
use uuid::Uuid;

/// A paid order of so much by each of these stores, with a tenth of it and a fiftieth of tax on that for the marketplace.
async fn sale(test: &TestApp, currency: Currency, stores: &[(StoreId, i64)]) -> Sale {
    let (id, order): (PaymentId, Uuid) = (test.app.sources.id(), test.app.sources.id::<Sale>().uuid());
    let amount = Money::new(stores.iter().map(|(_, amount)| amount).sum(), currency);
    let means = &PaymentMeans::token(PaymentToken::presented("tok_visa"));
    test.app.payments.charge(Charge { id, order, amount, means, return_url: None }).await.unwrap();
    let share = |(store, amount): &(StoreId, i64)| Share {
        store: *store,
        amount: *amount,
        commission: amount / 10,
        commission_tax: amount / 50,
    };
    let shares = stores.iter().map(share).collect();
    Sale { order, payment: id, currency, at: test.app.sources.now(), shares }
}

/// What stands in an account, as it is told.
async fn balance(test: &TestApp, account: Account, currency: Currency) -> i64 {
    let selection = Selection { kinds: vec![account.kind], owner: Some(account.owner) };
    let found = test.app.ledger.balances(&Actor::system(), &selection).await.unwrap();
    found.iter().find(|one| one.balance.currency == currency).map_or(0, |one| one.balance.amount)
}

async fn execute(test: &TestApp, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(test.app.database.pool()).await.map(|_| ())
}

/// A sale moves what was paid to the stores, less the marketplace's share and the tax on it; each currency for itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_sale_goes_to_the_stores() {
    let test = TestApp::start().await;
    let (one, other): (StoreId, StoreId) = (test.app.sources.id(), test.app.sources.id());
    let pounds = sale(&test, Currency::GBP, &[(one, 1000), (other, 500)]).await;
    let yen = sale(&test, "JPY".parse().unwrap(), &[(one, 700)]).await;
    test.app.payments.post_sales(&[pounds.clone(), yen.clone()]).await.unwrap();
    // Once more, alone and with another: once is what counts.
    test.app.payments.post_sales(std::slice::from_ref(&pounds)).await.unwrap();
    test.app.payments.post_sales(&[yen, pounds]).await.unwrap();

    let payable = |store| Account::of_store(AccountKind::StorePayable, store);
    assert_eq!(balance(&test, payable(one), Currency::GBP).await, 1000 - 100 - 20);
    assert_eq!(balance(&test, payable(other), Currency::GBP).await, 500 - 50 - 10);
    assert_eq!(balance(&test, payable(one), "JPY".parse().unwrap()).await, 700 - 70 - 14);
    assert_eq!(balance(&test, Account::own(AccountKind::Commission), Currency::GBP).await, 150);
    assert_eq!(balance(&test, Account::own(AccountKind::CommissionTax), Currency::GBP).await, 30);
    assert_eq!(test.app.ledger.verify(None).await.unwrap(), []);
}

/// Many who write the same sales at the same time, on two nodes, write each once, and the chain holds.
#[tokio::test(flavor = "multi_thread")]
async fn writers_follow_one_another() {
    let test = TestApp::start().await;
    let store: StoreId = test.app.sources.id();
    let mut sales = Vec::new();
    for amount in 1..=20 {
        sales.push(sale(&test, Currency::GBP, &[(store, amount * 100)]).await);
    }
    let node = test.other_node().await;
    let mut writers = JoinSet::new();
    for first in 0..8 {
        let payments = if first % 2 == 0 { test.app.payments.clone() } else { node.payments.clone() };
        let mut mine = sales.clone();
        mine.rotate_left(first);
        writers.spawn(async move {
            for sales in mine.chunks(7) {
                payments.post_sales(sales).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let sold: i64 = (1..=20).map(|amount| amount * 100).sum();
    let payable = Account::of_store(AccountKind::StorePayable, store);
    assert_eq!(balance(&test, payable, Currency::GBP).await, sold - sold / 10 - sold / 50);
    let sales: i64 =
        sqlx::query_scalar("SELECT count(*) FROM payments.ledger_transactions WHERE kind = 'sale'")
            .fetch_one(test.app.database.pool())
            .await
            .unwrap();
    assert_eq!(sales, 20);
    assert_eq!(test.app.ledger.verify(None).await.unwrap(), []);
}

/// The statement of an account begins with nothing, ends with its balance, and is the same in one page and in many.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_adds_up() {
    let test = TestApp::start().await;
    let store: StoreId = test.app.sources.id();
    for amount in [1000, 250, 999] {
        let sale = sale(&test, Currency::GBP, &[(store, amount)]).await;
        test.app.payments.post_sales(&[sale]).await.unwrap();
        test.clock.advance(time::Duration::HOUR);
    }
    let payable = Account::of_store(AccountKind::StorePayable, store);
    let read = async |first, after, between| {
        let slice = CursorRequest { first, after };
        let actor = Actor::system();
        test.app.ledger.statement(&actor, &payable, Some(Currency::GBP), between, &slice).await.unwrap()
    };
    let whole = read(100, None, (None, None)).await.data;
    assert_eq!(whole.len(), 9);
    let mut sum = 0;
    for line in &whole {
        sum += line.amount.amount;
        assert_eq!(line.balance.amount, sum);
    }
    assert_eq!(sum, balance(&test, payable.clone(), Currency::GBP).await);

    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = read(2, after.take(), (None, None)).await;
        pages.extend(page.data);
        match page.page_info.end_cursor.filter(|_| page.page_info.has_next_page) {
            Some(cursor) => after = Some(platform::Cursor::presented(&cursor)),
            None => break,
        }
    }
    assert_eq!(pages, whole);

    let later = test.app.sources.now() - time::Duration::minutes(150);
    let rest = read(100, None, (Some(later), None)).await.data;
    assert_eq!(rest, whole[3..], "what was there before is in the balance");
}

/// The database refuses what is not balanced, not whole, in two currencies, or written before.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_wrong_entries() {
    let test = TestApp::start().await;
    let store: StoreId = test.app.sources.id();
    let sale = sale(&test, Currency::GBP, &[(store, 1000)]).await;
    test.app.payments.post_sales(&[sale]).await.unwrap();
    let transaction = "INSERT INTO payments.ledger_transactions
        SELECT 99, 'test', gen_random_uuid(), NULL, 'GBP', NULL, now(), now(), hash FROM payments.ledger_transactions WHERE seq = 1;";
    let accounts = "SELECT min(id) AS a, max(id) AS b FROM payments.ledger_accounts";
    let entries = |values: &str| {
        format!(
            "{transaction} INSERT INTO payments.ledger_entries (seq, line, account_id, rule, amount)
                 SELECT 99, line, CASE line WHEN 1 THEN a ELSE b END, 'sale', amount
                 FROM ({accounts}) accounts, (VALUES {values}) AS v (line, amount)"
        )
    };
    let refused = async |sql: String| {
        let error =
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(test.app.database.pool()).await.unwrap_err();
        error.to_string()
    };
    assert!(refused(entries("(1, 100), (2, -99)")).await.contains("do not sum to zero"));
    assert!(refused(entries("(2, 100), (3, -100)")).await.contains("not written as a whole"));
    assert!(refused(entries("(1, 100), (3, -100)")).await.contains("not written as a whole"));
    let later = "INSERT INTO payments.ledger_entries SELECT 1, 50 + line, account_id, rule, amount
                 FROM payments.ledger_entries WHERE seq = 1";
    assert!(refused(later.to_owned()).await.contains("not written as a whole"));
    let other = "INSERT INTO payments.ledger_accounts (kind, owner, currency) VALUES ('bank', '', 'EUR');";
    assert!(refused(format!("{other} {}", entries("(1, 100), (2, -100)"))).await.contains("in one currency"));
    for table in ["ledger_transactions", "ledger_entries", "ledger_accounts", "ledger_head"] {
        for sql in [format!("DELETE FROM payments.{table}"), format!("TRUNCATE payments.{table}")] {
            assert!(refused(sql).await.contains("append-only"), "{table}");
        }
    }
    for sql in [
        "UPDATE payments.ledger_transactions SET memo = 'x'",
        "UPDATE payments.ledger_entries SET amount = amount",
        "UPDATE payments.ledger_accounts SET owner = 'x'",
    ] {
        assert!(refused(sql.to_owned()).await.contains("append-only"), "{sql}");
    }
    assert_eq!(test.app.ledger.verify(None).await.unwrap(), []);
}

/// Rights to change what is written are nobody's, not even their owner's.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_the_right_to_rewrite() {
    let test = TestApp::start().await;
    let rights: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT r.privilege_type FROM pg_class c, aclexplode(c.relacl) r
         WHERE c.oid IN ('payments.ledger_transactions'::regclass, 'payments.ledger_entries'::regclass)
         ORDER BY 1",
    )
    .fetch_all(test.app.database.pool())
    .await
    .unwrap();
    assert!(rights.contains(&"INSERT".to_owned()), "{rights:?}");
    assert!(
        !rights.iter().any(|right| ["UPDATE", "DELETE", "TRUNCATE"].contains(&right.as_str())),
        "{rights:?}"
    );
}

/// Whoever gets past all that, with the rights of a superuser, is seen.
#[tokio::test(flavor = "multi_thread")]
async fn tampering_shows() {
    let test = TestApp::start().await;
    let store: StoreId = test.app.sources.id();
    for amount in [1000, 2000, 3000] {
        let sale = sale(&test, Currency::GBP, &[(store, amount)]).await;
        test.app.payments.post_sales(&[sale]).await.unwrap();
    }
    let kept = test.app.ledger.head(&Actor::system()).await.unwrap();
    let unguarded = "SET session_replication_role = replica;";
    for (tampering, undo) in [
        (
            "UPDATE payments.ledger_entries SET amount = amount * 2 WHERE seq = 2",
            "UPDATE payments.ledger_entries SET amount = amount / 2 WHERE seq = 2",
        ),
        (
            "UPDATE payments.ledger_transactions SET occurred_at = occurred_at - interval '1 day' WHERE seq = 1",
            "UPDATE payments.ledger_transactions SET occurred_at = occurred_at + interval '1 day' WHERE seq = 1",
        ),
        (
            "UPDATE payments.ledger_accounts SET balance = balance + 1 WHERE kind = 'commission'",
            "UPDATE payments.ledger_accounts SET balance = balance - 1 WHERE kind = 'commission'",
        ),
        (
            "UPDATE payments.ledger_accounts SET owner = 'me' WHERE kind = 'commission'",
            "UPDATE payments.ledger_accounts SET owner = '' WHERE kind = 'commission'",
        ),
    ] {
        for (sql, broken) in [(tampering, true), (undo, false)] {
            let sql = format!("{unguarded} {sql}; RESET session_replication_role");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(test.app.database.pool()).await.unwrap();
            let found = test.app.ledger.verify(Some(&kept)).await.unwrap();
            assert_eq!(!found.is_empty(), broken, "{tampering}: {found:?}");
        }
    }
    // The last one cut off, with its traces: only who kept the end of the chain can tell.
    execute(
        &test,
        "SET session_replication_role = replica;
         WITH gone AS (DELETE FROM payments.ledger_entries WHERE seq = (SELECT seq FROM payments.ledger_head)
                       RETURNING account_id, amount),
              sums AS (SELECT account_id, sum(amount) AS amount, count(*) AS entries FROM gone GROUP BY account_id)
         UPDATE payments.ledger_accounts a SET balance = balance - sums.amount, entries = a.entries - sums.entries
         FROM sums WHERE id = account_id;
         DELETE FROM payments.ledger_transactions WHERE seq = (SELECT seq FROM payments.ledger_head);
         UPDATE payments.ledger_head h SET seq = t.seq, hash = t.hash FROM payments.ledger_transactions t
         WHERE t.seq = h.seq - 1;
         RESET session_replication_role",
    )
    .await
    .unwrap();
    assert_eq!(test.app.ledger.verify(None).await.unwrap(), []);
    let found = test.app.ledger.verify(Some(&kept)).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let wrong = LedgerHead { transactions: 1, hash: "00".repeat(32) };
    assert_eq!(test.app.ledger.verify(Some(&wrong)).await.unwrap().len(), 1);
}

/// Stores see their own accounts, and nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn others_do_not_see_the_books() {
    let test = TestApp::start().await;
    let store: StoreId = test.app.sources.id();
    let stranger = Actor::stranger();
    let of_store = Selection { kinds: vec![AccountKind::StorePayable], owner: Some(store.to_string()) };
    assert!(test.app.ledger.balances(&stranger, &of_store).await.is_err());
    assert!(test.app.ledger.balances(&stranger, &Selection::default()).await.is_err());
    assert!(test.app.ledger.head(&stranger).await.is_err());
    let slice = CursorRequest { first: 10, after: None };
    for account in
        [Account::own(AccountKind::Commission), Account::of_store(AccountKind::StorePayable, store)]
    {
        let read =
            test.app.ledger.statement(&stranger, &account, Some(Currency::GBP), (None, None), &slice).await;
        assert!(read.is_err(), "{account}");
    }
    test.finish().await;
}
