"""Client data and origins as browsers write them, read so that all readers agree (docs/spec/passkeys.md).

A browser may put unknown members into client data. They must be JSON, and are otherwise left alone: a number
in one of them is never turned into a value, so that none is too large for one reader and fine for another.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from verifier.errors import Code, Refuted, refuted

MAX_CLIENT_DATA = 3_072
MAX_ORIGIN = 255
MAX_DEPTH = 16

_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*)(?::(?P<port>[1-9][0-9]{0,4}))?", re.ASCII
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_OWN_PORT = {"https": "443", "http": "80"}
_NUMBER = 0
"""Stands for every number."""


def read_client_data(data: bytes) -> dict[str, object]:
    """The members of client data; numbers are all alike. Raises Refuted(CONSENT_INVALID) for anything but one JSON
    object that every reader reads the same way."""
    if not 0 < len(data) <= MAX_CLIENT_DATA:
        raise _bad("the client data are too long or empty", f"1 to {MAX_CLIENT_DATA} bytes", f"{len(data)} bytes")
    try:
        value = _decoder.decode(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise _bad("the client data are not UTF-8", "UTF-8", data) from None
    except RecursionError:
        raise _bad("the client data are nested too deeply", f"at most {MAX_DEPTH} levels", "more") from None
    except ValueError as error:
        raise _bad("the client data are not JSON", "one JSON object (RFC 8259)", str(error)) from None
    if not isinstance(value, dict):
        raise _bad("the client data are not a JSON object", "an object", type(value).__name__)
    _check_inside(value)
    return value


def _check_inside(value: object) -> None:
    """Depth, and no lone surrogate in any name or text."""
    level, depth = [value], 0
    while level:
        below: list[object] = []
        for item in level:
            if isinstance(item, str):
                if _SURROGATE.search(item):
                    raise _bad("the client data hold a lone surrogate", "whole characters", item)
            elif isinstance(item, dict):
                below += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                below += item
        depth += any(isinstance(item, (dict, list)) for item in level)
        if depth > MAX_DEPTH:
            raise _bad("the client data are nested too deeply", f"at most {MAX_DEPTH} levels", "more")
        level = below


def check_origin(origin: str, rp_id: str) -> None:
    """`origin` is spelled as a browser serialises it, and lies at `rp_id` or below it; else Refuted(CONSENT_INVALID)."""
    match = _ORIGIN.fullmatch(origin) if len(origin) <= MAX_ORIGIN else None
    if match is None:
        raise _bad("the origin is not spelled as a browser spells it", "https://host[:port]", origin, "origin")
    scheme, host, port = match["scheme"], match["host"], match["port"]
    if port is not None and (port == _OWN_PORT[scheme] or int(port) > 65_535):
        raise _bad("the origin names a port that a browser does not spell out", "none, or 1 to 65535", port, "origin")
    if len(host) > 253 or (scheme == "http" and host != "localhost"):
        raise _bad("the origin is not https", "https, or http://localhost", origin, "origin")
    if host != rp_id and not host.endswith("." + rp_id):
        raise _bad("the origin does not belong to the passkey's place", f"https at {rp_id}", origin, "origin")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name occurs twice")
    return members


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _number(_: str) -> int:
    return _NUMBER


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_number, parse_float=_number, parse_constant=_no_number
)


def _bad(sentence: str, expected: object, found: object, field: str = "client_data") -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, expected=expected, found=found, field=f"assertion.{field}")
