"""Annotated types of the members of statements, terms and documents (docs/spec/encoding.md, Identifiers).

Patterns end in ``\\Z``: ``$`` would also match before a final newline.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, AnyStr, Final, Literal

from msgspec import Meta

from ledger.canonical import unb64u
from ledger.errors import BadEncoding

SAFE_INTEGER: Final = 2**53 - 1

ORIGIN: Final = re.compile(r"[^\s+\x00-\x1f\x7f-\x9f]{1,255}\Z")

ParticipantId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{1,62}\Z", max_length=63)]
KeyId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z", max_length=64)]
ConsentId = Annotated[
    str,
    Meta(
        pattern=r"^([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
        r"|urn:[a-zA-Z0-9][a-zA-Z0-9-]{0,31}:[A-Za-z0-9._~:/-]{20,})\Z",
        max_length=128,
    ),
]
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{22,64}\Z", max_length=64)]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z", max_length=64)]
InteractionId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{8,64}\Z", max_length=64)]
Text = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}\Z", max_length=200)]
Language = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z", max_length=35)]
Origin = Annotated[str, Meta(pattern=r"^[^\s+\x00-\x1f\x7f-\x9f]{1,255}\Z", max_length=255)]

# b64u of 16 and 32 bytes: the last character of a canonical spelling has zero tail bits.
Bytes16 = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{21}[AQgw]\Z", max_length=22)]
Bytes64 = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{85}[AQgw]\Z", max_length=86)]
Bytes32 = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\Z", max_length=43)]

Count = Annotated[int, Meta(ge=0, le=SAFE_INTEGER)]
Seconds = Annotated[int, Meta(ge=0, le=9_999_999_999)]
"""Seconds since 1970 (UTC), up to the year 2286; 0 means «none» where a member allows it."""

Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z", max_length=2)]
"""ISO 3166-1, two letters."""

Actor = Literal["court", "customer", "guardian", "holder", "recipient", "system"]
Role = Literal["auditor", "holder", "recipient", "regulator", "technology-provider"]
Algorithm = Literal["ES256", "EdDSA", "PS256", "SM2"]
"""`SM2` from ruleset 3 on (docs/spec/ruleset-3.md, 8)."""
KeyUse = Literal["client", "statement"]


def require_base64url(name: str, text: str, least: int, most: int) -> None:
    """Refuse a text that is not the canonical base64url of `least` to `most` bytes.

    Raises ValueError, which the decoder reports as a validation error of the statement.
    """
    try:
        size = len(unb64u(text))
    except BadEncoding as error:
        raise ValueError(f"{name}: {error.detail}") from None
    if not least <= size <= most:
        raise ValueError(f"{name} must have {least} to {most} bytes, not {size}")


def require_sorted_unique(name: str, values: tuple[AnyStr, ...]) -> None:
    """Refuse a list that is not strictly rising in code point order.

    Raises ValueError, which the decoder reports as a validation error of the statement.
    """
    for previous, value in pairwise(values):
        if previous >= value:
            raise ValueError(f"{name} must be sorted and hold no value twice")
