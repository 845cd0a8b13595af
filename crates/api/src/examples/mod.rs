//! What the OpenAPI document shows as examples: one story, from a shelf to a paid order.

mod finance;
mod payouts;
mod people;
mod reconciliation;
mod webhooks;

use serde_json::{Value, json};

const STORE: &str = "01a1fa8f-9702-7b1e-8d55-3f0c6f1f2a10";
const PRODUCT: &str = "01a1fa8f-986b-7c02-9a3d-5be0f4a7c611";
const VARIANT: &str = "01a1fa8f-986c-70ea-86d1-8463bb552bd3";
const CATEGORY: &str = "01a1fa8f-9650-7f3a-b0a4-6f6d8c1e9b02";
const CART: &str = "01a1fa95-2b40-7d11-8c27-94a1e6d0f315";
const LINE: &str = "01a1fa95-2b77-7e4c-a0f9-1d2c3b4a5968";
const ORDER: &str = "01a1fa97-51ad-7a33-82e0-aac648a145b8";
const USER: &str = "01a1fa8e-40d2-7c55-9b3f-6a1e0c9d8f27";
const PASSKEY: &str = "01a1fa91-03b7-7e26-84aa-5d7c2f1b9e60";
const KEY: &str = "rJ2a8m0Qe1Vt4bXo9yLwZg";
const CHALLENGE: &str = "hV3nq0pZ8sXr5Ld1tJ7uYwC2mK9eB4gA6fQoTiRzNcE";
const IMAGE: &str = "https://market.example/media/demo/last-ten-teapot.svg";

