"""Who signs: participants with their keys, and what they submit."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.canonical import b64u, encode, unb64u
from ledger.documents import key_added
from ledger.entries.statement import TYP
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.planning.commands import Recorded
from tests.keys import KeyPair
from tests.world.saying import Document, item, new_consent_id, payload, reference, separately, terms_hash

if TYPE_CHECKING:
    from tests.world.worlds import World


def passkey(key: KeyPair) -> bytes:
    """The COSE form of a P-256 or Ed25519 public key (RFC 9053), as a browser makes it."""
    x = unb64u(key.jwk["x"])
    if key.alg == "EdDSA":
        return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: x})
    return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: unb64u(key.jwk["y"])})


@dataclass(frozen=True)
class Submission:
    """A statement with what travels beside it, and where it is posted."""

    path: str
    statement: str
    items: tuple[str, ...] | None = None
    companion: str | None = None
    assertion: str | None = None

    @property
    def envelope(self) -> dict[str, Any]:
        """The JSON body of a POST, decoded."""
        envelope: dict[str, Any] = {"statement": self.statement}
        if self.items is not None:
            envelope["items"] = list(self.items)
        if self.companion is not None:
            envelope["companion"] = self.companion
        if self.assertion is not None:
            envelope["assertion"] = self.assertion
        return envelope

    @property
    def body(self) -> bytes:
        return json.dumps(self.envelope).encode()


@dataclass(frozen=True)
class ConsentInWorld:
    """What everybody in a test knows about one consent."""

    consent_id: str
    terms: dict[str, Any]
    version: int = 1
    accounts: tuple[str, ...] = field(default_factory=lambda: (reference(),))
    subject: str = field(default_factory=reference)
    customer: str = field(default_factory=reference)
    """The holder's own reference for the customer."""

    @property
    def terms_hash(self) -> str:
        return terms_hash(self.terms)


@dataclass
class Signer:
    """A participant's id with its statement key."""

    id: str
    key: KeyPair

    @classmethod
    def named(cls, participant: str, kid: str | None = None, alg: str = "EdDSA") -> Signer:
        """With the key `kid`, by default `<participant>-1`; the same one at every call if it is an Ed25519 key."""
        kid = kid or f"{participant}-1"
        if alg != "EdDSA":
            return cls(participant, KeyPair.generate(alg, kid))
        seed = hashlib.sha256(f"{participant}/{kid}".encode()).digest()
        return cls(participant, KeyPair(alg, kid, Ed25519PrivateKey.from_private_bytes(seed)))

    def jws(self, payload: bytes, *, header: bytes | None = None) -> str:
        """A statement with this payload. `header`: other bytes than the one header that is right."""
        return self.key.jws({"kid": self.key.kid, "typ": TYP} if header is None else header, payload)

    def key_added(self, *, use: str = "statement") -> Document:
        """The operator document that registers the key."""
        return key_added(self.id, self.key.kid, self.key.alg, use, self.key.jwk)


