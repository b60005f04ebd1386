"""Each standard's form of refusals. Errors are raised once, in the ledger's words; the address decides the dialect."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import Response

from ledger.errors import LedgerError

HOLDER: Final = r"/holders/[^/]+"
"""Where a holder's standards begin: one ledger serves several holders."""


class Dialect(Protocol):
    """One standard's way to word refusals."""

    @property
    def place(self) -> re.Pattern[str]:
        """Matches the addresses at which this dialect is spoken."""
        ...

    def refusal(self, error: LedgerError, request: Request) -> Response:
        """The whole answer to a request that was refused, on whatever layer."""
        ...


class DialectRefusal(LedgerError):
    """A refusal that only its standard has a word for: `code` is the standard's own."""

    def __init__(self, status: int, code: str, detail: str, *, member: str | None = None) -> None:
        super().__init__(detail, member=member)
        self.status = status
        self.code = code


def dialect_for(dialects: Iterable[Dialect], path: str) -> Dialect | None:
    """The dialect spoken at this address, if it is a standard's."""
    return next((dialect for dialect in dialects if dialect.place.match(path)), None)
