"""Making and running a witness for another party's log (docs/witnesses.md)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from api.http.httpserver import run
from api.witness.server import WitnessService
from api.witness.store import WitnessStore
from ledger.clock import SystemClock
from ledger.errors import BadEncoding, InvalidInput
from ledger.notes.keys import COSIGNATURE, ED25519, Cosigner, VerifierKey, format_secret_key, parse_cosigner, parse_vkey
from ledger.secrets import read_secret, write_secret

KEY_FILE = "witness.key"
STORE_FILE = "witness.sqlite"


def make_witness(folder: Path, name: str) -> VerifierKey:
    """A key for a new witness in `folder`; its public half. Raises Conflict when there is one, InvalidInput."""
    secret = format_secret_key(name, os.urandom(32), key_type=COSIGNATURE)
    write_secret(folder / KEY_FILE, f"{secret}\n".encode())
    return read_cosigner(folder).vkey


def read_cosigner(folder: Path) -> Cosigner:
    """The key of the witness in `folder`. Raises NotFound, InvalidInput."""
    try:
        return parse_cosigner(read_secret(folder / KEY_FILE).decode().strip())
    except (BadEncoding, UnicodeDecodeError):
        raise InvalidInput(f"{folder / KEY_FILE} does not hold a witness's key") from None


def open_witness(folder: Path, logs: list[str]) -> WitnessService:
    """The witness in `folder` for logs given by their verifier keys. Raises NotFound, InvalidInput, BadEncoding."""
    keys = [parse_vkey(log) for log in logs]
    if not keys or any(key.key_type != ED25519 for key in keys) or len(set(keys)) != len(keys):
        raise InvalidInput(
            "name at least one log by its verifier key, and each key once; a log that changes its key has two"
        )
    cosigner = read_cosigner(folder)
    return WitnessService(cosigner, logs_of(keys), WitnessStore(folder / STORE_FILE), SystemClock())


def logs_of(keys: Sequence[VerifierKey]) -> dict[str, tuple[VerifierKey, ...]]:
    """The keys of each log, by its origin: several while a log changes its key, and for ever after."""
    return {key.name: tuple(one for one in keys if one.name == key.name) for key in keys}


def serve_witness(folder: Path, logs: list[str], port: int) -> None:
    """Serve on loopback until told to stop; a proxy in front ends TLS. Raises what `open_witness` raises."""
    run(open_witness(folder, logs), host="127.0.0.1", port=port, lifespan="off")
