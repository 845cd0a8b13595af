//! Moving in, end to end: the real program, real files, a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that can not go on fails")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use flate2::read::GzDecoder;
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;
use testkit::TestDatabase;

/// A folder and a database to run the program in.
struct Place {
    folder: TempDir,
    database: TestDatabase,
}

impl Place {
    async fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database: TestDatabase::create().await }
    }

    fn souk(&self, arguments: &[&str]) -> Command {
        let mut souk = Command::new(env!("CARGO_BIN_EXE_souk"));
        souk.args(arguments)
            .current_dir(self.folder.path())
            .env("DATABASE_URL", self.database.connect_options().to_url_lossy().as_str())
            .env("SOUK_DATA_DIR", self.folder.path());
        souk
    }

    /// What the program prints; it must succeed.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.souk(arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn verify(&self) {
        let report: serde_json::Value = serde_json::from_str(&self.run(&["verify", "--json"])).unwrap();
        assert_eq!(report["ok"], true, "{report}");
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn ask(&self, query: &str) -> String {
        let query = format!("SELECT ({query})::text");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(self.database.database.pool()).await.unwrap()
    }

    /// A digest of all that imports write, without ids and the times of writing.
    async fn digest(&self) -> String {
        self.ask(
            "SELECT md5(concat(
                (SELECT string_agg(concat_ws('|', number, placed_at, total, c.external_ref, c.country), ',' ORDER BY number)
                 FROM orders.orders o LEFT JOIN orders.customers c ON c.id = o.customer_id),
                (SELECT string_agg(concat_ws('|', position, sku, title, quantity, unit_price, total), ',' ORDER BY position)
                 FROM orders.order_lines),
                (SELECT string_agg(concat_ws('|', external_ref, returned_at, total), ',' ORDER BY external_ref)
                 FROM orders.returns),
                (SELECT string_agg(concat_ws('|', position, sku, title, quantity, unit_price, total), ',' ORDER BY position)
                 FROM orders.return_lines),
                (SELECT string_agg(concat_ws('|', p.external_ref, p.title, p.description, p.status, p.tags, p.options, p.images,
                    p.min_price, p.in_stock, p.created_at < '2012-01-01', v.sku, v.options, v.price, v.weight_grams, l.on_hand),
                    ',' ORDER BY p.external_ref, v.position)
                 FROM catalog.variants v JOIN catalog.products p ON p.id = v.product_id
                 LEFT JOIN inventory.stock_levels l ON l.variant_id = v.id)))",
        )
        .await
    }

    async fn leave(self) {
        self.database.drop().await;
    }
}

/// The data that is shared with the project but not part of it.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// Shopify's own example files come in whole, and a second time nothing happens.
#[tokio::test]
async fn product_files_come_in_once() {
    let place = Place::new().await;
    for (name, variants, images, units) in
        [("apparel", 22, 20, 22), ("home-and-garden", 21, 21, 65), ("jewelery", 23, 41, 20)]
    {
        let Some(file) = shared(&format!("shopify-csv/{name}.csv")) else { return place.leave().await };
        let arguments = ["import", "products", file.to_str().unwrap(), "--store", name, "--currency", "USD"];
        let first = place.run(&arguments);
        assert!(first.contains("created 20, updated 0, unchanged 0;"), "{first}");
        for (what, count) in
            [("products", 20), ("variants", variants), ("images", images), ("rows refused", 0)]
        {
            let line = first.lines().find(|line| line.trim_start().starts_with(what)).unwrap();
            assert!(line.ends_with(&format!(" {count}")), "{line}");
        }
        let on_hand = place
            .ask(&format!(
                "SELECT sum(on_hand) FROM inventory.stock_levels l JOIN catalog.variants v ON v.id = l.variant_id
                 JOIN catalog.products p ON p.id = v.product_id JOIN catalog.stores s ON s.id = p.store_id
                 WHERE s.slug = '{name}'"
            ))
            .await;
        assert_eq!(on_hand, units.to_string());
        let digest = place.digest().await;
        let second = place.run(&arguments);
        assert!(second.contains("created 0, updated 0, unchanged 20; 0 new variants, 0 given"), "{second}");
        let totals = |text: &str| text.split("in this run").next().unwrap().to_owned();
        assert_eq!(totals(&first), totals(&second));
        assert_eq!(place.digest().await, digest);
    }
    assert_eq!(place.ask("SELECT count(*) FROM catalog.products WHERE in_stock").await, "58");
    place.verify();
    place.leave().await;
}

