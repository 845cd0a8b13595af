//! Stripe's published example objects: <https://github.com/stripe/openapi>, `fixtures3.json`. Lies beside the repository
//! where it is tested against; it is Stripe's and not committed.

use super::*;
use crate::provider::{AccountState, Change, LineKind, PayoutStatus, RefundStatus};
use serde::de::DeserializeOwned;

/// None, with a word about it, where the file is not.
fn examples() -> Option<Value> {
    let file = root().join("../shared/data/stripe/fixtures3.json");
    match std::fs::read(&file) {
        Ok(text) => Some(serde_json::from_slice::<Value>(&text).unwrap()["resources"].take()),
        Err(error) => {
            skipped(&format!("Stripe's example objects, {}: {error}", file.display()));
            None
        }
    }
}

fn example<T: DeserializeOwned>(examples: &Value, kind: &str) -> T {
    serde_json::from_value(examples[kind].clone()).unwrap_or_else(|error| panic!("{kind}: {error}"))
}

fn dollars(amount: i64) -> Money {
    Money::new(amount, "USD".parse().unwrap())
}

#[test]
fn every_example_of_the_kinds_in_use_is_read() {
    let Some(examples) = examples() else { return };
    let intent: wire::Intent = example(&examples, "payment_intent");
    assert_eq!(intent.money().unwrap(), dollars(1099));
    assert!(matches!(intent.said().unwrap().status, Status::Declined(_)));
    let session: wire::Session = example(&examples, "checkout.session");
    assert!(
        matches!(session.said().unwrap().status, Status::RequiresAction(url) if url.starts_with("https://checkout.stripe.com/"))
    );
    let charge: wire::Charge = example(&examples, "charge");
    assert!(charge.balance_transaction.is_some());
    let card = charge.payment_method_details.as_ref().unwrap().card.as_ref().unwrap();
    assert_eq!(
        (card.brand.as_deref(), card.last4.as_deref(), card.exp_month),
        (Some("visa"), Some("4242"), Some(8))
    );
    let refund: wire::Refund = example(&examples, "refund");
    assert_eq!(refund.status(), RefundStatus::Succeeded);
    assert!(refund.payment().unwrap().starts_with("ch_"));
    let dispute: wire::Dispute = example(&examples, "dispute");
    assert!(dispute.payment().starts_with("ch_"));
    assert!(dispute.evidence_details.unwrap().due_by.is_some());
    let payout: wire::Payout = example(&examples, "payout");
    assert_eq!(payout.status(), PayoutStatus::Sent);
    let account: wire::Account = example(&examples, "account");
    assert_eq!(account.state(), AccountState::Onboarding);
    assert!(example::<wire::AccountLink>(&examples, "account_link").url.starts_with("https://"));
    let transfer: wire::Transfer = example(&examples, "transfer");
    assert!(transfer.destination.unwrap().id().starts_with("acct_") && !transfer.reversed);
    let reversal: wire::TransferReversal = example(&examples, "transfer_reversal");
    assert_eq!(reversal.transfer.id(), transfer.id);
    assert!(example::<wire::Named>(&examples, "customer").id.starts_with("cus_"));
    let line: wire::BalanceTransaction = example(&examples, "balance_transaction");
    let line = line.line().unwrap();
    assert_eq!((line.kind, line.amount, line.fee), (LineKind::Charge, dollars(100), 0));
    assert_eq!(line.source, charge.id);
    example::<wire::Event>(&examples, "event");
}

/// The examples again, each within another as Stripe expands them.
#[test]
fn expanded_examples_are_read_whole() {
    let Some(examples) = examples() else { return };
    for source in ["charge", "refund", "dispute", "transfer", "transfer_reversal", "payout"] {
        let expanded = merged(examples["balance_transaction"].clone(), &json!({"source": examples[source]}));
        let line: wire::BalanceTransaction = serde_json::from_value(expanded).unwrap();
        let source = line.source.as_ref().unwrap();
        assert!(source.object().is_some(), "{source:?}");
        line.line().unwrap();
    }
    let line = merged(examples["balance_transaction"].clone(), &json!({"fee": 59}));
    let charge = merged(examples["charge"].clone(), &json!({"balance_transaction": line}));
    let intent = merged(
        examples["payment_intent"].clone(),
        &json!({"latest_charge": charge, "status": "succeeded", "customer": examples["customer"],
            "payment_method": examples["payment_method"], "metadata": {"souk_kept": "true"}}),
    );
    let said = serde_json::from_value::<wire::Intent>(intent.clone()).unwrap().said().unwrap();
    assert_eq!((said.status, said.fee), (Status::Succeeded, Some(59)));
    let method = said.method.unwrap();
    assert_eq!((method.brand.as_str(), method.expires), ("visa", Some((8, 2030))));
    assert!(Means::of(&PaymentToken::presented(&method.kept_as.unwrap())).is_some());
    let session = merged(
        examples["checkout.session"].clone(),
        &json!({"payment_intent": intent, "status": "complete", "payment_status": "paid"}),
    );
    let said = serde_json::from_value::<wire::Session>(session).unwrap().said().unwrap();
    assert!(said.reference.starts_with("pi_") && said.fee == Some(59));
}

/// Each example of what notices are about, as a notice.
#[test]
fn notices_about_the_examples_are_read() {
    let Some(examples) = examples() else { return };
    let stripe = Stripe::new(settings(StripeSettings::API)).unwrap();
    let change = |kind: &str, of: &str| {
        let mut event = examples["event"].clone();
        event["type"] = json!(kind);
        event["data"]["object"] = examples[of].clone();
        stripe.read(event.to_string().as_bytes()).unwrap_or_else(|error| panic!("{kind}: {error}")).change
    };
    assert!(matches!(
        change("payment_intent.payment_failed", "payment_intent"),
        Change::Payment { id: None, .. }
    ));
    assert!(matches!(change("refund.updated", "refund"), Change::Refund { .. }));
    assert!(matches!(change("account.updated", "account"), Change::Account { .. }));
    assert_eq!(change("charge.dispute.created", "dispute"), Change::None, "the example is an inquiry");
    for (kind, of) in [
        ("charge.refunded", "charge"),
        ("payout.paid", "payout"),
        ("plan.created", "plan"),
        ("transfer.created", "transfer"),
    ] {
        assert_eq!(change(kind, of), Change::None, "{kind}");
    }
}
