use super::*;
use crate::provider::{AccountState, PayoutStatus};

fn store() -> StoreId {
    StoreId::new(NOW, &[9; 10])
}

fn payout() -> PayoutAsked {
    PayoutAsked { id: payout_id(), attempt: 1, account: "acct_1".to_owned(), amount: pounds(5000) }
}

fn account(submitted: bool, transfers: &str, disabled: Option<&str>) -> Value {
    json!({
        "id": "acct_1", "object": "account", "details_submitted": submitted, "payouts_enabled": transfers == "active",
        "capabilities": {"transfers": transfers}, "requirements": {"disabled_reason": disabled},
    })
}

fn transfer(onward: Option<&str>, reversed: bool) -> Value {
    json!({
        "id": "tr_1", "object": "transfer", "amount": 5000, "currency": "gbp", "destination": "acct_1",
        "reversed": reversed, "metadata": {"souk_payout_id": payout_id(), "souk_onward_payout": onward},
    })
}

fn onward(status: &str, failure: Option<&str>) -> Value {
    json!({"id": "po_1", "object": "payout", "status": status, "arrival_date": 1_763_900_000, "failure_code": failure})
}

fn list(data: &Value) -> Value {
    json!({"object": "list", "data": data, "has_more": false})
}

#[tokio::test]
async fn an_account_is_opened_once_and_its_holder_sent_to_stripe() {
    let stripe = Scripted::start().await;
    let link = json!({"object": "account_link", "url": "https://connect.stripe.com/setup/e/acct_1", "expires_at": 1});
    stripe.says("POST accounts", 200, &account(false, "inactive", Some("requirements.past_due"))).await;
    stripe.says("POST account_links", 200, &link).await;
    let said = stripe.stripe.open_account(store(), None, "https://console/payouts").await.unwrap();
    assert_eq!((said.reference.as_str(), said.state), ("acct_1", AccountState::Onboarding));
    assert_eq!(said.onboarding_url.as_deref(), Some("https://connect.stripe.com/setup/e/acct_1"));
    let sent = stripe.sent().await;
    assert_eq!(sent[0].key, Some(format!("account-{}", store())));
    assert_eq!(sent[0].field("metadata[souk_store_id]"), Some(&*store().to_string()));
    assert_eq!(sent[0].field("settings[payouts][schedule][interval]"), Some("manual"));
    assert_eq!(sent[1].field("account"), Some("acct_1"));
    assert_eq!(sent[1].field("type"), Some("account_onboarding"));

    for (submitted, transfers, disabled, expected) in [
        (true, "active", None, AccountState::Active),
        (true, "pending", Some("requirements.pending_verification"), AccountState::Onboarding),
        (true, "inactive", Some("rejected.fraud"), AccountState::Restricted),
    ] {
        stripe.says("GET accounts/acct_1", 200, &account(submitted, transfers, disabled)).await;
        stripe.says("POST account_links", 200, &link).await;
        let said =
            stripe.stripe.open_account(store(), Some("acct_1"), "https://console/payouts").await.unwrap();
        assert_eq!(said.state, expected);
        assert_eq!(said.onboarding_url.is_none(), expected == AccountState::Active);
        stripe.sent().await;
    }
}

