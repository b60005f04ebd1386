"""Why an entry is as it is: from its evidence and its own chain below it, never from the state of today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from msgspec import UNSET, Struct

from api.explaining.facts import Asked, Facts, facts_of
from api.explaining.words import ALLOWED, ASSERTED, ERASED, MOVED, REASONS, RECORDED, Said, Sentence
from ledger.canonical import unb64u
from ledger.entries.acts import AccessRequest, Act, ConsentAmend, ConsentRequest
from ledger.entries.evidence import AccessOutcome, ConsentOutcome, Evidence, decode_evidence
from ledger.entries.leaf import CommitmentLeaf, Kind, parse_leaf
from ledger.entries.payload import acting_for
from ledger.entries.statement import parse_item, payload_of
from ledger.entries.terms import Terms
from ledger.planning.commands import Recorded
from ledger.queries.records import RecordQueries

SPEC: Final = {
    "decision": "docs/spec/decisions.md",
    "transition": "docs/spec/consents.md",
    "record": "docs/spec/statements.md",
}


class ReasonReply(Struct, frozen=True):
    """One reason, in words, with what it rests on."""

    code: str
    asserted: bool
    """Whether it rests on a fact outside the log, which its reader cannot check."""
    words: dict[str, str]
    """By language: `en`, `zh-CN`."""
    to_change: dict[str, str]
    """What would have to be different, by language."""
    facts: Facts
    """Members of the terms of the version decided upon, and of what was asked."""


class StepReply(Struct, frozen=True):
    """The row of the table of transitions that an entry followed."""

    row: str
    """The act: the first column of the table."""
    came_from: str | None
    """The status that the consent's events below this entry had led to; None for a request."""
    led_to: str
    by: str | None
    signer: str | None
    """Whose act it is; None for the ledger's own."""


class ExplanationReply(Struct, frozen=True):
    """Why an entry is as it is."""

    index: int
    time: int
    act: str
    about: str
    """`decision`, `transition` or `record`."""
    rules: str
    """Where the rules are written down."""
    ruleset: int | None
    decision: str | None
    basis: int | None
    """Index of the `consent.*` entry that the decision rests on; None for a stranger."""
    words: dict[str, str]
    reasons: list[ReasonReply]
    step: StepReply | None


@dataclass(frozen=True, slots=True)
class _Past:
    """What a consent's chain says below an entry."""

    terms: Terms | None
    """Of the version that the entry was decided under."""
    status: str | None


def explain(records: RecordQueries, viewer: str, index: int) -> ExplanationReply:
    """Explain an entry to a participant that signed it or is a party of its consent. Raises NotFound for any other."""
    recorded = records.entry_for(viewer, index)
    if recorded.evidence is None:
        is_public = recorded.kind in (Kind.OPERATOR, Kind.INDEX_HEAD)
        return _reply(recorded, "record", RECORDED if is_public else ERASED)
    evidence = decode_evidence(recorded.evidence)
    outcome = evidence.outcome
    if isinstance(outcome, AccessOutcome):
        return _decision(records, recorded, evidence, outcome)
    if isinstance(outcome, ConsentOutcome):
        return _transition(records, recorded, evidence, outcome)
    return _reply(recorded, "record", RECORDED)


def _decision(
    records: RecordQueries, recorded: Recorded, evidence: Evidence, outcome: AccessOutcome
) -> ExplanationReply:
    asked = _asked(evidence)
    known = outcome.basis >= 0
    past = _past(records, recorded, outcome.consent_version) if known else _Past(None, None)
    asserted = () if outcome.asserted is UNSET else outcome.asserted
    reasons = [_reason(code, REASONS[code], past.terms, asked, outcome) for code in outcome.reasons]
    reasons += [_reason(code, ASSERTED[code], None, None, outcome, asserted=True) for code in asserted]
    words = (
        ALLOWED
        if not reasons
        else Sentence(
            " ".join(reason.words["en"] for reason in reasons), "".join(reason.words["zh-CN"] for reason in reasons)
        )
    )
    return _reply(
        recorded,
        "decision",
        words,
        ruleset=outcome.ruleset,
        decision=outcome.decision,
        basis=outcome.basis if known else None,
        reasons=reasons,
    )


def _transition(
    records: RecordQueries, recorded: Recorded, evidence: Evidence, outcome: ConsentOutcome
) -> ExplanationReply:
    said = _statement(evidence)
    past = _past(records, recorded, outcome.consent_version)
    step = StepReply(
        row=evidence.act,
        came_from=past.status,
        led_to=outcome.status,
        by=getattr(said, "by", None),
        signer=None if said is None else acting_for(said.iss, said.on_behalf_of),
    )
    return _reply(recorded, "transition", MOVED, ruleset=outcome.ruleset, step=step)


def _reply(recorded: Recorded, about: str, words: Sentence, **members: Any) -> ExplanationReply:
    given = {"ruleset": None, "decision": None, "basis": None, "reasons": [], "step": None} | members
    return ExplanationReply(
        index=recorded.index,
        time=recorded.time,
        act=recorded.act,
        about=about,
        rules=SPEC[about],
        words=_both(words),
        **given,
    )


def _reason(
    code: str, said: Said, terms: Terms | None, asked: Asked | None, outcome: AccessOutcome, *, asserted: bool = False
) -> ReasonReply:
    facts = facts_of(code, terms, asked, outcome)
    return ReasonReply(code, asserted, _both(said.why), _both(said.remedy), facts)


def _both(words: Sentence) -> dict[str, str]:
    return {"en": words.en, "zh-CN": words.zh_cn}


def _statement(evidence: Evidence) -> Act | None:
    return payload_of(evidence.statements[0]) if evidence.statements else None


def _asked(evidence: Evidence) -> Asked | None:
    if evidence.item is not UNSET:
        return parse_item(evidence.item.body.encode())
    said = _statement(evidence)
    return said if isinstance(said, AccessRequest) else None


def _past(records: RecordQueries, recorded: Recorded, version: int) -> _Past:
    """Read the consent's chain up to the entry: accesses in between are passed over."""
    terms: dict[int, Terms] = {}
    status: str | None = None
    leaf = parse_leaf(recorded.leaf)
    chain = unb64u(leaf.chain) if isinstance(leaf, CommitmentLeaf) else b""
    for earlier in records.evidence_of_chain(chain, below=recorded.index):
        evidence = decode_evidence(earlier)
        if not isinstance(evidence.outcome, ConsentOutcome):
            continue
        status = evidence.outcome.status
        said = _statement(evidence)
        if isinstance(said, ConsentRequest):
            terms[1] = said.terms
        elif isinstance(said, ConsentAmend) and said.previous_version + 1 <= version:
            terms[said.previous_version + 1] = said.terms
    return _Past(terms.get(version), status)
