"""The legs of an access, as its parties record them."""

from __future__ import annotations

import json

from ledger.canonical import b64u, unb64u
from ledger.planning.commands import Recorded
from tests.world import Node

HOUR = 3_600


def leg(node: Node, kind: str, access: Recorded, **changes: object) -> Recorded:
    """A leg of an access as its party records it."""
    says = json.loads(access.evidence or b"{}")
    inner = json.loads(says["item"]["body"] if "item" in says else unb64u(says["statements"][0].split(".")[1]))
    members = {
        "basis": access.index,
        "bytes": 512,
        "consent_id": inner["consent_id"],
        "digest": b64u(bytes(32)),
        "interaction_id": inner["interaction_id"],
        "rows": 3,
        **changes,
    }
    return (node.bank if kind == "release" else node.fintech).record(f"access.{kind}", **members)
