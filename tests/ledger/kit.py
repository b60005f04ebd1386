"""A bank, a fintech and a stranger who write to a real ledger: what the tests of the core arrange with.

Nothing here replaces a part of the ledger but the clock.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from nacl.signing import SigningKey

from ledger.app import Ledger
from ledger.assembly import NodeConfig, create_log, make_keys, open_ledger
from ledger.canonical import b64u, encode
from ledger.catalogue import OPENS_UNDER
from ledger.documents import key_added, registration
from ledger.entries.keys import jwk_of_ed25519
from ledger.planning.commands import Recorded, SubmitStatement
from tests.clocks import NOW, HandClock
from tests.databases import migrated
from tests.keys import KeyPair
from tests.ledger.merkle.reference import ReferenceTree

ORIGIN = "ledger.example/1"
BANK, FINTECH, STRANGER, OTHER_BANK = "bank-a", "fintech-b", "fintech-c", "bank-d"
TERMS_TAG = b"consent-ledger/v1/terms\0"

Document = dict[str, Any]


# -- keys ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Signer:
    """One participant's key."""

    participant: str
    kid: str
    alg: str
    jwk: dict[str, str]
    sign_bytes: Callable[[bytes], bytes]

    def sign(self, payload: bytes, *, header: bytes | None = None) -> str:
        """A compact JWS. `header`: other bytes than the one header that is right."""
        right = encode({"alg": self.alg, "kid": self.kid, "typ": "consent-statement+jwt"})
        signed = f"{b64u(right if header is None else header)}.{b64u(payload)}"
        return f"{signed}.{b64u(self.sign_bytes(signed.encode()))}"

    def key_added(self, *, use: str = "statement") -> Document:
        return key_added(self.participant, self.kid, self.alg, use, self.jwk)


def ed25519_signer(participant: str, kid: str | None = None) -> Signer:
    key = SigningKey(hashlib.sha256(f"{participant}/{kid}".encode()).digest())
    jwk = jwk_of_ed25519(bytes(key.verify_key))
    return Signer(participant, kid or f"{participant}-1", "EdDSA", jwk, lambda data: key.sign(data).signature)