/// New headers, a byte order mark, CRLF, text over several lines: rows are told by the line they begin on.
#[tokio::test]
async fn bad_rows_are_reported_by_line_and_the_rest_comes_in() {
    let place = Place::new().await;
    let file = place.write(
        "new.csv",
        &[
            "\u{feff}Title,URL handle,Description,Type,Status,SKU,Option1 name,Option1 value,Price,Inventory quantity",
            "Cup,cup,\"<p>Big,",
            "blue \"\"cup\"\"</p>\",Mugs,Active,C-1,Size,Small,12.50,4",
            "",
            ",cup,,,,C-2,,Large,12.505,4",
            ",cup,,,,C-3,,Huge,15,-2",
            ",,,,,C-4,,Tiny,15,1",
            "Pot,pot,,,Draft,,Title,Default Title,,1",
            "Jug,jug,,Mugs,Draft,,Title,Default Title,9,",
            ",cup,,,,C-5,,Late,15,1",
        ]
        .join("\r\n"),
    );
    let arguments =
        ["import", "products", file.as_str(), "--store", "tea-house", "--currency", "EUR", "--stock", "5"];
    let told = place.run(&arguments);
    assert!(told.contains("created 2, updated 0, unchanged 0; 3 new variants, 2 given"), "{told}");
    assert!(told.contains("new.report.csv"), "{told}");
    let report = fs::read_to_string(place.folder.path().join("new.report.csv")).unwrap();
    let reported: Vec<String> = report
        .lines()
        .skip(1)
        .map(|line| line.splitn(4, ',').take(3).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        reported,
        [
            "7 refused there is no handle",
            "5 refused the price has more decimals than its currency",
            "6 mended the quantity is negative: the stock is none",
            "8 refused there is no price",
            "10 refused \"the handle's other rows stand further up",
        ]
    );
    let products = place
        .ask(
            "SELECT string_agg(concat_ws('|', title, p.status, p.description, s.name, s.currency), ';' ORDER BY title)
             FROM catalog.products p JOIN catalog.stores s ON s.id = p.store_id",
        )
        .await;
    let expected = "Cup|active|<p>Big,\nblue \"cup\"</p>|Tea House|EUR;Jug|draft||Tea House|EUR";
    assert_eq!(products, expected);
    let stock = "SELECT string_agg(coalesce(l.on_hand, 0)::text, ',' ORDER BY v.price DESC)
        FROM catalog.variants v LEFT JOIN inventory.stock_levels l ON l.variant_id = v.id";
    assert_eq!(place.ask(stock).await, "0,4,5");
    // A merchant who changed a price changes only that.
    let text = fs::read_to_string(&file).unwrap().replace("12.50,4", "13.00,9");
    let again = place.write("new.csv", &text);
    assert_eq!(again, file);
    let told = place.run(&arguments);
    assert!(told.contains("created 0, updated 1, unchanged 1; 0 new variants, 0 given"), "{told}");
    assert_eq!(place.ask(stock).await, "0,4,5");
    let other = place
        .souk(&["import", "products", &file, "--store", "tea-house", "--currency", "GBP"])
        .output()
        .unwrap();
    assert!(!other.status.success());
    assert!(String::from_utf8_lossy(&other.stderr).contains("sells in EUR"));
    place.verify();
    place.leave().await;
}

/// Lines of the year of invoices that a test takes: two weeks.
const LINES: usize = 20_000;

fn two_weeks(place: &Place) -> Option<String> {
    let year = File::open(shared("online-retail/online-retail.csv.gz")?).unwrap();
    let path = place.folder.path().join("weeks.csv");
    let mut weeks = File::create(&path).unwrap();
    for line in BufReader::new(GzDecoder::new(year)).lines().take(LINES + 1) {
        writeln!(weeks, "{}", line.unwrap()).unwrap();
    }
    Some(path.to_str().unwrap().to_owned())
}

/// A history comes in to the penny, a second time nothing happens, and one that was killed on the way and
/// run again ends up the same.
#[tokio::test]
async fn a_history_comes_in_once_even_when_it_is_killed() {
    let place = Place::new().await;
    let Some(file) = two_weeks(&place) else { return place.leave().await };
    let arguments = ["import", "history", file.as_str(), "--store", "gifts", "--preset", "online-retail"];
    let first = place.run(&arguments);
    assert!(first.contains("and 20,000 lines, all of the file's"), "{first}");
    let digest = place.digest().await;
    let second = place.run(&arguments);
    let totals = |text: &str| text.split("new in this run").next().unwrap().to_owned();
    assert_eq!(totals(&first), totals(&second));
    assert!(
        second
            .split("new in this run")
            .nth(1)
            .unwrap()
            .lines()
            .skip(1)
            .take(7)
            .all(|line| line.ends_with(" 0"))
    );
    assert_eq!(place.digest().await, digest);
    let rejected =
        fs::read_to_string(place.folder.path().join("weeks.report.csv")).unwrap().lines().count() - 1;
    let kept =
        "SELECT (SELECT count(*) FROM orders.order_lines) + (SELECT count(*) FROM orders.return_lines)";
    assert_eq!(place.ask(kept).await, (LINES - rejected).to_string());
    place.verify();

    let other = Place::new().await;
    let file = two_weeks(&other).unwrap();
    let arguments = ["import", "history", file.as_str(), "--store", "gifts", "--preset", "online-retail"];
    let mut killed = other.souk(&arguments).stdout(Stdio::null()).spawn().unwrap();
    while other.ask("SELECT count(*) FROM orders.orders").await == "0" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_ne!(other.digest().await, digest, "it was killed on the way");
    let body = |text: &str| text.split_once('\n').map(|(_, body)| totals(body)).unwrap();
    assert_eq!(body(&other.run(&arguments)), body(&first));
    assert_eq!(other.digest().await, digest);
    other.verify();
    other.leave().await;
    place.leave().await;
}
