use super::*;
use crate::provider::{BalanceLine, LineKind};
use wiremock::Respond;

/// Stripe's list of balance transactions: newest first, with cursors on either side.
struct Books {
    /// Seconds at which a line was written, oldest first; the line's name is its place.
    lines: Vec<i64>,
}

impl Respond for Books {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let query: BTreeMap<String, String> = request.url.query_pairs().into_owned().collect();
        let number = |text: &String| text.trim_start_matches("txn_").parse::<usize>().unwrap();
        let limit = number(&query["limit"]);
        let before = query.get("created[lt]").map_or(i64::MAX, |at| at.parse().unwrap());
        let mut found: Vec<usize> = (0..self.lines.len()).filter(|&at| self.lines[at] < before).collect();
        let (page, more) =
            match (query.get("ending_before").map(number), query.get("starting_after").map(number)) {
                (Some(cursor), _) => {
                    found.retain(|&at| at > cursor);
                    let more = found.len() > limit;
                    found.truncate(limit);
                    (found, more)
                }
                (None, cursor) => {
                    found.retain(|&at| cursor.is_none_or(|cursor| at < cursor));
                    let more = found.len() > limit;
                    (found.split_off(found.len().saturating_sub(limit)), more)
                }
            };
        let data: Vec<Value> = page.iter().rev().map(|&at| line(at, self.lines[at])).collect();
        ResponseTemplate::new(200).set_body_json(json!({"object": "list", "data": data, "has_more": more}))
    }
}

fn line(at: usize, created: i64) -> Value {
    json!({
        "id": format!("txn_{at}"), "amount": 100, "currency": "gbp", "fee": 20, "created": created,
        "reporting_category": "charge", "source": {"id": format!("ch_{at}"), "payment_intent": format!("pi_{at}")},
    })
}

/// All lines, `limit` at a time, and in how many calls the first of them were found.
async fn read_all(lines: Vec<i64>, limit: u32) -> (Vec<String>, usize) {
    let stripe = Scripted::start().await;
    Mock::given(path("/v1/balance_transactions")).respond_with(Books { lines }).mount(&stripe.server).await;
    let mut seen = Vec::new();
    let mut calls = 0;
    loop {
        let page = stripe.stripe.balance_lines(seen.last().map(String::as_str), limit).await.unwrap();
        if seen.is_empty() {
            calls = stripe.server.received_requests().await.unwrap().len();
        }
        assert!(page.lines.len() <= limit as usize);
        assert!(!page.lines.is_empty() || !page.more);
        seen.extend(page.lines.into_iter().map(|line| line.reference));
        if !page.more {
            stripe
                .server
                .received_requests()
                .await
                .unwrap()
                .iter()
                .for_each(|request| drop(super::read(request)));
            return (seen, calls);
        }
    }
}

#[tokio::test]
async fn every_line_is_read_once_and_the_oldest_first() {
    let begin = 1_700_000_000;
    let spread = |count: i64, step: i64| (0..count).map(|n| begin + n * step).collect::<Vec<_>>();
    for (lines, limit) in [
        (vec![], 10),
        (spread(7, 60), 3),
        (spread(100, 60), 100),
        (spread(350, 3_600), 100),
        (spread(350, 3_600), 7),
        // All in one second.
        (vec![begin; 250], 100),
        // A burst at first, then little.
        ([vec![begin; 150], spread(20, 86_400)].concat(), 50),
    ] {
        let expected: Vec<String> = (0..lines.len()).map(|at| format!("txn_{at}")).collect();
        let (seen, calls) = read_all(lines, limit).await;
        assert_eq!(seen, expected);
        assert!(calls <= 40, "{calls} calls for the first page");
    }
}

#[test]
fn each_kind_of_line_finds_what_it_is_of() {
    let line = |category: &str, source: Value| -> BalanceLine {
        let line = json!({
            "id": "txn_1", "amount": -1999, "currency": "gbp", "fee": 1500, "created": 1, "reporting_category": category,
            "source": source,
        });
        serde_json::from_value::<wire::BalanceTransaction>(line).unwrap().line().unwrap()
    };
    let told = |key: &str, id: &str| json!({key: id});
    let (payment, refund, payout) =
        (payment_id().to_string(), refund_id().to_string(), payout_id().to_string());
    for (category, source, kind, named, ours) in [
        (
            "charge",
            json!({"id": "ch_1", "payment_intent": "pi_1", "metadata": told("souk_payment_id", &payment)}),
            LineKind::Charge,
            "pi_1",
            Some(payment_id().uuid()),
        ),
        (
            "refund",
            json!({"id": "re_1", "payment_intent": "pi_1", "metadata": told("souk_refund_id", &refund)}),
            LineKind::Refund,
            "re_1",
            Some(refund_id().uuid()),
        ),
        ("refund_failure", json!({"id": "re_1"}), LineKind::RefundFailed, "re_1", None),
        ("dispute", json!({"id": "dp_1", "payment_intent": "pi_1"}), LineKind::Dispute, "dp_1", None),
        ("dispute_reversal", json!({"id": "dp_1"}), LineKind::DisputeReversed, "dp_1", None),
        (
            "transfer",
            json!({"id": "tr_1", "metadata": told("souk_payout_id", &payout)}),
            LineKind::Payout,
            "tr_1",
            Some(payout_id().uuid()),
        ),
        (
            "transfer_reversal",
            json!({"id": "trr_1", "transfer": "tr_1", "metadata": told("souk_payout_id", &payout)}),
            LineKind::PayoutFailed,
            "tr_1",
            Some(payout_id().uuid()),
        ),
        ("payout", json!({"id": "po_1"}), LineKind::Withdrawal, "po_1", None),
        ("fee", Value::Null, LineKind::Other, "txn_1", None),
        ("charge", json!("ch_1"), LineKind::Charge, "ch_1", None),
    ] {
        let line = line(category, source);
        assert_eq!((line.kind, line.source.as_str(), line.ours), (kind, named, ours), "{category}");
        assert_eq!((line.amount, line.fee), (pounds(-1999), 1500));
    }
}
