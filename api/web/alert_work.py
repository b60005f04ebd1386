"""Who looks after an alert, and what was written about it: beside the log, sealed, and erasable.

The log holds the hash of a comment (`alert.decide`, `comment_hash`), made with a key of its own: without it nothing can be
guessed from the hash, and with the row both are gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Engine, delete, insert, select

from api.web.keys import PersonKeys
from api.web.sealing import place
from api.web.tables import alert_work
from ledger.canonical import b64u


class AlertNote(Struct, frozen=True):
    """What one participant's people keep about an alert. `key`: of the words' hash; empty without words."""

    owner: str = ""
    words: str = ""
    key: str = ""


_codec: Final = msgspec.json.Decoder(AlertNote)
_encode: Final = msgspec.json.Encoder().encode


class AlertWork:
    """The notes of all participants, each of which sees its own only."""

    def __init__(self, engine: Engine, keys: PersonKeys) -> None:
        """The table is there (store.py)."""
        self._engine = engine
        self._keys = keys

    def officer(self, staff: bytes) -> str:
        """The reference by which the log knows somebody at work, and nobody without the store's key does."""
        return b64u(self._keys.sealer.person(staff)[:16])

    def of(self, participant: str, alerts: Iterable[int]) -> dict[int, AlertNote]:
        """The notes of a participant about these alerts, by the alert."""
        query = select(alert_work.c.alert, alert_work.c.sealed).where(
            alert_work.c.participant == participant, alert_work.c.alert.in_(list(alerts))
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        common = self._keys.sealer.common
        return {row.alert: _codec.decode(common.open(row.sealed, _place(participant, row.alert))) for row in rows}

    def keep(self, participant: str, alert: int, note: AlertNote) -> None:
        """In place of what was kept before; nothing at all for an empty note."""
        mine = (alert_work.c.participant == participant) & (alert_work.c.alert == alert)
        sealed = self._keys.sealer.common.seal(_encode(note), _place(participant, alert))
        with self._engine.begin() as connection:
            connection.execute(delete(alert_work).where(mine))
            if note != AlertNote():
                connection.execute(insert(alert_work).values(participant=participant, alert=alert, sealed=sealed))


def _place(participant: str, alert: int) -> bytes:
    return place("alert_work", f"{participant}\n{alert}".encode())
