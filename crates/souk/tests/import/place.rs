//! Where the program is run, and what is asked of it there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;
use testkit::TestDatabase;

/// A folder and a database to run the program in.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    database: TestDatabase,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database: TestDatabase::create().await }
    }

    pub(crate) fn souk(&self, arguments: &[&str]) -> Command {
        let mut souk = Command::new(env!("CARGO_BIN_EXE_souk"));
        souk.args(arguments)
            .current_dir(self.folder.path())
            .env("DATABASE_URL", self.database.connect_options().to_url_lossy().as_str())
            .env("SOUK_DATA_DIR", self.folder.path());
        souk
    }

    /// What the program prints; it must succeed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.souk(arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn verify(&self) {
        let report: serde_json::Value = serde_json::from_str(&self.run(&["verify", "--json"])).unwrap();
        assert_eq!(report["ok"], true, "{report}");
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) async fn ask(&self, query: &str) -> String {
        let query = format!("SELECT ({query})::text");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(self.database.database.pool()).await.unwrap()
    }

    /// A digest of all that imports write, without ids and the times of writing.
    pub(crate) async fn digest(&self) -> String {
        self.ask(
            "SELECT md5(concat(
                (SELECT string_agg(concat_ws('|', number, placed_at, total, c.external_ref, c.country), ',' ORDER BY number)
                 FROM orders.orders o LEFT JOIN orders.customers c ON c.id = o.customer_id),
                (SELECT string_agg(concat_ws('|', number, position, sku, title, quantity, unit_price, l.total), ','
                    ORDER BY number, position)
                 FROM orders.order_lines l JOIN orders.orders o ON o.id = l.order_id),
                (SELECT string_agg(concat_ws('|', external_ref, returned_at, total), ',' ORDER BY external_ref)
                 FROM orders.returns),
                (SELECT string_agg(concat_ws('|', external_ref, position, sku, title, quantity, unit_price, l.total), ','
                    ORDER BY external_ref, position)
                 FROM orders.return_lines l JOIN orders.returns r ON r.id = l.return_id),
                (SELECT string_agg(concat_ws('|', p.external_ref, p.title, p.description, p.status, p.tags, p.options, p.images,
                    p.min_price, p.in_stock, p.created_at < '2012-01-01', v.sku, v.options, v.price, v.weight_grams, l.on_hand),
                    ',' ORDER BY p.external_ref, v.position)
                 FROM catalog.variants v JOIN catalog.products p ON p.id = v.product_id
                 LEFT JOIN inventory.stock_levels l ON l.variant_id = v.id)))",
        )
        .await
    }

    pub(crate) async fn leave(self) {
        self.database.drop().await;
    }
}

/// The data that is shared with the project but not part of it.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}
