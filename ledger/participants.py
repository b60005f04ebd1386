"""The registry of participants and keys: a fold over operator documents (docs/spec/leaves.md, Operator documents).

A registry never changes: a document makes a new one. So a snapshot can be read by many threads without a lock, and the
sequencer can throw away the registry of a transaction that did not commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, assert_never

import msgspec
from msgspec import Meta, Struct

from ledger.entries.fields import (
    SAFE_INTEGER,
    Algorithm,
    Bytes32,
    Code,
    Count,
    KeyId,
    KeyUse,
    Origin,
    ParticipantId,
    Role,
    Text,
    require_sorted_unique,
)
from ledger.entries.keys import Verify, verifier_of
from ledger.entries.leaf import ledger_chain, participant_chain
from ledger.entries.statement import header_text, unknown_key
from ledger.errors import Conflict, IllegalTransition, InvalidInput, NotFound


class _Document(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    v: Literal[1]


class LedgerOpened(_Document, frozen=True, kw_only=True, tag_field="type", tag="ledger.opened"):
    """The first leaf: which log this is."""

    origin: Origin
    ruleset: Annotated[int, Meta(ge=1)]


class RulesetActivated(_Document, frozen=True, kw_only=True, tag_field="type", tag="ruleset.activated"):
    """Rules for all entries above this one."""

    ruleset: Annotated[int, Meta(ge=1)]


class ParticipantRegistered(_Document, frozen=True, kw_only=True, tag_field="type", tag="participant.registered"):
    """A new participant."""

    participant: ParticipantId
    name: Text
    roles: Annotated[tuple[Role, ...], Meta(min_length=1, max_length=5)]

    def __post_init__(self) -> None:
        require_sorted_unique("roles", self.roles)


class KeyAdded(_Document, frozen=True, kw_only=True, tag_field="type", tag="key.added"):
    """A public key of a participant, for statements or for client authentication; one key, one purpose."""

    participant: ParticipantId
    kid: KeyId
    alg: Algorithm
    use: KeyUse
    jwk: dict[str, str]


class KeyRevoked(_Document, frozen=True, kw_only=True, tag_field="type", tag="key.revoked"):
    """A key that may sign nothing above this leaf."""

    participant: ParticipantId
    kid: KeyId
    reason: Code


class ParticipantSuspended(_Document, frozen=True, kw_only=True, tag_field="type", tag="participant.suspended"):
    """A participant that may only reduce sharing from here on."""

    participant: ParticipantId
    reason: Code


class ParticipantReinstated(_Document, frozen=True, kw_only=True, tag_field="type", tag="participant.reinstated"):
    """The end of a suspension."""

    participant: ParticipantId
    reason: Code


class Erasure(_Document, frozen=True, kw_only=True, tag_field="type", tag="erasure"):
    """The data keys of these chains are destroyed; their bodies are unreadable for ever."""

    chains: Annotated[tuple[Bytes32, ...], Meta(min_length=1, max_length=8)]
    basis: Code
    approved_by: tuple[Code, Code]

    def __post_init__(self) -> None:
        require_sorted_unique("chains", self.chains)
        require_sorted_unique("approved_by", self.approved_by)


class Disclosure(_Document, frozen=True, kw_only=True, tag_field="type", tag="disclosure"):
    """Evidence of the entries `from_index` … `to_index` (both included) was opened to a participant for a case."""

    participant: ParticipantId
    case: Code
    from_index: Count
    to_index: Count


class PackIssued(_Document, frozen=True, kw_only=True, tag_field="type", tag="pack.issued"):
    """An evidence pack was made; its commitment binds all its items (docs/spec/packs.md)."""

    commitment: Bytes32
    items_count: Annotated[int, Meta(ge=1, le=SAFE_INTEGER)]
    scope: Code


Document = (
    LedgerOpened
    | RulesetActivated
    | ParticipantRegistered
    | KeyAdded
    | KeyRevoked
    | ParticipantSuspended
    | ParticipantReinstated
    | Erasure
    | Disclosure
    | PackIssued
)

RULESETS: Final = (1,)
_decoder: Final[msgspec.json.Decoder[Document]] = msgspec.json.Decoder(Document)


def parse_document(document: Mapping[str, Any]) -> Document:
    """Read an operator document strictly. Raises InvalidInput."""
    try:
        return _decoder.decode(msgspec.json.encode(document))
    except (msgspec.DecodeError, msgspec.EncodeError, TypeError, UnicodeEncodeError) as error:
        raise InvalidInput(f"the operator document is not acceptable: {error}") from None


def document_chain(document: Document) -> bytes:
    """The operator chain (32 bytes) that a document belongs to."""
    match document:
        case LedgerOpened() | RulesetActivated() | Erasure() | Disclosure() | PackIssued():
            return ledger_chain()
        case _:
            return participant_chain(document.participant)


@dataclass(frozen=True, slots=True)
class Participant:
    """A registered participant as of some index."""

    id: str
    name: str
    roles: tuple[str, ...]
    registered_at: int
    suspended: bool = False


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
class Registry:
    """Participants, keys and the ruleset as of `size` leaves."""

    origin: str = ""
    ruleset: int = 0
    size: int = 0
    participants: Mapping[str, Participant] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    erased: frozenset[str] = frozenset()
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

    def after(self, document: Document, index: int) -> Registry:  # noqa: C901, PLR0912 - one case a document
        """The registry that this document, recorded at `index`, leads to.

        Raises Conflict (id or kid in use), NotFound, IllegalTransition, InvalidInput (unacceptable key).
        """
        if (index == 0) != isinstance(document, LedgerOpened):
            raise IllegalTransition("«ledger.opened» is the first leaf of a log, and only the first")
        changed = replace(self, size=index + 1)
        match document:
            case LedgerOpened():
                _known_ruleset(document.ruleset)
                return replace(changed, origin=document.origin, ruleset=document.ruleset)
            case RulesetActivated():
                _known_ruleset(document.ruleset)
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
                participant = self.participant(document.participant)
                if participant.suspended == suspend:
                    state = "suspended" if suspend else "not suspended"
                    raise IllegalTransition(f"participant {participant.id!r} is {state} already")
                return changed._with(replace(participant, suspended=suspend))
            case Erasure():
                return replace(changed, erased=self.erased | frozenset(document.chains))
            case PackIssued():
                return changed
            case Disclosure():
                self.participant(document.participant)
                if document.to_index < document.from_index or document.to_index >= index:
                    raise InvalidInput("a disclosure covers entries that exist, in order", member="to_index")
                return changed
            case _:
                assert_never(document)

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
        self.participant(document.participant)
        if document.kid in self.keys:
            raise Conflict(f"the key id {document.kid!r} has been used in this log; choose another", member="kid")
        verify = verifier_of(document.alg, document.jwk)
        jwk = MappingProxyType(dict(document.jwk))
        if any(key.jwk == jwk for key in self.keys.values()):
            raise Conflict("this public key is registered already: one key has one purpose and one owner", member="jwk")
        return changed._with_key(
            Key(document.kid, document.participant, document.alg, document.use, jwk, verify, added_at=index)
        )

    def _revoke_key(self, changed: Registry, document: KeyRevoked, index: int) -> Registry:
        key = self.keys.get(document.kid)
        if key is None or key.participant != document.participant:
            raise NotFound(f"participant {document.participant!r} has no key {document.kid!r}", member="kid")
        if key.revoked_at is not None:
            raise IllegalTransition(f"the key {document.kid!r} is revoked already")
        return changed._with_key(replace(key, revoked_at=index))


def _known_ruleset(ruleset: int) -> None:
    if ruleset not in RULESETS:
        raise InvalidInput(f"ruleset {ruleset} is not known to this version; known: {RULESETS}", member="ruleset")