/// An example of a schema that is the body of a request or of an answer.
pub(crate) fn of(schema: &str) -> Option<Value> {
    Some(match schema {
        "AddItem" => json!({"variant_id": VARIANT, "quantity": 2}),
        "ChangeItem" => json!({"quantity": 3}),
        "CreateCart" => json!({"currency": "GBP"}),
        "CreateOrder" => {
            json!({"cart_id": CART, "email": "ada@example.com", "shipping": address(), "payment": payment()})
        }
        "CheckoutBody" => {
            json!({"email": "ada@example.com", "shipping_address": address(), "payment": payment()})
        }
        "StartCheckout" => {
            json!({"email": "ada@example.com", "shipping_address": address(), "payment": payment()})
        }
        "AcceptedOrder" => json!({
            "order_id": ORDER, "status_url": format!("/api/v2/orders/{ORDER}"),
            "events_url": format!("/api/v2/orders/{ORDER}/events")
        }),
        "OrderEvent" => json!({
            "version": 2, "kind": "paid", "status": "paid", "occurred_at": "2026-11-20T09:31:01Z", "failure": null,
            "hold_expires_at": null
        }),
        "PaymentBody" => payment(),
        "Basket" => json!({
            "id": CART, "currency": "GBP", "lines": [cart_line()], "subtotal": money(3998),
            "expires_at": "2026-12-20T09:30:00Z"
        }),
        "Cart" => cart(),
        "CreatedCart" => created_cart(),
        "Categories" => json!({"data": [category()]}),
        "BeginLink" => json!({"return_to": "/account"}),
        "GoOn" => json!({"address": "https://accounts.google.com/o/oauth2/v2/auth?client_id=souk&state=1x9"}),
        "Providers" => json!({"data": [{"name": "google", "title": "Google"}]}),
        "ExternalAccounts" => json!({"data": [{
            "provider": "google", "email": "ada@example.com", "created_at": "2026-11-20T09:30:00Z",
            "last_used_at": "2026-11-20T09:30:00Z"
        }]}),
        "Order" => order(),
        "Product" => product(),
        "Store" => store(),
        "Page_Product" => json!({"data": [product()], "page": 1, "per_page": 20, "total": 1}),
        "Page_Store" => json!({"data": [store()], "page": 1, "per_page": 20, "total": 1}),
        "MergedBasket" => json!({
            "basket": {
                "id": CART, "currency": "GBP", "lines": [cart_line()], "subtotal": money(3998),
                "expires_at": "2026-12-20T09:30:00Z"
            },
            "notes": [{
                "field": "lines[0].quantity", "code": "quantity_reduced", "message": "3 were wanted, 2 can be had",
                "facts": {
                    "variant_id": VARIANT, "title": "Teapot 'Last Ten'", "requested": 3, "quantity": 2, "available": 2
                }
            }]
        }),
        "Slice_Order" => json!({
            "data": [order()],
            "page_info": {"has_next_page": true, "end_cursor": "IjAxYTFmYTk3LTUxYWQtN2EzMy04MmUwLWFhYzY0OGExNDViOCI"}
        }),
        "Slice_Product" => json!({
            "data": [product()],
            "page_info": {"has_next_page": true, "end_cursor": "eyJzb3J0IjoibmV3ZXN0In0"}
        }),
        "ApplyForStore" => json!({
            "slug": "kiln-and-kin", "name": "Kiln & Kin", "description": "Stoneware from a family workshop.",
            "currency": "GBP"
        }),
        "ChangeStore" => {
            json!({"description": "Stoneware from a family workshop in Whitby.", "image_url": null})
        }
        "DecisionReason" => json!({"reason": "The imprint is missing."}),
        "TeamStore" => team_store(),
        "OwnStores" => json!({"data": [{"role": "owner", "store": team_store()}]}),
        "Slice_TeamStore" => slice(&team_store()),
        "CreateProduct" => json!({
            "title": "Teapot 'Last Ten'", "description": "The last ten of their kind.", "vendor": "Kiln & Kin",
            "tags": ["stoneware"], "status": "active", "options": ["Size"],
            "images": [{"url": IMAGE, "alt": "A round teapot"}], "categories": [CATEGORY], "variants": [new_variant()]
        }),
        "ChangeProduct" => json!({"title": "Teapot 'Last Nine'", "vendor": null, "purchase_limit": 2}),
        "CreateVariant" => new_variant(),
        "ChangeVariant" => json!({"price": money(1799), "compare_at_price": money(1999)}),
        "CategoryEntry" => json!({
            "id": CATEGORY, "slug": "teapots", "name": "Teapots", "parent_id": "01a1fa8f-9640-7a17-9c5d-0b8e7d6c5a43",
            "position": 0
        }),
        "CreateCategory" => json!({"name": "Teapots", "parent_id": "01a1fa8f-9640-7a17-9c5d-0b8e7d6c5a43"}),
        "ChangeCategory" => json!({"name": "Tea and coffee pots", "position": 2}),
        "StockLevel" => stock_level(),
        "Slice_StockLevel" => slice(&stock_level()),
        "AdjustStock" => json!({"quantity": -2, "reason": "damaged", "note": "fell off the shelf"}),
        "CountStock" => json!({"on_hand": 8, "reason": "counted", "location": "main"}),
        "StockLocation" => location(),
        "StockLocations" => json!({"data": [location()]}),
        "CreateLocation" => json!({"code": "york", "name": "Warehouse York", "country": "GB"}),
        "ChangeLocation" => json!({"position": 0, "active": true}),
        "StockAdjustment" => stock_adjustment(),
        "Slice_StockAdjustment" => slice(&stock_adjustment()),
        _ => {
            return of_factors(schema)
                .or_else(|| people::of(schema))
                .or_else(|| webhooks::of(schema))
                .or_else(|| of_lines(schema))
                .or_else(|| payouts::of(schema))
                .or_else(|| reconciliation::of(schema))
                .or_else(|| finance::of(schema));
        }
    })
}

