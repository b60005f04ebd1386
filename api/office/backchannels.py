"""What decoupled requests say of their customers and to them (CIBA): for the bank that is to reach her, and for its pages."""

from __future__ import annotations

from typing import Final

import msgspec

from api.office.facts import Notes
from api.tokens.backchannel import AskedBackchannel

_PREFIX: Final = "backchannel:"
_decoder: Final = msgspec.json.Decoder(AskedBackchannel)


class Backchannels:
    """Kept as notes: sealed under the consent's key, erased with it. Blocking."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def keep(self, consent_id: str, asked: AskedBackchannel) -> None:
        """Keep what a request says; of two that end in the same second, the first. Raises NotFound, Unavailable."""
        self._notes.add(consent_id, f"{_PREFIX}{asked.expires_at:012}", msgspec.json.encode(asked))

    def binding(self, consent_id: str, now: int) -> str:
        """The message that the customer sees in the app too; empty where there is none. Raises Unavailable."""
        asked = self.open_at(consent_id, now)
        return "" if asked is None else asked.binding_message

    def open_at(self, consent_id: str, now: int) -> AskedBackchannel | None:
        """The request about a consent that lasts longest, if it is not over at `now` (ms). Raises Unavailable."""
        last = max(self._notes.names(consent_id, _PREFIX), default="")
        text = self._notes.read(consent_id, last) if last else None
        asked = None if text is None else _decoder.decode(text)
        return asked if asked is not None and asked.expires_at * 1000 > now else None
