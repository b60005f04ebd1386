"""Evidence: what a leaf commits to (docs/spec/leaves.md, Evidence). Encrypted at rest, disclosed only to its parties."""

from __future__ import annotations

from typing import Any, Literal

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


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_ReadEvidence)


def encode_evidence(evidence: Evidence) -> bytes:
    """The bytes a leaf commits to. Members of all structs are declared in the order of their bytes, so this is CL-JSON."""
    data = _encoder.encode(evidence)
    if len(data) > EVIDENCE_LIMIT:
        raise BadEncoding(f"the evidence has {len(data)} bytes; at most {EVIDENCE_LIMIT} are accepted")
    return data


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
