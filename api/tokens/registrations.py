"""What clients have registered of themselves (RFC 7591): one row for each client, signed by the token key.

A registration says no more than where a client's customers may be sent back to, and which keys of the log came with it. Who
the client is and what it may, the log says; so a row that is lost costs its client a new registration, and one that was
written by another hand than this ledger's is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.tokens.jwt import BadToken, read_jwt
from api.tokens.keys import TokenSigner
from ledger.engines.engine import insert_into, operations_engine
from ledger.errors import Conflict, Unavailable
from ledger.storage.tables import client_registrations as _rows

LIMIT: Final = 64 * 1024
_TYP: Final = "consent-ledger-client+jwt"
_TOKEN_TYP: Final = "consent-ledger-registration+jwt"  # noqa: S105  (a type)
_MEMBERS: Final = frozenset({"kid"})


class ClientRegistration(Struct, frozen=True):
    """A client's registration."""

    client: str
    """The participant's id."""
    number: str
    """Random: one that comes after it is another one, and its tokens are its own."""
    register: str
    """Whose software statement it rests on: `iss`."""
    software_id: str
    issued_at: int
    """Seconds."""
    kids: tuple[str, ...]
    """Client keys of the log that came with it; they are revoked with it."""
    redirect_uris: tuple[str, ...]
    metadata: dict[str, Any]
    """What the client is told of it, beside its id and its token (RFC 7591 §3.2.1)."""


class Registrations:
    """The table `client_registrations`. Thread-safe; blocking; raises Unavailable when the database does not answer."""

    def __init__(self, url: str, signer: TokenSigner, issuer: str) -> None:
        self._engine = operations_engine(url)
        self._signer = signer
        self._issuer = issuer

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def of(self, client: str) -> ClientRegistration | None:
        """A client's registration; None where it has none, and for a row that this ledger has not signed."""
        with self._transaction() as connection:
            text = connection.execute(select(_rows.c.signed).where(_rows.c.client == client)).scalar_one_or_none()
        try:
            claims = self._claims(text or "", _TYP)
            found = msgspec.convert(claims, ClientRegistration)
        except (BadToken, msgspec.ValidationError):
            return None
        return found if found.client == client else None

    def add(self, registration: ClientRegistration) -> None:
        """Keep a first registration. Raises Conflict where the client has one."""
        if self.of(registration.client) is None:
            self.remove(registration.client)  # a row that is none: of another token key
        with self._transaction() as connection:
            if not self._insert(connection, registration):
                raise Conflict("this client is registered already")

    def replace(self, registration: ClientRegistration) -> None:
        """Put a registration in the place of the client's present one."""
        with self._transaction() as connection:
            connection.execute(delete(_rows).where(_rows.c.client == registration.client))
            self._insert(connection, registration)

    def remove(self, client: str) -> None:
        """Forget a client's registration."""
        with self._transaction() as connection:
            connection.execute(delete(_rows).where(_rows.c.client == client))

    # -- the registration access token (RFC 7592 §1.3) --------------------------------------------------------------------

    def token(self, registration: ClientRegistration) -> str:
        """With which the client reads, changes and ends its registration; good for as long as that is there."""
        claims = {"iss": self._issuer, "number": registration.number, "sub": registration.client}
        return self._signer.jws({"kid": self._signer.kid, "typ": _TOKEN_TYP}, claims)

    def opened(self, token: str) -> ClientRegistration:
        """The registration that a token is of. Raises BadToken."""
        claims = self._claims(token, _TOKEN_TYP)
        found = self.of(str(claims.get("sub")))
        if found is None or claims.get("iss") != self._issuer or claims.get("number") != found.number:
            raise BadToken("its registration is over")
        return found

    def is_present(self, client: str, number: object) -> bool:
        """Whether the client's registration is the one with this number."""
        found = self.of(client)
        return found is not None and found.number == number

    def _insert(self, connection: Connection, registration: ClientRegistration) -> bool:
        row = {"client": registration.client, "signed": self._signed(registration)}
        kept = connection.execute(insert_into(self._engine, _rows).values(row).on_conflict_do_nothing())
        return bool(kept.rowcount)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            raise Unavailable("the registrations of clients cannot be read or written now") from error

    def _signed(self, registration: ClientRegistration) -> str:
        return self._signer.jws({"kid": self._signer.kid, "typ": _TYP}, msgspec.to_builtins(registration))

    def _claims(self, text: str, typ: str) -> dict[str, Any]:
        jwt = read_jwt(text, typ=frozenset({typ}), members=_MEMBERS, limit=LIMIT)
        if jwt.header.get("kid") != self._signer.kid:
            raise BadToken("it is not of this ledger")
        return jwt.verified(self._signer.public)
