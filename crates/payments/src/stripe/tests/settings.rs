use super::*;

fn refused(key: &str, base: &str) -> StripeSettingsError {
    let settings = StripeSettings { secret_key: Secret::presented(key), ..settings(base) };
    Stripe::new(settings).err().expect("these settings are refused")
}

/// Whoever prints the settings, or why they are wrong, prints no secret.
#[test]
fn secrets_show_nowhere() {
    let shown = format!("{:?} {:#?}", settings(StripeSettings::API), settings(StripeSettings::API));
    assert!(shown.contains("api.stripe.com"));
    let errors =
        [refused("pk_live_secret", StripeSettings::API), refused("sk_secret\n", StripeSettings::API)];
    let told: String = errors.iter().map(|error| format!("{error} {error:?}")).collect();
    for secret in [SECRET_KEY, "whsec_old", "whsec_new", "pk_live_secret", "sk_secret"] {
        assert!(!shown.contains(secret) && !told.contains(secret), "{secret}");
    }
}

#[test]
fn the_key_does_not_travel_in_the_clear() {
    for base in ["http://api.stripe.com/", "http://127.0.0.1.example/", "ftp://localhost/"] {
        assert!(matches!(refused(SECRET_KEY, base), StripeSettingsError::Insecure(_)), "{base}");
    }
    for base in [StripeSettings::API, "http://127.0.0.1:8420/", "http://[::1]/", "http://localhost:8420"] {
        assert!(Stripe::new(settings(base)).is_ok(), "{base}");
    }
}

#[test]
fn takes_tokens_and_no_card_numbers() {
    let stripe = Stripe::new(settings(StripeSettings::API)).unwrap();
    let check = |text: &str| stripe.check(&PaymentToken::presented(text));
    for token in ["tok_visa", "pm_card_visa", "card_1PgaftB7WZ01zgkWm3waTcFp"] {
        assert!(check(token).is_ok(), "{token}");
    }
    assert!(matches!(check("cus_1/pm_1"), Err(Error::UnknownToken)), "kept for somebody else, perhaps");
    for number in ["4242424242424242", "4242 4242 4242 4242", "5555-5555-5555-4444", "tok_378282246310005"] {
        assert!(matches!(check(number), Err(Error::CardNumber)), "{number}");
    }
    for unknown in ["", "visa", "sk_test_1", "src_1", "pm_1/../../refunds"] {
        assert!(matches!(check(unknown), Err(Error::UnknownToken)), "{unknown}");
    }
}
