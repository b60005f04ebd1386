"""Operator documents of supervision, risk and reports (docs/spec/ruleset-3.md, Operator documents)."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

from ledger.entries.fields import Bytes32, Code, Count, ParticipantId, Seconds, require_sorted_unique
from ledger.entries.scope import Scope

DIMENSIONS: Final = ("grade", "holder", "permission", "purpose", "reason", "recipient", "standard")
"""What a report can be broken down by, in the order of docs/spec/reports.md."""
MEASURES: Final = (
    "consents_requested",
    "consents_authorised",
    "consents_ended",
    "consents_withdrawn",
    "consents_active",
    "accesses_allowed",
    "accesses_refused",
    "accesses_unattended",
    "accesses_after_withdrawal",
    "acknowledged",
    "acknowledge_seconds_max",
    "acknowledge_seconds_median",
    "unacknowledged",
    "unacknowledged_late",
    "findings",
    "complaints",
    "erasures",
    "alerts",
    "score",
)
"""What a report can count, in the order of docs/spec/reports.md."""

Rule = Literal[
    "rate",
    "night",
    "new-permission",
    "refused",
    "breadth",
    "unattended",
    "rows",
    "legs-differ",
    "woken",
    "many",
    "after-end",
    "model",
    "late-notice",
    "no-notice",
]
RULES: Final[tuple[Rule, ...]] = get_args(Rule)
"""What can raise an alert, in the order of docs/spec/risk.md."""
SCORING: Final = 3
"""The newest set of rules (docs/spec/risk.md): all of RULES. 2 has no `no-notice`, 1 no `late-notice` either."""


class Order(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of these documents."""

    v: Literal[1] = 1


class Approved(Order, frozen=True, kw_only=True):
    """An order that two officers of the operator have approved."""

    approved_by: tuple[Code, Code]

    def __post_init__(self) -> None:
        require_sorted_unique("approved_by", self.approved_by)


class FreezeOrdered(
    Approved, frozen=True, kw_only=True, tag_field="type", tag="freeze.ordered", rename={"from_": "from"}
):
    """The operator's own freeze; a drill denies nothing."""

    freeze_id: Code
    scope: Scope
    from_: Seconds
    until: Seconds
    reason: Code
    drill: bool


class FreezeLifted(Approved, frozen=True, kw_only=True, tag_field="type", tag="freeze.lifted"):
    """The end of a freeze of the operator."""

    freeze_id: Code
    reason: Code


class HoldPlaced(Order, frozen=True, kw_only=True, tag_field="type", tag="hold.placed"):
    """These chains must not be erased; `until` in seconds, 0 = until the hold is lifted."""

    approved_by: tuple[Code, Code]
    hold: Code
    chains: Annotated[tuple[Bytes32, ...], Meta(min_length=1, max_length=8)]
    basis: Code
    until: Seconds

    def __post_init__(self) -> None:
        require_sorted_unique("approved_by", self.approved_by)
        require_sorted_unique("chains", self.chains)


class HoldLifted(Approved, frozen=True, kw_only=True, tag_field="type", tag="hold.lifted"):
    """The end of a hold."""

    hold: Code
    reason: Code


class RemitGranted(Order, frozen=True, kw_only=True, tag_field="type", tag="remit.granted"):
    """A regulator is there for these, too: for holders, for recipients, or for parties of whichever side (a jurisdiction)."""

    approved_by: tuple[Code, Code]
    regulator: ParticipantId
    to: Literal["holder", "party", "recipient"]
    names: Annotated[tuple[ParticipantId, ...], Meta(min_length=1, max_length=32)]

    def __post_init__(self) -> None:
        require_sorted_unique("approved_by", self.approved_by)
        require_sorted_unique("names", self.names)


class RemitEnded(Approved, frozen=True, kw_only=True, tag_field="type", tag="remit.ended"):
    """A regulator is there for all again, until something is granted to it anew."""

    regulator: ParticipantId


class ScoringActivated(Approved, frozen=True, kw_only=True, tag_field="type", tag="scoring.activated"):
    """From the next entry onwards alerts are due (1, 2, 3: which rules; SCORING is the newest), or none are (0)."""

    scoring: Annotated[int, Meta(ge=0, le=3)]


