//! Products from Shopify's CSV.

use std::fs;
use std::sync::Arc;

use catalog::{InStock, NewStore};
use identity::Actor;
use platform::{Currency, Money};
use testkit::TestApp;

use crate::place::{Place, shared};

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

/// What can not be taken is refused by its reason: a cell that no index holds, and rows that a quote which is
/// not closed made one of. The latter is no success.
#[tokio::test]
async fn long_cells_and_open_quotes_are_refused_and_told() {
    let place = Place::new().await;
    let header = "Handle,Title,Body (HTML),Type,Variant SKU,Variant Price";
    let long = "x1".repeat(6_000);
    let file = place.write(
        "long.csv",
        &format!(
            "{header}\ncup,{long},,,A,1\npot,Pot,,,{long},1\njug,Jug,,,B,1\n{long},Pan,,,B,1\nmug,Mug,,,C,1\n"
        ),
    );
    let run =
        |file: &str| place.souk(&["import", "products", file, "--store", "tea-house"]).output().unwrap();
    let output = run(&file);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = fs::read_to_string(place.folder.path().join("long.report.csv")).unwrap();
    assert!(report.len() < 3_000, "the report has the beginnings");
    for reason in ["2,refused,the title is", "3,refused,the SKU is", "5,refused,the handle is"] {
        assert!(report.contains(&format!("\n{reason} longer than 255 characters,")), "{report}");
    }
    assert_eq!(
        place.ask("SELECT string_agg(title, ',' ORDER BY title) FROM catalog.products").await,
        "Jug,Mug"
    );

    let rows: String = (0..300).map(|number| format!("p{number},P{number},,,S{number},1\n")).collect();
    for (name, stray) in
        [("body", "bad,Bad,\"<p>,,A,1\n"), ("title", "bad,\"Bad,,,A,1\n"), ("last", "bad,Bad,,,A,\"1\n")]
    {
        for (closed, end) in [("end", ""), ("later", "q,Q,\"<p>x</p>\",,S,1\nr,R,,,S,1\n")] {
            let file =
                place.write("open.csv", &format!("{header}\n{name}{closed},Fine,,,S,1\n{stray}{rows}{end}"));
            let output = run(&file);
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && told.contains("a quote is probably not closed"), "{told}");
            let other =
                format!("SELECT count(*) FROM catalog.products WHERE external_ref = '{name}{closed}'");
            assert_eq!(place.ask(&other).await, "1");
            let report = fs::read_to_string(place.folder.path().join("open.report.csv")).unwrap();
            let last = if end.is_empty() { 303 } else { 304 };
            let reason = format!(
                "\n3,refused,a quote is probably not closed: lines 3 to {last} were read as one row,"
            );
            assert!(report.contains(&reason), "{name} {closed}: {report}");
        }
    }
    let nothing = place.write("nothing.csv", &format!("{header}\na,A,,,,\n"));
    let output = run(&nothing);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing could be imported"));

    let line = "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850,France\n";
    let header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
    let long = line.replace("85123A", &"x1".repeat(6_000));
    let open = line.replace("HEART", "\"HEART");
    let file = place.write("open.csv", &format!("{header}{line}{long}{open}{line}{line}"));
    let output = place
        .souk(&["import", "history", &file, "--store", "gifts", "--preset", "online-retail"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("a quote is probably not closed"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("and 3 lines, all of the file's"));
    let report = fs::read_to_string(place.folder.path().join("open.report.csv")).unwrap();
    assert!(report.contains("3,refused,the stock code is longer than 255 characters,"), "{report}");
    assert!(
        report.contains("4,refused,a quote is probably not closed: lines 4 to 6 were read as one row,"),
        "{report}"
    );
    place.verify();
    place.leave().await;
}

/// Categories are known by their names, of which a slug may keep nothing; so are products by their handles.
#[tokio::test]
async fn names_of_any_script_stay_apart() {
    let place = Place::new().await;
    let file = place.write(
        "names.csv",
        "Handle,Title,Type,Variant Price\n茶,Tea,茶,1\n水,Water,水,1\na,A,C,1\nb,B,C++,1\nc,C,c,1\n",
    );
    let arguments = ["import", "products", file.as_str(), "--store", "tea-house"];
    let ask = "SELECT string_agg(concat_ws(' ', p.title, p.slug, c.name, c.slug), ',' ORDER BY p.title)
        FROM catalog.products p JOIN catalog.product_categories USING (product_id)
        JOIN catalog.categories c ON c.id = category_id"
        .replace("USING (product_id)", "pc ON pc.product_id = p.id");
    let told = place.run(&arguments);
    assert!(told.contains("created 5"), "{told}");
    let first = place.ask(&ask).await;
    assert_eq!(place.ask("SELECT count(*) FROM catalog.categories").await, "4", "{first}");
    assert!(first.starts_with("A a C c,B b C++ c-") && first.contains(",C c C c,"), "{first}");
    assert!(first.contains("Tea item-7e005ba3 茶 item-7e005ba3"), "{first}");
    let told = place.run(&arguments);
    assert!(told.contains("created 0, updated 0, unchanged 5"), "{told}");
    assert_eq!(place.ask(&ask).await, first);
    place.leave().await;
}

/// Putting products and news of their stock hold the same rows: in one order, or they wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn products_are_put_beside_news_of_their_stock() {
    let test = TestApp::start().await;
    let (catalog, actor) = (Arc::clone(&test.app.catalog), Actor::system());
    let new = NewStore {
        slug: "gifts".parse().unwrap(),
        name: "Gifts".to_owned(),
        description: String::new(),
        currency: Currency::GBP,
        image_url: None,
    };
    let store = catalog.create_store(&actor, new).await.unwrap().id;
    let goods = |price| -> Vec<_> {
        let slugs = (0..40).map(|number| format!("p{number:02}"));
        slugs.map(|slug| testkit::product(&slug, Money::new(price, Currency::GBP))).collect()
    };
    let put = catalog.put_products(&actor, store, &goods(1)).await.unwrap();
    let variants: Vec<_> = put.iter().map(|put| put.variants[0].0).collect();
    let puts = async {
        for price in 2..40 {
            let mut goods = goods(price);
            goods.reverse();
            catalog.put_products(&actor, store, &goods).await.unwrap();
        }
    };
    let news = async {
        for version in 1..100 {
            let news: Vec<_> = variants
                .iter()
                .map(|variant| InStock { variant_id: *variant, in_stock: version % 2 == 0, version })
                .collect();
            catalog.set_in_stock(&actor, &news).await.unwrap();
        }
    };
    tokio::join!(puts, news);
    test.finish().await;
}
