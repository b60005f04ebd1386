"""Where a customer's browser goes back to when the client asked for no code (docs/standards/berlin.md, «The way back»).

The client writes an address into each request, with what it must remember in its path or query; nothing is added to it. So it
cannot be compared as text with what is registered: its origin can, and only its origin decides who is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

LONGEST: Final = 2_048
"""Characters of an address."""
_ADDRESS: Final = re.compile(
    r"https://(?P<host>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)(?::(?P<port>[0-9]{1,5}))?(?:[/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?",
    re.ASCII,
)
"""The characters of RFC 3986, and a host in plain sight.

Browsers read what is not of this form otherwise than programs do: `https://a\\@b`, a tab in the middle, an empty host.
"""


class PlainReturn(Struct, frozen=True, omit_defaults=True):
    """The way back of one authorisation."""

    client: str
    holder: str
    consent_id: str
    redirect_uri: str = ""
    """Empty: the client named none, and the customer stays at her bank."""
    nok_redirect_uri: str = ""
    """If she did not agree; empty: as if she had."""

    def address(self, *, agreed: bool) -> str:
        """The address as the client wrote it. That it is visited shows nothing: what counts, the client asks for."""
        return self.redirect_uri if agreed else self.nok_redirect_uri or self.redirect_uri


def origin_of(address: str) -> str | None:
    """`host:port` of an https address without user, fragment or backslash; None for any other text."""
    read = _ADDRESS.fullmatch(address) if len(address) <= LONGEST else None
    return None if read is None else f"{read['host'].lower()}:{int(read['port'] or 443)}"


def is_own(address: str, registered: Iterable[str], domains: Iterable[str] = ()) -> bool:
    """Whether an address is at the origin of one of the `registered` addresses, or in one of the `domains` of a certificate.

    A domain may begin with `*.`, for exactly one more label (RFC 9525 §6.3).
    """
    origin = origin_of(address)
    if origin is None:
        return False
    host = origin.rpartition(":")[0]
    above = "*." + host.partition(".")[2]
    return origin in {origin_of(one) for one in registered} or bool({host, above} & {one.lower() for one in domains})
