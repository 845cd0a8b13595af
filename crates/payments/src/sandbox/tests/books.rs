use std::collections::{BTreeMap, HashSet};

use identity::StoreId;
use time::Duration;

use super::*;
use crate::provider::{BalanceLine, LineKind, PayoutAsked};

async fn all(bench: &Bench, limit: u32) -> Vec<BalanceLine> {
    let (mut lines, mut after): (Vec<BalanceLine>, Option<String>) = (Vec::new(), None);
    loop {
        let part = bench.company.balance_lines(after.as_deref(), limit).await.expect("the books are open");
        assert!(part.lines.len() <= limit as usize && (!part.more || part.lines.len() == limit as usize));
        after = part.lines.last().map(|line| line.reference.clone()).or(after);
        lines.extend(part.lines);
        if !part.more {
            return lines;
        }
    }
}

/// The lines add up to what somebody else works out who saw only what was asked and told, in each currency.
#[tokio::test(flavor = "multi_thread")]
async fn lines_add_up_to_the_balance() {
    let bench = Bench::new().await;
    let mut balance: BTreeMap<&str, i64> = BTreeMap::new();
    // 1.5 % of each, rounded by hand, and the fixed part.
    for (amount, code, fee) in [(1999, "GBP", 50), (333, "GBP", 25), (5000, "JPY", 95), (12_345, "KWD", 385)]
    {
        let asked = bench.asked("tok_visa", Money::new(amount, code.parse().expect("a currency")));
        assert_eq!(bench.ask(&asked).await.expect("charged").fee, Some(fee));
        *balance.entry(code).or_default() += amount - fee;
    }
    bench.charge("tok_chargeDeclined").await;
    let (processing, _) = bench.charge("tok_sandbox_processing").await;
    *balance.entry("GBP").or_default() += 1999 - 50;
    let (authorized, _) = bench.charge("tok_sandbox_authorize").await;
    bench.company.capture(&authorized, Money::new(500, PRICE.currency)).await.expect("captured");
    *balance.entry("GBP").or_default() += 500 - 28;
    bench.later(Duration::MINUTE).await;
    bench.refund(&processing, 400).await.expect("made");
    *balance.entry("GBP").or_default() -= 400;
    let before = all(&bench, 2).await;

    let (failing, _) = bench.charge("tok_refundFail").await;
    bench.refund(&failing, 1000).await.expect("made");
    *balance.entry("GBP").or_default() += 1999 - 50;
    let (disputed, _) = bench.charge("tok_createDispute").await;
    *balance.entry("GBP").or_default() += 1999 - 50 - 1999 - 1500;
    let (won, _) = bench.charge("tok_createDispute").await;
    *balance.entry("GBP").or_default() += 1999 - 50 - 1500;
    bench.later(Duration::MINUTE).await;
    let target = Target { payment: Some(won.id), ..Target::default() };
    bench.trigger(Trigger::DisputeWon, &target).await.expect("won");
    let store: StoreId = bench.sources.id();
    let account =
        bench.company.open_account(store, None, "https://shop.example").await.expect("an account").reference;
    bench.company.activate(&account).await.expect("active");
    for amount in [700, 800] {
        let amount = Money::new(amount, PRICE.currency);
        let asked = PayoutAsked { id: bench.sources.id(), attempt: 1, account: account.clone(), amount };
        bench.company.pay_out(&asked).await.expect("sent");
        if amount.amount == 800 {
            let target = Target { payout: Some(asked.id), ..Target::default() };
            bench.trigger(Trigger::PayoutFailed, &target).await.expect("failed");
        }
    }
    *balance.entry("GBP").or_default() -= 700;

    let lines = all(&bench, 3).await;
    assert_eq!(lines[..before.len()], before, "a line keeps its place");
    let names: HashSet<_> = lines.iter().map(|line| &line.reference).collect();
    assert_eq!(names.len(), lines.len());
    assert!(lines[before.len()..].is_sorted_by_key(|line| line.at));
    let mut told: BTreeMap<&str, i64> = BTreeMap::new();
    for line in &lines {
        *told.entry(line.amount.currency.code()).or_default() += line.amount.amount - line.fee;
    }
    assert_eq!(told, balance);
    let count = |kind| lines.iter().filter(|line| line.kind == kind).count();
    for (kind, times) in [
        (LineKind::Charge, 9),
        (LineKind::Refund, 2),
        (LineKind::RefundFailed, 1),
        (LineKind::Dispute, 2),
        (LineKind::DisputeReversed, 1),
        (LineKind::Payout, 2),
        (LineKind::PayoutFailed, 1),
    ] {
        assert_eq!(count(kind), times, "{kind:?}");
    }
    let line = lines.iter().find(|line| line.source == disputed.reference).expect("a line of the charge");
    assert_eq!((line.ours, line.amount, line.fee), (Some(disputed.id.uuid()), PRICE, FEE));
    assert_eq!(all(&bench, 1000).await, lines, "the same however they are asked for");
    assert!(matches!(
        bench.company.balance_lines(Some("txn_nobody"), 10).await,
        Err(ProviderError::Unknown(_))
    ));
    bench.finish().await;
}

/// Charges are written while eight read the books: all of them see the same lines in the same order, each line once.
#[tokio::test(flavor = "multi_thread")]
async fn readers_miss_nothing_that_is_written_meanwhile() {
    let bench = Arc::new(Bench::new().await);
    let mut readers = tokio::task::JoinSet::new();
    for reader in 0..8 {
        let bench = Arc::clone(&bench);
        readers.spawn(async move {
            for _ in 0..5 {
                let asked: Vec<_> = (0..5).map(|_| bench.asked("tok_visa", PRICE)).collect();
                assert!(bench.company.charge(&asked).await.iter().all(Result::is_ok));
                all(&bench, 7 + reader).await;
            }
        });
    }
    readers.join_all().await;
    let lines = all(&bench, 13).await;
    let sources: HashSet<_> = lines.iter().map(|line| &line.source).collect();
    assert_eq!((lines.len(), sources.len()), (200, 200));
    let Ok(bench) = Arc::try_unwrap(bench) else { panic!("nobody else has it") };
    bench.finish().await;
}
