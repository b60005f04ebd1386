"""Rehearses a rule: the accesses of a period are decided again with a draft in force (docs/supervision.md).

Nothing is recorded. The later effects of a denial are not simulated: each access is decided on the state that the
entries before it lead to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct
from sqlalchemy import Connection, select

from ledger.canonical import unb64u
from ledger.catalogue import CATALOGUES
from ledger.consent.acceptance import check_terms
from ledger.consent.state import Consent
from ledger.documents import PurposeDefined, document_of, parse_document
from ledger.entries.acts import AssessmentRequire, ConsentAmend, ConsentRequest
from ledger.entries.evidence import AccessOutcome, Evidence, decode_evidence
from ledger.entries.leaf import CommitmentLeaf, OperatorLeaf, parse_leaf
from ledger.entries.payload import acting_for
from ledger.entries.scope import Scope
from ledger.entries.statement import payload_of
from ledger.errors import Corrupt, InvalidInput, Refused
from ledger.participants import Registry
from ledger.policy.decision import decide
from ledger.storage.log import LogStore
from ledger.storage.replay import Replay, Unfit, Unjudged
from ledger.storage.spill import Spill
from ledger.storage.standing import item_of, open_entry, recorded_payload
from ledger.storage.tables import entries
from ledger.supervision import OPERATOR, Freeze, Requirement
from ledger.vault.keystore import KeyStore

LIMIT: Final = 65_536
"""The longest draft, in bytes."""
PAGE: Final = 500
_EVER: Final = 2**53 // 1000
_FOREIGN: Final = frozenset({"CONSENT_UNKNOWN", "CONSENT_NOT_YOURS"})

Rule = Callable[[Registry], Registry]
"""What a draft makes of the rules in force at an access."""


class _PurposeDraft(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    code: str
    permissions: tuple[str, ...]
    max_days: int = 0
    max_frequency_per_day: int = 0
    max_history_days: int = 0
    max_retention_days: int = 0


class _Draft(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    freeze: Scope | None = None
    assessment: Scope | None = None
    purpose: _PurposeDraft | None = None
    ruleset: int | None = None


@dataclass
class Rehearsed:
    """What the rule would have done in a period. Accesses that a refused request would have spared count as not denied."""

    allowed: int = 0
    """Accesses that were allowed."""
    denied: int = 0
    """Of these, how many the rule would have denied."""
    by_recipient: Counter[str] = field(default_factory=Counter)
    by_holder: Counter[str] = field(default_factory=Counter)
    by_reason: Counter[str] = field(default_factory=Counter)
    consents: set[str] = field(default_factory=set)
    """Those that the denied accesses were of."""
    first: int | None = None
    """The first entry that would have been denied."""
    requests: int = 0
    """Consents and amendments that were asked for."""
    refused: Counter[str] = field(default_factory=Counter)
    """Of these, those that the rule would have refused, by recipient."""
    unread: int = 0
    """Entries of erased chains, which nobody can decide again."""


def parse_draft(data: bytes) -> tuple[str, Rule]:
    """(what kind of rule it is, the rule). Raises InvalidInput, which says what is wrong with the file."""
    if len(data) > LIMIT:
        raise InvalidInput(f"the draft has {len(data)} bytes; at most {LIMIT} are read")
    try:
        draft = msgspec.json.decode(data, type=_Draft)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the draft does not read: {error}") from None
    named = [name for name in draft.__struct_fields__ if getattr(draft, name) is not None]
    if len(named) != 1:
        raise InvalidInput("a draft says exactly one of: freeze, assessment, purpose, ruleset")
    return named[0], _rule_of(draft)


def _rule_of(draft: _Draft) -> Rule:
    if draft.freeze is not None:
        freeze = Freeze(OPERATOR, "draft", draft.freeze, 0, _EVER, "draft", drill=False, index=0)
        return lambda registry: _with(registry, freezing=(*registry.supervision.freezing, freeze))
    if draft.assessment is not None:
        try:
            says = AssessmentRequire(
                act="assessment.require",
                aud="draft",
                iat=0,
                iss="draft",
                jti="draft",
                reason="draft",
                requirement_id="draft",
                scope=draft.assessment,
                v=1,
            )
        except ValueError as error:
            raise InvalidInput(f"the draft does not read: {error}") from None
        needed = Requirement("draft", says, 0)
        return lambda registry: _with(registry, requiring=(*registry.supervision.requiring, needed))
    if draft.purpose is not None:
        purpose = parse_document(document_of(PurposeDefined, **msgspec.structs.asdict(draft.purpose)))
        assert isinstance(purpose, PurposeDefined)  # noqa: S101  (it was made as one)
        return lambda registry: replace(registry, purposes={**registry.purposes, purpose.code: purpose})
    ruleset = draft.ruleset
    if ruleset not in CATALOGUES:
        raise InvalidInput(f"there is no ruleset {ruleset}: {', '.join(map(str, sorted(CATALOGUES)))}")
    return lambda registry: replace(registry, ruleset=ruleset)


def _with(registry: Registry, **orders: Any) -> Registry:
    """Drafts that only ruleset 3 knows are tried under ruleset 3."""
    ruleset = max(registry.ruleset, 3)
    return replace(registry, ruleset=ruleset, supervision=replace(registry.supervision, **orders))


def rehearse(store: LogStore, keystore: KeyStore, rule: Rule, since: int, until: int) -> Rehearsed:
    """Decide the accesses with since ≤ time < until (ms) again. Reads all entries below. Raises Corrupt, Unavailable."""
    with store.read() as connection, closing(Spill()) as spill:
        return _Rehearsal(connection, keystore, Replay(spill), rule, since, until).play()


class _Rehearsal:
    def __init__(
        self, connection: Connection, keystore: KeyStore, replay: Replay, rule: Rule, since: int, until: int
    ) -> None:
        self._connection, self._keystore, self._replay = connection, keystore, replay
        self._rule, self._since, self._until = rule, since, until
        self._known: Registry | None = None
        self._tried = Registry()
        self._found = Rehearsed()

    def play(self) -> Rehearsed:
        query, after = select(entries).order_by(entries.c.idx).limit(PAGE), -1
        while page := self._connection.execute(query.where(entries.c.idx > after)).all():
            chains = {bytes(row.chain) for row in page if row.sealed is not None}
            ciphers = self._keystore.existing(chains, remember=False)
            for row in page:
                leaf = parse_leaf(row.leaf)
                if leaf.time >= self._until:
                    return self._found
                try:
                    if isinstance(leaf, OperatorLeaf):
                        self._replay.document(row.idx, leaf.time, leaf.document)
                    elif isinstance(leaf, CommitmentLeaf):
                        self._commitment(row, leaf, ciphers.get(bytes(row.chain)))
                except (Unfit, Unjudged) as error:
                    raise Corrupt(f"entry {row.idx}: {error}; run «consent-ledger check»") from None
            after = page[-1].idx
        return self._found

    def _commitment(self, row: Any, leaf: CommitmentLeaf, cipher: Any) -> None:
        if cipher is None or row.sealed is None:
            self._found.unread += leaf.time >= self._since
            return
        evidence, chain = decode_evidence(open_entry(row, cipher)[0]), unb64u(leaf.chain)
        before = self._replay.consent(chain)
        if leaf.time >= self._since:
            if evidence.act == "access.request" and before is not None:
                self._access(row.idx, leaf.time, before.consent, evidence)
            elif evidence.act in ("consent.request", "consent.amend"):
                self._request(leaf.time, evidence)
        self._replay.entry(row.idx, leaf.time, chain, evidence)

    def _registry(self) -> Registry:
        """The rules in force here with the draft among them."""
        if self._known is not self._replay.registry:
            self._known = self._replay.registry
            self._tried = self._rule(self._known)
        return self._tried

    def _access(self, index: int, time: int, consent: Consent, evidence: Evidence) -> None:
        outcome, found = evidence.outcome, self._found
        if not isinstance(outcome, AccessOutcome) or outcome.decision != "allow":
            return
        found.allowed += 1
        says: Any = payload_of(evidence.statements[0])
        tried = decide(
            self._registry(),
            consent,
            item_of(evidence),
            signer=acting_for(says.iss, says.on_behalf_of),
            relayed=bool(getattr(says, "relayed", False)),
            time=time,
            agent=says.iss if says.on_behalf_of is not UNSET else None,
        )
        if tried.decision == "deny":
            found.denied += 1
            found.by_recipient[consent.terms.recipient] += 1
            found.by_holder[consent.terms.holder] += 1
            found.by_reason.update(tried.reasons)
            found.consents.add(consent.consent_id)
            found.first = index if found.first is None else found.first

    def _request(self, time: int, evidence: Evidence) -> None:
        says = recorded_payload(evidence)
        if isinstance(says, ConsentRequest | ConsentAmend):
            self._found.requests += 1
            signer = acting_for(says.iss, says.on_behalf_of)
            try:
                check_terms(says.terms, signer, self._registry(), time)
            except Refused:
                self._found.refused[signer] += 1