#[tokio::test]
async fn a_payout_goes_to_the_account_and_on_to_the_bank() {
    let stripe = Scripted::start().await;
    stripe.says("GET transfers", 200, &list(&json!([]))).await;
    stripe.says("POST transfers", 200, &transfer(None, false)).await;
    stripe.says("POST payouts", 200, &onward("pending", None)).await;
    stripe.says("POST transfers/tr_1", 200, &transfer(Some("po_1"), false)).await;
    let said = stripe.stripe.pay_out(&payout()).await.unwrap();
    assert_eq!((said.reference.as_str(), said.status), ("tr_1", PayoutStatus::Sent));
    assert_eq!(said.arrives_at.unwrap().unix_timestamp(), 1_763_900_000);
    let sent = stripe.sent().await;
    let attempt = format!("{}-1", payout_id());
    assert_eq!(sent[0].field("transfer_group"), Some(attempt.as_str()));
    assert_eq!(sent[1].key, Some(format!("transfer-{attempt}")));
    for (name, value) in [
        ("amount", "5000"),
        ("currency", "gbp"),
        ("destination", "acct_1"),
        ("transfer_group", attempt.as_str()),
    ] {
        assert_eq!(sent[1].field(name), Some(value));
    }
    assert_eq!(sent[1].account, None, "from the marketplace's balance");
    assert_eq!(sent[2].key, Some(format!("payout-{attempt}")));
    assert_eq!(sent[2].account.as_deref(), Some("acct_1"), "from the store's");
    assert_eq!(sent[2].field("metadata[souk_payout_id]"), Some(&*payout_id().to_string()));
    assert_eq!(sent[2].field("metadata[souk_transfer]"), Some("tr_1"));
    assert_eq!(sent[3].field("metadata[souk_onward_payout]"), Some("po_1"));

    // Asked again, however much later: nothing is sent, and it is told how it stands.
    stripe.says("GET transfers", 200, &list(&json!([transfer(Some("po_1"), false)]))).await;
    stripe.says("GET payouts/po_1", 200, &onward("paid", None)).await;
    assert_eq!(stripe.stripe.pay_out(&payout()).await.unwrap().status, PayoutStatus::Paid);
    let sent = stripe.sent().await;
    assert!(sent.iter().all(|one| one.call.starts_with("GET")));
    assert_eq!(sent[1].account.as_deref(), Some("acct_1"));

    stripe.says("GET transfers", 200, &list(&json!([transfer(Some("po_1"), false)]))).await;
    let other = PayoutAsked { amount: pounds(1), ..payout() };
    assert!(matches!(stripe.stripe.pay_out(&other).await, Err(ProviderError::Changed)));
}

#[tokio::test]
async fn what_the_bank_refuses_comes_back_to_the_marketplace() {
    let stripe = Scripted::start().await;
    let reversal = json!({"id": "trr_1", "object": "transfer_reversal", "transfer": "tr_1"});
    let failed = || PayoutStatus::Failed("account_closed".to_owned());
    stripe.says("GET transfers", 200, &list(&json!([transfer(Some("po_1"), false)]))).await;
    stripe.says("GET payouts/po_1", 200, &onward("failed", Some("account_closed"))).await;
    stripe.says("POST transfers/tr_1/reversals", 200, &reversal).await;
    assert_eq!(stripe.stripe.pay_out(&payout()).await.unwrap().status, failed());
    let sent = stripe.sent().await;
    assert_eq!(sent[2].key, Some(format!("reversal-{}-1", payout_id())));
    assert_eq!(sent[2].account, None);

    // Once.
    stripe.says("GET transfers", 200, &list(&json!([transfer(Some("po_1"), true)]))).await;
    stripe.says("GET payouts/po_1", 200, &onward("failed", Some("account_closed"))).await;
    assert_eq!(stripe.stripe.pay_out(&payout()).await.unwrap().status, failed());
    assert_eq!(stripe.sent().await.len(), 2);

    // Refused at once.
    let no =
        json!({"error": {"type": "invalid_request_error", "code": "payouts_not_allowed", "message": "no"}});
    stripe.says("GET transfers", 200, &list(&json!([]))).await;
    stripe.says("POST transfers", 200, &transfer(None, false)).await;
    stripe.says("POST payouts", 400, &no).await;
    stripe.says("POST transfers/tr_1/reversals", 200, &reversal).await;
    let said = stripe.stripe.pay_out(&payout()).await.unwrap();
    assert_eq!(said.status, PayoutStatus::Failed("payouts_not_allowed".to_owned()));
    assert_eq!(stripe.sent().await.len(), 4);

    // Unknown: nothing is taken back, it is asked again.
    stripe.says("GET transfers", 200, &list(&json!([transfer(None, false)]))).await;
    stripe.says("POST payouts", 503, &json!({"error": {"type": "api_error"}})).await;
    assert!(stripe.stripe.pay_out(&payout()).await.unwrap_err().passes());
    assert_eq!(stripe.sent().await.len(), 2);
}
