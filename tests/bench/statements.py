"""Who signs in a benchmark: one bank, one recipient, and as many active consents as wanted.

Statements are signed before the measured window and within the ledger's five minutes of freshness; what signing costs
is told beside the figures and is in none of them.
"""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import msgspec
from nacl.signing import SigningKey

from ledger.app import Ledger
from ledger.canonical import b64u, encode
from ledger.documents import key_added, registration
from ledger.entries.statement import header_text
from ledger.entries.terms import Terms
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.planning.commands import SubmitStatement

HOLDER: Final = "bank-a"
RECIPIENT: Final = "tpp-1"
DAY: Final = 86_400
PERMISSIONS: Final = ["ReadAccountsBasic", "ReadBalances", "ReadTransactionsCredits", "ReadTransactionsDetail"]
SEPARATE: Final = ["provision", "sensitive"]
DIGEST: Final = b64u(bytes(32))


def reference() -> str:
    """An opaque reference of 128 random bits."""
    return b64u(os.urandom(16))


@dataclass(frozen=True, slots=True)
class Post:
    """One submission: where it is posted, and what."""

    path: str
    statement: str
    items: tuple[str, ...] | None = None
    companion: str | None = None
    entries: int = 1
    """How many entries it makes when it is recorded."""

    @property
    def body(self) -> bytes:
        """The JSON body."""
        envelope: dict[str, Any] = {"statement": self.statement}
        if self.items is not None:
            envelope["items"] = self.items
        if self.companion is not None:
            envelope["companion"] = self.companion
        return json.dumps(envelope, separators=(",", ":")).encode()

    def prepare(self, ledger: Ledger) -> SubmitStatement:
        """The same for the library."""
        return ledger.prepare(self.statement, items=self.items, companion=self.companion)


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 statement key."""

    participant: str
    secret: bytes = field(default_factory=lambda: os.urandom(32), repr=False)

    @property
    def kid(self) -> str:
        """The key's id in the log."""
        return f"{self.participant}-1"

    def documents(self, role: str) -> list[dict[str, Any]]:
        """What the operator records about the participant and this key."""
        public = b64u(bytes(SigningKey(self.secret).verify_key))
        return [
            registration(self.participant, self.participant.title(), [role]),
            key_added(self.participant, self.kid, "EdDSA", "statement", {"crv": "Ed25519", "kty": "OKP", "x": public}),
        ]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Participants and the consents between them: what makes statements."""

    origin: str
    holder: Key = field(default_factory=lambda: Key(HOLDER))
    recipient: Key = field(default_factory=lambda: Key(RECIPIENT))
    consents: list[tuple[str, str]] = field(default_factory=list)
    """(consent id, its one account) of each active consent."""
    doomed: list[str] = field(default_factory=list)
    """Active consents that nobody reads under: a mix revokes them."""

    def settle(self, ledger: Ledger, consents: int, *, doomed: int = 0) -> None:
        """Register both participants and authorise that many consents."""
        if not ledger.registry.participants.get(self.holder.participant):
            ledger.record_documents(*self.holder.documents("holder"), *self.recipient.documents("recipient"))
        requests = [self.request() for _ in range(consents + doomed)]
        _record_all(ledger, (post for _, post in requests))
        account = {consent_id: reference() for consent_id, _ in requests}
        _record_all(ledger, (self.authorise(consent_id, account[consent_id]) for consent_id, _ in requests))
        self.consents.extend(list(account.items())[:consents])
        self.doomed.extend(list(account)[consents:])

    # -- statements -------------------------------------------------------------------------------------------------

    def sign(self, key: Key, act: str, **members: Any) -> str:
        """A statement of now."""
        members |= {
            "act": act,
            "aud": self.origin,
            "iat": int(time.time()),
            "iss": key.participant,
            "jti": reference(),
            "v": 1,
        }
        signed = f"{header_text('EdDSA', key.kid)}.{b64u(encode(members))}"
        return f"{signed}.{b64u(_signer(key.secret).sign(signed.encode()).signature)}"

    def terms(self) -> dict[str, Any]:
        """Terms of ninety days."""
        now = int(time.time()) // DAY * DAY
        return {
            "authorisers_required": 1,
            "expires_at": now + 90 * DAY,
            "frequency_per_day": 4,
            "grade": 3,
            "history_from": 0,
            "history_to": 0,
            "holder": self.holder.participant,
            "language": "en",
            "notice_hash": DIGEST,
            "once": False,
            "permissions": PERMISSIONS,
            "purpose": {"code": "budgeting", "text": "Budget planning"},
            "recipient": RECIPIENT,
            "retention_days": 90,
            "separate_consents": SEPARATE,
            "standard": "uk-ob",
            "standard_version": "v4.0",
            "starts_at": 0,
        }

    def request(self) -> tuple[str, Post]:
        """A new consent's id and its request."""
        consent_id = str(uuid.uuid4())
        return consent_id, Post(
            "/consents", self.sign(self.recipient, "consent.request", consent_id=consent_id, terms=self.terms())
        )

    def authorise(self, consent_id: str, account: str) -> Post:
        """The customer agreed."""
        statement = self.sign(
            self.holder,
            "consent.authorise",
            consent_id=consent_id,
            version=1,
            accounts=[account],
            authoriser=reference(),
            subject=reference(),
            terms_hash=b64u(msgspec.convert(self.terms(), Terms).hash()),
            sca={"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": int(time.time())},
            separate_consents=[{"given_at": int(time.time()), "kind": kind, "text_hash": DIGEST} for kind in SEPARATE],
        )
        companion = self.sign(self.holder, "subject.consent", consent_id=consent_id, subject=reference())
        return Post(f"/consents/{consent_id}/authorise", statement, companion=companion, entries=2)

    def revoke(self, consent_id: str) -> Post:
        """The customer revokes, through the holder."""
        statement = self.sign(
            self.holder, "consent.revoke", consent_id=consent_id, by="customer", reason="customer-request"
        )
        return Post(f"/consents/{consent_id}/revoke", statement)

    def access(self, number: int, *, denied: bool = False) -> Post:
        """The `number`-th access, going round the consents; a denied one asks for more than was agreed."""
        return Post("/accesses", self.sign(self.recipient, "access.request", **self._item(number, denied=denied)))

    def batch(self, number: int, items: int) -> Post:
        """One signature over many accesses."""
        bodies = [encode(self._item(number * items + at)) for at in range(items)]
        root = b64u(Edge().grow([leaf_hash(body) for body in bodies]).root)
        statement = self.sign(self.recipient, "access.batch", items_count=items, items_root=root)
        return Post("/accesses/batch", statement, items=tuple(body.decode() for body in bodies), entries=items)

    def accesses(self, count: int) -> list[Post]:
        """That many accesses."""
        return [self.access(number) for number in range(count)]

    def mix(self, count: int, seed: int = 1) -> list[Post]:
        """90 % allowed accesses, 5 % denied ones, 5 % steps of a consent's life; the same order for the same seed.

        A step is a revocation while there are consents to revoke, else a request; every other one is a request. No access
        is made under those consents, so that what is allowed does not depend on the order in which clients arrive.
        """
        chance = random.Random(seed)
        doomed = iter(self.doomed)
        posts: list[Post] = []
        for number in range(count):
            lot = chance.random()
            if lot < 0.90:
                posts.append(self.access(number))
            elif lot < 0.95:
                posts.append(self.access(number, denied=True))
            elif (victim := next(doomed, None) if lot < 0.975 else None) is not None:
                posts.append(self.revoke(victim))
            else:
                posts.append(self.request()[1])
        return posts

    def _item(self, number: int, *, denied: bool = False) -> dict[str, Any]:
        consent_id, account = self.consents[number % len(self.consents)]
        return {
            "accounts": [account],
            "consent_id": consent_id,
            "customer_present": True,
            "from": 0,
            "interaction_id": str(uuid.uuid4()),
            "permissions": ["ReadPAN" if denied else "ReadBalances"],
            "purpose": "budgeting",
            "request_digest": DIGEST,
            "to": 0,
        }


_signer: Final = lru_cache(maxsize=16)(SigningKey)


def _record_all(ledger: Ledger, posts: Iterable[Post]) -> None:
    for part in portions(posts, 256):
        for future in [ledger.submit_soon(post.prepare(ledger)) for post in part]:
            future.result(60)


def portions(things: Iterable[Post], size: int) -> Iterator[Sequence[Post]]:
    """Lists of at most `size`."""
    part: list[Post] = []
    for thing in things:
        part.append(thing)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
