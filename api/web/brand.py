"""The bank's face on every page and receipt: name, logo, telephone, privacy address, colours (docs/branding.md).

A page without the bank's name and logo could be taken for somebody else's. Colours are measured when the service starts: one
that could not be read is refused, with the number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from api.web.directory import Logo, read_logo
from ledger.entries.fields import Text
from ledger.errors import InvalidInput

Colour = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}\Z", max_length=7)]
LEAST_CONTRAST: Final = 4.5
"""WCAG 2.2, 1.4.3: text against what it stands on."""
SOFT: Final = {"light": 0.12, "dark": 0.25}
"""How much of the accent is in the soft ground of what is chosen."""
GROUNDS: Final = {
    "light": {"ground": "#f5f3ee", "surface": "#fffefb", "sunk": "#efece4"},
    "dark": {"ground": "#101614", "surface": "#19211e", "sunk": "#131a18"},
}
"""What the style sheet puts under words (static/style.css); tests hold the two together."""


class BrandColours(Struct, frozen=True, forbid_unknown_fields=True):
    """The bank's colours on light or on dark ground."""

    accent: Colour
    on_accent: Colour


class _BrandFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The file: `name` and `address` are one text, or one for each language."""

    name: Text | dict[str, Text]
    logo: Text | None = None
    telephone: Text | None = None
    privacy: Text | None = None
    light: BrandColours | None = None
    dark: BrandColours | None = None


@dataclass(frozen=True)
class Brand:
    """What is shown of the bank; empty where nothing is set."""

    names: Mapping[str, str] = field(default_factory=dict)
    logo: Logo | None = None
    telephone: str = ""
    privacy: str = ""
    """Where questions about personal data go: an address, as people write it."""
    light: BrandColours | None = None
    dark: BrandColours | None = None

    def name(self, language: str) -> str:
        """The bank's name in a language; empty without a brand."""
        return self.names.get(language) or next(iter(self.names.values()), "")

    @property
    def logo_url(self) -> str:
        """The address of the logo; empty for none."""
        return "" if self.logo is None else f"/brand/logo?v={self.logo.digest}"

    @property
    def dial(self) -> str:
        """The telephone number as a link dials it."""
        return re.sub(r"[^0-9+]", "", self.telephone)

    @property
    def style(self) -> str:
        """The style sheet of the colours; empty for the usual ones."""
        parts = []
        if self.light is not None:
            parts.append(f":root {{ {_variables(self.light, 'light')} }}")
        if self.dark is not None:
            parts.append(f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(self.dark, 'dark')} }} }}")
        return "\n".join(parts) + "\n" if parts else ""

    @property
    def style_url(self) -> str:
        """Its address; empty for none."""
        return f"/brand.css?v={sha256(self.style.encode()).hexdigest()[:12]}" if self.style else ""


def read_brand(path: Path | None) -> Brand:
    """The brand in a file. Raises ValidationError of msgspec, NotFound or InvalidInput for a logo, InvalidInput for colours."""
    if path is None:
        return Brand()
    said = msgspec.json.decode(path.read_bytes(), type=_BrandFile)
    for scheme, name in ((said.light, "light"), (said.dark, "dark")):
        if scheme is not None:
            _require_readable(scheme, name)
    return Brand(
        {"": said.name} if isinstance(said.name, str) else said.name,
        None if said.logo is None else read_logo(path.parent / said.logo),
        said.telephone or "",
        said.privacy or "",
        said.light,
        said.dark,
    )


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2, contrast ratio)."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _require_readable(scheme: BrandColours, name: str) -> None:
    """Raises InvalidInput that names the colours and their contrast."""
    pairs = [(scheme.on_accent, scheme.accent, "on_accent on accent")]
    grounds = GROUNDS[name] | {"what is chosen": _soft(scheme, name)}
    pairs += [(scheme.accent, ground, f"accent on {what}") for what, ground in grounds.items()]
    for words, ground, what in pairs:
        measured = contrast(words, ground)
        if measured < LEAST_CONTRAST:
            raise InvalidInput(
                f"the brand's {name} colours cannot be read: {what}, {words} against {ground}, has a contrast of "
                f"{measured:.2f}, and {LEAST_CONTRAST} is the least. Choose a "
                f"{'darker' if name == 'light' else 'lighter'} accent, or another on_accent"
            )


def _variables(scheme: BrandColours, name: str) -> str:
    return f"--accent: {scheme.accent}; --on-accent: {scheme.on_accent}; --accent-soft: {_soft(scheme, name)};"


def _soft(scheme: BrandColours, name: str) -> str:
    share, under = SOFT[name], GROUNDS[name]["surface"]
    mixed = (round(a * share + b * (1 - share)) for a, b in zip(_rgb(scheme.accent), _rgb(under), strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _luminance(colour: str) -> float:
    parts = [part / 255 for part in _rgb(colour)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
