"""What a customer decides about all recipients at once, or about one that she has stopped (docs/standards/psr.md)."""

from __future__ import annotations

from typing import Final, Self

from api.office.facts import Notes
from api.office.office import Office
from ledger.clock import Clock, SystemClock
from ledger.consent.state import Consent
from ledger.entries.leaf import subject_chain

OBJECTING: Final = "objects-to-sharing"
"""The reason of the steps that end what she shared before she objected to all sharing."""
_PREFIX: Final = "objection:"
_STANDS: Final = b"stands"
_LIFTED: Final = b"lifted"


class Objections:
    """A customer's objection to all sharing. It stands until she lifts it: nothing new is agreed to meanwhile.

    Kept as notes of her own chain: sealed under her key, erased with it, never changed. Blocking.
    """

    def __init__(self, notes: Notes, clock: Clock | None = None) -> None:
        self._notes = notes
        self._clock = clock or SystemClock()

    def since(self, holder: str, customer: str) -> int:
        """Since when (ms) it stands; 0 = it does not. `customer` is the holder's own reference. Raises Unavailable."""
        chain = subject_chain(holder, customer)
        last = max(self._notes.names_of(chain, _PREFIX), default="")
        return int(last.removeprefix(_PREFIX)) if last and self._notes.read_of(chain, last) == _STANDS else 0

    def stand(self, holder: str, customer: str) -> int:
        """Object; since when (ms). Raises NotFound for a customer who was erased, Unavailable."""
        return self.since(holder, customer) or self._say(holder, customer, _STANDS)

    def lift(self, holder: str, customer: str) -> None:
        """Allow requests again. Raises NotFound, Unavailable."""
        if self.since(holder, customer):
            self._say(holder, customer, _LIFTED)

    def _say(self, holder: str, customer: str, what: bytes) -> int:
        chain = subject_chain(holder, customer)
        names = self._notes.names_of(chain, _PREFIX)
        after = int(max(names, default=f"{_PREFIX}0").removeprefix(_PREFIX))
        at = max(self._clock.now(), after + 1)  # a clock that went back must not put a word before an earlier one
        self._notes.add_to(chain, f"{_PREFIX}{at:015}", what)
        return at


class Rights:
    """Both, as pages and standards use them. Blocking."""

    def __init__(self, objections: Objections, office: Office | None = None) -> None:
        """Without an `office` nothing is asked for again from here."""
        self.objections = objections
        self._office = office

    @classmethod
    def of(cls, office: Office) -> Self:
        """Those of a node that serves outward standards."""
        return cls(Objections(office.notes, office.clock), office)

    def may_share_again(self, consent: Consent) -> bool:
        """Whether the customer of a consent may ask for it again without going to the recipient."""
        return self._office is not None and self._office.may_ask_again(consent)

    def share_again(self, consent: Consent) -> str:
        """The id of the consent that now waits for her answer. Raises what `Office.ask_again` raises."""
        assert self._office is not None  # noqa: S101  (asked before)
        return self._office.ask_again(consent).consent_id
