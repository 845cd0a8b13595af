use identity::StoreId;
use time::Duration;

use super::*;
use crate::PayoutId;
use crate::provider::{AccountState, PayoutAsked, PayoutStatus};
use crate::sandbox::{Chaos, Error};

const BACK: &str = "https://shop.example/console";

async fn account(bench: &Bench) -> String {
    let store: StoreId = bench.sources.id();
    let said = bench.company.open_account(store, None, BACK).await.expect("an account");
    bench.company.activate(&said.reference).await.expect("active");
    said.reference
}

fn payout(bench: &Bench, account: &str) -> PayoutAsked {
    let id: PayoutId = bench.sources.id();
    PayoutAsked { id, attempt: 1, account: account.to_owned(), amount: PRICE }
}

async fn status(bench: &Bench, asked: &PayoutAsked) -> PayoutStatus {
    bench.company.pay_out(asked).await.expect("how it stands").status
}

/// A store has one account, which its holder activates on the sandbox's page; then money can be sent to it.
#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_opened_once_and_activated() {
    let bench = Bench::new().await;
    let store: StoreId = bench.sources.id();
    let said = bench.company.open_account(store, None, BACK).await.expect("an account");
    assert_eq!(said.state, AccountState::Onboarding);
    assert!(said.onboarding_url.as_ref().is_some_and(|url| url.contains("/sandbox/account?account=acct_")));
    let asked = payout(&bench, &said.reference);
    assert_eq!(code(bench.company.pay_out(&asked).await), "account_not_active");
    bench.company.activate(&said.reference).await.expect("active");
    bench.company.activate(&said.reference).await.expect("twice is once");
    let again = bench.company.open_account(store, Some(&said.reference), BACK).await.expect("the same");
    assert_eq!(
        (again.reference, again.state, again.onboarding_url),
        (said.reference.clone(), AccountState::Active, None)
    );
    assert_eq!(
        bench.told().await,
        [Change::Account { reference: said.reference.clone(), state: AccountState::Active }]
    );
    assert_eq!(status(&bench, &asked).await, PayoutStatus::Sent);
    let target = Target { store: Some(store), restricted: Some(true), ..Target::default() };
    bench.trigger(Trigger::AccountUpdated, &target).await.expect("restricted");
    assert_eq!(code(bench.company.pay_out(&payout(&bench, &said.reference)).await), "account_not_active");
    bench.company.activate(&said.reference).await.expect("asked");
    assert_eq!(code(bench.company.pay_out(&payout(&bench, &said.reference)).await), "account_not_active");
    bench
        .company
        .set_chaos(&Actor::system(), &Chaos { activate_accounts: true, ..Chaos::default() })
        .await
        .expect("set");
    let at_once = bench.company.open_account(bench.sources.id(), None, BACK).await.expect("an account");
    assert_eq!((at_once.state, at_once.onboarding_url), (AccountState::Active, None));
    bench.finish().await;
}

/// A payout arrives by the sandbox's clock, once per id and attempt, and may come back after that.
#[tokio::test(flavor = "multi_thread")]
async fn payouts_arrive_and_may_come_back() {
    let bench = Bench::new().await;
    let account = account(&bench).await;
    let asked = payout(&bench, &account);
    let first = bench.company.pay_out(&asked).await.expect("sent");
    assert_eq!(first.arrives_at, Some(bench.sources.now() + Duration::DAY));
    assert_eq!(bench.company.pay_out(&asked).await.expect("the answer of then"), first);
    let other = PayoutAsked { amount: Money::new(1, PRICE.currency), ..asked.clone() };
    assert!(matches!(bench.company.pay_out(&other).await, Err(ProviderError::Changed)));
    let target = Target { payout: Some(asked.id), ..Target::default() };
    assert!(
        matches!(bench.trigger(Trigger::PayoutReturned, &target).await, Err(Error::State(_))),
        "not there yet"
    );
    bench.later(Duration::DAY).await;
    assert_eq!(status(&bench, &asked).await, PayoutStatus::Paid);
    assert!(
        matches!(bench.trigger(Trigger::PayoutFailed, &target).await, Err(Error::State(_))),
        "it arrived"
    );
    bench.trigger(Trigger::PayoutReturned, &target).await.expect("returned");
    assert!(matches!(status(&bench, &asked).await, PayoutStatus::Returned(_)));
    let second = PayoutAsked { attempt: 2, ..asked.clone() };
    let said = bench.company.pay_out(&second).await.expect("another transfer");
    assert_ne!(said.reference, first.reference);
    let told: Vec<_> =
        bench.told().await.into_iter().filter(|change| matches!(change, Change::Payout { .. })).collect();
    let paid =
        Change::Payout { id: Some(asked.id), reference: first.reference.clone(), status: PayoutStatus::Paid };
    assert_eq!(told[0], paid);
    assert!(
        matches!(&told[1], Change::Payout { status: PayoutStatus::Returned(why), .. } if !why.is_empty())
    );
    bench.finish().await;
}

/// Payouts fail on demand, and the next try is another one.
#[tokio::test(flavor = "multi_thread")]
async fn payouts_fail_on_demand() {
    let bench = Bench::new().await;
    let account = account(&bench).await;
    bench
        .company
        .set_chaos(&Actor::system(), &Chaos { fail_payouts: 1, ..Chaos::default() })
        .await
        .expect("set");
    let (unlucky, lucky) = (payout(&bench, &account), payout(&bench, &account));
    assert_eq!(status(&bench, &unlucky).await, PayoutStatus::Sent);
    assert_eq!(status(&bench, &lucky).await, PayoutStatus::Sent);
    bench.later(Duration::DAY).await;
    assert!(matches!(status(&bench, &unlucky).await, PayoutStatus::Failed(_)));
    assert_eq!(status(&bench, &lucky).await, PayoutStatus::Paid);
    let third = payout(&bench, &account);
    bench.company.pay_out(&third).await.expect("sent");
    let target = Target { payout: Some(third.id), ..Target::default() };
    bench.trigger(Trigger::PayoutFailed, &target).await.expect("failed");
    bench.later(Duration::DAY).await;
    assert!(matches!(status(&bench, &third).await, PayoutStatus::Failed(_)), "what failed does not arrive");
    bench.finish().await;
}
