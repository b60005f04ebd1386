"""The operator's documents of ruleset 3: form and legality (docs/spec/ruleset-3.md, 2; risk.md; reports.md)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from verifier.bytes.encoding import (
    MAX_INTEGER,
    Object,
    check_members,
    get_bytes,
    get_flag,
    get_integer,
    get_object,
    get_text,
    get_texts,
)
from verifier.errors import Code, Refuted, refuted
from verifier.records.declarations import MAX_FREEZE, check_scope, get_approvers
from verifier.records.terms import CODE, PARTICIPANT, check_sorted, get_choice
from verifier.rules.handovers import HANDED, Handovers
from verifier.rules.histories import ATTESTED, AttestedHistories
from verifier.rules.partners import CERTIFICATE_MS, SAID, Certificate, Partners
from verifier.rules.registered import Participant
from verifier.rules.remits import Remits
from verifier.rules.report_forms import Definition, Issued, read_definition, read_issued
from verifier.rules.supervision import DECLARE, OPERATOR, Raised, Supervision

CHAIN = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)
RULES = (
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
)
"""By their numbers, from 1."""

MEMBERS: dict[str, frozenset[str]] = {
    "freeze.ordered": frozenset({"freeze_id", "scope", "from", "until", "reason", "drill", "approved_by"}),
    "freeze.lifted": frozenset({"freeze_id", "reason", "approved_by"}),
    "hold.placed": frozenset({"hold", "chains", "basis", "until", "approved_by"}),
    "hold.lifted": frozenset({"hold", "reason", "approved_by"}),
    "remit.granted": frozenset({"names", "regulator", "to", "approved_by"}),
    "remit.ended": frozenset({"regulator", "approved_by"}),
    "scoring.activated": frozenset({"scoring", "approved_by"}),
    "model.activated": frozenset({"model", "hash", "card_hash", "from_index", "to_index", "approved_by"}),
    "alert.raised": frozenset({"about", "at_index", "features", "rule", "score"}),
    "report.defined": frozenset({"report", "period", "utc_offset", "by", "measures", "suppress"}),
    "report.issued": frozenset({"report", "from", "to", "to_index", "rows", "csv_hash"}),
    "attestation.approved": frozenset({"participant", "attestation", "approved_by"}),
    "conformance.certified": frozenset(
        {"participant", "suite", "suite_version", "passed", "total", "log_hash", "approved_by"}
    ),
}
OPTIONAL = {
    "alert.raised": frozenset({"model"}),
    "disclosure": frozenset({"approved_by"}),
    "report.defined": frozenset({"weights"}),
}
OF_PARTICIPANTS = frozenset({"attestation.approved", "conformance.certified"})
"""Those that stand in a participant's own operator chain."""
CHAINS = {
    "freeze": "operator:supervision",
    "hold": "operator:supervision",
    "remit": "operator:supervision",
    "report": "operator:reports",
}
"""By the first word of the type; all others but those of participants stand in `operator:risk`."""


class Alert(NamedTuple):
    """An `alert.raised`, which is entry `number` at `time` (ms)."""

    number: int
    time: int
    kind: str
    about: str
    at_index: int
    features: tuple[int, ...]
    rule: str
    score: int
    model: str


