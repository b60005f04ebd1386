"""What a browser writes under a passkey's signature: client data, and origins (docs/spec/passkeys.md, The record).

Read here by a grammar of our own, and not by a JSON library: libraries differ in what they let pass (NaN, lone surrogates, a
name that stands twice) and in what is too large for them, and what one side accepts and another refuses would spoil every
audit of the log for ever. A number is never turned into a value: 1e400 is as good as 1.
"""

from __future__ import annotations

import re
from typing import Final

CLIENT_DATA_LIMIT: Final = 3_072
ORIGIN_LIMIT: Final = 255
DEPTH_LIMIT: Final = 16

_STRING: Final = r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*"'
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_TOKEN: Final = re.compile(
    rf"[ \t\n\r]*(?:(?P<string>{_STRING})|(?P<number>{_NUMBER})|(?P<word>true|false|null)|(?P<mark>[\[\]{{}},:]))"
)
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))")
_SHORT: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: Final = {"true": True, "false": False, "null": None}
_SPACE: Final = " \t\n\r"
_ORIGIN: Final = re.compile(
    r"(https?)://([a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*)(?::([1-9][0-9]{0,4}))?"  # ASCII ranges: no flag is needed
)
_OWN_PORT: Final = {"https": 443, "http": 80}


class NumberHere:
    """Stands for any number in client data."""


Value = str | bool | NumberHere | list["Value"] | dict[str, "Value"] | None


def parse_client_data(data: bytes) -> dict[str, Value]:
    """The members of client data. Raises ValueError, with the reason, for anything but one JSON object read in one way."""
    if not 1 <= len(data) <= CLIENT_DATA_LIMIT:
        raise ValueError(f"it must have 1 to {CLIENT_DATA_LIMIT} bytes, not {len(data)}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    reader = _Reader(text)
    found = reader.value(1)
    if text[reader.at :].strip(_SPACE):
        raise ValueError(f"something follows the object, at character {reader.at}")
    if isinstance(found, dict):
        return found
    raise ValueError("it is not an object")


class _Reader:
    """Reads values from `at` on. Depth is bounded, so the calls are."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def value(self, depth: int) -> Value:
        kind, said = self._token()
        return self._value(kind, said, depth)

    def _value(self, kind: str, said: str, depth: int) -> Value:
        match kind, said:
            case "string", _:
                return _unescaped(said)
            case "number", _:
                return NumberHere()
            case "word", _:
                return _WORDS[said]
            case _, ("{" | "[") if depth > DEPTH_LIMIT:
                raise ValueError(f"it is nested more than {DEPTH_LIMIT} deep")
            case _, "{":
                return self._object(depth)
            case _, "[":
                return self._array(depth)
            case _:
                raise self._unexpected()

    def _object(self, depth: int) -> dict[str, Value]:
        members: dict[str, Value] = {}
        kind, said = self._token()
        if said == "}":
            return members
        while kind == "string":
            name = _unescaped(said)
            if name in members:
                raise ValueError("one object has a name twice")
            if self._token()[1] != ":":
                break
            members[name] = self.value(depth + 1)
            said = self._token()[1]
            if said == "}":
                return members
            if said != ",":
                break
            kind, said = self._token()
        raise self._unexpected()

    def _array(self, depth: int) -> list[Value]:
        items: list[Value] = []
        kind, said = self._token()
        if said == "]":
            return items
        while True:
            items.append(self._value(kind, said, depth + 1))
            said = self._token()[1]
            if said == "]":
                return items
            if said != ",":
                raise self._unexpected()
            kind, said = self._token()

    def _token(self) -> tuple[str, str]:
        found = _TOKEN.match(self._text, self.at)
        if found is None:
            raise self._unexpected()
        self.at = found.end()
        kind = found.lastgroup or ""
        return kind, found[kind]

    def _unexpected(self) -> ValueError:
        return ValueError(f"it is not JSON (RFC 8259) at character {self.at}")


def _unescaped(quoted: str) -> str:
    """The text of a string's token; escaped surrogates in pairs are one character each."""
    units = _ESCAPE.sub(lambda one: chr(int(one[1], 16)) if one[1] else _SHORT.get(one[2], one[2]), quoted[1:-1])
    try:
        return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise ValueError("a text holds a lone surrogate") from None


def require_origin(origin: str, rp_id: str) -> None:
    """Refuse an origin that no browser writes, or that does not lie at `rp_id` or below it. Raises ValueError."""
    read = _ORIGIN.fullmatch(origin) if len(origin) <= ORIGIN_LIMIT else None
    if read is None or len(read[2]) > 253:
        raise ValueError(
            "the origin is not spelled as a browser serialises it: https://host, and a port if it is not 443"
        )
    scheme, host, port = read[1], read[2], int(read[3] or 0)
    if port == _OWN_PORT[scheme] or port > 65_535:
        raise ValueError("the origin names the scheme's own port, or one that there is not")
    if scheme == "http" and host != "localhost":
        raise ValueError("the origin is not https (http is for localhost only)")
    if host != rp_id and not host.endswith("." + rp_id):
        raise ValueError("the origin does not belong to the relying party")
