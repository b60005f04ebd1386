"""Where the shards of a set are reached: a file beside the head log, which no log needs to be verified."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ledger.errors import InvalidInput

FORM: Final = 'it reads {"shards": {"<origin>": "<https address>"}}'


def read_addresses(path: Path) -> dict[str, str]:
    """Origin → address, of all shards; none when there is no file. Raises InvalidInput for any other content."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} does not read ({type(error).__name__}); {FORM}") from None
    shards = said.get("shards") if isinstance(said, dict) and said.keys() == {"shards"} else None
    if not isinstance(shards, dict) or not all(isinstance(address, str) for address in shards.values()):
        raise InvalidInput(f"{path}: {FORM}")
    return {origin: checked_address(address) for origin, address in shards.items()}


def write_address(path: Path, origin: str, address: str) -> None:
    """Add or replace the address of one shard. Raises InvalidInput, OSError."""
    known = read_addresses(path) | {origin: checked_address(address)}
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(_file(known), encoding="utf-8")
    beside.replace(path)


def checked_address(address: str) -> str:
    """The address without a slash at its end. Raises InvalidInput for anything but https, or http on this machine."""
    parts = urlsplit(address)
    at_home = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if not parts.hostname or parts.query or parts.fragment or not (parts.scheme == "https" or at_home):
        raise InvalidInput(f"{address!r} is no address of a shard: https://…, or http:// on this machine")
    return address.rstrip("/")


def _file(addresses: Mapping[str, str]) -> str:
    return json.dumps({"shards": dict(sorted(addresses.items()))}, indent=1) + "\n"
