"""Operator documents: what the operator records in clear (docs/spec/leaves.md, Operator documents)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, Literal, ParamSpec

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ledger.catalogue import CATALOGUES, catalogue_hash
from ledger.entries.acts import ACTS
from ledger.entries.fields import (
    SAFE_INTEGER,
    Algorithm,
    Bytes32,
    Bytes64,
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
from ledger.entries.leaf import (
    heads_chain,
    ledger_chain,
    participant_chain,
    reports_chain,
    risk_chain,
    set_chain,
    supervision_chain,
)
from ledger.errors import InvalidInput
from ledger.orders import (
    AlertRaised,
    FreezeLifted,
    FreezeOrdered,
    HoldLifted,
    HoldPlaced,
    ModelActivated,
    OrderDocument,
    RemitEnded,
    RemitGranted,
    ReportDefined,
    ReportIssued,
    ScoringActivated,
)
from ledger.set_documents import HeadsCommitted, HolderPlaced, SetDocument, ShardAdded

ActName = Annotated[str, Meta(pattern=r"^[a-z]+\.[a-z_]+\Z", max_length=64)]


class _Document(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    v: Literal[1] = 1


class _NamesRuleset(_Document, frozen=True, kw_only=True):
    """A ruleset by its number; from 3 on also by the hash of its catalogue, and then the version is 2."""

    ruleset: Annotated[int, Meta(ge=1)]
    catalogue: Bytes32 | UnsetType = UNSET
    v: Literal[1, 2] = 1  # type: ignore[assignment]  # a later version as well

    def __post_init__(self) -> None:
        named = self.catalogue is not UNSET
        if named != (self.v == 2) or named != (self.ruleset > 2):
            raise ValueError(
                "rulesets 1 and 2 are named by their number (v 1), later ones also by the hash of their catalogue (v 2, "
                "catalogue: docs/spec/leaves.md); «consent-ledger ruleset activate» writes both"
            )


class LedgerOpened(_NamesRuleset, frozen=True, kw_only=True, tag_field="type", tag="ledger.opened"):
    """The first leaf: which log this is, and the rules for all entries above."""

    origin: Origin


class RulesetActivated(_NamesRuleset, frozen=True, kw_only=True, tag_field="type", tag="ruleset.activated"):
    """Rules for all entries above this one."""


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


class ParticipantRemoved(_Document, frozen=True, kw_only=True, tag_field="type", tag="participant.removed"):
    """A participant that is gone for ever: its keys sign nothing above this leaf, its consents are at an end."""

    participant: ParticipantId
    reason: Code


class DelegationGranted(_Document, frozen=True, kw_only=True, tag_field="type", tag="delegation.granted"):
    """`delegate`, a technology provider, may sign these acts on behalf of `participant`."""

    participant: ParticipantId
    delegate: ParticipantId
    acts: Annotated[tuple[ActName, ...], Meta(min_length=1, max_length=32)]

    def __post_init__(self) -> None:
        require_sorted_unique("acts", self.acts)
        for act in self.acts:
            if act not in ACTS:
                raise ValueError(f"acts: {act!r} is not an act that a participant can sign")


class DelegationEnded(_Document, frozen=True, kw_only=True, tag_field="type", tag="delegation.ended"):
    """`delegate` signs nothing more on behalf of `participant`."""

    participant: ParticipantId
    delegate: ParticipantId
    reason: Code


LimitDays = Annotated[int, Meta(ge=0, le=36_500)]


class PurposeDefined(_Document, frozen=True, kw_only=True, tag_field="type", tag="purpose.defined"):
    """What may be asked for under a purpose's code; each limit 0 = none, in days or accesses a day."""

    code: Code
    permissions: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
    max_days: LimitDays
    max_frequency_per_day: Annotated[int, Meta(ge=0, le=10_000)]
    max_history_days: LimitDays
    max_retention_days: LimitDays

    def __post_init__(self) -> None:
        require_sorted_unique("permissions", self.permissions)


class ReconciliationReported(_Document, frozen=True, kw_only=True, tag_field="type", tag="reconciliation.reported"):
    """What comparing the legs of the accesses `from_index` … `to_index` found (docs/spec/reconciliation.md)."""

    from_index: Count
    to_index: Count
    accesses: Count
    releases: Count
    receipts: Count
    findings: Count
    findings_hash: Bytes32


class Erasure(_Document, frozen=True, kw_only=True, tag_field="type", tag="erasure"):
    """The data keys of these chains are destroyed; their bodies are unreadable for ever."""

    chains: Annotated[tuple[Bytes32, ...], Meta(min_length=1, max_length=8)]
    basis: Code
    approved_by: tuple[Code, Code]

    def __post_init__(self) -> None:
        require_sorted_unique("chains", self.chains)
        require_sorted_unique("approved_by", self.approved_by)


class Disclosure(_Document, frozen=True, kw_only=True, tag_field="type", tag="disclosure"):
    """Evidence of the entries `from_index` … `to_index` (both included) was opened to a participant for a case; from ruleset 3
    on with the two people of the participant who opened it together."""

    participant: ParticipantId
    case: Code
    from_index: Count
    to_index: Count
    approved_by: tuple[Code, Code] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.approved_by is not UNSET:
            require_sorted_unique("approved_by", self.approved_by)


class EvidenceOpened(_Document, frozen=True, kw_only=True, tag_field="type", tag="evidence.opened"):
    """The operator itself took evidence of the entries `from_index` … `to_index` (both included) out of the ledger."""

    by: Code
    case: Code
    from_index: Count
    to_index: Count