@dataclass(slots=True)
class Orders:
    """`fold` each document in log order. `erased`: the chains that were; `models`: name -> hash (base64url) of the model's
    bytes; `definitions`: by the report's name, in log order; `placed`: the names of all holds;
    `alert`, `issued`: the last of their kind, if its form was right."""

    supervision: Supervision
    erased: dict[str, int]
    participants: dict[str, Participant]
    handovers: Handovers
    partners: Partners = field(default_factory=Partners)
    scoring: int = 0
    model: str = ""
    models: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    alert: Alert | None = None
    issued: Issued | None = None
    placed: set[str] = field(default_factory=set)
    remits: Remits = field(default_factory=Remits)
    histories: AttestedHistories = field(default_factory=AttestedHistories)

    def fold(self, kind: str, document: Object, index: int, time: int) -> None:
        """A document with exactly its members. Raises Refuted: BAD_ENCODING for its form, CONSENT_INVALID for a step that the
        rules do not give."""
        for name in ("freeze_id", "hold", "basis", "reason", "model", "report", "suite", "suite_version"):
            if name in document:
                get_text(document, name, 64, CODE)
        approvers = get_approvers(document) if "approved_by" in document else ["a", "b"]
        _FOLD[kind](self, document, index, time)
        if approvers[0] == approvers[1]:
            raise _bad("it needs two different approvers", "two codes", approvers[0])

    def declare(self, act: str, party: str, content: Object, index: int, time: int) -> None:
        """A declaration of `party`. Raises Refuted(CONSENT_INVALID) if it is illegal."""
        if act in SAID:
            self.partners.declare(act, party, content, index, time)
        elif act in HANDED:
            self.handovers.declare(act, party, content, index)
        elif act in ATTESTED:
            self.histories.declare(act, party, content, index)
        else:
            DECLARE[act](self.supervision, party, content)

    def _freeze_ordered(self, document: Object, _: int, time: int) -> None:
        get_flag(document, "drill")
        get_integer(document, "from")
        check_scope(document, "scope")
        until, most = get_integer(document, "until"), time // 1000 + MAX_FREEZE
        self.supervision.freeze(OPERATOR, document)
        if until > most:
            raise _bad("the freeze is longer than a freeze may be", f"until {most} at most", until)

    def _freeze_lifted(self, document: Object, _: int, __: int) -> None:
        self.supervision.lift(OPERATOR, document)

    def _hold_placed(self, document: Object, _: int, __: int) -> None:
        chains = get_texts(document, "chains", 1, 8)
        check_sorted(chains, "chains")
        for text in chains:
            if not CHAIN.fullmatch(text):
                raise refuted(Code.BAD_ENCODING, "not a chain", field="chains", found=text)
        hold, until = str(document["hold"]), get_integer(document, "until")
        again = hold in self.placed
        self.placed.add(hold)
        self.supervision.holds[hold] = frozenset(chains), until
        if again:
            raise _bad("the hold's name was used before", "a new name", hold)
        erased = [text for text in chains if text in self.erased]
        if erased:
            raise _bad("a chain of the hold was erased before", "chains that were not erased", ", ".join(erased))

    def _hold_lifted(self, document: Object, _: int, __: int) -> None:
        if self.supervision.holds.pop(str(document["hold"]), None) is None:
            raise _bad("only a hold that was placed and not lifted is lifted", "one in force", document["hold"])

    def _remit_granted(self, document: Object, _: int, __: int) -> None:
        self.remits.grant(document)

    def _remit_ended(self, document: Object, _: int, __: int) -> None:
        self.remits.end(document)

    def _scoring_activated(self, document: Object, _: int, __: int) -> None:
        self.scoring = get_integer(document, "scoring", 0, 3)

    def _model_activated(self, document: Object, index: int, _: int) -> None:
        get_bytes(document, "hash", 32)
        get_bytes(document, "card_hash", 32)
        first, last = get_integer(document, "from_index"), get_integer(document, "to_index")
        model = str(document["model"])
        again = model in self.models
        self.models[model], self.model = str(document["hash"]), model
        if again:
            raise _bad("the model's name was used before", "a new name", model)
        if not first <= last < index:
            raise _bad("the model's training window does not end below it", f"{first} to {index - 1}", last)

    def _alert_raised(self, document: Object, index: int, time: int) -> None:
        alert = self.alert = read_alert(document, index, time)
        self.supervision.alert(alert.kind, alert.about, alert.rule, Raised(index, time, alert.score))
        if alert.at_index >= index:
            raise _bad("the alert stands above the entry that it is about", f"at most {index - 1}", alert.at_index)

    def _report_defined(self, document: Object, index: int, time: int) -> None:
        definition = read_definition(document, index, time)
        self.definitions.setdefault(definition.report, []).append(definition)

    def _report_issued(self, document: Object, index: int, time: int) -> None:
        issued = self.issued = read_issued(document, index)
        known = self.definitions.get(issued.report)
        if not known:
            raise _bad("the report is not defined", "a report.defined before", issued.report)
        if issued.to_index != index - 1:
            raise _bad("the report ends elsewhere than right before it", index - 1, issued.to_index)
        if time < issued.to * 1000:
            raise _bad("the report was issued before its period was over", f"a time of {issued.to * 1000}", time)
        issued.definition_of(known)  # its period is one that the definition gives

    def _attestation_approved(self, document: Object, _: int, time: int) -> None:
        name, given = get_text(document, "participant", 63, PARTICIPANT), get_integer(document, "attestation")
        self._check_registered(name)
        self.partners.approve(name, given, time)

    def _conformance_certified(self, document: Object, index: int, time: int) -> None:
        name = get_text(document, "participant", 63, PARTICIPANT)
        get_bytes(document, "log_hash", 32)
        total = get_integer(document, "total")
        passed = get_integer(document, "passed", 0, total)
        self._check_registered(name)
        suite, version = str(document["suite"]), str(document["suite_version"])
        self.partners.certified[name, suite] = Certificate(index, version, passed, total, time + CERTIFICATE_MS)

    def _check_registered(self, name: str) -> None:
        if name not in self.participants:
            raise _bad("the participant is not registered", "a registered participant", name)


def read_alert(document: Object, index: int, time: int) -> Alert:
    """The form of an `alert.raised`. Raises Refuted(BAD_ENCODING)."""
    about = get_object(document, "about")
    check_members(about, {"id", "kind"})
    kind = get_choice(about, "kind", ("consent", "holder", "recipient"))
    features = document["features"]
    counts = [n for n in features if type(n) is int and 0 <= n <= MAX_INTEGER] if isinstance(features, list) else []
    if not isinstance(features, list) or not 1 <= len(counts) == len(features) <= 8:
        raise refuted(
            Code.BAD_ENCODING, "not a list of the expected length", field="features", expected="1 to 8 counts"
        )
    rule = get_choice(document, "rule", RULES)
    if ("model" in document) != (rule == "model"):
        raise refuted(Code.BAD_ENCODING, "a model is named by its own rule, and only there", field="model", found=rule)
    return Alert(
        index,
        time,
        kind,
        get_text(about, "id", 64, CHAIN if kind == "consent" else PARTICIPANT),
        get_integer(document, "at_index"),
        tuple(counts),
        rule,
        get_integer(document, "score", 0, 1_000),
        str(document.get("model", "")),
    )


_FOLD: dict[str, Callable[[Orders, Object, int, int], None]] = {
    "freeze.ordered": Orders._freeze_ordered,
    "freeze.lifted": Orders._freeze_lifted,
    "hold.placed": Orders._hold_placed,
    "hold.lifted": Orders._hold_lifted,
    "remit.granted": Orders._remit_granted,
    "remit.ended": Orders._remit_ended,
    "scoring.activated": Orders._scoring_activated,
    "model.activated": Orders._model_activated,
    "alert.raised": Orders._alert_raised,
    "report.defined": Orders._report_defined,
    "report.issued": Orders._report_issued,
    "attestation.approved": Orders._attestation_approved,
    "conformance.certified": Orders._conformance_certified,
}


def chain_of_type(kind: str) -> str:
    """The operator chain of a document of ruleset 3."""
    return CHAINS.get(kind.partition(".")[0], "operator:risk")


def _bad(sentence: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, field="document", expected=expected, found=found)
