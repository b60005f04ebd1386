"""Worlds: a running ledger and its participants, in files of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ledger.app import Ledger
from ledger.assembly import NodeConfig, create_log, make_keys, open_ledger
from ledger.canonical import b64u, encode
from ledger.catalogue import OPENS_UNDER
from ledger.clock import Clock, SystemClock
from ledger.documents import key_added
from ledger.planning.commands import Recorded, RecordIndexHead, SubmitStatement
from tests.clocks import HandClock
from tests.databases import migrated
from tests.keys import KeyPair
from tests.ledger.merkle.reference import ReferenceTree
from tests.world.parties import ConsentInWorld, Party, Signer, Submission
from tests.world.saying import (
    BANK,
    DAY,
    FINTECH,
    ORIGIN,
    OTHER_BANK,
    STRANGER,
    Document,
    item,
    new_consent_id,
    reference,
    registered,
    separately,
    terms,
    terms_hash,
)

PERMISSIONS = ("ReadAccountsBasic", "ReadBalances", "ReadTransactionsCredits", "ReadTransactionsDetail")


def record_index_head(ledger: Ledger) -> Recorded:
    """Have the index-head over all entries so far recorded now; the one that is there if no entry has followed it."""
    while True:
        if recorded := ledger.submit_and_wait(RecordIndexHead()):  # empty: a map far behind takes several commits
            return recorded[0]


class World:
    """A running ledger and its participants."""

    def __init__(self, ledger: Ledger, clock: Clock | None = None) -> None:
        self.ledger = ledger
        self.clock = clock or SystemClock()
        self.parties: dict[str, Party] = {}

    def join(self, participant: str, *roles: str, alg: str = "EdDSA", client: bool = True) -> Party:
        """Register a participant with a statement key `<id>-1` and, unless told otherwise, a client key `<id>-client`."""
        party = Party(participant, KeyPair.generate(alg, f"{participant}-1"), self)
        documents: list[dict[str, Any]] = [
            registered(participant, *roles),
            party.key_added(),
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
        made = {
            "expires_at": self.clock.now() // 1000 + 90 * DAY,
            "frequency_per_day": 4,
            "holder": holder.id,
            "permissions": sorted(PERMISSIONS),
            "recipient": recipient.id,
        }
        return terms(**made | replaced)

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


class Node(World):
    """One log's files, a real ledger on them, and four participants, whose acts are recorded at once."""

    clock: HandClock

    def __init__(self, config: NodeConfig, clock: HandClock, ledger: Ledger | None = None) -> None:
        super().__init__(ledger or open_ledger(config, clock=clock), clock)
        self.config = config
        self.terms_of: dict[str, Document] = {}
        self.bank, self.fintech, self.stranger, self.other_bank = (
            self.party(name) for name in (BANK, FINTECH, STRANGER, OTHER_BANK)
        )

    def party(self, participant: str, kid: str | None = None) -> Party:
        """A participant with the key `kid`, by default `<participant>-1`. Nothing is recorded."""
        return Party(participant, Signer.named(participant, kid).key, self)

    def register(self, roles: Mapping[str, str]) -> list[Party]:
        """Register a participant for each name, then the key of each."""
        parties = [self.party(name) for name in roles]
        self.ledger.record_documents(
            *(registered(name, role) for name, role in roles.items()), *(party.key_added() for party in parties)
        )
        self.parties |= {party.id: party for party in parties}
        return parties

    def request(self, consent_id: str | None = None, **changes: Any) -> str:
        """A recorded `consent.request`; the consent's id."""
        consent_id = consent_id or new_consent_id()
        self.terms_of[consent_id] = terms(**changes)
        self.fintech.record("consent.request", consent_id=consent_id, terms=self.terms_of[consent_id])
        return consent_id

    def authorisation(self, consent_id: str, **changes: Any) -> SubmitStatement:
        """The command of an authorisation with its companion. `customer` names the customer."""
        customer = changes.pop("customer", "alice")
        kinds = self.terms_of[consent_id]["separate_consents"]
        members = {
            "consent_id": consent_id,
            "version": 1,
            "terms_hash": terms_hash(self.terms_of[consent_id]),
            "accounts": [reference("account-1")],
            "authoriser": reference("authoriser-" + customer),
            "subject": reference("pseudonym-" + customer),
            "sca": {"acr": "loa3", "amr": ["pwd", "otp"], "at": self.clock.now() // 1000},
            "separate_consents": separately(kinds, self.clock.now()) or None,
            **changes,
        }
        companion = self.bank.sign("subject.consent", consent_id=consent_id, subject=reference(customer))
        return self.ledger.prepare(self.bank.sign("consent.authorise", **members), companion=companion)

    def authorise(self, consent_id: str, **changes: Any) -> tuple[Recorded, ...]:
        return self.ledger.submit_and_wait(self.authorisation(consent_id, **changes))

    def grant(self, consent_id: str | None = None, **changes: Any) -> str:
        """A consent that is in force; its id."""
        consent_id = self.request(consent_id, **changes)
        self.authorise(consent_id)
        return consent_id

    def step(self, act: str, consent_id: str, *, by: str = "customer", signer: Party | None = None) -> Recorded:
        return (signer or self.bank).record(act, consent_id=consent_id, reason="as-asked", by=by)

    def revoke(self, consent_id: str) -> Recorded:
        return self.step("consent.revoke", consent_id)

    def access(self, consent_id: str, *, signer: Party | None = None, **changes: Any) -> Recorded:
        return (signer or self.fintech).record("access.request", **item(consent_id, **changes))

    def batch(self, *items: Document, **members: Any) -> SubmitStatement:
        """The command of an `access.batch` of the fintech."""
        bodies = [encode(each) for each in items]
        tree = ReferenceTree([hashlib.sha256(b"\0" + body).digest() for body in bodies])
        said = {"items_count": len(items), "items_root": b64u(tree.root(len(bodies))), **members}
        statement = self.fintech.sign("access.batch", **said)
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


def node_config(database_url: str, folder: Path, **changes: Any) -> NodeConfig:
    """A node's configuration with all its files in `folder`."""
    return NodeConfig(
        database_url=database_url,
        keystore_url=f"sqlite:///{folder / 'keys.sqlite'}",
        log_key_file=folder / "log.key",
        kek_file=folder / "kek",
        highwater_file=folder / "highwater",
        **changes,
    )


def found(config: NodeConfig, clock: Clock | None = None, *, origin: str = ORIGIN, ruleset: int = OPENS_UNDER) -> None:
    """Make the keys, the tables and entry 0 of a new log."""
    make_keys(config, origin)
    migrated(config.database_url)
    create_log(config, clock=clock, ruleset=ruleset)


@contextmanager
def running_ledger(
    database_url: str, folder: Path, *, clock: Clock | None = None, origin: str = ORIGIN
) -> Iterator[Ledger]:
    """A new log in an empty database, running; stopped at the end."""
    config = node_config(database_url, folder)
    found(config, clock, origin=origin)
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


@contextmanager
def running(
    database_url: str, folder: Path, *, clock: HandClock | None = None, ruleset: int = OPENS_UNDER, **changes: Any
) -> Iterator[Node]:
    """A new log with four participants, running."""
    clock = clock or HandClock()
    config = node_config(database_url, folder, **changes)
    found(config, clock, ruleset=ruleset)
    node = Node(config, clock)
    node.ledger.start()
    try:
        node.register({BANK: "holder", FINTECH: "recipient", STRANGER: "recipient", OTHER_BANK: "holder"})
        yield node
    finally:
        node.ledger.stop()
