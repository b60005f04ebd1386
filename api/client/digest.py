"""The digest that ties an access statement to one HTTP request at one holder (docs/guard.md, «The request digest»).

    request_digest = H("consent-ledger/v1/request\\0" ‖ CL-JSON of
                       {"body": b64u(H(body)), "holder": id, "method": …, "path": …, "query": [[name, value], …]})

The path is decoded and the query is sorted, so that a proxy's respelling changes nothing; the holder's participant id stands
in place of a host name, which proxies change.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from ledger.canonical import b64u, encode

REQUEST: Final = b"consent-ledger/v1/request\0"


def request_digest(
    holder: str, method: str, path: str, query: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> str:
    """b64u of 32 bytes. Raises BadEncoding when path or query hold a control character or are not Unicode."""
    described = {
        "body": b64u(sha256(body).digest()),
        "holder": holder,
        "method": method.upper(),
        "path": path,
        "query": sorted([name, value] for name, value in query),
    }
    return b64u(sha256(REQUEST + encode(described)).digest())
