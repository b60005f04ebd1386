"""What the operator's directory says of participants beside the log: legal name, registration, logo (docs/people.md).

A logo is read once, at the start. It is of a known raster format and a bounded size and is served from our own address: nothing
of it can run or load anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from ledger.entries.fields import ParticipantId, Text
from ledger.errors import InvalidInput, NotFound

LOGO_LIMIT: Final = 64 * 1024


class _Listed(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the file."""

    legal_name: Text | None = None
    registration: Text | None = None
    logo: Text | None = None


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture that is safe to serve."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """What its address changes with."""
        return sha256(self.content).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of a participant; empty where nothing is."""

    legal_name: str = ""
    registration: str = ""
    logo: Logo | None = None


@dataclass(frozen=True)
class ParticipantDirectory:
    """The listings, by participant id."""

    listings: Mapping[str, Listing] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | None) -> ParticipantDirectory:
        """The directory in a file. Raises ValidationError of msgspec for another content, NotFound, InvalidInput for a logo."""
        if path is None:
            return cls()
        content = msgspec.json.decode(path.read_bytes(), type=dict[ParticipantId, _Listed])
        return cls(
            {
                participant: Listing(
                    one.legal_name or "",
                    one.registration or "",
                    None if one.logo is None else read_logo(path.parent / one.logo),
                )
                for participant, one in content.items()
            }
        )

    def of(self, participant: str) -> Listing:
        """What is known of a participant."""
        return self.listings.get(participant, Listing())

    def logo_url(self, participant: str) -> str:
        """The address of a participant's logo; empty for none."""
        logo = self.of(participant).logo
        return "" if logo is None else f"/logo/{participant}?v={logo.digest}"


def read_logo(path: Path) -> Logo:
    """A logo. Raises NotFound, InvalidInput for a file that is too large or no PNG, JPEG or WebP."""
    try:
        with path.open("rb") as file:
            content = file.read(LOGO_LIMIT + 1)
    except OSError as error:
        raise NotFound(f"the logo {path} cannot be read: {error.strerror}") from None
    if len(content) > LOGO_LIMIT:
        raise InvalidInput(f"the logo {path} is larger than {LOGO_LIMIT} bytes: make it smaller")
    media_type = _type_of(content)
    if media_type is None:
        raise InvalidInput(f"the logo {path} is not a PNG, JPEG or WebP picture: convert it to one of these")
    return Logo(content, media_type)


def _type_of(content: bytes) -> str | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None
