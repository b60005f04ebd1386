"""A small world around a real ledger: participants who sign, consents they ask for, accesses they make.

    with running_world(engine_url, tmp_path) as world:
        bank, app = world.holder("bank-a"), world.recipient("tpp-1")
        consent = world.active_consent(app, bank)
        [access] = world.record(app.access(consent))
        world.record(bank.step("revoke", consent))

An action of a participant is a `Submission`: recorded directly (`world.record`), or sent over HTTP (`path`, `body`).
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cbor2
import msgspec

from ledger.app import Ledger
from ledger.assembly import NodeConfig, create_log, make_keys, open_ledger
from ledger.canonical import b64u, encode, unb64u
from ledger.clock import Clock, SystemClock
from ledger.documents import key_added, registration
from ledger.entries.statement import TYP
from ledger.entries.terms import Terms
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.planning.commands import Recorded, RecordIndexHead
from tests.databases import migrated
from tests.keys import KeyPair

DAY = 86_400
ORIGIN = "ledger.example/1"
PERMISSIONS = ("ReadAccountsBasic", "ReadBalances", "ReadTransactionsCredits", "ReadTransactionsDetail")
SEPARATE = ("provision", "sensitive")
"""What terms of grade 3 must name."""


def record_index_head(ledger: Ledger) -> Recorded:
    """Have the index-head over all entries so far recorded now; the one that is there if no entry has followed it."""
    while True:
        if recorded := ledger.submit_and_wait(RecordIndexHead()):  # empty: a map far behind takes several commits
            return recorded[0]


def reference() -> str:
    """A fresh opaque reference of 128 random bits."""
    return b64u(os.urandom(16))


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
        return b64u(msgspec.convert(self.terms, Terms).hash())


@dataclass
class Party:
    """A registered participant with its keys."""

    world: World
    id: str
    key: KeyPair
    client_key: KeyPair | None = None

    def sign(self, act: str, **members: Any) -> str:
        """A statement; members that are given replace the common ones, `None` removes one."""
        common = {
            "act": act,
            "aud": self.world.ledger.origin,
            "iat": self.world.clock.now() // 1000,
            "iss": self.id,
            "jti": reference(),
            "v": 1,
        }
        payload = {name: value for name, value in (common | members).items() if value is not None}
        return self.key.jws({"kid": self.key.kid, "typ": TYP}, encode(payload))

    def request(
        self, holder: Party, *, consent_id: str | None = None, **terms: Any
    ) -> tuple[ConsentInWorld, Submission]:
        """Ask `holder` for a consent; keyword arguments replace terms."""
        consent = ConsentInWorld(consent_id or str(uuid.uuid4()), self.world.terms(self, holder, **terms))
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
            "separate_consents": self.separately(consent.terms["separate_consents"]),
        }
        return Submission(
            f"/consents/{consent.consent_id}/authorise",
            self.sign("consent.authorise", **(said | members)),
            companion=self.sign("subject.consent", consent_id=consent.consent_id, subject=consent.customer),
        )

    def separately(self, kinds: Sequence[str]) -> list[dict[str, Any]] | None:
        """These separate consents as an authorisation brings them; None (no member) when there are none."""
        now = self.world.clock.now() // 1000
        return [{"given_at": now, "kind": kind, "text_hash": b64u(bytes(32))} for kind in kinds] or None

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

    def item(self, consent: ConsentInWorld, **members: Any) -> dict[str, Any]:
        """The members of one access."""
        return {
            "accounts": sorted(consent.accounts),
            "consent_id": consent.consent_id,
            "customer_present": True,
            "from": 0,
            "interaction_id": str(uuid.uuid4()),
            "permissions": ["ReadBalances"],
            "purpose": "budgeting",
            "request_digest": b64u(bytes(32)),
            "to": 0,
        } | members

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


class World:
    """A running ledger and its participants."""

    def __init__(self, ledger: Ledger, clock: Clock | None = None) -> None:
        self.ledger = ledger
        self.clock = clock or SystemClock()
        self.parties: dict[str, Party] = {}

    def join(self, participant: str, *roles: str, alg: str = "EdDSA", client: bool = True) -> Party:
        """Register a participant with a statement key `<id>-1` and, unless told otherwise, a client key `<id>-client`."""
        party = Party(self, participant, KeyPair.generate(alg, f"{participant}-1"))
        documents: list[dict[str, Any]] = [
            registration(participant, participant.title(), roles),
            self.key_added(participant, party.key, "statement"),
        ]
        if client:
            party.client_key = KeyPair.generate("ES256", f"{participant}-client")
            documents.append(self.key_added(participant, party.client_key, "client"))
        self.ledger.record_documents(*documents)
        self.parties[participant] = party
        return party

    @staticmethod
    def key_added(participant: str, key: KeyPair, use: str) -> dict[str, Any]:
        """The operator document that registers a key."""
        return key_added(participant, key.kid, key.alg, use, key.jwk)

    def holder(self, participant: str = "bank-a", **kwargs: Any) -> Party:
        return self.join(participant, "holder", **kwargs)

    def recipient(self, participant: str = "tpp-1", **kwargs: Any) -> Party:
        return self.join(participant, "recipient", **kwargs)

    def terms(self, recipient: Party, holder: Party, **replaced: Any) -> dict[str, Any]:
        """Acceptable terms; keyword arguments replace members."""
        return {
            "authorisers_required": 1,
            "expires_at": self.clock.now() // 1000 + 90 * DAY,
            "frequency_per_day": 4,
            "grade": 3,
            "history_from": 0,
            "history_to": 0,
            "holder": holder.id,
            "language": "en",
            "notice_hash": b64u(bytes(32)),
            "once": False,
            "permissions": sorted(PERMISSIONS),
            "purpose": {"code": "budgeting", "text": "Budget planning"},
            "recipient": recipient.id,
            "retention_days": 90,
            "separate_consents": list(SEPARATE),
            "standard": "uk-ob",
            "standard_version": "v4.0",
            "starts_at": 0,
        } | replaced

    def record(self, submission: Submission) -> tuple[Recorded, ...]:
        """Submit and wait."""
        return self.ledger.record(
            submission.statement, items=submission.items, companion=submission.companion, assertion=submission.assertion
        )

    def requested_consent(self, recipient: Party, holder: Party, **terms: Any) -> ConsentInWorld:
        """A consent that waits for its customer."""
        consent, submission = recipient.request(holder, **terms)
        self.record(submission)
        return consent

    def active_consent(self, recipient: Party, holder: Party, **terms: Any) -> ConsentInWorld:
        """A consent that was asked for and authorised."""
        consent = self.requested_consent(recipient, holder, **terms)
        self.record(holder.authorise(consent))
        return consent


def node_config(database_url: str, folder: Path) -> NodeConfig:
    """A node's configuration with all its files in `folder`."""
    return NodeConfig(
        database_url, f"sqlite:///{folder / 'keys.sqlite'}", folder / "log.key", folder / "kek", folder / "highwater"
    )


@contextmanager
def running_ledger(
    database_url: str, folder: Path, *, clock: Clock | None = None, origin: str = ORIGIN
) -> Iterator[Ledger]:
    """A new log in an empty database, running; stopped at the end."""
    config = node_config(database_url, folder)
    make_keys(config, origin)
    migrated(database_url)
    create_log(config, clock=clock)
    ledger = open_ledger(config, clock=clock)
    ledger.start()
    try:
        yield ledger
    finally:
        ledger.stop()


@contextmanager
def running_world(
    database_url: str, folder: Path, *, clock: Clock | None = None, origin: str = ORIGIN
) -> Iterator[World]:
    """A new log without participants."""
    with running_ledger(database_url, folder, clock=clock, origin=origin) as ledger:
        yield World(ledger, clock)
