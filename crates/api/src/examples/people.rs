//! Examples of accounts, logins, tokens, teams and keys.

use serde_json::{Value, json};

use super::{CHALLENGE, STORE, USER, address};

const SESSION: &str = "01a1fa92-6c41-7d0e-b1c6-2f9a0d5e7b31";
const API_KEY: &str = "01a1fa93-11d8-7b6a-8f0e-c2d45a6b7e90";
const INVITATION: &str = "01a1fa94-5e07-7f2b-9d31-0a8b6c4d2e15";
const AT: &str = "2026-11-20T09:00:00Z";
const ACCESS_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMWExZmE4ZSJ9.c2ln";

/// An example of a schema of this part.
pub(super) fn of(schema: &str) -> Option<Value> {
    let password = "correct-horse-staple-7";
    Some(match schema {
        "Accepted" => json!({"status": "accepted"}),
        "Register" => {
            json!({"email": "ada@example.com", "password": password, "name": "Ada Lovelace", "locale": "en-GB"})
        }
        "VerifyEmail" => json!({"token": CHALLENGE, "password": password}),
        "MailedToken" => json!({"token": CHALLENGE}),
        "EmailBody" => json!({"email": "ada@example.com"}),
        "LogInBody" => json!({"email": "ada@example.com", "password": password, "session": "browser"}),
        "SignInAnswer" => signed_in(),
        "RefreshBody" | "LogOutBody" => json!({"refresh_token": CHALLENGE}),
        "TokensBody" => json!({
            "access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 900, "refresh_token": CHALLENGE
        }),
        "Whoami" => json!({
            "kind": "user", "id": USER, "role": null, "memberships": [membership()], "scopes": null,
            "second_factor": false
        }),
        "ResetBody" => json!({"token": CHALLENGE, "password": password}),
        "ServiceTokenForm" => json!({
            "grant_type": "client_credentials", "client_id": API_KEY, "client_secret": "sk_…", "scope": "stock:read"
        }),
        "ServiceToken" => json!({
            "access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 900, "scope": "stock:read"
        }),
        "Jwks" => json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "01a1fa8e-0b1c-7d2e-8f30-4a5b6c7d8e9f",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        }]}),
        "User" => user(),
        "Slice_User" => slice(&user()),
        "ChangeProfile" => json!({"name": "Countess of Lovelace", "locale": "de"}),
        "ChangePassword" => json!({"current_password": password, "new_password": "battery-of-kind-llamas-4"}),
        "ChangeEmail" => json!({"email": "countess@example.com", "password": password}),
        "DeleteAccount" => json!({"password": password}),
        "ExportBody" => json!({
            "user": user(), "addresses": [kept_address()], "sessions": [session()], "external_accounts": [],
            "activity": [recorded()], "payment_methods": [kept_method()], "orders": []
        }),
        "SetRole" => json!({"role": "support"}),
        "AddressBody" => json!({"label": "Home", "address": address(), "is_default": true}),
        "AddressBookEntry" => kept_address(),
        "PaymentMethod" => kept_method(),
        "KeptMethods" => json!({"data": [kept_method()]}),
        "Addresses" => json!({"data": [kept_address()]}),
        "SessionList" => json!({"data": [session()]}),
        "Revoked" => json!({"revoked": 2}),
        "CreateApiKey" => {
            json!({"kind": "secret", "name": "Stock sync", "scopes": ["stock:read", "stock:write"]})
        }
        "CreatedApiKey" => {
            let mut made = api_key();
            made["key"] = json!("sk_hV3nq0pZ8sXr5Ld1tJ7uYwC2mK9eB4gA6fQoTiRb3Qx");
            made
        }
        "ApiKeyList" => json!({"data": [api_key()]}),
        "ChangeMember" => json!({"role": "manager"}),
        "Member" => member(),
        "MemberList" => json!({"data": [member()]}),
        "Invite" => json!({"email": "bob@example.com", "role": "staff"}),
        "Invitation" => invitation(),
        "InvitationList" => json!({"data": [invitation()]}),
        "Invited" => json!({"store_id": STORE, "role": "staff"}),
        "Slice_Recorded" => slice(&recorded()),
        _ => return None,
    })
}

fn slice(item: &Value) -> Value {
    json!({"data": [item], "page_info": {"has_next_page": true, "end_cursor": "MTAwMDE"}})
}

fn membership() -> Value {
    json!({"store_id": STORE, "role": "owner"})
}

fn user() -> Value {
    json!({
        "id": USER, "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace", "locale": "en-GB",
        "currency": "GBP", "preferences": {"order_email": true, "marketing_email": false}, "role": null,
        "memberships": [membership()], "has_password": true, "has_second_factor": true, "created_at": AT,
        "updated_at": AT
    })
}

fn signed_in() -> Value {
    json!({
        "status": "signed_in", "user": user(), "session_id": SESSION, "device_token": CHALLENGE,
        "access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 900, "refresh_token": CHALLENGE
    })
}

fn kept_address() -> Value {
    json!({
        "id": "01a1fa90-7c2e-7a18-b5d4-9e3f1a0c6b72", "label": "Home", "address": address(), "is_default": true
    })
}

fn kept_method() -> Value {
    json!({
        "id": "01a1fa97-51b2-7c44-9d1e-2f7b8a6c5d30", "brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034,
        "created_at": AT
    })
}

fn session() -> Value {
    json!({
        "id": SESSION, "kind": "browser", "ip": "203.0.113.7", "user_agent": "Mozilla/5.0", "second_factor": false,
        "current": true, "created_at": AT, "last_seen_at": AT, "idle_expires_at": "2026-12-04T09:00:00Z",
        "expires_at": "2027-02-18T09:00:00Z"
    })
}

fn api_key() -> Value {
    json!({
        "id": API_KEY, "kind": "secret", "name": "Stock sync", "hint": "sk_…b3Qx", "store_id": STORE,
        "scopes": ["stock:read", "stock:write"], "created_by": USER, "created_at": AT, "last_used_at": null,
        "expires_at": null
    })
}

fn member() -> Value {
    json!({"user_id": USER, "email": "ada@example.com", "name": "Ada Lovelace", "role": "owner", "created_at": AT})
}

fn invitation() -> Value {
    json!({
        "id": INVITATION, "email": "bob@example.com", "role": "staff", "invited_by": USER, "created_at": AT,
        "expires_at": "2026-11-27T09:00:00Z"
    })
}

fn recorded() -> Value {
    json!({
        "id": 10001, "at": AT, "actor_kind": "user", "actor_id": USER, "action": "session.opened",
        "target_kind": "session", "target_id": SESSION, "store_id": null, "ip": "203.0.113.7",
        "user_agent": "Mozilla/5.0", "request_id": "01a1fa97-51ad-7a33-82e0-aac648a145b8", "facts": {}
    })
}
