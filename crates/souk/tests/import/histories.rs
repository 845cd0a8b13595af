//! A year of invoices, or some of it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Duration;

use flate2::read::GzDecoder;

use crate::place::{Place, shared};

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

const INVOICES: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,A,HEART,2,2010-12-01 08:26:00,1.50,7,France
1,B,STAR,1,2010-12-01 08:26:00,2.00,7,France
1,A,HEART,2,2010-12-01 08:26:00,1.50,7,France
2,A,HEART,1,2010-12-02 08:26:00,1.60,,France
C3,A,HEART,-1,2010-12-03 08:26:00,1.50,7,France
C3,A,HEART,-1,2010-12-03 08:26:00,1.50,7,France
1,A,HEART,2,2010-12-01 08:27:00,1.50,7,France
1,C,MOON,1,2010-12-01 08:27:00,4.00,7,France
";

/// The same invoices in any other order are the same invoices; alike lines of one are as many as there are.
#[tokio::test]
async fn a_history_may_be_sorted_anew() {
    let place = Place::new().await;
    let run = |text: &str| {
        let file = place.write("h.csv", text);
        place.run(&["import", "history", &file, "--store", "gifts", "--preset", "online-retail"])
    };
    run(INVOICES);
    let totals = "SELECT concat(
        (SELECT string_agg(concat_ws(' ', number, o.total, l.lines), ',' ORDER BY number) FROM orders.orders o
         JOIN (SELECT order_id, count(*) AS lines FROM orders.order_lines GROUP BY 1) l ON l.order_id = o.id), ' and ',
        (SELECT string_agg(concat_ws(' ', external_ref, total), ',') FROM orders.returns))";
    let expected = "1 1500 5,2 160 1 and C3 300";
    assert_eq!(place.ask(totals).await, expected);
    let digest = place.digest().await;
    let (header, lines) = INVOICES.split_once('\n').unwrap();
    let mut lines: Vec<&str> = lines.lines().collect();
    for turn in 0..3 {
        match turn {
            0 => lines.reverse(),
            1 => lines.sort_unstable(),
            _ => lines.rotate_left(3),
        }
        let told = run(&format!("{header}\n{}\n", lines.join("\n")));
        let new = told.split("new in this run").nth(1).unwrap();
        assert!(new.lines().skip(1).take(7).all(|line| line.ends_with(" 0")), "{told}");
        assert_eq!(place.ask(totals).await, expected);
    }
    assert_eq!(place.digest().await, digest);
    assert!(!place.folder.path().join("h.report.csv").exists());

    // Another quantity is another line. That the invoice grew is told, and by which lines.
    let changed = INVOICES.replace("2,A,HEART,1,", "2,A,HEART,3,").replace("1,C,MOON,1,", "1,C,MOON,2,");
    let told = run(&changed);
    let grew = told.lines().find(|line| line.contains("and grew")).unwrap();
    assert!(grew.ends_with(" 2"), "{told}");
    let report = fs::read_to_string(place.folder.path().join("h.report.csv")).unwrap();
    let lines: Vec<&str> = report.lines().skip(1).collect();
    let reason = "mended,the invoice was imported before with other lines: this one is added to it";
    assert_eq!(lines, [format!("9,{reason},1"), format!("5,{reason},2")]);
    assert_eq!(place.ask(totals).await, "1 2300 6,2 640 2 and C3 300");
    let positions = "SELECT string_agg(position::text, ',' ORDER BY position) FROM orders.order_lines l
        JOIN orders.orders o ON o.id = l.order_id WHERE number = '1'";
    assert_eq!(place.ask(positions).await, "1,2,3,4,5,6");
    place.verify();
    place.leave().await;
}
