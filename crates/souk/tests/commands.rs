//! What is done at the server's own shell: accounts, roles and keys, beside a running program and without one.

mod program;

use program::{data_folder, told as souk};

/// An operator is made, promoted and helped without anybody having signed in.
#[test]
fn accounts_are_made_and_helped() {
    let folder = data_folder();
    let data = folder.path();
    let create =
        ["user", "create", "ada@example.com", "--name", "Ada", "--role", "operator", "--password-stdin"];
    let (weak, said) = souk(data, &create, "password1\n");
    assert!(!weak && said.contains("too easy to guess") && !said.contains("password1"), "{said}");
    let (made, said) = souk(data, &create, "planted-correct-horse\n");
    assert!(made && !said.contains("planted"), "{said}");
    let (again, said) = souk(data, &create, "planted-correct-horse\n");
    assert!(!again && said.contains("has an account already"), "{said}");
    // Without one, a password is made and printed.
    let (made, said) = souk(data, &["user", "create", "bob@example.com", "--name", "Bob"], "");
    assert!(made && said.lines().any(|line| line.starts_with("Password   ") && line.len() > 40), "{said}");
    let (last, said) = souk(data, &["user", "promote", "ada@example.com", "--role", "none"], "");
    assert!(!last && said.contains("at least one operator"), "{said}");
    let (promoted, said) = souk(data, &["user", "promote", "bob@example.com", "--role", "operator"], "");
    assert!(promoted && said.contains("operator"), "{said}");
    let (reset, said) = souk(data, &["user", "reset", "bob@example.com", "--second-factors"], "");
    assert!(reset && said.contains("http://127.0.0.1:3000/account/reset?token="), "{said}");
    let (unknown, said) = souk(data, &["user", "reset", "eve@example.com"], "");
    assert!(!unknown && said.contains("no such user"), "{said}");
    assert!(souk(data, &["verify"], "").0);
}

/// Keys of programs are made, listed without their secrets, and ended; signing keys rotate.
#[test]
fn keys_are_made_and_ended() {
    let folder = data_folder();
    let data = folder.path();
    let (made, said) = souk(
        data,
        &["apikey", "create", "--name", "Night job", "--scope", "audit:read", "--scope", "users:read"],
        "",
    );
    let word = |name: &str| {
        let line = said.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{said}"));
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert!(made, "{said}");
    let (id, key) = (word("Id"), word("Key"));
    assert!(key.starts_with("sk_"), "{said}");
    let (listed, said) = souk(data, &["apikey", "list"], "");
    assert!(
        listed && said.contains(&id) && said.contains("audit:read users:read") && !said.contains(&key),
        "{said}"
    );
    let (unknown, said) = souk(data, &["apikey", "create", "--name", "X", "--scope", "everything"], "");
    assert!(!unknown && said.contains("everything"), "{said}");
    assert!(souk(data, &["apikey", "revoke", &id], "").0);
    let (again, said) = souk(data, &["apikey", "revoke", &id], "");
    assert!(!again && said.contains("no such API key"), "{said}");
    let (rotated, said) = souk(data, &["keys", "rotate"], "");
    assert!(rotated && said.contains("signs from"), "{said}");
    let (dropped, said) = souk(data, &["keys", "rotate", "--now"], "");
    assert!(dropped && said.contains("no longer believed"), "{said}");
    assert!(souk(data, &["verify"], "").0);
}

/// Whoever sits at the server's shell sees what payment providers told.
#[test]
fn webhooks_are_listed() {
    let folder = data_folder();
    let data = folder.path();
    assert_eq!(souk(data, &["webhooks", "list"], ""), (true, String::new()));
    let (odd, said) = souk(data, &["webhooks", "list", "--state", "lost"], "");
    assert!(!odd && said.contains("there is no state"), "{said}");
    let (unknown, said) = souk(data, &["webhooks", "replay", "stripe", "evt_1"], "");
    assert!(!unknown && said.contains("no such event"), "{said}");
    let (none, said) = souk(data, &["webhooks", "replay", "--failed-since", "2026-11-21T00:00:00Z"], "");
    assert!(none && said.contains("0 events"), "{said}");
    let (half, said) = souk(data, &["webhooks", "replay", "stripe"], "");
    assert!(!half && said.contains("<EVENT>"), "{said}");
}
