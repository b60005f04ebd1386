"""What people at work have written, beside the log: orders that wait for a second officer, words behind a `text_hash`."""

from __future__ import annotations

import hmac
import os
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Engine, insert, select, update

from api.web.sealing import place
from api.web.tables import papers
from ledger.canonical import b64u
from ledger.vault.cipher import Cipher

LISTED: Final = 100
WORDS: Final = 4_000
"""The longest text of an incident, in characters."""

OrderKind = Literal[
    "attestation.approved",
    "conformance.certified",
    "disclosure",
    "freeze.ordered",
    "freeze.lifted",
    "hold.placed",
    "hold.lifted",
    "remit.granted",
    "remit.ended",
]
OrderState = Literal["asked", "done", "withdrawn"]


class OfficersOrder(Struct, frozen=True, kw_only=True):
    """What one person has asked for and a second one may put on record: an order of the operator, or evidence that a regulator
    opens. `made_at` in milliseconds."""

    id: str
    kind: OrderKind
    members: dict[str, Any]
    """The document's, without `approved_by` and what follows from the time at which it is recorded."""
    seconds: int
    """How long it lasts from then on; 0: until it is lifted, or it is an end itself."""
    asked_by: str
    made_at: int
    touches: int = 0
    """How many active consents it touched when it was asked for."""
    state: OrderState = "asked"
    index: int = -1
    """The entry that put it on record."""
    version: int = 0


class _Words(Struct, frozen=True):
    key: str
    text: str


_orders: Final = msgspec.json.Decoder(OfficersOrder)
_words: Final = msgspec.json.Decoder(_Words)
_encode: Final = msgspec.json.Encoder().encode


class Papers:
    """In the pages' own database, sealed under its key."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        self._engine = engine
        self._cipher = cipher

    # -- words ------------------------------------------------------------------------------------------------------

    def keep_words(self, text: str, made_at: int) -> str:
        """Keep words, and give their `text_hash`: HMAC-SHA256 under 32 random bytes that are kept with them."""
        key = os.urandom(32)
        hashed = b64u(hmac.digest(key, text.encode(), "sha256"))
        sealed = self._cipher.seal(_encode(_Words(b64u(key), text)), _place(hashed))
        with self._engine.begin() as connection:
            row = {"id": hashed, "kind": "words", "made_at": made_at, "version": 0, "sealed": sealed}
            connection.execute(insert(papers).values(**row))
        return hashed

    def words(self, text_hash: str) -> str:
        """The words of a hash; empty when they are kept elsewhere."""
        query = select(papers.c.sealed).where(papers.c.id == text_hash, papers.c.kind == "words")
        with self._engine.connect() as connection:
            sealed = connection.execute(query).scalar_one_or_none()
        return "" if sealed is None else _words.decode(self._cipher.open(sealed, _place(text_hash))).text

    # -- orders -----------------------------------------------------------------------------------------------------

    def ask(self, order: OfficersOrder) -> None:
        """Keep an order for the second officer."""
        row = {"id": order.id, "kind": "order", "made_at": order.made_at, "version": 0}
        with self._engine.begin() as connection:
            connection.execute(insert(papers).values(sealed=self._sealed(order), **row))

    def orders(self) -> list[OfficersOrder]:
        """The newest LISTED orders, the newest first."""
        query = select(papers.c.id, papers.c.sealed).where(papers.c.kind == "order").order_by(papers.c.made_at.desc())
        with self._engine.connect() as connection:
            rows = connection.execute(query.limit(LISTED)).all()
        return [_orders.decode(self._cipher.open(row.sealed, _place(row.id))) for row in rows]

    def order(self, number: str) -> OfficersOrder | None:
        """The order of this number."""
        query = select(papers.c.sealed).where(papers.c.id == number, papers.c.kind == "order")
        with self._engine.connect() as connection:
            sealed = connection.execute(query).scalar_one_or_none()
        return None if sealed is None else _orders.decode(self._cipher.open(sealed, _place(number)))

    def answer(self, known: OfficersOrder, **changes: object) -> bool:
        """Replace members of an order that is still as it is `known`; False when somebody was faster."""
        answered = structs.replace(known, version=known.version + 1, **changes)
        same = (papers.c.id == known.id) & (papers.c.version == known.version)
        with self._engine.begin() as connection:
            values = {"version": answered.version, "sealed": self._sealed(answered)}
            return bool(connection.execute(update(papers).where(same).values(**values)).rowcount)

    def _sealed(self, order: OfficersOrder) -> bytes:
        return self._cipher.seal(_encode(order), _place(order.id))


def _place(name: str) -> bytes:
    return place("papers", name.encode())
