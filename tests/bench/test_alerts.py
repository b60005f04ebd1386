"""The figures about alerts are of what was really read, however short the run."""

from __future__ import annotations

from pathlib import Path

from ledger.clock import SystemClock
from ledger.orders import SCORING
from tests.bench.alerts import BATCH, Reading, pushed
from tests.ledger.supervised import supervised


def test_reading_is_counted_until_every_access_was_read(tmp_path: Path, sqlite_url: str) -> None:
    clock = SystemClock()
    with supervised(sqlite_url, tmp_path, clock=clock) as place:  # type: ignore[arg-type]  # the machine's own
        place.approved("scoring.activated", scoring=SCORING)
        consents = [place.node.grant(frequency_per_day=0) for _ in range(BATCH)]
        reading = Reading(place.node.ledger)
        made = pushed(place, consents, 1, reading)
        reading.raiser.stop()
        assert made.reading > 0, "a batch is recorded long before the thread looks"
        assert pushed(place, consents, 1).reading == 0