def es256_signer(participant: str, kid: str) -> Signer:
    key = KeyPair.generate("ES256", kid)
    return Signer(participant, kid, "ES256", key.jwk, key.sign)


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def rsa_jwk(bits: int) -> dict[str, str]:
    modulus = rsa_key(bits).public_key().public_numbers().n
    return {"e": "AQAB", "kty": "RSA", "n": b64u(modulus.to_bytes(bits // 8))}


def ps256_signer(participant: str, kid: str) -> Signer:
    key = KeyPair.generate("PS256", kid)
    return Signer(participant, kid, "PS256", key.jwk, key.sign)


# -- documents and statements -----------------------------------------------------------------------------------------


def registered(participant: str, *roles: str) -> Document:
    return registration(participant, participant.title(), roles)


def about(kind: str, participant: str, **members: Any) -> Document:
    return {"type": kind, "v": 1, "participant": participant, **members}


_counter = itertools.count(1)


def reference(name: str = "") -> str:
    """An opaque reference: random, or always the same for a name."""
    return b64u(hashlib.sha256(name.encode()).digest()[:18] if name else os.urandom(18))


def new_consent_id() -> str:
    return str(uuid.uuid4())


def terms(**changes: Any) -> Document:
    """Acceptable terms between the bank and the fintech."""
    made = {
        "authorisers_required": 1,
        "expires_at": 0,
        "frequency_per_day": 0,
        "grade": 3,
        "history_from": 0,
        "history_to": 0,
        "holder": BANK,
        "language": "en",
        "notice_hash": b64u(bytes(32)),
        "once": False,
        "permissions": ["ReadBalances", "ReadTransactionsDetail"],
        "purpose": {"code": "budgeting", "text": "See where money goes"},
        "recipient": FINTECH,
        "retention_days": 90,
        "separate_consents": ["provision", "sensitive"],
        "standard": "uk-ob",
        "standard_version": "4.0",
        "starts_at": 0,
    }
    return {**made, **changes}


def separately(kinds: Iterable[str], at: int = NOW) -> list[Document]:
    """Separate consents of these kinds, given at `at` (ms)."""
    return [{"given_at": at // 1000, "kind": kind, "text_hash": b64u(bytes(32))} for kind in sorted(kinds)]


def terms_hash(document: Mapping[str, Any]) -> str:
    return b64u(hashlib.sha256(TERMS_TAG + encode(dict(document))).digest())


def item(consent_id: str, **changes: Any) -> Document:
    """An access item that acceptable terms allow."""
    made = {
        "accounts": [],
        "consent_id": consent_id,
        "customer_present": False,
        "from": 0,
        "to": 0,
        "interaction_id": f"interaction-{next(_counter):08d}",
        "permissions": ["ReadBalances"],
        "purpose": "budgeting",
        "request_digest": b64u(bytes(32)),
    }
    return {**made, **changes}


def payload(act: str, iss: str, at: int, **members: Any) -> bytes:
    """The payload bytes of a statement made at `at` (ms); a member that is None is left out."""
    common = {"act": act, "aud": ORIGIN, "iat": at // 1000, "iss": iss, "jti": b64u(os.urandom(16)), "v": 1}
    return encode({name: value for name, value in (common | members).items() if value is not None})


# -- a node and what can be done with it --------------------------------------------------------------------------------


@dataclass
class Node:
    """One log's files, and a real ledger on them. `record` and its friends wait for the commit."""

    config: NodeConfig
    clock: HandClock
    ledger: Ledger
    bank: Signer = field(default_factory=lambda: ed25519_signer(BANK))
    fintech: Signer = field(default_factory=lambda: ed25519_signer(FINTECH))
    stranger: Signer = field(default_factory=lambda: ed25519_signer(STRANGER))
    other_bank: Signer = field(default_factory=lambda: ed25519_signer(OTHER_BANK))
    terms_of: dict[str, Document] = field(default_factory=dict)

    def say(self, signer: Signer, act: str, **members: Any) -> str:
        """A signed statement of this moment."""
        return signer.sign(payload(act, signer.participant, self.clock.now(), **members))

    def record(self, signer: Signer, act: str, **members: Any) -> Recorded:
        return self.ledger.record(self.say(signer, act, **members))[0]

    def request(self, consent_id: str | None = None, **changes: Any) -> str:
        """A recorded `consent.request`; the consent's id."""
        consent_id = consent_id or new_consent_id()
        self.terms_of[consent_id] = terms(**changes)
        self.record(self.fintech, "consent.request", consent_id=consent_id, terms=self.terms_of[consent_id])
        return consent_id

    def authorisation(self, consent_id: str, **changes: Any) -> SubmitStatement:
        """The command of an authorisation with its companion. `customer` names the customer."""
        customer = changes.pop("customer", "alice")
        now = self.clock.now() // 1000
        members = {
            "consent_id": consent_id,
            "version": 1,
            "terms_hash": terms_hash(self.terms_of[consent_id]),
            "accounts": [reference("account-1")],
            "authoriser": reference("authoriser-" + customer),
            "subject": reference("pseudonym-" + customer),
            "sca": {"acr": "loa3", "amr": ["pwd", "otp"], "at": now},
            **self.separately(consent_id),
            **changes,
        }
        companion = self.say(self.bank, "subject.consent", consent_id=consent_id, subject=reference(customer))
        return self.ledger.prepare(self.say(self.bank, "consent.authorise", **members), companion=companion)

    def separately(self, consent_id: str) -> Document:
        """The member with all separate consents that the terms name, if they name any."""
        kinds = self.terms_of[consent_id]["separate_consents"]
        return {"separate_consents": separately(kinds, self.clock.now())} if kinds else {}

    def authorise(self, consent_id: str, **changes: Any) -> tuple[Recorded, ...]:
        return self.ledger.submit_and_wait(self.authorisation(consent_id, **changes))

    def grant(self, consent_id: str | None = None, **changes: Any) -> str:
        """A consent that is in force; its id."""
        consent_id = self.request(consent_id, **changes)
        self.authorise(consent_id)
        return consent_id

    def step(self, act: str, consent_id: str, *, by: str = "customer", signer: Signer | None = None) -> Recorded:
        return self.record(signer or self.bank, act, consent_id=consent_id, reason="as-asked", by=by)

    def revoke(self, consent_id: str) -> Recorded:
        return self.step("consent.revoke", consent_id)

    def access(self, consent_id: str, *, signer: Signer | None = None, **changes: Any) -> Recorded:
        return self.record(signer or self.fintech, "access.request", **item(consent_id, **changes))

    def batch(self, *items: Document, **members: Any) -> SubmitStatement:
        """The command of an `access.batch` of the fintech."""
        bodies = [encode(each) for each in items]
        tree = ReferenceTree([hashlib.sha256(b"\0" + body).digest() for body in bodies])
        statement = self.say(
            self.fintech,
            "access.batch",
            **{"items_count": len(items), "items_root": b64u(tree.root(len(bodies))), **members},
        )
        return self.ledger.prepare(statement, items=[body.decode() for body in bodies])

    def beside(self, name: str, *, clock: HandClock | None = None, **changes: Any) -> Ledger:
        """Another node on the same database and key store, with a high-water file of its own; not started."""
        folder = self.config.highwater_file.parent
        config = replace(self.config, highwater_file=folder / f"highwater-{name}", **changes)
        return open_ledger(config, clock=clock or self.clock)

    def restart(self) -> None:
        """Stop the node and start it again on the same files."""
        self.ledger.stop()
        self.ledger = open_ledger(self.config, clock=self.clock)
        self.ledger.start()


def found(config: NodeConfig, clock: HandClock, ruleset: int = OPENS_UNDER) -> None:
    """Make the keys, the tables and entry 0 of a new log."""
    make_keys(config, ORIGIN)
    migrated(config.database_url)
    create_log(config, clock=clock, ruleset=ruleset)


def config_for(folder: Path, database_url: str, **changes: Any) -> NodeConfig:
    return NodeConfig(
        database_url=database_url,
        keystore_url=f"sqlite:///{folder / 'keys.sqlite'}",
        log_key_file=folder / "log.key",
        kek_file=folder / "kek",
        highwater_file=folder / "highwater",
        **changes,
    )


@contextmanager
def running(
    folder: Path, database_url: str, *, clock: HandClock | None = None, ruleset: int = OPENS_UNDER, **changes: Any
) -> Iterator[Node]:
    """A new log with four participants, running."""
    clock = clock or HandClock()
    config = config_for(folder, database_url, **changes)
    found(config, clock, ruleset)
    node = Node(config, clock, open_ledger(config, clock=clock))
    node.ledger.start()
    signers = (node.bank, node.fintech, node.stranger, node.other_bank)
    try:
        node.ledger.record_documents(
            registered(BANK, "holder"),
            registered(FINTECH, "recipient"),
            registered(STRANGER, "recipient"),
            registered(OTHER_BANK, "holder"),
            *(signer.key_added() for signer in signers),
        )
        yield node
    finally:
        node.ledger.stop()
