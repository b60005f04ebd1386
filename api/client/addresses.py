"""Several addresses of one ledger: whom a request asks next, and whom it asks not before some time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

MOST: Final = 16


class Addresses:
    """The addresses of nodes of one log, in the order in which they are tried; the one that answered last comes first."""

    def __init__(self, addresses: str | Sequence[str]) -> None:
        """Raises ValueError for none, for too many, for one that is given twice, and for what is not an http or https URL."""
        given = [addresses] if isinstance(addresses, str) else list(addresses)
        self._all = tuple(one.rstrip("/") for one in given)
        if not 1 <= len(self._all) <= MOST:
            raise ValueError(f"a client has 1 to {MOST} addresses of its ledger, and {len(self._all)} were given")
        if len(set(self._all)) != len(self._all):
            raise ValueError(f"an address of the ledger is given twice: {', '.join(self._all)}")
        for one in self._all:
            parts = urlsplit(one)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
                raise ValueError(
                    f"{one!r} is not an address of a ledger: it begins with http:// or https://, and names a host"
                )
        self._preferred = 0

    def __len__(self) -> int:
        return len(self._all)

    def all(self) -> tuple[str, ...]:
        """Each of them, in the order in which they were given."""
        return self._all

    def answered(self, address: str) -> None:
        """This one works: the next request begins with it."""
        self._preferred = self._all.index(address)

    def round(self) -> Round:
        """For one request."""
        return Round(self._all[self._preferred :] + self._all[: self._preferred])


class Round:
    """One request's way through the addresses. Each rests after a failure for as long as it asked for, or as patience
    says; meanwhile the others are asked, and so nobody is asked before its time and no time is lost."""

    def __init__(self, order: Sequence[str]) -> None:
        self._rests = dict.fromkeys(order, 0.0)
        self._failures = dict.fromkeys(order, 0)
        self._turn = list(order)

    def next(self) -> tuple[str, float]:
        """Whom to ask, and after how many seconds from now: the one whose rest ends first, the one asked longest ago among
        equals."""
        address = min(self._turn, key=lambda one: max(0.0, self._rests[one]))
        self._turn.remove(address)
        self._turn.append(address)
        return address, max(0.0, self._rests[address])

    def passed(self, seconds: float) -> None:
        """So much time has passed."""
        for address in self._rests:
            self._rests[address] -= seconds

    def failed(self, address: str, rest: float, *, everywhere: bool = False) -> None:
        """It is asked again after `rest` seconds; `everywhere`: so is every other one, since the answer was about the
        client and not about the node."""
        self._failures[address] += 1
        self._rests[address] = rest
        if everywhere:
            for other, its in self._rests.items():
                self._rests[other] = max(its, rest)

    def failures(self, address: str) -> int:
        """How often it failed in this round."""
        return self._failures[address]