class ModelActivated(Approved, frozen=True, kw_only=True, tag_field="type", tag="model.activated"):
    """A model that scores from the next entry on; the window of entries that it was trained on."""

    model: Code
    hash: Bytes32
    card_hash: Bytes32
    from_index: Count
    to_index: Count


class About(Struct, frozen=True, forbid_unknown_fields=True):
    """What an alert is about: a participant's id, or a consent's chain as it stands in leaves."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    kind: Literal["consent", "holder", "recipient"]


class AlertRaised(Order, frozen=True, kw_only=True, tag_field="type", tag="alert.raised"):
    """What the rules of docs/spec/risk.md found at entry `at_index`."""

    about: About
    at_index: Count
    features: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=8)]
    model: Code | UnsetType = UNSET
    rule: Rule
    score: Annotated[int, Meta(ge=0, le=1_000)]

    def __post_init__(self) -> None:
        if (self.model is UNSET) == (self.rule == "model"):
            raise ValueError("model is named by alerts of the rule «model», and by no others")


Weight = Annotated[int, Meta(ge=0, le=1_000)]


class ScoreWeights(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much each share takes from a score, in thousandths (docs/spec/partners.md, 6)."""

    acknowledge: Weight
    complaints: Weight
    findings: Weight
    refused: Weight

    def __post_init__(self) -> None:
        if self.acknowledge + self.complaints + self.findings + self.refused > 1_000:
            raise ValueError("weights come to at most 1000")


class ReportDefined(Order, frozen=True, kw_only=True, tag_field="type", tag="report.defined"):
    """What a report counts, of which periods, and below which number a cell is not shown."""

    report: Code
    period: Literal["day", "month", "quarter"]
    utc_offset: Annotated[int, Meta(ge=-840, le=840)]
    by: Annotated[tuple[str, ...], Meta(max_length=3)]
    measures: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)]
    suppress: Annotated[int, Meta(ge=0, le=100)]
    weights: ScoreWeights | UnsetType = UNSET

    def __post_init__(self) -> None:
        for name, values, known in (("by", self.by, DIMENSIONS), ("measures", self.measures, MEASURES)):
            if values != tuple(value for value in known if value in values):
                raise ValueError(f"{name} holds what docs/spec/reports.md lists, in its order, each once")
        scored = "score" in self.measures
        if scored != (self.weights is not UNSET) or (scored and self.by not in (("holder",), ("recipient",))):
            raise ValueError("a score is by holder or by recipient, and has weights; nothing else has")


class ReportIssued(Order, frozen=True, kw_only=True, tag_field="type", tag="report.issued", rename={"from_": "from"}):
    """A report of one period (seconds), and the hash of its CSV."""

    report: Code
    from_: Seconds
    to: Seconds
    to_index: Count
    rows: Count
    csv_hash: Bytes32


class AttestationApproved(Approved, frozen=True, kw_only=True, tag_field="type", tag="attestation.approved"):
    """Two officers have looked at what a participant attested at this entry (docs/spec/partners.md, 2)."""

    participant: ParticipantId
    attestation: Count


class ConformanceCertified(Order, frozen=True, kw_only=True, tag_field="type", tag="conformance.certified"):
    """How a participant's system did in a conformance run; the hash of the run's log."""

    participant: ParticipantId
    suite: Code
    suite_version: Code
    passed: Count
    total: Count
    log_hash: Bytes32
    approved_by: tuple[Code, Code]

    def __post_init__(self) -> None:
        require_sorted_unique("approved_by", self.approved_by)
        if self.passed > self.total:
            raise ValueError("passed is at most total")


PartnerDocument = AttestationApproved | ConformanceCertified
"""What the operator says of a participant, in that one's chain."""
SupervisionDocument = (
    FreezeOrdered
    | FreezeLifted
    | HoldPlaced
    | HoldLifted
    | RemitGranted
    | RemitEnded
    | ScoringActivated
    | ModelActivated
    | AlertRaised
    | ReportDefined
    | ReportIssued
)
"""What a supervisor's, a risk officer's and a report's order is."""
OrderDocument = SupervisionDocument | PartnerDocument
"""All of them; a log takes them from ruleset 3 on."""
