"""The registry of participants and keys: a fold over operator documents (docs/spec/leaves.md, Operator documents).

A registry never changes: a document makes a new one. So a snapshot can be read by many threads without a lock, and the
sequencer can throw away the registry of a transaction that did not commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, assert_never

from msgspec import UNSET

from ledger.canonical import b64u
from ledger.catalogue import CATALOGUES, catalogue_hash
from ledger.documents import (
    SINCE_RULESET_2,
    DelegationEnded,
    DelegationGranted,
    Disclosure,
    Document,
    Erasure,
    EvidenceOpened,
    KeyAdded,
    KeyRevoked,
    LedgerOpened,
    LogKeyAdded,
    LogKeyCompromised,
    LogKeyRetired,
    PackIssued,
    ParticipantRegistered,
    ParticipantReinstated,
    ParticipantRemoved,
    ParticipantSuspended,
    PurposeDefined,
    ReconciliationReported,
    RulesetActivated,
)
from ledger.entries.case_acts import CaseAct, CaseHandOver
from ledger.entries.declarations import Declaration, PurposeDefine
from ledger.entries.history_acts import HistoryAct
from ledger.entries.keys import Verify, verifier_of
from ledger.entries.leaf import declaration_chain
from ledger.entries.partner_acts import PartnerAct
from ledger.entries.statement import header_text, unknown_key
from ledger.errors import Conflict, IllegalTransition, InvalidInput, NotFound
from ledger.handovers import CaseHandovers
from ledger.histories import AttestedHistories
from ledger.log_keys import LogKeys
from ledger.orders import AttestationApproved, ConformanceCertified, OrderDocument
from ledger.partners import Partners
from ledger.set_documents import HeadsCommitted, HolderPlaced, ShardAdded
from ledger.sets import ShardSet
from ledger.supervision import Supervision

RULESETS: Final = tuple(sorted(CATALOGUES))
"""The rulesets that this version knows."""


@dataclass(frozen=True, slots=True)
class Participant:
    """A registered participant as of some index."""

    id: str
    name: str
    roles: tuple[str, ...]
    registered_at: int
    suspended: bool = False
    removed: bool = False
    reason: str = ""
    """The code of the last change of its standing; empty while there was none."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key with the indexes of the leaves that added and revoked it."""

    kid: str
    participant: str
    alg: str
    use: str
    jwk: Mapping[str, str]
    verify: Verify
    added_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Delegation:
    """What a participant once delegated. It held from the index `granted_at` until `ended_at` (None: no document ended it)."""

    participant: str
    delegate: str
    acts: tuple[str, ...]
    granted_at: int
    ended_at: int | None = None
    reason: str = ""
    """The code of its end; empty while it has none, and if another one took its place."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Participants, keys and the ruleset as of `size` leaves."""

    origin: str = ""
    ruleset: int = 0
    size: int = 0
    participants: Mapping[str, Participant] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    erased: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    """Participants that are gone for ever."""
    delegations: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """By (participant, delegate): the acts that the second may sign on behalf of the first."""
    delegated: tuple[Delegation, ...] = ()
    """All delegations that there ever were, in the order of their grants."""
    purposes: Mapping[str, PurposeDefined] = field(default_factory=dict)
    """Purposes that the log defines, by code."""
    reconciled: int = 0
    """The index at which the next reconciliation report begins."""
    supervision: Supervision = field(default_factory=Supervision)
    """What supervisors, holders and the operator have ordered."""
    partners: Partners = field(default_factory=Partners)
    """What partners have declared to each other."""
    handovers: CaseHandovers = field(default_factory=CaseHandovers)
    """Cases that one authority has handed to another."""
    histories: AttestedHistories = field(default_factory=AttestedHistories)
    """What holders have attested of the time before."""
    log_keys: LogKeys = field(default_factory=LogKeys)
    """The log's own keys, as far as documents name them."""
    shards: ShardSet = field(default_factory=ShardSet)
    """The set of logs that this one is the head log of; empty for any other log."""
    headers: Mapping[str, Key] = field(default_factory=dict)
    """Active statement keys by the text of the one header they may have."""

    def check_signature(self, header: str, message: bytes, signature: bytes) -> str:
        """Check a statement's signature under the key its header names; its kid. Raises BadSignature."""
        key = self.headers.get(header)
        if key is None:
            raise unknown_key(header)
        key.verify(message, signature)
        return key.kid

    def participant(self, participant: str) -> Participant:
        """The participant of this id. Raises NotFound."""
        found = self.participants.get(participant)
        if found is None:
            raise NotFound(f"there is no participant {participant!r}", member="participant")
        return found

    def has_role(self, participant: str, role: str) -> bool:
        """Whether the participant is registered with this role (suspended or not)."""
        found = self.participants.get(participant)
        return found is not None and role in found.roles

    def is_suspended(self, participant: str) -> bool:
        """Whether the participant is registered and suspended."""
        found = self.participants.get(participant)
        return found is not None and found.suspended

    def is_in_good_standing(self, participant: str, role: str) -> bool:
        """Whether the participant is registered with this role, and neither suspended nor removed."""
        found = self.participants.get(participant)
        return found is not None and role in found.roles and not (found.suspended or found.removed)

    def may_act_for(self, participant: str, delegate: str, act: str) -> bool:
        """Whether a delegation in force lets the delegate sign this act on behalf of the participant."""
        return act in self.delegations.get((participant, delegate), frozenset())

    def delegations_of(self, participant: str) -> list[Delegation]:
        """What a participant delegated, and what was delegated to it, in the order of the grants."""
        return [one for one in self.delegated if participant in (one.participant, one.delegate)]

    def is_in_force(self, delegation: Delegation) -> bool:
        """Whether no document ended it and neither side was removed."""
        return delegation.ended_at is None and self.removed.isdisjoint((delegation.participant, delegation.delegate))

    def after(self, document: Document, index: int, time: int = 0) -> Registry:  # noqa: C901, PLR0912 - one case a document
        """The registry that this document, recorded at `index` and `time` (ms), leads to.

        Raises Conflict (id or kid in use), NotFound, IllegalTransition, InvalidInput (unacceptable key).
        """
        if (index == 0) != isinstance(document, LedgerOpened):
            raise IllegalTransition("«ledger.opened» is the first leaf of a log, and only the first")
        if self.ruleset == 1 and isinstance(document, SINCE_RULESET_2):
            raise IllegalTransition(
                "this document exists from ruleset 2 onwards: activate it first (ruleset.activated)"
            )
        if self.ruleset < 3 and isinstance(document, OrderDocument):
            raise IllegalTransition(
                "this document exists from ruleset 3 onwards: activate it first (ruleset.activated)"
            )
        changed = replace(self, size=index + 1)
        match document:
            case LedgerOpened():
                _known_ruleset(document)
                return replace(changed, origin=document.origin, ruleset=document.ruleset)
            case RulesetActivated():
                _known_ruleset(document)
                if document.ruleset <= self.ruleset:
                    raise IllegalTransition(f"the ruleset in force is {self.ruleset}, and it never falls")
                return replace(changed, ruleset=document.ruleset)
            case ParticipantRegistered():
                if document.participant in self.participants:
                    raise Conflict(f"participant {document.participant!r} is registered already", member="participant")
                return changed._with(Participant(document.participant, document.name, document.roles, index))
            case KeyAdded():
                return self._add_key(changed, document, index)
            case KeyRevoked():
                return self._revoke_key(changed, document, index)
            case ParticipantSuspended() | ParticipantReinstated():
                suspend = isinstance(document, ParticipantSuspended)
                participant = self._present(document.participant)
                if participant.suspended == suspend:
                    state = "suspended" if suspend else "not suspended"
                    raise IllegalTransition(f"participant {participant.id!r} is {state} already")
                return changed._with(replace(participant, suspended=suspend, reason=document.reason))
            case ParticipantRemoved():
                participant = self._present(document.participant)
                gone = replace(changed, removed=self.removed | {participant.id})
                return gone._with(replace(participant, removed=True, reason=document.reason))
            case DelegationGranted():
                return self._delegate(changed, document, index)
            case DelegationEnded():
                pair = document.participant, document.delegate
                if pair not in self.delegations:
                    raise NotFound(f"{pair[1]!r} has no delegation of {pair[0]!r} that is in force", member="delegate")
                left = {key: acts for key, acts in self.delegations.items() if key != pair}
                over = _ended(self.delegated, pair, index, document.reason)
                return replace(changed, delegations=MappingProxyType(left), delegated=over)
            case PurposeDefined():
                return changed._define(document)
            case ReconciliationReported():
                if not self.reconciled == document.from_index <= document.to_index < index:
                    raise IllegalTransition(f"the next reconciliation report begins at entry {self.reconciled}")
                return replace(changed, reconciled=document.to_index + 1)
            case LogKeyAdded() | LogKeyRetired() | LogKeyCompromised():
                return replace(changed, log_keys=self.log_keys.after(document, index))
            case ShardAdded() | HolderPlaced() | HeadsCommitted():
                own_keys = {one.key for one in self.log_keys.known}
                return replace(changed, shards=self.shards.after(document, index, time, self.origin, own_keys))
            case Erasure():
                self._refuse_kept(document, time)
                return replace(changed, erased=self.erased | frozenset(document.chains))
            case PackIssued():
                return changed
            case Disclosure() | EvidenceOpened():
                return self._opened(changed, document, index)
            case AttestationApproved() | ConformanceCertified():
                self._present(document.participant)
                return replace(changed, partners=self.partners.after_document(document, index, time))
            case _ if isinstance(document, OrderDocument):
                ordered = self.supervision.after_document(document, index, time, self.erased)
                return replace(changed, supervision=ordered)
            case _:
                assert_never(document)

    def after_declaration(self, principal: str, says: Declaration, index: int, time: int) -> Registry:
        """The registry that a declaration of `principal`, recorded at `index` and `time` (ms), leads to.

        Raises Conflict, NotFound, IllegalTransition, InvalidInput.
        """
        if isinstance(says, PurposeDefine):
            limits = {name: getattr(says, name) for name in PurposeDefined.__struct_fields__ if name != "v"}
            return replace(self, size=index + 1)._define(PurposeDefined(**limits))
        if isinstance(says, CaseAct):
            if isinstance(says, CaseHandOver):
                self._check_authority(principal, says.to)
            handovers = self.handovers.after_declaration(principal, says, index, time)
            return replace(self, size=index + 1, handovers=handovers)
        if isinstance(says, HistoryAct):
            histories = self.histories.after_declaration(principal, says, index, time)
            return replace(self, size=index + 1, histories=histories)
        if isinstance(says, PartnerAct):
            partners = self.partners.after_declaration(principal, says, index, time)
            return replace(self, size=index + 1, partners=partners)
        declared = self.supervision.after_declaration(principal, says, index, time)
        return replace(self, size=index + 1, supervision=declared)

    def _opened(self, changed: Registry, document: Disclosure | EvidenceOpened, index: int) -> Registry:
        if isinstance(document, Disclosure):
            self.participant(document.participant)
            if document.approved_by is not UNSET and self.ruleset < 3:
                raise InvalidInput("who opened evidence is told from ruleset 3 on", member="approved_by")
            changed = replace(changed, handovers=self.handovers.after_disclosure(document.participant, index))
        if document.to_index < document.from_index or document.to_index >= index:
            raise InvalidInput("a disclosure covers entries that exist, in order", member="to_index")
        return changed

    def _check_authority(self, principal: str, to: str) -> None:
        """A case goes to another authority. Raises NotFound, IllegalTransition."""
        found = self.participant(to)
        if to == principal or found.removed or "regulator" not in found.roles:
            raise IllegalTransition("a case goes to another participant that is a regulator", member="to")

    def _define(self, purpose: PurposeDefined) -> Registry:
        if CATALOGUES[self.ruleset].highest_grade(purpose.permissions) is None:
            raise InvalidInput("a permission is not in the catalogue of this ruleset", member="permissions")
        return replace(self, purposes=MappingProxyType({**self.purposes, purpose.code: purpose}))

    def _refuse_kept(self, document: Erasure, time: int) -> None:
        """Chains under a hold in force at `time` (ms), and those of declarations, stay. Raises IllegalTransition."""
        if self.ruleset < 3:
            return
        if hold := self.supervision.held(document.chains, time):
            raise IllegalTransition(
                f"a chain is under the hold {hold!r}: what it holds must be kept until the hold is lifted (hold.lifted)",
                member="chains",
            )
        declared = {b64u(declaration_chain(participant)) for participant in self.participants}
        if not declared.isdisjoint(document.chains):
            raise IllegalTransition(
                "a chain holds what a participant declared, and no personal data: it is not erased", member="chains"
            )

    def _present(self, participant: str) -> Participant:
        """A participant that has not been removed. Raises NotFound, IllegalTransition."""
        found = self.participant(participant)
        if found.removed:
            raise IllegalTransition(f"participant {participant!r} was removed; removal is permanent")
        return found

    def _delegate(self, changed: Registry, document: DelegationGranted, index: int) -> Registry:
        self._present(document.participant)
        self._present(document.delegate)
        if document.participant == document.delegate or not self.has_role(document.delegate, "technology-provider"):
            raise IllegalTransition(
                "a delegation is to another participant that is a technology-provider", member="delegate"
            )
        pair = document.participant, document.delegate
        granted = {**self.delegations, pair: frozenset(document.acts)}
        known = (*_ended(self.delegated, pair, index, ""), Delegation(*pair, document.acts, index))
        return replace(changed, delegations=MappingProxyType(granted), delegated=known)

    def _with(self, participant: Participant) -> Registry:
        return replace(self, participants=MappingProxyType({**self.participants, participant.id: participant}))

    def _with_key(self, key: Key) -> Registry:
        headers = dict(self.headers)
        header = header_text(key.alg, key.kid)
        if key.use == "statement" and key.revoked_at is None:
            headers[header] = key
        else:
            headers.pop(header, None)
        return replace(self, keys=MappingProxyType({**self.keys, key.kid: key}), headers=MappingProxyType(headers))

    def _add_key(self, changed: Registry, document: KeyAdded, index: int) -> Registry:
        self._present(document.participant)
        if document.kid in self.keys:
            raise Conflict(f"the key id {document.kid!r} has been used in this log; choose another", member="kid")
        if document.alg == "SM2":
            self._check_sm2(document)
        verify = verifier_of(document.alg, document.jwk)
        jwk = MappingProxyType(dict(document.jwk))
        if any(key.jwk == jwk for key in self.keys.values()):
            raise Conflict("this public key is registered already: one key has one purpose and one owner", member="jwk")
        return changed._with_key(
            Key(document.kid, document.participant, document.alg, document.use, jwk, verify, added_at=index)
        )

    def _check_sm2(self, document: KeyAdded) -> None:
        if self.ruleset < 3:
            raise IllegalTransition("SM2 keys exist from ruleset 3 onwards: activate it first (ruleset.activated)")
        if document.use != "statement":
            raise InvalidInput("an SM2 key signs statements; register another key for client use", member="use")

    def _revoke_key(self, changed: Registry, document: KeyRevoked, index: int) -> Registry:
        key = self.keys.get(document.kid)
        if key is None or key.participant != document.participant:
            raise NotFound(f"participant {document.participant!r} has no key {document.kid!r}", member="kid")
        if key.revoked_at is not None:
            raise IllegalTransition(f"the key {document.kid!r} is revoked already")
        return changed._with_key(replace(key, revoked_at=index))


def _ended(known: tuple[Delegation, ...], pair: tuple[str, str], index: int, reason: str) -> tuple[Delegation, ...]:
    """Delegations after the one between these two, if there is one in force, ended at `index`."""
    return tuple(
        replace(one, ended_at=index, reason=reason)
        if one.ended_at is None and (one.participant, one.delegate) == pair
        else one
        for one in known
    )


def _known_ruleset(named: LedgerOpened | RulesetActivated) -> None:
    if named.ruleset not in RULESETS:
        raise InvalidInput(f"ruleset {named.ruleset} is not known to this version; known: {RULESETS}", member="ruleset")
    if named.catalogue is not UNSET and named.catalogue != catalogue_hash(named.ruleset):
        raise InvalidInput(
            f"this is not the catalogue of ruleset {named.ruleset}, whose hash is {catalogue_hash(named.ruleset)}",
            member="catalogue",
        )