/// Those of second factors.
fn of_factors(schema: &str) -> Option<Value> {
    let assertion = json!({
        "id": KEY, "rawId": KEY, "type": "public-key", "clientExtensionResults": {},
        "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0", "authenticatorData": "SZYN5YgOjGh0NBcPZHZgW4",
                     "signature": "MEUCIQD3", "userHandle": "AaH6j5cCex6NVT8MbB8qEA"}
    });
    let passkey = json!({
        "id": PASSKEY, "name": "Ada's phone", "created_at": "2026-11-20T09:10:00Z", "last_used_at": null
    });
    let codes = json!(["7k2m-q0zx-41vd-hn8p", "b3xw-9t5e-rc06-ymj1"]);
    Some(match schema {
        "SecondFactorStatus" => json!({"totp": true, "passkeys": [passkey], "recovery_codes_left": 10}),
        "PasskeyInfo" => passkey,
        "TotpSecret" => json!({
            "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
            "otpauth_uri": "otpauth://totp/Souk:ada%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Souk"
        }),
        "TotpCode" | "RemoveTotp" => json!({"code": "287082"}),
        "RecoveryCodes" => json!({"recovery_codes": codes}),
        "PasskeyChallenge" => json!({
            "challenge": CHALLENGE,
            "options": {"publicKey": {"challenge": "Wd2vZ3JrM0pQ", "rpId": "market.example", "userVerification": "required"}}
        }),
        "NewPasskey" => json!({
            "challenge": CHALLENGE, "name": "Ada's phone",
            "credential": {
                "id": KEY, "rawId": KEY, "type": "public-key", "clientExtensionResults": {},
                "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0", "attestationObject": "o2NmbXRkbm9uZQ"}
            }
        }),
        "CreatedPasskey" => json!({"passkey": passkey, "recovery_codes": codes}),
        "RenamePasskey" => json!({"name": "Ada's phone"}),
        "CompleteLogin" => json!({"challenge": CHALLENGE, "totp": "287082", "session": "browser"}),
        "LoginChallenge" => json!({"challenge": CHALLENGE}),
        "PasskeyLogin" => json!({"challenge": CHALLENGE, "credential": assertion, "session": "browser"}),
        "StepUp" => json!({"totp": "287082"}),
        _ => return None,
    })
}

/// Those of waiting rooms.
fn of_lines(schema: &str) -> Option<Value> {
    let standing = json!({
        "status": "waiting", "number": 1234, "admitted": 1000, "position": 234, "estimated_wait_seconds": 5,
        "admitted_until": null
    });
    Some(match schema {
        "PutWaitingRoom" => json!({
            "enabled": true, "admissions_per_second": 50, "window_seconds": 600, "challenge_difficulty": 18,
            "opens_at": "2026-11-27T09:00:00Z"
        }),
        "WaitingRoom" => json!({
            "product_id": PRODUCT, "enabled": true, "admissions_per_second": 50, "window_seconds": 600,
            "challenge_difficulty": 18, "opens_at": null, "joined": 12_000, "admitted": 2_500, "waiting": 9_500,
            "updated_at": "2026-11-20T09:00:00Z"
        }),
        "WaitingRoomChallenge" => json!({
            "challenge": CHALLENGE, "difficulty": 18, "algorithm": "sha-256", "expires_at": "2026-11-27T09:05:00Z"
        }),
        "JoinLine" => json!({"challenge": CHALLENGE, "solution": "173204"}),
        "WaitingPlace" => {
            let mut place = standing;
            place["ticket"] = CHALLENGE.into();
            place
        }
        "WaitingStanding" => standing,
        _ => return None,
    })
}

fn slice(item: &Value) -> Value {
    json!({"data": [item], "page_info": {"has_next_page": false, "end_cursor": null}})
}

fn team_store() -> Value {
    let mut store = store();
    store["review"] = json!({
        "reason": null, "decided_at": "2026-11-20T09:05:00Z", "applied_by": "01a1fa80-1111-7c22-8333-944455566677"
    });
    store
}

fn new_variant() -> Value {
    json!({"sku": "KK-TEA-10", "options": ["Large"], "price": money(1999), "weight_grams": 900})
}

fn stock_level() -> Value {
    json!({
        "variant_id": VARIANT, "on_hand": 10, "reserved": 2, "available": 8, "version": 3,
        "locations": [{"location": "main", "on_hand": 10, "reserved": 2, "available": 8}]
    })
}

fn location() -> Value {
    json!({"code": "york", "name": "Warehouse York", "country": "GB", "position": 1, "active": true})
}

fn stock_adjustment() -> Value {
    json!({
        "id": "01a1fa99-77aa-7c10-9d52-0f1e2d3c4b5a", "variant_id": VARIANT, "location": "main", "quantity": -2,
        "reason": "damaged",
        "note": "fell off the shelf", "on_hand": 8, "actor_kind": "user",
        "actor_id": "01a1fa80-1111-7c22-8333-944455566677", "created_at": "2026-11-20T10:00:00Z"
    })
}

fn money(amount: i64) -> Value {
    json!({"amount": amount, "currency": "GBP"})
}

