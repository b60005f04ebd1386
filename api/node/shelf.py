"""What the rules of risk remember, in a file that this node signs; the log decides whether it is right (docs/risk.md)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import structlog

from api.tokens.keys import PublicKey, TokenSigner
from ledger.errors import InvalidInput, LedgerError
from ledger.secrets import SECRET_MODE

log = structlog.get_logger("api.node.shelf")

NAME: Final = "scoring.state"
_HEAD: Final = b"consent-ledger scoring state\n"
_SIGNATURE: Final = 64
LIMIT: Final = 1 << 30
"""Bytes: ten million consents and more."""


class FileShelf:
    """See `ledger.queries.scoring.ScoringShelf`. Several processes may write the file; each replaces it whole."""

    def __init__(self, path: Path, signer: TokenSigner, origin: str) -> None:
        self._path = path
        self._signer = signer
        self._key = PublicKey.from_jwk(signer.published)
        self._head = _HEAD + origin.encode() + b"\n"

    def get(self) -> bytes | None:
        """What this node has put there; None for anything else, which is told in the node's log."""
        try:
            if self._path.stat().st_size > LIMIT:
                raise InvalidInput("it is too large")
            signature, data = self._parts(self._path.read_bytes())
            self._key.verify(self._head + data, signature)
        except FileNotFoundError:
            return None
        except (OSError, LedgerError) as error:
            detail = error.detail if isinstance(error, LedgerError) else str(error)
            log.warning("what the rules remembered is not this node's: the log is read again", reason=detail)
            return None
        return data

    def put(self, data: bytes) -> None:
        """Replace the file. A failure is told in the node's log: the next reader then reads more of the ledger's."""
        new = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            signature = self._signer.sign(self._head + data)
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, SECRET_MODE)
            with os.fdopen(handle, "wb") as file:
                file.write(self._head + signature + data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except (OSError, LedgerError) as error:
            new.unlink(missing_ok=True)
            detail = error.detail if isinstance(error, LedgerError) else str(error)
            log.warning("what the rules remember could not be kept", reason=detail)

    def _parts(self, content: bytes) -> tuple[bytes, bytes]:
        if not content.startswith(self._head) or len(content) < len(self._head) + _SIGNATURE:
            raise InvalidInput("it is of another form, or of another log")
        rest = content[len(self._head) :]
        return rest[:_SIGNATURE], rest[_SIGNATURE:]
