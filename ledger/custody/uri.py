"""PKCS #11 URIs (RFC 7512): which key of which token, and through which library it is reached.

    pkcs11:token=LABEL;object=LABEL[;id=…]?module-path=/…/library.so&pin-source=/…/pin

Only the attributes that choose a token and an object are read; an attribute that is unknown or comes twice is refused, since
leaving it aside could choose another key. A PIN in the URI (`pin-value`) is refused too: URIs are shown, and stand in files
that others may read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from ledger.errors import InvalidInput

SCHEME: Final = "pkcs11:"
_MOST: Final = 1_000
_TEXT: Final = re.compile(r"[A-Za-z0-9_.~:\[\]@!$'()*+,=&/%-]*", re.ASCII)
_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH: Final = frozenset({"token", "serial", "object", "id", "manufacturer", "model", "type"})
_QUERY: Final = frozenset({"module-path", "pin-source"})


@dataclass(frozen=True, slots=True)
class TokenKeyUri:
    """A key of a token: empty texts and None choose nothing."""

    text: str
    token: str
    serial: str
    manufacturer: str
    model: str
    label: str
    """`object` of the URI."""
    key_id: bytes | None
    module: Path
    pin_source: Path


def parse_token_uri(text: str) -> TokenKeyUri:
    """Read a URI that begins with `pkcs11:`. Raises InvalidInput, which never quotes a PIN."""
    if not text.startswith(SCHEME) or len(text) > _MOST:
        raise InvalidInput(f"a PKCS #11 URI begins with «{SCHEME}» and has at most {_MOST} characters")
    path_part, _, query_part = text.removeprefix(SCHEME).partition("?")
    path = _attributes(path_part, ";", _PATH)
    query = _attributes(query_part, "&", _QUERY)
    if path.get("type", b"private") not in {b"private", b"secret-key"}:
        raise InvalidInput("a PKCS #11 URI here names a private or a secret key: leave «type» out")
    if not (path.get("token") or path.get("serial")):
        raise InvalidInput("the PKCS #11 URI names no token: add «token=LABEL»")
    if not (path.get("object") or path.get("id")):
        raise InvalidInput("the PKCS #11 URI names no key: add «object=LABEL»")
    module, pin = (Path(_text(query, name).removeprefix("file:")) for name in ("module-path", "pin-source"))
    for name, value in (("module-path", module), ("pin-source", pin)):
        if not value.is_absolute():
            raise InvalidInput(f"the PKCS #11 URI needs «{name}» with an absolute path of a file")
    token, serial, manufacturer, model, label = (
        _text(path, name) for name in ("token", "serial", "manufacturer", "model", "object")
    )
    return TokenKeyUri(text, token, serial, manufacturer, model, label, path.get("id"), module, pin)


def _attributes(text: str, separator: str, known: frozenset[str]) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise InvalidInput(
                "a PIN never stands in a URI: write it to a file of mode 0600 and name that file as «pin-source»"
            )
        if not equals or name not in known or name in found:
            raise InvalidInput(
                f"the PKCS #11 URI has an attribute {name!r} that is unknown here, comes twice or has no value; known are "
                f"{', '.join(sorted(known))}"
            )
        if not _TEXT.fullmatch(value) or _PERCENT.search(value):
            raise InvalidInput(f"the value of {name!r} in the PKCS #11 URI is not percent-encoded")
        found[name] = unquote_to_bytes(value)
    return found


def _text(attributes: Mapping[str, bytes], name: str) -> str:
    try:
        text = attributes.get(name, b"").decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"the value of {name!r} in the PKCS #11 URI is not UTF-8") from None
    if "\0" in text:
        raise InvalidInput(f"the value of {name!r} in the PKCS #11 URI holds a NUL character")
    return text