fn address() -> Value {
    json!({
        "name": "Ada Lovelace", "line1": "12 St James's Square", "city": "London", "postal_code": "SW1Y 4JH",
        "country": "GB"
    })
}

fn payment() -> Value {
    json!({"token": "tok_visa"})
}

fn store() -> Value {
    json!({
        "id": STORE, "slug": "kiln-and-kin", "name": "Kiln & Kin", "description": "Stoneware from a family workshop.",
        "currency": "GBP", "status": "active", "image_url": null, "created_at": "2026-11-20T09:00:00Z",
        "updated_at": "2026-11-20T09:00:00Z"
    })
}

fn category() -> Value {
    json!({
        "id": "01a1fa8f-9640-7a17-9c5d-0b8e7d6c5a43", "parent_id": null, "slug": "kitchen", "name": "Kitchen",
        "children": [{
            "id": CATEGORY, "parent_id": "01a1fa8f-9640-7a17-9c5d-0b8e7d6c5a43", "slug": "teapots", "name": "Teapots",
            "children": []
        }]
    })
}

fn product() -> Value {
    json!({
        "id": PRODUCT, "slug": "last-ten-teapot", "title": "Teapot 'Last Ten'",
        "description": "The last ten of their kind.", "vendor": "Kiln & Kin", "tags": ["stoneware"], "status": "active",
        "store": {"id": STORE, "slug": "kiln-and-kin", "name": "Kiln & Kin"},
        "categories": [{"id": CATEGORY, "slug": "teapots", "name": "Teapots"}],
        "images": [{"url": IMAGE, "alt": "A round teapot"}],
        "options": [{"name": "Size", "values": ["Large"]}], "purchase_limit": 2,
        "variants": [{
            "id": VARIANT, "sku": "KK-TEA-10", "barcode": null, "title": "Large",
            "options": [{"name": "Size", "value": "Large"}], "price": money(1999), "compare_at_price": null,
            "available": 10, "weight_grams": 900, "image_url": null
        }],
        "waiting_room": false, "created_at": "2026-11-20T09:00:00Z", "updated_at": "2026-11-20T09:00:00Z"
    })
}

fn cart_line() -> Value {
    json!({
        "id": LINE, "variant_id": VARIANT, "title": "Teapot 'Last Ten'", "variant_title": "Large", "sku": "KK-TEA-10",
        "quantity": 2, "unit_price": money(1999), "total": money(3998), "available": 10, "image_url": IMAGE,
        "product": {"id": PRODUCT, "slug": "last-ten-teapot"},
        "store": {"id": STORE, "slug": "kiln-and-kin", "name": "Kiln & Kin"}, "notes": []
    })
}

fn cart() -> Value {
    json!({
        "id": CART, "currency": "GBP", "lines": [cart_line()], "subtotal": money(3998), "order_id": null,
        "created_at": "2026-11-20T09:28:00Z", "updated_at": "2026-11-20T09:30:00Z", "expires_at": "2026-12-20T09:30:00Z"
    })
}

/// Just opened, and so empty.
fn created_cart() -> Value {
    json!({
        "token": "C1AAtzpT8JFsk8aPS5trqK9aEJeGNK5PIjfh8_vjJPo", "id": CART, "currency": "GBP", "lines": [],
        "subtotal": null, "order_id": null, "created_at": "2026-11-20T09:28:00Z", "updated_at": "2026-11-20T09:28:00Z",
        "expires_at": "2026-12-20T09:28:00Z"
    })
}

fn order() -> Value {
    json!({
        "id": ORDER, "number": "100001", "status": "paid", "version": 2, "cart_id": CART, "email": "ada@example.com",
        "shipping_address": address(), "billing_address": address(),
        "lines": [{
            "position": 1, "store_id": STORE, "product_id": PRODUCT, "variant_id": VARIANT, "title": "Teapot 'Last Ten'",
            "variant_title": "Large", "sku": "KK-TEA-10", "quantity": 2, "unit_price": money(1999), "total": money(3998)
        }],
        "total": money(3998), "refunded": money(0),
        "sub_orders": [{"store_id": STORE, "status": "paid", "total": money(3998), "refunded": money(0)}],
        "failure": null, "next_action": null, "placed_at": "2026-11-20T09:31:00Z", "paid_at": "2026-11-20T09:31:01Z",
        "hold_expires_at": null
    })
}
