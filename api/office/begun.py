"""Authorisations that a client has begun, each with the way back to it."""

from __future__ import annotations

import uuid
from typing import Final

import msgspec

from api.office.facts import Notes
from api.tokens.returns import PlainReturn

_PREFIX: Final = "authorisation:"
_decoder: Final = msgspec.json.Decoder(PlainReturn)


class Begun:
    """Kept as notes: sealed under the consent's key, erased with it. Blocking."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def begin(self, way: PlainReturn) -> str:
        """Keep a new authorisation; its id. Raises NotFound for a consent that was erased, Unavailable."""
        identifier = str(uuid.uuid4())
        self._notes.add(way.consent_id, _PREFIX + identifier, msgspec.json.encode(way))
        return identifier

    def of(self, consent_id: str) -> list[str]:
        """The ids of a consent's authorisations, oldest first."""
        return [name.removeprefix(_PREFIX) for name in self._notes.names(consent_id, _PREFIX)]

    def way_back(self, consent_id: str, identifier: str) -> PlainReturn | None:
        """Where the customer of an authorisation goes back to; None where there is none, or the consent was erased."""
        kept = self._notes.read(consent_id, _PREFIX + identifier)
        try:
            return None if kept is None else _decoder.decode(kept)
        except msgspec.ValidationError:  # an earlier release kept addresses that nothing had been held against
            return None