@dataclass
class Party(Signer):
    """A participant of a world, with its keys."""

    world: World
    client_key: KeyPair | None = None

    def sign(self, act: str, **members: Any) -> str:
        """A statement; members that are given replace the common ones, `None` removes one."""
        said = {"aud": self.world.ledger.origin} | members
        return self.jws(payload(act, self.id, self.world.clock.now(), **said))

    def record(self, act: str, **members: Any) -> Recorded:
        """Sign, submit and wait."""
        return self.world.ledger.record(self.sign(act, **members))[0]

    def request(
        self, holder: Party, *, consent_id: str | None = None, **terms: Any
    ) -> tuple[ConsentInWorld, Submission]:
        """Ask `holder` for a consent; keyword arguments replace terms."""
        consent = ConsentInWorld(consent_id or new_consent_id(), self.world.terms(self, holder, **terms))
        statement = self.sign("consent.request", consent_id=consent.consent_id, terms=consent.terms)
        return consent, Submission("/consents", statement)

    def amend(self, consent: ConsentInWorld, **terms: Any) -> tuple[ConsentInWorld, Submission]:
        """Propose new terms."""
        after = replace(consent, terms=consent.terms | terms, version=consent.version + 1)
        statement = self.sign(
            "consent.amend", consent_id=consent.consent_id, previous_version=consent.version, terms=after.terms
        )
        return after, Submission(f"/consents/{consent.consent_id}/amend", statement)

    def authorise(self, consent: ConsentInWorld, **members: Any) -> Submission:
        """The customer agreed: authorisation and its companion."""
        said = {
            "accounts": sorted(consent.accounts),
            "authoriser": reference(),
            "consent_id": consent.consent_id,
            "sca": {"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": self.world.clock.now() // 1000},
            "subject": consent.subject,
            "terms_hash": consent.terms_hash,
            "version": consent.version,
            "separate_consents": separately(consent.terms["separate_consents"], self.world.clock.now()) or None,
        }
        return Submission(
            f"/consents/{consent.consent_id}/authorise",
            self.sign("consent.authorise", **(said | members)),
            companion=self.sign("subject.consent", consent_id=consent.consent_id, subject=consent.customer),
        )

    def step(
        self,
        step: str,
        consent: ConsentInWorld,
        *,
        by: str = "customer",
        reason: str = "customer-request",
        **members: Any,
    ) -> Submission:
        """Any act that says who wanted it and why: `reject`, `suspend`, `resume`, `pause`, `revoke`, `withdraw_accounts`…"""
        statement = self.sign(f"consent.{step}", consent_id=consent.consent_id, by=by, reason=reason, **members)
        return Submission(f"/consents/{consent.consent_id}/{step}", statement)

    def change(self, change: str, consent: ConsentInWorld, **members: Any) -> Submission:
        """Any other act about a consent, such as `reauthenticate`."""
        statement = self.sign(f"consent.{change}", consent_id=consent.consent_id, **members)
        return Submission(f"/consents/{consent.consent_id}/{change}", statement)

    def item(self, consent: ConsentInWorld, **members: Any) -> Document:
        """The members of one access."""
        return item(consent.consent_id, **{"accounts": sorted(consent.accounts), "customer_present": True} | members)

    def access(self, consent: ConsentInWorld, **members: Any) -> Submission:
        """Ask to read data now."""
        return Submission("/accesses", self.sign("access.request", **self.item(consent, **members)))

    def batch(self, items: Sequence[dict[str, Any]], **members: Any) -> Submission:
        """One signature over many accesses."""
        bodies = [encode(item) for item in items]
        root = b64u(Edge().grow([leaf_hash(body) for body in bodies]).root)
        statement = self.sign("access.batch", **({"items_count": len(bodies), "items_root": root} | members))
        return Submission("/accesses/batch", statement, items=tuple(body.decode() for body in bodies))

    def leg(self, leg: str, consent: ConsentInWorld, access: Recorded, **members: Any) -> Submission:
        """`release` or `receive`: what was delivered under a decision."""
        evidence = json.loads(access.evidence or b"{}")
        says = msgspec.json.decode(unb64u(evidence["statements"][0].split(".")[1]))
        said = {
            "basis": access.index,
            "bytes": 512,
            "consent_id": consent.consent_id,
            "digest": b64u(bytes(32)),
            "interaction_id": says["interaction_id"],
            "rows": 3,
        }
        return Submission(f"/accesses/{leg}", self.sign(f"access.{leg}", **(said | members)))

    def enrol(self, subject: str, **members: Any) -> Submission:
        """Bind a passkey to a customer."""
        said = {
            "credential_id": b64u(os.urandom(16)),
            "public_key": b64u(passkey(KeyPair.generate("ES256"))),
            "rp_id": "bank.example",
            "sca": {"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": self.world.clock.now() // 1000},
            "subject": subject,
        }
        return Submission("/subjects/enrol", self.sign("subject.enrol", **(said | members)))
