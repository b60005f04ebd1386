"""What a holder or a recipient says of an answer: the members of a leg (docs/spec/reconciliation.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.client.errors import ReceiptRefused
from api.client.receipts import VerifiedReceipt
from ledger.canonical import b64u


def leg_of(
    access: VerifiedReceipt, rows: int, content: bytes, digest: bytes, masks: Iterable[str] | None = None
) -> dict[str, Any]:
    """The members beside act and signer; without `masks` where they are None. Raises ReceiptRefused for a receipt of
    something that is not an access."""
    if access.item is None:
        raise ReceiptRefused(f"entry {access.index} is {access.act}: nothing can be delivered under it")
    said = {
        "basis": access.index,
        "bytes": len(content),
        "consent_id": access.item.consent_id,
        "digest": b64u(digest),
        "interaction_id": access.item.interaction_id,
        "rows": rows,
    }
    return said if masks is None else said | {"masks": sorted(set(masks))}
