"""Declarations, feedback and the operator's documents of ruleset 3, at the edges of each member's form
(docs/spec/ruleset-3.md; risk.md; reports.md)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.declared import ALERT, DECLARED, DOCUMENTS, HASH, LINE, SAID
from tests.verifier.making import refusal
from tests.verifier.states import HOLDER, NOW, RECIPIENT, SECONDS, TERMS, operator, registry
from verifier.errors import Code, Refuted
from verifier.records.forms import check_item, read_content
from verifier.records.terms import parse_terms

COMMON = {"aud": "ledger.example/1", "iat": SECONDS, "iss": RECIPIENT, "jti": "A" * 22, "v": 1}
CODE = ["c", "c" * 64, "x:y.z-_1"], ["", "c" * 65, "-c", "a b", 1]
NUMBER = [0, 2**53 - 1], [-1, True, "1", 2**53]
DIGEST = [HASH], [HASH[:-1], HASH + "AA", "", 1]
NAME = [HOLDER, "b" * 63], ["", "?", "B", "b" * 64, 1]
SCOPE = (
    [{}, {"country": "CN"}, {"holder": HOLDER, "recipient": RECIPIENT, "purpose": "c" * 64, "country": "DE"}],
    [
        {"country": "cn"},
        {"country": "CHN"},
        {"country": ""},
        {"holder": "?"},
        {"more": "x"},
        {"purpose": "a b"},
        [],
        "all",
    ],
)


def tiers_of(*begins: int) -> list[dict[str, int]]:
    return [{"from": begin, "price": 5} for begin in begins]


def named(*indexes: int) -> list[dict[str, Any]]:
    return [{"index": index, "reason": "not-received"} for index in indexes]


NAMED_WRONG = [
    named(3, 3),
    named(4, 3),
    named(*range(101)),
    named(-1),
    [{"index": 3}],
    [{"index": 3, "reason": ""}],
    [{"index": 3, "reason": "x", "more": 1}],
    "x",
]
CLOCK = {"due": 5, "name": "4h"}
EDGES: list[tuple[str, str, list[Any], list[Any]]] = [
    *((act, "scope", *SCOPE) for act in ("freeze.order", "assessment.require")),
    ("assessment.record", "scope", [{}, {"country": "CN"}, {"recipient": RECIPIENT, "purpose": "AIS"}], SCOPE[1]),
    ("incident.open", "affected", *SCOPE),
    ("freeze.order", "scope", [{"permission": "ReadBalances"}], [{"permission": "a b"}]),
    ("assessment.require", "scope", [{"holder": HOLDER}], [{"permission": "ReadBalances"}]),
    ("assessment.record", "scope", [], [{"holder": HOLDER}, {"permission": "ReadBalances"}]),
    *((act, name, *CODE) for act, name in (
        ("freeze.order", "freeze_id"), ("freeze.lift", "freeze_id"), ("assessment.require", "requirement_id"),
        ("assessment.waive", "requirement_id"), ("assessment.record", "assessment_id"), ("assessment.record", "method"),
        ("incident.open", "incident_id"), ("incident.update", "incident_id"), ("incident.close", "incident_id"),
        ("risk.block", "rule"), ("risk.unblock", "rule"), ("incident.open", "class"), ("incident.update", "clock"),
        ("freeze.order", "reason"), ("risk.unblock", "reason"), ("purpose.define", "code"), ("subject.feedback", "number"),
        ("subject.answer", "number"), ("case.hand_over", "basis"), ("case.hand_over", "handover_id"))),
    ("freeze.order", "drill", [True, False], [0, None, "true"]),
    ("freeze.order", "from", *NUMBER),
    ("freeze.order", "until", [SECONDS + 1, SECONDS + 7_776_000], [SECONDS, SECONDS + 7_776_001, 0, True]),
    ("assessment.record", "next_due", [SECONDS + 1, 2**53 - 1], [SECONDS, 0, True]),
    ("assessment.record", "outcome", ["acceptable", "acceptable-with-measures", "unacceptable"], ["fine", "", 1]),
    *((act, name, *DIGEST) for act, name in (
        ("assessment.record", "document_hash"), ("incident.open", "text_hash"), ("incident.update", "text_hash"),
        ("incident.close", "text_hash"), ("alert.decide", "comment_hash"), ("subject.feedback", "text_hash"),
        ("subject.answer", "text_hash"), ("case.hand_over", "pack_hash"), ("case.receive", "pack_hash"))),
    ("risk.block", "about", ["consent", "recipient"], ["holder", "", 1]),
    ("risk.block", "level", [0, 1_000], [-1, 1_001, True]),
    ("risk.block", "seconds", [60, 2_592_000], [59, 2_592_001]),
    ("alert.decide", "alert", *NUMBER),
    *(("alert.decide", name, ["cleared", "confirmed", "escalated"], ["open", "", 1]) for name in ("decision", "proposal")),
    ("alert.decide", "officer", ["r" * 22, "r" * 64], ["r" * 21, "r" * 65, "", 1]),
    ("alert.decide", "proposal_reasons", [[], ["a"], list("abcdefgh")], [list("abcdefghi"), ["b", "a"], ["a", "a"], "a"]),
    *(("incident.open", name, *NUMBER) for name in ("affected_consents",)),
    *(("incident.update", name, *NUMBER) for name in ("told_customers", "told_participants")),
    ("incident.open", "detected_at", [0, SECONDS], [SECONDS + 1, -1]),
    ("incident.open", "severity", [1, 4], [0, 5]),
    ("incident.open", "clocks",
     [[CLOCK], [CLOCK, CLOCK | {"name": "c" * 64}], [{"due": n, "name": str(n)} for n in range(6)]],
     [[], [CLOCK, CLOCK], [CLOCK, {"due": 4, "name": "x"}], [{"due": n, "name": str(n)} for n in range(7)],
      [CLOCK | {"more": 1}], [CLOCK | {"due": -1}], [CLOCK, "x"], "x"]),
    ("purpose.define", "permissions", [["a"], [f"c{n:02}" for n in range(64)]], [[], [f"c{n:02}" for n in range(65)]]),
    ("purpose.define", "max_days", [0, 36_500], [-1, 36_501]),
    ("purpose.define", "max_frequency_per_day", [0, 10_000], [-1, 10_001]),
    ("consent.acknowledge", "basis", *NUMBER),
    ("subject.feedback", "about", [-1, 0, 2**53 - 1], [-2, True, "1"]),
    ("subject.feedback", "due", [SECONDS + 1], [SECONDS, 0]),
    ("subject.feedback", "kind", ["unexpected", "after-stop", "other"], ["", "complaint"]),
    ("subject.answer", "by", ["holder", "recipient"], ["customer", "system", ""]),
    ("subject.answer", "state", ["received", "forwarded", "answered", "closed"], ["open", ""]),
    *((act, name, *CODE) for act, name in (
        ("attestation.give", "attestation"), ("attestation.give", "kind"), ("attestation.withdraw", "attestation"),
        ("attestation.withdraw", "reason"), ("map.publish", "map"), ("tariff.offer", "tariff"), ("tariff.end", "reason"))),
    ("attestation.give", "document_hash", *DIGEST),
    ("attestation.give", "issuer", ["x", "银" * 200], ["", "x" * 201, 1]),
    ("attestation.give", "valid_until", [SECONDS + 1, 2**53 - 1], [SECONDS, 0, True]),
    ("map.publish", "fields", *NUMBER),
    ("map.publish", "map_hash", *DIGEST),
    ("map.publish", "map_version", [1, 2**53 - 1], [0, -1, True]),
    ("tariff.offer", "currency", ["EUR", "CNY"], ["eur", "EURO", "EU", "", 1]),
    ("tariff.offer", "from", *NUMBER),
    ("tariff.offer", "recipient", ["", RECIPIENT, "b" * 63], ["?", "b" * 64, None, 1]),
    ("tariff.offer", "utc_offset", [-840, 840], [-841, 841, True]),
    ("tariff.offer", "lines",
     [[LINE] * 16, [LINE | {"attended": True}], [LINE | {"purpose": "c" * 64, "resource": "c" * 64}],
      [LINE | {"rows_from": 5, "rows_to": 5}], [LINE | {"rows_from": 5}], [LINE | {"rows_to": 0}],
      *([LINE | {"tiers": tiers}] for tiers in (tiers_of(0, 1, 9), tiers_of(*range(8)))),
      *([LINE | {"tiers": [{"from": 0, "price": price}]}] for price in (0, 10**12))],
     [[], [LINE] * 17, "x", [LINE, "x"], [LINE | {"more": 1}], [{"tiers": tiers_of(0)}], [{"free": 0}],
      [LINE | {"attended": 1}], [LINE | {"purpose": "a b"}], [LINE | {"resource": ""}], [LINE | {"free": -1}],
      [LINE | {"rows_from": 6, "rows_to": 5}], [LINE | {"rows_to": -1}], [LINE | {"rows_from": True}],
      *([LINE | {"tiers": tiers}] for tiers in (
          [], tiers_of(1), tiers_of(0, 2, 2), tiers_of(0, 2, 1), tiers_of(*range(9)), [{"from": 0, "price": 10**12 + 1}],
          [{"from": 0, "price": -1}], [{"from": 0}], [{"from": 0, "price": 1, "more": 1}], "x"))]),
    *((act, "offer", *NUMBER) for act in ("tariff.accept", "tariff.end", "usage.state")),
    ("tariff.end", "from", [SECONDS + 1], [SECONDS, True]),
    ("usage.state", "amounts", [[{"amount": 0, "count": 0}] * 16],
     [[], [{"amount": 0, "count": 0}] * 17, [{"amount": 0}], [{"amount": -1, "count": 0}], [{"amount": 0, "count": True}],
      "x"]),
    *(("usage.state", name, *NUMBER) for name in ("count", "from", "to", "to_index", "total")),
    ("usage.state", "recipient", *NAME),
    ("usage.state", "replaces", [-1, 0, 2**53 - 1], [-2, True]),
    ("usage.state", "root", *DIGEST),
    ("usage.state", "left_out", [[], named(3), named(*range(100)), [{"index": 3, "reason": "c" * 64}]], NAMED_WRONG),
    ("usage.answer", "answer", ["agreed"], ["disputed", "fine", ""]),
    ("usage.answer", "disputed", [[]], [named(3), *NAMED_WRONG]),
    ("usage.answer", "statement", *NUMBER),
    ("case.hand_over", "disclosure", *NUMBER),
    ("case.receive", "handover", *NUMBER),
    ("case.hand_over", "scope", *SCOPE),
    ("case.hand_over", "to", *NAME),
    *((act, "subject", ["r" * 22, "r" * 64], ["r" * 21, "r" * 65]) for act in ("subject.feedback", "subject.answer")),
]  # fmt: skip


def test_a_disputed_statement_names_entries() -> None:
    plain = {"act": "usage.answer", **COMMON, "statement": 11, "answer": "disputed"}
    for rows in (named(3), named(*range(100))):
        assert read_content("usage.answer", {**plain, "disputed": rows})["disputed"] == rows
    for rows in ([], *NAMED_WRONG):  # type: ignore[assignment]
        with refusal(Code.BAD_ENCODING):
            read_content("usage.answer", {**plain, "disputed": rows})


@pytest.mark.parametrize(("act", "name", "good", "bad"), EDGES, ids=[f"{row[0]} {row[1]}" for row in EDGES])
def test_a_member_of_a_statement_has_its_form(act: str, name: str, good: list[Any], bad: list[Any]) -> None:
    plain = {"act": act, **COMMON, **{**DECLARED, **SAID}[act]}
    for value in good:
        assert read_content(act, {**plain, name: value})[name] == value
    for value in bad:
        with refusal(Code.BAD_ENCODING):
            read_content(act, {**plain, name: value})


def test_an_item_has_a_region_of_two_capital_letters_and_a_release_has_masks() -> None:
    item = {
        "accounts": [],
        "consent_id": "urn:a:" + "c" * 20,
        "customer_present": False,
        "from": 0,
        "to": 0,
        "interaction_id": "i" * 8,
        "permissions": ["ReadBalances"],
        "purpose": "AIS",
        "request_digest": HASH,
    }
    check_item({**item, "region": "DE"})
    leg = {
        "consent_id": item["consent_id"],
        "interaction_id": "i" * 8,
        "basis": 7,
        "rows": 1,
        "bytes": 2,
        "digest": HASH,
    }
    release = {"act": "access.release", **COMMON, **leg}
    for masks in ([], ["pan"], [f"m{n:02}" for n in range(16)]):
        assert read_content("access.release", {**release, "masks": masks})["masks"] == masks
    for region in ("de", "DEU", "", 1):
        with refusal(Code.BAD_ENCODING):
            check_item({**item, "region": region})
    for masks in (["b", "a"], ["a", "a"], [f"m{n:02}" for n in range(17)], "pan"):  # type: ignore[assignment]
        with refusal(Code.BAD_ENCODING):
            read_content("access.release", {**release, "masks": masks})
    with refusal(Code.BAD_ENCODING):
        read_content("access.receive", {**release, "act": "access.receive", "masks": ["pan"]})


def test_terms_name_destinations_a_period_and_a_window() -> None:
    abroad = {"country": "DE", "mechanism": "standard-contract"}
    read = parse_terms({**TERMS, "destinations": [abroad], "frequency_period": "month", "once_seconds": 1})
    assert (read.destinations, read.frequency_period, read.once_seconds) == (("DE",), "month", 1)
    plain = parse_terms(TERMS)
    assert (plain.destinations, plain.frequency_period, plain.once_seconds) == ((), "day", 3_600)
    rows = [
        {"country": f"A{chr(65 + n % 26)}" if n < 26 else f"B{chr(65 + n - 26)}", "mechanism": "m"} for n in range(33)
    ]
    assert len(parse_terms({**TERMS, "destinations": rows[:32]}).destinations) == 32
    for wrong in (
        {"destinations": []},
        {"destinations": rows},
        {"destinations": [abroad, abroad]},
        {"destinations": [rows[1], rows[0]]},
        {"destinations": [abroad | {"country": "de"}]},
        {"destinations": [abroad | {"mechanism": ""}]},
        {"destinations": [abroad | {"more": 1}]},
        {"frequency_period": "week"},
        {"frequency_period": None},
        {"once_seconds": 0},
        {"once_seconds": 2_592_001},
    ):
        with refusal(Code.BAD_ENCODING):
            parse_terms({**TERMS, **wrong})


DOCUMENT_EDGES: list[tuple[str, str, list[Any], list[Any]]] = [
    *((kind, "approved_by", [["a", "b"]], [["b", "a"], ["a"], ["a", "b", "c"], ["a", "b c"], "ab"])
      for kind in DOCUMENTS if "approved_by" in DOCUMENTS[kind]),
    *((kind, "more", [], [1]) for kind in DOCUMENTS),
    ("freeze.ordered", "scope", *SCOPE),
    ("freeze.ordered", "drill", [True], [0]),
    ("freeze.ordered", "freeze_id", *CODE),
    ("hold.placed", "chains", [[HASH], sorted([HASH, "B" * 42 + "A"]), [f"{'A' * 41}{c}A" for c in "ABCDEFGH"]],
     [[], [HASH] * 2, ["A" * 42], [f"{'A' * 41}{c}A" for c in "ABCDEFGHI"], ["B" * 42 + "A", HASH]]),
    ("hold.placed", "until", *NUMBER),
    ("remit.granted", "names", [[HOLDER], ["b" * 63], [f"bank-{n:02}" for n in range(32)]],
     [[], [HOLDER] * 2, ["b2", "b1"], ["?"], ["B1"], ["b" * 64], [f"bank-{n:02}" for n in range(33)], HOLDER, [1]]),
    ("remit.granted", "to", ["holder", "party", "recipient"], ["", "country", None]),
    *((kind, "regulator", *NAME) for kind in ("remit.granted", "remit.ended")),
    ("scoring.activated", "scoring", [0, 1, 2, 3], [4, -1, True]),
    ("model.activated", "hash", *DIGEST),
    ("model.activated", "card_hash", *DIGEST),
    ("alert.raised", "about", [{"id": HOLDER, "kind": "holder"}, {"id": HASH, "kind": "consent"}],
     [{"id": HOLDER, "kind": "consent"}, {"id": HASH, "kind": "holder"}, {"id": HOLDER, "kind": "regulator"},
      {"id": HOLDER}, "x"]),
    ("alert.raised", "features", [[0], [2**53 - 1] * 8], [[], [1] * 9, [-1], [True], ["1"], [1.5], [2**53], 1]),
    ("alert.raised", "score", [0, 1_000], [-1, 1_001]),
    ("alert.raised", "rule", ["night", "after-end"], ["model", "other", ""]),
    ("alert.raised", "model", [], ["m1"]),
    ("report.defined", "period", ["day", "quarter"], ["week", ""]),
    ("report.defined", "utc_offset", [-840, 840], [-841, 841]),
    ("report.defined", "by", [[], ["grade", "holder", "standard"]],
     [["holder", "grade"], ["holder", "holder"], ["grade", "holder", "permission", "purpose"], ["name"]]),
    ("report.defined", "measures", [["consents_requested", "alerts"]],
     [[], ["alerts", "consents_requested"], ["erasures"], ["score"], ["alerts", "alerts"]]),
    ("report.defined", "suppress", [0, 100], [-1, 101]),
    ("report.issued", "csv_hash", *DIGEST),
    ("attestation.approved", "attestation", *NUMBER),
    ("attestation.approved", "participant", *NAME),
    ("conformance.certified", "participant", *NAME),
    *(("conformance.certified", name, *CODE) for name in ("suite", "suite_version")),
    ("conformance.certified", "passed", [0, 40], [41, -1, True]),
    ("conformance.certified", "total", [38, 2**53 - 1], [37, True]),
    ("conformance.certified", "log_hash", *DIGEST),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "good", "bad"), DOCUMENT_EDGES, ids=[f"{row[0]} {row[1]}" for row in DOCUMENT_EDGES]
)
def test_a_member_of_a_document_has_its_form(kind: str, name: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        folded(kind, {**DOCUMENTS[kind], name: value})
    for value in bad:
        with refusal(Code.BAD_ENCODING):
            folded(kind, {**DOCUMENTS[kind], name: value})


WEIGHTS = {"acknowledge": 300, "complaints": 200, "findings": 200, "refused": 300}


@pytest.mark.parametrize(
    ("changes", "fine"),
    [
        ({}, True),
        ({"by": ["recipient"]}, True),
        ({"measures": ["accesses_allowed", "alerts", "score"]}, True),
        ({"weights": dict.fromkeys(WEIGHTS, 0)}, True),
        ({"weights": WEIGHTS | {"refused": 301}}, False),
        ({"weights": WEIGHTS | {"refused": -1}}, False),
        ({"weights": WEIGHTS | {"more": 0}}, False),
        ({"weights": {"refused": 1}}, False),
        ({"weights": None}, False),
        ({"by": []}, False),
        ({"by": ["holder", "recipient"]}, False),
        ({"by": ["purpose"]}, False),
        ({"measures": ["score", "alerts"]}, False),
        ({"measures": ["alerts"]}, False),
    ],
)
def test_a_score_has_weights_and_one_dimension(changes: dict[str, Any], fine: bool) -> None:
    plain = {**DOCUMENTS["report.defined"], "by": ["holder"], "measures": ["score"], "weights": WEIGHTS}
    if fine:
        folded("report.defined", {**plain, **changes})
        return
    with refusal(Code.BAD_ENCODING):
        folded("report.defined", {**plain, **changes})


def folded(kind: str, members: dict[str, Any]) -> None:
    """Legal or not: here its form alone is looked at."""
    rules = registry(ruleset=3)
    if kind == "report.issued":
        rules.fold(operator("report.defined", **DOCUMENTS["report.defined"]), 28, NOW)
    try:
        rules.fold(operator(kind, **members), 30, NOW)
    except Refuted as refusal_:
        if refusal_.defect.code is not Code.CONSENT_INVALID:
            raise


def test_an_alert_of_the_model_names_it() -> None:
    folded("alert.raised", {**ALERT, "rule": "model", "model": "m1"})
    with refusal(Code.BAD_ENCODING):
        folded("alert.raised", {**ALERT, "rule": "model"})
