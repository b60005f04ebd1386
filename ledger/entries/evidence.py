"""Evidence: what a leaf commits to (docs/spec/leaves.md, Evidence). Encrypted at rest, disclosed only to its parties."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ledger.entries.assertion import Assertion
from ledger.entries.leaf import EVIDENCE_LIMIT
from ledger.entries.terms import Filter
from ledger.errors import BadEncoding


class Obligations(Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"from_": "from"}):
    """What the holder must apply to an allowed access; all absent for a denial. Times in seconds.

    `keep_until` binds the recipient: by then it must have erased what it was given.
    """

    directions: tuple[str, ...] | UnsetType = UNSET
    filters: tuple[Filter, ...] | UnsetType = UNSET
    from_: int | UnsetType = UNSET
    keep_until: int | UnsetType = UNSET
    masks: tuple[str, ...] | UnsetType = UNSET
    to: int | UnsetType = UNSET


class AccessOutcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the ledger decided about an access. `asserted` rests on facts outside the log."""

    asserted: tuple[str, ...] | UnsetType = UNSET
    basis: int
    consent_version: int
    decision: Literal["allow", "deny"]
    obligations: Obligations
    reasons: tuple[str, ...]
    ruleset: int
    used_today: int

    @property
    def all_reasons(self) -> tuple[str, ...]:
        """The reasons of the log, then those of facts outside it."""
        return self.reasons if self.asserted is UNSET else (*self.reasons, *self.asserted)


class ConsentOutcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The state that a consent event led to."""

    consent_version: int
    ruleset: int
    status: str


Outcome = AccessOutcome | ConsentOutcome


class BatchPlace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a batch item stands under its statement's `items_root`; `body` is its CL-JSON, `path` b64u hashes."""

    body: str
    path: tuple[str, ...]
    position: int


class Evidence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole evidence of one entry."""

    act: str
    assertion: Assertion | UnsetType = UNSET
    item: BatchPlace | UnsetType = UNSET
    outcome: AccessOutcome | ConsentOutcome | UnsetType = UNSET
    statements: tuple[str, ...]
    v: Literal[1] = 1


class _ReadEvidence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    act: str
    assertion: Assertion | UnsetType = UNSET
    item: BatchPlace | UnsetType = UNSET
    outcome: dict[str, Any] | UnsetType = UNSET
    statements: tuple[str, ...]
    v: Literal[1]


_OUTCOME: Final = b',"outcome":'
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_ReadEvidence)
_access_outcome = msgspec.json.Decoder(AccessOutcome)


def encode_evidence(evidence: Evidence) -> bytes:
    """The bytes a leaf commits to. Members of all structs are declared in the order of their bytes, so this is CL-JSON."""
    return _bounded(_encoder.encode(evidence))


def _bounded(data: bytes) -> bytes:
    if len(data) > EVIDENCE_LIMIT:
        raise BadEncoding(f"the evidence has {len(data)} bytes; at most {EVIDENCE_LIMIT} are accepted")
    return data


# The entries of a batch have most of their evidence in common: it is put together from pieces that were encoded before, to the
# same bytes (tests/ledger/test_batches.py).


def encode_place(body: str, path: str, position: int) -> bytes:
    """The bytes of a `BatchPlace`. `path`: its hashes as JSON writes them, each with a comma after it."""
    return b'{"body":%b,"path":[%b],"position":%d}' % (_encoder.encode(body), path[:-1].encode(), position)


def encode_outcome(outcome: Outcome) -> bytes:
    """The bytes of an outcome inside evidence."""
    return _encoder.encode(outcome)


def decode_access_outcome(data: bytes) -> AccessOutcome:
    """Read an outcome that `encode_outcome` wrote for an access."""
    return _access_outcome.decode(data)


def batch_tail(statement: str) -> bytes:
    """The end of the evidence of each entry of a batch, from the statement on. `statement`: a compact JWS."""
    return b',"statements":["%b"],"v":1}' % statement.encode()


def batch_evidence(place: bytes, outcome: bytes, tail: bytes) -> bytes:
    """The evidence of one entry of a batch, as `encode_evidence` writes it. Raises BadEncoding when it is too large."""
    return _bounded(b'{"act":"access.request","item":%b%b%b%b' % (place, _OUTCOME, outcome, tail))


def outcome_at_end(head: bytes) -> bytes:
    """The outcome's bytes in the evidence of an entry of a batch, without its tail. Raises ValueError when there is none.

    Inside the item's body every quotation mark has a backslash before it, so the member is found by its name.
    """
    return head[head.index(_OUTCOME) + len(_OUTCOME) :]


def decode_evidence(data: bytes) -> Evidence:
    """Read evidence that this ledger wrote."""
    raw = _decoder.decode(data)
    outcome: Outcome | UnsetType = UNSET
    if raw.outcome is not UNSET:
        is_access = "decision" in raw.outcome
        outcome = (
            msgspec.convert(raw.outcome, AccessOutcome) if is_access else msgspec.convert(raw.outcome, ConsentOutcome)
        )
    return Evidence(act=raw.act, assertion=raw.assertion, item=raw.item, outcome=outcome, statements=raw.statements)
