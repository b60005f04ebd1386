"""Reconciliation: the legs of accesses compared, reported in the log, kept for those they concern. On both engines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec
import pytest

from ledger.canonical import b64u
from ledger.entries.leaf import consent_chain
from ledger.errors import Conflict, InvalidInput
from ledger.planning.commands import RecordComposed
from ledger.policy.reconciliation import Comparison, Finding, Leg, LegFigures, Place, findings_hash
from tests.ledger.auditing import audit
from tests.ledger.legs import HOUR, leg
from tests.world import BANK, FINTECH, OTHER_BANK, STRANGER, Document, Node, item

PLACE = Place(b"c" * 32, "interaction-1")


# -- pure ---------------------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """A comparison that begins at entry 10 with an allowed access at 10."""

    comparison: Comparison

    def leg(self, index: int, kind: str, basis: int = 10, place: Place = PLACE, **figures: object) -> None:
        said = {"rows": 3, "bytes": 512, "digest": "d", **figures}
        self.comparison.leg(Leg(index, kind, basis, place, LegFigures(**said)))  # type: ignore[arg-type]

    def codes(self) -> list[str]:
        return [finding.code for finding in self.comparison.report(99).findings]


@pytest.fixture
def told() -> Told:
    made = Told(Comparison(10))
    made.comparison.allowed(10, PLACE)
    return made


@pytest.mark.parametrize(
    ("masks", "found"),
    [
        (None, []),
        (("account-number", "pan"), []),
        (("account-number", "more", "pan"), []),
        (("pan",), ["mask-skipped"]),
        ((), ["mask-skipped"]),
    ],
)
def test_a_mask_that_was_owed_and_skipped_is_found(masks: tuple[str, ...] | None, found: list[str]) -> None:
    comparison = Comparison(10)
    comparison.allowed(10, PLACE, ("account-number", "pan"))
    figures = LegFigures(3, 512, "d")
    comparison.leg(Leg(11, "access.release", 10, PLACE, figures, masks))
    comparison.leg(Leg(12, "access.release", 10, PLACE, figures, ("account-number", "pan")))  # the first counts
    comparison.leg(Leg(13, "access.receive", 10, PLACE, figures))
    assert [finding.code for finding in comparison.report(99, masks=True).findings] == found
    assert comparison.report(99).findings == ()


def test_an_access_without_either_leg_is_not_a_finding(told: Told) -> None:
    report = told.comparison.report(99)
    assert (report.accesses, report.releases, report.receipts, report.findings) == (1, 0, 0, ())


def test_a_missing_leg_is_named_by_the_other(told: Told) -> None:
    told.leg(11, "access.release")
    assert told.codes() == ["receipt-missing"]
    told.leg(12, "access.receive")
    assert told.codes() == []


def test_a_receipt_without_release_is_found(told: Told) -> None:
    told.leg(11, "access.receive")
    assert told.codes() == ["release-missing"]


def test_each_differing_figure_is_a_finding_of_its_own_in_order(told: Told) -> None:
    told.leg(11, "access.receive", rows=1, bytes=2, digest="e")
    told.leg(12, "access.release")
    assert told.codes() == ["rows-differ", "bytes-differ", "digest-differ"]


def test_of_several_legs_of_one_kind_the_first_counts(told: Told) -> None:
    told.leg(11, "access.release")
    told.leg(12, "access.release", rows=9)
    told.leg(13, "access.receive")
    assert told.codes() == []


def test_a_leg_of_another_consent_or_interaction_or_of_no_access_is_not_a_leg(told: Told) -> None:
    told.leg(11, "access.release", place=PLACE._replace(consent=b"d" * 32))
    told.leg(12, "access.release", place=PLACE._replace(interaction_id="interaction-2"))
    told.leg(13, "access.release", basis=12)
    assert told.codes() == []


def test_a_leg_of_an_earlier_access_is_kept_apart(told: Told) -> None:
    told.leg(11, "access.release", basis=9)
    assert [leg.index for leg in told.comparison.late] == [11]


def test_accesses_above_the_range_are_left_to_the_next_report(told: Told) -> None:
    told.comparison.allowed(20, PLACE)
    told.leg(21, "access.release", basis=20)
    assert told.comparison.report(19).findings == ()
    assert told.comparison.report(20).findings == (Finding(20, "receipt-missing"),)
    with pytest.raises(InvalidInput):
        told.comparison.report(9)


def test_the_hash_is_over_each_finding_as_a_line() -> None:
    lines = b'{"access":7,"finding":"rows-differ"}\n{"access":9,"finding":"receipt-missing"}\n'
    expected = b64u(hashlib.sha256(b"consent-ledger/v1/findings\0" + lines).digest())
    assert findings_hash((Finding(7, "rows-differ"), Finding(9, "receipt-missing"))) == expected


# -- in a log -----------------------------------------------------------------------------------------------------------


def reports(node: Node) -> list[Document]:
    leaves = audit(node.config.database_url, node.ledger)
    documents = [leaf["document"] for leaf in leaves if leaf["kind"] == "operator"]
    return [document for document in documents if document["type"] == "reconciliation.reported"]


def found(node: Node, viewer: str | None = None, **options: bool) -> list[tuple[int, str]]:
    return [(one.access, one.code) for one in node.ledger.reconciliation.findings(viewer, **options)]


def test_a_report_names_what_does_not_fit_and_its_parties_can_ask(node: Node) -> None:
    consent = node.grant()
    fine, unreleased, unreceived, differing, idle = (node.access(consent) for _ in range(5))
    denied = node.access(consent, permissions=["ReadParty"])
    for access in (fine, unreceived, differing):
        leg(node, "release", access)
    for access in (fine, unreleased):
        leg(node, "receive", access)
    leg(node, "receive", differing, rows=4, bytes=9, digest=b64u(b"x" * 32))
    node.clock.advance(seconds=HOUR)
    recorded = node.ledger.reconcile()
    [report] = reports(node)
    assert recorded.act == "reconciliation.reported"
    assert report == msgspec.json.decode(recorded.leaf)["document"]
    expected = [
        (unreleased.index, "release-missing"),
        (unreceived.index, "receipt-missing"),
        (differing.index, "rows-differ"),
        (differing.index, "bytes-differ"),
        (differing.index, "digest-differ"),
    ]
    assert (report["accesses"], report["releases"], report["receipts"], report["findings"]) == (5, 3, 3, 5)
    assert report["findings_hash"] == findings_hash(tuple(Finding(*one) for one in expected))
    assert (report["from_index"], report["to_index"]) == (0, recorded.index - 1)
    assert idle.index < denied.index <= report["to_index"]
    assert found(node) == found(node, BANK) == found(node, FINTECH) == expected
    assert found(node, STRANGER) == found(node, OTHER_BANK) == []
    assert node.ledger.reconciliation.open_count() == 5


def test_a_report_covers_what_is_an_hour_old_and_the_next_one_continues_there(node: Node) -> None:
    consent = node.grant()
    first = node.access(consent)
    leg(node, "release", first)
    with pytest.raises(Conflict, match="nothing to reconcile yet"):
        node.ledger.reconcile()
    node.clock.advance(seconds=HOUR / 2)
    second = node.access(consent)
    leg(node, "release", second)
    node.clock.advance(seconds=HOUR / 2)
    node.ledger.reconcile()
    assert found(node) == [(first.index, "receipt-missing")]
    node.clock.advance(seconds=HOUR / 2)
    leg(node, "receive", second)
    node.ledger.reconcile()
    one, two = reports(node)
    assert two["from_index"] == one["to_index"] + 1 == second.index
    assert (two["accesses"], two["findings"]) == (1, 0)


def test_a_log_in_which_nothing_happens_is_not_reported_about_for_ever(node: Node) -> None:
    node.grant()
    node.clock.advance(seconds=HOUR)
    node.ledger.reconcile()
    for _ in range(3):
        node.clock.advance(seconds=HOUR)
        with pytest.raises(Conflict, match="nothing to reconcile"):
            node.ledger.reconcile()
    assert len(reports(node)) == 1


def test_a_missing_leg_that_comes_late_closes_its_finding(node: Node) -> None:
    consent = node.grant()
    access, other = node.access(consent), node.access(consent)
    leg(node, "release", access)
    leg(node, "receive", other)
    node.clock.advance(seconds=HOUR)
    node.ledger.reconcile()
    late = leg(node, "receive", access)
    node.clock.advance(seconds=HOUR)
    node.ledger.reconcile()
    assert found(node, open_only=True) == [(other.index, "release-missing")]
    [closed, still_open] = node.ledger.reconciliation.findings(BANK)
    assert (closed.closed_by, still_open.closed_by) == (late.index, None)
    assert node.ledger.reconciliation.open_count() == 1


def test_items_of_a_batch_are_accesses_of_their_own(node: Node) -> None:
    consent = node.grant()
    entries = node.ledger.submit_and_wait(node.batch(*(item(consent) for _ in range(4))))
    for access in entries[:3]:
        leg(node, "release", access)
    for access in entries[1:]:
        leg(node, "receive", access)
    node.clock.advance(seconds=HOUR)
    node.ledger.reconcile()
    assert found(node) == [(entries[0].index, "receipt-missing"), (entries[3].index, "release-missing")]


def test_an_erased_consent_is_left_out(node: Node) -> None:
    kept, gone = node.grant(), node.grant()
    kept_access, gone_access = node.access(kept), node.access(gone)
    leg(node, "release", kept_access)
    leg(node, "release", gone_access)
    chain = consent_chain(gone)
    node.ledger.record_documents(
        {"type": "erasure", "v": 1, "chains": [b64u(chain)], "basis": "gdpr-17", "approved_by": ["ann", "bob"]}
    )
    node.ledger.keystore.destroy([chain])
    node.clock.advance(seconds=HOUR)
    node.ledger.reconcile()
    [report] = reports(node)
    assert (report["accesses"], report["releases"]) == (1, 1)
    assert found(node) == [(kept_access.index, "receipt-missing")]


def test_of_two_nodes_that_report_the_same_range_one_is_refused(node: Node) -> None:
    access = node.access(node.grant())
    leg(node, "release", access)
    other = node.beside("other")
    other.start()
    try:
        node.clock.advance(seconds=HOUR)
        survey = other.reconciliation.survey(0)
        survey.look_ahead(other.registry)
        node.ledger.reconcile()

        with pytest.raises(Conflict, match="another node"):
            other.submit_and_wait(RecordComposed(survey))
    finally:
        other.stop()
    assert len(reports(node)) == 1
    assert len(found(node)) == 1


def test_legs_that_come_between_looking_ahead_and_the_report_count(node: Node) -> None:

    access = node.access(node.grant())
    leg(node, "release", access)
    node.clock.advance(seconds=HOUR)
    survey = node.ledger.reconciliation.survey(0)
    survey.look_ahead(node.ledger.registry, node.clock.now())
    leg(node, "receive", access)
    node.ledger.submit_and_wait(RecordComposed(survey))
    assert found(node) == []


def test_a_finding_is_asked_for_page_by_page(node: Node) -> None:
    consent = node.grant()
    for _ in range(5):
        leg(node, "release", node.access(consent))
    node.clock.advance(seconds=HOUR)
    node.ledger.reconcile()
    ask = node.ledger.reconciliation.findings
    first = ask(BANK, limit=2)
    rest = ask(BANK, after=first[-1].key)
    assert [one.access for one in (*first, *rest)] == [access for access, _ in found(node)]
    assert (len(first), len(rest)) == (2, 3)
