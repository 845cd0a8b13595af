"""Writes what Stripe's official SDK says, for the tests of crates/payments/src/stripe to be held against:

  signatures.json  signatures of notices, made by the SDK, each with whether the SDK takes it
  fields.json      the names of the fields that each call may have, from the SDK's own types

To write them anew, in a folder of your own:
    python3 -m venv venv && venv/bin/pip install stripe==14.4.2
    venv/bin/python crates/payments/tests/stripe/golden.py
"""

import json
import re
import sys
import typing
from pathlib import Path
from unittest import mock

import stripe
import stripe.params as params
import stripe.params.checkout as checkout
from stripe._request_options import RequestOptions

HERE = Path(__file__).parent
NOW = 1_763_726_400
NEW, OLD = "whsec_new", "whsec_old"


def event(text):
    body = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "created": NOW}
    return json.dumps(body | {"data": {"object": {"id": "pi_1", "description": text}}}, ensure_ascii=False)


def signed(body, secret, at=NOW):
    # The SDK makes the signature; a header it only reads.
    return f"t={at},v1={stripe.WebhookSignature._compute_signature(f'{at}.{body}', secret)}"


def signatures():
    body, unicode = event("tea"), event("thé – 茶")
    header = signed(body, NEW)
    other = signed(body, OLD).split(",")[1]
    cases = {
        "as it comes": (body, header),
        "beyond ASCII": (unicode, signed(unicode, NEW)),
        "by the secret before": (body, signed(body, OLD)),
        "by both, while one takes over": (body, f"{header},{other}"),
        "with a scheme of old beside": (body, f"{header},v0=00"),
        "five minutes old": (body, signed(body, NEW, NOW - 300)),
        "too old": (body, signed(body, NEW, NOW - 301)),
        "of another body": (unicode, header),
        "by somebody else": (body, signed(body, "whsec_else")),
        "at another time": (body, header.replace(str(NOW), str(NOW - 1))),
        "of another scheme": (body, header.replace("v1=", "v0=")),
        "without a time": (body, header.split(",")[1]),
        "empty": (body, ""),
    }
    return [
        {"name": name, "body": body, "header": header, "accepted": any(accepts(body, header, s) for s in (NEW, OLD))}
        for name, (body, header) in cases.items()
    ]


def accepts(body, header, secret):
    try:
        with mock.patch("time.time", return_value=NOW):
            return stripe.WebhookSignature.verify_header(body, header, secret, stripe.Webhook.DEFAULT_TOLERANCE)
    except stripe.SignatureVerificationError:
        return False


# Each call, its type in the SDK, and of which of its fields those within are listed.
CALLS = {
    "payment_intents": (params.PaymentIntentCreateParams, {"payment_method_data"}),
    "payment_intents/capture": (params.PaymentIntentCaptureParams, set()),
    "payment_intents/cancel": (params.PaymentIntentCancelParams, set()),
    "payment_intents/search": (params.PaymentIntentSearchParams, set()),
    "customers": (params.CustomerCreateParams, set()),
    "refunds": (params.RefundCreateParams, set()),
    "refunds/list": (params.RefundListParams, set()),
    "checkout/sessions": (checkout.SessionCreateParams, {"line_items", "payment_intent_data"}),
    "checkout/sessions/list": (checkout.SessionListParams, set()),
    "checkout/sessions/expire": (checkout.SessionExpireParams, set()),
    "accounts": (params.AccountCreateParams, {"controller", "capabilities", "settings"}),
    "account_links": (params.AccountLinkCreateParams, set()),
    "transfers": (params.TransferCreateParams, set()),
    "transfers/list": (params.TransferListParams, set()),
    "transfers/update": (params.TransferModifyParams, set()),
    "transfers/reversals": (params.TransferCreateReversalParams, set()),
    "payouts": (params.PayoutCreateParams, set()),
    "balance_transactions/list": (params.BalanceTransactionListParams, {"created"}),
}


def fields(type, within, depth=0):
    """The names of a type's fields, those within as outer[inner]; [] stands for each of a list."""
    module = sys.modules[type.__module__]
    names = []
    for name, hint in type.__annotations__.items():
        names.append(name)
        if depth < 4 and (depth or name in within):
            text = hint.__forward_arg__ if isinstance(hint, typing.ForwardRef) else str(hint)
            outer = name + ("[]" if "List[" in text else "")
            for inner in re.findall(r"\b\w+Params[A-Z]\w*\b|\bRangeQueryParam\b", text):
                type_within = getattr(module, inner, None) or getattr(stripe, inner)
                for field in fields(type_within, within, depth + 1):
                    first, *rest = field.split("[", 1)
                    names.append(f"{outer}[{first}]" + "".join(f"[{more}" for more in rest))
    return names


if __name__ == "__main__":
    # What a call may have besides: headers and the like.
    options = set(RequestOptions.__annotations__)
    known = {call: sorted(set(fields(*shape)) - options) for call, shape in CALLS.items()}
    made = {"sdk": stripe.VERSION, "version": stripe.api_version}
    files = {
        "signatures.json": made | {"now": NOW, "secrets": [OLD, NEW], "cases": signatures()},
        "fields.json": made | {"calls": known},
    }
    for name, content in files.items():
        (HERE / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
