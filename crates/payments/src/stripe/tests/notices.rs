use super::*;
use crate::DeclineCode;
use crate::provider::{AccountState, Change, PayoutStatus, RefundStatus};
use proptest::prelude::*;

/// What Stripe's official SDK signs, and what it takes: see tests/stripe/golden.py.
#[derive(serde::Deserialize)]
struct Golden {
    now: i64,
    secrets: Vec<String>,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    body: String,
    header: String,
    accepted: bool,
}

#[test]
fn takes_the_signatures_that_stripes_own_sdk_takes_and_no_other() {
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/stripe/signatures.json")).unwrap();
    let now = OffsetDateTime::from_unix_timestamp(golden.now).unwrap();
    let mut settings = settings(StripeSettings::API);
    settings.webhook_secrets = golden.secrets.iter().map(|secret| Secret::presented(secret)).collect();
    let stripe = Stripe::new(settings).unwrap();
    for case in &golden.cases {
        let headers =
            [("host".to_owned(), "shop".to_owned()), ("Stripe-Signature".to_owned(), case.header.clone())];
        match stripe.verify(&headers, case.body.as_bytes(), now) {
            Ok(notice) => {
                assert!(case.accepted, "{}", case.name);
                assert_eq!((notice.id.as_str(), notice.kind.as_str()), ("evt_1", "payment_intent.succeeded"));
                assert_eq!((notice.subject.as_str(), notice.at), ("pi_1", now));
            }
            Err(error) => {
                assert!(!case.accepted && matches!(error, Error::BadSignature), "{}: {error}", case.name);
            }
        }
        assert!(matches!(stripe.verify(&headers[..1], case.body.as_bytes(), now), Err(Error::BadSignature)));
    }
    assert!(golden.cases.iter().filter(|case| case.accepted).count() >= 5);
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"id": "evt_1", "object": "event", "type": kind, "created": NOW.unix_timestamp(), "data": {"object": object}})
}

fn change(event: &Value) -> Change {
    let stripe = Stripe::new(settings(StripeSettings::API)).unwrap();
    let incoming = stripe.read(event.to_string().as_bytes()).unwrap();
    assert_eq!(incoming.at, NOW);
    incoming.change
}

fn subject(object: &Value) -> String {
    let body = event("x", object).to_string();
    let header = crate::provider::signature::sign(b"whsec_new", body.as_bytes(), NOW);
    let stripe = Stripe::new(settings(StripeSettings::API)).unwrap();
    stripe.verify(&[("stripe-signature".to_owned(), header)], body.as_bytes(), NOW).unwrap().subject
}

#[test]
fn what_belongs_together_has_one_subject() {
    let told = json!({"souk_payment_id": payment_id()});
    let ours = payment_id().to_string();
    assert_eq!(subject(&intent("succeeded")), ours);
    assert_eq!(subject(&json!({"id": "cs_1", "metadata": told})), ours);
    assert_eq!(subject(&json!({"id": "re_1", "payment_intent": "pi_1", "metadata": told})), ours);
    assert_eq!(
        subject(&json!({"id": "dp_1", "payment_intent": "pi_1", "charge": "ch_1", "metadata": {}})),
        "pi_1"
    );
    assert_eq!(subject(&json!({"id": "dp_1", "payment_intent": null, "charge": {"id": "ch_1"}})), "ch_1");
    assert_eq!(
        subject(&json!({"id": "po_1", "metadata": {"souk_payout_id": payout_id()}})),
        payout_id().to_string()
    );
    assert_eq!(subject(&json!({"id": "acct_1"})), "acct_1");
    assert_eq!(subject(&json!({})), "evt_1");
}

#[test]
fn payments_move_and_pages_let_the_buyer_try_again() {
    let status = |kind: &str, object: &Value| match change(&event(kind, object)) {
        Change::Payment { id, amount, said } => {
            assert_eq!((id, amount), (Some(payment_id()), pounds(1999)));
            Some((said.reference, said.status))
        }
        Change::None => None,
        other => panic!("{other:?}"),
    };
    let pi = |status| Some(("pi_1".to_owned(), status));
    let failed = merged(
        intent("requires_payment_method"),
        &json!({"last_payment_error": {"code": "card_declined", "decline_code": "insufficient_funds"}}),
    );
    let mut at_page = failed.clone();
    at_page["metadata"]["souk_page"] = json!("true");
    for (kind, object, expected) in [
        ("payment_intent.succeeded", intent("succeeded"), pi(Status::Succeeded)),
        ("payment_intent.processing", intent("processing"), pi(Status::Processing)),
        ("payment_intent.canceled", intent("canceled"), pi(Status::Voided)),
        ("payment_intent.amount_capturable_updated", intent("requires_capture"), pi(Status::Authorized)),
        ("payment_intent.payment_failed", failed, pi(Status::Declined(DeclineCode::InsufficientFunds))),
        ("payment_intent.payment_failed", at_page, None),
        ("payment_intent.created", intent("requires_payment_method"), None),
    ] {
        assert_eq!(status(kind, &object), expected, "{kind}");
    }
    let page = |status: &str, paid: &str, intent: Value| {
        json!({
            "id": "cs_1", "object": "checkout.session", "status": status, "payment_status": paid, "payment_intent": intent,
            "amount_total": 1999, "currency": "gbp", "expires_at": 1, "metadata": {"souk_payment_id": payment_id()},
        })
    };
    let (paid, unpaid) = (page("complete", "paid", json!("pi_1")), page("complete", "unpaid", json!("pi_1")));
    for (kind, object, expected) in [
        ("checkout.session.completed", &paid, pi(Status::Succeeded)),
        ("checkout.session.completed", &unpaid, pi(Status::Processing)),
        ("checkout.session.async_payment_succeeded", &paid, pi(Status::Succeeded)),
        ("checkout.session.async_payment_failed", &unpaid, pi(Status::Declined(DeclineCode::CardDeclined))),
        (
            "checkout.session.expired",
            &page("expired", "unpaid", Value::Null),
            Some(("cs_1".to_owned(), Status::Voided)),
        ),
    ] {
        assert_eq!(status(kind, object), expected, "{kind}");
    }
}

