"""Members of the acts between partners, as acts.py takes them."""

from __future__ import annotations

from typing import Any

from ledger.canonical import b64u
from tests.clocks import NOW
from tests.world import BANK, FINTECH

MEMBERS: dict[str, tuple[str, dict[str, Any]]] = {
    "attestation.give": (
        FINTECH,
        {
            "attestation": "licence-1",
            "document_hash": b64u(bytes(32)),
            "issuer": "The authority",
            "kind": "licence",
            "valid_until": NOW // 1000 + 60,
        },
    ),
    "attestation.withdraw": (FINTECH, {"attestation": "licence-1", "reason": "ended"}),
    "map.publish": (BANK, {"fields": 3, "map": "accounts-api", "map_hash": b64u(bytes(32)), "map_version": 1}),
    "tariff.offer": (
        BANK,
        {
            "currency": "CNY",
            "from": 0,
            "lines": [{"free": 0, "tiers": [{"from": 0, "price": 1_500}]}],
            "recipient": FINTECH,
            "tariff": "t-1",
            "utc_offset": 480,
        },
    ),
    "tariff.accept": (FINTECH, {"offer": 9}),
    "tariff.end": (BANK, {"from": NOW // 1000 + 60, "offer": 9, "reason": "new-prices"}),
    "usage.state": (
        BANK,
        {
            "amounts": [{"amount": 5, "count": 3}],
            "count": 3,
            "from": 0,
            "left_out": [{"index": 4, "reason": "test"}],
            "offer": 9,
            "recipient": FINTECH,
            "replaces": -1,
            "root": b64u(bytes(32)),
            "to": 60,
            "to_index": 8,
            "total": 5,
        },
    ),
    "usage.answer": (FINTECH, {"answer": "agreed", "disputed": [], "statement": 12}),
}
OPTIONAL: dict[str, list[dict[str, Any]]] = {
    "tariff.offer": [
        {"recipient": ""},
        {
            "lines": [
                {
                    "attended": True,
                    "free": 1,
                    "purpose": "p",
                    "resource": "accounts",
                    "rows_from": 1,
                    "rows_to": 1,
                    "tiers": [{"from": 0, "price": 10**12}, {"from": 1, "price": 0}],
                }
            ]
        },
    ],
    "usage.answer": [
        {"answer": "disputed", "disputed": [{"index": 3, "reason": "twice"}, {"index": 4, "reason": "twice"}]}
    ],
}
