"""A planning desk without a database: a state, a registry, and plans made one after another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from ledger.canonical import b64u, encode
from ledger.entries.evidence import encode_place
from ledger.entries.leaf import NO_HASH
from ledger.entries.statement import parse_item, parse_statement
from ledger.errors import (
    LedgerError,
)
from ledger.planning.commands import (
    BatchItem,
    Command,
    SubmitStatement,
)
from ledger.planning.plan import plan_batch
from ledger.planning.world import Plan, World
from tests.clocks import NOW
from tests.ledger.consents import registry
from tests.world import (
    BANK,
    FINTECH,
    OTHER_BANK,
    STRANGER,
    Document,
    Signer,
    item,
    new_consent_id,
    payload,
    reference,
    separately,
    terms,
    terms_hash,
)

SIGNERS = {name: Signer.named(name) for name in (BANK, FINTECH, STRANGER, OTHER_BANK)}
REGISTRY = registry(*(signer.key_added() for signer in SIGNERS.values()))


class Desk:
    """A world to plan in, and hands to sign with."""

    def __init__(self, *more: Document) -> None:
        known = registry(*(signer.key_added() for signer in SIGNERS.values()), *more) if more else REGISTRY
        self.world = World(known.size, NOW, NO_HASH, known, {}, {}, {}, awaited=frozenset(range(1_000)))

    def plan(self, *commands: Command, map_root: bytes | None = None) -> Plan:
        return plan_batch(self.world, commands, openings(), map_root)

    def one(self, command: Command) -> Any:
        return self.plan(command).results[0]

    def say(self, who: str, act: str, **members: Any) -> SubmitStatement:
        text = SIGNERS[who].jws(payload(act, who, NOW, **members))
        return SubmitStatement(parse_statement(text, self.world.registry.check_signature))

    def request(self, consent_id: str, **changes: Any) -> SubmitStatement:
        return self.say(FINTECH, "consent.request", consent_id=consent_id, terms=terms(**changes))

    def authorise(self, consent_id: str, *, companion: dict[str, Any] | None = None, **members: Any) -> SubmitStatement:
        link = {"consent_id": consent_id, "subject": reference("alice"), **(companion or {})}
        signer = link.pop("signer", BANK)
        given = {
            "consent_id": consent_id,
            "version": 1,
            "terms_hash": terms_hash(terms()),
            "accounts": [reference("a")],
            "authoriser": reference("alice"),
            "subject": reference("p"),
            "sca": {"acr": "loa3", "amr": [], "at": NOW // 1000},
            "separate_consents": separately(["provision", "sensitive"]),
            **members,
        }
        act = self.say(BANK, "consent.authorise", **given)
        return SubmitStatement(act.statement, companion=self.say(signer, "subject.consent", **link).statement)

    def grant(self, **changes: Any) -> str:
        consent_id = new_consent_id()
        told = self.plan(
            self.request(consent_id, **changes), self.authorise(consent_id, terms_hash=terms_hash(terms(**changes)))
        )
        assert not any(isinstance(result, LedgerError) for result in told.results)
        return consent_id

    def revoke(self, consent_id: str) -> SubmitStatement:
        return self.say(BANK, "consent.revoke", consent_id=consent_id, reason="as-asked", by="customer")

    def access(self, consent_id: str, who: str = FINTECH, **changes: Any) -> SubmitStatement:
        return self.say(who, "access.request", **item(consent_id, **changes))

    def batch(self, *consent_ids: str) -> SubmitStatement:
        bodies = [encode(item(consent_id)) for consent_id in consent_ids]
        read = [
            BatchItem(parse_item(body), encode_place(body.decode(), f'"{b64u(bytes([n]) * 32)}",', n))
            for n, body in enumerate(bodies)
        ]
        said = self.say(FINTECH, "access.batch", items_count=len(bodies), items_root=b64u(bytes(32)))
        return SubmitStatement(said.statement, tuple(read))


def openings() -> Iterator[bytes]:
    return (number.to_bytes(32) for number in itertools.count(1))


def reasons(plan: Plan, index: int) -> tuple[str, ...]:
    entry = next(entry for entry in plan.entries if entry.index == index)
    return entry.outcome.reasons  # type: ignore[union-attr]