#[test]
fn refunds_disputes_payouts_and_accounts_are_read() {
    let refund = json!({
        "id": "re_1", "amount": 500, "currency": "gbp", "status": "failed", "failure_reason": "lost_or_stolen_card",
        "charge": "ch_1", "payment_intent": "pi_1", "metadata": {"souk_refund_id": refund_id()},
    });
    let expected = Change::Refund {
        id: Some(refund_id()),
        payment: "pi_1".to_owned(),
        reference: "re_1".to_owned(),
        amount: pounds(500),
        status: RefundStatus::Failed("lost_or_stolen_card".to_owned()),
    };
    for kind in ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"] {
        assert_eq!(change(&event(kind, &refund)), expected);
    }
    let charge = json!({"id": "ch_1", "payment_intent": "pi_1", "refunds": {"data": [refund]}});
    assert_eq!(change(&event("charge.refunded", &charge)), expected);
    assert_eq!(change(&event("charge.refunded", &json!({"id": "ch_1"}))), Change::None);

    let line = |amount: i64, fee: i64| json!({"id": "txn_1", "amount": amount, "fee": fee, "currency": "gbp", "created": 1, "reporting_category": "dispute"});
    let dispute = |status: &str| {
        json!({
            "id": "dp_1", "amount": 1999, "currency": "gbp", "charge": "ch_1", "payment_intent": "pi_1",
            "reason": "fraudulent", "status": status, "balance_transactions": [line(-1999, 2000)],
            "evidence_details": {"due_by": NOW.unix_timestamp()},
        })
    };
    for (kind, status, won) in [
        ("charge.dispute.created", "needs_response", None),
        ("charge.dispute.updated", "under_review", None),
        ("charge.dispute.funds_withdrawn", "needs_response", None),
        ("charge.dispute.funds_reinstated", "won", Some(true)),
        ("charge.dispute.closed", "lost", Some(false)),
    ] {
        let expected = Change::Dispute {
            reference: "dp_1".to_owned(),
            payment: "pi_1".to_owned(),
            amount: pounds(1999),
            fee: 2000,
            reason: "fraudulent".to_owned(),
            answer_by: Some(NOW),
            won,
        };
        assert_eq!(change(&event(kind, &dispute(status))), expected);
    }
    assert_eq!(change(&event("charge.dispute.created", &dispute("warning_needs_response"))), Change::None);

    let payout = |status: &str| {
        json!({
            "id": "po_1", "status": status, "failure_code": (status == "failed").then_some("account_closed"),
            "metadata": {"souk_payout_id": payout_id(), "souk_transfer": "tr_1"},
        })
    };
    let moved = |status| Change::Payout { id: Some(payout_id()), reference: "tr_1".to_owned(), status };
    assert_eq!(change(&event("payout.paid", &payout("paid"))), moved(PayoutStatus::Paid));
    let why = || "account_closed".to_owned();
    assert_eq!(change(&event("payout.failed", &payout("failed"))), moved(PayoutStatus::Failed(why())));
    let mut returned = event("payout.updated", &payout("failed"));
    returned["data"]["previous_attributes"] = json!({"status": "paid"});
    assert_eq!(change(&returned), moved(PayoutStatus::Returned(why())));
    // The marketplace's own, to its own bank.
    assert_eq!(
        change(&event("payout.paid", &json!({"id": "po_2", "status": "paid", "metadata": {}}))),
        Change::None
    );

    let account = json!({"id": "acct_1", "details_submitted": true, "payouts_enabled": true, "capabilities": {"transfers": "active"}});
    let expected = Change::Account { reference: "acct_1".to_owned(), state: AccountState::Active };
    assert_eq!(change(&event("account.updated", &account)), expected);
    assert_eq!(change(&event("plan.created", &json!({"id": "price_1", "amount": "unlike"}))), Change::None);
}

/// Whatever comes, nothing panics; and nobody gets in without a signature.
#[test]
fn nonsense_is_no_notice() {
    let stripe = Stripe::new(settings(StripeSettings::API)).unwrap();
    proptest!(|(body in ".{0,200}", header in ".{0,80}")| {
        let _ = stripe.read(body.as_bytes());
        let headers = [("stripe-signature".to_owned(), header)];
        prop_assert!(stripe.verify(&headers, body.as_bytes(), NOW).is_err());
    });
}
