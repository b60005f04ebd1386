"""A mask that a holder owed and did not apply is in the report that the log holds, and in its list; on both engines."""

from __future__ import annotations

from pathlib import Path

from tests.ledger.supervised import HASH, Place, supervised
from tests.world import BANK, FINTECH

HOUR = 3_600


def _fetched(place: Place, number: int, masks: list[str]) -> int:
    """An access whose both legs are there; the release says that it applied these masks."""
    node, consent = place.node, place.node.grant()
    interaction = f"interaction-{number}"
    access = node.access(consent, interaction_id=interaction)
    said = {
        "consent_id": consent,
        "interaction_id": interaction,
        "basis": access.index,
        "rows": 1,
        "bytes": 9,
        "digest": HASH,
    }
    node.bank.record("access.release", masks=masks, **said)
    node.fintech.record("access.receive", **said)
    owed = access.outcome.obligations.masks  # type: ignore[union-attr]  # of an access
    assert "pan" in owed
    return access.index


def test_reconciliation_finds_the_mask_that_was_skipped(engine_url: str, tmp_path: Path) -> None:
    with supervised(engine_url, tmp_path) as place:
        first = _fetched(place, 1, [])
        outcome = place.node.access(place.node.grant()).outcome
        _fetched(place, 2, list(outcome.obligations.masks))  # type: ignore[union-attr, arg-type]  # of an access
        place.node.clock.advance(seconds=HOUR + 1)
        place.node.ledger.reconcile()
        for viewer in (BANK, FINTECH):
            found = place.node.ledger.reconciliation.findings(viewer)
            assert [(one.access, one.code) for one in found] == [(first, "mask-skipped")]
