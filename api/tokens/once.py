"""One-time tokens: remembered until they expire, in a table that all processes share."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.exc import DBAPIError

from api.tokens.jwt import BadToken
from ledger.engines.engine import insert_into, is_file, make_tables, token_engine
from ledger.errors import Unavailable
from ledger.storage.tables import seen_tokens

SWEEP_SECONDS: Final = 60.0
_AMONG: Final = select(seen_tokens.c.digest).where(seen_tokens.c.digest.in_(bindparam("digests", expanding=True)))
REVOKED: Final = "revoked"
"""The kind under which a revoked access token is noted, until it would have expired."""


class Use(NamedTuple):
    """One use of a one-time token, good until `expires_at` (seconds)."""

    kind: str
    owner: str
    jti: str
    expires_at: float
    token: bytes = b""
    """Digest of the access token that it comes with, as `given_back` makes it; empty when it comes with none."""

    @property
    def digest(self) -> bytes:
        """What is remembered of it."""
        return _digest(self.kind, self.owner, self.jti)


def given_back(client: str, jti: str) -> bytes:
    """The digest of an access token that its client has revoked (RFC 7009)."""
    return _digest(REVOKED, client, jti)


class Once:
    """Lets each token through once. Thread-safe; blocking."""

    def __init__(self, url: str) -> None:
        self._engine = token_engine(url)
        noted: tuple[Any, ...] = (seen_tokens.c.digest,)
        if is_file(url):  # a file of its own; on PostgreSQL the migrations make the table
            make_tables(self._engine, [seen_tokens])
        else:
            # What a power cut loses has expired, or nearly, when the machine is back: this commit need not wait for the
            # disk. The statement itself says so, so that no session is left in which a commit of the log would not wait.
            noted += (func.set_config("synchronous_commit", "off", True),)
        # made once: building a statement costs more than running it
        self._note = insert_into(self._engine, seen_tokens).on_conflict_do_nothing().returning(*noted)
        self._swept = time.monotonic()
        self._lock = threading.Lock()

    def use(self, kind: str, owner: str, jti: str, expires_at: float) -> None:
        """Note the use of a token that is good until `expires_at` (seconds). Raises BadToken the second time, Unavailable."""
        [refused] = self.use_all([Use(kind, owner, jti, expires_at)])
        if isinstance(refused, BadToken):
            raise refused

    def use_all(self, uses: Sequence[Use]) -> list[BadToken | bool]:
        """Note many uses in one transaction; for each, why it is refused, or whether its access token was given back.

        Raises Unavailable.
        """
        digests = [use.digest for use in uses]
        values = {
            digest: {"digest": digest, "expires_at": int(use.expires_at) + 1}
            for digest, use in zip(digests, uses, strict=True)
        }
        try:
            with self._engine.begin() as connection:
                fresh = set(connection.execute(self._note, list(values.values())).scalars())
                tokens = {use.token for use in uses if use.token}
                revoked = set(connection.execute(_AMONG, {"digests": list(tokens)}).scalars()) if tokens else set()
                if self._sweep_is_due():
                    connection.execute(delete(seen_tokens).where(seen_tokens.c.expires_at < int(time.time())))
        except DBAPIError as error:
            raise Unavailable(f"the token store does not answer: {type(error.orig).__name__}") from error
        return [_refusal(use.digest, fresh) or use.token in revoked for use in uses]

    def seen(self, kind: str, owner: str, jti: str) -> bool:
        """Whether `use` was called with these before. Raises Unavailable."""
        try:
            with self._engine.connect() as connection:
                return connection.execute(_AMONG, {"digests": [_digest(kind, owner, jti)]}).one_or_none() is not None
        except DBAPIError as error:
            raise Unavailable(f"the token store does not answer: {type(error.orig).__name__}") from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _sweep_is_due(self) -> bool:
        with self._lock:
            due = time.monotonic() - self._swept > SWEEP_SECONDS
            if due:
                self._swept = time.monotonic()
            return due


def _digest(kind: str, owner: str, jti: str) -> bytes:
    return hashlib.sha256(f"{kind}\0{owner}\0{jti}".encode()).digest()


def _refusal(digest: bytes, fresh: set[bytes]) -> BadToken | None:
    """Of two equal ones that came together the first is taken: it uses its digest up."""
    if digest not in fresh:
        return BadToken("it was used before")
    fresh.remove(digest)
    return None