class PackIssued(_Document, frozen=True, kw_only=True, tag_field="type", tag="pack.issued"):
    """An evidence pack was made; its commitment binds all its items (docs/spec/packs.md)."""

    commitment: Bytes32
    items_count: Annotated[int, Meta(ge=1, le=SAFE_INTEGER)]
    scope: Code


class _DocumentOfVersion2(_Document, frozen=True, kw_only=True):
    v: Literal[2] = 2  # type: ignore[assignment]  # another version, not another kind of number


class LogKeyAdded(_DocumentOfVersion2, frozen=True, kw_only=True, tag_field="type", tag="log.key_added"):
    """A second key of the log, which signs every checkpoint above this leaf beside `previous`."""

    key: Bytes32
    previous: Bytes32


class LogKeyRetired(_DocumentOfVersion2, frozen=True, kw_only=True, tag_field="type", tag="log.key_retired"):
    """A key of the log that signs nothing above this leaf; `signature` is its own over all entries below it."""

    key: Bytes32
    signature: Bytes64


class LogKeyCompromised(_DocumentOfVersion2, frozen=True, kw_only=True, tag_field="type", tag="log.key_compromised"):
    """A key of the log with which somebody else may have signed, from checkpoints of `from_size` on."""

    key: Bytes32
    from_size: Count
    reason: Code


Document = (
    LedgerOpened
    | RulesetActivated
    | ParticipantRegistered
    | KeyAdded
    | KeyRevoked
    | ParticipantSuspended
    | ParticipantReinstated
    | ParticipantRemoved
    | DelegationGranted
    | DelegationEnded
    | PurposeDefined
    | ReconciliationReported
    | Erasure
    | Disclosure
    | EvidenceOpened
    | PackIssued
    | LogKeyAdded
    | LogKeyRetired
    | LogKeyCompromised
    | SetDocument
    | OrderDocument
)

SINCE_RULESET_2: Final = (
    ParticipantRemoved,
    DelegationGranted,
    DelegationEnded,
    PurposeDefined,
    ReconciliationReported,
)
"""Documents that a log under ruleset 1 does not take."""

Members = ParamSpec("Members")
_NOT_ACCEPTABLE: Final = (msgspec.DecodeError, msgspec.EncodeError, TypeError, ValueError)
_decoder: Final[msgspec.json.Decoder[Document]] = msgspec.json.Decoder(Document)


def document_of(kind: Callable[Members, Document], *args: Members.args, **members: Members.kwargs) -> dict[str, Any]:
    """The operator document of this kind with these members, as it is recorded. Raises InvalidInput.

    >>> document_of(KeyRevoked, participant="bank-a", kid="bank-a-1", reason="compromised")["type"]
    'key.revoked'
    """
    try:
        written: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(kind(*args, **members)))
    except _NOT_ACCEPTABLE as error:
        raise InvalidInput(f"the operator document is not acceptable: {error}") from None
    return written


def opening(origin: str, ruleset: int) -> dict[str, Any]:
    """The first document of a log: its origin (the log's name) and the rules it opens under. Raises InvalidInput."""
    return document_of(LedgerOpened, origin=origin, **_name_of(ruleset))


def activation(ruleset: int) -> dict[str, Any]:
    """The document that brings a ruleset into force for all entries above. Raises InvalidInput for one that is not known."""
    return document_of(RulesetActivated, **_name_of(ruleset))


def _name_of(ruleset: int) -> dict[str, Any]:
    if ruleset not in CATALOGUES:
        raise InvalidInput(
            f"ruleset {ruleset} is not known to this version; known: {tuple(CATALOGUES)}", member="ruleset"
        )
    return {"ruleset": ruleset, **({"v": 2, "catalogue": catalogue_hash(ruleset)} if ruleset > 2 else {})}


def registration(participant: str, name: str, roles: Iterable[str]) -> dict[str, Any]:
    """The document that registers a participant; roles in any order. Recording it checks what stands in it."""
    return document_of(ParticipantRegistered, participant=participant, name=name, roles=tuple(sorted(roles)))  # type: ignore[arg-type]


def key_added(participant: str, kid: str, alg: str, use: str, jwk: Mapping[str, str]) -> dict[str, Any]:
    """The document that adds a public key to a participant. Recording it checks what stands in it."""
    return document_of(KeyAdded, participant=participant, kid=kid, alg=alg, use=use, jwk=jwk)  # type: ignore[arg-type]


def parse_document(document: Mapping[str, Any]) -> Document:
    """Read an operator document strictly. Raises InvalidInput."""
    if "v" not in document:  # our own structs need not say it; a document that is recorded must
        raise InvalidInput("the operator document is not acceptable: Object missing required field `v`")
    try:
        return _decoder.decode(msgspec.json.encode(document))
    except _NOT_ACCEPTABLE as error:
        raise InvalidInput(f"the operator document is not acceptable: {error}") from None


def document_chain(document: Document) -> bytes:
    """The operator chain (32 bytes) that a document belongs to."""
    match document:
        case (
            LedgerOpened()
            | RulesetActivated()
            | Erasure()
            | Disclosure()
            | PackIssued()
            | PurposeDefined()
            | ReconciliationReported()
            | EvidenceOpened()
            | LogKeyAdded()
            | LogKeyRetired()
            | LogKeyCompromised()
        ):
            return ledger_chain()
        case ShardAdded() | HolderPlaced():
            return set_chain()
        case HeadsCommitted():
            return heads_chain()
        case FreezeOrdered() | FreezeLifted() | HoldPlaced() | HoldLifted() | RemitGranted() | RemitEnded():
            return supervision_chain()
        case ScoringActivated() | ModelActivated() | AlertRaised():
            return risk_chain()
        case ReportDefined() | ReportIssued():
            return reports_chain()
        case _:
            return participant_chain(document.participant)
