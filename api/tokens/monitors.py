"""Monitors: who may read bundles of leaves with a bearer token (docs/witnesses.md). A C2SP tool can send no DPoP proof."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from api.http.wire import Scope, header, visit_of
from api.tokens.bearer import Caller
from ledger.errors import InvalidInput

SCOPE: Final = "log:read"
"""All that such a token opens: it is bound to no key, so whoever finds it can read with it."""
MOST: Final = 256
_LINE: Final = re.compile(r"([a-z0-9][a-z0-9._-]{1,62}) ([0-9a-f]{64})", re.ASCII)


class Monitors:
    """Names by the SHA-256 of their tokens, in hexadecimal; the tokens themselves are kept by nobody here."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)

    def caller(self, scope: Scope) -> Caller | None:
        """The monitor whose token came with a request; None for any other credentials."""
        kind, _, token = (header(scope, b"authorization") or "").partition(" ")
        if not self._names or kind.lower() != "bearer":
            return None
        name = self._names.get(sha256(token.encode("utf-8", "surrogateescape")).hexdigest())
        if name is None:
            return None
        visit_of(scope).client = f"monitor:{name}"
        return Caller(f"monitor:{name}", frozenset({SCOPE}))


def read_monitors(path: Path | None) -> Monitors:
    """The monitors of a file: on each line a name and the SHA-256 of its token in hexadecimal; `#` begins a comment line.

    Raises InvalidInput, naming the line.
    """
    if path is None:
        return Monitors({})
    try:
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the file of monitors {path} cannot be read: {error}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise InvalidInput(f"{path}, line {number}: a monitor is a name, a space and 64 hexadecimal digits")
        if match[2] in found or match[1] in found.values():
            raise InvalidInput(f"{path}, line {number}: the name or the token is another monitor's already")
        found[match[2]] = match[1]
    if len(found) > MOST:
        raise InvalidInput(f"{path}: at most {MOST} monitors")
    return Monitors(found)
